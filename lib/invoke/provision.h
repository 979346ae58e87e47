/*
 * provision.h - from what is stored (store/concurrency.h) to what the pool holds ready and the admission allows.
 *
 * A configuration is for a version, or for an alias: then for the version it names. An alias with weights is refused one (api/concurrency.c), but
 * older databases may have such a pair: then for both versions, each with its share. Environments are the version's: whoever invokes that version is
 * served by them, by whichever name.
 */
#ifndef FN_INVOKE_PROVISION_H
#define FN_INVOKE_PROVISION_H

#include "invoke/invoke.h"
#include "store/aliases.h"
#include "store/concurrency.h"

/* Of `requested` for name:qualifier, how much is for this version. Pure. alias NULL = the qualifier is a version. */
int64_t fn_provision_share(const char *qualifier, const struct fn_alias *alias, int64_t requested, const char *version);

/* Something about this function's versions, aliases or concurrency has changed: the pool and the limits follow. */
void fn_provision_apply(struct fn_invoker *inv, struct fn_store *s, const char *function);
void fn_provision_apply_all(struct fn_invoker *inv, struct fn_store *s); /* at start */

enum fn_provision_status { FN_PROVISION_IN_PROGRESS, FN_PROVISION_READY, FN_PROVISION_FAILED };
struct fn_provision_state {
	enum fn_provision_status status;
	int64_t available;
	char reason[160]; /* FAILED */
};
void fn_provision_state(struct fn_invoker *inv, struct fn_store *s, const char *function, const struct fn_provisioned *p,
			struct fn_provision_state *ret);

/* Of this configuration, how many serve an invocation now. */
int64_t fn_provision_in_use(struct fn_invoker *inv, struct fn_store *s, const char *function, const struct fn_provisioned *p);

/* What must be left in the account for functions that reserve nothing: Lambda's 100, of an account below 1,000 a tenth. */
int64_t fn_provision_unreserved_least(unsigned account_concurrency);
/* The most that may be provisioned for function:qualifier, beside its other configurations, within its reservation or else the account. */
int64_t fn_provision_room(struct fn_store *s, const char *function, const char *qualifier, unsigned account_concurrency);

#endif

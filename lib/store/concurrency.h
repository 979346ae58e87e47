/*
 * concurrency.h - reserved concurrency by function, provisioned concurrency by function and qualifier: on disk, and all of it in memory.
 *
 * It goes with what it is about: deleting the function, version or alias deletes it.
 */
#ifndef FN_STORE_CONCURRENCY_H
#define FN_STORE_CONCURRENCY_H

#include "store/functions.h"

/* -1 = none is reserved. */
int64_t fn_store_reserved(struct fn_store *s, const char *function);
/* Writes are as in functions.h. n -1 = take it back. -ENOENT: no such function. */
int fn_store_set_reserved(struct fn_store *s, const char *function, int64_t n, fn_stored_fn fn, void *arg, struct fn_err *err);

struct fn_provisioned {
	char *qualifier; /* a version or an alias */
	int64_t requested;
	uint64_t modified_us; /* real time */
};
/* NULL = none. Borrowed until the next write. */
const struct fn_provisioned *fn_store_provisioned(struct fn_store *s, const char *function, const char *qualifier);
/* Makes or replaces; requested 0 = deletes. -ENOENT: no such function, version or alias; or nothing to delete. */
int fn_store_set_provisioned(struct fn_store *s, const char *function, const char *qualifier, int64_t requested, fn_stored_fn fn, void *arg,
			     struct fn_err *err);
/* In order of qualifiers, beginning after `after` (NULL = from the start). Returns the count. */
size_t fn_store_list_provisioned(struct fn_store *s, const char *function, const char *after, const struct fn_provisioned **ret, size_t max);

/* All of them, in the same order; borrowed until the next write. */
struct fn_provisioned *const *fn_store_all_provisioned(struct fn_store *s, const char *function, size_t *ret_n);
/* What is requested for a function, over all of them but one (NULL = over all). */
int64_t fn_store_provisioned_sum(struct fn_store *s, const char *function, const char *but);

/* What a function takes from the account for itself: its reservation, else what is provisioned for it; 0 = nothing. */
int64_t fn_store_claim(struct fn_store *s, const char *function);
/* The sum of that over all functions; what is being stored counts where that is more. */
int64_t fn_store_claims(struct fn_store *s);

#endif

/*
 * credentials.h - what a function's environment has for signing with: its role's where the configuration gives the role some, else values that are
 * an environment's own and open nothing.
 *
 * A role's credentials are given once and for all, or by a command that prints them as AWS's tools have it of a "credential_process" (AWS SDKs and
 * Tools Reference Guide, "feature-process-credentials"): {"Version": 1, "AccessKeyId", "SecretAccessKey", "SessionToken"?, "Expiration"?: ISO 8601}.
 * They are kept until shortly before they expire, and never written to a log.
 */
#ifndef FN_ENV_CREDENTIALS_H
#define FN_ENV_CREDENTIALS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"

#define FN_CREDENTIALS_OUTPUT_MAX 65536  /* bytes that a command may print */
#define FN_CREDENTIALS_TIMEOUT_US 10000000u /* what it may take */

struct fn_credentials {
	char *access_key_id, *secret_access_key;
	char *session_token;  /* NULL: there is none */
	uint64_t expires_us;  /* CLOCK_REALTIME; UINT64_MAX = never */
};
void fn_credentials_clear(struct fn_credentials *c); /* overwritten, freed */
/* Can each be the value of an environment variable and of a header? 16..128, 1..128 and 1..8192 visible ASCII characters. -EINVAL, with words. */
int fn_credentials_check(const struct fn_credentials *c, struct fn_err *err);
/* What a command has printed. */
int fn_credentials_parse(const char *text, size_t len, struct fn_credentials *ret, struct fn_err *err);
/* Nobody's, in the form that AWS's have. */
int fn_credentials_invent(struct fn_credentials *ret);
/* When what is got at `now` is not to be given to anyone any more: 5 minutes before it expires, less if it lives shortly. Both CLOCK_REALTIME. */
uint64_t fn_credentials_renew_us(uint64_t now_us, uint64_t expires_us);
/* How much later than then one of several environments ends that were to end together, so that not all are gone at once: at random, up to half of
 * what is left between until_us and expires_us. */
uint64_t fn_credentials_spread_us(uint64_t until_us, uint64_t expires_us, uint32_t random);

/* As configured. */
struct fn_role {
	char *arn;
	struct fn_credentials fixed; /* without a command */
	char **command;              /* NULL-terminated, the first absolute; or NULL */
	char **endpoints;            /* services that its functions reach at the platform and not at AWS: "lambda", as platform.h's; NULL = none */
};
void fn_role_clear(struct fn_role *r);

struct fn_roles;
/* `configured` outlives it. */
int fn_roles_new(struct fn_loop *loop, const struct fn_role *configured, size_t n, struct fn_roles **ret);
void fn_roles_free(struct fn_roles *r); /* nobody may wait any more; NULL is fine */

/* NULL: it is not configured. r may be NULL. */
const struct fn_role *fn_roles_find(const struct fn_roles *r, const char *arn);

/* Waits for a role's command; removed from its list (base/list.h) it waits no more. */
struct fn_roles_wait {
	struct fn_list link;
	void (*fn)(void *arg, const struct fn_err *err); /* err NULL: ask again, it is there now */
	void *arg;
};
/* A copy for one environment, and until when (CLOCK_MONOTONIC; UINT64_MAX = for ever) that may have it. -EINPROGRESS: wait->fn is called. A role that
 * is not configured has invented ones. */
int fn_roles_get(struct fn_roles *r, const char *arn, struct fn_credentials *ret, uint64_t *ret_until_us, struct fn_roles_wait *wait, struct fn_err *err);

#endif

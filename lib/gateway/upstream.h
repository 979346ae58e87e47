/*
 * upstream.h - fnd, as fn-gateway asks it (api/inner.h): how a URL is configured, signing keys, invocations. Any thread may ask.
 *
 * Configurations and keys are kept. That a configuration has changed is told with an invocation that was judged by the old one, before anything has run:
 * then it is fetched anew. So it is before a request is refused by what was kept.
 */
#ifndef FN_GATEWAY_UPSTREAM_H
#define FN_GATEWAY_UPSTREAM_H

#include <jansson.h>

#include "aws/sigv4.h"
#include "web/h1client.h"

struct fn_gw_upstream;

/* How a URL is configured. Of many threads: refs under the upstream's lock. */
struct fn_gw_route {
	unsigned refs;
	char generation[64], account[16];
	bool iam, streams, signs; /* signs: there are keys at all */
	char *missing;            /* what keeps everybody from a URL of AuthType NONE; "" = nothing */
	json_t *cors;             /* NULL = not configured. Read only: its reference count is nobody's to change */
};

int fn_gw_upstream_new(int state_fd, unsigned keep, struct fn_gw_upstream **ret);
void fn_gw_upstream_free(struct fn_gw_upstream *u);

/* -ENOENT: there is no such URL; -EIO and others: fnd cannot be asked. */
int fn_gw_route_get(struct fn_gw_upstream *u, const char *id, struct fn_gw_route **ret, bool *ret_kept); /* kept: it was asked for before */
void fn_gw_route_put(struct fn_gw_upstream *u, struct fn_gw_route *r); /* NULL is fine */
/* It is not as it is any more. */
void fn_gw_route_stale(struct fn_gw_upstream *u, const char *id, const struct fn_gw_route *r);
/* What date (20230101) is signed with by an access key, and whose that is. */
struct fn_gw_key {
	uint8_t bytes[FN_SIGV4_KEY];
	char arn[256], user_id[160];
};
/* token: its session's, NULL = it has none. -ENOENT. */
int fn_gw_key(struct fn_gw_upstream *u, const struct fn_gw_route *r, const char *key_id, const char *token, const char *date, struct fn_gw_key *ret);

struct fn_gw_invocation {
	const char *id, *request_id, *trace_id;
	const char *key_id, *token; /* whose request it is, AuthType AWS_IAM; NULL = nobody's, no session's */
	const char *address; /* of the client */
	bool secure;         /* by TLS, as far as we and the proxies that are trusted know */
	const void *event;
	size_t len;
};
/* x is its answer's head. -ESTALE: not judged by the newest configuration, nothing has run; -EACCES: the policies do not allow it; else as fn_h1_exchange_begin(). */
int fn_gw_invoke(struct fn_gw_upstream *u, const struct fn_gw_route *r, const struct fn_gw_invocation *i, struct fn_h1_exchange *x);

#endif

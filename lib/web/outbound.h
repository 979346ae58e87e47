/*
 * outbound.h - HTTP(S) requests to other machines, from a loop that never waits: libcurl's multi interface on fn_loop.
 *
 * Connections are kept and used again; one that the server closed while it rested is replaced, and a request that it took no byte of an answer for is sent
 * once more by libcurl (at least once, never at most once). Redirects and proxies are not followed. Everything is bounded: bodies both ways, headers, time,
 * connections in all and by host; what waits for a connection counts into its time. Names are looked up by libcurl's own thread.
 */
#ifndef FN_WEB_OUTBOUND_H
#define FN_WEB_OUTBOUND_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "web/h1reply.h"

struct fn_outbound;
struct fn_outbound_call;

#define FN_OUTBOUND_HEADERS_MAX 65536u /* of one answer, in bytes */

struct fn_outbound_config {
	unsigned max_connections, max_per_host; /* 0 = 64, 16 */
	const char *agent;                      /* User-Agent; copied */
};

struct fn_outbound_answer {
	unsigned status;       /* 0 = there is no answer: err says why */
	const char *body;      /* followed by a NUL, which does not count; the caller's until done() returns */
	size_t len;
	const struct fn_err *err; /* NULL = the answer is whole. ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, ECONNRESET, EFBIG, EPROTO (TLS and the rest) */
	const struct fn_outbound_call *call; /* for fn_outbound_header() */
};

/* Once, from the loop, never from within fn_outbound_send(). May send and cancel others. */
typedef void (*fn_outbound_done_fn)(void *arg, const struct fn_outbound_answer *a);

struct fn_outbound_request {
	const char *method, *url;            /* http:// or https:// */
	const struct fn_h1_header *headers;  /* host and content-length are added */
	size_t n_headers;
	const void *body;                    /* copied; with any method; NULL = none */
	size_t len;
	size_t body_max;                     /* of the answer's body: beyond it EFBIG */
	uint64_t timeout_us, connect_timeout_us; /* 0 = 30 s, 5 s; the first is of all */
	const char *ca_file;                 /* PEM: the certificates that vouch for the server, alone; read for each connection; NULL = the system's */
	fn_outbound_done_fn done;
	void *arg;
};

int fn_outbound_new(struct fn_loop *loop, const struct fn_outbound_config *c, struct fn_outbound **ret); /* -ENOMEM */
/* Those under way are cancelled; NULL is fine. */
void fn_outbound_free(struct fn_outbound *o);

/* All of it is copied. *ret (may be NULL) lives until done() or cancel. -ENOMEM, -EINVAL (an URL that is none). */
int fn_outbound_send(struct fn_outbound *o, const struct fn_outbound_request *r, struct fn_outbound_call **ret);
/* done() is not called. Its connection is closed, unless the answer was whole. NULL is fine. */
void fn_outbound_cancel(struct fn_outbound_call *c);

/* The answer's first field of that name, in any case; NULL = absent. From within done(). */
const char *fn_outbound_header(const struct fn_outbound_call *c, const char *name);
unsigned fn_outbound_under_way(const struct fn_outbound *o);

#endif

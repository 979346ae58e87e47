/* http_req_internal.h - a connection of httpd.c's and the request it has at the time, for httpd.c and http_req.c only. */
#ifndef FN_WEB_HTTP_REQ_INTERNAL_H
#define FN_WEB_HTTP_REQ_INTERNAL_H

#include <netinet/in.h>

#include "base/list.h"
#include "web/bodies.h"
#include "web/h1conn.h"
#include "web/http_req.h"
#include "web/party.h"

#define FN_HTTP_REPLY_HEADERS_MAX 24

struct fn_httpd;

struct fn_http_shared {
	unsigned active; /* requests that are delivered and not yet answered to the end */
	bool closing;    /* no connection is kept after its next reply */
};

struct fn_http_req {
	struct fn_httpd *h;
	struct fn_http_shared *shared;
	struct fn_list link;
	struct fn_h1_conn *c; /* NULL: it has gone, and the handler still owes its reply */
	struct fn_h1 *h1;
	struct fn_h1 kept; /* what h1 points to then */
	size_t query;      /* where it begins in the target */
	enum { FN_HTTP_NONE, FN_HTTP_COMING, FN_HTTP_HELD, FN_HTTP_DELIVERED, FN_HTTP_STREAMING, FN_HTTP_REPLIED } state; /* COMING: in pieces; HELD: whole, its party is held */
	bool here, crowded;
	enum fn_http_role role; /* of its listener */
	bool secure;
	bool last;     /* the connection ends with its next reply */
	unsigned stays; /* of the connection: so many requests, before it may be handed over */
	void *grant;   /* of the connection */
	void (*release_grant)(void *grant);
	char from[INET6_ADDRSTRLEN]; /* of one that was passed on; "" = who has connected */
	struct fn_http_party *party; /* NULL: none; a reference */
	struct fn_list of_party, held;
	bool waits;        /* who writes the reply waits until it is drained */
	void (*drained)(void *arg); /* and is told here; NULL: ops->drained */
	void *drained_arg;
	void (*gone)(void *arg); /* who is told that the client has gone */
	void *gone_arg;
	const char *ahead; /* what has come behind the head, while that is looked at */
	size_t n_ahead;
	void *user;
	void (*release_user)(void *user);
	struct fn_bodies *account; /* where `counted` bytes of the body count */
	uint64_t counted;
	/* the last look: since when it has been where it is */
	enum fn_h1_phase phase;
	uint64_t served, seen_served, seen_moved, since_us;
	uint64_t expected_moved, expected_us; /* fn_httpd_expects() */
	uint64_t peer, rests_us; /* since when: the last answer, or the beginning */
	/* reply */
	struct fn_http_header {
		size_t name, value; /* offsets in texts */
	} headers[FN_HTTP_REPLY_HEADERS_MAX];
	size_t n_headers;
	struct fn_buf texts;
	char **decoded; /* query values handed out */
	size_t n_decoded;
};

void fn_http_req_uncount(struct fn_http_req *r); /* its body is not under way any more */
void fn_http_req_forget(struct fn_http_req *r);  /* the request; the connection may have another */
void fn_http_req_free(struct fn_http_req *r);

#endif

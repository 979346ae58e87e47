/*
 * inner_client.h - HTTP/1.1 from process to process on one machine, over AF_UNIX, for a loop: h1client.h's counterpart that never waits.
 *
 * Connections are kept, and bounded: a call beyond them waits for one in a queue that is bounded, too. A connection that was closed while it rested takes not
 * one byte, and another is used; of a request no byte is sent a second time. Where nobody listens (the other process is being started) it tries again for
 * connect_us: nothing has been sent meanwhile. Time-outs are looked at each FN_INNER_LOOK_US.
 */
#ifndef FN_WEB_INNER_CLIENT_H
#define FN_WEB_INNER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "web/h1.h"
#include "web/h1client.h"

#define FN_INNER_LOOK_US 100000u

struct fn_inner_client;
struct fn_inner_call;

struct fn_inner_config {
	struct fn_loop *loop;
	int dir_fd;           /* borrowed, of O_PATH: the socket's directory */
	const char *name;     /* the socket's */
	unsigned connections; /* at once */
	unsigned keep;        /* of them, that may rest */
	unsigned waiting;     /* calls that wait for a connection, at most */
	uint64_t connect_us;
};

int fn_inner_client_new(const struct fn_inner_config *config, struct fn_inner_client **ret);
void fn_inner_client_free(struct fn_inner_client *c); /* calls that are under way are cancelled; NULL is fine */
unsigned fn_inner_client_calls(const struct fn_inner_client *c); /* under way, those that wait too */

struct fn_inner_answer {
	int error;             /* 0, or -errno: there is none */
	bool sent;             /* with an error: the request may have arrived */
	const struct fn_h1 *h; /* without: status, headers, fn_h1_header() */
	char *body;            /* may be taken (set to NULL); never NULL without an error, NUL-terminated */
	size_t len;
};

struct fn_inner_request {
	struct fn_h1_request http; /* the body is borrowed until the answer or the cancelling; all else is copied */
	size_t body_max;           /* of the answer: -EFBIG beyond */
	uint64_t timeout_us;       /* for all of it; 0 = none */
	void (*done)(void *arg, struct fn_inner_answer *a); /* once, from the loop, never from within fn_inner_send() */
	void *arg;
	/* Is it the other process that may answer the client, whose socket (borrowed likewise) goes with the request? Then nothing is to be sent to it before `done`; an answer with
	 * FN_H1_ANSWERED says that it was answered, one without that it was not, and after an error nobody knows. */
	bool gives_client;
	int client;
};

/* -EAGAIN: too many wait; -ENOMEM. *ret_call (ret_call may be NULL) may be cancelled until done is called. */
int fn_inner_send(struct fn_inner_client *c, const struct fn_inner_request *r, struct fn_inner_call **ret_call);
/* done is not called. What has been sent of it closes its connection: the other process sees that. NULL is fine. */
void fn_inner_cancel(struct fn_inner_call *call);

#endif

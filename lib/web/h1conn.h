/*
 * h1conn.h - server connections for the Runtime API, on the loop: one recv() and one sendmsg() per request, nothing else.
 *
 * Why not libmicrohttpd, which serves the public API: this hop is what an invocation consists of. With MHD each request of a runtime cost a
 * suspend and a resume (two epoll_ctl), waits on an epoll nested in the loop's, receives that find nothing, and a pool of 32 KiB cleared. Measured
 * in turns on 2 busy cores, all of a warm invocation: 16 connections 16.6 -> 12.8 system calls and 63 -> 54 us of fnd's CPU, 1 connection
 * 22.9 -> 15.8 and 61 -> 53 us (make bench BENCH=profile, warm).
 *
 * A connection has at most one request with its owner at a time; what the peer pipelines waits unread. The owner replies in the callback or
 * later; until it has, a peer that closes (even its sending half only) is taken for gone: `closed` is called and nothing is owed.
 * Reading stops while an answer has not been taken by the peer, so that memory stays bounded: at most one head (1 MiB), one body (body_max)
 * and one answer per connection.
 */
#ifndef FN_WEB_H1CONN_H
#define FN_WEB_H1CONN_H

#include "base/loop.h"
#include "web/h1.h"

struct fn_h1_server; /* what the connections of one loop share */
struct fn_h1_conn;

struct fn_h1_ops {
	/* The head is there, the body is not: the largest body to keep; a longer one is swallowed and shows as too_large. */
	size_t (*body_max)(void *arg, struct fn_h1_conn *c, const struct fn_h1 *req);
	/* A whole request. req lives until its reply; the body may be taken. */
	void (*request)(void *arg, struct fn_h1_conn *c, struct fn_h1 *req);
	/* The last that is heard of c: its peer has gone. */
	void (*closed)(void *arg, struct fn_h1_conn *c);
};

struct fn_h1_header {
	const char *name, *value; /* control bytes in a value are sent as spaces */
};

struct fn_h1_reply {
	unsigned status;
	const char *content_type;
	const struct fn_h1_header *headers;
	size_t n_headers;
	const void *body;
	size_t len;
	void (*release)(void *arg); /* the body is lent until this is called, once; NULL: it is copied if need be */
	void *release_arg;
	bool later;                 /* to be sent at the end of the loop's round: others are answered first. The body must be short. */
};

int fn_h1_server_new(struct fn_loop *loop, struct fn_h1_server **ret);
void fn_h1_server_free(struct fn_h1_server *s); /* its connections must be closed; NULL is fine */

/* Serves a connected, non-blocking stream socket (takes fd, also on failure). */
int fn_h1_conn_new(struct fn_h1_server *s, int fd, const struct fn_h1_ops *ops, void *arg, struct fn_h1_conn **ret);
/* Ends it at once, from any callback too; `closed` is not called. NULL is fine. */
void fn_h1_conn_close(struct fn_h1_conn *c);
/* Asks the kernel whether the peer has gone, sooner than `closed` can tell. */
bool fn_h1_conn_peer_gone(const struct fn_h1_conn *c);
/* Instead of a reply: 101 Switching Protocols, and the connection's socket is the caller's, blocking from now on. To the connection it is
 * fn_h1_conn_close(), also on failure (-errno): what came behind the request is lost, so a client waits for the 101. RFC 9110, 7.8. */
int fn_h1_conn_upgrade(struct fn_h1_conn *c, const char *protocol);
/* Exactly once per request that is still there. Does not call the owner back. */
void fn_h1_conn_reply(struct fn_h1_conn *c, const struct fn_h1_reply *reply);

#endif

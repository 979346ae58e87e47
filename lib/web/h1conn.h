/*
 * h1conn.h - server connections on the loop, for the Runtime API and under httpd.h: one recv() and one sendmsg() per request, nothing else.
 *
 * Why not libmicrohttpd: these two hops are what an invocation consists of. With MHD each request cost a suspend and a resume (two epoll_ctl),
 * waits on an epoll nested in the loop's, receives that find nothing, and a pool of 32 KiB cleared. Measured in turns on 2 busy cores, all of a warm
 * invocation, system calls and fnd's CPU (make bench BENCH=profile,warm):
 *   the Runtime API     1 connection 22.9 -> 15.8, 61 -> 53 us    16 connections 16.6 -> 12.8, 63 -> 54 us
 *   the public API too  1 connection 14.3 -> 10.5, 55 -> 43 us    16 connections 13.0 -> 9.3, 44 -> 37 us
 *
 * A connection has at most one request with its owner at a time; what the peer pipelines waits unread. The owner replies (h1answer.h) in the callback or
 * later; until it has, a peer that closes (even its sending half only, unless half_close is set) is taken for gone: `closed` is called and
 * nothing is owed. Reading stops while an answer has not been taken by the peer, and while the owner has it paused, so that memory stays bounded: at
 * most one head (1 MiB, or head_max), one body (body_max), 64 KiB not looked at yet and one answer per connection. A round of the loop takes at most
 * 64 KiB from a connection: the others have their turn. It has no timeouts of its own: fn_h1_conn_phase().
 */
#ifndef FN_WEB_H1CONN_H
#define FN_WEB_H1CONN_H

#include <sys/uio.h>

#include "base/loop.h"
#include "web/h1answer.h"
#include "web/h1ops.h"

struct fn_h1_server; /* what the connections of one loop share */

int fn_h1_server_new(struct fn_loop *loop, struct fn_h1_server **ret);
void fn_h1_server_free(struct fn_h1_server *s); /* its connections must be closed; NULL is fine */

/* Serves a connected, non-blocking stream socket (takes fd, also on failure). */
int fn_h1_conn_new(struct fn_h1_server *s, int fd, const struct fn_h1_ops *ops, void *arg, struct fn_h1_conn **ret);
/* Ends it at once, from any callback too; `closed` and `cut` are not called. NULL is fine. */
void fn_h1_conn_close(struct fn_h1_conn *c);
/* Asks the kernel whether the peer has gone, sooner than `closed` can tell. */
bool fn_h1_conn_peer_gone(const struct fn_h1_conn *c);
/* The peer's address as text; false: it has none (AF_UNIX). */
bool fn_h1_conn_address(const struct fn_h1_conn *c, char *out, size_t size);
/* Bytes have come from it that are not read yet. */
bool fn_h1_conn_unread(const struct fn_h1_conn *c);
/* Instead of a reply: 101 Switching Protocols, and the connection's socket is the caller's, blocking from now on. To the connection it is
 * fn_h1_conn_close(), also on failure (-errno): what came behind the request is lost, so a client waits for the 101. RFC 9110, 7.8. */
int fn_h1_conn_upgrade(struct fn_h1_conn *c, const char *protocol);
/* From ops->elsewhere, for who gives the connection to another process: its socket, borrowed; is all that was answered with the kernel? */
int fn_h1_conn_socket(const struct fn_h1_conn *c);
bool fn_h1_conn_sent(struct fn_h1_conn *c);
/* Of a new one over AF_UNIX, from a process that is trusted: a request may bring the socket of the client that waits for its answer (inner_client.h), to whom fn_h1_ahead_send() sends that itself
 * then; the peer is told so (FN_H1_ANSWERED). */
void fn_h1_conn_takes_client(struct fn_h1_conn *c);
/* Of a new one: these bytes have come already. They are looked at later in this round. */
int fn_h1_conn_go_on(struct fn_h1_conn *c, const struct iovec *bytes, int n);
/* While a body comes in pieces: neither another nor the request is told, and nothing is read, until it is resumed. Of its peer only a reset is seen
 * meanwhile. Both may come twice. */
void fn_h1_conn_pause(struct fn_h1_conn *c);
void fn_h1_conn_resume(struct fn_h1_conn *c);
/* While a body comes in pieces and may have to wait: what comes is acknowledged at once, and the kernel takes no more than FN_H1_RECEIVE_MAX of it
 * meanwhile, as it counts. Until it is said that it may again, or the connection ends. */
#define FN_H1_RECEIVE_MAX 65536u
void fn_h1_conn_bound_input(struct fn_h1_conn *c, bool on);
/* From now on a peer that has ended its sending half has gone, with ops->half_close too. */
void fn_h1_conn_whole(struct fn_h1_conn *c, bool on);
/* Answers with an error and ends the connection: instead of a reply, or while the request has not wholly come (but not from body_max). */
void fn_h1_conn_refuse(struct fn_h1_conn *c, unsigned status);

/* What it waits for, and how many bytes it has moved since it began: for its owner to judge whether it still gets on. */
enum fn_h1_phase { FN_H1_IDLE, FN_H1_HEAD_COMES, FN_H1_BODY_COMES, FN_H1_OWNED, FN_H1_ANSWER_GOES, FN_H1_ENDING };
enum fn_h1_phase fn_h1_conn_phase(const struct fn_h1_conn *c, uint64_t *ret_moved);

#endif

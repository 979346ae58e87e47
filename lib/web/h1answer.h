/*
 * h1answer.h - the way back of h1conn.h's connections: an answer at once, or begun, written in pieces and ended.
 *
 * In pieces it goes chunked (RFC 9112, 7.1), to HTTP/1.0 until the connection ends. What the peer does not take at once is kept: who is told to wait
 * writes no more before ops->drained, so that memory stays at one piece; with what the kernel keeps of it for a peer that takes nothing, at FN_H1_SEND_MAX
 * more. The peer's end shows as ops->closed, as between a request and its reply.
 */
#ifndef FN_WEB_H1ANSWER_H
#define FN_WEB_H1ANSWER_H

#include <sys/uio.h>

#include "web/h1ahead.h"
#include "web/h1reply.h"

struct fn_h1_conn;

#define FN_H1_SEND_MAX 106496u /* bytes, as the kernel counts them, that it may hold of an answer in pieces */
#define FN_H1_PARTS_MAX 4

/* Exactly once per request that is still there, also while its body comes in pieces: the rest of it is not read then. Does not call the owner back,
 * but for `answered`. */
void fn_h1_conn_reply(struct fn_h1_conn *c, const struct fn_h1_reply *reply);

/* Says in `a` what another thread may send (h1ahead.h). False: it cannot be told ahead (it is too long, the connection ends with it). */
bool fn_h1_ahead(struct fn_h1_conn *c, const struct fn_h1_reply *reply, struct fn_h1_ahead *a);
/* Of a request that is its owner's: the socket that another process may send its answer to (h1conn.h, fn_h1_conn_takes_client()), borrowed; fn_h1_conn_replied() then. -EBUSY: it cannot be
 * sent in one piece. */
int fn_h1_conn_client(const struct fn_h1_conn *c);
/* It is not sent any more. True: it has been, which fn_h1_conn_replied() is to be told instead of a reply. False: also where there was none. */
bool fn_h1_ahead_end(struct fn_h1_conn *c);
void fn_h1_conn_replied(struct fn_h1_conn *c, bool last); /* last: the connection ends with it, which it could not say */

/* Instead: the head of an answer whose body follows. Of `reply`, what is about a body does not count. It goes out with the first
 * bytes that are written, or the end. */
void fn_h1_conn_begin(struct fn_h1_conn *c, const struct fn_h1_reply *reply);
/* Copies what cannot be sent at once. True: wait for ops->drained. */
bool fn_h1_conn_write(struct fn_h1_conn *c, const void *data, size_t len);
/* The same of one piece that lies in several places, FN_H1_PARTS_MAX at most: they go out together. */
bool fn_h1_conn_write_parts(struct fn_h1_conn *c, const struct iovec *parts, int n);
/* The answer is whole. Trailers (RFC 9110, 6.5) go to HTTP/1.1 only. */
void fn_h1_conn_end(struct fn_h1_conn *c, const struct fn_h1_header *trailers, size_t n_trailers);
/* It will not be whole: the connection ends, without what would say that it is. */
void fn_h1_conn_fail(struct fn_h1_conn *c);

/* Sends what a reply that `joins` has left waiting; does nothing when nothing is. NULL is fine. */
void fn_h1_conn_flush(struct fn_h1_conn *c);

#endif

/* h1ops.h - what the owner of h1conn.h's connections is told, and what it decides. */
#ifndef FN_WEB_H1OPS_H
#define FN_WEB_H1OPS_H

#include "web/h1.h"

struct fn_h1_conn;

struct fn_h1_ops {
	/* Optional. The head is there; `ahead` is what has come behind it. True: c is somebody else's, and closed here (fn_h1_conn_socket()). */
	bool (*elsewhere)(void *arg, struct fn_h1_conn *c, struct fn_h1 *req, const char *ahead, size_t n);
	/* The head is there; of the body, `ahead` bytes came with it (and perhaps of what is behind it). Returns how much of the body is taken, in any
	 * way; what is longer is swallowed and shows as too_large. May set req->take: FN_H1_NOTHING has `request` called at once, and the
	 * connection ends with the answer to it, without having read the body; the others are told in pieces, or whole (h1.h). */
	size_t (*body_max)(void *arg, struct fn_h1_conn *c, struct fn_h1 *req, size_t ahead);
	/* A whole request. req lives until its reply; the body may be taken. */
	void (*request)(void *arg, struct fn_h1_conn *c, struct fn_h1 *req);
	/* The last that is heard of c: its peer has gone. */
	void (*closed)(void *arg, struct fn_h1_conn *c);
	/* --- optional --- */
	/* For who takes bodies in pieces: the next one, of at most 64 KiB. It may pause the connection, or reply: then the request ends here, and so does the
	 * connection. */
	void (*piece)(void *arg, struct fn_h1_conn *c, const char *data, size_t len);
	/* No more pieces come, and no request: the peer has gone, or what it sent was refused. A reply is not owed. */
	void (*cut)(void *arg, struct fn_h1_conn *c);
	/* An answer in pieces, for who writes such: the peer has taken what had to wait. */
	void (*drained)(void *arg, struct fn_h1_conn *c);
	/* An answer is all with the kernel. It may come from within fn_h1_conn_reply() or _end(), and must do nothing with c. */
	void (*answered)(void *arg, struct fn_h1_conn *c);
	bool half_close;              /* a peer that has ended its sending half gets its answer nonetheless */
	uint32_t head_max;            /* bytes of a head, its first line too */
	const char *refusal[2];       /* what is before and behind the reason in the body of a refusal (JSON) */
};

#endif

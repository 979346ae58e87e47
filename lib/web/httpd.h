/*
 * httpd.h - the public HTTP/1.1 server, on h1conn.h's connections.
 *
 * Runs in fnd, on the loop's thread only, with SIGPIPE ignored. A request is delivered once its whole body is in memory, or has come to the handler in
 * pieces, or before it has been read, as the handler wants it (http_req.h). The handler replies at once or keeps the pointer and replies later: nothing
 * more is read from the connection meanwhile. Every delivered request must be replied to exactly once, even when the client has gone (the reply is then
 * dropped); the pointer is invalid after fn_http_reply*().
 *
 * Beyond conn_max connections that rest between requests give way to new ones (crowd.h), else those whose request has not come within a second
 * of its first byte. Where all are at work accepting pauses until one ends: clients wait in the listening socket's queue, where a 503 would make each
 * of them come again at once. Who begins a request has stall_timeout_s for its whole head, then for each 16 KiB of its body (408); who is answered
 * has as long for each 16 KiB it takes. A head is at most 32 KiB (414, 431). What a request lacks of HTTP/1.1 is answered here, never delivered.
 *
 * Bodies that do not come with their head count while they come (bodies.h): where a peer, or all, have too many bytes under way, the next is delivered
 * unread.
 */
#ifndef FN_WEB_HTTPD_H
#define FN_WEB_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/loop.h"
#include "web/bodies.h"
#include "web/http_req.h"

struct fn_httpd;

struct fn_httpd_ops {
	/* The head is in, and nothing is decided. True: the connection is another process's, for fn_http_req_hand_over() has returned 0. Optional. */
	bool (*elsewhere)(void *arg, struct fn_http_req *req);
	/* The head is in, the body is not. Returns the largest body accepted for this request. One that is announced to be longer is not read:
	 * `request` is called at once; one that turns out to be longer is swallowed without being kept, and then `request` is called. Both have
	 * fn_http_req_too_large(). Here the handler says how it takes the body (fn_http_req_take()). Optional; the config's body_max otherwise. */
	size_t (*body_max)(void *arg, struct fn_http_req *req);
	void (*request)(void *arg, struct fn_http_req *req);
	/* --- needed by who takes bodies in pieces --- */
	/* At most 64 KiB. Between it and `request` the handler may pause the request, resume it, or reply. */
	void (*piece)(void *arg, struct fn_http_req *req, const char *data, size_t len);
	/* The rest of the body does not come, nor `request`: nothing is owed, and this is the last that is heard of it. */
	void (*cut)(void *arg, struct fn_http_req *req);
	/* --- needed by who replies in pieces --- */
	void (*drained)(void *arg, struct fn_http_req *req);
};

struct fn_httpd_config {
	int listen_fd;            /* bound, listening, non-blocking socket; owned by the httpd from success on; -EBADF = none */
	size_t body_max;          /* bytes */
	unsigned conn_max;        /* connections at once */
	unsigned idle_timeout_s;  /* of a connection between requests; 0 = never */
	unsigned stall_timeout_s; /* of a request that does not come, a reply that is not taken; 0 = 30 */
	struct fn_bodies *kept, *streamed; /* what bodies under way count in: those that are kept in memory, those taken in pieces alone; NULL = in nothing */
	bool (*admit)(void *arg, int fd); /* may who has connected stay? NULL: everybody */
	void *admit_arg;
	enum fn_http_role role;   /* whom the listener is for: fn_http_req_role() */
	bool takes_clients;       /* its requests may bring their clients: fn_h1_conn_takes_client() */
	const struct fn_httpd_ops *ops;
	void *arg;
};

int fn_httpd_new(struct fn_loop *loop, const struct fn_httpd_config *config, struct fn_httpd **ret, struct fn_err *err);
/* Stops accepting; what is running goes on, and connections are closed after their next reply. */
void fn_httpd_quiesce(struct fn_httpd *h);
/* The connections that there are end with their next reply. Others may come. */
void fn_httpd_last(struct fn_httpd *h);
/* The connections that there are end: those that wait for a request at once, the others with their reply. Others may come. */
void fn_httpd_let_go(struct fn_httpd *h);
/* After quiescing, again and again: is there a connection that was made, or had a reply, within the last `us`, so that its next request may be on its way, or
 * one of whose request a part has come, and more of it within the last `rest_us`, as far as this has been asked? */
bool fn_httpd_expects(struct fn_httpd *h, uint64_t us, uint64_t rest_us);
/* And when nobody is there any more who would answer: ends connections of which no whole request has come. Who has just sent one sees that it was not taken. */
void fn_httpd_hang_up(struct fn_httpd *h);
/* Requests that are delivered and not yet answered to the end; of those that come in pieces, from the end on. */
unsigned fn_httpd_active(const struct fn_httpd *h);
/* All delivered requests must have been replied to before. NULL is fine. */
void fn_httpd_free(struct fn_httpd *h);

/* Is there room for another connection, now that those that rest give way? */
bool fn_httpd_make_room(struct fn_httpd *h);
/* Serves a connected stream socket (takes fd, also on failure). */
int fn_httpd_add_conn(struct fn_httpd *h, int fd);
/* The same for what somebody else has accepted: from is whom it is from, secure: it came to them by TLS. */
int fn_httpd_add_passed(struct fn_httpd *h, int fd, const struct sockaddr_storage *from, bool secure);

/* --- to another process on this machine, and from it: a connection with what has been read of it and not answered --- */
struct fn_http_handed {
	uint64_t peer;         /* by which it gives way, and its bodies count */
	const char *from;      /* who has connected, as text; "" = as the socket says */
	bool secure;
	struct iovec bytes[2]; /* a request's head and on; copied */
	/* of one that comes */
	unsigned stays;        /* fn_http_req_stays() is true so many times */
	void *grant;           /* fn_http_req_grant() */
	void (*release_grant)(void *grant); /* when it has ended */
};
/* From ops->elsewhere. send gives the socket (borrowed) and what there is to be said to the other process, or returns -errno: then so does this, and the request goes on here.
 * 0: it has gone, with its connection. */
int fn_http_req_hand_over(struct fn_http_req *req, int (*send)(void *arg, int fd, const struct fn_http_handed *what), void *arg);
/* The other end of it (takes fd, also on failure; the grant from success on). -ENOBUFS: there are too many connections, and none that rests. */
int fn_httpd_add_handed(struct fn_httpd *h, int fd, const struct fn_http_handed *what);
void *fn_http_req_grant(const struct fn_http_req *req);
bool fn_http_req_stays(struct fn_http_req *req);

#endif

/*
 * httpd.h - the public HTTP/1.1 server, on h1conn.h's connections.
 *
 * Runs in fnd, on the loop's thread only, with SIGPIPE ignored. A request is delivered once its whole body is in
 * memory. The handler replies at once or keeps the pointer and replies later: nothing more is read from the connection
 * meanwhile. Every delivered request must be replied to exactly once, even when the
 * client has gone (the reply is then dropped); the pointer is invalid after fn_http_reply*().
 *
 * Beyond conn_max connections that rest between requests give way to new ones (crowd.h), else those whose request has not come within a second
 * of its first byte. Where all are at work accepting pauses until one ends: clients wait in the listening socket's queue, where a 503 would make each
 * of them come again at once. Who begins a request has stall_timeout_s for its whole head, then for each 16 KiB of its body (408); who is answered
 * has as long for each 16 KiB it takes. A head is at most 32 KiB (414, 431). What a request lacks of HTTP/1.1 is answered here, never delivered.
 */
#ifndef FN_WEB_HTTPD_H
#define FN_WEB_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct fn_httpd;
struct fn_http_req;

struct fn_httpd_ops {
	/* Headers are in, the body is not. Returns the largest body accepted for this request; a longer one (by
	 * Content-Length or as it arrives) is swallowed without being kept and `request` is called with
	 * fn_http_req_too_large() true. Optional; the config's body_max otherwise. */
	size_t (*body_max)(void *arg, struct fn_http_req *req);
	void (*request)(void *arg, struct fn_http_req *req);
};

struct fn_httpd_config {
	int listen_fd;            /* bound, listening, non-blocking socket; owned by the httpd from success on; -EBADF = none */
	size_t body_max;          /* bytes */
	unsigned conn_max;        /* connections at once */
	unsigned idle_timeout_s;  /* of a connection between requests; 0 = never */
	unsigned stall_timeout_s; /* of a request that does not come, a reply that is not taken; 0 = 30 */
	const struct fn_httpd_ops *ops;
	void *arg;
};

int fn_httpd_new(struct fn_loop *loop, const struct fn_httpd_config *config, struct fn_httpd **ret, struct fn_err *err);
/* Stops accepting; what is running goes on, and connections are closed after their next reply. */
void fn_httpd_quiesce(struct fn_httpd *h);
/* Requests that are delivered and not yet answered to the end. */
unsigned fn_httpd_active(const struct fn_httpd *h);
/* All delivered requests must have been replied to before. NULL is fine. */
void fn_httpd_free(struct fn_httpd *h);

/* Serves a connected stream socket (takes fd, also on failure). */
int fn_httpd_add_conn(struct fn_httpd *h, int fd);

/* --- the request; strings live as long as the request --- */
const char *fn_http_req_method(const struct fn_http_req *req);
const char *fn_http_req_path(const struct fn_http_req *req); /* still percent-encoded, without the query */
const char *fn_http_req_raw_query(const struct fn_http_req *req); /* without '?', "" when absent; as sent (SigV4 needs it) */
const char *fn_http_req_header(const struct fn_http_req *req, const char *name); /* case-insensitive; NULL = absent */
const char *fn_http_req_query(const struct fn_http_req *req, const char *name); /* decoded; NULL = absent, "" = no value */
/* Calls fn for each header until it returns false. */
void fn_http_req_each_header(const struct fn_http_req *req, bool (*fn)(void *arg, const char *name, const char *value), void *arg);
void fn_http_req_body(const struct fn_http_req *req, const char **ret_data, size_t *ret_len);
/* Takes the body out of the request: the caller free()s it. */
char *fn_http_req_take_body(struct fn_http_req *req, size_t *ret_len);
bool fn_http_req_too_large(const struct fn_http_req *req);

/* --- the reply --- */
/* Adds a header to the reply to come; copies. -ENOMEM, -ENOBUFS after 24. */
int fn_http_req_add_header(struct fn_http_req *req, const char *name, const char *value);
/* Copies the body. */
void fn_http_reply(struct fn_http_req *req, unsigned status, const char *content_type, const void *body, size_t len);
/* Takes the body: release(release_arg) is called once it has been sent or dropped. */
void fn_http_reply_owned(struct fn_http_req *req, unsigned status, const char *content_type, const void *body, size_t len,
			 void (*release)(void *arg), void *release_arg);
/* Sends a file (takes fd) of the given size, from its beginning. */
void fn_http_reply_fd(struct fn_http_req *req, unsigned status, const char *content_type, int fd, uint64_t size);

#endif

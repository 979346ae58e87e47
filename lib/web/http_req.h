/*
 * http_req.h - a request of httpd.h's server and its reply. Strings live as long as the request, which ends with its reply: exactly one, even when the
 * client has gone (it is then dropped).
 */
#ifndef FN_WEB_HTTP_REQ_H
#define FN_WEB_HTTP_REQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "web/h1.h"
#include "web/h1ahead.h"
#include "web/h1reply.h"

struct fn_http_req;

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
/* For who keeps a request while another process works at it: fn(arg) is told when its client has gone, even one that has ended its sending half alone. The reply is owed
 * all the same, and may be made from there. NULL: nobody. */
void fn_http_req_on_gone(struct fn_http_req *req, void (*fn)(void *arg), void *arg);
/* The address that it has come from, as text; false: it has none (AF_UNIX), or its client has gone. */
bool fn_http_req_address(const struct fn_http_req *req, char *out, size_t size);
bool fn_http_req_secure(const struct fn_http_req *req); /* it has come by TLS: fn_httpd_add_passed() */
/* In place of a reply, to a request without a body: 101, and the connection is the caller's, a descriptor that blocks. The request has ended. -errno: its connection has, too. */
int fn_http_req_upgrade(struct fn_http_req *req, const char *protocol);
bool fn_http_req_gone(const struct fn_http_req *req); /* its client has: what it is answered is dropped */
bool fn_http_req_too_large(const struct fn_http_req *req);
/* By which listener it has come. Of all but the public one the kernel has told whom it is from. */
enum fn_http_role { FN_HTTP_PUBLIC, FN_HTTP_CONTROL /* this machine's administrators */, FN_HTTP_GATEWAY /* fn-gateway */, FN_HTTP_EVENTS /* fn-events; in it: fnd */, FN_HTTP_SANDBOX /* a function: by its party */ };
enum fn_http_role fn_http_req_role(const struct fn_http_req *req);
/* Whose connection it is; it lives as long as the request. NULL: nobody's in particular. */
struct fn_http_party;
struct fn_http_party *fn_http_req_party(const struct fn_http_req *req);
static inline bool fn_http_req_control(const struct fn_http_req *req) { return fn_http_req_role(req) == FN_HTTP_CONTROL; }
const char *fn_http_req_trailer(const struct fn_http_req *req, const char *name); /* NULL = absent */

/* --- how its body is taken: from ops->body_max on --- */
/* Its length; UINT64_MAX: known at its end. Has it come with the head? (From ops->body_max only.) */
uint64_t fn_http_req_body_left(const struct fn_http_req *req);
bool fn_http_req_body_here(const struct fn_http_req *req);
/* From ops->body_max: FN_H1_PIECES and FN_H1_BOTH for ops->piece; FN_H1_NOTHING: ops->request is next, and its reply ends the connection. */
void fn_http_req_take(struct fn_http_req *req, enum fn_h1_take take);
/* The body has not been read, and will not be. */
bool fn_http_req_unread(const struct fn_http_req *req);
/* Nor has it, for there are too many under way (bodies.h). */
bool fn_http_req_crowded(const struct fn_http_req *req);
void fn_http_req_pause(struct fn_http_req *req);
void fn_http_req_resume(struct fn_http_req *req);
/* What the handler keeps with the request, from body_max on: NULL at first. release(user) is called when the request has ended, in whichever way. */
void fn_http_req_set_user(struct fn_http_req *req, void *user, void (*release)(void *user));
void *fn_http_req_user(const struct fn_http_req *req);

/* --- the reply; while the body comes in pieces too: then the rest of it is not read, and the connection ends --- */
/* Adds a header to the reply to come; copies. -ENOMEM, -ENOBUFS after 24. */
int fn_http_req_add_header(struct fn_http_req *req, const char *name, const char *value);
/* Copies the body. */
void fn_http_reply(struct fn_http_req *req, unsigned status, const char *content_type, const void *body, size_t len);
/* One without a body, with these headers alone, that another thread may send before the loop replies: h1ahead.h. False: it cannot be, and is not. */
bool fn_http_reply_ahead(struct fn_http_req *req, struct fn_h1_ahead *a, unsigned status, const char *content_type, const struct fn_h1_header *headers, size_t n);
/* It is not sent any more. True: it has been, and that was the reply. */
bool fn_http_replied(struct fn_http_req *req);
/* For who lets another process on this machine answer the client: its socket, borrowed until then; -errno: it cannot be. Nothing is replied meanwhile. In the end it was answered
 * there, which is the reply, or it was not, and is replied to; where nobody knows, fn_http_reply_fail(). */
int fn_http_req_client(const struct fn_http_req *req);
void fn_http_req_answered(struct fn_http_req *req);
/* Takes the body: release(release_arg) is called once it has been sent or dropped. */
void fn_http_reply_owned(struct fn_http_req *req, unsigned status, const char *content_type, const void *body, size_t len,
			 void (*release)(void *arg), void *release_arg);
/* Sends a file (takes fd) of the given size, from its beginning. */
void fn_http_reply_fd(struct fn_http_req *req, unsigned status, const char *content_type, int fd, uint64_t size);

/* Or in pieces: begin, write, then end or fail. Copies what cannot be sent at once; true = wait for ops->drained, which comes also when the client has
 * gone, then from within whatever sees that. What is written for a client that has gone is dropped. fail: the client sees that the reply is not whole. */
void fn_http_reply_begin(struct fn_http_req *req, unsigned status, const char *content_type);
/* Who is told instead of ops->drained, from now on until the reply's end. */
void fn_http_reply_on_drained(struct fn_http_req *req, void (*fn)(void *arg), void *arg);
bool fn_http_reply_write(struct fn_http_req *req, const void *data, size_t len);
bool fn_http_reply_write_parts(struct fn_http_req *req, const struct iovec *parts, int n); /* one piece that lies in several places, four at most */
void fn_http_reply_end(struct fn_http_req *req, const struct fn_h1_header *trailers, size_t n_trailers);
void fn_http_reply_fail(struct fn_http_req *req);

#endif

/*
 * h1client.h - HTTP/1.1 from process to process on one machine: over AF_UNIX, on connections that are kept. Blocking; any number of threads share one
 * client, each with its own exchange.
 *
 * On h1.h as the servers are: one sendmsg() and, for an answer that comes at once, one recv(). A connection that was closed while it rested takes not one
 * byte, and another is used; of a request no byte is sent a second time: whoever asked hears of an error (-EPIPE, -ECONNRESET, -EPROTO), and may know that it can
 * be repeated.
 */
#ifndef FN_WEB_H1CLIENT_H
#define FN_WEB_H1CLIENT_H

#include "web/h1.h"
#include "web/h1reply.h"

struct fn_h1_client;

/* A socket `name` in the directory dir_fd (borrowed, of O_PATH): a path may be longer than an address. keep: so many connections rest at most. */
int fn_h1_client_new(int dir_fd, const char *name, unsigned keep, struct fn_h1_client **ret);
void fn_h1_client_free(struct fn_h1_client *c); /* no exchange is under way; NULL is fine */

struct fn_h1_request {
	const char *method, *target;
	const struct fn_h1_header *headers; /* host and content-length are added */
	size_t n_headers;
	const void *body; /* with POST; NULL = none */
	size_t len;
};

/* Adds the head of a request: its line and its fields. inner_client.c's, too. */
int fn_h1_request_head(struct fn_buf *b, const struct fn_h1_request *r);

/* One request and its answer. Zeroed at first; fn_h1_exchange_end() always. */
struct fn_h1_exchange {
	struct fn_h1_client *client;
	int fd;           /* may be waited on, for what comes of the answer */
	struct fn_h1 h;   /* the answer: status and headers live until the next read */
	bool open, whole;
	char *in;         /* what has come and is not looked at yet is in[at] .. in[end] */
	size_t at, end;
};

#define FN_H1_CLIENT_PIECE 16384u

/* Sends it, waits for the head of the answer. body_max: of an answer that is read as a whole. -errno. */
int fn_h1_exchange_begin(struct fn_h1_exchange *x, struct fn_h1_client *c, const struct fn_h1_request *r, size_t body_max);
/* The next piece of the answer, at most FN_H1_CLIENT_PIECE; valid until the next call. 1; 0 = it is whole; -errno. */
int fn_h1_exchange_read(struct fn_h1_exchange *x, const char **ret_data, size_t *ret_len);
/* Instead: all of it, in x->h.body, followed by a NUL. -EFBIG beyond body_max. */
int fn_h1_exchange_read_all(struct fn_h1_exchange *x);
/* A whole answer leaves its connection to the next request; else it is closed, and the server sees that. */
void fn_h1_exchange_end(struct fn_h1_exchange *x);

#endif

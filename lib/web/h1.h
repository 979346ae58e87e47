/*
 * h1.h - an incremental, strict parser of HTTP/1.1 requests (RFC 9112), and of responses. Pure: bytes in, one request out; no I/O.
 *
 * It does not matter how the bytes are cut up. Refused, with the status to answer: a bare LF or CR, NUL and other control bytes, folded
 * lines (400), white space before a colon, two Content-Length or Transfer-Encoding fields, both of them, another coding than chunked
 * (501), another expectation than 100-continue (417), lines and heads beyond the bounds below (414, 431), other versions (505). A Host is not asked for:
 * on the hop this was written for, the connection says who is calling.
 *
 * A response (fn_h1_init_response()) is one of our own servers', to a request with a body's length or none, not of HEAD: 1xx and what ends with the
 * connection are refused (502), HTTP/1.0 too.
 *
 * One struct serves all requests of a connection, one after the other:
 *   loop: fn_h1_feed() -> MORE   feed more
 *                      -> HEAD   line and fields are known: set body_max and take, then feed on
 *                      -> PIECE  a part of the body, unless take is FN_H1_WHOLE
 *                      -> DONE   the request is whole; fn_h1_reset() before the next
 *                      -> BAD    answer h->refusal and close
 */
#ifndef FN_WEB_H1_H
#define FN_WEB_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define FN_H1_LINE_MAX 8192u               /* of the request line */
#define FN_H1_HEAD_MAX ((1u << 20) + 65536u) /* all lines, trailers too: AWS's runtimes send an X-Ray cause of up to 1 MiB in a field */
#define FN_H1_FIELDS_MAX 64u               /* trailers too */

enum fn_h1_event { FN_H1_MORE, FN_H1_HEAD, FN_H1_PIECE, FN_H1_DONE, FN_H1_BAD };
/* How a body is taken: kept until it is whole; told in pieces, as they come, and not kept; both; not at all: what follows the head is nobody's. */
enum fn_h1_take { FN_H1_WHOLE, FN_H1_PIECES, FN_H1_BOTH, FN_H1_NOTHING };

struct fn_h1 {
	/* of the request, known from HEAD on */
	bool http10, close, expect;    /* close: the peer wants the connection to end (always so with HTTP/1.0); expect: 100-continue */
	struct fn_buf body;            /* from DONE on; may be taken */
	size_t body_max;               /* the caller's; what exceeds it is swallowed: too_large, no body, no more pieces */
	enum fn_h1_take take;          /* the caller's */
	const char *piece;             /* of PIECE: in what was fed */
	size_t piece_len;
	bool too_large;
	unsigned refusal;              /* of BAD */
	unsigned status;               /* of a response, from HEAD on */
	bool response;
	uint32_t line_max, head_max;   /* FN_H1_LINE_MAX and FN_H1_HEAD_MAX unless the caller sets others after init; they stay over a reset */
	/* private */
	int state;
	struct fn_buf text;            /* the lines, each ending in a NUL; it may move while a request is being fed */
	size_t line;                   /* where the current one begins */
	uint64_t left;                 /* of the body or the chunk */
	uint64_t taken;                /* of the body: has come */
	bool chunked;
	uint8_t n_fields, n_head;      /* in all; of the head */
	struct fn_h1_field {
		uint32_t name, value;      /* offsets in text */
	} fields[FN_H1_FIELDS_MAX];        /* the first is the request line: method, target */
};

void fn_h1_init(struct fn_h1 *h);
void fn_h1_init_response(struct fn_h1 *h);
void fn_h1_free(struct fn_h1 *h); /* what it holds */
void fn_h1_reset(struct fn_h1 *h); /* ready for the next request of the connection */

/* Takes bytes until something is to be told; *ret_used says how many. -ENOMEM shows as BAD with 503. */
enum fn_h1_event fn_h1_feed(struct fn_h1 *h, const char *data, size_t len, size_t *ret_used);
/* Room for bytes of a body of known length, to be received without a copy: NULL when there is none to be filled this way.
 * fn_h1_body_got() says how many came; then go on with fn_h1_feed(h, NULL, 0, ..). */
char *fn_h1_body_space(struct fn_h1 *h, size_t *ret_len);
void fn_h1_body_got(struct fn_h1 *h, size_t n);
/* Bytes of the body that are to come; UINT64_MAX = that is not known before its end (chunked). */
uint64_t fn_h1_body_left(const struct fn_h1 *h);
/* Has any byte of a request arrived? Has its whole head? */
bool fn_h1_begun(const struct fn_h1 *h);
bool fn_h1_head_known(const struct fn_h1 *h);

/* Strings of the request; they live until the next feed or reset. "" before HEAD. */
const char *fn_h1_method(const struct fn_h1 *h);
const char *fn_h1_target(const struct fn_h1 *h); /* as sent, from the path's '/' on, or "*" */
/* The first field of that name (any case); NULL = absent. */
const char *fn_h1_header(const struct fn_h1 *h, const char *name);
/* The fields of the head, one after the other: false after the last. *at is 0 at first. */
bool fn_h1_next_header(const struct fn_h1 *h, unsigned *at, const char **ret_name, const char **ret_value);
/* Of a request, from HEAD until the next feed: a head that says the same. -ENOMEM. */
int fn_h1_put_request_head(const struct fn_h1 *h, struct fn_buf *ret);
const char *fn_h1_trailer(const struct fn_h1 *h, const char *name);

#endif

/* h1reply.h - an answer of h1conn.h's connections, and its head as bytes. No I/O. */
#ifndef FN_WEB_H1REPLY_H
#define FN_WEB_H1REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

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
	bool joins;                 /* with `later`: if the peer has sent its next request already, it goes out with the answer to that one, or with
				       fn_h1_conn_flush(), whichever comes first */
	bool close;                 /* the connection ends with it */
	bool from_file;             /* the body is the first len bytes of `file`, which is taken; SIGPIPE must be ignored (sendfile) */
	int file;
};

struct fn_h1_date { /* zeroed at first */
	time_t s;
	char text[40]; /* "Date: ...\r\n" */
};

const char *fn_h1_reason(unsigned status);
/* May an answer of this status have a body? */
bool fn_h1_has_body(unsigned status);
/* How its length is known: it is r->len; it comes in pieces, or ends with the connection. */
enum fn_h1_framing { FN_H1_LENGTH, FN_H1_CHUNKED, FN_H1_UNTIL_CLOSE };
/* Room for its head; then the head, and how long it is. last: the connection ends with this answer. */
size_t fn_h1_head_size(const struct fn_h1_reply *r);
size_t fn_h1_put_head(const struct fn_h1_reply *r, enum fn_h1_framing framing, bool last, struct fn_h1_date *date, char *to, size_t size);

#endif

/* h1conn_internal.h - a connection, for h1conn.c and h1answer.c only. */
#ifndef FN_WEB_H1CONN_INTERNAL_H
#define FN_WEB_H1CONN_INTERNAL_H

#include <sys/types.h>

#include "base/loop.h"
#include "web/h1ops.h"
#include "web/h1reply.h"

#define FN_H1_READ_MAX 65536u

struct fn_h1_server {
	struct fn_loop *loop;
	struct fn_h1_date date;
	unsigned n_swallowing; /* connections that are read after their last answer, for longer */
	char in[FN_H1_READ_MAX];
};

enum fn_h1_state {
	FN_H1_READING,   /* of a request */
	FN_H1_HANDLING,  /* its owner has it */
	FN_H1_STREAMING, /* its owner writes the answer */
	FN_H1_SENDING,   /* the answer is not all out */
	FN_H1_DRAINING,  /* after the last answer: until the peer closes */
};

struct fn_h1_conn {
	struct fn_h1_server *s;
	const struct fn_h1_ops *ops; /* NULL once closed */
	void *arg;
	int fd;
	uint64_t io;
	uint32_t watched;
	enum fn_h1_state state;
	bool busy;    /* in one of our loops, which frees it if it is closed */
	bool last;    /* close after this answer */
	bool unread;  /* bytes came while they could not be taken */
	bool ended;   /* the peer will send no more */
	bool paused;
	bool prompt; /* what comes is acknowledged at once */
	bool coming;  /* pieces of a body are told */
	bool joins;   /* the answer in `out` may wait for the next one */
	bool chunked; /* the answer in pieces */
	bool mute;    /* and it has no body */
	bool blocked; /* and the peer is to take what is in `out` first */
	bool broken;  /* and it cannot be sent any more */
	bool bounded; /* what the kernel keeps of it */
	bool whole;   /* half of a connection is none */
	bool swallows; /* counted in n_swallowing */
	uint64_t to_drain;
	uint64_t moved;
	struct fn_h1 h;
	struct fn_buf rest; /* received, not parsed yet: pipelined */
	/* the answer */
	struct fn_buf out;
	size_t out_at;
	const char *body;
	size_t body_len;
	int file; /* the body, from file_at on; -EBADF = it is in memory */
	off_t file_at;
	void (*release)(void *arg);
	void *release_arg;
	struct fn_deferred later; /* sends, or parses what is in rest */
	struct fn_h1_ahead *ahead; /* what another thread may send; NULL: nothing */
	bool takes_client;         /* fn_h1_conn_takes_client() */
	int client;                /* what has come with this request; -EBADF = nothing */
};

/* The one place that changes a connection's state: what is watched follows. */
void fn_h1_set_state(struct fn_h1_conn *c, enum fn_h1_state state);
void fn_h1_body_release(struct fn_h1_conn *c); /* the answer's */
/* Sends what is left of the answer. A failure shows when the loop next looks at the connection. */
void fn_h1_push(struct fn_h1_conn *c);
/* Lets the answer wait, if there is something to wait for. */
bool fn_h1_join(struct fn_h1_conn *c);
/* STREAMING: sends what waits, also for the peer to take something if that is `writable` now; the owner hears of it. */
void fn_h1_stream_push(struct fn_h1_conn *c, bool writable);

#endif

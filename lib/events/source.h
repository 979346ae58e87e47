/*
 * source.h - where a mapping's messages come from: a queue of the platform's own (source_local.c) or of another server (source_remote.c). One of them per mapping.
 *
 * The poller says how many messages it can take; they come as they are there, each hidden in its queue until `until_us`. What was removed is gone; what is neither
 * removed in time comes again. All callbacks come from the loop, never from within a call.
 */
#ifndef FN_EVENTS_SOURCE_H
#define FN_EVENTS_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct fn_source_message {
	struct fn_list link; /* whoever has it */
	json_t *record;      /* as the function is given it */
	uint64_t until_us;   /* CLOCK_MONOTONIC: it is hidden until then */
	uint64_t lease;      /* local: which lease */
	uint32_t receives;
	char *text;          /* the poller's: the record as text, of len bytes */
	size_t len;
};
void fn_source_message_free(struct fn_source_message *m); /* NULL is fine */

struct fn_source_events {
	void (*messages)(void *arg, struct fn_list *messages); /* of struct fn_source_message; they are the receiver's, the list is not */
	void (*trouble)(void *arg, const char *what); /* it does not work, and is tried again; NULL: it works, said at the first time, too */
	void *arg;
};

struct fn_source;
struct fn_source_removal {
	struct fn_source_message **messages; /* borrowed until done */
	unsigned n;
	bool strict; /* of a FIFO queue */
	void (*done)(struct fn_source_removal *r, const struct fn_err *err); /* err: some will come again */
	void *private_;
};

struct fn_source_ops {
	void (*want)(struct fn_source *s, unsigned n, uint64_t hide_us);
	void (*remove)(struct fn_source *s, struct fn_source_removal *r);
	void (*free)(struct fn_source *s);
};
struct fn_source {
	const struct fn_source_ops *ops;
	struct fn_source_events events;
	bool said, bad;    /* how it is has been told; and it was bad */
	uint64_t pause_us; /* the last one before it was tried again; 0 = it works */
};
/* source.c, for both kinds: says how it is, where that has changed; how long to wait before it is tried again. */
void fn_source_tell(struct fn_source *s, const char *what);
uint64_t fn_source_pause(struct fn_source *s);

/* So many are wanted from now on, 0 = none: what was on its way may come all the same. hide_us: 0 = as long as the queue says. */
static inline void fn_source_want(struct fn_source *s, unsigned n, uint64_t hide_us) { s->ops->want(s, n, hide_us); }
static inline void fn_source_remove(struct fn_source *s, struct fn_source_removal *r) { s->ops->remove(s, r); }
/* Nothing comes any more; no removal is under way. */
static inline void fn_source_free(struct fn_source *s)
{
	if (s)
		s->ops->free(s);
}

/* What a queue is, when it is there. */
struct fn_source_about {
	uint64_t visibility_us;
	bool fifo;
};

#endif

/* poller_internal.h - shared by poller.c, which gathers, and batch.c, which runs what was gathered. */
#ifndef FN_EVENTS_POLLER_INTERNAL_H
#define FN_EVENTS_POLLER_INTERNAL_H

#include "base/id.h"
#include "base/map.h"
#include "events/poller.h"

#define FN_PAYLOAD_MAX 6291456u /* of one batch */

struct fn_poller;
struct fn_batch_item;

/* What a batch asks of its poller. */
struct fn_poller_ops {
	void (*go_on)(struct fn_poller *p);
	void (*result)(struct fn_poller *p, const char *text); /* LastProcessingResult */
	void (*function_absent)(struct fn_poller *p);
	void (*drop_groups)(struct fn_poller *p, const struct fn_batch_item *items, unsigned n); /* what waits of the groups of those that failed: it comes again, behind these */
	void (*remove)(struct fn_poller *p, struct fn_source_message **messages, unsigned n); /* takes them and the array */
};

struct fn_poller {
	const struct fn_poller_ops *ops;
	struct fn_pollers *all;
	struct fn_poller_config config;
	char *function;
	struct fn_source *source;
	struct fn_scale scale;
	struct fn_claim claim;
	struct fn_list pending, batches; /* received, and of no batch yet; those that run */
	unsigned n_pending, running, removals;
	uint64_t pending_bytes, first_us, timer;
	struct fn_map *groups;  /* FIFO: those of batches that run */
	struct fn_list removing;
	bool stopping, works, barred, troubled; /* troubled: the result is what the source has said */
	/* the function is not there */
	bool absent;
	uint64_t absent_us, absent_timer;
	struct fn_inner_call *lookup;
	char result[200], why[128]; /* why: it is barred */
};

struct fn_batch {
	struct fn_list link;
	bool counted; /* in the share */
	struct fn_poller *p;
	struct fn_source_message **messages;
	unsigned n, tries;
	char *payload, id[FN_UUID_SIZE];
	size_t len;
	uint64_t began_us, until_us, timer; /* until_us: the first of them is seen again */
	struct fn_inner_call *call;
};

const char *fn_poller_group(const struct fn_poller *p, const struct fn_source_message *m); /* NULL: of no FIFO queue */

/* batch.c: runs it; takes the messages and the array. */
void fn_batch_start(struct fn_poller *p, struct fn_source_message **messages, unsigned n, size_t bytes);
void fn_batch_free(struct fn_batch *b); /* whatever it does */

#endif

/*
 * poller.h - one mapping's messages on their way from its queue to its function: batches, filters, how many run at once, what becomes of each message.
 *
 * A batch closes with BatchSize messages, with the window's end, or at 6 MB. Messages of a FIFO queue's group are in one batch at a time, in their order. What the
 * function has taken is removed; what it has not stays hidden until its visibility ends, and comes again. A throttled batch is tried again until then.
 * Nothing runs while the queue is empty.
 */
#ifndef FN_EVENTS_POLLER_H
#define FN_EVENTS_POLLER_H

#include "aws/event_filter.h"
#include "events/journal.h"
#include "events/scale.h"
#include "events/share.h"
#include "events/source.h"
#include "service/fnd.h"

/* What all mappings of the process share. */
struct fn_pollers {
	struct fn_loop *loop;
	struct fn_fnd *fnd;
	struct fn_journal *journal;
	struct fn_share *share;     /* how many may run */
	uint64_t bytes;             /* of their payloads */
};

/* Events, since the start: CloudWatch's PolledEventCount and so on, "Types of metrics for Lambda functions", "Event source mapping metrics". */
struct fn_poller_counts {
	uint64_t polled, filtered, invoked, failed, deleted; /* invoked: each time; failed: also those that the function has named */
};

struct fn_poller_config {
	const char *function;      /* name, with its qualifier: for fnd. Copied */
	const char *name;          /* the mapping's, for the journal. Borrowed */
	struct fn_event_filter *filter; /* borrowed; NULL = none */
	unsigned batch_size;
	uint64_t window_us;
	uint64_t hide_us;          /* how long messages are hidden; 0 = as the queue says */
	unsigned least, most;      /* batches at once: so many whatever fails (0: of no provisioned pollers); 0 = as many as there may be */
	bool report_failures, fifo;
	struct fn_poller_counts *counts; /* borrowed */
	void (*changed)(void *arg); /* it works, has stopped, or a result has come */
	void *arg;
};

struct fn_poller;
/* source: made by what the caller gives with the poller's events; it is the poller's. */
int fn_poller_new(struct fn_pollers *all, const struct fn_poller_config *config, struct fn_poller **ret);
void fn_poller_events(struct fn_poller *p, struct fn_source_events *ret);
void fn_poller_start(struct fn_poller *p, struct fn_source *source);
/* It may not receive: nothing comes any more until it may again (why NULL); what runs goes on. why: the result meanwhile; "" = that of before. */
void fn_poller_bar(struct fn_poller *p, const char *why);
/* Nothing new begins; `changed` when nothing runs any more. */
void fn_poller_stop(struct fn_poller *p);
bool fn_poller_stopped(const struct fn_poller *p);
bool fn_poller_works(const struct fn_poller *p); /* its queue has been reached */
const char *fn_poller_result(const struct fn_poller *p); /* LastProcessingResult */
unsigned fn_poller_running(const struct fn_poller *p);
/* At once, whatever runs: its calls are cancelled. NULL is fine. */
void fn_poller_free(struct fn_poller *p);

#endif

/*
 * deliver.h - records on their way to destinations and dead-letter targets: a step of the change that settles the event, so that both are on disk or neither.
 * A function gets it as an event of its own; a queue of ours as a message; what is elsewhere waits in a queue for being sent.
 */
#ifndef FN_EVENTS_DELIVER_H
#define FN_EVENTS_DELIVER_H

#include "events/internal.h"

struct fn_delivery {
	const char *arn;
	const char *function_arn;         /* whose record it is, with the qualifier */
	const char *trace;                /* NULL = none */
	const char *body;                 /* the record; or of a dead letter the event */
	size_t len;
	bool success;
	bool dead_letter;
	const char *request_id, *message; /* of a dead letter: ErrorMessage */
};

/* What a step needs until its change is done. */
struct fn_delivery_memory {
	struct fn_buf body, meta;
	void *of_sqs;
};
void fn_delivery_free(struct fn_delivery_memory *m);

/* What the function's role has to be allowed: "sqs:SendMessage", "lambda:InvokeFunction". */
const char *fn_delivery_action(const char *arn);
/* May the role of this function (its qualifier behind a colon) send there? Two targets, NULL = none; borrowed until done, which may be called from within. may: of each; NULL: it could
 * not be asked. -ENOMEM, -EAGAIN. */
int fn_delivery_may(struct fn_events *e, const char *function, const char *const arns[2], void (*done)(void *arg, const bool *may), void *arg);
/* The largest body that the target takes. */
size_t fn_delivery_most(const char *arn);
/* Makes the step that puts it. -EINVAL: it can never be delivered there. */
int fn_delivery_step(struct fn_events *e, const struct fn_delivery *d, struct fn_queue_step *step, struct fn_delivery_memory *m);

#endif

/*
 * outgoing.h - records and dead letters for what is elsewhere: AWS-compatible servers of the configuration (endpoints.h). They wait on disk, a queue for each target, so that
 * one that does not answer delays no other; what is refused for good is dropped and counted, the rest tried again, later and later, for up to 6 hours.
 */
#ifndef FN_EVENTS_OUTGOING_H
#define FN_EVENTS_OUTGOING_H

#include "events/deliver.h"

#define FN_OUTGOING_PREFIX "deliver/" /* of the queues' names; then the target's ARN */

struct fn_outgoing; /* all targets */
int fn_outgoing_open(struct fn_events *e, struct fn_err *err);
void fn_outgoing_drain(struct fn_events *e);
void fn_outgoing_close(struct fn_events *e);
bool fn_outgoing_busy(const struct fn_events *e);

/* The step that puts it. -EINVAL: no server is configured for such an ARN, or it cannot take it (FIFO). */
int fn_outgoing_step(struct fn_events *e, const struct fn_delivery *d, struct fn_queue_step *step, struct fn_delivery_memory *m);

#endif

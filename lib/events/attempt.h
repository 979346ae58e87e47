/* attempt.h - an event is tried: its function invoked by fnd, what comes of it decided (retry.h), written, and told to whom it is to be told. */
#ifndef FN_EVENTS_ATTEMPT_H
#define FN_EVENTS_ATTEMPT_H

#include "events/lane.h"

/* For fn_events.run. */
void fn_event_run(struct fn_event *ev);

#endif

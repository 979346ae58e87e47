/* accept.h - Invoke with the type Event, and InvokeAsync: answered 202 when the event is on disk. */
#ifndef FN_EVENTS_ACCEPT_H
#define FN_EVENTS_ACCEPT_H

#include "events/internal.h"

void fn_event_accept(struct fn_events *e, struct fn_service_call *call);

#endif

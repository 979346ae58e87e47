/* accept.h - Invoke with the type Event, and InvokeAsync: answered 202 when the event is on disk.
 *
 * Idempotency-Key, which Lambda does not have: whoever sends the same again under one key within `events.idempotency_s` gets the first one's answer, and nothing runs a second time;
 * another payload under the key is refused. Remembered on disk, with the event, per function, alias or version. */
#ifndef FN_EVENTS_ACCEPT_H
#define FN_EVENTS_ACCEPT_H

#include "events/internal.h"

void fn_event_accept(struct fn_events *e, struct fn_service_call *call);

#endif

/* tail.h - GET /_fnd/events?After=&Wait=: the journal, for `fnctl events tail`. */
#ifndef FN_EVENTS_TAIL_H
#define FN_EVENTS_TAIL_H

#include "events/journal.h"
#include "service/call.h"

/* Is it that? Then it is answered, now or when something has happened. */
bool fn_tail_serve(struct fn_journal *j, const struct fn_service_call *call);

#endif

/*
 * admin.h - `fnctl async`: what waits, what was given up and why, and how it is put back or thrown away.
 *
 *   GET  /_fnd/async                     {"Functions": [{"Function", "Waiting", "Due", "Running", "Failed", counts since the start}]}
 *   GET  /_fnd/async/NAME[:Q]            ?Failed=1 ?Marker= ?Id=UUID: {"Events": [{"RequestId", "State", "Accepted", "Due"?, "Invokes", "Errors", "Message", "Condition"?, "Bytes",
 *                                        "Payload" and "Response" with Id}], "NextMarker"?}
 *   POST /_fnd/async/NAME[:Q]/replay     what was given up waits again, as if sent anew: {"Moved": n}
 *   POST /_fnd/async/NAME[:Q]/purge      ?Failed=1: what waits, or what was given up, is gone
 */
#ifndef FN_EVENTS_ADMIN_H
#define FN_EVENTS_ADMIN_H

#include "events/internal.h"

/* True: it is one of them, and is answered, now or later. */
bool fn_event_admin_serve(struct fn_events *e, struct fn_service_call *call);
/* What was given up long ago goes; now and then. */
int fn_event_admin_open(struct fn_events *e);
void fn_event_admin_close(struct fn_events *e);

#endif

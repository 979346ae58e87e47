/* config_ops.h - Put, Update, Get, Delete and ListFunctionEventInvokeConfig(s). The words are recorded from the service. */
#ifndef FN_EVENTS_CONFIG_OPS_H
#define FN_EVENTS_CONFIG_OPS_H

#include "events/internal.h"

/* True: it is one of them, and is answered, now or later. */
bool fn_event_config_serve(struct fn_events *e, struct fn_service_call *call);

/* FN_INNER_FORGET: a function, version or alias has been deleted. */
void fn_event_config_forget(struct fn_events *e, struct fn_service_call *call);

#endif

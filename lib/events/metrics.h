/* metrics.h - what has been counted of asynchronous invocations, by function: Prometheus text exposition format 0.0.4. Names as CloudWatch has them, in its manner. */
#ifndef FN_EVENTS_METRICS_H
#define FN_EVENTS_METRICS_H

#include "events/internal.h"

void fn_event_metrics(struct fn_events *e, struct fn_service_call *call);

#endif

/*
 * mappings.h - event source mappings: Lambda's operations on them, their states, their pollers. Of queues: the platform's own, and those of the server that
 * "endpoints" names for "sqs"; a queue that is here comes before one of its name there.
 */
#ifndef FN_EVENTS_MAPPINGS_H
#define FN_EVENTS_MAPPINGS_H

#include "base/buf.h"
#include "events/endpoints.h"
#include "events/journal.h"
#include "events/share.h"
#include "service/call.h"

struct fn_mappings;

/* Reads what there is, and begins. endpoints, journal, share: borrowed. */
int fn_mappings_open(const struct fn_service_env *env, const struct fn_endpoints *endpoints, struct fn_journal *journal, struct fn_share *share, struct fn_mappings **ret, struct fn_err *err);
/* Nothing new begins. */
void fn_mappings_drain(struct fn_mappings *all);
bool fn_mappings_busy(const struct fn_mappings *all);
void fn_mappings_close(struct fn_mappings *all); /* NULL is fine */
/* Is it one of theirs? Then it is replied to, now or later. */
bool fn_mappings_serve(struct fn_mappings *all, const struct fn_service_call *call);

/* Prometheus' text, of those with MetricsConfig EventCount. */
int fn_mappings_metrics(const struct fn_mappings *all, struct fn_buf *b);

#endif

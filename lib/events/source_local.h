/*
 * source_local.h - messages from the platform's own queues, in the same process: a lease that waits costs nothing, and comes with the transaction that puts a message.
 */
#ifndef FN_EVENTS_SOURCE_LOCAL_H
#define FN_EVENTS_SOURCE_LOCAL_H

#include "events/source.h"
#include "service/call.h"

int fn_source_local_look(const struct fn_service_env *env, const char *queue_arn, struct fn_source_about *ret); /* -ENOENT */
/* The queue may come later: it is looked for again and again. */
int fn_source_local_new(const struct fn_service_env *env, const char *queue_arn, const struct fn_source_events *events, struct fn_source **ret);

#endif

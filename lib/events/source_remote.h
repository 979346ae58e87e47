/*
 * source_remote.h - messages from a queue of an SQS-compatible server (endpoints.h): long polls, one while there is nothing, several while there is much; JSON 1.0.
 * What fails is tried again, later and later up to 20 s: a server that is started anew, a queue that is made again, connections that have ended.
 */
#ifndef FN_EVENTS_SOURCE_REMOTE_H
#define FN_EVENTS_SOURCE_REMOTE_H

#include "events/endpoints.h"
#include "events/source.h"

int fn_source_remote_new(struct fn_loop *loop, const struct fn_endpoint *endpoint, const char *queue_arn, const struct fn_source_events *events, struct fn_source **ret);

/* Is the queue there? done: err NULL = *about tells of it; ENOENT: it is not (why: "AWS.SimpleQueueService.NonExistentQueue"); else why it cannot be told. */
typedef void (*fn_source_looked_fn)(void *arg, const struct fn_source_about *about, const struct fn_err *err);
int fn_source_remote_look(const struct fn_endpoint *endpoint, const char *queue_arn, fn_source_looked_fn done, void *arg);

#endif

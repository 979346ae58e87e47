/*
 * mapping_settings.h - what CreateEventSourceMapping and UpdateEventSourceMapping ask of a mapping of an SQS queue, judged as Lambda does, and kept in the members that
 * answers have. Pure: no look at queues or functions.
 */
#ifndef FN_EVENTS_MAPPING_SETTINGS_H
#define FN_EVENTS_MAPPING_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/* What kind of thing an ARN names. */
enum fn_source_kind { FN_SOURCE_SQS, FN_SOURCE_UNBUILT /* Lambda has it, we do not */, FN_SOURCE_NONE };
enum fn_source_kind fn_source_kind_of(const char *arn, const char **ret_title); /* title: "Amazon Kinesis", of UNBUILT */
bool fn_source_is_fifo(const char *arn);

/* in: the request's members, whose types and bounds have been looked at (aws/validate.h). old: what is set already, NULL = nothing. *ret: BatchSize, MaximumBatchingWindowInSeconds,
 * FunctionResponseTypes; FilterCriteria, ScalingConfig, ProvisionedPollerConfig, MetricsConfig if they are set. -EINVAL: why is the message of the InvalidParameterValueException;
 * -ENOSYS: of what is not built; -ENOMEM. */
int fn_mapping_settings(const json_t *in, const json_t *old, bool fifo, json_t **ret, struct fn_buf *why);

unsigned fn_mapping_batch_size(const json_t *settings);
unsigned fn_mapping_window_s(const json_t *settings);
/* Batches at once: MaximumConcurrency, or ten for each of MaximumPollers; 0 = neither is set. */
unsigned fn_mapping_concurrency(const json_t *settings);
unsigned fn_mapping_concurrency_least(const json_t *settings); /* ten for each of MinimumPollers; 0 = not set */
bool fn_mapping_counts_events(const json_t *settings); /* MetricsConfig: EventCount */
bool fn_mapping_reports_failures(const json_t *settings);

#endif

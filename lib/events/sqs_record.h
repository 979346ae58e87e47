/*
 * sqs_record.h - an SQS message as a function is given it, and what the function's answer says of a batch. Pure.
 * Sources: Lambda Developer Guide, "Using Lambda with Amazon SQS" (example event), "Implementing partial batch responses"; members as recorded from the service.
 */
#ifndef FN_EVENTS_SQS_RECORD_H
#define FN_EVENTS_SQS_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The record of a message as ReceiveMessage answers it (json 1.0) with all attributes. NULL: it is none, or no memory. */
json_t *fn_record_of(const json_t *message, const char *queue_arn, const char *region);
/* What filters are matched against: the record's members but the body, which they are told, and those that are not there yet: eventSource, eventSourceARN, awsRegion. */
json_t *fn_record_metadata(json_t *record);
/* NULL where the record has none of that name among its "attributes". */
const char *fn_record_attribute(const json_t *record, const char *name);

/* One message of a batch, in its order. */
struct fn_batch_item {
	const char *id, *group; /* group: NULL = of no FIFO queue */
	bool failed;            /* out: it comes back */
};
/* Sets `failed` of each. payload: what the function has answered, without an error. report: FunctionResponseTypes has ReportBatchItemFailures; else it is not looked at.
 * Of a group everything behind its first failed one comes back, too. An answer that names what is not in the batch, or names nothing: all do. */
void fn_batch_judge(const char *payload, size_t len, bool report, struct fn_batch_item *items, size_t n);

#endif

/* messages.h - a record or dead letter as the request that SQS, SNS, EventBridge or S3 takes. Pure. */
#ifndef FN_EVENTS_MESSAGES_H
#define FN_EVENTS_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct fn_message {
	const char *method, *target, *content_type; /* target: X-Amz-Target; NULL = none */
	struct fn_buf path, body;
};

/* "sqs", "sns", "events", "s3"; NULL = none that is delivered to. */
const char *fn_message_service(const char *arn);
/* endpoint: the server's URL, without a slash at its end: of queue URLs. about: {"function": its ARN, "success", "dead", "id", "message", "trace"}; now_us: real time, of an S3 key. -EINVAL, -ENOMEM. */
int fn_message_make(const char *arn, const char *endpoint, const json_t *about, const char *body, size_t len, uint64_t now_us, struct fn_message *ret);
void fn_message_free(struct fn_message *m);
/* Of an answer 200: EventBridge may say in it that it has not. */
bool fn_message_taken(const char *arn, const char *answer, size_t len);

#endif

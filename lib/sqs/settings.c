/* settings.c - a queue's attributes as they are used. They have been checked (attributes.c), and have their defaults. */
#include <stdlib.h>

#include "sqs/internal.h"

bool fn_sqs_receive_count(const json_t *v, int64_t *ret)
{
	if (json_is_integer(v)) {
		*ret = json_integer_value(v);
		return true;
	}
	return json_is_string(v) && fn_str_to_i64(json_string_value(v), INT64_MIN, INT64_MAX, ret) == 0;
}

static int64_t number(const json_t *attributes, const char *name)
{
	const char *text = fn_sqs_text(attributes, name);
	int64_t n = 0;

	if (text)
		(void)fn_str_to_i64(text, INT64_MIN, INT64_MAX, &n);
	return n;
}

void fn_sqs_settings_free(struct fn_sqs_settings *s)
{
	free(s->dead);
	s->dead = NULL;
}

void fn_sqs_settings_of(struct fn_sqs_settings *s, const json_t *attributes)
{
	const char *redrive = fn_sqs_text(attributes, "RedrivePolicy");
	json_t *j = redrive ? json_loads(redrive, 0, NULL) : NULL;
	const char *target = json_string_value(json_object_get(j, "deadLetterTargetArn"));
	int64_t count = 0;

	*s = (struct fn_sqs_settings){.visibility_s = number(attributes, "VisibilityTimeout"),
				      .delay_s = number(attributes, "DelaySeconds"),
				      .wait_s = number(attributes, "ReceiveMessageWaitTimeSeconds"),
				      .retention_s = number(attributes, "MessageRetentionPeriod"),
				      .size_max = number(attributes, "MaximumMessageSize"),
				      .fifo = json_object_get(attributes, "FifoQueue") != NULL,
				      .by_content = fn_streq(fn_sqs_text(attributes, "ContentBasedDeduplication"), "true"),
				      .by_group = fn_streq(fn_sqs_text(attributes, "DeduplicationScope"), "messageGroup")};
	if (target && strrchr(target, ':') && fn_sqs_receive_count(json_object_get(j, "maxReceiveCount"), &count)) {
		s->dead = strdup(strrchr(target, ':') + 1);
		s->most_receives = (uint32_t)count;
	}
	json_decref(j);
}

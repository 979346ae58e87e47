/* inside.c - queues by ARN, for what runs in the same process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sqs/message.h"
#include "sqs/receipt.h"
#include "sqs/receive.h"

int fn_sqs_find(struct fn_sqs *sqs, const char *arn, struct fn_sqs_facts *ret)
{
	const struct fn_sqs_queue *q = fn_sqs_queue_by_arn(sqs, arn);

	if (!q)
		return -ENOENT;
	*ret = (struct fn_sqs_facts){.queue = q->queue, .fifo = q->settings.fifo, .visibility_us = (uint64_t)q->settings.visibility_s * 1000000u,
				     .most_receives = q->settings.dead ? q->settings.most_receives : 0};
	return 0;
}

bool fn_sqs_may(struct fn_sqs *sqs, const struct fn_iam_asker *who, const char *action, const char *arn)
{
	return fn_sqs_queue_allows(fn_sqs_queue_by_arn(sqs, arn), who, action, arn);
}

void fn_sqs_on_policy(struct fn_sqs *sqs, void (*changed)(void *arg), void *arg)
{
	sqs->policy_changed = changed;
	sqs->policy_arg = arg;
}

static json_t *members(const struct fn_sqs_message *m)
{
	json_t *in = json_object(), *attributes = json_object();

	(void)json_object_set_new(in, "MessageBody", json_stringn(m->body, m->len));
	for (size_t i = 0; i < m->n_attributes; i++)
		(void)json_object_set_new(attributes, m->attributes[i].name,
					  json_pack("{s:s, s:s}", "DataType", m->attributes[i].type, "StringValue", m->attributes[i].value));
	if (m->n_attributes)
		(void)json_object_set(in, "MessageAttributes", attributes);
	json_decref(attributes);
	if (m->group)
		(void)json_object_set_new(in, "MessageGroupId", json_string(m->group));
	if (m->dedup)
		(void)json_object_set_new(in, "MessageDeduplicationId", json_string(m->dedup));
	return in;
}

int fn_sqs_step(struct fn_sqs *sqs, const char *arn, const struct fn_sqs_message *m, struct fn_queue_step *ret, void **ret_memory, char *why)
{
	const struct fn_sqs_queue *q = fn_sqs_queue_by_arn(sqs, arn);
	struct fn_sqs_sending s;
	struct fn_sqs_problem p;
	size_t meta, group, dedup;
	json_t *in;
	char *memory;
	int r;

	if (!q) {
		snprintf(why, FN_SQS_WHY_MAX, "The specified queue does not exist.");
		return -ENOENT;
	}
	in = members(m);
	r = fn_sqs_judge(q, in, false, NULL, m->sender, m->trace_id, &s, &p);
	json_decref(in);
	if (r < 0) {
		snprintf(why, FN_SQS_WHY_MAX, "%s", p.text);
		return -EINVAL;
	}
	/* one piece of memory for all that is not the caller's */
	meta = strlen(s.meta) + 1;
	group = s.group ? strlen(s.group) + 1 : 0;
	dedup = s.dedup ? strlen(s.dedup) + 1 : 0;
	memory = malloc(meta + group + dedup);
	if (memory) {
		*ret = s.step;
		ret->body = m->body;
		ret->meta = memcpy(memory, s.meta, meta);
		ret->group = s.step.group ? memcpy(memory + meta, s.group, group) : NULL;
		ret->dedup = s.step.dedup ? memcpy(memory + meta + group, s.dedup, dedup) : NULL;
		*ret_memory = memory;
	} else {
		snprintf(why, FN_SQS_WHY_MAX, "out of memory");
	}
	fn_sqs_sending_free(&s);
	return memory ? 0 : -ENOMEM;
}

int fn_sqs_lease(struct fn_sqs *sqs, const char *arn, struct fn_queue_lease *lease)
{
	struct fn_sqs_queue *q = fn_sqs_queue_by_arn(sqs, arn);

	if (!q)
		return -ENOENT;
	if (!lease->for_us)
		lease->for_us = (uint64_t)q->settings.visibility_s * 1000000u;
	fn_sqs_lease_settings(q, lease);
	fn_queue_lease(q->queue, lease);
	return 0;
}

/* {"stringValue", "stringListValues": [], "binaryListValues": [], "dataType"} */
static json_t *event_attributes(const json_t *attributes)
{
	json_t *out = json_object(), *a;
	const char *name;

	json_object_foreach((json_t *)attributes, name, a)
	{
		const char *text = fn_sqs_text(a, "StringValue"), *binary = fn_sqs_text(a, "BinaryValue");
		json_t *v = json_pack("{s:[], s:[], s:s}", "stringListValues", "binaryListValues", "dataType", fn_sqs_text(a, "DataType"));

		(void)json_object_set_new(v, binary ? "binaryValue" : "stringValue", json_string(binary ? binary : text));
		(void)json_object_set_new(out, name, v);
	}
	return out;
}

json_t *fn_sqs_record(struct fn_sqs *sqs, const char *arn, const struct fn_queue_message *m)
{
	json_t *meta = json_loadb(m->meta, m->meta_len, 0, NULL), *attributes = json_object_get(meta, "a"), *out = json_object();
	char id[FN_UUID_SIZE], md5[FN_SQS_MD5_SIZE], receipt[FN_SQS_RECEIPT_SIZE];
	const char *name = strrchr(arn, ':');

	fn_id_uuid_format(m->uid, id);
	fn_sqs_receipt_make(name ? name + 1 : "", m->id, m->receives, receipt);
	(void)json_object_set_new(out, "messageId", json_string(id));
	(void)json_object_set_new(out, "receiptHandle", json_string(receipt));
	(void)json_object_set_new(out, "body", json_stringn(m->body, m->body_len));
	(void)json_object_set_new(out, "attributes", fn_sqs_system_attributes(sqs, m, meta, NULL, fn_str_ends(arn, ".fifo")));
	(void)json_object_set_new(out, "messageAttributes", event_attributes(attributes));
	if (json_object_size(attributes) && fn_sqs_attributes_md5(attributes, NULL, md5, NULL) == 0)
		(void)json_object_set_new(out, "md5OfMessageAttributes", json_string(md5));
	fn_sqs_body_md5(m, meta, md5);
	(void)json_object_set_new(out, "md5OfBody", json_string(md5));
	(void)json_object_set_new(out, "eventSource", json_string("aws:sqs"));
	(void)json_object_set_new(out, "eventSourceARN", json_string(arn));
	(void)json_object_set_new(out, "awsRegion", json_string(sqs->region));
	json_decref(meta);
	return out;
}

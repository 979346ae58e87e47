/* attributes.c - a queue's attributes: which there are, what they may be, what they mean. One table. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/resource_policy.h"
#include "model/arn.h"
#include "sqs/internal.h"

enum kind { NUMBER, BOOLEAN, CHOICE, POLICY, REDRIVE, REDRIVE_ALLOW, TEXT };

static const struct attribute {
	const char *name;
	enum kind kind;
	int64_t min, max;
	const char *initial; /* NULL = it is not there until it is set */
	const char *choices[2];
	bool fifo; /* of FIFO queues alone */
} table[] = {
	{"VisibilityTimeout", NUMBER, 0, FN_SQS_VISIBILITY_MAX_S, "30", {0}, false},
	{"DelaySeconds", NUMBER, 0, 900, "0", {0}, false},
	{"ReceiveMessageWaitTimeSeconds", NUMBER, 0, 20, "0", {0}, false},
	{"MessageRetentionPeriod", NUMBER, 60, 1209600, "345600", {0}, false},
	{"MaximumMessageSize", NUMBER, 1024, 1048576, "1048576", {0}, false},
	{"SqsManagedSseEnabled", BOOLEAN, 0, 0, "true", {0}, false},
	{"Policy", POLICY, 0, 0, NULL, {0}, false},
	{"RedrivePolicy", REDRIVE, 0, 0, NULL, {0}, false},
	{"RedriveAllowPolicy", REDRIVE_ALLOW, 0, 0, NULL, {0}, false},
	{"KmsMasterKeyId", TEXT, 0, 0, NULL, {0}, false},
	{"KmsDataKeyReusePeriodSeconds", NUMBER, 60, 86400, NULL, {0}, false},
	{"FifoQueue", BOOLEAN, 0, 0, "true", {0}, true},
	{"ContentBasedDeduplication", BOOLEAN, 0, 0, "false", {0}, true},
	{"DeduplicationScope", CHOICE, 0, 0, "queue", {"queue", "messageGroup"}, true},
	{"FifoThroughputLimit", CHOICE, 0, 0, "perQueue", {"perQueue", "perMessageGroupId"}, true},
};
#define N (sizeof(table) / sizeof(table[0]))

static const char *const read_only[] = {"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
					"ApproximateNumberOfMessagesDelayed", NULL};

static const struct attribute *find(const char *name)
{
	for (size_t i = 0; i < N; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static bool is_read_only(const char *name)
{
	for (size_t i = 0; read_only[i]; i++)
		if (strcmp(read_only[i], name) == 0)
			return true;
	return false;
}

static int bad(struct fn_sqs_problem *p, const char *name) { return fn_sqs_wrong(p, &FN_SQS_BAD_ATTRIBUTE_VALUE, "Invalid value for the parameter %s.", name); }

static int bad_json(struct fn_sqs_problem *p, const char *name, const char *value, const char *reason)
{
	return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Value %.300s for parameter %s is invalid. Reason: %s", value, name, reason);
}

/* --- redrive --- */
/* What this queue's RedriveAllowPolicy says to being a dead letter queue of `source`. */
static bool allows(const struct fn_sqs_queue *dead, const char *source_arn)
{
	const char *text = json_string_value(json_object_get(json_object_get(fn_sqs_config(dead), "Attributes"), "RedriveAllowPolicy"));
	json_t *policy = text ? json_loads(text, 0, NULL) : NULL, *arn;
	const char *permission = json_string_value(json_object_get(policy, "redrivePermission"));
	bool is = !permission || strcmp(permission, "allowAll") == 0;
	size_t i;

	if (permission && strcmp(permission, "byQueue") == 0)
		json_array_foreach(json_object_get(policy, "sourceQueueArns"), i, arn)
			is = is || fn_streq(json_string_value(arn), source_arn);
	json_decref(policy);
	return is;
}

static int check_redrive(struct fn_sqs *sqs, const char *name, bool fifo, const char *value, struct fn_sqs_problem *p)
{
	json_t *j = json_loads(value, 0, NULL);
	const char *target = json_string_value(json_object_get(j, "deadLetterTargetArn")), *key;
	bool other = false;
	struct fn_sqs_queue *dead;
	char arn[256];
	int64_t count = 0;
	json_t *v;
	int r = 0;

	json_object_foreach(j, key, v)
		other = other || (strcmp(key, "deadLetterTargetArn") != 0 && strcmp(key, "maxReceiveCount") != 0);
	if (!json_is_object(j))
		r = bad_json(p, "RedrivePolicy", value, "Redrive policy is not a valid JSON map.");
	else if (other)
		r = bad_json(p, "RedrivePolicy", value, "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].");
	else if (!json_object_get(j, "maxReceiveCount"))
		r = bad_json(p, "RedrivePolicy", value, "Redrive policy does not contain mandatory attribute: maxReceiveCount.");
	else if (!target)
		r = bad_json(p, "RedrivePolicy", value, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.");
	else if (!fn_sqs_receive_count(json_object_get(j, "maxReceiveCount"), &count) || count < 1 || count > 1000)
		r = bad_json(p, "RedrivePolicy", value, "Invalid value for maxReceiveCount: must be between 1 and 1000.");
	else if (!fn_arn_of(target, "sqs"))
		r = bad_json(p, "RedrivePolicy", value, "Invalid value for deadLetterTargetArn.");
	else if (!(dead = fn_sqs_queue_by_arn(sqs, target)))
		r = bad_json(p, "RedrivePolicy", value, "Dead letter target does not exist.");
	else if (dead->settings.fifo != fifo)
		r = bad_json(p, "RedrivePolicy", value, "Dead-letter queue must be same type of queue as the source.");
	else if (fn_sqs_arn(sqs, name, arn, sizeof(arn)) < 0 || !allows(dead, arn))
		r = bad_json(p, "RedrivePolicy", value, "The dead letter queue does not allow this queue as a source.");
	json_decref(j);
	return r;
}

static int check_redrive_allow(const char *value, struct fn_sqs_problem *p)
{
	json_t *j = json_loads(value, 0, NULL), *arns = json_object_get(j, "sourceQueueArns");
	const char *permission = json_string_value(json_object_get(j, "redrivePermission"));
	bool by_queue = permission && strcmp(permission, "byQueue") == 0;
	int r = 0;

	if (!json_is_object(j) || !permission || (!by_queue && strcmp(permission, "allowAll") != 0 && strcmp(permission, "denyAll") != 0))
		r = bad_json(p, "RedriveAllowPolicy", value, "Amazon SQS can't create the redrive allow policy. redrivePermission must be allowAll, denyAll or byQueue.");
	else if (by_queue != (json_array_size(arns) > 0) || json_array_size(arns) > 10)
		r = bad_json(p, "RedriveAllowPolicy", value, "sourceQueueArns must name 1 to 10 queues with redrivePermission byQueue, and none otherwise.");
	json_decref(j);
	return r;
}

static int check_policy(const char *value, struct fn_sqs_problem *p)
{
	struct fn_iam_document *d = NULL;
	fn_auto_buf struct fn_buf why = {0};
	bool is = fn_iam_document_parse(value, FN_IAM_RESOURCE, &d, &why) == 0; /* what cannot be judged is refused */

	fn_iam_document_free(d);
	return is ? 0 : bad(p, "Policy");
}

static int check_one(struct fn_sqs *sqs, const char *queue, bool fifo, const struct attribute *a, const char *v, struct fn_sqs_problem *p)
{
	int64_t n;

	switch (a->kind) {
	case NUMBER:
		return fn_str_to_i64(v, a->min, a->max, &n) == 0 ? 0 : bad(p, a->name);
	case BOOLEAN:
		return strcasecmp(v, "true") == 0 || strcasecmp(v, "false") == 0 ? 0 : bad(p, a->name);
	case CHOICE:
		return strcmp(v, a->choices[0]) == 0 || strcmp(v, a->choices[1]) == 0 ? 0 : bad(p, a->name);
	case POLICY:
		return check_policy(v, p);
	case REDRIVE:
		return check_redrive(sqs, queue, fifo, v, p);
	case REDRIVE_ALLOW:
		return check_redrive_allow(v, p);
	default:
		/* Nothing encrypts with it: whoever asks for a key of his own is told so. */
		return fn_sqs_wrong(p, &FN_SQS_UNSUPPORTED, "%s is not supported: there is no KMS here.", a->name);
	}
}

int fn_sqs_attributes_check(struct fn_sqs *sqs, const char *name, bool fifo, const json_t *given, const json_t *had, json_t **ret, struct fn_sqs_problem *p)
{
	json_t *out = json_object(), *v;
	const char *key;
	int r = out ? 0 : fn_sqs_wrong(p, &FN_SQS_UNAVAILABLE, "Try again.");

	json_object_foreach((json_t *)given, key, v)
	{
		const struct attribute *a = find(key);
		const char *text = json_string_value(v);
		bool takes_away = text && !*text && a && !a->initial;

		if (r < 0)
			break;
		if (!a || (a->fifo && !fifo) || is_read_only(key))
			r = fn_sqs_wrong(p, &FN_SQS_BAD_ATTRIBUTE, "Unknown Attribute %.100s.", key);
		else if (!text)
			r = bad(p, key);
		else if (strcmp(key, "FifoQueue") == 0 && strcasecmp(text, "true") != 0)
			r = had ? fn_sqs_wrong(p, &FN_SQS_BAD_ATTRIBUTE_VALUE, "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
				: bad(p, key);
		else if (!takes_away)
			r = check_one(sqs, name, fifo, a, text, p);
		if (r == 0 && a->kind == BOOLEAN && !takes_away)
			(void)json_object_set_new(out, key, json_string(strcasecmp(text, "true") == 0 ? "true" : "false"));
		else if (r == 0)
			(void)json_object_set(out, key, v);
	}
	if (r == 0) {
		const char *limit = fn_sqs_text(out, "FifoThroughputLimit"), *scope = fn_sqs_text(out, "DeduplicationScope");
		bool either = limit || scope;

		limit = limit ? limit : fn_sqs_text(had, "FifoThroughputLimit");
		scope = scope ? scope : fn_sqs_text(had, "DeduplicationScope");
		if (either && fn_streq(limit, "perMessageGroupId") && !fn_streq(scope, "messageGroup"))
			r = fn_sqs_wrong(p, &FN_SQS_BAD_ATTRIBUTE_VALUE,
					 "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.");
	}
	if (r < 0)
		json_decref(out);
	else
		*ret = out;
	return r;
}

void fn_sqs_attributes_defaults(json_t *attributes, bool fifo)
{
	for (size_t i = 0; i < N; i++)
		if (table[i].initial && (fifo || !table[i].fifo) && !json_object_get(attributes, table[i].name))
			(void)json_object_set_new(attributes, table[i].name, json_string(table[i].initial));
}

/* --- as they are shown --- */
static json_t *show(const struct fn_sqs_queue *q, const char *name)
{
	const json_t *config = fn_sqs_config(q), *kept = json_object_get(json_object_get(config, "Attributes"), name);
	struct fn_queue_counts c;
	char text[256];

	if (kept)
		return json_incref((json_t *)kept);
	fn_queue_count(q->queue, &c);
	if (strcmp(name, "QueueArn") == 0)
		(void)fn_sqs_arn(q->sqs, q->name, text, sizeof(text));
	else if (strcmp(name, "CreatedTimestamp") == 0)
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(config, "Created")));
	else if (strcmp(name, "LastModifiedTimestamp") == 0)
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(config, "Modified")));
	else if (strcmp(name, "ApproximateNumberOfMessages") == 0)
		snprintf(text, sizeof(text), "%" PRIu64, c.ready);
	else if (strcmp(name, "ApproximateNumberOfMessagesNotVisible") == 0)
		snprintf(text, sizeof(text), "%" PRIu64, c.leased);
	else if (strcmp(name, "ApproximateNumberOfMessagesDelayed") == 0)
		snprintf(text, sizeof(text), "%" PRIu64, c.delayed);
	else
		return NULL;
	return json_string(text);
}

static void show_into(const struct fn_sqs_queue *q, const char *name, json_t *out)
{
	json_t *v = show(q, name);

	if (v)
		(void)json_object_set_new(out, name, v);
}

int fn_sqs_attributes_show(const struct fn_sqs_queue *q, const json_t *names, json_t **ret, struct fn_sqs_problem *p)
{
	json_t *out = json_object(), *v;
	size_t i;

	json_array_foreach((json_t *)names, i, v)
	{
		const char *name = json_string_value(v);

		if (fn_streq(name, "All")) {
			for (size_t k = 0; k < N; k++)
				show_into(q, table[k].name, out);
			for (size_t k = 0; read_only[k]; k++)
				show_into(q, read_only[k], out);
		} else if (!name || (!find(name) && !is_read_only(name))) {
			json_decref(out);
			return fn_sqs_wrong(p, &FN_SQS_BAD_ATTRIBUTE, "Unknown Attribute %.100s.", name ? name : "");
		} else {
			show_into(q, name, out);
		}
	}
	*ret = out;
	return 0;
}

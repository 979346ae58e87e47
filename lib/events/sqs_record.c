/* sqs_record.c - see sqs_record.h. */
#include "events/sqs_record.h"

#include <string.h>

#include "base/str.h"
#include "web/json_load.h"
#include "web/json_scan.h"

#define NAMED_MAX 1024u /* bytes for each that has failed */

static void copy(json_t *to, const char *name, const json_t *from, const char *of)
{
	json_t *v = json_object_get(from, of);

	if (v)
		json_object_set(to, name, v);
}

static json_t *attribute_of(const json_t *v)
{
	json_t *o = json_object();

	copy(o, "stringValue", v, "StringValue");
	copy(o, "binaryValue", v, "BinaryValue");
	json_object_set_new(o, "stringListValues", json_array());
	json_object_set_new(o, "binaryListValues", json_array());
	copy(o, "dataType", v, "DataType");
	return o;
}

json_t *fn_record_of(const json_t *m, const char *queue_arn, const char *region)
{
	json_t *o = json_object(), *attributes = json_object(), *system = json_object_get(m, "Attributes"), *v;
	const char *name;

	if (!json_is_string(json_object_get(m, "MessageId")) || !json_is_string(json_object_get(m, "ReceiptHandle")) || !json_is_string(json_object_get(m, "Body"))) {
		json_decref(o);
		json_decref(attributes);
		return NULL;
	}
	json_object_foreach(json_object_get(m, "MessageAttributes"), name, v)
		json_object_set_new(attributes, name, attribute_of(v));
	copy(o, "messageId", m, "MessageId");
	copy(o, "receiptHandle", m, "ReceiptHandle");
	copy(o, "body", m, "Body");
	json_object_set_new(o, "attributes", json_is_object(system) ? json_incref(system) : json_object());
	json_object_set_new(o, "messageAttributes", attributes);
	copy(o, "md5OfMessageAttributes", m, "MD5OfMessageAttributes");
	copy(o, "md5OfBody", m, "MD5OfBody");
	json_object_set_new(o, "eventSource", json_string("aws:sqs"));
	json_object_set_new(o, "eventSourceARN", json_string(queue_arn));
	json_object_set_new(o, "awsRegion", json_string(region));
	return o;
}

json_t *fn_record_metadata(json_t *record)
{
	static const char *const left_out[] = {"body", "eventSource", "eventSourceARN", "awsRegion"};
	json_t *o = json_copy(record);

	for (size_t i = 0; o && i < sizeof(left_out) / sizeof(left_out[0]); i++)
		json_object_del(o, left_out[i]);
	return o;
}

const char *fn_record_attribute(const json_t *record, const char *name) { return json_string_value(json_object_get(json_object_get(record, "attributes"), name)); }

/* --- what an answer says --- */
static void all(struct fn_batch_item *items, size_t n, bool failed)
{
	for (size_t i = 0; i < n; i++)
		items[i].failed = failed;
}

static bool fail(const char *id, struct fn_batch_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fn_streq(items[i].id, id)) {
			items[i].failed = true;
			return true;
		}
	return false;
}

/* -1: it is no answer that can be followed. */
static int fail_named(const json_t *list, struct fn_batch_item *items, size_t n)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one) {
		const char *id = json_string_value(json_object_get(one, "itemIdentifier"));

		if (fn_str_empty(id) || !fail(id, items, n))
			return -1;
	}
	return 0;
}

static void hold_back_groups(struct fn_batch_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; items[i].failed && items[i].group && k < n; k++)
			if (fn_streq(items[k].group, items[i].group)) {
				items[k].failed = true;
				break; /* which does the same to the next of them */
			}
}

void fn_batch_judge(const char *payload, size_t len, bool report, struct fn_batch_item *items, size_t n)
{
	const char *text;
	json_t *list = NULL;
	size_t size;
	bool wrong;

	all(items, n, false);
	if (!report || len == 0)
		return;
	wrong = !fn_json_valid(payload, len, NULL);
	if (!wrong && fn_json_value(payload, len, "batchItemFailures", &text, &size)) {
		list = size <= n * NAMED_MAX + NAMED_MAX ? fn_json_load(text, size, JSON_DECODE_ANY) : NULL;
		wrong = !list || (!json_is_null(list) && (!json_is_array(list) || fail_named(list, items, n) < 0));
	}
	if (wrong)
		all(items, n, true);
	else
		hold_back_groups(items, n);
	json_decref(list);
}

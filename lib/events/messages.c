/*
 * messages.c - see messages.h. Sources: API references of SQS (JSON 1.0), SNS (query), EventBridge (JSON 1.1) and S3; Lambda Developer Guide, "Capturing records of Lambda
 * asynchronous invocations"; records as recorded from the service.
 */
#include "events/messages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "base/str.h"
#include "model/arn.h"

const char *fn_message_service(const char *arn)
{
	static const char *const names[] = {"sqs", "sns", "events", "s3"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fn_arn_of(arn, names[i]))
			return names[i];
	return NULL;
}

void fn_message_free(struct fn_message *m)
{
	fn_buf_free(&m->path);
	fn_buf_free(&m->body);
}

static const char *text_of(const json_t *about, const char *key) { return json_string_value(json_object_get(about, key)); }

/* arn:aws:sqs:REGION:ACCOUNT:NAME -> its n-th part. */
static const char *part(const char *arn, unsigned n, size_t *ret_len)
{
	while (n-- > 0 && arn)
		arn = strchr(arn, ':') ? strchr(arn, ':') + 1 : NULL;
	*ret_len = arn ? strcspn(arn, ":") : 0;
	return arn;
}

static int take_json(struct fn_buf *b, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	int r = text ? fn_buf_add_str(b, text) : -ENOMEM;

	json_decref(o);
	free(text);
	return r;
}

static json_t *attribute(const char *type, const char *value) { return json_pack("{ss,ss}", "DataType", type, "StringValue", value); }

/* QueueUrl: as SQS and the servers of its kind make them. */
static int to_sqs(const char *arn, const char *endpoint, const json_t *about, const char *body, size_t len, struct fn_message *m)
{
	const char *account, *name, *message = text_of(about, "message");
	size_t n_account, n_name;
	json_t *o, *attributes;
	char url[512];

	account = part(arn, 4, &n_account);
	name = part(arn, 5, &n_name);
	if (!name || snprintf(url, sizeof(url), "%s/%.*s/%.*s", endpoint, (int)n_account, account, (int)n_name, name) >= (int)sizeof(url))
		return -EINVAL;
	o = json_pack("{ss,so}", "QueueUrl", url, "MessageBody", json_stringn(body, len));
	if (o && text_of(about, "trace"))
		json_object_set_new(o, "MessageSystemAttributes", json_pack("{so}", "AWSTraceHeader", attribute("String", text_of(about, "trace"))));
	if (o && json_is_true(json_object_get(about, "dead"))) {
		attributes = json_pack("{so,so}", "RequestID", attribute("String", text_of(about, "id")), "ErrorCode", attribute("Number", "200"));
		if (!fn_str_empty(message)) /* an empty one is none */
			json_object_set_new(attributes, "ErrorMessage", attribute("String", message));
		json_object_set_new(o, "MessageAttributes", attributes);
	}
	m->method = "POST";
	m->target = "AmazonSQS.SendMessage";
	m->content_type = "application/x-amz-json-1.0";
	return take_json(&m->body, o);
}

static int add_field(struct fn_buf *b, const char *name, const char *value, size_t len)
{
	int r = fn_buf_addf(b, "&%s=", name);

	return r == 0 ? fn_buf_add_url(b, value, len, "") : r;
}

static int add_attribute(struct fn_buf *b, unsigned n, const char *name, const char *type, const char *value)
{
	int r = fn_buf_addf(b, "&MessageAttributes.entry.%u.Name=%s&MessageAttributes.entry.%u.Value.DataType=%s&MessageAttributes.entry.%u.Value.StringValue=", n, name, n, type, n);

	return r == 0 ? fn_buf_add_url(b, value, strlen(value), "") : r;
}

static int to_sns(const char *arn, const json_t *about, const char *body, size_t len, struct fn_message *m)
{
	const char *message = text_of(about, "message");
	int r = fn_buf_add_str(&m->body, "Action=Publish&Version=2010-03-31");

	m->method = "POST";
	m->content_type = "application/x-www-form-urlencoded; charset=utf-8";
	if (r == 0)
		r = add_field(&m->body, "TopicArn", arn, strlen(arn));
	if (r == 0)
		r = add_field(&m->body, "Message", body, len);
	if (r < 0 || !json_is_true(json_object_get(about, "dead")))
		return r;
	r = add_attribute(&m->body, 1, "RequestID", "String", text_of(about, "id"));
	if (r == 0)
		r = add_attribute(&m->body, 2, "ErrorCode", "Number", "200");
	return r == 0 && !fn_str_empty(message) ? add_attribute(&m->body, 3, "ErrorMessage", "String", message) : r;
}

static int to_events(const char *arn, const json_t *about, const char *body, size_t len, struct fn_message *m)
{
	const char *bus = strstr(arn, ":event-bus/"), *function = text_of(about, "function");
	bool success = json_is_true(json_object_get(about, "success"));

	if (!bus || !function)
		return -EINVAL;
	m->method = "POST";
	m->target = "AWSEvents.PutEvents";
	m->content_type = "application/x-amz-json-1.1";
	return take_json(&m->body, json_pack("{s[{ss,ss,s[ss],so,ss}]}", "Entries", "Source", "lambda", "DetailType",
					      success ? "Lambda Function Invocation Result - Success" : "Lambda Function Invocation Result - Failure", "Resources", arn, function, "Detail",
					      json_stringn(body, len), "EventBusName", bus + strlen(":event-bus/")));
}

/* aws/lambda/async/FUNCTION/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-UUID */
static int to_s3(const char *arn, const json_t *about, const char *body, size_t len, uint64_t now_us, struct fn_message *m)
{
	const char *function = text_of(about, "function"), *name = function ? strstr(function, ":function:") : NULL;
	time_t s = (time_t)(now_us / 1000000u);
	char day[16], at[24], uuid[FN_UUID_SIZE];
	size_t n_bucket;
	const char *bucket = part(arn, 5, &n_bucket);
	struct tm tm;
	int r;

	if (!name || !bucket || n_bucket == 0)
		return -EINVAL;
	name += strlen(":function:");
	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y/%m/%d", &tm);
	strftime(at, sizeof(at), "%Y-%m-%dT%H.%M.%S", &tm);
	fn_id_uuid(uuid);
	m->method = "PUT";
	m->content_type = "application/json";
	r = fn_buf_addf(&m->path, "/%.*s/aws/lambda/async/%.*s/%s/%s-%s", (int)n_bucket, bucket, (int)strcspn(name, ":"), name, day, at, uuid);
	return r == 0 ? fn_buf_add(&m->body, body, len) : r;
}

int fn_message_make(const char *arn, const char *endpoint, const json_t *about, const char *body, size_t len, uint64_t now_us, struct fn_message *m)
{
	const char *service = fn_message_service(arn);

	if (!service || !json_is_object(about) || !text_of(about, "id"))
		return -EINVAL;
	if (fn_streq(service, "sqs"))
		return to_sqs(arn, endpoint, about, body, len, m);
	if (fn_streq(service, "sns"))
		return to_sns(arn, about, body, len, m);
	return fn_streq(service, "events") ? to_events(arn, about, body, len, m) : to_s3(arn, about, body, len, now_us, m);
}

bool fn_message_taken(const char *arn, const char *answer, size_t len)
{
	json_t *o = fn_streq(fn_message_service(arn), "events") && len ? json_loadb(answer, len, 0, NULL) : NULL;
	bool taken = json_integer_value(json_object_get(o, "FailedEntryCount")) == 0;

	json_decref(o);
	return taken;
}

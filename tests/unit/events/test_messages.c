#include "events/messages.h"

#include <string.h>

#include "unit/main.h"

#define ARN(service, rest) "arn:aws:" service ":us-east-1:123456789012:" rest

static json_t *about(bool dead)
{
	return json_pack("{ss,sb,sb,ss,ss,ss}", "function", "arn:aws:lambda:us-east-1:000000000000:function:f:live", "success", 0, "dead", (int)dead, "id", "the-id", "message", "boom & <b>", "trace",
			 "Root=1");
}

static json_t *made(const char *arn, bool dead, const char *body, struct fn_message *m)
{
	json_t *a = about(dead), *o;

	memset(m, 0, sizeof(*m));
	ck_assert_int_eq(fn_message_make(arn, "http://s:1", a, body, strlen(body), 1767322845678000, m), 0);
	o = json_loads(m->body.data, 0, NULL);
	json_decref(a);
	return o;
}

static const char *at(json_t *o, const char *a, const char *b) { return json_string_value(json_object_get(json_object_get(o, a), b)); }

START_TEST(services)
{
	ck_assert_str_eq(fn_message_service(ARN("sqs", "q")), "sqs");
	ck_assert_str_eq(fn_message_service("arn:aws-cn:s3:::b"), "s3");
	ck_assert_str_eq(fn_message_service(ARN("events", "event-bus/b")), "events");
	ck_assert_ptr_null(fn_message_service(ARN("sqsx", "q")));
	ck_assert_ptr_null(fn_message_service(ARN("lambda", "function:f")));
	ck_assert_ptr_null(fn_message_service("sqs"));
}
END_TEST

START_TEST(a_record_and_a_dead_letter_for_a_queue)
{
	struct fn_message m;
	json_t *o = made(ARN("sqs", "q"), false, "{\"a\":\"\\u00fc\"}", &m);

	ck_assert_str_eq(m.target, "AmazonSQS.SendMessage");
	ck_assert_str_eq(json_string_value(json_object_get(o, "QueueUrl")), "http://s:1/123456789012/q");
	ck_assert_str_eq(json_string_value(json_object_get(o, "MessageBody")), "{\"a\":\"\\u00fc\"}");
	ck_assert_ptr_null(json_object_get(o, "MessageAttributes"));
	json_decref(o);
	fn_message_free(&m);
	o = made(ARN("sqs", "q"), true, "{}", &m);
	ck_assert_str_eq(at(json_object_get(o, "MessageAttributes"), "RequestID", "StringValue"), "the-id");
	ck_assert_str_eq(at(json_object_get(o, "MessageAttributes"), "ErrorCode", "DataType"), "Number");
	ck_assert_str_eq(at(json_object_get(o, "MessageAttributes"), "ErrorMessage", "StringValue"), "boom & <b>");
	json_decref(o);
	fn_message_free(&m);
}
END_TEST

START_TEST(a_topic_gets_a_form)
{
	struct fn_message m;

	ck_assert_ptr_null(made(ARN("sns", "t"), true, "{\"a\": 1}", &m));
	ck_assert_ptr_nonnull(strstr(m.body.data, "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3At&Message=%7B%22a%22%3A%201%7D"));
	ck_assert_ptr_nonnull(strstr(m.body.data, "&MessageAttributes.entry.3.Value.StringValue=boom%20%26%20%3Cb%3E"));
	fn_message_free(&m);
}
END_TEST

START_TEST(a_bus_gets_an_event)
{
	struct fn_message m;
	json_t *o = made(ARN("events", "event-bus/b"), false, "{\"a\":1}", &m), *e = json_array_get(json_object_get(o, "Entries"), 0);

	ck_assert_str_eq(m.target, "AWSEvents.PutEvents");
	ck_assert_str_eq(json_string_value(json_object_get(e, "Source")), "lambda");
	ck_assert_str_eq(json_string_value(json_object_get(e, "DetailType")), "Lambda Function Invocation Result - Failure");
	ck_assert_str_eq(json_string_value(json_object_get(e, "Detail")), "{\"a\":1}");
	ck_assert_str_eq(json_string_value(json_object_get(e, "EventBusName")), "b");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(e, "Resources"), 0)), ARN("events", "event-bus/b"));
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(e, "Resources"), 1)), "arn:aws:lambda:us-east-1:000000000000:function:f:live");
	json_decref(o);
	fn_message_free(&m);
	ck_assert(!fn_message_taken(ARN("events", "event-bus/b"), "{\"FailedEntryCount\":1}", 22));
	ck_assert(fn_message_taken(ARN("events", "event-bus/b"), "{\"FailedEntryCount\":0}", 22));
	ck_assert(fn_message_taken(ARN("sqs", "q"), "", 0));
}
END_TEST

START_TEST(a_bucket_gets_an_object)
{
	struct fn_message m;

	json_decref(made("arn:aws:s3:::b", false, "{}", &m));
	ck_assert_str_eq(m.method, "PUT");
	ck_assert_int_eq(strncmp(m.path.data, "/b/aws/lambda/async/f/2026/01/02/2026-01-02T03.00.45-", 53), 0);
	fn_message_free(&m);
}
END_TEST

START_TEST(what_cannot_be_delivered)
{
	json_t *a = about(false);
	struct fn_message m = {0};

	ck_assert_int_lt(fn_message_make(ARN("events", "b"), "http://s", a, "{}", 2, 0, &m), 0);
	fn_message_free(&m);
	ck_assert_int_lt(fn_message_make("arn:aws:s3::", "http://s", a, "{}", 2, 0, &m), 0);
	fn_message_free(&m);
	ck_assert_int_lt(fn_message_make("arn:aws:sqs:r:1", "http://s", a, "{}", 2, 0, &m), 0);
	fn_message_free(&m);
	json_decref(a);
}
END_TEST

TEST_MAIN("events/messages", services, a_record_and_a_dead_letter_for_a_queue, a_topic_gets_a_form, a_bus_gets_an_event, a_bucket_gets_an_object, what_cannot_be_delivered)

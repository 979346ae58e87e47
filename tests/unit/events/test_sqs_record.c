/* What a function is given of a message, and what its answer says of a batch: each row of Lambda's guide. */
#include "events/sqs_record.h"

#include <string.h>

#include "base/str.h"
#include "unit/main.h"

static json_t *parse(const char *text)
{
	char *s = strdup(text);
	json_t *o;

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(s, JSON_DECODE_ANY, NULL);
	ck_assert_msg(o != NULL, "%s", text);
	free(s);
	return o;
}

START_TEST(records)
{
	json_t *m = parse("{'MessageId':'i','ReceiptHandle':'h','Body':'b','MD5OfBody':'m','Attributes':{'SentTimestamp':'1'},'MD5OfMessageAttributes':'n',"
			  "'MessageAttributes':{'a':{'StringValue':'v','DataType':'String'},'b':{'BinaryValue':'AAE=','DataType':'Binary'}}}");
	json_t *expected = parse("{'messageId':'i','receiptHandle':'h','body':'b','md5OfBody':'m','attributes':{'SentTimestamp':'1'},'md5OfMessageAttributes':'n','eventSource':'aws:sqs',"
				 "'eventSourceARN':'arn:aws:sqs:eu-west-1:1:q','awsRegion':'eu-west-1','messageAttributes':{'a':{'stringValue':'v','stringListValues':[],'binaryListValues':[],"
				 "'dataType':'String'},'b':{'binaryValue':'AAE=','stringListValues':[],'binaryListValues':[],'dataType':'Binary'}}}");
	json_t *r = fn_record_of(m, "arn:aws:sqs:eu-west-1:1:q", "eu-west-1"), *metadata;

	ck_assert(json_equal(r, expected));
	metadata = fn_record_metadata(r);
	ck_assert(!json_object_get(metadata, "body") && !json_object_get(metadata, "eventSourceARN") && json_object_get(metadata, "messageAttributes"));
	ck_assert_str_eq(fn_record_attribute(r, "SentTimestamp"), "1");
	ck_assert_ptr_null(fn_record_attribute(r, "MessageGroupId"));
	json_object_del(m, "Body");
	ck_assert_ptr_null(fn_record_of(m, "a", "r"));
	json_decref(m);
	json_decref(r);
	json_decref(expected);
	json_decref(metadata);
}
END_TEST

/* failed: of the messages 1 to 4, of the groups a, b, a, b where it is a FIFO queue. */
static const struct {
	const char *answer, *failed, *of_fifo;
} answers[] = {
	{"", "", ""},
	{"null", "", ""},
	{"{}", "", ""},
	{"\"\"", "", ""},
	{"\"done\"", "", ""},
	{"{'batchItemFailures':[]}", "", ""},
	{"{'batchItemFailures':null}", "", ""},
	{"{'other':1}", "", ""},
	{"{'batchItemFailures':[{'itemIdentifier':'2'}]}", "2", "24"},
	{"{'batchItemFailures':[{'itemIdentifier':'1'},{'itemIdentifier':'4'}]}", "14", "134"},
	{"{'batchItemFailures':[{'itemIdentifier':'3'},{'itemIdentifier':'3'}]}", "3", "3"},
	{"{'batchItemFailures':[{'itemIdentifier':'2','more':1}]}", "2", "24"},
	{"{'batchItemFailures':[{'itemIdentifier':''}]}", "1234", "1234"},
	{"{'batchItemFailures':[{'itemIdentifier':null}]}", "1234", "1234"},
	{"{'batchItemFailures':[{'item':'1'}]}", "1234", "1234"},
	{"{'batchItemFailures':[{}]}", "1234", "1234"},
	{"{'batchItemFailures':['1']}", "1234", "1234"},
	{"{'batchItemFailures':[{'itemIdentifier':'5'}]}", "1234", "1234"},
	{"{'batchItemFailures':[{'itemIdentifier':'1'},{'itemIdentifier':'x'}]}", "1234", "1234"},
	{"{'batchItemFailures':'1'}", "1234", "1234"},
	{"{'batchItemFailures':{}}", "1234", "1234"},
	{"not json", "1234", "1234"},
};

static void judge(const char *answer, bool report, bool fifo, const char *expected)
{
	struct fn_batch_item items[] = {{"1", fifo ? "a" : NULL, true}, {"2", fifo ? "b" : NULL, true}, {"3", fifo ? "a" : NULL, false}, {"4", fifo ? "b" : NULL, false}};
	char *text = strdup(answer), got[5];
	size_t n = 0;

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	fn_batch_judge(text, strlen(text), report, items, 4);
	for (int i = 0; i < 4; i++)
		if (items[i].failed)
			got[n++] = items[i].id[0];
	got[n] = '\0';
	ck_assert_msg(strcmp(got, expected) == 0, "%s: %s instead of %s", answer, got, expected);
	free(text);
}

START_TEST(what_answers_say)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		judge(answers[i].answer, true, false, answers[i].failed);
		judge(answers[i].answer, true, true, answers[i].of_fifo);
		judge(answers[i].answer, false, true, ""); /* not asked for: not looked at */
	}
}
END_TEST

TEST_MAIN("events/sqs_record", records, what_answers_say)

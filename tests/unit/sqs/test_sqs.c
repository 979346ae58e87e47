/* SQS without HTTP: requests as structs. Policies, receipts, polls that end, what a restart finds, queues by ARN. */
#include "sqs/sqs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/schema.h"
#include "sqs/receipt.h"
#include "unit/main.h"

static struct fn_loop *loop;
static struct fn_db_writer *writer;
static struct fn_queues *queues;
static struct fn_sqs *sqs;
static struct fn_err error;

static void open_all(void)
{
	sqlite3 *db;

	if (!loop)
		ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_events_db_open("e.db", &db, &error), 0);
	ck_assert_int_eq(fn_db_writer_new(loop, "e.db", db, &writer, &error), 0);
	ck_assert_int_eq(fn_queues_new(loop, writer, "e.db", &queues, &error), 0);
	ck_assert_int_eq(fn_sqs_new(&(struct fn_sqs_config){.loop = loop, .writer = writer, .queues = queues, .db_path = "e.db", .region = "us-east-1", .account_id = "000000000000"}, &sqs, &error), 0);
}

static void close_all(void)
{
	fn_sqs_drain(sqs);
	fn_queues_stop(queues);
	fn_db_writer_drain(writer);
	fn_sqs_free(sqs);
	fn_queues_free(queues);
	fn_db_writer_free(writer);
}

static void fresh(void)
{
	char name[] = "sqs-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chdir(name), 0);
	open_all();
}

struct asked {
	bool over;
	unsigned status;
	char error[96];
	json_t *body;
	struct fn_sqs_call *call;
};

static void on_answer(void *arg, struct fn_sqs_answer *a)
{
	struct asked *x = arg;

	x->over = true;
	x->status = a->status;
	snprintf(x->error, sizeof(x->error), "%s", a->query_error ? a->query_error : "");
	x->body = a->body.data ? json_loadb(a->body.data, a->body.len, 0, NULL) : NULL;
	fn_buf_free(&a->body);
}

static void begin(struct asked *x, const char *operation, const char *principal, const char *identity, json_t *in)
{
	struct fn_sqs_request r = {.operation = operation, .in = in, .who = {principal, identity, ""}, .host = "h:1", .request_id = "r", .answer = on_answer, .arg = x};

	*x = (struct asked){0};
	fn_sqs_serve(sqs, &r, &x->call);
}

static void end(struct asked *x)
{
	uint64_t until = fn_clock_mono_us() + 20000000;

	while (!x->over && fn_clock_mono_us() < until)
		ck_assert_int_eq(fn_loop_run_once(loop, 100000), 0);
	ck_assert(x->over);
	ck_assert_ptr_null(x->call);
}

/* The answer's body; status must be this. */
static json_t *ask_as(const char *principal, const char *identity, unsigned status, const char *operation, json_t *in)
{
	struct asked x;

	begin(&x, operation, principal, identity, in);
	end(&x);
	ck_assert_msg(x.status == status, "%s: %u %s", operation, x.status, json_string_value(json_object_get(x.body, "message")));
	return x.body;
}
#define ask(status, operation, ...) ask_as("arn:aws:iam::000000000000:root", "allow", status, operation, json_pack(__VA_ARGS__))

#define URL(name) "http://h:1/000000000000/" name
#define USER "arn:aws:iam::000000000000:user/u"

START_TEST(who_may)
{
	static const struct {
		const char *policy, *principal, *identity, *operation;
		unsigned status;
	} cases[] = {
		{NULL, USER, "allow", "SendMessage", 200},
		{NULL, USER, "none", "SendMessage", 403},
		{NULL, "", "none", "SendMessage", 403},
		{"{'Effect':'Allow','Principal':'*','Action':'sqs:SendMessage','Resource':'*'}", "", "none", "SendMessage", 200},
		{"{'Effect':'Allow','Principal':'*','Action':'sqs:SendMessage','Resource':'*'}", "", "none", "ReceiveMessage", 403},
		{"{'Effect':'Allow','Principal':'*','Action':'SQS:*','Resource':'arn:aws:sqs:us-east-1:000000000000:other'}", "", "none", "SendMessage", 403},
		{"{'Effect':'Allow','Principal':{'AWS':'" USER "'},'Action':'sqs:SendMessage','Resource':'*'}", USER, "none", "SendMessage", 200},
		{"{'Effect':'Allow','Principal':{'AWS':'" USER "'},'Action':'sqs:SendMessage','Resource':'*'}", USER "2", "none", "SendMessage", 403},
		{"{'Effect':'Deny','Principal':'*','Action':'sqs:SendMessage','Resource':'*'}", USER, "allow", "SendMessage", 403},
		{"{'Effect':'Deny','Principal':'*','Action':'sqs:SendMessage','Resource':'*'}", USER, "allow", "SendMessageBatch", 403},
		{"{'Effect':'Deny','Principal':'*','Action':'sqs:DeleteMessage','Resource':'*'}", USER, "allow", "SendMessage", 200},
		{"{'Effect':'Allow','Principal':'*','Action':'sqs:SendMessage','Resource':'*'}", USER, "deny", "SendMessage", 403},
		{"{'Effect':'Allow','Principal':{'AWS':'000000000000'},'Action':'sqs:*','Resource':'*'}", USER, "none", "SendMessage", 403},
		{"{'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::000000000000:role/r'},'Action':'sqs:*','Resource':'*'}", "arn:aws:sts::000000000000:assumed-role/r/s", "none", "SendMessage", 200},
		{"{'Effect':'Allow','Principal':'*','Action':'sqs:*','Resource':'*','Condition':{'ArnEquals':{'aws:PrincipalArn':'" USER "'}}}", USER, "none", "SendMessage", 200},
		{"{'Effect':'Allow','Principal':'*','Action':'sqs:*','Resource':'*','Condition':{'ArnEquals':{'aws:PrincipalArn':'" USER "'}}}", USER "2", "none", "SendMessage", 403},
	};

	fresh();
	json_decref(ask(200, "CreateQueue", "{s:s}", "QueueName", "q"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char policy[512] = "";

		if (cases[i].policy)
			snprintf(policy, sizeof(policy), "{'Version':'2012-10-17','Statement':[%s]}", cases[i].policy);
		for (char *c = policy; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		json_decref(ask(200, "SetQueueAttributes", "{s:s, s:{s:s}}", "QueueUrl", URL("q"), "Attributes", "Policy", policy));
		json_decref(ask_as(cases[i].principal, cases[i].identity, cases[i].status, cases[i].operation,
				   strcmp(cases[i].operation, "SendMessageBatch") == 0
					   ? json_pack("{s:s, s:[{s:s, s:s}]}", "QueueUrl", URL("q"), "Entries", "Id", "a", "MessageBody", "x")
					   : json_pack("{s:s, s:s}", "QueueUrl", URL("q"), "MessageBody", "x")));
	}
	json_decref(ask(400, "SetQueueAttributes", "{s:s, s:{s:s}}", "QueueUrl", URL("q"), "Attributes", "Policy", "{\"Statement\":[{\"Effect\":\"Maybe\"}]}"));
	close_all();
}
END_TEST

/* The lineage of a chain of functions is the platform's to say, whatever the sender claims. */
START_TEST(whose_lineage)
{
	static const struct {
		const char *given, *header, *kept;
	} cases[] = {
		{NULL, NULL, NULL},
		{NULL, "Root=1;Lineage=aaaaaaaa:1", "Root=1;Lineage=aaaaaaaa:1"},
		{"Root=2", NULL, "Root=2"},
		{"Root=2", "Root=1", "Root=2"},
		{"Root=2;Sampled=1", "Root=1;Lineage=aaaaaaaa:16", "Root=2;Sampled=1;Lineage=aaaaaaaa:16"},
		{"Root=2;Lineage=bbbbbbbb:1;Sampled=1", "Lineage=aaaaaaaa:16;Root=1", "Root=2;Sampled=1;Lineage=aaaaaaaa:16"},
	};

	fresh();
	json_decref(ask(200, "CreateQueue", "{s:s}", "QueueName", "q"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct asked x = {0};
		struct fn_sqs_request r = {.operation = "SendMessage", .in = json_pack("{s:s, s:s}", "QueueUrl", URL("q"), "MessageBody", "x"), .who = {USER, "allow", ""}, .host = "h",
					   .request_id = "r", .trace_id = cases[i].header, .answer = on_answer, .arg = &x};
		json_t *got, *m;

		if (cases[i].given)
			json_object_set_new(r.in, "MessageSystemAttributes", json_pack("{s:{s:s, s:s}}", "AWSTraceHeader", "DataType", "String", "StringValue", cases[i].given));
		fn_sqs_serve(sqs, &r, &x.call);
		end(&x);
		ck_assert_int_eq((int)x.status, 200);
		json_decref(x.body);
		got = ask(200, "ReceiveMessage", "{s:s, s:[s]}", "QueueUrl", URL("q"), "MessageSystemAttributeNames", "AWSTraceHeader");
		m = json_array_get(json_object_get(got, "Messages"), 0);
		ck_assert_pstr_eq(json_string_value(json_object_get(json_object_get(m, "Attributes"), "AWSTraceHeader")), cases[i].kept);
		json_decref(got);
	}
	close_all();
}
END_TEST

START_TEST(receipts_of_no_message)
{
	char receipt[FN_SQS_RECEIPT_SIZE], bad[FN_SQS_RECEIPT_SIZE];
	uint32_t receives;
	uint64_t id;

	fn_sqs_receipt_make("q", 1ull << 40 | 7, 3, receipt);
	ck_assert_int_eq(fn_sqs_receipt_read("q", receipt, &id, &receives), 0);
	ck_assert(id == (1ull << 40 | 7) && receives == 3);
	ck_assert_int_eq(fn_sqs_receipt_read("r", receipt, &id, &receives), -EINVAL);
	for (size_t i = 0; receipt[i]; i++) { /* a letter of it changed, or cut there */
		strcpy(bad, receipt);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		ck_assert_int_eq(fn_sqs_receipt_read("q", bad, &id, &receives), -EINVAL);
		bad[i] = '\0';
		ck_assert_int_eq(fn_sqs_receipt_read("q", bad, &id, &receives), -EINVAL);
	}
}
END_TEST

START_TEST(polls_end)
{
	struct asked gone, drained, deleted;
	json_t *in = json_pack("{s:s, s:i}", "QueueUrl", URL("q"), "WaitTimeSeconds", 20);

	fresh();
	json_decref(ask(200, "CreateQueue", "{s:s}", "QueueName", "q"));
	json_decref(ask(200, "CreateQueue", "{s:s}", "QueueName", "d"));
	begin(&gone, "ReceiveMessage", USER, "allow", json_deep_copy(in));
	begin(&deleted, "ReceiveMessage", USER, "allow", json_pack("{s:s, s:i}", "QueueUrl", URL("d"), "WaitTimeSeconds", 20));
	fn_db_writer_drain(writer);
	ck_assert(!gone.over && !deleted.over);
	fn_sqs_gone(gone.call);
	ck_assert(gone.over);
	json_decref(ask(200, "SendMessage", "{s:s, s:s}", "QueueUrl", URL("q"), "MessageBody", "for another"));
	begin(&drained, "ReceiveMessage", USER, "allow", json_deep_copy(in));
	end(&drained); /* the one that has gone took nothing */
	ck_assert_int_eq((int)json_array_size(json_object_get(drained.body, "Messages")), 1);
	json_decref(drained.body);
	json_decref(ask(200, "DeleteQueue", "{s:s}", "QueueUrl", URL("d")));
	end(&deleted);
	ck_assert_str_eq(deleted.error, "AWS.SimpleQueueService.NonExistentQueue;Sender");
	json_decref(deleted.body);
	begin(&drained, "ReceiveMessage", USER, "allow", in);
	fn_db_writer_drain(writer);
	ck_assert(!drained.over);
	fn_sqs_drain(sqs);
	ck_assert(drained.over && drained.status == 200);
	close_all();
}
END_TEST

START_TEST(a_restart)
{
	json_t *a;

	fresh();
	json_decref(ask(200, "CreateQueue", "{s:s, s:{s:s}, s:{s:s}}", "QueueName", "q", "Attributes", "VisibilityTimeout", "77", "tags", "k", "v"));
	json_decref(ask(200, "SendMessage", "{s:s, s:s}", "QueueUrl", URL("q"), "MessageBody", "kept"));
	ck_assert_ptr_nonnull(fn_queue_get(queues, "sqs:orphan", 0)); /* its process ended between the two */
	close_all();
	open_all();
	fn_db_writer_drain(writer);
	ck_assert_ptr_null(fn_queue_find(queues, "sqs:orphan"));
	a = ask(200, "GetQueueAttributes", "{s:s, s:[s,s]}", "QueueUrl", URL("q"), "AttributeNames", "VisibilityTimeout", "ApproximateNumberOfMessages");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "Attributes"), "VisibilityTimeout")), "77");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "Attributes"), "ApproximateNumberOfMessages")), "1");
	json_decref(a);
	close_all();
}
END_TEST

START_TEST(a_queue_that_cannot_be_deleted)
{
	json_t *a;
	sqlite3 *db;

	fresh();
	json_decref(ask(200, "CreateQueue", "{s:s}", "QueueName", "q"));
	json_decref(ask(200, "SendMessage", "{s:s, s:s}", "QueueUrl", URL("q"), "MessageBody", "kept"));
	ck_assert_int_eq(sqlite3_open("e.db", &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_exec(db, "CREATE TRIGGER no BEFORE DELETE ON sqs_queues BEGIN SELECT RAISE(ABORT, 'no'); END", &error), 0);
	json_decref(ask(503, "DeleteQueue", "{s:s}", "QueueUrl", URL("q")));
	a = ask(200, "ReceiveMessage", "{s:s}", "QueueUrl", URL("q")); /* nothing of it is gone */
	ck_assert_int_eq((int)json_array_size(json_object_get(a, "Messages")), 1);
	json_decref(a);
	ck_assert_int_eq(fn_db_exec(db, "DROP TRIGGER no", &error), 0);
	sqlite3_close(db);
	json_decref(ask(200, "DeleteQueue", "{s:s}", "QueueUrl", URL("q")));
	json_decref(ask(400, "ReceiveMessage", "{s:s}", "QueueUrl", URL("q")));
	ck_assert_ptr_null(fn_queue_find(queues, "sqs:q"));
	close_all();
}
END_TEST

static struct fn_queue_message leased;
static json_t *record;
static bool over;

static void on_lease(struct fn_queue_lease *l, const struct fn_err *err)
{
	ck_assert_ptr_null(err);
	ck_assert_int_eq((int)l->n_messages, 1);
	leased = l->messages[0];
	record = fn_sqs_record(sqs, "arn:aws:sqs:us-east-1:000000000000:q", &l->messages[0]);
	over = true;
}

static void on_change(struct fn_queue_change *c, const struct fn_err *err)
{
	(void)c;
	ck_assert_ptr_null(err);
	over = true;
}

static void wait_over(void)
{
	for (over = false; !over;)
		ck_assert_int_eq(fn_loop_run_once(loop, 1000000), 0);
}

START_TEST(queues_by_arn)
{
	const struct fn_sqs_attribute attribute = {"ErrorCode", "Number", "200"};
	struct fn_sqs_message m = {.body = "event", .len = 5, .attributes = &attribute, .n_attributes = 1, .trace_id = "Root=1"};
	struct fn_queue_lease l = {.n = 1, .done = on_lease, .wait_until_us = UINT64_MAX};
	struct fn_queue_step step;
	struct fn_queue_change c = {.steps = &step, .n = 1, .done = on_change};
	char why[FN_SQS_WHY_MAX];
	struct fn_sqs_facts facts;
	void *memory;

	fresh();
	json_decref(ask(200, "CreateQueue", "{s:s}", "QueueName", "q"));
	json_decref(ask(200, "CreateQueue", "{s:s, s:{s:s}}", "QueueName", "f.fifo", "Attributes", "FifoQueue", "true"));
	ck_assert_int_eq(fn_sqs_find(sqs, "arn:aws:sqs:us-east-1:000000000000:q", &facts), 0);
	ck_assert_uint_eq(facts.visibility_us, 30000000);
	ck_assert_int_eq(fn_sqs_find(sqs, "arn:aws:sqs:us-east-1:000000000001:q", &facts), -ENOENT);
	ck_assert_int_eq(fn_sqs_step(sqs, "arn:aws:sqs:us-east-1:000000000000:none", &m, &step, &memory, why), -ENOENT);
	ck_assert_int_eq(fn_sqs_step(sqs, "arn:aws:sqs:us-east-1:000000000000:f.fifo", &m, &step, &memory, why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "MessageGroupId"));
	ck_assert_int_eq(fn_sqs_lease(sqs, "arn:aws:sqs:us-east-1:000000000000:q", &l), 0);
	ck_assert_int_eq(fn_sqs_step(sqs, "arn:aws:sqs:us-east-1:000000000000:q", &m, &step, &memory, why), 0);
	fn_queue_change(queues, &c);
	wait_over();
	while (!record)
		ck_assert_int_eq(fn_loop_run_once(loop, 1000000), 0);
	free(memory);
	ck_assert_str_eq(json_string_value(json_object_get(record, "body")), "event");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json_object_get(record, "messageAttributes"), "ErrorCode"), "stringValue")), "200");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(record, "attributes"), "AWSTraceHeader")), "Root=1");
	ck_assert_str_eq(json_string_value(json_object_get(record, "eventSource")), "aws:sqs");
	json_decref(record);
	close_all();
}
END_TEST

TEST_MAIN("sqs", who_may, whose_lineage, receipts_of_no_message, polls_end, a_restart, a_queue_that_cannot_be_deleted, queues_by_arn)

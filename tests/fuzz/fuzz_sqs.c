/*
 * fuzz_sqs.c - requests to SQS as they come out of their protocol: "Operation\nJSON", one after the other with NULs between. "@R" in a JSON is the last receipt handle that was answered.
 * Each is answered once, with JSON or nothing, and what the engine counts is what its tables hold.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "service/schema.h"
#include "sqs/sqs.h"

#define REQUESTS_MOST 32

static struct fn_loop *loop;
static struct fn_db_writer *writer;
static struct fn_queues *queues;
static struct fn_sqs *sqs;
static char receipt[128], path[512];

struct asked {
	unsigned answers, status;
	json_t *body;
	struct fn_sqs_call *call;
};

static void on_answer(void *arg, struct fn_sqs_answer *a)
{
	struct asked *x = arg;

	x->answers++;
	x->status = a->status;
	x->body = a->body.len ? json_loadb(a->body.data, a->body.len, 0, NULL) : NULL;
	fuzz_check(a->body.len == 0 || x->body != NULL);
	fuzz_check(a->status == 200 || a->query_error != NULL);
	fn_buf_free(&a->body);
}

static json_t *ask(const char *operation, json_t *in, unsigned *ret_status)
{
	struct asked x = {0};
	struct fn_sqs_request r = {.operation = operation, .in = in, .who = {"", "allow", ""}, .host = "h", .request_id = "r", .answer = on_answer, .arg = &x};

	fn_sqs_serve(sqs, &r, &x.call);
	fn_db_writer_drain(writer);
	for (int i = 0; i < 8 && x.answers == 0; i++) { /* of several steps, or a long poll */
		if (i == 7 && x.call)
			fn_sqs_gone(x.call);
		fn_db_writer_drain(writer);
		(void)fn_loop_run_once(loop, 0);
	}
	fuzz_check(x.answers == 1);
	fuzz_check(x.call == NULL);
	if (ret_status)
		*ret_status = x.status;
	return x.body;
}

static void open_all(void)
{
	struct fn_err err;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/e.db", fuzz_dir());
	fuzz_check(fn_loop_new(&loop) == 0 && fn_events_db_open(path, &db, &err) == 0);
	fuzz_check(fn_db_writer_new(loop, path, db, &writer, &err) == 0 && fn_queues_new(loop, writer, path, &queues, &err) == 0);
	fuzz_check(fn_sqs_new(&(struct fn_sqs_config){.loop = loop, .writer = writer, .queues = queues, .db_path = path, .region = "us-east-1", .account_id = "000000000000"}, &sqs, &err) == 0);
}

static void one(char *text)
{
	char *json = strchr(text, '\n'), *at;
	struct fn_buf with = {0};
	json_t *in, *out;

	if (!json)
		return;
	*json++ = '\0';
	while ((at = strstr(json, "@R"))) {
		(void)fn_buf_add(&with, json, (size_t)(at - json));
		(void)fn_buf_add_str(&with, receipt);
		json = at + 2;
	}
	(void)fn_buf_add_str(&with, json);
	in = json_loadb(with.data ? with.data : "", with.len, 0, NULL);
	fn_buf_free(&with);
	if (json_is_object(json_object_get(in, "Attributes")))
		json_object_del(json_object_get(in, "Attributes"), "DelaySeconds"); /* nothing here waits for time */
	out = ask(text, in, NULL);
	at = (char *)json_string_value(json_object_get(json_array_get(json_object_get(out, "Messages"), 0), "ReceiptHandle"));
	if (at)
		snprintf(receipt, sizeof(receipt), "%s", at);
	json_decref(out);
}

/* Of each queue; then it goes. */
static void check_and_clear(void)
{
	struct fn_queue_counts c, all = {0};
	struct fn_queue *q;
	json_t *urls = ask("ListQueues", json_object(), NULL), *v;
	sqlite3 *db;
	int64_t n = 0;
	size_t it = 0, i;

	while ((q = fn_queue_next(queues, &it))) {
		fn_queue_count(q, &c);
		all.ready += c.ready;
		all.leased += c.leased;
		all.delayed += c.delayed;
	}
	fuzz_check(sqlite3_open(path, &db) == SQLITE_OK);
	for (int state = 0; state < 3; state++) {
		char sql[160];

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM messages WHERE state=%d AND queue IN (SELECT inner FROM queues)", state);
		fuzz_check(fn_db_number(db, sql, &n, NULL) == 0);
		fuzz_check((uint64_t)n == (state == 0 ? all.ready : state == 1 ? all.delayed : all.leased));
	}
	fuzz_check(fn_db_number(db, "SELECT count(*) FROM queue_groups g WHERE queue IN (SELECT inner FROM queues) AND (leased<>(SELECT count(*) FROM messages WHERE grp=g.id AND state=2)"
				 " OR ready<>(SELECT state=0 FROM messages WHERE grp=g.id ORDER BY pos LIMIT 1))", &n, NULL) == 0 &&
		   n == 0);
	sqlite3_close(db);
	json_array_foreach(json_object_get(urls, "QueueUrls"), i, v) json_decref(ask("DeleteQueue", json_pack("{s:O}", "QueueUrl", v), NULL));
	json_decref(urls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {.p = data, .end = data + size};

	if (!sqs)
		open_all();
	receipt[0] = '\0';
	for (int i = 0; i < REQUESTS_MOST && fuzz_more(&in); i++) {
		size_t len;
		char *text = fuzz_take(&in, 0, &len);

		one(text);
		free(text);
	}
	check_and_clear();
	return 0;
}

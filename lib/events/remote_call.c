/* remote_call.c - see remote_call.h. */
#include "events/remote_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "web/json_load.h"

struct fn_remote_request {
	struct fn_outbound_call *call;
	void (*done)(void *arg, const struct fn_remote_reply *a);
	void *arg;
};

/* The code as the query protocol has it, which is the one that people know: "AWS.SimpleQueueService.NonExistentQueue;Sender". */
static void code_of(const struct fn_outbound_answer *a, const json_t *body, char *code, size_t size)
{
	const char *query = fn_outbound_header(a->call, "x-amzn-query-error"), *type = json_string_value(json_object_get(body, "__type")), *hash = type ? strchr(type, '#') : NULL;

	if (query)
		snprintf(code, size, "%.*s", (int)strcspn(query, ";"), query);
	else
		snprintf(code, size, "%s", hash ? hash + 1 : type ? type : "");
	if (fn_streq(code, "QueueDoesNotExist"))
		snprintf(code, size, "AWS.SimpleQueueService.NonExistentQueue");
}

static int error_of(unsigned status, const char *code)
{
	if (strstr(code, "NonExistentQueue"))
		return ENOENT;
	return status == 401 || status == 403 ? EACCES : EIO;
}

static void on_answer(void *arg, const struct fn_outbound_answer *a)
{
	struct fn_remote_request p = *(struct fn_remote_request *)arg;
	struct fn_remote_reply reply = {.code = "", .message = ""};
	char code[128] = "", what[512];
	json_t *body = NULL;

	free(arg);
	if (a->err) {
		reply.error = EIO;
		reply.message = a->err->msg;
		snprintf(what, sizeof(what), "PROBLEM: Connection error: %s", a->err->msg);
	} else {
		body = fn_json_load(a->body, a->len, 0);
		if (a->status != 200 || (!body && a->len > 0)) {
			const char *message = json_string_value(json_object_get(body, "message") ?: json_object_get(body, "Message"));

			code_of(a, body, code, sizeof(code));
			reply.error = error_of(a->status, code);
			reply.message = message ? message : "";
			snprintf(what, sizeof(what), "PROBLEM: The queue's server answers %u %.100s %.200s", a->status, code, reply.message);
		}
	}
	reply.what = reply.error ? what : NULL;
	reply.code = code;
	reply.body = body;
	p.done(p.arg, &reply);
	json_decref(body);
}

int fn_remote_call(const struct fn_endpoint *endpoint, const char *operation, json_t *in, uint64_t timeout_us, size_t body_max, void (*done)(void *arg, const struct fn_remote_reply *a), void *arg,
		struct fn_remote_request **ret)
{
	char *text = in ? json_dumps(in, JSON_COMPACT) : NULL, target[64];
	struct fn_remote_request *p = malloc(sizeof(*p));
	int r = -ENOMEM;

	json_decref(in);
	snprintf(target, sizeof(target), "AmazonSQS.%s", operation);
	if (p && text) {
		*p = (struct fn_remote_request){.done = done, .arg = arg};
		r = fn_endpoint_send(endpoint, &(struct fn_endpoint_request){.target = target, .content_type = "application/x-amz-json-1.0", .body = text, .len = strlen(text), .body_max = body_max,
									      .timeout_us = timeout_us, .done = on_answer, .arg = p}, &p->call);
	}
	if (r < 0)
		free(p);
	else if (ret)
		*ret = p;
	free(text);
	return r;
}

void fn_remote_cancel(struct fn_remote_request *r)
{
	if (!r)
		return;
	fn_outbound_cancel(r->call);
	free(r);
}

/* answer.c - what a call is answered, by the protocol it has come by; with that it ends. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/xml.h"
#include "base/log.h"
#include "sqs/internal.h"
#include "web/json_text.h"

static void end(struct fn_sqs_call *call, struct fn_sqs_answer *a)
{
	if (call->handle)
		*call->handle = NULL;
	fn_list_remove(&call->link);
	call->answer(call->arg, a);
	if (call->free_state)
		call->free_state(call->state);
	json_decref(call->in);
	free(call->principal);
	free(call->identity);
	free(call->context);
	free(call->host);
	free(call->trace_id);
	free(call);
}

static int add_json(const char *data, size_t len, void *arg) { return fn_buf_add(arg, data, len) < 0 ? -1 : 0; }

void fn_sqs_reply(struct fn_sqs_call *call, json_t *out)
{
	struct fn_sqs_answer a = {.status = 200};
	int r = 0;

	if (call->query) {
		a.type = FN_AWS_XML_TYPE;
		r = fn_aws_xml_response(&a.body, call->o, out, call->request_id);
	} else if (out) {
		a.type = "application/x-amz-json-1.0";
		r = json_dump_callback(out, add_json, &a.body, JSON_COMPACT);
	}
	json_decref(out);
	if (r < 0) {
		fn_buf_free(&a.body);
		a = (struct fn_sqs_answer){.status = 503};
	}
	end(call, &a);
}

static void fail(struct fn_sqs_call *call, const struct fn_sqs_error *e, const char *text)
{
	struct fn_sqs_answer a = {.status = e->status};
	char query_error[96];

	if (call->query && e->text)
		text = e->text;
	snprintf(query_error, sizeof(query_error), "%s;%s", e->query, e->status < 500 ? "Sender" : "Receiver");
	if (call->query) {
		a.type = FN_AWS_XML_TYPE;
		(void)fn_aws_xml_error(&a.body, FN_AWS_SQS, e->status < 500, e->query, text, call->request_id);
	} else {
		a.type = "application/x-amz-json-1.0";
		a.query_error = query_error;
		(void)fn_buf_addf(&a.body, "{\"__type\":\"%s#%s\",\"message\":", e->coral ? "com.amazon.coral.service" : "com.amazonaws.sqs", e->name);
		(void)fn_json_add_string(&a.body, text, strlen(text));
		(void)fn_buf_add_str(&a.body, "}");
	}
	end(call, &a);
}

void fn_sqs_fail(struct fn_sqs_call *call, const struct fn_sqs_error *e, const char *fmt, ...)
{
	char text[1536];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail(call, e, text);
}

void fn_sqs_fail_with(struct fn_sqs_call *call, const struct fn_sqs_problem *p) { fail(call, p->error, p->text); }

void fn_sqs_failed(struct fn_sqs_call *call, const struct fn_err *err)
{
	char text[320];

	if (err->code == ENOENT) { /* its queue was deleted meanwhile */
		fail(call, &FN_SQS_NO_QUEUE, "The specified queue does not exist.");
		return;
	}
	if (err->code != ECANCELED)
		fn_log_warn("sqs: %s: %s", call->o->name, fn_err_format(err, text, sizeof(text)));
	fail(call, &FN_SQS_UNAVAILABLE, err->code == ENOSPC ? "There is no room on the disk." : "Try again.");
}

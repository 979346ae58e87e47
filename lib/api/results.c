/* results.c - see results.h: whole results, and what all have in common. The hot path: builds no JSON but for refusals. */
#include "api/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "invoke/invoke.h"
#include "model/inner.h"

struct fn_result *fn_result_new(const struct fn_call *call)
{
	struct fn_result *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct fn_result){.api = call->api, .req = call->req, .operation = call->operation};
	memcpy(r->request_id, call->request_id, sizeof(r->request_id));
	return r;
}

void fn_result_drop(struct fn_invocation *inv) { free(fn_take_ptr(inv->arg)); }

/* fn-events shares it out. */
static void add_concurrency(const struct fn_result *r, const struct fn_invocation *inv)
{
	int64_t reserved, left;
	char text[48];

	if (fn_http_req_role(r->req) != FN_HTTP_EVENTS)
		return;
	fn_invoker_concurrency(r->api->cfg.invoker, inv->function->name, &reserved, &left);
	snprintf(text, sizeof(text), "%lld %lld", (long long)reserved, (long long)left);
	(void)fn_http_req_add_header(r->req, FN_INNER_CONCURRENCY, text);
}

void fn_result_refuse(const struct fn_result *r, const struct fn_invocation *inv)
{
	static const struct fn_aws_error *const errors[] = {
		[FN_REFUSAL_NONE] = &FN_E_SERVICE, [FN_REFUSAL_ACCOUNT_FULL] = &FN_E_TOO_MANY, [FN_REFUSAL_FUNCTION_FULL] = &FN_E_FUNCTION_FULL,
		[FN_REFUSAL_FUNCTION_OFF] = &FN_E_FUNCTION_OFF, [FN_REFUSAL_MACHINE] = &FN_E_TOO_MANY, [FN_REFUSAL_PLATFORM] = &FN_E_SERVICE, [FN_REFUSAL_SNAPSTART] = &FN_E_SNAPSTART,
		[FN_REFUSAL_SNAPSTART_TIMEOUT] = &FN_E_SNAPSTART_TIMEOUT,
	};
	static const char *const kinds[] = {
		[FN_REFUSAL_NONE] = "platform", [FN_REFUSAL_ACCOUNT_FULL] = "account", [FN_REFUSAL_FUNCTION_FULL] = "function", [FN_REFUSAL_FUNCTION_OFF] = "off",
		[FN_REFUSAL_MACHINE] = "machine", [FN_REFUSAL_PLATFORM] = "platform", [FN_REFUSAL_SNAPSTART] = "platform", [FN_REFUSAL_SNAPSTART_TIMEOUT] = "platform",
	};
	struct fn_call call = {.api = r->api, .req = r->req, .operation = r->operation};
	const char *message = "Rate Exceeded.";
	char text[512];

	memcpy(call.request_id, r->request_id, sizeof(call.request_id));
	if (inv->refusal == FN_REFUSAL_SNAPSTART || inv->refusal == FN_REFUSAL_SNAPSTART_TIMEOUT)
		message = inv->err.msg;
	else if (inv->refusal == FN_REFUSAL_MACHINE || inv->refusal == FN_REFUSAL_PLATFORM || inv->refusal == FN_REFUSAL_NONE)
		message = fn_err_format(&inv->err, text, sizeof(text));
	add_concurrency(r, inv);
	if (fn_http_req_role(r->req) == FN_HTTP_EVENTS)
		(void)fn_http_req_add_header(r->req, FN_INNER_REFUSAL, kinds[inv->refusal]);
	(void)fn_http_req_add_header(r->req, "X-Amzn-Trace-Id", inv->trace_id);
	fn_reply_error(&call, errors[inv->refusal], "%s", message);
}

void fn_result_headers(const struct fn_result *r, const struct fn_invocation *inv)
{
	(void)fn_http_req_add_header(r->req, "X-Amzn-Trace-Id", inv->trace_id);
	add_concurrency(r, inv);
	(void)fn_http_req_add_header(r->req, "X-Amz-Executed-Version", inv->function->version);
	(void)fn_http_req_add_header(r->req, "x-amzn-RequestId", r->request_id);
}

/* --- whole --- */
static void reply(struct fn_invocation *inv)
{
	struct fn_result *r = inv->arg;
	char *payload = fn_take_ptr(inv->result), *b64;

	fn_result_headers(r, inv);
	if (inv->outcome == FN_INV_FUNCTION_ERROR)
		(void)fn_http_req_add_header(r->req, "X-Amz-Function-Error", "Unhandled");
	if (inv->tail && inv->tail_len && fn_base64_encode(inv->tail, inv->tail_len, &b64) == 0) {
		(void)fn_http_req_add_header(r->req, "X-Amz-Log-Result", b64);
		free(b64);
	}
	fn_http_reply_owned(r->req, 200, inv->result_type ? inv->result_type : "application/json", payload ? payload : "", payload ? inv->result_len : 0,
			    free, payload);
	free(r);
}

static void refuse(struct fn_invocation *inv)
{
	if (inv->outcome == FN_INV_FUNCTION_ERROR) {
		reply(inv);
		return;
	}
	fn_result_refuse(inv->arg, inv);
	free(inv->arg);
}

int fn_result_whole(struct fn_call *call, struct fn_invocation *inv)
{
	static const struct fn_sink sink = {.end = reply, .fail = refuse};

	inv->sink = &sink;
	inv->arg = fn_result_new(call);
	return inv->arg ? 0 : -ENOMEM;
}

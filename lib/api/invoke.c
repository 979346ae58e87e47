/* invoke.c - POST .../invocations: the hot path. Builds no JSON, touches no disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/settling.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "invoke/router.h"
#include "model/limits.h"
#include "web/json_fault.h"
#include "web/json_scan.h"

struct waiting { /* what is needed of the fn_call, which is too large to be copied for each invocation */
	struct fn_api *api;
	struct fn_http_req *req;
	char request_id[FN_UUID_SIZE];
};

static struct fn_call call_of(const struct waiting *w)
{
	struct fn_call call = {.api = w->api, .req = w->req, .operation = &fn_aws_operations[FN_AWS_Invoke]};

	memcpy(call.request_id, w->request_id, sizeof(call.request_id));
	return call;
}

static void reply_failure(const struct waiting *w, const struct fn_aws_error *error, const char *message)
{
	struct fn_call call = call_of(w);

	fn_reply_error(&call, error, "%s", message);
}

static void on_done(void *arg, struct fn_invoke_result *res)
{
	struct waiting *w = arg;
	struct fn_http_req *req = w->req;
	char text[512], *payload;

	if (res->trace_id)
		(void)fn_http_req_add_header(req, "X-Amzn-Trace-Id", res->trace_id);
	if (res->log_tail && res->log_tail_len) {
		char *b64;

		if (fn_base64_encode(res->log_tail, res->log_tail_len, &b64) == 0) {
			(void)fn_http_req_add_header(req, "X-Amz-Log-Result", b64);
			free(b64);
		}
	}
	switch (res->outcome) {
	case FN_OUTCOME_THROTTLED:
		reply_failure(w, res->function_off ? &FN_E_FUNCTION_OFF : res->function_full ? &FN_E_FUNCTION_FULL : &FN_E_TOO_MANY, "Rate Exceeded.");
		break;
	case FN_OUTCOME_PLATFORM_ERROR:
		if (fn_streq(res->err->stage, "SnapStart"))
			reply_failure(w, res->err->code == ETIME ? &FN_E_SNAPSTART_TIMEOUT : &FN_E_SNAPSTART, res->err->msg);
		else
			reply_failure(w, &FN_E_SERVICE, fn_err_format(res->err, text, sizeof(text)));
		break;
	case FN_OUTCOME_FUNCTION_ERROR:
		(void)fn_http_req_add_header(req, "X-Amz-Function-Error", "Unhandled");
		/* fall through */
	case FN_OUTCOME_RESPONSE:
		(void)fn_http_req_add_header(req, "X-Amz-Executed-Version", res->executed_version);
		(void)fn_http_req_add_header(req, "x-amzn-RequestId", w->request_id);
		payload = res->take_payload(res);
		fn_http_reply_owned(req, 200, res->content_type ? res->content_type : "application/json", payload ? payload : "",
				    payload ? res->payload_len : 0, free, payload);
		break;
	}
	free(w);
}

/* The header is base64 of a JSON object. */
static bool client_context(struct fn_call *call, char **ret)
{
	const char *h = fn_http_req_header(call->req, "X-Amz-Client-Context");
	fn_auto_free uint8_t *data = NULL;
	size_t len;

	*ret = NULL;
	if (!h)
		return true;
	if (strlen(h) > FN_LIMIT_CLIENT_CONTEXT) {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "Client context must be no more than %d bytes when base64-encoded",
			       FN_LIMIT_CLIENT_CONTEXT);
		return false;
	}
	if (fn_base64_decode(h, strlen(h), &data, &len) < 0 || !fn_json_valid((char *)data, len, NULL) ||
	    data[strspn((char *)data, " \t\r\n")] != '{') {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "Client context must be a valid Base64-encoded JSON object.");
		return false;
	}
	data[len] = '\0'; /* decode leaves room */
	for (uint8_t *p = data; *p; p++)
		if (*p < 0x20) /* it becomes a header */
			*p = ' ';
	*ret = (char *)fn_take_ptr(data);
	return true;
}

static bool runnable(struct fn_call *call, const struct fn_function *f, const char *arn)
{
	if (f->state == FN_STATE_PENDING && f->snap_start)
		fn_reply_error(call, &FN_E_SNAPSTART_NOT_READY,
			       "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.");
	else if (f->state == FN_STATE_FAILED)
		fn_reply_error(call, &FN_E_CONFLICT, "The function %s is in the state Failed: %s", arn,
			       f->state_reason ? f->state_reason : "no reason is known");
	else
		return true;
	return false;
}

/* A header that asks for what fnd has not; NULL = there is none. */
static const char *unbuilt(const struct fn_call *call)
{
	static const char *const names[] = {"X-Amz-Tenant-Id", "X-Amz-Durable-Execution-Name"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fn_http_req_header(call->req, names[i]))
			return names[i];
	return NULL;
}

/* What most invocations are: the service model has nothing against their headers. Name and qualifier are fn_call_name()'s. */
static bool ordinary(const char *type, const char *log, const char *other)
{
	return !other && (!type || strcmp(type, "RequestResponse") == 0 || strcmp(type, "Event") == 0 || strcmp(type, "DryRun") == 0) &&
	       (!log || strcmp(log, "Tail") == 0 || strcmp(log, "None") == 0);
}

static bool built(struct fn_call *call, const char *type, const char *other)
{
	if (type && strcmp(type, "Event") == 0)
		fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement asynchronous invocation (InvocationType Event) yet");
	else if (other)
		fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not support %s yet", other);
	else
		return true;
	return false;
}

static void refuse_payload(struct fn_call *call, const char *payload, size_t len)
{
	fn_auto_buf struct fn_buf why = {0};

	(void)fn_json_fault(payload, len, &why);
	fn_reply_error(call, &FN_E_INVALID_CONTENT, "Could not parse request body into json: Could not parse payload into json: %s", why.data ? why.data : "");
}

void fn_h_invoke(struct fn_call *call)
{
	const char *type = fn_http_req_header(call->req, "X-Amz-Invocation-Type"), *log = fn_http_req_header(call->req, "X-Amz-Log-Type");
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *other = unbuilt(call);
	struct fn_invoke_params p = {0};
	fn_auto_free char *context = NULL;
	struct waiting *w;
	struct fn_name n;
	struct fn_function *f;
	const char *body;
	char arn[400];

	if ((!ordinary(type, log, other) && !fn_call_valid(call)) || !fn_call_name(call, &n))
		return;
	f = fn_route(cfg->store, n.name, n.qualifier); /* RESOLVE */
	if (!f) {
		fn_reply_absent(call, n.name, n.qualifier);
		return;
	}
	fn_arn_format(arn, sizeof(arn), cfg->region, cfg->account_id, n.name, n.qualifier);
	if (type && strcmp(type, "DryRun") == 0) {
		fn_reply_empty(call, 204);
		return;
	}
	if (!built(call, type, other))
		return;
	if (f->state == FN_STATE_PENDING && fn_function_settling(f)) {
		fn_settling_hold(call, n.name, fn_h_invoke);
		return;
	}
	if (!runnable(call, f, arn) || !client_context(call, &context))
		return;
	fn_http_req_body(call->req, &body, &p.payload_len);
	if (p.payload_len > 0 && !fn_json_valid(body, p.payload_len, NULL)) {
		refuse_payload(call, body, p.payload_len);
		return;
	}
	w = malloc(sizeof(*w));
	if (p.payload_len > 0) {
		p.payload = fn_http_req_take_body(call->req, &p.payload_len);
	} else { /* what the service delivers for an empty event */
		p.payload = strdup("{}");
		p.payload_len = 2;
	}
	if (!w || !p.payload)
		abort();
	w->api = call->api;
	w->req = call->req;
	memcpy(w->request_id, call->request_id, sizeof(w->request_id));
	p.function = f;
	memcpy(p.request_id, call->request_id, sizeof(p.request_id));
	p.invoked_arn = arn;
	p.client_context = context;
	p.trace_id = fn_http_req_header(call->req, "X-Amzn-Trace-Id");
	p.want_log_tail = log && strcmp(log, "Tail") == 0;
	if (fn_invoke_submit(cfg->invoker, &p, on_done, w) < 0) {
		free(p.payload);
		free(w);
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	}
}

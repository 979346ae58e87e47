/* invoke.c - POST .../invocations and .../response-streaming-invocations: the hot path. Builds no JSON, touches no disk. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/recursion.h"
#include "api/results.h"
#include "api/settling.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "invoke/router.h"
#include "model/limits.h"
#include "web/json_fault.h"
#include "web/json_scan.h"

#define DURABLE "X-Amz-Durable-Execution-Name"

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

/* What most invocations are: the service model has nothing against their headers. Name and qualifier are fn_call_name()'s. */
static bool ordinary(const char *type, const char *log, const char *other)
{
	return !other && (!type || strcmp(type, "RequestResponse") == 0 || strcmp(type, "Event") == 0 || strcmp(type, "DryRun") == 0) &&
	       (!log || strcmp(log, "Tail") == 0 || strcmp(log, "None") == 0);
}

static bool built(struct fn_call *call, const char *durable)
{
	if (durable)
		fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not support " DURABLE " yet");
	else
		return true;
	return false;
}

static bool tenant_fits(struct fn_call *call, const struct fn_function *f, const char *tenant)
{
	if (f->per_tenant == (tenant != NULL))
		return true;
	fn_reply_error(call, &FN_E_INVALID_PARAMETER,
		       tenant ? "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again."
			      : "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.");
	return false;
}

static void refuse_payload(struct fn_call *call, const char *payload, size_t len)
{
	fn_auto_buf struct fn_buf why = {0};

	(void)fn_json_fault(payload, len, &why);
	fn_reply_error(call, &FN_E_INVALID_CONTENT, "Could not parse request body into json: Could not parse payload into json: %s", why.data ? why.data : "");
}

static bool is_json(const struct fn_call *call, const char *payload, size_t len)
{
	return call->event == FN_EVENT_UNSEEN ? fn_json_valid(payload, len, NULL) : call->event == FN_EVENT_JSON;
}

/* The event, as the function gets it. Replies and returns false when it is none. */
static bool take_payload(struct fn_call *call, struct fn_invocation *inv)
{
	const char *body;
	size_t len;

	fn_http_req_body(call->req, &body, &len);
	if (len > 0 && !is_json(call, body, len)) {
		refuse_payload(call, body, len);
		return false;
	}
	if (len > 0) {
		inv->payload = fn_http_req_take_body(call->req, &inv->payload_len);
	} else { /* what the service delivers for an empty event */
		inv->payload = strdup("{}");
		inv->payload_len = 2;
	}
	if (!inv->payload)
		abort();
	return true;
}

/* An Event: fn-events' from here on. */
static void hand_over(struct fn_call *call, const char *arn)
{
	const char *body;
	size_t len;

	fn_http_req_body(call->req, &body, &len);
	if (len > FN_LIMIT_EVENT_BYTES)
		fn_reply_error(call, &FN_E_TOO_LARGE, "%zu byte payload is too large for the Event invocation type (limit %d bytes)", len, FN_LIMIT_EVENT_BYTES);
	else if (len > 0 && !is_json(call, body, len))
		refuse_payload(call, body, len);
	else
		fn_proxy_event(call, arn);
}

/* From here on the invocation's sink answers the call. */
static void submit(struct fn_call *call, struct fn_invocation *inv)
{
	int r = fn_aws_op_of(call->operation) == FN_AWS_Invoke ? fn_result_whole(call, inv) : fn_result_stream(call, inv);

	if (r == 0 && (r = fn_invoke_submit(call->api->cfg.invoker, inv)) < 0)
		fn_result_drop(inv);
	if (r < 0)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
}

static void run(struct fn_call *call, struct fn_function *f, const char *arn, const char *tenant, bool tail)
{
	fn_auto_buf struct fn_buf trace = {0};
	size_t trace_len;
	struct fn_invocation *inv;

	if (!fn_call_chain(call, f, &trace))
		return;
	inv = fn_invocation_new();
	if (!inv || !(inv->invoked_arn = strdup(arn)) || (trace.len > 0 && !(inv->trace_id = fn_buf_take(&trace, &trace_len))) || (tenant && !(inv->tenant_id = strdup(tenant))))
		abort();
	if (client_context(call, &inv->client_context) && take_payload(call, inv)) {
		memcpy(inv->id, call->request_id, sizeof(inv->id));
		inv->function = fn_function_ref(f);
		inv->want_tail = tail;
		submit(call, inv);
	}
	fn_invocation_unref(inv);
}

void fn_h_invoke(struct fn_call *call)
{
	const char *type = fn_http_req_header(call->req, "X-Amz-Invocation-Type"), *log = fn_http_req_header(call->req, "X-Amz-Log-Type");
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *durable = fn_http_req_header(call->req, DURABLE), *tenant = fn_http_req_header(call->req, "X-Amz-Tenant-Id");
	struct fn_name n;
	struct fn_function *f;
	char arn[400];

	if ((!ordinary(type, log, durable ? durable : tenant) && !fn_call_valid(call)) || !fn_call_name(call, &n))
		return;
	f = fn_route(cfg->store, n.name, n.qualifier); /* RESOLVE */
	if (!f) {
		fn_reply_absent(call, n.name, n.qualifier);
		return;
	}
	fn_arn_format(arn, sizeof(arn), cfg->region, cfg->account_id, n.name, n.qualifier);
	if (!tenant_fits(call, f, tenant))
		return;
	if (type && strcmp(type, "DryRun") == 0) {
		fn_reply_empty(call, 204);
		return;
	}
	if (!built(call, durable))
		return;
	if (type && strcmp(type, "Event") == 0) { /* whatever state it is in */
		hand_over(call, arn);
		return;
	}
	if (f->state == FN_STATE_PENDING && fn_function_settling(f))
		fn_settling_hold(call, n.name, fn_h_invoke);
	else if (runnable(call, f, arn))
		run(call, f, arn, tenant, log && strcmp(log, "Tail") == 0);
}

/* What Invoke with the type Event does, without a header of its own. */
void fn_h_invoke_async(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	struct fn_name n;
	char arn[400];

	if (!fn_call_name(call, &n))
		return;
	fn_arn_format(arn, sizeof(arn), cfg->region, cfg->account_id, n.name, n.qualifier);
	if (!fn_route(cfg->store, n.name, n.qualifier))
		fn_reply_absent(call, n.name, n.qualifier);
	else
		hand_over(call, arn);
}

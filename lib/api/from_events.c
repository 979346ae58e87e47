/* from_events.c - see from_events.h. */
#include "api/from_events.h"

#include <string.h>

#include "api/internal.h"
#include "api/rights.h"
#include "base/str.h"
#include "invoke/router.h"
#include "model/inner.h"
#include "model/limits.h"
#include "store/concurrency.h"

#define FUNCTIONS "/_fnd/functions/"
#define INVOCATIONS "/invocations"

static void show(struct fn_call *call)
{
	static const char *const states[] = {[FN_STATE_PENDING] = "Pending", [FN_STATE_ACTIVE] = "Active", [FN_STATE_INACTIVE] = "Inactive", [FN_STATE_FAILED] = "Failed"};
	const struct fn_api_config *cfg = &call->api->cfg;
	struct fn_function *f, *stored;
	struct fn_name n;
	int64_t reserved;
	char arn[400];
	json_t *o;

	if (!fn_call_name(call, &n))
		return;
	f = fn_route(cfg->store, n.name, n.qualifier);
	if (!f) {
		fn_reply_absent(call, n.name, n.qualifier);
		return;
	}
	stored = fn_store_resolve(cfg->store, n.name, n.qualifier); /* what will be in force soon */
	reserved = fn_store_reserved(cfg->store, n.name);
	fn_arn_format(arn, sizeof(arn), cfg->region, cfg->account_id, n.name, n.qualifier);
	o = json_pack("{ss,ss,ss,ss,si,si,ss}", "FunctionArn", arn, "FunctionName", f->name, "Version", f->version, "State", states[f->state], "Timeout", f->timeout_s, "StoredTimeout",
		      stored ? stored->timeout_s : f->timeout_s, "Role", f->role ? f->role : "");
	if (reserved >= 0)
		json_object_set_new(o, "ReservedConcurrency", json_integer(reserved));
	if (f->dead_letter_arn)
		json_object_set_new(o, "DeadLetterTargetArn", json_string(f->dead_letter_arn));
	fn_reply_json(call, 200, o);
}

static void invoke(struct fn_call *call)
{
	const char *id = fn_http_req_header(call->req, FN_INNER_REQUEST_ID);

	if (id && fn_id_is_uuid(id))
		memcpy(call->request_id, id, FN_UUID_SIZE);
	call->operation = &fn_aws_operations[FN_AWS_Invoke];
	fn_h_invoke(call);
}

static size_t body_max(void *arg, struct fn_http_req *req)
{
	(void)arg;
	return fn_streq(fn_http_req_method(req), "POST") ? FN_LIMIT_INVOKE_BYTES : 0;
}

static void on_request(void *arg, struct fn_http_req *req)
{
	struct fn_call call = {.api = arg, .req = req, .operation = &fn_aws_operations[FN_AWS_GetFunction]};
	const char *path = fn_http_req_path(req), *method = fn_http_req_method(req), *name = path + strlen(FUNCTIONS);
	bool ours = fn_str_starts(path, FUNCTIONS), post = fn_streq(method, "POST") && fn_str_ends(path, INVOCATIONS);
	size_t n = ours ? strlen(name) - (post ? strlen(INVOCATIONS) : 0) : 0;

	fn_id_uuid(call.request_id);
	if (fn_streq(path, "/_fnd/changes")) {
		fn_changes_answer(&call);
		return;
	}
	if (fn_http_req_unread(req) || fn_http_req_too_large(req)) {
		fn_reply_error(&call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %d bytes", FN_LIMIT_INVOKE_BYTES);
		return;
	}
	if (fn_streq(path, "/_fnd/rights")) {
		fn_rights_answer(&call);
		return;
	}
	if (n == 0 || n >= sizeof(call.params[0]) || (!post && !fn_streq(method, "GET"))) {
		fn_reply_error(&call, &FN_E_NO_ROUTE, "There is no such thing");
		return;
	}
	call.labels.n = 1; /* for what the model says of it */
	call.labels.at[0].text = name;
	call.labels.at[0].len = n;
	memcpy(call.params[0], name, n);
	call.params[0][n] = '\0';
	if (fn_url_decode(call.params[0], n) < 0)
		fn_reply_error(&call, &FN_E_NO_ROUTE, "There is no such thing");
	else if (post)
		invoke(&call);
	else
		show(&call);
}

const struct fn_httpd_ops fn_api_from_events_ops = {.body_max = body_max, .request = on_request};

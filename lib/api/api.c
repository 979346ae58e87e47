/* api.c - what every request goes through: its operation, authentication, the service model, the common headers. */
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/internal.h"
#include "api/origin.h"
#include "api/receive.h"
#include "api/routes.h"
#include "api/settling.h"
#include "api/uploads.h"
#include "aws/validate.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "web/json_fault.h"

void fn_reply_json(struct fn_call *call, unsigned status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(body);
	(void)fn_http_req_add_header(call->req, "x-amzn-RequestId", call->request_id);
	fn_http_reply_owned(call->req, status, "application/json", text ? text : "", text ? strlen(text) : 0, free, text);
}

void fn_reply_empty(struct fn_call *call, unsigned status)
{
	(void)fn_http_req_add_header(call->req, "x-amzn-RequestId", call->request_id);
	fn_http_reply(call->req, status, "application/json", NULL, 0);
}

static size_t body_max(void *arg, struct fn_http_req *req)
{
	const struct fn_aws_operation *o = fn_aws_route(fn_http_req_method(req), fn_http_req_path(req), fn_http_req_raw_query(req), NULL);

	return fn_receive_begin(arg, req, fn_route_body_max(o), fn_route_package(o));
}

static void too_large(struct fn_call *call)
{
	fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %zu bytes for the %s operation", fn_route_body_max(call->operation),
		       fn_aws_op_of(call->operation) == FN_AWS_Invoke ? "InvokeFunction" : call->operation->name);
}

/* --- what a request says --- */
/* The body of an operation that has members in it, parsed; replies and returns false when it is no object. */
static bool read_body(struct fn_call *call)
{
	fn_auto_buf struct fn_buf why = {0};
	const char *body;
	json_error_t je;
	size_t len;

	if (!call->operation->json)
		return true;
	fn_receive_body(call->req, &body, &len);
	call->in = len ? json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je) : json_object();
	if (json_is_object(call->in))
		return true;
	if (!call->in) {
		(void)fn_json_fault(body, len, &why);
		fn_reply_error(call, &FN_E_SERIALIZATION, "%s", why.data ? why.data : je.text);
	} else {
		fn_reply_error(call, &FN_E_SERIALIZATION, "%s", json_is_array(call->in) ? "Start of list found where not expected" : "Expected null");
	}
	return false;
}

static bool read_labels(struct fn_call *call)
{
	for (unsigned i = 0; i < call->labels.n; i++) {
		char *to = call->params[i];
		size_t len = call->labels.at[i].len;

		if (len >= sizeof(call->params[0]))
			return false;
		memcpy(to, call->labels.at[i].text, len);
		to[len] = '\0';
		if (fn_url_decode(to, len) < 0)
			return false;
	}
	return true;
}

static const char *header_of(void *arg, const char *name) { return fn_http_req_header(arg, name); }

bool fn_call_valid(struct fn_call *call)
{
	const struct fn_aws_request r = {.labels = &call->labels, .query = fn_http_req_raw_query(call->req), .header = header_of, .arg = call->req, .body = call->in};
	fn_auto_buf struct fn_buf why = {0};
	enum fn_aws_verdict v = fn_aws_validate(call->operation, &r, &why);

	if (v != FN_AWS_VALID)
		fn_reply_error(call, v == FN_AWS_INVALID ? &FN_E_VALIDATION : &FN_E_SERIALIZATION, "%s", why.data ? why.data : "out of memory");
	return v == FN_AWS_VALID;
}

/* Everything that the model says of the operation holds; Invoke sees to itself. Replies and returns false when not. */
static bool acceptable(struct fn_call *call)
{
	bool hot = fn_aws_op_of(call->operation) == FN_AWS_Invoke, labels = read_labels(call);

	if (hot && labels)
		return true;
	if (!read_body(call) || !fn_call_valid(call))
		return false;
	if (!labels) /* well-formed, and longer than anything here is called */
		fn_reply_error(call, &FN_E_NOT_FOUND, "The resource you requested does not exist.");
	return labels;
}

static bool authenticated(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *denied;

	if (fn_proof_wanted(call->req, cfg->n_credentials) != FN_PROOF_SIGNATURE ||
	    (call->operation && fn_aws_op_of(call->operation) == FN_AWS_Download)) /* a download carries its own token */
		return true;
	denied = fn_sigv4_verify(cfg, call->req, &why);
	if (denied)
		fn_reply_error(call, denied, "%s", why.data ? why.data : "");
	return !denied;
}

/* What changes the function in its path waits for other changes of that function. CreateFunction has the name elsewhere, and sees to it itself. */
static bool changes_in_turn(struct fn_call *call, fn_handler handler)
{
	struct fn_name n;

	if (fn_streq(call->operation->method, "GET") || fn_aws_op_of(call->operation) == FN_AWS_Invoke || fn_name_parse(call->params[0], &n) < 0)
		return true;
	return fn_change_turn(call, n.name, handler);
}

/* The body has not been read, for one of these reasons. */
static void refuse_unread(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *denied = fn_proof_wanted(call->req, cfg->n_credentials) == FN_PROOF_SIGNATURE ? fn_sigv4_before(cfg, call->req, &why) : NULL;

	if (denied)
		fn_reply_error(call, denied, "%s", why.data ? why.data : "");
	else if (fn_http_req_too_large(call->req) && call->operation)
		too_large(call);
	else if (fn_http_req_too_large(call->req))
		fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %zu bytes", fn_route_body_max(NULL));
	else
		fn_reply_error(call, &FN_E_BODIES, "Rate exceeded");
}

static void on_request(void *arg, struct fn_http_req *req)
{
	struct fn_call call = {.api = arg, .req = req};
	const struct fn_api_config *cfg = &call.api->cfg;
	const char *fault = NULL, *path = fn_http_req_path(req);
	fn_handler handler;

	if (fn_proof_wanted(req, cfg->n_credentials) == FN_PROOF_ORIGIN)
		fault = fn_origin_fault(req, cfg->hosts, cfg->n_hosts);
	if (fault) {
		fn_id_uuid(call.request_id);
		fn_reply_error(&call, &FN_E_ACCESS_DENIED, "%s", fault);
		return;
	}
	if (fn_receive_waits(arg, req, on_request))
		return;
	if (strcmp(path, "/healthz") == 0) {
		fn_http_reply(req, 200, "text/plain", "ok\n", 3);
		return;
	}
	call.operation = fn_aws_route(fn_http_req_method(req), path, fn_http_req_raw_query(req), &call.labels);
	fn_id_uuid(call.request_id);
	if (fn_http_req_unread(req)) {
		refuse_unread(&call);
		return;
	}
	if (call.operation && fn_http_req_too_large(req)) { /* its body was not kept, so that no signature over it can be verified */
		too_large(&call);
		return;
	}
	if (!authenticated(&call))
		return;
	handler = call.operation ? fn_route_handler(call.operation) : NULL;
	if (!call.operation)
		fn_reply_error(&call, &FN_E_NO_ROUTE, "No operation of Lambda's API at %s %s", fn_http_req_method(req), path);
	else if (!handler)
		fn_reply_error(&call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement %s yet", call.operation->name);
	else if (fn_receive_taken(&call) && acceptable(&call) && changes_in_turn(&call, handler))
		handler(&call);
	json_decref(call.in);
}

const struct fn_httpd_ops fn_api_httpd_ops = {.body_max = body_max, .request = on_request, .piece = fn_receive_piece, .cut = fn_receive_cut};

int fn_api_new(const struct fn_api_config *config, struct fn_api **ret, struct fn_err *err)
{
	struct fn_api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return fn_err_set(err, ENOMEM, "api", NULL);
	api->cfg = *config;
	fn_id_random(api->url_key, sizeof(api->url_key));
	r = fn_log_waits_open(api);
	if (r == 0)
		r = fn_settling_open(api);
	if (r < 0)
		fn_err_set(err, r, "api", "timer");
	else
		r = fn_uploads_open(api, err);
	if (r < 0) {
		free(api);
		return r;
	}
	*ret = api;
	return 0;
}

void fn_api_free(struct fn_api *api)
{
	if (!api)
		return;
	fn_settling_close(api);
	fn_uploads_close(api);
	fn_log_waits_end(api);
	fn_loop_clear(api->cfg.loop, &api->logs_timer);
	free(api);
}

/* --- names --- */
bool fn_call_name(struct fn_call *call, struct fn_name *n)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *q = fn_http_req_query(call->req, "Qualifier");

	bool named = fn_name_parse(call->params[0], n) == 0;

	if ((!named || strlen(call->params[0]) > FN_NAME_MAX || (q && !fn_qualifier_valid(q))) && !fn_call_valid(call)) /* an invocation's is judged here */
		return false;
	if (!named) {
		fn_reply_error(call, &FN_E_VALIDATION, "%s is no function's name", call->params[0]);
		return false;
	}
	if (n->region[0] && !fn_streq(n->region, cfg->region)) {
		fn_reply_error(call, &FN_E_NOT_FOUND, "Functions from '%s' are not reachable in this region ('%s')", n->region, cfg->region);
		return false;
	}
	if (n->account[0] && !fn_streq(n->account, cfg->account_id)) {
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "Functions of account %s are not reachable here (account %s)", n->account,
			       cfg->account_id);
		return false;
	}
	if (q && n->qualifier[0] && !fn_streq(q, n->qualifier)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "The derived qualifier from the function name does not match the specified qualifier.");
		return false;
	}
	if (q)
		snprintf(n->qualifier, sizeof(n->qualifier), "%s", q);
	return true;
}

struct fn_function *fn_call_function(struct fn_call *call, struct fn_name *n)
{
	struct fn_function *f;

	if (!fn_call_name(call, n))
		return NULL;
	f = fn_store_resolve(call->api->cfg.store, n->name, n->qualifier);
	if (!f)
		fn_reply_absent(call, n->name, n->qualifier);
	return f;
}

bool fn_call_function_name(struct fn_call *call, struct fn_name *n)
{
	if (!fn_call_name(call, n))
		return false;
	if (!n->qualifier[0] || fn_streq(n->qualifier, "$LATEST"))
		return true;
	fn_call_unqualified_only(call);
	return false;
}

void fn_call_unqualified_only(struct fn_call *call)
{
	fn_reply_error(call, &FN_E_INVALID_PARAMETER,
		       "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify "
		       "either a function name or an unqualified function ARN.");
}

struct fn_function *fn_call_latest(struct fn_call *call, struct fn_name *n)
{
	struct fn_function *f = NULL;

	if (fn_call_function_name(call, n) && !(f = fn_store_get(call->api->cfg.store, n->name, NULL)))
		fn_reply_absent(call, n->name, NULL);
	return f;
}

bool fn_call_revision(struct fn_call *call, const char *revision_id)
{
	const char *wanted = json_string_value(json_object_get(call->in, "RevisionId"));

	if (!wanted || fn_streq(wanted, revision_id))
		return true;
	fn_reply_error(call, &FN_E_PRECONDITION,
		       "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest "
		       "Revision Id");
	return false;
}

size_t fn_call_page_size(struct fn_call *call)
{
	const char *text = fn_http_req_query(call->req, "MaxItems");
	int64_t n;

	return text && fn_str_to_i64(text, 1, FN_PAGE_MAX, &n) == 0 ? (size_t)n : FN_PAGE_MAX;
}

void fn_api_drain(struct fn_api *api)
{
	fn_settling_end(api);
	fn_log_waits_end(api);
}

bool fn_api_busy(const struct fn_api *api) { return !fn_list_empty(&api->uploads); }

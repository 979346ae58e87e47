/* api.c - what every request goes through: its operation, authentication, the service model, the common headers. */
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/authorize.h"
#include "api/caller.h"
#include "api/change.h"
#include "api/containers.h"
#include "api/fetches.h"
#include "api/internal.h"
#include "api/mapping.h"
#include "api/members.h"
#include "api/operations.h"
#include "api/receive.h"
#include "api/rights.h"
#include "api/routes.h"
#include "api/sandbox.h"
#include "api/settling.h"
#include "api/uploads.h"
#include "aws/query.h"
#include "aws/xml.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "model/limits.h"
#include "store/images.h"
#include "web/origin.h"

/* By its target, where it has one, by its Action, which may be in its body, or by method and path. */
static void route(struct fn_call *call, const struct fn_aws_head *h)
{
	const char *body;
	size_t len;

	call->protocol = fn_aws_protocol_of(h);
	switch (call->protocol) {
	case FN_AWS_REST_JSON:
		call->service = FN_AWS_LAMBDA;
		call->operation = fn_aws_route(h->method, h->path, h->query, &call->labels);
		break;
	case FN_AWS_JSON:
		call->service = fn_aws_service_of(h);
		call->operation = fn_aws_route_target(h->target);
		break;
	case FN_AWS_QUERY:
		fn_http_req_body(call->req, &body, &len);
		call->operation = fn_aws_query_operation(h, body, len, &call->service, call->action, sizeof(call->action));
		break;
	}
}

/* What a request may be long: with a package, as much more as that may be, in base64. */
static size_t request_max(const struct fn_api *api, const struct fn_aws_operation *o)
{
	size_t max = fn_route_body_max(o);

	return fn_route_package(o) ? max + (size_t)((fn_upload_max(api, o) - FN_LIMIT_ZIP_BYTES) * 4 / 3) : max;
}

static size_t body_max(void *arg, struct fn_http_req *req)
{
	struct fn_aws_head h = fn_call_head(req);
	const struct fn_aws_operation *o = NULL;
	struct fn_aws_labels labels = {0};
	char layer[65] = "";

	if (fn_aws_protocol_of(&h) == FN_AWS_QUERY) /* its operation may be in the body */
		return fn_receive_begin(arg, req, fn_aws_service_of(&h) == FN_AWS_SQS ? FN_LIMIT_SQS_REQUEST_BYTES : FN_LIMIT_IAM_REQUEST_BYTES, &(struct fn_receive_to){0});
	o = h.target ? fn_aws_route_target(h.target) : fn_aws_route(h.method, h.path, h.query, &labels);
	if (o && fn_aws_op_of(o) == FN_AWS_ImageLayer)
		snprintf(layer, sizeof(layer), "%.*s", (int)labels.at[0].len, labels.at[0].text);
	return fn_receive_begin(arg, req, request_max(arg, o),
				&(struct fn_receive_to){.package = fn_route_package(o), .package_max = fn_upload_max(arg, o), .layer = *layer ? layer : NULL});
}

static void too_large(struct fn_call *call)
{
	fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %zu bytes for the %s operation", request_max(call->api, call->operation),
		       fn_aws_op_of(call->operation) == FN_AWS_Invoke ? "InvokeFunction" : call->operation->name);
}

/* --- what a request says --- */
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

static void on_request(void *arg, struct fn_http_req *req);

/* Everything that the model says of the operation holds; Invoke sees to itself. False: it does not, and it has been answered, or all comes once more (members.h). */
static bool acceptable(struct fn_call *call)
{
	enum fn_aws_op op = fn_aws_op_of(call->operation);
	bool labels = read_labels(call), event = op == FN_AWS_Invoke || op == FN_AWS_InvokeWithResponseStream || op == FN_AWS_InvokeAsync;

	if (event && !fn_members_event(call, on_request))
		return false;
	if (op == FN_AWS_Invoke && labels)
		return true;
	if (!fn_members_read(call, true, on_request))
		return false;
	if (!labels) /* well-formed, and longer than anything here is called */
		fn_reply_no_resource(call);
	return labels;
}

/* Who it is from: *caller, unless that is root. */
static bool authenticated(struct fn_call *call, struct fn_caller *caller)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *denied;
	struct fn_key key;

	if (fn_proof_wanted(call->req, cfg->n_credentials) == FN_PROOF_SANDBOX)
		return fn_sandbox_authenticated(call, caller) && fn_sandbox_allowed(call);
	if (fn_proof_wanted(call->req, cfg->n_credentials) != FN_PROOF_SIGNATURE ||
	    (call->operation && fn_aws_op_of(call->operation) == FN_AWS_Download)) /* a download carries its own token */
		return true;
	denied = fn_sigv4_verify(call->api, call->req, fn_receive_sha256, &key, &why);
	if (denied)
		fn_reply_error(call, denied, "%s", why.data ? why.data : "");
	else if (fn_caller_of_key(call->api, &key, caller))
		call->caller = caller;
	return !denied;
}

/* What changes the function in its path waits for other changes of that function. CreateFunction has the name elsewhere, and sees to it itself; so do
 * what changes layers. */
static bool changes_in_turn(struct fn_call *call, fn_handler handler)
{
	struct fn_name n;

	if (fn_streq(call->operation->method, "GET") || handler == fn_h_invoke || handler == fn_h_invoke_async || handler == fn_h_proxy ||
	    strstr(call->operation->uri, "/layers/") || fn_name_parse(call->params[0], &n) < 0)
		return true;
	return fn_change_turn(call, n.name, handler);
}

/* The body has not been read, for one of these reasons. */
static void refuse_unread(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *denied = fn_proof_wanted(call->req, cfg->n_credentials) == FN_PROOF_SIGNATURE ? fn_sigv4_before(call->api, call->req, &why) : NULL;

	if (denied)
		fn_reply_error(call, denied, "%s", why.data ? why.data : "");
	else if (fn_http_req_too_large(call->req) && call->operation)
		too_large(call);
	else if (fn_http_req_too_large(call->req))
		fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %zu bytes", fn_route_body_max(NULL));
	else
		fn_reply_error(call, &FN_E_BODIES, "Rate exceeded");
}

/* NULL: there is none. What tells of the route table cannot be in it, or its files would call each other in a circle. */
static fn_handler handler_of(const struct fn_call *call)
{
	if (!call->operation)
		return NULL;
	if (fn_aws_op_of(call->operation) == FN_AWS_Doctor && fn_http_req_query(call->req, "api"))
		return fn_h_operations;
	return fn_route_handler(call->operation);
}

static void no_operation(struct fn_call *call)
{
	static const char unknown[] = "<UnknownOperationException/>";
	const char *path = fn_http_req_path(call->req);

	if (call->protocol == FN_AWS_JSON)
		fn_reply_error(call, &FN_E_NO_ROUTE, "No operation of %s is called %s", fn_aws_service(call->service < FN_AWS_SERVICES ? call->service : FN_AWS_LOGS)->title,
			       fn_http_req_header(call->req, "X-Amz-Target"));
	else if (call->protocol == FN_AWS_QUERY && call->service == FN_AWS_SQS)
		fn_reply_error(call, &FN_E_INVALID_ACTION, "The action %s is not valid for this endpoint.", call->action);
	else if (call->protocol == FN_AWS_QUERY && call->service < FN_AWS_SERVICES)
		fn_reply_error(call, &FN_E_INVALID_ACTION, "Could not find operation %s for version %s", call->action, fn_aws_service(call->service)->version);
	else if (call->protocol == FN_AWS_QUERY)
		fn_reply_error(call, &FN_E_INVALID_ACTION, "Neither SQS nor IAM nor STS has an operation %s", call->action);
	else if (!fn_aws_path_is_rest(path) && strspn(path, "/") < strlen(path)) /* a queue's */
		fn_reply_text(call, FN_E_NO_ROUTE.status, FN_AWS_XML_TYPE, strdup(unknown), sizeof(unknown) - 1);
	else
		fn_reply_error(call, &FN_E_NO_ROUTE, "No operation of Lambda's API at %s %s", fn_http_req_method(call->req), path);
}

static void on_request(void *arg, struct fn_http_req *req)
{
	struct fn_call call = {.api = arg, .req = req};
	const struct fn_api_config *cfg = &call.api->cfg;
	const char *fault = NULL, *path = fn_http_req_path(req);
	struct fn_aws_head head;
	struct fn_caller caller; /* set where it is said to be */
	fn_handler handler;

	if (fn_proof_wanted(req, cfg->n_credentials) == FN_PROOF_ORIGIN || (fn_proof_wanted(req, cfg->n_credentials) == FN_PROOF_SANDBOX && !fn_request_signed(req)))
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
	head = fn_call_head(req);
	route(&call, &head);
	fn_id_uuid(call.request_id);
	if (fn_http_req_unread(req)) {
		refuse_unread(&call);
		return;
	}
	if (call.operation && fn_http_req_too_large(req)) { /* its body was not kept, so that no signature over it can be verified */
		too_large(&call);
		return;
	}
	if (!authenticated(&call, &caller))
		return;
	handler = handler_of(&call);
	if (!call.operation)
		no_operation(&call);
	else if (!handler)
		fn_reply_error(&call, &FN_E_NOT_IMPLEMENTED, FN_NOT_IMPLEMENTED, call.operation->name);
	else if (call.operation->service == FN_AWS_SQS) { /* it is judged there */
		if (!call.caller || fn_members_read(&call, false, on_request)) /* what it is about, for what the identity's policies say */
			handler(&call);
	} else if (fn_receive_taken(&call) && acceptable(&call) && !fn_mapping_waits(&call, on_request) && fn_call_allowed(&call) && changes_in_turn(&call, handler))
		handler(&call);
	json_decref(call.in);
}

const struct fn_httpd_ops fn_api_httpd_ops = {.elsewhere = fn_api_elsewhere, .body_max = body_max, .request = on_request, .piece = fn_receive_piece, .cut = fn_receive_cut};

int fn_api_new(const struct fn_api_config *config, struct fn_api **ret, struct fn_err *err)
{
	struct fn_api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return fn_err_set(err, ENOMEM, "api", NULL);
	api->cfg = *config;
	fn_id_random(api->url_key, sizeof(api->url_key));
	fn_id_random(&api->instance, sizeof(api->instance));
	fn_list_init(&api->fetches);
	fn_list_init(&api->awaiting);
	fn_list_init(&api->proxied);
	fn_list_init(&api->mappings_asked);
	fn_list_init(&api->live_tails);
	fn_list_init(&api->resolving);
	fn_list_init(&api->changes);
	r = fn_log_waits_open(api);
	if (r == 0)
		r = fn_settling_open(api);
	if (r == 0)
		r = fn_outbox_open(api);
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

void fn_api_set_public(struct fn_api *api, struct fn_httpd *httpd) { api->public = httpd; }

void fn_api_free(struct fn_api *api)
{
	if (!api)
		return;
	fn_outbox_close(api);
	fn_changes_end(api);
	fn_handover_end(api);
	fn_proxied_end(api);
	fn_mapping_asked_end(api);
	fn_sessions_close(api);
	fn_map_free(api->refused);
	fn_settling_close(api);
	fn_uploads_close(api);
	fn_fetches_close(api);
	fn_runtimes_awaited_close(api);
	fn_containers_close(api);
	fn_log_waits_end(api);
	fn_loop_clear(api->cfg.loop, &api->logs_timer);
	free(api);
}

void fn_api_resume(struct fn_api *api)
{
	const struct fn_image *image;
	size_t it = 0;

	while ((image = fn_store_next_image(api->cfg.store, &it)))
		if (fn_store_image_refs(api->cfg.store, image->sha256) == 0)
			fn_upload_forget(api, image->sha256);
	fn_settling_resume(api);
}

void fn_api_drain(struct fn_api *api)
{
	fn_settling_end(api);
	fn_log_waits_end(api);
	fn_handover_drain(api);
	fn_live_tails_end(api);
	fn_changes_end(api);
}

bool fn_api_busy(const struct fn_api *api) { return !fn_list_empty(&api->uploads) || !fn_list_empty(&api->awaiting) || api->n_fetches > 0 || api->n_resolving > 0; }

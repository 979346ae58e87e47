/* api.c - the table of routes, and what every request goes through: authentication, path parameters, the common headers. */
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/internal.h"
#include "api/origin.h"
#include "api/receive.h"
#include "api/settling.h"
#include "api/uploads.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

struct route {
	const char *method, *pattern; /* "{}" = one path segment; "?find=X": only with this in the query */
	const char *operation;
	fn_handler handler;           /* NULL = an operation of Lambda's that is not built yet */
	size_t body_max;
};

#define SMALL (256u << 10)
#define F15 "/2015-03-31/functions/{}"
#define CSC "/2020-04-22/code-signing-configs"
#define CAPACITY "/2025-11-30/capacity-providers"
#define DURABLE "/2025-12-01/durable-executions/{}"

static const struct route routes[] = {
	{"POST", F15 "/invocations", "Invoke", fn_h_invoke, FN_LIMIT_INVOKE_BYTES},
	{"POST", "/2015-03-31/functions", "CreateFunction", fn_h_create_function, FN_LIMIT_REQUEST_BYTES},
	{"GET", "/2015-03-31/functions", "ListFunctions", fn_h_list_functions, SMALL},
	{"GET", F15, "GetFunction", fn_h_get_function, SMALL},
	{"DELETE", F15, "DeleteFunction", fn_h_delete_function, SMALL},
	{"GET", F15 "/configuration", "GetFunctionConfiguration", fn_h_get_configuration, SMALL},
	{"PUT", F15 "/configuration", "UpdateFunctionConfiguration", fn_h_update_configuration, SMALL},
	{"PUT", F15 "/code", "UpdateFunctionCode", fn_h_update_code, FN_LIMIT_REQUEST_BYTES},
	{"GET", F15 "/versions", "ListVersionsByFunction", fn_h_list_versions, SMALL},
	{"POST", F15 "/versions", "PublishVersion", fn_h_publish_version, SMALL},
	{"POST", F15 "/aliases", "CreateAlias", fn_h_create_alias, SMALL},
	{"GET", F15 "/aliases", "ListAliases", fn_h_list_aliases, SMALL},
	{"GET", F15 "/aliases/{}", "GetAlias", fn_h_get_alias, SMALL},
	{"PUT", F15 "/aliases/{}", "UpdateAlias", fn_h_update_alias, SMALL},
	{"DELETE", F15 "/aliases/{}", "DeleteAlias", fn_h_delete_alias, SMALL},
	{"GET", F15 "/policy", "GetPolicy", fn_h_policy, SMALL},
	{"POST", F15 "/policy", "AddPermission", NULL, SMALL},
	{"DELETE", F15 "/policy/{}", "RemovePermission", NULL, SMALL},
	{"GET", "/2016-08-19/account-settings", "GetAccountSettings", fn_h_account_settings, SMALL},
	{"GET", "/2020-06-30/functions/{}/code-signing-config", "GetFunctionCodeSigningConfig", fn_h_code_signing, SMALL},
	{"GET", "/2019-09-30/functions/{}/concurrency", "GetFunctionConcurrency", fn_h_get_concurrency, SMALL},
	{"PUT", "/2017-10-31/functions/{}/concurrency", "PutFunctionConcurrency", fn_h_put_concurrency, SMALL},
	{"DELETE", "/2017-10-31/functions/{}/concurrency", "DeleteFunctionConcurrency", fn_h_delete_concurrency, SMALL},
	{"GET", "/2017-03-31/tags/{}", "ListTags", fn_h_list_tags, SMALL},
	{"POST", "/2017-03-31/tags/{}", "TagResource", fn_h_tag, SMALL},
	{"DELETE", "/2017-03-31/tags/{}", "UntagResource", fn_h_untag, SMALL},
	{"POST", "/2014-11-13/functions/{}/invoke-async", "InvokeAsync", NULL, FN_LIMIT_INVOKE_BYTES},
	{"POST", "/2021-11-15/functions/{}/response-streaming-invocations", "InvokeWithResponseStream", NULL, FN_LIMIT_INVOKE_BYTES},
	{"POST", "/2021-10-31/functions/{}/url", "CreateFunctionUrlConfig", NULL, SMALL},
	{"GET", "/2021-10-31/functions/{}/url", "GetFunctionUrlConfig", NULL, SMALL},
	{"PUT", "/2021-10-31/functions/{}/url", "UpdateFunctionUrlConfig", NULL, SMALL},
	{"DELETE", "/2021-10-31/functions/{}/url", "DeleteFunctionUrlConfig", NULL, SMALL},
	{"GET", "/2021-10-31/functions/{}/urls", "ListFunctionUrlConfigs", NULL, SMALL},
	{"GET", "/2018-10-31/layers?find=LayerVersion", "GetLayerVersionByArn", NULL, SMALL},
	{"POST", "/2018-10-31/layers/{}/versions", "PublishLayerVersion", NULL, FN_LIMIT_REQUEST_BYTES},
	{"GET", "/2018-10-31/layers/{}/versions", "ListLayerVersions", NULL, SMALL},
	{"GET", "/2018-10-31/layers/{}/versions/{}", "GetLayerVersion", NULL, SMALL},
	{"DELETE", "/2018-10-31/layers/{}/versions/{}", "DeleteLayerVersion", NULL, SMALL},
	{"GET", "/2018-10-31/layers", "ListLayers", NULL, SMALL},
	{"PUT", "/2019-09-30/functions/{}/provisioned-concurrency", "PutProvisionedConcurrencyConfig", fn_h_put_provisioned, SMALL},
	{"GET", "/2019-09-30/functions/{}/provisioned-concurrency", "GetProvisionedConcurrencyConfig", fn_h_get_provisioned, SMALL},
	{"DELETE", "/2019-09-30/functions/{}/provisioned-concurrency", "DeleteProvisionedConcurrencyConfig", fn_h_delete_provisioned, SMALL},
	{"PUT", "/2019-09-25/functions/{}/event-invoke-config", "PutFunctionEventInvokeConfig", NULL, SMALL},
	{"POST", "/2019-09-25/functions/{}/event-invoke-config", "UpdateFunctionEventInvokeConfig", NULL, SMALL},
	{"GET", "/2019-09-25/functions/{}/event-invoke-config", "GetFunctionEventInvokeConfig", NULL, SMALL},
	{"DELETE", "/2019-09-25/functions/{}/event-invoke-config", "DeleteFunctionEventInvokeConfig", NULL, SMALL},
	{"GET", "/2019-09-25/functions/{}/event-invoke-config/list", "ListFunctionEventInvokeConfigs", NULL, SMALL},
	{"POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping", NULL, SMALL},
	{"GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings", NULL, SMALL},
	{"GET", "/2015-03-31/event-source-mappings/{}", "GetEventSourceMapping", NULL, SMALL},
	{"PUT", "/2015-03-31/event-source-mappings/{}", "UpdateEventSourceMapping", NULL, SMALL},
	{"DELETE", "/2015-03-31/event-source-mappings/{}", "DeleteEventSourceMapping", NULL, SMALL},
	{"GET", "/2021-07-20/functions/{}/runtime-management-config", "GetRuntimeManagementConfig", NULL, SMALL},
	{"PUT", "/2021-07-20/functions/{}/runtime-management-config", "PutRuntimeManagementConfig", NULL, SMALL},
	{"GET", "/2024-08-31/functions/{}/recursion-config", "GetFunctionRecursionConfig", NULL, SMALL},
	{"PUT", "/2024-08-31/functions/{}/recursion-config", "PutFunctionRecursionConfig", NULL, SMALL},
	{"GET", "/2018-10-31/layers/{}/versions/{}/policy", "GetLayerVersionPolicy", NULL, SMALL},
	{"POST", "/2018-10-31/layers/{}/versions/{}/policy", "AddLayerVersionPermission", NULL, SMALL},
	{"DELETE", "/2018-10-31/layers/{}/versions/{}/policy/{}", "RemoveLayerVersionPermission", NULL, SMALL},
	{"POST", CSC, "CreateCodeSigningConfig", NULL, SMALL},
	{"GET", CSC, "ListCodeSigningConfigs", NULL, SMALL},
	{"GET", CSC "/{}", "GetCodeSigningConfig", NULL, SMALL},
	{"PUT", CSC "/{}", "UpdateCodeSigningConfig", NULL, SMALL},
	{"DELETE", CSC "/{}", "DeleteCodeSigningConfig", NULL, SMALL},
	{"GET", CSC "/{}/functions", "ListFunctionsByCodeSigningConfig", NULL, SMALL},
	{"PUT", "/2020-06-30/functions/{}/code-signing-config", "PutFunctionCodeSigningConfig", NULL, SMALL},
	{"DELETE", "/2020-06-30/functions/{}/code-signing-config", "DeleteFunctionCodeSigningConfig", NULL, SMALL},
	{"POST", CAPACITY, "CreateCapacityProvider", NULL, SMALL},
	{"GET", CAPACITY, "ListCapacityProviders", NULL, SMALL},
	{"GET", CAPACITY "/{}", "GetCapacityProvider", NULL, SMALL},
	{"PUT", CAPACITY "/{}", "UpdateCapacityProvider", NULL, SMALL},
	{"DELETE", CAPACITY "/{}", "DeleteCapacityProvider", NULL, SMALL},
	{"GET", CAPACITY "/{}/function-versions", "ListFunctionVersionsByCapacityProvider", NULL, SMALL},
	{"GET", "/2025-11-30/functions/{}/function-scaling-config", "GetFunctionScalingConfig", NULL, SMALL},
	{"PUT", "/2025-11-30/functions/{}/function-scaling-config", "PutFunctionScalingConfig", NULL, SMALL},
	{"GET", "/2025-12-01/functions/{}/durable-executions", "ListDurableExecutionsByFunction", NULL, SMALL},
	{"GET", DURABLE, "GetDurableExecution", NULL, SMALL},
	{"DELETE", DURABLE, "DeleteDurableExecution", NULL, SMALL},
	{"GET", DURABLE "/history", "GetDurableExecutionHistory", NULL, SMALL},
	{"GET", DURABLE "/state", "GetDurableExecutionState", NULL, SMALL},
	{"POST", DURABLE "/checkpoint", "CheckpointDurableExecution", NULL, FN_LIMIT_INVOKE_BYTES},
	{"POST", DURABLE "/stop", "StopDurableExecution", NULL, SMALL},
	{"POST", DURABLE "/pause", "PauseDurableExecution", NULL, SMALL},
	{"POST", DURABLE "/resume", "ResumeDurableExecution", NULL, SMALL},
	{"POST", "/2025-12-01/durable-execution-callbacks/{}/succeed", "SendDurableExecutionCallbackSuccess", NULL, SMALL},
	{"POST", "/2025-12-01/durable-execution-callbacks/{}/fail", "SendDurableExecutionCallbackFailure", NULL, SMALL},
	{"POST", "/2025-12-01/durable-execution-callbacks/{}/heartbeat", "SendDurableExecutionCallbackHeartbeat", NULL, SMALL},
	{"GET", "/2026-07-09/resource-policy/{}", "GetResourcePolicy", NULL, SMALL},
	{"PUT", "/2026-07-09/resource-policy/{}", "PutResourcePolicy", NULL, SMALL},
	{"DELETE", "/2026-07-09/resource-policy/{}", "DeleteResourcePolicy", NULL, SMALL},
	/* fnd's own, for fnctl */
	{"GET", "/_fnd/code/{}", "_Download", fn_h_download, SMALL},
	{"GET", "/_fnd/disk", "_Disk", fn_h_disk, SMALL},
	{"GET", "/_fnd/doctor", "_Doctor", fn_h_doctor, SMALL},
	{"GET", "/_fnd/images", "_Images", fn_h_images, SMALL},
	{"POST", "/_fnd/images/rescan", "_ImagesRescan", fn_h_images_rescan, SMALL},
	{"GET", "/_fnd/metrics", "_Metrics", fn_h_metrics, SMALL},
	{"GET", "/_fnd/logs/{}", "_Logs", fn_h_logs, SMALL},
};
#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* Segments are matched before they are decoded: an encoded ':' or '/' belongs to its segment. A trailing slash is ignored. */
static bool match(const char *pattern, const char *path, struct fn_call *call)
{
	size_t n = 0;

	for (;;) {
		size_t a, b;

		while (*pattern == '/')
			pattern++;
		while (*path == '/')
			path++;
		if (!*pattern || *pattern == '?' || !*path)
			return (!*pattern || *pattern == '?') && !*path;
		a = strcspn(pattern, "/?");
		b = strcspn(path, "/");
		if (a == 2 && pattern[0] == '{') {
			if (call) {
				if (n == 3 || b >= sizeof(call->params[0]))
					return false;
				memcpy(call->params[n], path, b);
				call->params[n][b] = '\0';
				if (fn_url_decode(call->params[n], b) < 0)
					return false;
				n++;
			}
		} else if (a != b || memcmp(pattern, path, a) != 0) {
			return false;
		}
		pattern += a;
		path += b;
	}
}

static bool asks(const char *pattern, struct fn_http_req *req)
{
	const char *q = strchr(pattern, '?');

	return !q || fn_streq(fn_http_req_query(req, "find"), q + strlen("?find="));
}

static const struct route *find_route(struct fn_http_req *req, struct fn_call *call)
{
	const char *method = fn_http_req_method(req), *path = fn_http_req_path(req);

	for (size_t i = 0; i < N_ROUTES; i++)
		if (strcmp(routes[i].method, method) == 0 && match(routes[i].pattern, path, routes[i].handler ? call : NULL) &&
		    asks(routes[i].pattern, req))
			return &routes[i];
	return NULL;
}

static size_t body_max(void *arg, struct fn_http_req *req)
{
	static const char *const in_code[2] = {"Code", "ZipFile"}, *const in_body[2] = {"ZipFile", NULL};
	const struct route *r = find_route(req, NULL);
	const char *const *package = !r ? NULL : r->handler == fn_h_create_function ? in_code : r->handler == fn_h_update_code ? in_body : NULL;

	return fn_receive_begin(arg, req, r ? r->body_max : SMALL, package);
}

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

static void too_large(struct fn_call *call, const struct route *r)
{
	fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %zu bytes for the %s operation", r->body_max,
		       r->handler == fn_h_invoke ? "InvokeFunction" : r->operation);
}

/* What changes the function in its path waits for other changes of that function. CreateFunction has the name elsewhere, and sees to it itself. */
static bool changes_in_turn(struct fn_call *call, const struct route *r)
{
	struct fn_name n;

	if (fn_streq(r->method, "GET") || r->handler == fn_h_invoke || fn_name_parse(call->params[0], &n) < 0)
		return true;
	return fn_change_turn(call, n.name, r->handler);
}

/* The body has not been read, for one of these reasons. */
static void refuse_unread(struct fn_call *call, const struct route *r)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *denied = cfg->n_credentials > 0 ? fn_sigv4_before(cfg, call->req, &why) : NULL;

	if (denied)
		fn_reply_error(call, denied, "%s", why.data ? why.data : "");
	else if (fn_http_req_too_large(call->req) && r)
		too_large(call, r);
	else if (fn_http_req_too_large(call->req))
		fn_reply_error(call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %u bytes", SMALL);
	else
		fn_reply_error(call, &FN_E_BODIES, "Rate exceeded");
}

static void on_request(void *arg, struct fn_http_req *req)
{
	struct fn_call call = {.api = arg, .req = req};
	const struct fn_api_config *cfg = &call.api->cfg;
	const char *fault = cfg->n_credentials > 0 ? NULL : fn_origin_fault(req, cfg->hosts, cfg->n_hosts);
	const struct fn_aws_error *denied;
	const struct route *r;

	if (fault) {
		fn_id_uuid(call.request_id);
		fn_reply_error(&call, &FN_E_ACCESS_DENIED, "%s", fault);
		return;
	}
	if (fn_receive_waits(arg, req, on_request))
		return;
	if (strcmp(fn_http_req_path(req), "/healthz") == 0) {
		fn_http_reply(req, 200, "text/plain", "ok\n", 3);
		return;
	}
	r = find_route(req, &call);
	fn_id_uuid(call.request_id);
	if (fn_http_req_unread(req)) {
		refuse_unread(&call, r);
		return;
	}
	if (r && fn_http_req_too_large(req)) { /* its body was not kept, so that no signature over it can be verified */
		too_large(&call, r);
		return;
	}
	if (cfg->n_credentials > 0 && !(r && r->handler == fn_h_download)) { /* a download carries its own token */
		fn_auto_buf struct fn_buf why = {0};

		denied = fn_sigv4_verify(cfg, req, &why);
		if (denied) {
			fn_reply_error(&call, denied, "%s", why.data ? why.data : "");
			return;
		}
	}
	if (!r)
		fn_reply_error(&call, &FN_E_NO_ROUTE, "No operation of Lambda's API at %s %s", fn_http_req_method(req), fn_http_req_path(req));
	else if (!r->handler)
		fn_reply_error(&call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement %s yet", r->operation);
	else if (fn_receive_taken(&call) && changes_in_turn(&call, r))
		r->handler(&call);
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

	if (fn_name_parse(call->params[0], n) < 0) {
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must satisfy "
			       "regular expression pattern: %s",
			       call->params[0], fn_name_pattern);
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
	if (q && !fn_qualifier_valid(q)) {
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value '%s' at 'qualifier' failed to satisfy constraint: Member must satisfy regular "
			       "expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+",
			       q);
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
		fn_call_not_found(call, n->name, n->qualifier);
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
		fn_call_not_found(call, n->name, NULL);
	return f;
}

void fn_call_not_found(struct fn_call *call, const char *name, const char *qualifier)
{
	char arn[400];

	fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, name, qualifier);
	fn_reply_error(call, &FN_E_NOT_FOUND, "Function not found: %s", arn);
}

bool fn_call_revision(struct fn_call *call, json_t *in, const char *revision_id)
{
	const char *wanted = json_string_value(json_object_get(in, "RevisionId"));

	if (!wanted || fn_streq(wanted, revision_id))
		return true;
	fn_reply_error(call, &FN_E_PRECONDITION,
		       "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest "
		       "Revision Id");
	return false;
}

bool fn_call_page_size(struct fn_call *call, int most, size_t *ret)
{
	const char *text = fn_http_req_query(call->req, "MaxItems");
	char rule[40];
	int64_t v;

	*ret = FN_PAGE_MAX;
	if (!text)
		return true;
	if (fn_str_to_i64(text, INT32_MIN, INT32_MAX, &v) < 0 || v < 1 || v > most) {
		snprintf(rule, sizeof(rule), "less than or equal to %d", most);
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value '%s' at 'maxItems' failed to satisfy constraint: Member must have value %s", text,
			       text[0] == '-' || text[0] == '0' ? "greater than or equal to 1" : rule);
		return false;
	}
	if (v < FN_PAGE_MAX)
		*ret = (size_t)v;
	return true;
}

void fn_api_drain(struct fn_api *api)
{
	fn_settling_end(api);
	fn_log_waits_end(api);
}

bool fn_api_busy(const struct fn_api *api) { return !fn_list_empty(&api->uploads); }

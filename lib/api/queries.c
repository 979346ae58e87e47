/* queries.c - what only reads: GetFunction, GetFunctionConfiguration, the lists, account settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/containers.h"
#include "api/internal.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"
#include "store/concurrency.h"

void fn_h_get_configuration(struct fn_call *call)
{
	struct fn_name n;
	struct fn_function *f = fn_call_function(call, &n);

	if (f)
		fn_reply_json(call, 200, fn_function_json(call->api, f, n.qualifier, false));
}

void fn_h_get_function(struct fn_call *call)
{
	struct fn_name n;
	struct fn_function *f = fn_call_function(call, &n);
	fn_auto_free char *url = NULL;
	json_t *o;

	if (!f)
		return;
	url = f->image ? fn_container_resolved_uri(f) : fn_download_url(call, f->code_sha256);
	o = json_pack("{so,s{ssss,ss*}}", "Configuration", fn_function_json(call->api, f, n.qualifier, false), "Code", "RepositoryType", f->image ? "ECR" : "S3",
		      f->image ? "ResolvedImageUri" : "Location", url ? url : "", "ImageUri", f->image ? f->image_uri : NULL);
	if (!n.qualifier[0] && fn_store_reserved(call->api->cfg.store, n.name) >= 0) /* it is the function's, no version's */
		json_object_set_new(o, "Concurrency",
				    json_pack("{sI}", "ReservedConcurrentExecutions", (json_int_t)fn_store_reserved(call->api->cfg.store, n.name)));
	f = fn_store_get(call->api->cfg.store, n.name, NULL); /* tags are the function's */
	if (f->tags_json)
		json_object_set_new(o, "Tags", json_loads(f->tags_json, 0, NULL));
	fn_reply_json(call, 200, o);
}

/* The marker of a list of all versions is name:version. */
static bool split_marker(struct fn_call *call, const char *marker, char *name, size_t size, const char **ret_version)
{
	const char *colon = strchr(marker, ':');

	if (!colon || (size_t)(colon - marker) >= size || fn_version_number(colon + 1) == UINT64_MAX) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Invalid Marker: %s", marker);
		return false;
	}
	snprintf(name, size, "%.*s", (int)(colon - marker), marker);
	*ret_version = colon + 1;
	return true;
}

void fn_h_list_functions(struct fn_call *call)
{
	const char *marker = fn_http_req_query(call->req, "Marker"), *all = fn_http_req_query(call->req, "FunctionVersion"), *version = NULL;
	struct fn_store *store = call->api->cfg.store;
	struct fn_function *page[FN_PAGE_MAX + 1];
	char name[FN_NAME_MAX + 6], next[230];
	size_t max = fn_call_page_size(call), n;
	json_t *list, *o;

	if (fn_str_empty(marker))
		marker = NULL;
	if (all && marker && !split_marker(call, marker, name, sizeof(name), &version))
		return;
	n = all ? fn_store_list_versions(store, NULL, version ? name : NULL, version, page, max + 1) : fn_store_list(store, marker, page, max + 1);
	list = json_array();
	for (size_t i = 0; i < n && i < max; i++)
		json_array_append_new(list, fn_function_json(call->api, page[i], all ? page[i]->version : NULL, true));
	o = json_pack("{so}", "Functions", list);
	if (n > max) {
		snprintf(next, sizeof(next), "%s%s%s", page[max - 1]->name, all ? ":" : "", all ? page[max - 1]->version : "");
		json_object_set_new(o, "NextMarker", json_string(next));
	}
	fn_reply_json(call, 200, o);
}

void fn_h_account_settings(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	json_int_t c = cfg->account_concurrency;

	fn_reply_json(call, 200,
		      json_pack("{s{sI,sI,sI,sI,sI},s{sI,sI}}", "AccountLimit", "TotalCodeSize", (json_int_t)FN_LIMIT_CODE_STORAGE_BYTES,
				"CodeSizeUnzipped", (json_int_t)FN_LIMIT_UNZIPPED_BYTES, "CodeSizeZipped", (json_int_t)cfg->package_max,
				"ConcurrentExecutions", c, "UnreservedConcurrentExecutions", c - fn_store_claims(cfg->store), "AccountUsage", "TotalCodeSize",
				(json_int_t)fn_store_code_bytes(cfg->store), "FunctionCount", (json_int_t)fn_store_count(cfg->store)));
}

void fn_h_code_signing(struct fn_call *call)
{
	struct fn_name n;
	struct fn_function *f = fn_call_function(call, &n);

	if (f)
		fn_reply_json(call, 200, json_pack("{ss}", "FunctionName", f->name));
}

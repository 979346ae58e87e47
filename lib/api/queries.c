/* queries.c - what only reads: GetFunction, GetFunctionConfiguration, the lists, account settings, and what a function does not have yet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

#define PAGE_MAX 50

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
	const char *host = fn_http_req_header(call->req, "Host");
	fn_auto_free char *path = NULL;
	char url[512];
	json_t *o;

	if (!f)
		return;
	path = fn_download_path(call->api, f->code_sha256);
	snprintf(url, sizeof(url), "http://%s%s", host ? host : "localhost", path ? path : "");
	o = json_pack("{so,s{ssss}}", "Configuration", fn_function_json(call->api, f, n.qualifier, false), "Code", "RepositoryType", "S3", "Location",
		      url);
	if (f->tags_json)
		json_object_set_new(o, "Tags", json_loads(f->tags_json, 0, NULL));
	fn_reply_json(call, 200, o);
}

/* MaxItems: 1..10000 in the model, and at most 50 in an answer. */
static bool page_size(struct fn_call *call, size_t *ret)
{
	const char *text = fn_http_req_query(call->req, "MaxItems");
	int64_t v;

	*ret = PAGE_MAX;
	if (!text)
		return true;
	if (fn_str_to_i64(text, INT32_MIN, INT32_MAX, &v) < 0 || v < 1 || v > 10000) {
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value '%s' at 'maxItems' failed to satisfy constraint: Member must have value %s", text,
			       text[0] == '-' || text[0] == '0' ? "greater than or equal to 1" : "less than or equal to 10000");
		return false;
	}
	if (v < PAGE_MAX)
		*ret = (size_t)v;
	return true;
}

void fn_h_list_functions(struct fn_call *call)
{
	const char *marker = fn_http_req_query(call->req, "Marker"), *which = fn_http_req_query(call->req, "FunctionVersion");
	struct fn_function *page[PAGE_MAX + 1];
	json_t *list = json_array(), *o;
	size_t max, n;

	if (!page_size(call, &max)) {
		json_decref(list);
		return;
	}
	if (which && !fn_streq(which, "ALL")) {
		json_decref(list);
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value '%s' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum "
			       "value set: [ALL]",
			       which);
		return;
	}
	n = fn_store_list(call->api->cfg.store, fn_str_empty(marker) ? NULL : marker, page, max + 1);
	for (size_t i = 0; i < n && i < max; i++)
		json_array_append_new(list, fn_function_json(call->api, page[i], which ? page[i]->version : NULL, true));
	o = json_pack("{so}", "Functions", list);
	if (n > max)
		json_object_set_new(o, "NextMarker", json_string(page[max - 1]->name));
	fn_reply_json(call, 200, o);
}

void fn_h_list_versions(struct fn_call *call)
{
	struct fn_name n;
	struct fn_function *f = fn_call_function(call, &n);

	if (f)
		fn_reply_json(call, 200, json_pack("{s[o]}", "Versions", fn_function_json(call->api, f, f->version, true)));
}

void fn_h_account_settings(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	json_int_t c = cfg->account_concurrency;

	fn_reply_json(call, 200,
		      json_pack("{s{sI,sI,sI,sI,sI},s{sI,sI}}", "AccountLimit", "TotalCodeSize", (json_int_t)FN_LIMIT_CODE_STORAGE_BYTES,
				"CodeSizeUnzipped", (json_int_t)FN_LIMIT_UNZIPPED_BYTES, "CodeSizeZipped", (json_int_t)FN_LIMIT_ZIP_BYTES,
				"ConcurrentExecutions", c, "UnreservedConcurrentExecutions", c, "AccountUsage", "TotalCodeSize",
				(json_int_t)fn_store_code_bytes(cfg->store), "FunctionCount", (json_int_t)fn_store_count(cfg->store)));
}

void fn_h_code_signing(struct fn_call *call)
{
	struct fn_name n;
	struct fn_function *f = fn_call_function(call, &n);

	if (f)
		fn_reply_json(call, 200, json_pack("{ss}", "FunctionName", f->name));
}

void fn_h_concurrency(struct fn_call *call)
{
	struct fn_name n;

	if (fn_call_function(call, &n))
		fn_reply_json(call, 200, json_object());
}

void fn_h_policy(struct fn_call *call)
{
	struct fn_name n;

	if (fn_call_function(call, &n))
		fn_reply_error(call, &FN_E_NOT_FOUND, "The resource you requested does not exist.");
}

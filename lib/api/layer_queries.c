/* layer_queries.c - layers are looked at: GetLayerVersion, GetLayerVersionByArn, ListLayers, ListLayerVersions, and all of them for `fnctl layer list`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/layers.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

bool fn_call_layer_name(struct fn_call *call, struct fn_layer_name *n)
{
	const struct fn_api_config *cfg = &call->api->cfg;

	if (fn_layer_name_parse(call->params[0], n) < 0) { /* well-formed, by the model's pattern; and there is none that is called so */
		fn_reply_no_resource(call);
		return false;
	}
	(void)fn_layer_name_key(n, cfg->region, cfg->account_id);
	return true;
}

bool fn_call_layer_number(struct fn_call *call, struct fn_layer_name *n, int64_t *ret_version)
{
	int64_t version;

	if (fn_str_to_i64(call->params[1], INT64_MIN, INT64_MAX, &version) < 0 || version < 1) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Layer Version Cannot be less than 1");
		return false;
	}
	*ret_version = version;
	return fn_call_layer_name(call, n);
}

static void put(json_t *o, const char *key, const char *value)
{
	if (value)
		json_object_set_new(o, key, json_string(value));
}

static void put_list(json_t *o, const char *key, char **strings)
{
	json_t *list = strings ? json_array() : NULL;

	for (char **s = strings; s && *s; s++)
		json_array_append_new(list, json_string(*s));
	if (list)
		json_object_set_new(o, key, list);
}

static json_t *content_json(struct fn_call *call, const struct fn_layer_version *v)
{
	fn_auto_free char *url = fn_download_url(call, v->code_sha256), *b64 = fn_sha256_base64(v->code_sha256);
	json_t *o = json_object();

	put(o, "Location", url);
	put(o, "CodeSha256", b64);
	json_object_set_new(o, "CodeSize", json_integer(v->code_size));
	return o;
}

static void put_arn(json_t *o, const char *key, struct fn_api *api, const struct fn_layer_version *v, int64_t version)
{
	char arn[FN_LAYER_ARN_SIZE];

	fn_layer_arn(arn, sizeof(arn), api->cfg.region, api->cfg.account_id, v->layer, version);
	put(o, key, arn);
}

json_t *fn_layer_json(struct fn_call *call, const struct fn_layer_version *v, bool listed)
{
	json_t *o = json_object();
	char when[32];

	if (!listed) {
		json_object_set_new(o, "Content", content_json(call, v));
		put_arn(o, "LayerArn", call->api, v, 0);
	}
	put_arn(o, "LayerVersionArn", call->api, v, v->version);
	put(o, "Description", v->description);
	put(o, "CreatedDate", fn_clock_format_lambda(v->created_us, when, sizeof(when)));
	json_object_set_new(o, "Version", json_integer(v->version));
	put_list(o, "CompatibleRuntimes", v->runtimes);
	put(o, "LicenseInfo", v->license);
	put_list(o, "CompatibleArchitectures", v->architectures);
	return o;
}

/* --- one --- */
static void reply_version(struct fn_call *call, const struct fn_layer_version *v)
{
	if (v)
		fn_reply_json(call, 200, fn_layer_json(call, v, false));
	else
		fn_reply_no_resource(call);
}

void fn_h_get_layer(struct fn_call *call)
{
	struct fn_layer_name n;
	int64_t version;

	if (fn_call_layer_number(call, &n, &version))
		reply_version(call, fn_store_layer_version(call->api->cfg.store, n.key, version));
}

void fn_h_get_layer_by_arn(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	struct fn_layer_name n;

	if (fn_layer_name_parse(fn_http_req_query(call->req, "Arn"), &n) < 0) {
		reply_version(call, NULL);
		return;
	}
	(void)fn_layer_name_key(&n, cfg->region, cfg->account_id);
	reply_version(call, fn_store_layer_version(cfg->store, n.key, n.version));
}

/* --- lists --- */
/* NULL where it is not asked for. */
static const char *query(struct fn_call *call, const char *name)
{
	const char *text = fn_http_req_query(call->req, name);

	return fn_str_empty(text) ? NULL : text;
}

/* This account's: another's that was imported is nothing that the service would list. */
static struct fn_layer_version *next_own(struct fn_call *call, const char *after)
{
	const char *runtime = query(call, "CompatibleRuntime"), *architecture = query(call, "CompatibleArchitecture");
	struct fn_layer_version *v;

	do
		v = fn_store_next_layer(call->api->cfg.store, after, runtime, architecture);
	while (v && fn_layer_is_foreign(after = v->layer));
	return v;
}

void fn_h_list_layers(struct fn_call *call)
{
	json_t *list = json_array(), *o = json_pack("{so}", "Layers", list), *e;
	const char *last = NULL;
	size_t max = fn_call_page_size(call);
	struct fn_layer_version *v = next_own(call, query(call, "Marker"));

	for (; v && json_array_size(list) < max; v = next_own(call, last)) {
		e = json_pack("{ss}", "LayerName", v->layer);
		put_arn(e, "LayerArn", call->api, v, 0);
		json_object_set_new(e, "LatestMatchingVersion", fn_layer_json(call, v, true));
		json_array_append_new(list, e);
		last = v->layer;
	}
	if (v)
		put(o, "NextMarker", last);
	fn_reply_json(call, 200, o);
}

void fn_h_list_layer_versions(struct fn_call *call)
{
	const char *marker = query(call, "Marker"), *runtime = query(call, "CompatibleRuntime"), *architecture = query(call, "CompatibleArchitecture");
	struct fn_store *store = call->api->cfg.store;
	size_t max = fn_call_page_size(call);
	struct fn_layer_version *v;
	struct fn_layer_name n;
	json_t *list, *o;
	int64_t before = 0;
	char next[24];

	if (!fn_call_layer_name(call, &n))
		return;
	if (marker && fn_str_to_i64(marker, 1, INT64_MAX, &before) < 0) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Invalid Marker: %s", marker);
		return;
	}
	list = json_array();
	o = json_pack("{so}", "LayerVersions", list);
	for (v = fn_store_older_layer(store, n.key, before, runtime, architecture); v && json_array_size(list) < max;
	     v = fn_store_older_layer(store, n.key, before, runtime, architecture)) {
		json_array_append_new(list, fn_layer_json(call, v, true));
		before = v->version;
	}
	if (v) {
		snprintf(next, sizeof(next), "%" PRId64, before);
		put(o, "NextMarker", next);
	}
	fn_reply_json(call, 200, o);
}

/* --- all of them, and whose functions have them --- */
/* ARN of a layer version -> names of functions, with versions. */
static json_t *users(struct fn_store *store)
{
	const char *name = NULL, *version = NULL;
	struct fn_function *page[FN_PAGE_MAX];
	json_t *all = json_object(), *list;
	char user[256];
	size_t n;

	while ((n = fn_store_list_versions(store, NULL, name, version, page, FN_PAGE_MAX)) > 0) {
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < page[i]->n_layers; k++) {
				list = json_object_get(all, page[i]->layers[k].arn);
				if (!list)
					json_object_set_new(all, page[i]->layers[k].arn, list = json_array());
				snprintf(user, sizeof(user), "%s:%s", page[i]->name, page[i]->version);
				json_array_append_new(list, json_string(user));
			}
		name = page[n - 1]->name;
		version = page[n - 1]->version;
	}
	return all;
}

/* GET /_fnd/layers: imported ones too, each version with its sizes and users. */
void fn_h_layers(struct fn_call *call)
{
	struct fn_store *store = call->api->cfg.store;
	json_t *list = json_array(), *all = users(store), *o, *whose;
	struct fn_layer_version *l, *v;
	const char *after = NULL;

	while ((l = fn_store_next_layer(store, after, NULL, NULL))) {
		for (v = l; v; v = fn_store_older_layer(store, l->layer, v->version, NULL, NULL)) {
			o = fn_layer_json(call, v, true);
			whose = json_object_get(all, json_string_value(json_object_get(o, "LayerVersionArn")));
			json_object_set_new(o, "Imported", json_boolean(fn_layer_is_foreign(v->layer)));
			json_object_set_new(o, "CodeSize", json_integer(v->code_size));
			json_object_set_new(o, "UnpackedSize", json_integer(v->unpacked_size));
			json_object_set_new(o, "Functions", whose ? json_incref(whose) : json_array());
			json_array_append_new(list, o);
		}
		after = l->layer;
	}
	json_decref(all);
	fn_reply_json(call, 200, json_pack("{so}", "Layers", list));
}

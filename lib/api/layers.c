/* layers.c - layer versions come and go: PublishLayerVersion, DeleteLayerVersion, and the import of another account's. */
#include "api/layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/fetches.h"
#include "api/uploads.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

static void unref(struct fn_layer_version **v) { fn_layer_version_unref(*v); }

/* A list of strings, in its order; NULL stays NULL. */
static int take_strings(json_t *list, char ***ret)
{
	size_t n = json_array_size(list);
	char **v = list ? calloc(n + 1, sizeof(*v)) : NULL;

	if (!list)
		return 0;
	*ret = v;
	for (size_t i = 0, k = 0; v && i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text && !(v[k++] = strdup(text)))
			return -ENOMEM;
	}
	return v ? 0 : -ENOMEM;
}

/* What the request says of it, but the content. */
static struct fn_layer_version *new_version(struct fn_call *call, const char *key, int64_t number)
{
	const char *description = json_string_value(json_object_get(call->in, "Description"));
	struct fn_layer_version *v = fn_layer_version_new();
	json_t *license = json_object_get(call->in, "LicenseInfo");

	if (!v)
		return NULL;
	v->version = number;
	v->layer = strdup(key);
	v->description = strdup(description ? description : "");
	v->license = fn_strdup_opt(json_string_value(license));
	if (v->layer && v->description && (v->license || !license) && take_strings(json_object_get(call->in, "CompatibleRuntimes"), &v->runtimes) == 0 &&
	    take_strings(json_object_get(call->in, "CompatibleArchitectures"), &v->architectures) == 0)
		return v;
	fn_layer_version_unref(v);
	return NULL;
}

/* --- it comes --- */
static void published(struct fn_change *c) { fn_reply_json(&c->call, 201, fn_layer_json(&c->call, c->layer, false)); }
static void imported(struct fn_change *c) { fn_reply_json(&c->call, 200, fn_layer_json(&c->call, c->layer, false)); }

static void store(struct fn_upload *u, void (*stored)(struct fn_change *c))
{
	struct fn_change *c = fn_change_new(&u->call, "", NULL, stored);
	struct fn_err err;

	if (!c) {
		fn_upload_end(u);
		return;
	}
	c->upload = u;
	c->layer = fn_layer_version_ref(u->layer);
	c->layer->created_us = fn_clock_real_us();
	fn_change_begun(c, fn_store_publish_layer(u->call.api->cfg.store, c->layer, fn_change_done, c, &err), &err);
}

static void store_published(void *arg)
{
	struct fn_upload *u = arg;

	u->layer->version = fn_store_next_layer_version(u->call.api->cfg.store, u->layer->layer);
	store(u, published);
}

/* An imported one's number is part of what it is called: another content cannot take its place. Replies and returns false when one is there. */
static bool may_import(struct fn_call *call, const struct fn_layer_version *v)
{
	struct fn_layer_version *there = fn_store_layer_version(call->api->cfg.store, v->layer, v->version);

	if (!there)
		return true;
	if (fn_streq(there->code_sha256, v->code_sha256))
		fn_reply_json(call, 200, fn_layer_json(call, there, false));
	else
		fn_reply_error(call, &FN_E_CONFLICT, "%s:%lld has another content; first: fnctl layer delete %s:%lld", v->layer, (long long)v->version, v->layer,
			       (long long)v->version);
	return false;
}

static void store_imported(void *arg)
{
	struct fn_upload *u = arg;

	if (may_import(&u->call, u->layer))
		store(u, imported);
	else
		fn_upload_end(u);
}

static void start_upload(struct fn_call *call, struct fn_layer_version **v, void (*store_it)(void *upload))
{
	struct fn_upload *u = fn_upload_new(call, store_it);

	if (!u)
		return;
	u->layer = fn_take_ptr(*v);
	fn_upload_start(u);
}

void fn_h_publish_layer(struct fn_call *call)
{
	json_t *content = json_object_get(call->in, "Content");
	fn_auto(unref) struct fn_layer_version *v = NULL;
	struct fn_layer_name n;

	if (!fn_call_layer_name(call, &n))
		return;
	if (fn_layer_is_foreign(n.key)) {
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "Layers of account %s in region %s are not published here; for what templates name: fnctl layer import ARN FILE.zip",
			       n.account, n.region);
		return;
	}
	v = new_version(call, n.key, 0);
	if (!v)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	else if (fn_fetched(call, content, fn_h_publish_layer) && fn_upload_read(call, content, v->code_sha256, &v->code_size))
		start_upload(call, &v, store_published);
}

/* PUT /_fnd/layers/ARN: gives another account's layer version its content here. */
void fn_h_import_layer(struct fn_call *call)
{
	json_t *content = json_object_get(call->in, "Content");
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto(unref) struct fn_layer_version *v = NULL;
	struct fn_layer_name n;

	if (fn_layer_name_parse(call->params[0], &n) < 0 || n.version < 1) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s is no ARN of a layer version", call->params[0]);
	} else if (fn_layer_name_key(&n, cfg->region, cfg->account_id)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s is a layer of this account; to publish one: fnctl layer publish %s FILE.zip", call->params[0], n.name);
	} else if (!fn_streq(n.region, cfg->region)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Layers are not in the same region as the function. Layers are expected to be in region %s.", cfg->region);
	} else if (!json_is_object(content) || json_object_size(call->in) != 1) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "An import is its content alone: {\"Content\": {\"ZipFile\": ...}}");
	} else if (!(v = new_version(call, n.key, n.version))) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	} else if (fn_fetched(call, content, fn_h_import_layer) && fn_upload_read(call, content, v->code_sha256, &v->code_size) && may_import(call, v)) {
		start_upload(call, &v, store_imported);
	}
}

/* --- and goes --- */
static void deleted(struct fn_change *c)
{
	fn_upload_forget(c->call.api, c->layer->code_sha256);
	fn_reply_empty(&c->call, 204);
}

void fn_h_delete_layer(struct fn_call *call)
{
	struct fn_store *st = call->api->cfg.store;
	char turn[FN_STORE_LAYER_TURN_SIZE];
	struct fn_layer_version *v;
	struct fn_layer_name n;
	struct fn_change *c;
	struct fn_err err;
	int64_t number;

	if (!fn_call_layer_number(call, &n, &number) || !fn_change_turn(call, fn_store_layer_turn(n.key, turn), fn_h_delete_layer))
		return;
	v = fn_store_layer_version(st, n.key, number);
	if (!v) { /* gone already is as good: so says the service */
		fn_reply_empty(call, 204);
		return;
	}
	c = fn_change_new(call, "", NULL, deleted);
	if (!c)
		return;
	c->layer = fn_layer_version_ref(v);
	fn_change_begun(c, fn_store_delete_layer(st, n.key, number, fn_change_done, c, &err), &err);
}

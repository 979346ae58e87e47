/* functions.c - functions come, change and go: CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration, DeleteFunction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "api/change.h"
#include "api/configuration.h"
#include "api/containers.h"
#include "api/fetches.h"
#include "api/layers.h"
#include "api/settling.h"
#include "api/tags.h"
#include "api/uploads.h"
#include "api/versions.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

static void unref(struct fn_function **f) { fn_function_unref(*f); }

/* Absent, or exactly this machine's. */
static bool apply_architecture(struct fn_call *call, struct fn_function *f)
{
	json_t *a = json_object_get(call->in, "Architectures");
	const char *given = json_string_value(json_array_get(a, 0));
	struct utsname u;
	const char *here;

	uname(&u);
	here = fn_streq(u.machine, "aarch64") ? "arm64" : "x86_64";
	if (!f->architecture)
		fn_set_string(&f->architecture, here);
	if (!a)
		return true;
	if (!fn_streq(given, here)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Architecture %s cannot run on this host, which is %s", given, here);
		return false;
	}
	return true;
}

/* --- CreateFunction --- */
static bool create_name(struct fn_call *call, struct fn_name *n)
{
	const char *text = json_string_value(json_object_get(call->in, "FunctionName"));

	snprintf(call->params[0], sizeof(call->params[0]), "%s", text); /* the model bounds it */
	if (!fn_call_name(call, n))
		return false;
	if (strlen(n->name) > 64) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must have length less "
			       "than or equal to 64",
			       n->name);
		return false;
	}
	if (n->qualifier[0]) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "The function name must not carry a qualifier: %s", text);
		return false;
	}
	return true;
}

static struct fn_function *new_function(const char *name)
{
	struct fn_function *f = fn_function_new();
	char group[200];

	if (!f)
		return NULL;
	snprintf(group, sizeof(group), "/aws/lambda/%s", name);
	f->name = strdup(name);
	f->version = strdup("$LATEST");
	f->description = strdup("");
	f->tracing_mode = strdup("PassThrough");
	f->log_group = strdup(group);
	f->memory_mb = FN_LIMIT_MEMORY_MIN;
	f->timeout_s = 3;
	f->ephemeral_mb = FN_LIMIT_TMP_MIN;
	f->state = FN_STATE_ACTIVE;
	f->update_status = FN_UPDATE_SUCCESSFUL;
	return f;
}

static void create_stored(struct fn_change *c)
{
	fn_snapshots_look(c->call.api->cfg.snapshots);
	fn_settling_begin(c->call.api, c->n.name, true);
	fn_reply_json(&c->call, 201, fn_function_json(c->call.api, c->version ? c->version : c->f, NULL, false));
}

/* Has what a package became stored, when its turn has come; the upload ends with that. */
static void store_created(void *arg)
{
	struct fn_upload *u = arg;
	struct fn_store *store = u->call.api->cfg.store;
	struct fn_change *c = NULL;
	struct fn_err err;
	int r;

	if (!fn_function_layers_fit(&u->call, u->f) || (u->publish && !fn_version_fits(&u->call, u->f)) ||
	    !(c = fn_change_new(&u->call, u->f->name, NULL, create_stored))) {
		fn_upload_end(u);
		return;
	}
	c->upload = u;
	c->f = fn_function_ref(u->f);
	c->f->generation = fn_store_next_generation(store);
	fn_function_touch(c->f);
	fn_function_unsettle(c->f, true);
	if (u->publish && !(c->version = fn_version_make(u->call.api, c->f, NULL)))
		r = fn_err_set(&err, ENOMEM, "publish version", NULL);
	else
		r = fn_store_insert(store, c->f, c->version, fn_change_done, c, &err);
	fn_change_begun(c, r, &err);
}

static void start_upload(struct fn_call *call, struct fn_function **f, void (*store)(void *upload))
{
	struct fn_upload *u = fn_upload_new(call, store);

	if (!u)
		return;
	u->f = fn_take_ptr(*f);
	u->publish = json_is_true(json_object_get(call->in, "Publish"));
	fn_upload_start(u);
}

/* What the request says, but for its code; NULL: it is answered. */
static struct fn_function *requested(struct fn_call *call, const char *name, const char *image_uri)
{
	struct fn_function *f = new_function(name);

	if (!f) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return NULL;
	}
	fn_set_string(&f->image_uri, image_uri);
	f->per_tenant = json_object_get(call->in, "TenancyConfig") != NULL; /* PER_TENANT is all that the model lets through */
	if (fn_configuration_apply(call, f) && apply_architecture(call, f) && fn_tags_apply(call, f) && fn_refuse_unbuilt(call, json_object_get(call->in, "Code")))
		return f;
	fn_function_unref(f);
	return NULL;
}

static void start_image(struct fn_call *call, struct fn_function **f, struct fn_image *image, void (*store)(void *upload))
{
	struct fn_upload *u = fn_upload_new(call, store);

	if (!u)
		return;
	fn_function_set_image(&(*f)->image, image);
	memcpy((*f)->code_sha256, image->sha256, sizeof((*f)->code_sha256));
	(*f)->code_size = (*f)->unpacked_size = 0;
	u->f = fn_take_ptr(*f);
	u->publish = json_is_true(json_object_get(call->in, "Publish"));
	fn_upload_start_image(u);
}

static void create_of_image(struct fn_call *call, struct fn_image *image)
{
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_name n;

	if (!create_name(call, &n))
		return;
	if (fn_store_get(call->api->cfg.store, n.name, NULL) || fn_store_taken(call->api->cfg.store, n.name) || fn_upload_busy(call->api, n.name)) { /* meanwhile */
		fn_reply_exists(call, n.name, NULL);
		return;
	}
	f = requested(call, n.name, json_string_value(json_object_get(json_object_get(call->in, "Code"), "ImageUri")));
	if (f)
		start_image(call, &f, image, store_created);
}

void fn_h_create_function(struct fn_call *call)
{
	fn_auto(unref) struct fn_function *f = NULL;
	json_t *code = json_object_get(call->in, "Code");
	struct fn_name n;
	bool image;

	if (!create_name(call, &n) || !fn_change_turn(call, n.name, fn_h_create_function) || !fn_runtime_awaited(call, fn_h_create_function))
		return;
	if (fn_store_get(call->api->cfg.store, n.name, NULL) || fn_upload_busy(call->api, n.name)) {
		fn_reply_exists(call, n.name, NULL);
		return;
	}
	image = fn_streq(json_string_value(json_object_get(call->in, "PackageType")), "Image");
	if (!fn_container_source_fits(call, image, true, code))
		return;
	f = requested(call, n.name, image ? json_string_value(json_object_get(code, "ImageUri")) : NULL);
	if (f && image)
		fn_container_resolve(call, f->image_uri, create_of_image);
	if (!f || image || !fn_fetched(call, code, fn_h_create_function) || !fn_upload_read(call, code, f->code_sha256, &f->code_size))
		return;
	start_upload(call, &f, store_created);
}

/* --- updates --- */
static void update_stored(struct fn_change *c)
{
	const struct fn_api_config *cfg = &c->call.api->cfg;
	const struct fn_function *shown = c->version ? c->version : c->f;

	fn_settling_begin(c->call.api, c->n.name, false);
	fn_snapshots_look(cfg->snapshots);
	fn_reply_json(&c->call, 200, fn_function_json(c->call.api, shown, c->version ? shown->version : NULL, false));
}

/* Stores the changed snapshot, with `publish` as a version too unless the last one is the same; it is in force a moment later. The upload, unless it
 * is NULL, ends with that. */
static void store_update(struct fn_call *call, struct fn_function *f, bool publish, struct fn_upload *upload)
{
	struct fn_store *store = call->api->cfg.store;
	struct fn_function *last = publish ? fn_store_last_version(store, f->name) : NULL;
	struct fn_change *c = NULL;
	struct fn_err err;
	int r;

	if (last && !fn_function_unchanged(f, last))
		last = NULL;
	if (!fn_function_layers_fit(call, f) || (publish && !last && !fn_version_fits(call, f)) ||
	    !(c = fn_change_new(call, f->name, NULL, update_stored))) {
		if (upload)
			fn_upload_end(upload);
		return;
	}
	c->upload = upload;
	c->f = fn_function_ref(f);
	if (f->runtime_updates == FN_RUNTIME_ON_UPDATE)
		fn_runtime_stay(call->api, f, true);
	f->generation = fn_store_next_generation(store);
	fn_function_unsettle(f, f->image && f->state != FN_STATE_ACTIVE); /* one that has failed may come to be yet */
	fn_function_touch(f);
	if (publish)
		c->version = last ? fn_function_ref(last) : fn_version_make(call->api, f, NULL);
	if (!publish || last)
		r = fn_store_update(store, f, fn_change_done, c, &err);
	else if (c->version)
		r = fn_store_publish(store, f, c->version, fn_change_done, c, &err);
	else
		r = fn_err_set(&err, ENOMEM, "publish version", NULL);
	fn_change_begun(c, r, &err);
}

static void store_code(void *arg)
{
	struct fn_upload *u = arg;
	struct fn_function *now = fn_store_get(u->call.api->cfg.store, u->f->name, NULL);

	if (now) /* tags may have changed while the package was unpacked */
		fn_set_string(&u->f->tags_json, now->tags_json);
	if (now && now->image && now->state == FN_STATE_ACTIVE) {
		fn_function_set_image(&u->f->image_before, now->image);
		fn_set_string(&u->f->image_uri_before, now->image_uri);
	}
	store_update(&u->call, u->f, u->publish, u);
}

/* All is as it would be, and nothing is kept of it. */
static void reply_dry_run(void *arg)
{
	struct fn_upload *u = arg;

	if (fn_function_layers_fit(&u->call, u->f))
		fn_reply_json(&u->call, 200, fn_function_json(u->call.api, u->f, NULL, false));
	fn_upload_end(u);
}

static void update_to_image(struct fn_call *call, struct fn_image *image)
{
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now;
	struct fn_name n;

	now = fn_call_latest(call, &n); /* as it is by now */
	if (!now)
		return;
	f = fn_function_clone(now);
	if (!f || !fn_may_update(call, now) || !apply_architecture(call, f))
		return;
	fn_set_string(&f->image_uri, json_string_value(json_object_get(call->in, "ImageUri")));
	if (json_is_true(json_object_get(call->in, "DryRun"))) {
		fn_function_set_image(&f->image, image);
		memcpy(f->code_sha256, image->sha256, sizeof(f->code_sha256));
		fn_reply_json(call, 200, fn_function_json(call->api, f, NULL, false));
		return;
	}
	start_image(call, &f, image, store_code);
}

void fn_h_update_code(struct fn_call *call)
{
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now;
	struct fn_name n;

	now = fn_call_latest(call, &n);
	if (!now)
		return;
	f = fn_function_clone(now);
	if (!f || !fn_may_update(call, now) || !fn_container_source_fits(call, now->image, false, call->in) || !apply_architecture(call, f) ||
	    !fn_refuse_unbuilt(call, call->in))
		return;
	if (now->image) {
		fn_container_resolve(call, json_string_value(json_object_get(call->in, "ImageUri")), update_to_image);
		return;
	}
	if (!fn_fetched(call, call->in, fn_h_update_code) || !fn_upload_read(call, call->in, f->code_sha256, &f->code_size))
		return;
	start_upload(call, &f, json_is_true(json_object_get(call->in, "DryRun")) ? reply_dry_run : store_code);
}

void fn_h_update_configuration(struct fn_call *call)
{
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now;
	struct fn_name n;

	now = fn_runtime_awaited(call, fn_h_update_configuration) ? fn_call_latest(call, &n) : NULL;
	if (!now)
		return;
	f = fn_function_clone(now);
	if (!f || !fn_may_update(call, now) || !fn_configuration_apply(call, f))
		return;
	store_update(call, f, false, NULL);
}

static void delete_stored(struct fn_change *c)
{
	struct fn_api *api = c->call.api;
	const struct fn_api_config *cfg = &api->cfg;

	fn_settling_forget(api, c->n.name);
	fn_invoker_retire(cfg->invoker, c->n.name, NULL, 0);
	fn_invoker_forget(cfg->invoker, c->n.name);
	fn_snapshots_look(cfg->snapshots);
	for (size_t i = 0; i < c->n_codes; i++)
		fn_upload_forget(api, c->codes[i]);
	fn_reply_empty(&c->call, 204);
}

void fn_h_delete_function(struct fn_call *call)
{
	struct fn_store *store = call->api->cfg.store;
	struct fn_change *c;
	struct fn_name n;
	struct fn_err err;

	if (!fn_call_name(call, &n))
		return;
	if (n.qualifier[0]) {
		fn_version_delete(call, &n);
		return;
	}
	if (!fn_store_get(store, n.name, NULL)) {
		fn_reply_absent(call, n.name, NULL);
		return;
	}
	c = fn_change_new(call, n.name, NULL, delete_stored);
	if (!c)
		return;
	c->n_codes = fn_version_codes(call->api, n.name, &c->codes);
	fn_change_begun(c, fn_store_delete(store, n.name, fn_change_done, c, &err), &err);
}

/* functions.c - functions come, change and go: CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration, DeleteFunction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "api/configuration.h"
#include "api/internal.h"
#include "api/settling.h"
#include "api/tags.h"
#include "api/uploads.h"
#include "api/versions.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

static void unref(struct fn_function **f) { fn_function_unref(*f); }
static void decref(json_t **j) { json_decref(*j); }

static void arn_of(struct fn_api *api, const char *name, char *out, size_t size)
{
	fn_arn_format(out, size, api->cfg.region, api->cfg.account_id, name, NULL);
}

static void reply_err(struct fn_call *call, const struct fn_err *err)
{
	char text[512];

	fn_reply_error(call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
}

/* Absent, or exactly this machine's. */
static bool apply_architecture(struct fn_call *call, json_t *in, struct fn_function *f)
{
	json_t *a = json_object_get(in, "Architectures");
	const char *given = json_string_value(json_array_get(a, 0));
	struct utsname u;
	const char *here;

	uname(&u);
	here = fn_streq(u.machine, "aarch64") ? "arm64" : "x86_64";
	if (!f->architecture)
		fn_set_string(&f->architecture, here);
	if (!a || json_is_null(a))
		return true;
	if (json_array_size(a) != 1 || !given || (!fn_streq(given, "x86_64") && !fn_streq(given, "arm64"))) {
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value '[%s]' at 'architectures' failed to satisfy constraint: Member must satisfy "
			       "constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
			       given ? given : "");
		return false;
	}
	if (!fn_streq(given, here)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Architecture %s cannot run on this host, which is %s", given, here);
		return false;
	}
	return true;
}

/* --- CreateFunction --- */
static bool create_name(struct fn_call *call, json_t *in, struct fn_name *n)
{
	const char *text = json_string_value(json_object_get(in, "FunctionName"));

	if (!text) {
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null");
		return false;
	}
	if (fn_name_parse(text, n) < 0 || strchr(n->name, '.') || strchr(n->qualifier, '.')) {
		fn_reply_error(call, &FN_E_VALIDATION,
			       "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must satisfy regular "
			       "expression pattern: %s",
			       text, fn_new_name_pattern);
		return false;
	}
	snprintf(call->params[0], sizeof(call->params[0]), "%s", text);
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
	f->log_format = strdup("Text");
	f->log_group = strdup(group);
	f->memory_mb = FN_LIMIT_MEMORY_MIN;
	f->timeout_s = 3;
	f->ephemeral_mb = FN_LIMIT_TMP_MIN;
	f->state = FN_STATE_ACTIVE;
	f->update_status = FN_UPDATE_SUCCESSFUL;
	return f;
}

static void already_there(struct fn_call *call, const char *name)
{
	fn_reply_error(call, &FN_E_CONFLICT, "Function already exist: %s", name);
}

static void created(struct fn_upload *u, const struct fn_err *failed, uint64_t bytes)
{
	const struct fn_api_config *cfg = &u->call.api->cfg;
	fn_auto(unref) struct fn_function *version = NULL;
	struct fn_err err;
	int r;

	if (failed) {
		fn_upload_reply_error(&u->call, failed);
		return;
	}
	u->f->unpacked_size = (int64_t)bytes;
	if (u->publish && !fn_version_fits(&u->call, u->f))
		return;
	u->f->generation = fn_store_next_generation(cfg->store);
	fn_function_touch(u->f);
	fn_function_unsettle(u->f, true);
	if (u->publish && !(version = fn_version_make(u->call.api, u->f, NULL)))
		r = fn_err_set(&err, ENOMEM, "publish version", NULL);
	else
		r = fn_store_insert(cfg->store, u->f, version, &err);
	if (r == -EEXIST)
		already_there(&u->call, u->f->name);
	else if (r < 0)
		reply_err(&u->call, &err);
	else {
		fn_logs_remove(cfg->logs, u->f->name); /* the last words of one that had its name */
		fn_snapshots_look(cfg->snapshots);
		fn_settling_begin(u->call.api, u->f->name, true);
		fn_reply_json(&u->call, 201, fn_function_json(u->call.api, version ? version : u->f, NULL, false));
	}
}

static void start_upload(struct fn_call *call, json_t *in, struct fn_function **f,
			 void (*done)(struct fn_upload *, const struct fn_err *, uint64_t))
{
	struct fn_upload *u = calloc(1, sizeof(*u));

	if (!u) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	u->call = *call;
	u->f = fn_take_ptr(*f);
	u->publish = json_is_true(json_object_get(in, "Publish"));
	u->done = done;
	fn_upload_start(u);
}

void fn_h_create_function(struct fn_call *call)
{
	fn_auto(decref) json_t *in = fn_call_json(call);
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_name n;
	const char *package;

	if (!in || !create_name(call, in, &n))
		return;
	if (fn_store_get(call->api->cfg.store, n.name, NULL) || fn_upload_busy(call->api, n.name)) {
		already_there(call, n.name);
		return;
	}
	package = json_string_value(json_object_get(in, "PackageType"));
	if (package && !fn_streq(package, "Zip")) {
		if (fn_streq(package, "Image"))
			fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement container images (PackageType Image) yet");
		else
			fn_reply_error(call, &FN_E_VALIDATION,
				       "1 validation error detected: Value '%s' at 'packageType' failed to satisfy constraint: Member must satisfy "
				       "enum value set: [Image, Zip]",
				       package);
		return;
	}
	f = new_function(n.name);
	if (!f) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	if (!fn_configuration_apply(call, in, f, true) || !apply_architecture(call, in, f) ||
	    !fn_tags_apply(call, json_object_get(in, "Tags"), f) || !fn_upload_read(call, json_object_get(in, "Code"), f, true))
		return;
	start_upload(call, in, &f, created);
}

/* --- updates --- */
bool fn_may_update(struct fn_call *call, json_t *in, const struct fn_function *f)
{
	char arn[400];

	if (f->state == FN_STATE_PENDING) {
		fn_reply_error(call, &FN_E_CONFLICT,
			       "The operation cannot be performed at this time. The function is currently in the following state: Pending");
		return false;
	}
	if (f->update_status == FN_UPDATE_IN_PROGRESS || fn_upload_busy(call->api, f->name)) {
		arn_of(call->api, f->name, arn, sizeof(arn));
		fn_reply_error(call, &FN_E_CONFLICT, "The operation cannot be performed at this time. An update is in progress for resource: %s", arn);
		return false;
	}
	return fn_call_revision(call, in, f->revision_id);
}

/* Stores the changed snapshot, with `publish` as a version too unless the last one is the same; it is in force a moment later. */
static void store_update(struct fn_call *call, struct fn_function *f, bool publish)
{
	struct fn_function *last = publish ? fn_store_last_version(call->api->cfg.store, f->name) : NULL;
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto(unref) struct fn_function *version = NULL;
	struct fn_err err;
	int r;

	if (last && !fn_function_unchanged(f, last))
		last = NULL;
	if (publish && !last && !fn_version_fits(call, f))
		return;
	f->generation = fn_store_next_generation(cfg->store);
	fn_function_unsettle(f, false);
	fn_function_touch(f);
	if (!publish || last)
		r = fn_store_update(cfg->store, f, &err);
	else if ((version = fn_version_make(call->api, f, NULL)))
		r = fn_store_publish(cfg->store, f, version, &err);
	else
		r = fn_err_set(&err, ENOMEM, "publish version", NULL);
	if (r == 0) {
		fn_settling_begin(call->api, f->name, false);
		fn_snapshots_look(cfg->snapshots);
	}
	if (r == -ENOENT) /* deleted meanwhile */
		fn_call_not_found(call, f->name, NULL);
	else if (r < 0)
		reply_err(call, &err);
	else if (last)
		fn_reply_json(call, 200, fn_function_json(call->api, last, last->version, false));
	else if (version)
		fn_reply_json(call, 200, fn_function_json(call->api, version, version->version, false));
	else
		fn_reply_json(call, 200, fn_function_json(call->api, f, NULL, false));
}

static void code_updated(struct fn_upload *u, const struct fn_err *failed, uint64_t bytes)
{
	struct fn_function *now = fn_store_get(u->call.api->cfg.store, u->f->name, NULL);

	if (failed) {
		fn_upload_reply_error(&u->call, failed);
		return;
	}
	if (now) /* tags may have changed while the package was unpacked */
		fn_set_string(&u->f->tags_json, now->tags_json);
	u->f->unpacked_size = (int64_t)bytes;
	store_update(&u->call, u->f, u->publish);
}

void fn_h_update_code(struct fn_call *call)
{
	fn_auto(decref) json_t *in = NULL;
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now;
	struct fn_name n;
	bool dry_run;

	now = fn_call_latest(call, &n);
	if (!now || !(in = fn_call_json(call)))
		return;
	dry_run = json_is_true(json_object_get(in, "DryRun"));
	f = fn_function_clone(now);
	if (!f || !fn_may_update(call, in, now) || !apply_architecture(call, in, f) ||
	    !fn_upload_read(call, in, f, !dry_run))
		return;
	if (dry_run) {
		fn_reply_json(call, 200, fn_function_json(call->api, f, NULL, false));
		return;
	}
	start_upload(call, in, &f, code_updated);
}

void fn_h_update_configuration(struct fn_call *call)
{
	fn_auto(decref) json_t *in = NULL;
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now;
	struct fn_name n;

	now = fn_call_latest(call, &n);
	if (!now || !(in = fn_call_json(call)))
		return;
	f = fn_function_clone(now);
	if (!f || !fn_may_update(call, in, now) || !fn_configuration_apply(call, in, f, false))
		return;
	store_update(call, f, false);
}

void fn_h_delete_function(struct fn_call *call)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto_free char(*codes)[65] = NULL;
	struct fn_name n;
	struct fn_err err;
	size_t n_codes;

	if (!fn_call_name(call, &n))
		return;
	if (n.qualifier[0]) {
		fn_version_delete(call, &n);
		return;
	}
	if (!fn_store_get(cfg->store, n.name, NULL)) {
		fn_call_not_found(call, n.name, NULL);
		return;
	}
	n_codes = fn_version_codes(call->api, n.name, &codes);
	if (fn_store_delete(cfg->store, n.name, &err) < 0) {
		reply_err(call, &err);
		return;
	}
	fn_settling_forget(call->api, n.name);
	fn_invoker_retire(cfg->invoker, n.name, NULL, 0);
	fn_invoker_forget(cfg->invoker, n.name);
	fn_logs_remove(cfg->logs, n.name);
	fn_snapshots_look(cfg->snapshots);
	for (size_t i = 0; i < n_codes; i++)
		fn_upload_forget(call->api, codes[i]);
	fn_reply_empty(call, 204);
}

/* runtime_management.c - GetRuntimeManagementConfig, PutRuntimeManagementConfig: when a function goes over to a new image of its runtime. */
#include <stdio.h>
#include <string.h>

#include "api/change.h"
#include "base/cleanup.h"
#include "base/str.h"

static void unref(struct fn_function **f) { fn_function_unref(*f); }

static const char *const modes[] = {[FN_RUNTIME_AUTO] = "Auto", [FN_RUNTIME_ON_UPDATE] = "FunctionUpdate", [FN_RUNTIME_MANUAL] = "Manual"};

void fn_runtime_stay(struct fn_api *api, struct fn_function *f, bool stay)
{
	const struct fn_runtime *rt = f->runtime ? fn_runtimes_find(api->cfg.runtimes, f->runtime) : NULL;

	fn_set_string(&f->runtime_version, stay && rt && !rt->foreign ? rt->version_id : NULL);
}

static json_t *management_json(struct fn_api *api, const struct fn_function *f, const char *qualifier)
{
	const struct fn_runtime *rt = f->runtime_updates == FN_RUNTIME_MANUAL ? fn_runtimes_of(api->cfg.runtimes, f) : NULL;
	char arn[400], version[160];

	fn_arn_format(arn, sizeof(arn), api->cfg.region, api->cfg.account_id, f->name, qualifier && *qualifier ? qualifier : f->version);
	return json_pack("{ss,ss,so}", "UpdateRuntimeOn", modes[f->runtime_updates], "FunctionArn", arn, "RuntimeVersionArn",
			 rt ? json_string(fn_runtime_version_arn(rt, api->cfg.region, version, sizeof(version))) : json_null());
}

void fn_h_get_runtime_management(struct fn_call *call)
{
	struct fn_name n;
	struct fn_function *f = fn_call_function(call, &n);

	if (f)
		fn_reply_json(call, 200, management_json(call->api, f, n.qualifier));
}

/* The environments that run go on to their end; the next begin with what is said now. */
static void management_stored(struct fn_change *c)
{
	const struct fn_api_config *cfg = &c->call.api->cfg;

	fn_invoker_retire(cfg->invoker, c->f->name, c->f->version, c->f->generation);
	fn_invoker_expect(cfg->invoker, c->f);
	fn_snapshots_look(cfg->snapshots);
	fn_reply_json(&c->call, 200, management_json(c->call.api, c->f, c->n.qualifier));
}

/* Replies and returns false when what is asked for cannot be. */
static bool apply(struct fn_call *call, struct fn_function *f)
{
	const char *mode = json_string_value(json_object_get(call->in, "UpdateRuntimeOn")), *arn = json_string_value(json_object_get(call->in, "RuntimeVersionArn"));
	const struct fn_runtime *rt = f->runtime ? fn_runtimes_find(call->api->cfg.runtimes, f->runtime) : NULL;
	const char *hex = arn ? strrchr(arn, ':') : NULL;
	char known[160];

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (fn_streq(modes[i], mode))
			f->runtime_updates = (enum fn_runtime_updates)i;
	if (!rt) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Runtime management is for functions with a managed runtime.");
		return false;
	}
	if ((f->runtime_updates == FN_RUNTIME_MANUAL) != (arn != NULL)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, arn ? "RuntimeVersionArn can be given with UpdateRuntimeOn Manual only."
								  : "RuntimeVersionArn is needed with UpdateRuntimeOn Manual.");
		return false;
	}
	if (rt->foreign && f->runtime_updates != FN_RUNTIME_AUTO) { /* its image of before is not kept */
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s is a container image here: UpdateRuntimeOn can be Auto alone, and `fnctl runtime add %s --image REFERENCE` is the way to another image, and back.",
			       rt->name, rt->name);
		return false;
	}
	if (!arn) {
		fn_runtime_stay(call->api, f, f->runtime_updates == FN_RUNTIME_ON_UPDATE);
		return true;
	}
	rt = fn_runtime_by_version(rt, hex + 1);
	if (!rt || !fn_streq(arn, fn_runtime_version_arn(rt, call->api->cfg.region, known, sizeof(known)))) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s is no version of %s that this host has.", arn, f->runtime);
		return false;
	}
	fn_set_string(&f->runtime_version, rt->version_id);
	return true;
}

void fn_h_put_runtime_management(struct fn_call *call)
{
	struct fn_store *store = call->api->cfg.store;
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now;
	struct fn_change *c;
	struct fn_err err;
	struct fn_name n;

	now = fn_call_function(call, &n);
	if (!now || !fn_change_turn(call, now->name, fn_h_put_runtime_management) || (fn_streq(now->version, "$LATEST") && !fn_may_update(call, now)))
		return;
	f = fn_function_clone(now);
	if (!f)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	if (!f || !apply(call, f) || !(c = fn_change_new(call, f->name, n.qualifier, management_stored)))
		return;
	c->f = fn_function_ref(f);
	f->generation = fn_store_next_generation(store);
	fn_change_begun(c, fn_store_update(store, f, fn_change_done, c, &err), &err);
}

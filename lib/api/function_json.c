/* function_json.c - a snapshot as FunctionConfiguration, member for member as the service answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "base/str.h"

static void put(json_t *o, const char *key, const char *value)
{
	if (value)
		json_object_set_new(o, key, json_string(value));
}

static void put_status(json_t *o, const struct fn_function *f)
{
	static const char *const states[] = {"Pending", "Active", "Inactive", "Failed"};
	static const char *const updates[] = {NULL, "Successful", "InProgress", "Failed"};

	put(o, "State", states[f->state]);
	put(o, "StateReason", f->state_reason ? f->state_reason : f->snapshot_off ? f->snapshot_off : f->snapshot_plain); /* an active version without the snapshot it was to have */
	put(o, "StateReasonCode", f->state_reason_code);
	put(o, "LastUpdateStatus", updates[f->update_status]);
	put(o, "LastUpdateStatusReason", f->update_reason);
	put(o, "LastUpdateStatusReasonCode", f->update_reason_code);
}

json_t *fn_function_json(struct fn_api *api, const struct fn_function *f, const char *arn_qualifier, bool listed)
{
	const struct fn_runtime *rt = f->runtime ? fn_runtimes_of(api->cfg.runtimes, f) : NULL;
	json_t *o = json_object(), *log;
	char arn[400], when[32], *b64 = fn_sha256_base64(f->code_sha256);

	fn_arn_format(arn, sizeof(arn), api->cfg.region, api->cfg.account_id, f->name, arn_qualifier);
	put(o, "FunctionName", f->name);
	put(o, "FunctionArn", arn);
	put(o, "Runtime", f->runtime);
	put(o, "Role", f->role);
	put(o, "Handler", f->handler);
	json_object_set_new(o, "CodeSize", json_integer(f->code_size));
	put(o, "Description", f->description);
	json_object_set_new(o, "Timeout", json_integer(f->timeout_s));
	json_object_set_new(o, "MemorySize", json_integer(f->memory_mb));
	put(o, "LastModified", fn_clock_format_lambda(f->last_modified_us, when, sizeof(when)));
	put(o, "CodeSha256", f->image ? f->code_sha256 : b64);
	free(b64);
	put(o, "Version", f->version);
	if (f->has_env) {
		json_t *vars = json_object();

		for (size_t i = 0; i < f->n_env; i++)
			put(vars, f->env[i].name, f->env[i].value);
		json_object_set_new(o, "Environment", json_pack("{so}", "Variables", vars));
	}
	if (f->n_layers) {
		json_t *layers = json_array();

		for (size_t i = 0; i < f->n_layers; i++)
			json_array_append_new(layers, json_pack("{ss,sI}", "Arn", f->layers[i].arn, "CodeSize", (json_int_t)f->layers[i].code_size));
		json_object_set_new(o, "Layers", layers);
	}
	if (f->dead_letter_arn)
		json_object_set_new(o, "DeadLetterConfig", json_pack("{ss}", "TargetArn", f->dead_letter_arn));
	json_object_set_new(o, "TracingConfig", json_pack("{ss}", "Mode", f->tracing_mode));
	put(o, "RevisionId", f->revision_id);
	if (!listed)
		put_status(o, f);
	put(o, "PackageType", f->image ? "Image" : "Zip");
	if (f->image_config)
		json_object_set_new(o, "ImageConfigResponse", json_pack("{so}", "ImageConfig", json_loads(f->image_config, 0, NULL)));
	json_object_set_new(o, "Architectures", json_pack("[s]", f->architecture));
	json_object_set_new(o, "EphemeralStorage", json_pack("{si}", "Size", f->ephemeral_mb));
	json_object_set_new(o, "SnapStart", json_pack("{ssss}", "ApplyOn", f->snap_start ? "PublishedVersions" : "None", "OptimizationStatus",
						      f->snapshot_tree || f->snapshot_plain ? "On" : "Off"));
	if (f->per_tenant)
		json_object_set_new(o, "TenancyConfig", json_pack("{ss}", "TenantIsolationMode", "PER_TENANT"));
	if (!listed && rt) {
		char version_arn[256];

		fn_runtime_version_arn(rt, api->cfg.region, version_arn, sizeof(version_arn));
		json_object_set_new(o, "RuntimeVersionConfig", json_pack("{ss}", "RuntimeVersionArn", version_arn));
	}
	log = json_pack("{ssss}", "LogFormat", f->json_log ? "JSON" : "Text", "LogGroup", f->log_group);
	put(log, "ApplicationLogLevel", f->app_log_level);
	put(log, "SystemLogLevel", f->system_log_level);
	json_object_set_new(o, "LoggingConfig", log);
	return o;
}

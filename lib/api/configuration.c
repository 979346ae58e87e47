/* configuration.c - see configuration.h. */
#include "api/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/caller.h"
#include "api/containers.h"
#include "api/layers.h"
#include "api/rights.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "model/arn.h"
#include "model/env.h"
#include "model/limits.h"

void fn_function_touch(struct fn_function *f)
{
	fn_id_uuid(f->revision_id);
	f->last_modified_us = fn_clock_real_us();
}

static const char *text_of(json_t *in, const char *key) { return json_string_value(json_object_get(in, key)); }

static void set_int(json_t *in, const char *key, int *to)
{
	json_t *v = json_object_get(in, key);

	if (v)
		*to = (int)json_integer_value(v);
}

static void set_text(json_t *in, const char *key, char **to)
{
	const char *v = text_of(in, key);

	if (v)
		fn_set_string(to, v);
}

bool fn_refuse_unbuilt(struct fn_call *call, json_t *in)
{
	static const char *const members[] = {"VpcConfig", "KMSKeyArn", "FileSystemConfigs",
					      "CodeSigningConfigArn", "DurableConfig", "CapacityProviderConfig", "PublishTo",
					      "SourceKMSKeyArn"};
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *v = json_object_get(in, members[i]), *e;
		bool wanted = json_is_string(v) ? json_string_length(v) > 0 : json_is_array(v) && json_array_size(v) > 0;
		const char *k;

		if (json_is_object(v))
			json_object_foreach(v, k, e)
				wanted = wanted || json_array_size(e) > 0 || json_string_length(e) > 0 || json_is_true(e) || json_is_object(e) || json_is_number(e);
		if (wanted) {
			fn_reply_error(call, &FN_E_INVALID_PARAMETER, "fnd does not support %s yet", members[i]);
			return false;
		}
	}
	return true;
}

/* Lambda Developer Guide, "Improving startup performance with Lambda SnapStart": supported features and limitations. */
static bool snap_start_fits(struct fn_call *call, const struct fn_function *f, const struct fn_runtime *rt)
{
	if (!f->snap_start)
		return true;
	if (f->per_tenant)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "SnapStart is not supported for functions enabled with tenancy configuration.");
	else if (!f->image_uri && (!rt || (!rt->restore && !rt->snapshot_hooks)))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s is not supported for SnapStart enabled functions.", f->runtime);
	else if (f->ephemeral_mb > FN_LIMIT_TMP_MIN)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "SnapStart is not supported for functions with more than %d MB of ephemeral storage.",
			       FN_LIMIT_TMP_MIN);
	else
		return true;
	return false;
}

/* Without a TargetArn nothing changes; an empty one takes it away. */
static bool apply_dead_letters(struct fn_call *call, json_t *in, struct fn_function *f)
{
	const char *arn = text_of(json_object_get(in, "DeadLetterConfig"), "TargetArn");

	if (!arn)
		return true;
	if (*arn && !fn_arn_of(arn, "sqs") && !fn_arn_of(arn, "sns")) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "The provided dead-letter target %s is neither an SQS queue nor an SNS topic.", arn);
		return false;
	}
	fn_set_string(&f->dead_letter_arn, *arn ? arn : NULL);
	return true;
}

/* Where anything is judged: a role that is known is one that Lambda may assume. One that nobody has made may be named all the same. */
static bool role_fits(struct fn_call *call, const struct fn_function *f, const char *role)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const struct fn_entity *e = role && cfg->n_credentials > 0 ? fn_store_entity_by_arn(cfg->store, FN_ENTITY_ROLE, role) : NULL;
	char arn[400];

	fn_arn_format(arn, sizeof(arn), cfg->region, cfg->account_id, f->name, NULL);
	if (!e || fn_role_trusts_lambda(call->api, e, arn))
		return true;
	fn_reply_error(call, &FN_E_INVALID_PARAMETER, "The role defined for the function cannot be assumed by Lambda.");
	return false;
}

/* What is given up will be sent by the role: by its own policies it may, and there is somebody who takes it. */
static bool may_send(struct fn_call *call, const struct fn_function *f)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	bool queue = f->dead_letter_arn && fn_arn_of(f->dead_letter_arn, "sqs");

	if (!f->dead_letter_arn)
		return true;
	if (cfg->n_credentials > 0 && !fn_role_says(call, f, queue ? "sqs:SendMessage" : "sns:Publish", f->dead_letter_arn)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "The provided execution role does not have permissions to call %s", queue ? "SendMessage on SQS" : "Publish on SNS");
		return false;
	}
	if (fn_arn_at(f->dead_letter_arn, "sqs", cfg->region, cfg->account_id) || json_object_get(cfg->endpoints, queue ? "sqs" : "sns"))
		return true;
	fn_reply_error(call, &FN_E_INVALID_PARAMETER,
		       "The provided dead-letter target %s is out of reach: \"events\": {\"endpoints\": ...} of the configuration names no server for it.", f->dead_letter_arn);
	return false;
}

/* One that is created with none shows the empty map that it was given; an update to none leaves no Environment behind (terraform-provider-aws, which counts
 * on that: TestAccLambdaFunction_environmentVariables). */
static bool apply_env(struct fn_call *call, json_t *in, struct fn_function *f)
{
	json_t *env = json_object_get(in, "Environment"), *vars = json_object_get(env, "Variables"), *v;
	fn_auto_buf struct fn_buf reserved = {0};
	fn_auto_free char *text = NULL;
	const char *k;

	if (!env)
		return true;
	json_object_foreach(vars, k, v)
		if (fn_env_rule(k) == FN_ENV_RESERVED)
			(void)fn_buf_addf(&reserved, "%s%s", reserved.len ? ", " : "", k);
	if (reserved.len) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Lambda was unable to configure your environment variables because the environment variables you have provided "
			       "contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s",
			       reserved.data);
		return false;
	}
	text = json_dumps(vars ? vars : env, JSON_COMPACT);
	if (text && strlen(text) > FN_LIMIT_ENV_BYTES) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Lambda was unable to configure your environment variables because the environment variables you have provided "
			       "exceeded the 4KB limit. String measured: %s",
			       text);
		return false;
	}
	for (size_t i = 0; i < f->n_env; i++) {
		free(f->env[i].name);
		free(f->env[i].value);
	}
	free(f->env);
	f->n_env = 0;
	f->env = calloc(json_object_size(vars) + 1, sizeof(*f->env));
	json_object_foreach(vars, k, v) {
		if (!json_is_string(v)) /* null, which the model allows: there is none */
			continue;
		f->env[f->n_env].name = strdup(k);
		f->env[f->n_env++].value = strdup(json_string_value(v));
	}
	f->has_env = f->n_env > 0 || fn_aws_op_of(call->operation) == FN_AWS_CreateFunction;
	return true;
}

/* Names that AWS takes for no new function, and that never had an image here. */
static bool retired(const char *name)
{
	static const char *const names[] = {"nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x", "nodejs16.x",
					    "python2.7", "python3.6", "python3.7", "python3.8", "java8", "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1",
					    "dotnet6", "go1.x", "ruby2.5", "ruby2.7", "provided"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* As Lambda does: 30 days after its deprecation none is created with it, 60 days after none is changed. Only where that is wanted, for here it works. */
static bool refused(struct fn_call *call, const struct fn_runtime *rt)
{
	int days = call->api->cfg.refuse_deprecated ? fn_runtime_deprecated_days(rt, fn_clock_real_us()) : -1;

	return days >= (fn_aws_op_of(call->operation) == FN_AWS_CreateFunction ? 30 : 60);
}

static bool apply_runtime(struct fn_call *call, const char *name, struct fn_function *f)
{
	struct fn_runtimes *rs = call->api->cfg.runtimes;
	const struct fn_runtime *rt = fn_runtimes_find(rs, name);
	fn_auto_free char *installed = fn_runtimes_installed(rs);
	char how[400];

	if ((!rt && retired(name)) || (rt && refused(call, rt))) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "The runtime parameter of %s is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported "
			       "runtime while creating or updating functions.",
			       name);
		return false;
	}
	if (!rt) {
		fn_auto_buf struct fn_buf all = {0};

		for (size_t i = 0; i < fn_runtimes_count(rs); i++)
			(void)fn_buf_addf(&all, "%s%s", i ? ", " : "", fn_runtimes_at(rs, i)->name);
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] or be a valid ARN", name,
			       all.data ? all.data : "");
		return false;
	}
	if (!rt->installed) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s Installed: %s", fn_runtime_missing(rt, how, sizeof(how)), installed);
		return false;
	}
	if (!fn_streq(f->runtime, name)) { /* the version that it may have been to stay with is another runtime's */
		f->runtime_updates = FN_RUNTIME_AUTO;
		fn_set_string(&f->runtime_version, NULL);
	}
	fn_set_string(&f->runtime, name);
	return true;
}

/* Levels are those of JSON records alone (Developer Guide, "monitoring-cloudwatchlogs-log-level"): with a format that is, or stays, text they are refused. */
static bool apply_logging(struct fn_call *call, json_t *in, struct fn_function *f)
{
	json_t *l = json_object_get(in, "LoggingConfig");
	const char *app = text_of(l, "ApplicationLogLevel"), *sys = text_of(l, "SystemLogLevel"), *format = text_of(l, "LogFormat");

	if (format)
		f->json_log = fn_streq(format, "JSON");
	if ((app || sys) && !f->json_log) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change the LogFormat to \"JSON\" and try again.");
		return false;
	}
	set_text(l, "LogGroup", &f->log_group);
	if (f->json_log) {
		fn_set_string(&f->app_log_level, app ? app : f->app_log_level ? f->app_log_level : "INFO");
		fn_set_string(&f->system_log_level, sys ? sys : f->system_log_level ? f->system_log_level : "INFO");
	} else {
		fn_set_string(&f->app_log_level, NULL);
		fn_set_string(&f->system_log_level, NULL);
	}
	return true;
}

bool fn_configuration_apply(struct fn_call *call, struct fn_function *f)
{
	json_t *in = call->in;
	const char *runtime = text_of(in, "Runtime"), *snap_start = text_of(json_object_get(in, "SnapStart"), "ApplyOn");
	const struct fn_runtime *rt;

	if (!role_fits(call, f, text_of(in, "Role")) || !apply_env(call, in, f) || !fn_refuse_unbuilt(call, in) || !fn_container_apply(call, f) || (!f->image_uri && !fn_function_layers_apply(call, f)) || (runtime && !apply_runtime(call, runtime, f)))
		return false;
	set_int(in, "MemorySize", &f->memory_mb);
	set_int(in, "Timeout", &f->timeout_s);
	set_int(json_object_get(in, "EphemeralStorage"), "Size", &f->ephemeral_mb);
	set_text(json_object_get(in, "TracingConfig"), "Mode", &f->tracing_mode);
	set_text(in, "Role", &f->role);
	set_text(in, "Handler", &f->handler);
	set_text(in, "Description", &f->description);
	if (snap_start)
		f->snap_start = fn_streq(snap_start, "PublishedVersions");
	if (!apply_logging(call, in, f))
		return false;
	if (!apply_dead_letters(call, in, f) || (json_object_get(in, "DeadLetterConfig") && !may_send(call, f)))
		return false;
	if (f->image_uri)
		return snap_start_fits(call, f, NULL);
	if (!f->runtime) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
		return false;
	}
	rt = fn_runtimes_find(call->api->cfg.runtimes, f->runtime);
	if (rt && rt->handler_required && fn_str_empty(f->handler)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
		return false;
	}
	return snap_start_fits(call, f, rt);
}

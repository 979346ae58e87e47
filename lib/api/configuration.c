/* configuration.c - see configuration.h. Patterns and bounds: botocore lambda/2015-03-31 service model. */
#include "api/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/receive.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "model/env.h"
#include "model/limits.h"

void fn_check_fail(struct fn_checks *c, const char *value, const char *member, const char *constraint)
{
	(void)fn_buf_addf(&c->text, "%sValue %s%s%s at '%s' failed to satisfy constraint: %s", c->n ? "; " : "", value ? "'" : "",
			  value ? value : "null", value ? "'" : "", member, constraint);
	c->n++;
}

bool fn_checks_pass(struct fn_checks *c, struct fn_call *call)
{
	bool ok = c->n == 0;

	if (!ok)
		fn_reply_error(call, &FN_E_VALIDATION, "%u validation error%s detected: %s", c->n, c->n > 1 ? "s" : "", c->text.data);
	fn_buf_free(&c->text);
	return ok;
}

json_t *fn_call_json(struct fn_call *call)
{
	const char *body;
	json_error_t je;
	json_t *o;
	size_t len;

	fn_receive_body(call->req, &body, &len);
	o = len ? json_loadb(body, len, JSON_REJECT_DUPLICATES, &je) : json_object();
	if (!json_is_object(o)) {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "Could not parse request body into json: %s", o ? "not an object" : je.text);
		json_decref(o);
		return NULL;
	}
	return o;
}

void fn_function_touch(struct fn_function *f)
{
	fn_id_uuid(f->revision_id);
	f->last_modified_us = fn_clock_real_us();
}

bool fn_call_text(struct fn_call *call, json_t *in, const char *key, const char **ret)
{
	json_t *v = json_object_get(in, key);

	*ret = json_string_value(v);
	if (v && !json_is_null(v) && !*ret) {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "%s must be a string", key);
		return false;
	}
	return true;
}

static void int_member(struct fn_checks *c, json_t *in, const char *key, const char *member, int min, int max, int *to)
{
	json_t *v = json_object_get(in, key);
	char text[32], rule[96];

	if (!v || json_is_null(v))
		return;
	if (!json_is_integer(v)) {
		fn_check_fail(c, json_string_value(v), member, "Member must be an integer");
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
	if (json_integer_value(v) < min) {
		snprintf(rule, sizeof(rule), "Member must have value greater than or equal to %d", min);
		fn_check_fail(c, text, member, rule);
	} else if (json_integer_value(v) > max) {
		snprintf(rule, sizeof(rule), "Member must have value less than or equal to %d", max);
		fn_check_fail(c, text, member, rule);
	} else {
		*to = (int)json_integer_value(v);
	}
}

static bool role_ok(const char *r)
{
	return fn_str_starts(r, "arn:aws") && strstr(r, ":iam::") && strstr(r, ":role/") &&
	       strspn(strstr(r, ":iam::") + 6, "0123456789") == 12;
}

bool fn_refuse_unbuilt(struct fn_call *call, json_t *in)
{
	static const char *const members[] = {"VpcConfig", "DeadLetterConfig", "KMSKeyArn", "Layers", "FileSystemConfigs", "ImageConfig",
					      "CodeSigningConfigArn", "DurableConfig", "CapacityProviderConfig", "TenancyConfig", "PublishTo",
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

static void apply_snap_start(struct fn_checks *c, json_t *in, struct fn_function *f)
{
	const char *apply = json_string_value(json_object_get(json_object_get(in, "SnapStart"), "ApplyOn"));

	if (apply && !fn_streq(apply, "PublishedVersions") && !fn_streq(apply, "None"))
		fn_check_fail(c, apply, "snapStart.applyOn", "Member must satisfy enum value set: [PublishedVersions, None]");
	else if (apply)
		f->snap_start = fn_streq(apply, "PublishedVersions");
}

/* Lambda Developer Guide, "Improving startup performance with Lambda SnapStart": supported features and limitations. */
static bool snap_start_fits(struct fn_call *call, const struct fn_function *f, const struct fn_runtime *rt)
{
	if (!f->snap_start)
		return true;
	if (!rt || !rt->restore)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s is not supported for SnapStart enabled functions.", f->runtime);
	else if (f->ephemeral_mb > FN_LIMIT_TMP_MIN)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "SnapStart is not supported for functions with more than %d MB of ephemeral storage.",
			       FN_LIMIT_TMP_MIN);
	else
		return true;
	return false;
}

static bool env_name_ok(const char *k)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	return strlen(k) >= 2 && strchr(letters, k[0]) && strspn(k, more) == strlen(k);
}

static bool apply_env(struct fn_call *call, struct fn_checks *c, json_t *in, struct fn_function *f)
{
	json_t *env = json_object_get(in, "Environment"), *vars = json_object_get(env, "Variables"), *v;
	fn_auto_buf struct fn_buf reserved = {0};
	fn_auto_free char *text = NULL;
	const char *k;

	if (!env || json_is_null(env))
		return true;
	if (!json_is_object(env) || (vars && !json_is_null(vars) && !json_is_object(vars))) {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "Environment%s must be an object", json_is_object(env) ? ".Variables" : "");
		return false;
	}
	json_object_foreach(vars, k, v) {
		if (!json_is_string(v)) {
			fn_reply_error(call, &FN_E_INVALID_CONTENT, "Environment.Variables.%s must be a string", k);
			return false;
		}
		if (fn_env_rule(k) == FN_ENV_RESERVED)
			(void)fn_buf_addf(&reserved, "%s%s", reserved.len ? ", " : "", k);
		else if (!env_name_ok(k))
			fn_check_fail(c, k, "environment.variables",
				      "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]");
	}
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
		f->env[f->n_env].name = strdup(k);
		f->env[f->n_env++].value = strdup(json_string_value(v));
	}
	f->has_env = true;
	return true;
}

static bool apply_runtime(struct fn_call *call, const char *name, struct fn_function *f)
{
	struct fn_runtimes *rs = call->api->cfg.runtimes;
	const struct fn_runtime *rt = fn_runtimes_find(rs, name);
	fn_auto_free char *installed = fn_runtimes_installed(rs);

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
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "The base image of runtime %s is not installed on this host. Installed: %s", name,
			       installed);
		return false;
	}
	fn_set_string(&f->runtime, name);
	return true;
}

/* set: names with ", " between them. */
static void check_enum(struct fn_checks *c, const char *value, const char *member, const char *set)
{
	size_t n = value && !strchr(value, ',') ? strlen(value) : 0;
	char rule[128];

	if (!value)
		return;
	for (const char *p = set; n && (p = strstr(p, value)); p += n)
		if ((p == set || p[-1] == ' ') && (p[n] == ',' || p[n] == '\0'))
			return;
	snprintf(rule, sizeof(rule), "Member must satisfy enum value set: [%s]", set);
	fn_check_fail(c, value, member, rule);
}

/* A name for people and programs: no path is made of it, ".." is a name like another. */
static void check_log_group(struct fn_checks *c, const char *group)
{
	static const char member[] = "loggingConfig.logGroup";

	if (strlen(group) > FN_LIMIT_LOG_GROUP)
		fn_check_fail(c, group, member, "Member must have length less than or equal to 512");
	if (!*group)
		fn_check_fail(c, group, member, "Member must have length greater than or equal to 1");
	if (!*group || strspn(group, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_/#") != strlen(group))
		fn_check_fail(c, group, member, "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+");
}

static bool apply_logging(struct fn_call *call, struct fn_checks *c, json_t *in, struct fn_function *f)
{
	json_t *l = json_object_get(in, "LoggingConfig");
	const char *format, *app, *sys, *group;

	if (!fn_call_text(call, l, "LogFormat", &format) || !fn_call_text(call, l, "ApplicationLogLevel", &app) ||
	    !fn_call_text(call, l, "SystemLogLevel", &sys) || !fn_call_text(call, l, "LogGroup", &group))
		return false;
	check_enum(c, format, "loggingConfig.logFormat", "JSON, Text");
	check_enum(c, app, "loggingConfig.applicationLogLevel", "DEBUG, ERROR, FATAL, INFO, TRACE, WARN");
	check_enum(c, sys, "loggingConfig.systemLogLevel", "DEBUG, INFO, WARN");
	if (group)
		check_log_group(c, group);
	if (format)
		fn_set_string(&f->log_format, format);
	if (fn_streq(f->log_format, "JSON")) {
		fn_set_string(&f->app_log_level, app ? app : f->app_log_level ? f->app_log_level : "INFO");
		fn_set_string(&f->system_log_level, sys ? sys : f->system_log_level ? f->system_log_level : "INFO");
	} else {
		fn_set_string(&f->app_log_level, NULL);
		fn_set_string(&f->system_log_level, NULL);
	}
	if (group)
		fn_set_string(&f->log_group, group);
	return true;
}

bool fn_configuration_apply(struct fn_call *call, json_t *in, struct fn_function *f, bool create)
{
	const char *role, *handler, *description, *runtime, *mode;
	struct fn_checks c = {0};
	const struct fn_runtime *rt;
	json_t *tmp = json_object_get(in, "EphemeralStorage");

	if (!fn_call_text(call, in, "Role", &role) || !fn_call_text(call, in, "Handler", &handler) ||
	    !fn_call_text(call, in, "Description", &description) || !fn_call_text(call, in, "Runtime", &runtime))
		return false;
	if (role && !role_ok(role))
		fn_check_fail(&c, role, "role",
			      "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+");
	if (!role && create)
		fn_check_fail(&c, NULL, "role", "Member must not be null");
	if (handler && strlen(handler) > 128)
		fn_check_fail(&c, handler, "handler", "Member must have length less than or equal to 128");
	else if (handler && strpbrk(handler, " \t\n\r\f\v"))
		fn_check_fail(&c, handler, "handler", "Member must satisfy regular expression pattern: [^\\s]+");
	if (description && strlen(description) > 256)
		fn_check_fail(&c, description, "description", "Member must have length less than or equal to 256");
	int_member(&c, in, "MemorySize", "memorySize", FN_LIMIT_MEMORY_MIN, FN_LIMIT_MEMORY_MAX, &f->memory_mb);
	int_member(&c, in, "Timeout", "timeout", 1, FN_LIMIT_TIMEOUT_MAX, &f->timeout_s);
	int_member(&c, tmp, "Size", "ephemeralStorage.size", FN_LIMIT_TMP_MIN, FN_LIMIT_TMP_MAX, &f->ephemeral_mb);
	mode = json_string_value(json_object_get(json_object_get(in, "TracingConfig"), "Mode"));
	check_enum(&c, mode, "tracingConfig.mode", "Active, PassThrough");
	if (mode)
		fn_set_string(&f->tracing_mode, mode);
	apply_snap_start(&c, in, f);
	if (!apply_logging(call, &c, in, f) || !apply_env(call, &c, in, f)) {
		fn_buf_free(&c.text);
		return false;
	}
	if (!fn_checks_pass(&c, call) || !fn_refuse_unbuilt(call, in))
		return false;
	if (runtime && !apply_runtime(call, runtime, f))
		return false;
	if (role)
		fn_set_string(&f->role, role);
	if (handler)
		fn_set_string(&f->handler, handler);
	if (description)
		fn_set_string(&f->description, description);
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

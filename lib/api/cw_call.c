/* cw_call.c - what all of CloudWatch Logs' operations ask of a call. In the logs' thread (cloudwatch.h). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/cloudwatch.h"
#include "base/str.h"

void fn_cw_fail(struct fn_cw *w, const struct fn_aws_error *e, const char *fmt, ...)
{
	va_list ap;

	w->error = e;
	va_start(ap, fmt);
	(void)vsnprintf(w->message, sizeof(w->message), fmt, ap);
	va_end(ap);
}

void fn_cw_errno(struct fn_cw *w, int r)
{
	if (r < 0)
		fn_cw_fail(w, &FN_E_SERVICE, "logs: %s", strerror(-r));
}

void fn_cw_no_stream(struct fn_cw *w) { fn_cw_fail(w, &FN_E_LOGS_NOT_FOUND, "The specified log stream does not exist."); }

const char *fn_cw_string(const struct fn_cw *w, const char *member) { return json_string_value(json_object_get(w->call.in, member)); }

int64_t fn_cw_number(const struct fn_cw *w, const char *member, int64_t otherwise)
{
	const json_t *v = json_object_get(w->call.in, member);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool fn_cw_group_name(const struct fn_api_config *cfg, const char *identifier, char *name, size_t size)
{
	char prefix[128];

	if (!fn_str_starts(identifier, "arn:"))
		return fn_str_format(name, size, "%s", identifier) == 0;
	snprintf(prefix, sizeof(prefix), "arn:aws:logs:%s:%s:log-group:", cfg->region, cfg->account_id);
	if (!fn_str_starts(identifier, prefix) || fn_str_format(name, size, "%s", identifier + strlen(prefix)) < 0)
		return false;
	if (fn_str_ends(name, ":*"))
		name[strlen(name) - 2] = '\0';
	return true;
}

struct fn_log_group *fn_cw_named_group(struct fn_cw *w, const char *identifier)
{
	char name[FN_LOG_GROUP_NAME_MAX + 1];
	struct fn_log_group *g = NULL;

	if (fn_cw_group_name(&w->call.api->cfg, identifier, name, sizeof(name))) {
		fn_log_store_take_over(w->store, name);
		g = fn_log_store_group(w->store, name);
	}
	if (!g)
		fn_cw_fail(w, &FN_E_LOGS_NOT_FOUND, "The specified log group does not exist.");
	return g;
}

struct fn_log_group *fn_cw_group(struct fn_cw *w)
{
	const char *name = fn_cw_string(w, "logGroupName"), *identifier = fn_cw_string(w, "logGroupIdentifier");

	if (!name != !identifier) /* a name is no ARN: it has no colons */
		return fn_cw_named_group(w, name ? name : identifier);
	fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Exactly one of logGroupName and logGroupIdentifier is to be given.");
	return NULL;
}

struct fn_log_group *fn_cw_unprotected_group(struct fn_cw *w)
{
	struct fn_log_group *g = fn_cw_group(w);

	if (!g || !g->is_protected)
		return g;
	fn_cw_fail(w, &FN_E_LOGS_VALIDATION, "The log group %s has deletion protection enabled.", g->name);
	return NULL;
}

void fn_cw_add_group_arn(struct fn_cw *w, const char *group, const char *behind)
{
	const struct fn_api_config *cfg = &w->call.api->cfg;

	(void)fn_buf_addf(&w->body, "\"arn:aws:logs:%s:%s:log-group:%s%s\"", cfg->region, cfg->account_id, group, behind);
}

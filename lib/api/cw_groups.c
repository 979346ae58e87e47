/* cw_groups.c - CloudWatch Logs' operations on log groups. In the logs' thread (cloudwatch.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloudwatch.h"
#include "base/cleanup.h"
#include "base/str.h"

#define STANDARD "STANDARD"
#define PAGE 50

void fn_cw_create_group(struct fn_cw *w)
{
	const char *name = fn_cw_string(w, "logGroupName"), *class = fn_cw_string(w, "logGroupClass");
	const json_t *tags = json_object_get(w->call.in, "tags");
	fn_auto_free char *text = tags ? json_dumps(tags, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	int r;

	fn_log_store_take_over(w->store, name);
	if (fn_cw_string(w, "kmsKeyId")) {
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "fnd does not encrypt log groups: kmsKeyId is not supported.");
	} else if (class && !fn_streq(class, STANDARD)) {
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "fnd has log groups of the class STANDARD alone: %s is not supported.", class);
	} else if (strncmp(name, "aws/", 4) == 0) { /* CloudWatch Logs API Reference, CreateLogGroup */
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Log groups starting with AWS/ are reserved for AWS.");
	} else if (!tags || fn_cw_tags_fit(w, tags)) {
		r = fn_log_store_create(w->store, name, STANDARD, text, json_is_true(json_object_get(w->call.in, "deletionProtectionEnabled")), w->now_ms, NULL);
		if (r == -EEXIST)
			fn_cw_fail(w, &FN_E_LOGS_EXISTS, "The specified log group already exists");
		else
			fn_cw_errno(w, r);
	}
}

void fn_cw_delete_group(struct fn_cw *w)
{
	struct fn_log_group *g = fn_cw_unprotected_group(w);

	if (g)
		fn_cw_errno(w, fn_log_store_delete(w->store, g));
}

static void add_group(struct fn_cw *w, const struct fn_log_group *g)
{
	(void)fn_buf_addf(&w->body, "{\"logGroupName\":\"%s\",\"creationTime\":%" PRId64 ",", g->name, g->created_ms);
	if (g->retention_days)
		(void)fn_buf_addf(&w->body, "\"retentionInDays\":%d,", g->retention_days);
	(void)fn_buf_add_str(&w->body, "\"metricFilterCount\":0,\"arn\":");
	fn_cw_add_group_arn(w, g->name, ":*");
	(void)fn_buf_addf(&w->body, ",\"storedBytes\":%" PRIu64 ",\"logGroupClass\":\"%s\",\"logGroupArn\":", g->bytes, g->class);
	fn_cw_add_group_arn(w, g->name, "");
	(void)fn_buf_addf(&w->body, ",\"deletionProtectionEnabled\":%s}", g->is_protected ? "true" : "false");
}

/* What fnd has nobody to ask of: other accounts. */
static bool own_account(struct fn_cw *w)
{
	const json_t *accounts = json_object_get(w->call.in, "accountIdentifiers");
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)accounts, i, v)
		if (!fn_streq(json_string_value(v), w->call.api->cfg.account_id)) {
			fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "There is no account %s here.", json_string_value(v));
			return false;
		}
	return true;
}

static bool named(struct fn_cw *w, const json_t *identifiers, const char *name)
{
	char of[FN_LOG_GROUP_NAME_MAX + 1];
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)identifiers, i, v)
		if (fn_cw_group_name(&w->call.api->cfg, json_string_value(v), of, sizeof(of)) && strcmp(of, name) == 0)
			return true;
	return false;
}

/* "^/aws|abc": one of these in it, or in front. */
static bool fits_patterns(const char *name, const char *patterns)
{
	char part[32];

	for (size_t n; *patterns; patterns += n + (patterns[n] == '|')) {
		n = strcspn(patterns, "|");
		if (fn_str_format(part, sizeof(part), "%.*s", (int)n, patterns) < 0)
			continue;
		if (part[0] == '^' ? fn_str_starts(name, part + 1) : strstr(name, part) != NULL)
			return true;
	}
	return false;
}

struct listing {
	const char *prefix, *pattern, *patterns, *after;
	const json_t *identifiers;
	size_t limit;
	void (*add)(struct fn_cw *w, const struct fn_log_group *g);
};

static bool is_listed(struct fn_cw *w, const struct listing *l, const char *name)
{
	return (!l->after || strcmp(name, l->after) > 0) && (!l->prefix || fn_str_starts(name, l->prefix)) && (!l->pattern || strstr(name, l->pattern)) &&
	       (!l->patterns || fits_patterns(name, l->patterns)) && (!l->identifiers || named(w, l->identifiers, name));
}

static void list(struct fn_cw *w, const struct listing *l)
{
	const char *class = fn_cw_string(w, "logGroupClass");
	size_t n, listed = 0;
	fn_auto_free struct fn_log_group **all = fn_log_store_groups(w->store, &n);
	const struct fn_log_group *last = NULL;

	if (!all) {
		fn_cw_errno(w, -ENOMEM);
		return;
	}
	(void)fn_buf_add_str(&w->body, "{\"logGroups\":[");
	for (size_t i = 0; i < n; i++) {
		if (!is_listed(w, l, all[i]->name) || (class && !fn_streq(class, all[i]->class)))
			continue;
		if (listed == l->limit) {
			(void)fn_buf_addf(&w->body, "],\"nextToken\":\"%s\"}", last->name);
			return;
		}
		(void)fn_buf_add_str(&w->body, listed++ ? "," : "");
		l->add(w, all[i]);
		last = all[i];
	}
	(void)fn_buf_add_str(&w->body, "]}");
}

void fn_cw_describe_groups(struct fn_cw *w)
{
	const struct listing l = {.prefix = fn_cw_string(w, "logGroupNamePrefix"), .pattern = fn_cw_string(w, "logGroupNamePattern"),
				  .after = fn_cw_string(w, "nextToken"), .identifiers = json_object_get(w->call.in, "logGroupIdentifiers"),
				  .limit = (size_t)fn_cw_number(w, "limit", PAGE), .add = add_group};

	if (l.prefix && l.pattern)
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
	else if (l.identifiers && (l.prefix || l.pattern))
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "logGroupIdentifiers and a log group name prefix or pattern are mutually exclusive parameters.");
	else if (own_account(w))
		list(w, &l);
}

static void add_summary(struct fn_cw *w, const struct fn_log_group *g)
{
	(void)fn_buf_addf(&w->body, "{\"logGroupName\":\"%s\",\"logGroupArn\":", g->name);
	fn_cw_add_group_arn(w, g->name, "");
	(void)fn_buf_addf(&w->body, ",\"logGroupClass\":\"%s\"}", g->class);
}

void fn_cw_list_groups(struct fn_cw *w)
{
	static const char *const unsupported[] = {"dataSources", "fieldIndexNames", "logGroupTags"};
	const struct listing l = {.patterns = fn_cw_string(w, "logGroupNamePattern"), .after = fn_cw_string(w, "nextToken"),
				  .limit = (size_t)fn_cw_number(w, "limit", PAGE), .add = add_summary};

	for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++)
		if (json_object_get(w->call.in, unsupported[i])) {
			fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "%s is not supported by fnd.", unsupported[i]);
			return;
		}
	if (own_account(w))
		list(w, &l);
}

/* --- what a group has --- */
void fn_cw_put_retention(struct fn_cw *w)
{
	static const int days[] = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
	int64_t wanted = fn_cw_number(w, "retentionInDays", 0);
	struct fn_log_group *g = fn_cw_group(w);
	bool known = false;

	if (!g)
		return;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
		known = known || days[i] == wanted;
	if (!known) {
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER,
			   "1 validation error detected: Value '%" PRId64 "' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: "
			   "[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]", wanted);
		return;
	}
	fn_cw_errno(w, fn_log_store_set_retention(w->store, g, (int)wanted));
}

void fn_cw_delete_retention(struct fn_cw *w)
{
	struct fn_log_group *g = fn_cw_group(w);

	if (g)
		fn_cw_errno(w, fn_log_store_set_retention(w->store, g, 0));
}

void fn_cw_put_protection(struct fn_cw *w)
{
	struct fn_log_group *g = fn_cw_group(w);

	if (g)
		fn_cw_errno(w, fn_log_store_set_protected(w->store, g, json_is_true(json_object_get(w->call.in, "deletionProtectionEnabled"))));
}

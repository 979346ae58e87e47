/* cw_tags.c - tags of log groups, by ARN and, as it was before, by name. In the logs' thread (cloudwatch.h). */
#include <errno.h>
#include <stdlib.h>

#include "api/cloudwatch.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

bool fn_cw_tags_fit(struct fn_cw *w, const json_t *tags)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)tags, key, v)
		if (fn_str_starts(key, "aws:")) {
			fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Tag keys must not begin with aws:, as %s does.", key);
			return false;
		}
	if (json_object_size(tags) <= FN_LIMIT_TAGS)
		return true;
	fn_cw_fail(w, &FN_E_LOGS_TOO_MANY_TAGS, "A resource can have no more than %d tags.", FN_LIMIT_TAGS);
	return false;
}

static struct fn_log_group *resource(struct fn_cw *w)
{
	const char *arn = fn_cw_string(w, "resourceArn");

	if (!arn)
		return fn_cw_group(w);
	if (fn_str_starts(arn, "arn:"))
		return fn_cw_named_group(w, arn);
	fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "%s is no ARN of a log group.", arn);
	return NULL;
}

static json_t *tags_of(const struct fn_log_group *g)
{
	json_t *tags = g->tags ? json_loads(g->tags, 0, NULL) : NULL;

	return tags ? tags : json_object();
}

static void keep(struct fn_cw *w, struct fn_log_group *g, const json_t *tags)
{
	fn_auto_free char *text = json_object_size(tags) ? json_dumps(tags, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	fn_cw_errno(w, fn_log_store_set_tags(w->store, g, text));
}

void fn_cw_tag(struct fn_cw *w)
{
	struct fn_log_group *g = resource(w);
	json_auto_t *tags = g ? tags_of(g) : NULL;

	if (!g)
		return;
	if (json_object_update(tags, json_object_get(w->call.in, "tags")) < 0)
		fn_cw_errno(w, -ENOMEM);
	else if (fn_cw_tags_fit(w, tags))
		keep(w, g, tags);
}

void fn_cw_untag(struct fn_cw *w)
{
	struct fn_log_group *g = resource(w);
	const json_t *keys = json_object_get(w->call.in, "tagKeys"), *v;
	json_auto_t *tags = g ? tags_of(g) : NULL;
	size_t i;

	if (!g)
		return;
	if (!keys)
		keys = json_object_get(w->call.in, "tags");
	json_array_foreach((json_t *)keys, i, v)
		(void)json_object_del(tags, json_string_value(v));
	keep(w, g, tags);
}

void fn_cw_list_tags(struct fn_cw *w)
{
	struct fn_log_group *g = resource(w);

	if (g)
		(void)fn_buf_addf(&w->body, "{\"tags\":%s}", g->tags ? g->tags : "{}");
}

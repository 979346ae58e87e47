/* iam_tags.c - tags of roles, users and policies. */
#include <string.h>
#include <strings.h>

#include "api/iam.h"
#include "base/str.h"
#include "model/limits.h"

static const char *key_of(json_t *tag) { return json_string_value(json_object_get(tag, "Key")); }

/* Those of roles and users differ in more than their letters' case. */
static bool folds(enum fn_entity_kind kind) { return kind == FN_ENTITY_ROLE || kind == FN_ENTITY_USER; }

static int find(json_t *tags, const char *key, enum fn_entity_kind kind, size_t before)
{
	json_t *t;
	size_t i;

	json_array_foreach(tags, i, t)
		if (i < before && (folds(kind) ? strcasecmp : strcmp)(key_of(t), key) == 0)
			return (int)i;
	return -1;
}

bool fn_iam_tags_fit(struct fn_call *call, json_t *tags, enum fn_entity_kind kind)
{
	json_t *t;
	size_t i;

	json_array_foreach(tags, i, t)
		if (find(tags, key_of(t), kind, i) >= 0) {
			fn_reply_error(call, &FN_E_IAM_INPUT, "Duplicate tag keys found.%s", folds(kind) ? " Please note that Tag keys are case insensitive." : "");
			return false;
		}
	if (json_array_size(tags) <= FN_LIMIT_TAGS)
		return true;
	fn_reply_error(call, &FN_E_IAM_LIMIT, "The number of tags has reached the maximum limit.");
	return false;
}

static enum fn_entity_kind kind_of(const struct fn_call *call)
{
	return fn_iam_in(call, "RoleName") ? FN_ENTITY_ROLE : fn_iam_in(call, "UserName") ? FN_ENTITY_USER : FN_ENTITY_POLICY;
}

void fn_h_iam_tag(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_tag) ? fn_iam_entity(call, kind_of(call)) : NULL;
	json_t *given = json_object_get(call->in, "Tags"), *record, *tags, *t;
	size_t i;
	int at;

	if (!e || !fn_iam_tags_fit(call, given, e->kind))
		return;
	record = json_deep_copy(e->record);
	tags = json_object_get(record, "Tags");
	if (!tags) {
		tags = json_array();
		json_object_set_new(record, "Tags", tags);
	}
	json_array_foreach(given, i, t) {
		at = find(tags, key_of(t), e->kind, SIZE_MAX);
		if (at >= 0)
			json_array_set(tags, (size_t)at, t);
		else
			json_array_append(tags, t);
	}
	if (fn_iam_tags_fit(call, tags, e->kind))
		fn_iam_put(call, e->kind, e->name, record, NULL);
	else
		json_decref(record);
}

void fn_h_iam_untag(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_untag) ? fn_iam_entity(call, kind_of(call)) : NULL;
	json_t *record, *tags, *key;
	size_t i;
	int at;

	if (!e)
		return;
	record = json_deep_copy(e->record);
	tags = json_object_get(record, "Tags");
	json_array_foreach(json_object_get(call->in, "TagKeys"), i, key) {
		at = find(tags, json_string_value(key), e->kind, SIZE_MAX);
		if (at >= 0)
			json_array_remove(tags, (size_t)at);
	}
	fn_iam_put(call, e->kind, e->name, record, NULL);
}

void fn_h_iam_list_tags(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_entity(call, kind_of(call));
	json_t *tags = e ? json_object_get(e->record, "Tags") : NULL;

	if (e)
		fn_iam_page(call, "Tags", tags ? json_incref(tags) : json_array(), "Key");
}

/* iam_inline.c - the policies that a role or a user has: its own, and those that are attached to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/iam.h"
#include "base/cleanup.h"
#include "base/str.h"

#define INLINE_MAX_ROLE 10240
#define INLINE_MAX_USER 2048
#define ATTACHED_MAX 20

static enum fn_entity_kind kind_of(const struct fn_call *call) { return strstr(call->operation->name, "User") ? FN_ENTITY_USER : FN_ENTITY_ROLE; }
static const char *word(enum fn_entity_kind k) { return k == FN_ENTITY_USER ? "user" : "role"; }
static const char *member(enum fn_entity_kind k) { return k == FN_ENTITY_USER ? "UserName" : "RoleName"; }

static bool fits(struct fn_call *call, const struct fn_entity *e, json_t *all)
{
	size_t n = 0, max = e->kind == FN_ENTITY_USER ? INLINE_MAX_USER : INLINE_MAX_ROLE;
	const char *name;
	json_t *text;

	json_object_foreach(all, name, text)
		for (const char *p = json_string_value(text); *p; p++)
			n += !strchr(" \t\r\n", *p);
	if (n <= max)
		return true;
	fn_reply_error(call, &FN_E_IAM_LIMIT, "Maximum policy size of %zu bytes exceeded for %s %s", max, word(e->kind), e->name);
	return false;
}

void fn_h_iam_put_inline(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_put_inline) ? fn_iam_entity(call, kind_of(call)) : NULL;
	json_t *record = e ? json_deep_copy(e->record) : NULL, *all = json_object_get(record, "Inline");

	if (!e)
		return;
	json_object_set(all, fn_iam_in(call, "PolicyName"), json_object_get(call->in, "PolicyDocument"));
	if (fn_iam_document_fits(call, fn_iam_in(call, "PolicyDocument"), FN_IAM_IDENTITY) && fits(call, e, all))
		fn_iam_put(call, e->kind, e->name, record, NULL);
	else
		json_decref(record);
}

static const char *inlined(struct fn_call *call, const struct fn_entity *e)
{
	const char *name = fn_iam_in(call, "PolicyName"), *text = json_string_value(json_object_get(json_object_get(e->record, "Inline"), name));

	if (!text)
		fn_reply_error(call, &FN_E_NO_ENTITY, "The %s policy with name %s cannot be found.", word(e->kind), name);
	return text;
}

void fn_h_iam_get_inline(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_entity(call, kind_of(call));
	const char *text = e ? inlined(call, e) : NULL;

	if (text)
		fn_iam_reply(call, json_pack("{ss,ss,so}", member(e->kind), e->name, "PolicyName", fn_iam_in(call, "PolicyName"), "PolicyDocument", fn_iam_escaped(text)));
}

void fn_h_iam_list_inline(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_entity(call, kind_of(call));
	json_t *list, *text;
	const char *name;

	if (!e)
		return;
	list = json_array();
	json_object_foreach(json_object_get(e->record, "Inline"), name, text)
		json_array_append_new(list, json_string(name));
	fn_iam_page(call, "PolicyNames", list, NULL);
}

void fn_h_iam_delete_inline(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_delete_inline) ? fn_iam_entity(call, kind_of(call)) : NULL;
	json_t *record;

	if (!e || !inlined(call, e))
		return;
	record = json_deep_copy(e->record);
	(void)json_object_del(json_object_get(record, "Inline"), fn_iam_in(call, "PolicyName"));
	fn_iam_put(call, e->kind, e->name, record, NULL);
}

/* --- attached --- */
static int find(json_t *list, const char *arn)
{
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
		if (fn_streq(json_string_value(e), arn))
			return (int)i;
	return -1;
}

void fn_h_iam_attach(struct fn_call *call)
{
	const char *arn = fn_iam_in(call, "PolicyArn");
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_attach) ? fn_iam_entity(call, kind_of(call)) : NULL;
	json_t *record, *list;

	if (!e)
		return;
	if (!fn_iam_policy_there(call, arn, "Policy"))
		return;
	list = json_object_get(e->record, "Attached");
	if (find(list, arn) >= 0) { /* it is already */
		fn_iam_reply(call, NULL);
		return;
	}
	if (json_array_size(list) >= ATTACHED_MAX) {
		fn_reply_error(call, &FN_E_IAM_LIMIT, "Cannot exceed quota for PoliciesPer%s: %d", e->kind == FN_ENTITY_USER ? "User" : "Role", ATTACHED_MAX);
		return;
	}
	record = json_deep_copy(e->record);
	json_array_append_new(json_object_get(record, "Attached"), json_string(arn));
	fn_iam_put(call, e->kind, e->name, record, NULL);
}

void fn_h_iam_detach(struct fn_call *call)
{
	const char *arn = fn_iam_in(call, "PolicyArn");
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_detach) ? fn_iam_entity(call, kind_of(call)) : NULL;
	int at = e ? find(json_object_get(e->record, "Attached"), arn) : -1;
	json_t *record;

	if (!e)
		return;
	if (at < 0) {
		fn_reply_error(call, &FN_E_NO_ENTITY, "Policy %s was not found.", arn);
		return;
	}
	record = json_deep_copy(e->record);
	json_array_remove(json_object_get(record, "Attached"), (size_t)at);
	fn_iam_put(call, e->kind, e->name, record, NULL);
}

void fn_h_iam_list_attached(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_entity(call, kind_of(call));
	const char *prefix = fn_iam_in(call, "PathPrefix");
	json_t *list, *arn;
	size_t i;

	if (!e)
		return;
	list = json_array();
	json_array_foreach(json_object_get(e->record, "Attached"), i, arn) {
		const char *text = json_string_value(arn), *path = strstr(text, ":policy/");

		if (!prefix || (path && fn_str_starts(path + 7, prefix)))
			json_array_append_new(list, json_pack("{ss,ss}", "PolicyName", strrchr(text, '/') + 1, "PolicyArn", text));
	}
	fn_iam_page(call, "AttachedPolicies", list, "PolicyArn");
}

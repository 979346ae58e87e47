/* iam_users.c - users and their access keys: who is not root, and asks from outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/iam.h"
#include "base/cleanup.h"
#include "base/str.h"

#define KEYS_MAX 2

static const char *text_of(const json_t *o, const char *member) { return json_string_value(json_object_get(o, member)); }

static json_t *list_entry(struct fn_api *api, const struct fn_entity *e)
{
	static const char *const shown[] = {"Path", "UserName", "UserId", "Arn", "CreateDate", NULL};

	(void)api;
	return fn_iam_members(e, shown);
}

static json_t *user_json(const json_t *record)
{
	const struct fn_entity e = {.record = (json_t *)record};
	json_t *o = list_entry(NULL, &e);

	if (json_array_size(json_object_get(record, "Tags")) > 0)
		json_object_set(o, "Tags", json_object_get(record, "Tags"));
	if (text_of(record, "PermissionsBoundary"))
		json_object_set_new(o, "PermissionsBoundary", json_pack("{ss,ss}", "PermissionsBoundaryType", "Policy", "PermissionsBoundaryArn", text_of(record, "PermissionsBoundary")));
	return o;
}

void fn_h_iam_create_user(struct fn_call *call)
{
	const char *name = fn_iam_in(call, "UserName"), *path = fn_iam_in(call, "Path");
	json_t *record, *tags = json_object_get(call->in, "Tags");
	char id[24], arn[700];

	if (!fn_iam_turn(call, fn_h_iam_create_user) || !fn_iam_tags_fit(call, tags, FN_ENTITY_USER) || !fn_iam_boundary_fits(call))
		return;
	if (fn_store_entity_alike(call->api->cfg.store, FN_ENTITY_USER, name)) {
		fn_reply_error(call, &FN_E_ENTITY_EXISTS, "User with name %s already exists.", name);
		return;
	}
	fn_iam_id("AIDA", 21, id);
	path = path ? path : "/";
	snprintf(arn, sizeof(arn), "arn:aws:iam::%s:user%s%s", call->api->cfg.account_id, path, name);
	record = json_pack("{ss,ss,ss,ss,sI,s{},s[],s[]}", "UserName", name, "UserId", id, "Arn", arn, "Path", path, "CreateDate", (json_int_t)time(NULL), "Inline", "Attached", "Keys");
	if (tags)
		json_object_set(record, "Tags", tags);
	if (fn_iam_in(call, "PermissionsBoundary"))
		json_object_set(record, "PermissionsBoundary", json_object_get(call->in, "PermissionsBoundary"));
	fn_iam_put(call, FN_ENTITY_USER, name, record, json_pack("{so}", "User", user_json(record)));
}

/* Who is named, or who asks; NULL after having replied. */
static const struct fn_entity *user_of(struct fn_call *call)
{
	if (fn_iam_in(call, "UserName"))
		return fn_iam_entity(call, FN_ENTITY_USER);
	if (call->caller && call->caller->username)
		return call->caller->entity;
	fn_reply_error(call, &FN_E_VALIDATION, "Must specify userName when calling with non-User credentials");
	return NULL;
}

void fn_h_iam_get_user(struct fn_call *call)
{
	const char *account = call->api->cfg.account_id;
	const struct fn_entity *e;

	if (!fn_iam_in(call, "UserName") && !call->caller) {
		fn_iam_reply(call, json_pack("{s{ss,ss,so,si}}", "User", "Path", "/", "UserId", account, "Arn", json_sprintf("arn:aws:iam::%s:root", account), "CreateDate", 0));
		return;
	}
	e = user_of(call);
	if (e)
		fn_iam_reply(call, json_pack("{so}", "User", user_json(e->record)));
}

void fn_h_iam_list_users(struct fn_call *call) { fn_iam_list(call, FN_ENTITY_USER, "Users", "UserName", list_entry); }

void fn_h_iam_delete_user(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_delete_user) ? fn_iam_entity(call, FN_ENTITY_USER) : NULL;

	if (!e)
		return;
	if (json_array_size(json_object_get(e->record, "Keys")) > 0)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete entity, must delete access keys first.");
	else if (json_array_size(json_object_get(e->record, "Attached")) > 0)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete entity, must detach all policies first.");
	else if (json_object_size(json_object_get(e->record, "Inline")) > 0)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete entity, must delete policies first.");
	else
		fn_iam_delete(call, FN_ENTITY_USER, e->name);
}

void fn_h_iam_no_groups(struct fn_call *call)
{
	if (fn_iam_entity(call, FN_ENTITY_USER))
		fn_iam_reply(call, json_pack("{s[],sb}", "Groups", "IsTruncated", 0));
}

void fn_h_iam_no_aliases(struct fn_call *call) { fn_iam_reply(call, json_pack("{s[],sb}", "AccountAliases", "IsTruncated", 0)); }

/* --- access keys --- */
static json_t *key_json(const struct fn_entity *e, json_t *key)
{
	return json_pack("{ss,sO,sO,sO}", "UserName", e->name, "AccessKeyId", json_object_get(key, "AccessKeyId"), "Status", json_object_get(key, "Status"), "CreateDate",
			 json_object_get(key, "CreateDate"));
}

/* A key of one's own is asked for without a name, and who asks is known in this turn alone: they are named from here on. Root may change any key. */
static bool named(struct fn_call *call, bool root_any)
{
	const struct fn_entity *e;

	if (fn_iam_in(call, "UserName") || (root_any && !call->caller))
		return true;
	e = user_of(call);
	return e && json_object_set_new(call->in, "UserName", json_string(e->name)) == 0;
}

void fn_h_iam_create_key(struct fn_call *call)
{
	const struct fn_entity *e;
	fn_auto_free char *secret = NULL;
	char id[24];
	uint8_t random[30];
	json_t *record, *key, *out;

	e = named(call, false) && fn_iam_turn(call, fn_h_iam_create_key) ? fn_iam_entity(call, FN_ENTITY_USER) : NULL;
	if (!e)
		return;
	if (json_array_size(json_object_get(e->record, "Keys")) >= KEYS_MAX) {
		fn_reply_error(call, &FN_E_IAM_LIMIT, "Cannot exceed quota for AccessKeysPerUser: %d", KEYS_MAX);
		return;
	}
	fn_iam_id("AKIA", 20, id);
	fn_id_random(random, sizeof(random));
	if (fn_base64_encode(random, sizeof(random), &secret) < 0) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	record = json_deep_copy(e->record);
	key = json_pack("{ss,ss,ss,sI}", "AccessKeyId", id, "SecretAccessKey", secret, "Status", "Active", "CreateDate", (json_int_t)time(NULL));
	json_array_append_new(json_object_get(record, "Keys"), key);
	out = key_json(e, key);
	json_object_set(out, "SecretAccessKey", json_object_get(key, "SecretAccessKey"));
	fn_iam_put(call, FN_ENTITY_USER, e->name, record, json_pack("{so}", "AccessKey", out));
}

void fn_h_iam_list_keys(struct fn_call *call)
{
	const struct fn_entity *e = user_of(call);
	json_t *list, *key;
	size_t i;

	if (!e)
		return;
	list = json_array();
	json_array_foreach(json_object_get(e->record, "Keys"), i, key)
		json_array_append_new(list, key_json(e, key));
	fn_iam_page(call, "AccessKeyMetadata", list, "AccessKeyId");
}

/* The key that the request is about, in a record of its own to be changed: its user's; -1 after having replied. */
static int key_of(struct fn_call *call, const struct fn_entity **ret_user)
{
	const char *id = fn_iam_in(call, "AccessKeyId");
	json_t *key;
	size_t i;

	*ret_user = fn_store_access_key(call->api->cfg.store, id, &key);
	if (*ret_user && fn_iam_in(call, "UserName") && !fn_streq((*ret_user)->name, fn_iam_in(call, "UserName")))
		*ret_user = NULL;
	json_array_foreach(*ret_user ? json_object_get((*ret_user)->record, "Keys") : NULL, i, key)
		if (fn_streq(text_of(key, "AccessKeyId"), id))
			return (int)i;
	fn_reply_error(call, &FN_E_NO_ENTITY, "The Access Key with id %s cannot be found.", id);
	return -1;
}

void fn_h_iam_update_key(struct fn_call *call)
{
	const struct fn_entity *e;
	int at = named(call, true) && fn_iam_turn(call, fn_h_iam_update_key) ? key_of(call, &e) : -1;
	json_t *record;

	if (at < 0)
		return;
	record = json_deep_copy(e->record);
	json_object_set(json_array_get(json_object_get(record, "Keys"), (size_t)at), "Status", json_object_get(call->in, "Status"));
	fn_iam_put(call, FN_ENTITY_USER, e->name, record, NULL);
}

void fn_h_iam_delete_key(struct fn_call *call)
{
	const struct fn_entity *e;
	int at = named(call, true) && fn_iam_turn(call, fn_h_iam_delete_key) ? key_of(call, &e) : -1;
	json_t *record;

	if (at < 0)
		return;
	record = json_deep_copy(e->record);
	json_array_remove(json_object_get(record, "Keys"), (size_t)at);
	fn_iam_put(call, FN_ENTITY_USER, e->name, record, NULL);
}

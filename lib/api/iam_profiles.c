/* iam_profiles.c - instance profiles: deploy tools make one beside a role, look for it and take it away again. Nothing here runs on instances. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/iam.h"
#include "base/str.h"

/* Of a record; its Roles are names there, and roles in the answer. */
static json_t *profile_json(struct fn_api *api, const json_t *record)
{
	json_t *o = json_deep_copy(record), *roles = json_array(), *name;
	size_t i;

	json_array_foreach(json_object_get(record, "Roles"), i, name) {
		const struct fn_entity *e = fn_store_entity(api->cfg.store, FN_ENTITY_ROLE, json_string_value(name));

		if (e)
			json_array_append_new(roles, fn_iam_role_json(api, e->record));
	}
	json_object_set_new(o, "Roles", roles);
	return o;
}

void fn_h_iam_create_profile(struct fn_call *call)
{
	const char *name = fn_iam_in(call, "InstanceProfileName"), *path = fn_iam_in(call, "Path");
	json_t *record, *tags = json_object_get(call->in, "Tags");
	char id[24], arn[700];

	if (!fn_iam_turn(call, fn_h_iam_create_profile) || !fn_iam_tags_fit(call, tags, FN_ENTITY_PROFILE))
		return;
	if (fn_store_entity_alike(call->api->cfg.store, FN_ENTITY_PROFILE, name)) {
		fn_reply_error(call, &FN_E_ENTITY_EXISTS, "Instance Profile %s already exists.", name);
		return;
	}
	fn_iam_id("AIPA", 21, id);
	path = path ? path : "/";
	snprintf(arn, sizeof(arn), "arn:aws:iam::%s:instance-profile%s%s", call->api->cfg.account_id, path, name);
	record = json_pack("{ss,ss,ss,ss,sI,s[]}", "InstanceProfileName", name, "InstanceProfileId", id, "Arn", arn, "Path", path, "CreateDate", (json_int_t)time(NULL), "Roles");
	if (tags)
		json_object_set(record, "Tags", tags);
	fn_iam_put(call, FN_ENTITY_PROFILE, name, record, json_pack("{so}", "InstanceProfile", profile_json(call->api, record)));
}

void fn_h_iam_get_profile(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_entity(call, FN_ENTITY_PROFILE);

	if (e)
		fn_iam_reply(call, json_pack("{so}", "InstanceProfile", profile_json(call->api, e->record)));
}

void fn_h_iam_delete_profile(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_delete_profile) ? fn_iam_entity(call, FN_ENTITY_PROFILE) : NULL;

	if (e && json_array_size(json_object_get(e->record, "Roles")) > 0)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete entity, must remove roles from instance profile first.");
	else if (e)
		fn_iam_delete(call, FN_ENTITY_PROFILE, e->name);
}

/* Both are there; *ret_role is the role's name. */
static const struct fn_entity *profile_and_role(struct fn_call *call, fn_handler handler, const char **ret_role)
{
	const struct fn_entity *e = fn_iam_turn(call, handler) ? fn_iam_entity(call, FN_ENTITY_PROFILE) : NULL, *role = e ? fn_iam_entity(call, FN_ENTITY_ROLE) : NULL;

	*ret_role = role ? role->name : NULL;
	return role ? e : NULL;
}

void fn_h_iam_add_to_profile(struct fn_call *call)
{
	const char *role;
	const struct fn_entity *e = profile_and_role(call, fn_h_iam_add_to_profile, &role);
	json_t *record;

	if (!e)
		return;
	if (json_array_size(json_object_get(e->record, "Roles")) > 0) {
		fn_reply_error(call, &FN_E_IAM_LIMIT, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
		return;
	}
	record = json_deep_copy(e->record);
	json_array_append_new(json_object_get(record, "Roles"), json_string(role));
	fn_iam_put(call, FN_ENTITY_PROFILE, e->name, record, NULL);
}

void fn_h_iam_remove_from_profile(struct fn_call *call)
{
	const char *role;
	const struct fn_entity *e = profile_and_role(call, fn_h_iam_remove_from_profile, &role);
	json_t *record;

	if (!e)
		return;
	if (!fn_iam_profile_has(e->record, role)) {
		fn_reply_error(call, &FN_E_NO_ENTITY, "The role with name %s cannot be found.", role);
		return;
	}
	record = json_deep_copy(e->record);
	json_array_clear(json_object_get(record, "Roles"));
	fn_iam_put(call, FN_ENTITY_PROFILE, e->name, record, NULL);
}

/* Those with this role; role NULL = all, by PathPrefix. */
static void list(struct fn_call *call, const char *role)
{
	const char *prefix = role ? NULL : fn_iam_in(call, "PathPrefix"), *after = "";
	const struct fn_entity *page[64];
	json_t *all = json_array();
	size_t n;

	do {
		n = fn_store_entities(call->api->cfg.store, FN_ENTITY_PROFILE, after, page, 64);
		for (size_t i = 0; i < n; i++)
			if ((!role || fn_iam_profile_has(page[i]->record, role)) && (!prefix || fn_str_starts(json_string_value(json_object_get(page[i]->record, "Path")), prefix)))
				json_array_append_new(all, profile_json(call->api, page[i]->record));
		after = n ? page[n - 1]->name : "";
	} while (n == 64);
	fn_iam_page(call, "InstanceProfiles", all, "InstanceProfileName");
}

void fn_h_iam_list_profiles(struct fn_call *call) { list(call, NULL); }

void fn_h_iam_profiles_of_role(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_entity(call, FN_ENTITY_ROLE);

	if (e)
		list(call, e->name);
}

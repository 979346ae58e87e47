/* iam_roles.c - roles, those that are linked to a service, and what tools ask before they delete one. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/iam.h"
#include "base/str.h"

#define TRUST_MAX 4096

static const char *const shown[] = {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "Description", "MaxSessionDuration", NULL};

static json_t *list_entry(struct fn_api *api, const struct fn_entity *e)
{
	json_t *o = fn_iam_members(e, shown);

	json_object_set_new(o, "AssumeRolePolicyDocument", fn_iam_trust_shown(api, e->record));
	return o;
}

json_t *fn_iam_role_json(struct fn_api *api, const json_t *record)
{
	const struct fn_entity e = {.record = (json_t *)record};
	const char *boundary = json_string_value(json_object_get(record, "PermissionsBoundary"));
	json_t *o = list_entry(api, &e), *tags = json_object_get(record, "Tags");

	if (json_array_size(tags) > 0)
		json_object_set(o, "Tags", tags);
	if (boundary)
		json_object_set_new(o, "PermissionsBoundary", json_pack("{ss,ss}", "PermissionsBoundaryType", "Policy", "PermissionsBoundaryArn", boundary));
	return o;
}

static json_t *new_role(struct fn_call *call, const char *name, const char *path, const char *trust)
{
	char id[24], arn[700];

	fn_iam_id("AROA", 21, id);
	snprintf(arn, sizeof(arn), "arn:aws:iam::%s:role%s%s", call->api->cfg.account_id, path, name);
	return json_pack("{ss,ss,ss,ss,sI,si,ss,s{},s[]}", "RoleName", name, "RoleId", id, "Arn", arn, "Path", path, "CreateDate", (json_int_t)time(NULL), "MaxSessionDuration", 3600,
			 "AssumeRolePolicyDocument", trust, "Inline", "Attached");
}

static void copy(struct fn_call *call, json_t *record, const char *member)
{
	json_t *v = json_object_get(call->in, member);

	if (v)
		json_object_set(record, member, v);
}

static void create(struct fn_call *call, const char *name, json_t *record)
{
	json_t *o;

	if (fn_store_entity_alike(call->api->cfg.store, FN_ENTITY_ROLE, name)) {
		json_decref(record);
		fn_reply_error(call, &FN_E_ENTITY_EXISTS, "Role with name %s already exists.", name);
		return;
	}
	o = fn_iam_role_json(call->api, record);
	(void)json_object_del(o, "Description"); /* the service does not say them here */
	(void)json_object_del(o, "MaxSessionDuration");
	fn_iam_put(call, FN_ENTITY_ROLE, name, record, json_pack("{so}", "Role", o));
}

void fn_h_iam_create_role(struct fn_call *call)
{
	const char *name = fn_iam_in(call, "RoleName"), *path = fn_iam_in(call, "Path"), *trust = fn_iam_in(call, "AssumeRolePolicyDocument");
	json_t *record;

	if (!fn_iam_turn(call, fn_h_iam_create_role) || !fn_iam_tags_fit(call, json_object_get(call->in, "Tags"), FN_ENTITY_ROLE) || !fn_iam_short(call, trust, TRUST_MAX, "ACLSizePerRole") ||
	    !fn_iam_boundary_fits(call))
		return;
	record = new_role(call, name, path ? path : "/", trust);
	if (!fn_iam_trust_put(call, record, trust)) {
		json_decref(record);
		return;
	}
	copy(call, record, "Description");
	copy(call, record, "MaxSessionDuration");
	copy(call, record, "Tags");
	copy(call, record, "PermissionsBoundary");
	create(call, name, record);
}

void fn_h_iam_get_role(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_entity(call, FN_ENTITY_ROLE);
	json_t *o = e ? fn_iam_role_json(call->api, e->record) : NULL;

	if (!e)
		return;
	json_object_set_new(o, "RoleLastUsed", json_object());
	fn_iam_reply(call, json_pack("{so}", "Role", o));
}

void fn_h_iam_list_roles(struct fn_call *call) { fn_iam_list(call, FN_ENTITY_ROLE, "Roles", "RoleName", list_entry); }

/* UpdateRole, UpdateRoleDescription. */
void fn_h_iam_update_role(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_update_role) ? fn_iam_entity(call, FN_ENTITY_ROLE) : NULL;
	bool description = fn_aws_op_of(call->operation) == FN_AWS_Iam_UpdateRoleDescription;
	json_t *record, *o;

	if (!e)
		return;
	record = json_deep_copy(e->record);
	copy(call, record, "Description");
	copy(call, record, "MaxSessionDuration");
	o = description ? fn_iam_role_json(call->api, record) : NULL;
	(void)json_object_del(o, "MaxSessionDuration");
	fn_iam_put(call, FN_ENTITY_ROLE, e->name, record, o ? json_pack("{so}", "Role", o) : json_object());
}

void fn_h_iam_update_trust(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_update_trust) ? fn_iam_entity(call, FN_ENTITY_ROLE) : NULL;
	json_t *record;

	if (!e || !fn_iam_short(call, fn_iam_in(call, "PolicyDocument"), TRUST_MAX, "ACLSizePerRole"))
		return;
	record = json_deep_copy(e->record);
	if (fn_iam_trust_put(call, record, fn_iam_in(call, "PolicyDocument")))
		fn_iam_put(call, FN_ENTITY_ROLE, e->name, record, NULL);
	else
		json_decref(record);
}

void fn_h_iam_delete_role(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_delete_role) ? fn_iam_entity(call, FN_ENTITY_ROLE) : NULL;

	if (!e)
		return;
	if (json_array_size(json_object_get(e->record, "Attached")) > 0)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete entity, must detach all policies first.");
	else if (json_object_size(json_object_get(e->record, "Inline")) > 0)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete entity, must delete policies first.");
	else if (fn_iam_in_profile(call->api, e->name))
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete entity, must remove roles from instance profile first.");
	else if (fn_str_starts(json_string_value(json_object_get(e->record, "Path")), "/aws-service-role/"))
		fn_reply_error(call, &FN_E_UNMODIFIABLE, "Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", e->name);
	else
		fn_iam_delete(call, FN_ENTITY_ROLE, e->name);
}

/* --- boundaries: Put and Delete, of roles --- */
void fn_h_iam_boundary(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_boundary) ? fn_iam_entity(call, FN_ENTITY_ROLE) : NULL;
	json_t *record;

	if (!e || !fn_iam_boundary_fits(call))
		return;
	record = json_deep_copy(e->record);
	(void)json_object_del(record, "PermissionsBoundary");
	copy(call, record, "PermissionsBoundary");
	fn_iam_put(call, FN_ENTITY_ROLE, e->name, record, NULL);
}

/* --- roles of services --- */
void fn_h_iam_create_service_role(struct fn_call *call)
{
	const char *service = fn_iam_in(call, "AWSServiceName"), *suffix = fn_iam_in(call, "CustomSuffix");
	char name[128], path[200], trust[400], stem[65];
	size_t n = strcspn(service, ".");
	json_t *record;

	if (!fn_iam_turn(call, fn_h_iam_create_service_role))
		return;
	snprintf(stem, sizeof(stem), "%.*s", (int)n, service);
	if (stem[0] >= 'a' && stem[0] <= 'z')
		stem[0] = (char)(stem[0] - 'a' + 'A');
	snprintf(name, sizeof(name), "AWSServiceRoleFor%s%s%s", stem, suffix ? "_" : "", suffix ? suffix : "");
	snprintf(path, sizeof(path), "/aws-service-role/%s/", service);
	snprintf(trust, sizeof(trust), "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":[\"sts:AssumeRole\"],\"Effect\":\"Allow\",\"Principal\":{\"Service\":[\"%.128s\"]}}]}", service);
	if (!fn_str_ends(service, ".amazonaws.com") || strpbrk(service, "\"\\") || strlen(name) > 64) {
		fn_reply_error(call, &FN_E_IAM_INPUT, "Service role name %.100s has been taken in this account or is invalid", name);
		return;
	}
	if (fn_store_entity_alike(call->api->cfg.store, FN_ENTITY_ROLE, name)) {
		fn_reply_error(call, &FN_E_IAM_INPUT, "Service role name %s has been taken in this account, please try a different suffix.", name);
		return;
	}
	record = new_role(call, name, path, trust);
	copy(call, record, "Description");
	create(call, name, record);
}

void fn_h_iam_delete_service_role(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_delete_service_role) ? fn_iam_entity(call, FN_ENTITY_ROLE) : NULL;
	char id[FN_UUID_SIZE], task[800];

	if (!e)
		return;
	fn_id_uuid(id);
	snprintf(task, sizeof(task), "task%s%s/%s", json_string_value(json_object_get(e->record, "Path")), e->name, id);
	/* what is deleted is empty of policies: nothing waits for anything */
	if (!fn_str_starts(json_string_value(json_object_get(e->record, "Path")), "/aws-service-role/"))
		fn_reply_error(call, &FN_E_NO_ENTITY, "The role with name %s cannot be found.", e->name);
	else
		fn_iam_delete_answer(call, FN_ENTITY_ROLE, e->name, json_pack("{ss}", "DeletionTaskId", task));
}

void fn_h_iam_service_role_deletion(struct fn_call *call)
{
	if (fn_str_starts(fn_iam_in(call, "DeletionTaskId"), "task/aws-service-role/"))
		fn_iam_reply(call, json_pack("{ss}", "Status", "SUCCEEDED"));
	else
		fn_reply_error(call, &FN_E_NO_ENTITY, "The deletion task id %s does not exist.", fn_iam_in(call, "DeletionTaskId"));
}

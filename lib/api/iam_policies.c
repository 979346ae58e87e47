/* iam_policies.c - managed policies with their versions: the account's own, and AWS's, which nobody changes (aws/managed.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/iam.h"
#include "aws/managed.h"
#include "base/cleanup.h"
#include "base/str.h"

#define POLICY_MAX 6144
#define VERSIONS_MAX 5
#define SINCE 1423000000 /* when AWS's were made, of which nobody asks more exactly */

static const char *text_of(const json_t *o, const char *member) { return json_string_value(json_object_get(o, member)); }

static bool has(json_t *list, const char *arn)
{
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
		if (fn_streq(json_string_value(e), arn))
			return true;
	return false;
}

/* All of a kind; the caller frees the list. */
static const struct fn_entity **all_of(struct fn_api *api, enum fn_entity_kind kind, size_t *ret_n)
{
	size_t n = fn_store_n_entities(api->cfg.store, kind);
	const struct fn_entity **all = calloc(n + 1, sizeof(*all));

	*ret_n = all ? fn_store_entities(api->cfg.store, kind, "", all, n) : 0;
	return all;
}

static unsigned count(struct fn_api *api, const char *arn, const char *bounded)
{
	unsigned found = 0;

	for (enum fn_entity_kind k = FN_ENTITY_ROLE; k <= FN_ENTITY_USER; k++) {
		size_t n;
		fn_auto_free const struct fn_entity **all = all_of(api, k, &n);

		for (size_t i = 0; i < n; i++)
			found += bounded ? fn_streq(text_of(all[i]->record, "PermissionsBoundary"), bounded) : has(json_object_get(all[i]->record, "Attached"), arn);
	}
	return found;
}

unsigned fn_iam_attachments(struct fn_api *api, const char *arn) { return count(api, arn, NULL); }

static json_t *policy_json(struct fn_api *api, const struct fn_entity *e, bool listed)
{
	static const char *const shown[] = {"PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "CreateDate", "UpdateDate", NULL};
	json_t *o = fn_iam_members(e, shown);
	const char *arn = text_of(e->record, "Arn");

	json_object_set_new(o, "AttachmentCount", json_integer(fn_iam_attachments(api, arn)));
	json_object_set_new(o, "PermissionsBoundaryUsageCount", json_integer(count(api, NULL, arn)));
	json_object_set_new(o, "IsAttachable", json_true());
	if (listed)
		return o;
	if (json_object_get(e->record, "Description"))
		json_object_set(o, "Description", json_object_get(e->record, "Description"));
	if (json_object_get(e->record, "Tags"))
		json_object_set(o, "Tags", json_object_get(e->record, "Tags"));
	else
		json_object_set_new(o, "Tags", json_array());
	return o;
}

static json_t *managed_json(struct fn_api *api, const struct fn_iam_managed *m)
{
	char arn[160], id[24] = "ANPA";
	size_t n = strlen(m->name);

	for (size_t i = 4; i < 21; i++) /* the same each time */
		id[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(unsigned char)(m->name[i % n] * 7 + (char)i) & 31];
	fn_iam_managed_arn(m, arn, sizeof(arn));
	return json_pack("{ss,ss,ss,ss,ss,si,si,si,sb,si}", "PolicyName", m->name, "PolicyId", id, "Arn", arn, "Path", m->path, "DefaultVersionId", "v1", "AttachmentCount",
			 (int)fn_iam_attachments(api, arn), "PermissionsBoundaryUsageCount", (int)count(api, NULL, arn), "CreateDate", SINCE, "IsAttachable", 1, "UpdateDate", SINCE);
}

void fn_h_iam_create_policy(struct fn_call *call)
{
	const char *name = fn_iam_in(call, "PolicyName"), *path = fn_iam_in(call, "Path"), *text = fn_iam_in(call, "PolicyDocument");
	char id[24], arn[700];
	json_int_t now = (json_int_t)time(NULL);
	json_t *record, *o, *tags = json_object_get(call->in, "Tags");
	struct fn_entity shown;

	if (!fn_iam_turn(call, fn_h_iam_create_policy) || !fn_iam_tags_fit(call, tags, FN_ENTITY_POLICY) || !fn_iam_short(call, text, POLICY_MAX, "PolicySize") ||
	    !fn_iam_document_fits(call, text, FN_IAM_IDENTITY))
		return;
	if (fn_store_entity_alike(call->api->cfg.store, FN_ENTITY_POLICY, name)) {
		fn_reply_error(call, &FN_E_ENTITY_EXISTS, "A policy called %s already exists. Duplicate names are not allowed.", name);
		return;
	}
	path = path ? path : "/";
	fn_iam_id("ANPA", 21, id);
	snprintf(arn, sizeof(arn), "arn:aws:iam::%s:policy%s%s", call->api->cfg.account_id, path, name);
	record = json_pack("{ss,ss,ss,ss,ss,sI,sI,si,s[{ss,ss,sI}]}", "PolicyName", name, "PolicyId", id, "Arn", arn, "Path", path, "DefaultVersionId", "v1", "CreateDate", now,
			   "UpdateDate", now, "Last", 1, "Versions", "VersionId", "v1", "Document", text, "CreateDate", now);
	if (fn_iam_in(call, "Description"))
		json_object_set(record, "Description", json_object_get(call->in, "Description"));
	if (tags)
		json_object_set(record, "Tags", tags);
	shown = (struct fn_entity){.record = record};
	o = policy_json(call->api, &shown, true);
	if (json_array_size(tags) > 0) /* and no Description, as the service has it */
		json_object_set(o, "Tags", tags);
	fn_iam_put(call, FN_ENTITY_POLICY, name, record, json_pack("{so}", "Policy", o));
}

void fn_h_iam_get_policy(struct fn_call *call)
{
	const struct fn_iam_managed *m = fn_iam_managed(fn_iam_in(call, "PolicyArn"));
	const struct fn_entity *e = m ? NULL : fn_iam_entity(call, FN_ENTITY_POLICY);

	json_t *o;

	if (!m && !e)
		return;
	o = m ? managed_json(call->api, m) : policy_json(call->api, e, false);
	if (m)
		json_object_set_new(o, "Tags", json_array());
	fn_iam_reply(call, json_pack("{so}", "Policy", o));
}

void fn_h_iam_list_policies(struct fn_call *call)
{
	const char *scope = fn_iam_in(call, "Scope"), *prefix = fn_iam_in(call, "PathPrefix");
	bool attached = json_is_true(json_object_get(call->in, "OnlyAttached"));
	const struct fn_iam_managed *managed;
	size_t n, n_managed = fn_iam_managed_all(&managed);
	fn_auto_free const struct fn_entity **all = all_of(call->api, FN_ENTITY_POLICY, &n);
	json_t *list = json_array(), *o;

	if (fn_iam_in(call, "PolicyUsageFilter")) {
		json_decref(list);
		fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement PolicyUsageFilter of ListPolicies yet");
		return;
	}
	for (size_t i = 0; i < n + n_managed; i++) {
		if (fn_streq(scope, "AWS") ? i < n : fn_streq(scope, "Local") && i >= n)
			continue;
		o = i < n ? policy_json(call->api, all[i], true) : managed_json(call->api, &managed[i - n]);
		if ((prefix && !fn_str_starts(text_of(o, "Path"), prefix)) || (attached && json_integer_value(json_object_get(o, "AttachmentCount")) == 0))
			json_decref(o);
		else
			json_array_append_new(list, o);
	}
	fn_iam_page(call, "Policies", list, "Arn");
}

/* One that is the account's own; AWS's cannot be changed. */
static const struct fn_entity *own(struct fn_call *call)
{
	if (!fn_iam_managed(fn_iam_in(call, "PolicyArn")))
		return fn_iam_entity(call, FN_ENTITY_POLICY);
	fn_reply_error(call, &FN_E_ACCESS_DENIED, "The policy %s is managed by AWS and cannot be changed.", fn_iam_in(call, "PolicyArn"));
	return NULL;
}

void fn_h_iam_delete_policy(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_delete_policy) ? own(call) : NULL;

	if (!e)
		return;
	if (fn_iam_attachments(call->api, text_of(e->record, "Arn")) > 0 || count(call->api, NULL, text_of(e->record, "Arn")) > 0)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete a policy attached to entities.");
	else if (json_array_size(json_object_get(e->record, "Versions")) > 1)
		fn_reply_error(call, &FN_E_DELETE_CONFLICT,
			       "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.");
	else
		fn_iam_delete(call, FN_ENTITY_POLICY, e->name);
}

/* --- versions --- */
static int find(const json_t *record, const char *version)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(record, "Versions"), i, v)
		if (fn_streq(text_of(v, "VersionId"), version))
			return (int)i;
	return -1;
}

static void no_version(struct fn_call *call)
{
	fn_reply_error(call, &FN_E_NO_ENTITY, "Policy %s version %s does not exist or is not attachable.", fn_iam_in(call, "PolicyArn"), fn_iam_in(call, "VersionId"));
}

static json_t *version_json(const json_t *record, json_t *v, bool document)
{
	json_t *o = json_pack("{sO,sb,sO}", "VersionId", json_object_get(v, "VersionId"), "IsDefaultVersion", (int)fn_streq(text_of(v, "VersionId"), text_of(record, "DefaultVersionId")),
			      "CreateDate", json_object_get(v, "CreateDate"));

	if (document)
		json_object_set_new(o, "Document", fn_iam_escaped(text_of(v, "Document")));
	return o;
}

void fn_h_iam_create_version(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_create_version) ? own(call) : NULL;
	const char *text = fn_iam_in(call, "PolicyDocument");
	json_t *record, *v;
	json_int_t last;

	if (!e || !fn_iam_short(call, text, POLICY_MAX, "PolicySize"))
		return;
	if (json_array_size(json_object_get(e->record, "Versions")) >= VERSIONS_MAX) {
		fn_reply_error(call, &FN_E_IAM_LIMIT, "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.");
		return;
	}
	if (!fn_iam_document_fits(call, text, FN_IAM_IDENTITY)) /* it need not be the default one, which alone is read */
		return;
	record = json_deep_copy(e->record);
	last = json_integer_value(json_object_get(record, "Last")) + 1;
	v = json_pack("{so,ss,sI}", "VersionId", json_sprintf("v%" JSON_INTEGER_FORMAT, last), "Document", text, "CreateDate", (json_int_t)time(NULL));
	json_array_append_new(json_object_get(record, "Versions"), v);
	json_object_set_new(record, "Last", json_integer(last));
	json_object_set_new(record, "UpdateDate", json_integer((json_int_t)time(NULL)));
	if (json_is_true(json_object_get(call->in, "SetAsDefault")))
		json_object_set(record, "DefaultVersionId", json_object_get(v, "VersionId"));
	fn_iam_put(call, FN_ENTITY_POLICY, e->name, record, json_pack("{so}", "PolicyVersion", version_json(record, v, false)));
}

void fn_h_iam_get_version(struct fn_call *call)
{
	const struct fn_iam_managed *m = fn_iam_managed(fn_iam_in(call, "PolicyArn"));
	const struct fn_entity *e = fn_store_entity_by_arn(call->api->cfg.store, FN_ENTITY_POLICY, fn_iam_in(call, "PolicyArn"));
	int at = e ? find(e->record, fn_iam_in(call, "VersionId")) : -1;

	if (m && fn_streq(fn_iam_in(call, "VersionId"), "v1"))
		fn_iam_reply(call, json_pack("{s{so,ss,sb,si}}", "PolicyVersion", "Document", fn_iam_escaped(m->document), "VersionId", "v1", "IsDefaultVersion", 1, "CreateDate", SINCE));
	else if (at < 0)
		no_version(call);
	else
		fn_iam_reply(call, json_pack("{so}", "PolicyVersion", version_json(e->record, json_array_get(json_object_get(e->record, "Versions"), (size_t)at), true)));
}

void fn_h_iam_list_versions(struct fn_call *call)
{
	const struct fn_iam_managed *m = fn_iam_managed(fn_iam_in(call, "PolicyArn"));
	const struct fn_entity *e = m ? NULL : fn_iam_entity(call, FN_ENTITY_POLICY);
	json_t *list, *versions;

	if (!m && !e)
		return;
	list = m ? json_pack("[{ss,sb,si}]", "VersionId", "v1", "IsDefaultVersion", 1, "CreateDate", SINCE) : json_array();
	versions = e ? json_object_get(e->record, "Versions") : NULL;
	for (size_t i = e ? json_array_size(versions) : 0; i-- > 0;)
		json_array_append_new(list, version_json(e->record, json_array_get(versions, i), false));
	fn_iam_page_of_versions(call, "Versions", list);
}

void fn_h_iam_delete_version(struct fn_call *call)
{
	const struct fn_entity *e = fn_iam_turn(call, fn_h_iam_delete_version) ? own(call) : NULL;
	int at = e ? find(e->record, fn_iam_in(call, "VersionId")) : -1;
	json_t *record;

	if (!e)
		return;
	if (at < 0) {
		no_version(call);
	} else if (fn_streq(fn_iam_in(call, "VersionId"), text_of(e->record, "DefaultVersionId"))) {
		fn_reply_error(call, &FN_E_DELETE_CONFLICT, "Cannot delete the default version of a policy.");
	} else {
		record = json_deep_copy(e->record);
		json_array_remove(json_object_get(record, "Versions"), (size_t)at);
		fn_iam_put(call, FN_ENTITY_POLICY, e->name, record, NULL);
	}
}

void fn_h_iam_default_version(struct fn_call *call)
{
	const char *arn = fn_iam_in(call, "PolicyArn");
	const struct fn_entity *e;
	json_t *record;

	if (!fn_iam_turn(call, fn_h_iam_default_version))
		return;
	if (fn_iam_managed(arn)) {
		(void)own(call); /* which refuses it */
		return;
	}
	e = fn_store_entity_by_arn(call->api->cfg.store, FN_ENTITY_POLICY, arn);
	if (!e || find(e->record, fn_iam_in(call, "VersionId")) < 0) {
		no_version(call);
		return;
	}
	record = json_deep_copy(e->record);
	json_object_set(record, "DefaultVersionId", json_object_get(call->in, "VersionId"));
	json_object_set_new(record, "UpdateDate", json_integer((json_int_t)time(NULL)));
	fn_iam_put(call, FN_ENTITY_POLICY, e->name, record, NULL);
}

void fn_h_iam_entities_for_policy(struct fn_call *call)
{
	const char *arn = fn_iam_in(call, "PolicyArn"), *filter = fn_iam_in(call, "EntityFilter"), *usage = fn_iam_in(call, "PolicyUsageFilter");
	bool boundary = fn_streq(usage, "PermissionsBoundary");
	json_t *lists[2] = {json_array(), json_array()};

	for (enum fn_entity_kind k = FN_ENTITY_ROLE; k <= FN_ENTITY_USER; k++) {
		const char *kind = k == FN_ENTITY_ROLE ? "Role" : "User", *name = k == FN_ENTITY_ROLE ? "RoleName" : "UserName", *id = k == FN_ENTITY_ROLE ? "RoleId" : "UserId";
		size_t n;
		fn_auto_free const struct fn_entity **all = all_of(call->api, k, &n);

		for (size_t i = 0; i < n && (!filter || fn_streq(filter, kind)); i++)
			if (boundary ? fn_streq(text_of(all[i]->record, "PermissionsBoundary"), arn) : has(json_object_get(all[i]->record, "Attached"), arn))
				json_array_append_new(lists[k], json_pack("{ss,ss}", name, all[i]->name, id, text_of(all[i]->record, id)));
	}
	if (!fn_iam_managed(arn) && !fn_iam_entity(call, FN_ENTITY_POLICY)) {
		json_decref(lists[0]);
		json_decref(lists[1]);
		return;
	}
	fn_iam_reply(call, json_pack("{s[],so,so,sb}", "PolicyGroups", "PolicyUsers", lists[1], "PolicyRoles", lists[0], "IsTruncated", 0));
}

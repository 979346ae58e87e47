/*
 * iam.h - IAM's operations and STS's: what their files share. A change waits for its turn behind all others (store/identities.h), makes a record anew, and is answered
 * when that is on disk.
 * Sources: botocore's iam/2010-05-08 and sts/2011-06-15 service models; words as the services have them.
 */
#ifndef FN_API_IAM_H
#define FN_API_IAM_H

#include "api/caller.h"
#include "api/internal.h"

/* --- iam.c --- */
const char *fn_iam_in(const struct fn_call *call, const char *member); /* text; NULL = it was not sent */
void fn_iam_reply(struct fn_call *call, json_t *out); /* takes out; NULL = nothing */
/* May it change something now? False: it waits, and the handler will be called again. */
bool fn_iam_turn(struct fn_call *call, fn_handler handler);
/* The role, user, policy or instance profile that the request is about (RoleName, UserName, PolicyArn, InstanceProfileName); NULL after having replied. */
const struct fn_entity *fn_iam_entity(struct fn_call *call, enum fn_entity_kind kind);
/* Takes record and out: the entity is to be so, and then the answer is out. Replies. */
void fn_iam_put(struct fn_call *call, enum fn_entity_kind kind, const char *name, json_t *record, json_t *out);
void fn_iam_delete(struct fn_call *call, enum fn_entity_kind kind, const char *name);
void fn_iam_delete_answer(struct fn_call *call, enum fn_entity_kind kind, const char *name, json_t *out); /* takes out */
/* A page of a list (MaxItems, Marker: what comes before it): out gets the list, IsTruncated, Marker. all: taken; its entries are sorted by
 * their `key` (NULL: an entry is text). Replies. */
void fn_iam_page(struct fn_call *call, const char *member, json_t *all, const char *key);
/* Of a policy's versions, which are in order: the newest first. all: taken. */
void fn_iam_page_of_versions(struct fn_call *call, const char *member, json_t *all);
/* Those whose path begins with PathPrefix, each made by show; then as a page. */
void fn_iam_list(struct fn_call *call, enum fn_entity_kind kind, const char *member, const char *key,
		 json_t *(*show)(struct fn_api *api, const struct fn_entity *e));
bool fn_iam_profile_has(const json_t *record, const char *role); /* Is the role of that name in this instance profile? */
bool fn_iam_in_profile(struct fn_api *api, const char *role); /* in any? */
void fn_iam_id(const char *prefix, unsigned len, char *out); /* "AROA" and so on, and letters and digits: len of both */
char *fn_iam_escape(const char *text); /* percent-encoded, as documents are shown; malloc'ed */
json_t *fn_iam_escaped(const char *text);
/* Is it a document as they may be put now? Replies and returns false when not. */
bool fn_iam_document_fits(struct fn_call *call, const char *text, enum fn_iam_kind kind);
/* Is the document no longer than so many characters that are not white space? Replies and returns false when it is. */
bool fn_iam_short(struct fn_call *call, const char *document, size_t max, const char *quota);
/* Is it a managed policy's ARN, and is there one? what: "Policy", as the refusal calls it. Replies and returns false when not. */
bool fn_iam_policy_there(struct fn_call *call, const char *arn, const char *what);
bool fn_iam_boundary_fits(struct fn_call *call); /* its PermissionsBoundary, if there is one; alike */
json_t *fn_iam_members(const struct fn_entity *e, const char *const *names); /* of its record, those that it has; names end with NULL */

/* --- iam_tags.c --- */
/* Of a request: fit to be an entity's. Replies and returns false when not. */
bool fn_iam_tags_fit(struct fn_call *call, json_t *tags, enum fn_entity_kind kind);

void fn_h_iam_tag(struct fn_call *call);
void fn_h_iam_untag(struct fn_call *call);
void fn_h_iam_list_tags(struct fn_call *call);
/* --- iam_roles.c --- */
void fn_h_iam_create_role(struct fn_call *call);
void fn_h_iam_get_role(struct fn_call *call);
void fn_h_iam_list_roles(struct fn_call *call);
void fn_h_iam_update_role(struct fn_call *call);
void fn_h_iam_update_trust(struct fn_call *call);
void fn_h_iam_delete_role(struct fn_call *call);
void fn_h_iam_create_service_role(struct fn_call *call);
void fn_h_iam_delete_service_role(struct fn_call *call);
void fn_h_iam_service_role_deletion(struct fn_call *call);
void fn_h_iam_boundary(struct fn_call *call);
json_t *fn_iam_role_json(struct fn_api *api, const json_t *record); /* as GetRole shows it */
/* --- iam_trust.c --- */
/* The record's trust policy is to be this one. Replies and returns false when it cannot. */
bool fn_iam_trust_put(struct fn_call *call, json_t *record, const char *text);
json_t *fn_iam_trust_shown(struct fn_api *api, const json_t *record); /* as GetRole shows it */
/* --- iam_profiles.c --- */
void fn_h_iam_create_profile(struct fn_call *call);
void fn_h_iam_get_profile(struct fn_call *call);
void fn_h_iam_delete_profile(struct fn_call *call);
void fn_h_iam_add_to_profile(struct fn_call *call);
void fn_h_iam_remove_from_profile(struct fn_call *call);
void fn_h_iam_list_profiles(struct fn_call *call);
void fn_h_iam_profiles_of_role(struct fn_call *call);
/* --- iam_inline.c: policies of roles and users --- */
void fn_h_iam_put_inline(struct fn_call *call);
void fn_h_iam_get_inline(struct fn_call *call);
void fn_h_iam_list_inline(struct fn_call *call);
void fn_h_iam_delete_inline(struct fn_call *call);
void fn_h_iam_attach(struct fn_call *call);
void fn_h_iam_detach(struct fn_call *call);
void fn_h_iam_list_attached(struct fn_call *call);
/* --- iam_policies.c --- */
unsigned fn_iam_attachments(struct fn_api *api, const char *arn);
void fn_h_iam_create_policy(struct fn_call *call);
void fn_h_iam_get_policy(struct fn_call *call);
void fn_h_iam_list_policies(struct fn_call *call);
void fn_h_iam_delete_policy(struct fn_call *call);
void fn_h_iam_create_version(struct fn_call *call);
void fn_h_iam_get_version(struct fn_call *call);
void fn_h_iam_list_versions(struct fn_call *call);
void fn_h_iam_delete_version(struct fn_call *call);
void fn_h_iam_default_version(struct fn_call *call);
void fn_h_iam_entities_for_policy(struct fn_call *call);
/* --- iam_users.c --- */
void fn_h_iam_create_user(struct fn_call *call);
void fn_h_iam_get_user(struct fn_call *call);
void fn_h_iam_list_users(struct fn_call *call);
void fn_h_iam_delete_user(struct fn_call *call);
void fn_h_iam_no_groups(struct fn_call *call);
void fn_h_iam_no_aliases(struct fn_call *call);
void fn_h_iam_create_key(struct fn_call *call);
void fn_h_iam_list_keys(struct fn_call *call);
void fn_h_iam_update_key(struct fn_call *call);
void fn_h_iam_delete_key(struct fn_call *call);
/* --- sts.c --- */
void fn_h_sts_caller(struct fn_call *call);
void fn_h_sts_assume(struct fn_call *call);
void fn_h_sts_session_token(struct fn_call *call);
void fn_h_sts_key_info(struct fn_call *call);

#endif

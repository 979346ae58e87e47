/* sts.c - who asks, and temporary credentials (aws/session.h). Who may assume a role has been judged (authorize.c). */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api/iam.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

#define POLICIES_MAX 10
#define POLICY_MAX 2048 /* of the session's policy and the ARNs of others together, as they are sent */
#define TOO_LARGE "Packed policy consumes %u%% of allotted space, please use smaller policy."

void fn_h_sts_caller(struct fn_call *call)
{
	const struct fn_caller *c = call->caller;
	const char *account = call->api->cfg.account_id;
	char root[64];

	snprintf(root, sizeof(root), "arn:aws:iam::%s:root", account);
	fn_iam_reply(call, json_pack("{ss,ss,ss}", "UserId", c ? c->userid : account, "Account", account, "Arn", c ? c->who.arn : root));
}

static unsigned percent(size_t n, size_t of) { return (unsigned)((n * 100 + of - 1) / of); }

/* Of all that POLICY_MAX counts. */
static size_t policies_length(const json_t *claims)
{
	size_t n = json_string_length(json_array_get(json_object_get(claims, "Policies"), 0)), i;
	json_t *arn;

	json_array_foreach(json_object_get(claims, "PolicyArns"), i, arn)
		n += json_string_length(arn);
	return n;
}

/*
 * PackedPolicySize, of a session that has policies or tags: how much of what there is room for is taken, in percent. How the service packs is not known (16 was seen of a
 * short policy); here policies are limited by their length, and all together by the token, which they are part of. What takes more than 100 is refused.
 */
static void add_packed_size(json_t *out, const json_t *claims, size_t token)
{
	unsigned policies = percent(policies_length(claims), POLICY_MAX), all = percent(token, FN_SESSION_TOKEN_MAX);

	if (json_object_get(claims, "Policies") || json_object_get(claims, "PolicyArns") || json_object_get(claims, "Tags"))
		json_object_set_new(out, "PackedPolicySize", json_integer(policies > all ? policies : all));
}

/* Replies with the credentials of claims, which are taken, and what else there is. */
static void give(struct fn_call *call, json_t *claims, int64_t lasts_s, json_t *out)
{
	json_int_t now = (json_int_t)time(NULL), until = now + (json_int_t)lasts_s;
	char id[FN_SESSION_KEY_ID_SIZE], secret[FN_SESSION_SECRET_KEY_SIZE];
	fn_auto_free char *token = NULL;
	int r;

	fn_iam_id("ASIA", 20, id);
	json_object_set_new(claims, "Issued", json_integer(now));
	json_object_set_new(claims, "Expires", json_integer(until));
	r = fn_session_mint(fn_store_session_secret(call->api->cfg.store), id, claims, &token, secret);
	if (r == 0)
		add_packed_size(out, claims, strlen(token));
	json_decref(claims);
	if (r < 0 || strlen(token) > FN_SESSION_TOKEN_MAX) {
		json_decref(out);
		if (r < 0)
			fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		else
			fn_reply_error(call, &FN_E_PACKED_POLICY, TOO_LARGE, percent(strlen(token), FN_SESSION_TOKEN_MAX));
		return;
	}
	json_object_set_new(out, "Credentials", json_pack("{ss,ss,ss,sI}", "AccessKeyId", id, "SecretAccessKey", secret, "SessionToken", token, "Expiration", until));
	fn_iam_reply(call, out);
}

/* Policy and PolicyArns limit the session. Replies and returns false when they cannot. */
static bool add_policies(struct fn_call *call, json_t *claims)
{
	const char *text = fn_iam_in(call, "Policy");
	json_t *given = json_object_get(call->in, "PolicyArns"), *arns, *e;
	size_t i;

	if (text && !fn_iam_document_fits(call, text, FN_IAM_IDENTITY))
		return false;
	if (json_array_size(given) > POLICIES_MAX) {
		fn_reply_error(call, &FN_E_VALIDATION, "Cannot have more than %d policy ARNs", POLICIES_MAX);
		return false;
	}
	if (text)
		json_object_set_new(claims, "Policies", json_pack("[s]", text));
	arns = json_array();
	json_array_foreach(given, i, e)
		if (json_object_get(e, "arn"))
			json_array_append(arns, json_object_get(e, "arn"));
	if (json_array_size(given) > 0)
		json_object_set(claims, "PolicyArns", arns);
	json_decref(arns);
	if (policies_length(claims) <= POLICY_MAX)
		return true;
	fn_reply_error(call, &FN_E_PACKED_POLICY, TOO_LARGE, percent(policies_length(claims), POLICY_MAX));
	return false;
}

/* --- tags of a session: aws:PrincipalTag, before those of its role --- */
static bool has_key(json_t *tags, const char *key, size_t before)
{
	json_t *t;
	size_t i;

	json_array_foreach(tags, i, t)
		if (i < before && strcasecmp(json_string_value(json_object_get(t, "Key")), key) == 0)
			return true;
	return false;
}

/* What is wrong with the tags that are asked for; NULL = nothing. inherited: those that the calling session passes on. */
static const char *tags_wrong(json_t *given, json_t *transitive, json_t *inherited)
{
	json_t *t;
	size_t i;

	json_array_foreach(given, i, t) {
		const char *key = json_string_value(json_object_get(t, "Key"));

		if (has_key(given, key, i))
			return "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
		if (has_key(inherited, key, SIZE_MAX))
			return "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.";
	}
	json_array_foreach(transitive, i, t)
		if (!has_key(given, json_string_value(t), SIZE_MAX))
			return "The specified transitive tag key must be included in the requested tags.";
	return NULL;
}

/* Claims {"Tags": all that the session has, "Transitive": those of them that it passes on}. Replies and returns false when it cannot have them. */
static bool add_tags(struct fn_call *call, json_t *claims)
{
	json_t *given = json_object_get(call->in, "Tags"), *keys = json_object_get(call->in, "TransitiveTagKeys"), *t;
	json_t *inherited = call->caller && call->caller->session ? json_object_get(call->caller->session->claims, "Transitive") : NULL;
	const char *wrong = tags_wrong(given, keys, inherited);
	json_t *tags = json_array(), *transitive = json_array();
	size_t i, k;

	json_array_extend(tags, inherited);
	json_array_extend(tags, given);
	json_array_extend(transitive, inherited);
	for (i = 0; !wrong && i < json_array_size(keys); i++)
		json_array_foreach(given, k, t)
			if (strcasecmp(json_string_value(json_object_get(t, "Key")), json_string_value(json_array_get(keys, i))) == 0)
				json_array_append(transitive, t);
	if (!wrong && json_array_size(tags) > FN_LIMIT_TAGS)
		wrong = "The number of session tags exceeds the allowed 50.";
	if (json_array_size(tags) > 0) {
		json_object_set(claims, "Tags", tags);
		json_object_set(claims, "Transitive", transitive);
	}
	json_decref(tags);
	json_decref(transitive);
	if (wrong)
		fn_reply_error(call, &FN_E_STS_PARAMETER, "%s", wrong);
	return !wrong;
}

void fn_h_sts_assume(struct fn_call *call)
{
	const struct fn_entity *role = fn_store_entity_by_arn(call->api->cfg.store, FN_ENTITY_ROLE, fn_iam_in(call, "RoleArn"));
	const char *session = fn_iam_in(call, "RoleSessionName");
	json_t *lasts = json_object_get(call->in, "DurationSeconds"), *claims;
	int64_t n = lasts ? json_integer_value(lasts) : 3600;
	char arn[240], id[160];

	if (!role) { /* only who is not judged comes so far */
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "User: arn:aws:iam::%s:root is not authorized to perform: sts:AssumeRole on resource: %s", call->api->cfg.account_id,
			       fn_iam_in(call, "RoleArn"));
		return;
	}
	if (json_object_get(call->in, "SerialNumber") || json_object_get(call->in, "TokenCode") || json_object_get(call->in, "SourceIdentity") || json_object_get(call->in, "ProvidedContexts")) {
		fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement SerialNumber, TokenCode, SourceIdentity and ProvidedContexts of AssumeRole yet");
		return;
	}
	if (n > json_integer_value(json_object_get(role->record, "MaxSessionDuration")) || (call->caller && call->caller->session && n > 3600)) {
		fn_reply_error(call, &FN_E_VALIDATION, "The requested DurationSeconds exceeds the %s.",
			       call->caller && call->caller->session ? "1 hour session limit for roles assumed by role chaining" : "MaxSessionDuration set for this role");
		return;
	}
	claims = json_pack("{ss,ss,sO,ss}", "Kind", "role", "Name", role->name, "Id", json_object_get(role->record, "RoleId"), "Session", session);
	if (!add_policies(call, claims) || !add_tags(call, claims)) {
		json_decref(claims);
		return;
	}
	snprintf(arn, sizeof(arn), "arn:aws:sts::%s:assumed-role/%s/%s", call->api->cfg.account_id, role->name, session);
	snprintf(id, sizeof(id), "%s:%s", json_string_value(json_object_get(role->record, "RoleId")), session);
	give(call, claims, n, json_pack("{s{ss,ss}}", "AssumedRoleUser", "AssumedRoleId", id, "Arn", arn));
}

void fn_h_sts_session_token(struct fn_call *call)
{
	const struct fn_caller *c = call->caller;
	json_t *lasts = json_object_get(call->in, "DurationSeconds"), *claims;
	int64_t n = lasts ? json_integer_value(lasts) : c ? 43200 : 3600;

	if (json_object_get(call->in, "SerialNumber") || json_object_get(call->in, "TokenCode")) {
		fn_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement SerialNumber and TokenCode of GetSessionToken yet");
		return;
	}
	if (!c && n > 3600) /* as the service has it: root's are short */
		n = 3600;
	if (c && c->session) {
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "Cannot call GetSessionToken with session credentials");
		return;
	}
	claims = c ? json_pack("{ss,ss,sO}", "Kind", "user", "Name", c->entity->name, "Id", json_object_get(c->entity->record, "UserId")) : json_pack("{ss}", "Kind", "root");
	give(call, claims, n, json_object());
}

void fn_h_sts_key_info(struct fn_call *call) { fn_iam_reply(call, json_pack("{ss}", "Account", call->api->cfg.account_id)); }

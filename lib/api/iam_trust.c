/*
 * iam_trust.c - whom a role trusts. Its users and roles of the account are kept by their ids, too: who is deleted and made anew under the same name is another one, whom the
 * policy does not mean, and then the policy is shown with the id of the one who has gone.
 * Source: AWS IAM User Guide, "AWS JSON policy elements: Principal".
 */
#include <stdio.h>
#include <string.h>

#include "api/iam.h"
#include "base/cleanup.h"
#include "base/str.h"

/* What is to stand there instead of the principal's text; NULL = that. */
typedef const char *(*each_fn)(void *arg, const char *text);

static void each_of_list(json_t *list, each_fn each, void *arg)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i)), *other = text ? each(arg, text) : NULL;

		if (other)
			json_array_set_new(list, i, json_string(other));
	}
}

static void each_of_statement(json_t *statement, const char *element, each_fn each, void *arg)
{
	json_t *principal = json_object_get(statement, element), *aws = json_object_get(principal, "AWS");
	const char *other = json_is_string(aws) ? each(arg, json_string_value(aws)) : NULL;

	if (json_is_array(aws))
		each_of_list(aws, each, arg);
	else if (other)
		json_object_set_new(principal, "AWS", json_string(other));
}

static void each_aws(json_t *document, each_fn each, void *arg)
{
	json_t *list = json_object_get(document, "Statement");

	for (size_t i = 0; i < (json_is_array(list) ? json_array_size(list) : 1); i++) {
		json_t *statement = json_is_array(list) ? json_array_get(list, i) : list;

		each_of_statement(statement, "Principal", each, arg);
		each_of_statement(statement, "NotPrincipal", each, arg);
	}
}

/* The id of the user or role who has this ARN now; NULL = nobody has. */
static const char *id_of(struct fn_api *api, const char *arn)
{
	const struct fn_entity *user = fn_store_entity_by_arn(api->cfg.store, FN_ENTITY_USER, arn), *e = user ? user : fn_store_entity_by_arn(api->cfg.store, FN_ENTITY_ROLE, arn);

	return e ? json_string_value(json_object_get(e->record, user ? "UserId" : "RoleId")) : NULL;
}

struct naming {
	struct fn_api *api;
	json_t *ids;
	char users[64];      /* how the ARNs of the account's users begin */
	const char *unknown; /* a user who is not there */
};

static const char *note(void *arg, const char *text)
{
	struct naming *n = arg;
	const char *id = id_of(n->api, text);

	if (id)
		json_object_set_new(n->ids, text, json_string(id));
	else if (fn_str_starts(text, n->users))
		n->unknown = text;
	return NULL;
}

bool fn_iam_trust_put(struct fn_call *call, json_t *record, const char *text)
{
	struct naming n = {.api = call->api, .ids = json_object()};
	json_auto_t *document = NULL;

	if (!fn_iam_document_fits(call, text, FN_IAM_TRUST)) {
		json_decref(n.ids);
		return false;
	}
	document = json_loads(text, 0, NULL);
	snprintf(n.users, sizeof(n.users), "arn:aws:iam::%s:user/", call->api->cfg.account_id);
	each_aws(document, note, &n);
	json_object_set_new(record, "AssumeRolePolicyDocument", json_string(text));
	json_object_set_new(record, "TrustIds", n.ids);
	/* roles need not be there, here: a function may have one that nobody has created */
	if (n.unknown)
		fn_reply_error(call, &FN_E_MALFORMED_POLICY, "Invalid principal in policy: \"AWS\":\"%s\"", n.unknown);
	return !n.unknown;
}

struct showing {
	struct fn_api *api;
	const json_t *ids;
	bool gone;
};

static const char *gone_id(void *arg, const char *text)
{
	struct showing *s = arg;
	const char *id = json_string_value(json_object_get(s->ids, text));

	if (!id || fn_streq(id, id_of(s->api, text)))
		return NULL;
	s->gone = true;
	return id;
}

json_t *fn_iam_trust_shown(struct fn_api *api, const json_t *record)
{
	struct showing s = {.api = api, .ids = json_object_get(record, "TrustIds")};
	const char *text = json_string_value(json_object_get(record, "AssumeRolePolicyDocument"));
	json_auto_t *document = json_object_size(s.ids) > 0 ? json_loads(text, 0, NULL) : NULL;
	fn_auto_free char *other = NULL;

	each_aws(document, gone_id, &s);
	if (s.gone)
		other = json_dumps(document, JSON_COMPACT);
	return fn_iam_escaped(other ? other : text);
}

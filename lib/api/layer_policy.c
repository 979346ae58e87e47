/* layer_policy.c - who may use a layer version: AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission. Judged in authorize.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/layers.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

static void unref(struct fn_layer_version **v) { fn_layer_version_unref(*v); }

/* The version in the path; replies and returns NULL when there is none. */
static struct fn_layer_version *existing(struct fn_call *call, struct fn_layer_name *n)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	struct fn_layer_version *v;
	char arn[FN_LAYER_ARN_SIZE];
	int64_t number;

	if (!fn_call_layer_number(call, n, &number))
		return NULL;
	v = fn_store_layer_version(cfg->store, n->key, number);
	if (!v) {
		fn_layer_arn(arn, sizeof(arn), cfg->region, cfg->account_id, n->key, number);
		fn_reply_error(call, &FN_E_NOT_FOUND, "Layer version %s does not exist.", arn);
	}
	return v;
}

/* And nobody else writes about it. NULL: replied, or the handler comes again. */
static struct fn_layer_version *existing_in_turn(struct fn_call *call, fn_handler handler)
{
	char turn[FN_STORE_LAYER_TURN_SIZE];
	struct fn_layer_name n;

	if (!existing(call, &n) || !fn_change_turn(call, fn_store_layer_turn(n.key, turn), handler))
		return NULL;
	return existing(call, &n);
}

static bool revision_fits(struct fn_call *call, const struct fn_layer_version *v)
{
	const char *wanted = fn_http_req_query(call->req, "RevisionId");

	if (fn_str_empty(wanted) || fn_streq(wanted, v->policy_revision))
		return true;
	fn_reply_error(call, &FN_E_PRECONDITION,
		       "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id");
	return false;
}

/* --- as JSON, whose members' order is the service's --- */
static json_t *principal_json(const char *principal)
{
	char arn[64];

	if (strlen(principal) != 12 || principal[strspn(principal, "0123456789")])
		return fn_streq(principal, "*") ? json_string(principal) : json_pack("{ss}", "AWS", principal);
	snprintf(arn, sizeof(arn), "arn:aws:iam::%s:root", principal);
	return json_pack("{ss}", "AWS", arn);
}

static json_t *statement_json(struct fn_api *api, const struct fn_layer_version *v, const struct fn_layer_statement *s)
{
	char arn[FN_LAYER_ARN_SIZE];
	json_t *o;

	fn_layer_arn(arn, sizeof(arn), api->cfg.region, api->cfg.account_id, v->layer, v->version);
	o = json_pack("{ss,ss,so,ss,ss}", "Sid", s->sid, "Effect", "Allow", "Principal", principal_json(s->principal), "Action", "lambda:GetLayerVersion",
		      "Resource", arn);
	if (s->organization)
		json_object_set_new(o, "Condition", json_pack("{s{ss}}", "StringEquals", "aws:PrincipalOrgID", s->organization));
	return o;
}

/* Takes o. */
static json_t *as_text(json_t *o)
{
	fn_auto_free char *text = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	return json_string(text ? text : "");
}

static json_t *policy_of(struct fn_api *api, const struct fn_layer_version *v)
{
	json_t *statements = json_array();

	for (size_t i = 0; i < v->n_statements; i++)
		json_array_append_new(statements, statement_json(api, v, &v->statements[i]));
	return json_pack("{ss,ss,so}", "Version", "2012-10-17", "Id", "default", "Statement", statements);
}

static json_t *policy_text(struct fn_api *api, const struct fn_layer_version *v) { return as_text(policy_of(api, v)); }
json_t *fn_layer_policy(struct fn_api *api, const struct fn_layer_version *v) { return v->n_statements > 0 ? policy_of(api, v) : NULL; }

void fn_h_get_layer_policy(struct fn_call *call)
{
	struct fn_layer_name n;
	const struct fn_layer_version *v = existing(call, &n);

	if (!v)
		return;
	if (v->n_statements == 0) {
		fn_reply_no_policy(call);
		return;
	}
	fn_reply_json(call, 200, json_pack("{so,ss}", "Policy", policy_text(call->api, v), "RevisionId", v->policy_revision));
}

/* --- changes --- */
static void permitted(struct fn_change *c)
{
	const struct fn_layer_version *v = c->layer;

	fn_reply_json(&c->call, 201, json_pack("{so,ss}", "Statement", as_text(statement_json(c->call.api, v, &v->statements[v->n_statements - 1])),
					       "RevisionId", v->policy_revision));
}

static void forbidden(struct fn_change *c) { fn_reply_empty(&c->call, 204); }

static void store(struct fn_call *call, struct fn_layer_version *v, void (*stored)(struct fn_change *c))
{
	struct fn_change *c = fn_change_new(call, "", NULL, stored);
	struct fn_err err;

	if (!c)
		return;
	fn_id_uuid(v->policy_revision);
	c->layer = fn_layer_version_ref(v);
	fn_change_begun(c, fn_store_update_layer(call->api->cfg.store, v, fn_change_done, c, &err), &err);
}

/* Replies and returns false when it has become too long. */
static bool short_enough(struct fn_call *call, const struct fn_layer_version *v)
{
	json_t *text = policy_text(call->api, v);
	size_t len = json_string_length(text);

	json_decref(text);
	if (len <= FN_LIMIT_POLICY_BYTES)
		return true;
	fn_reply_policy_long(call, len);
	return false;
}

void fn_h_add_layer_permission(struct fn_call *call)
{
	const char *sid = json_string_value(json_object_get(call->in, "StatementId")), *principal = json_string_value(json_object_get(call->in, "Principal"));
	const char *organization = json_string_value(json_object_get(call->in, "OrganizationId"));
	struct fn_layer_version *now = existing_in_turn(call, fn_h_add_layer_permission);
	fn_auto(unref) struct fn_layer_version *v = NULL;

	if (!now || !revision_fits(call, now))
		return;
	if (fn_layer_version_statement(now, sid) != SIZE_MAX) {
		fn_reply_statement_exists(call, sid);
		return;
	}
	v = fn_layer_version_clone(now);
	if (!v || fn_layer_version_permit(v, sid, principal, organization) < 0)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	else if (short_enough(call, v))
		store(call, v, permitted);
}

void fn_h_remove_layer_permission(struct fn_call *call)
{
	struct fn_layer_version *now = existing_in_turn(call, fn_h_remove_layer_permission);
	fn_auto(unref) struct fn_layer_version *v = NULL;
	size_t i;

	if (!now || !revision_fits(call, now))
		return;
	i = fn_layer_version_statement(now, call->params[2]);
	if (i == SIZE_MAX) {
		fn_reply_no_statement(call, call->params[2]);
		return;
	}
	v = fn_layer_version_clone(now);
	if (!v) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	fn_layer_version_forbid(v, i);
	store(call, v, forbidden);
}

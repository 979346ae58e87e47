/* permissions.c - AddPermission, GetPolicy, RemovePermission: the resource policies of functions, versions and aliases. Words as recorded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "aws/document.h"
#include "aws/policy.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/alias.h"
#include "model/limits.h"
#include "store/policies.h"

#define REVISION "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id"

/* The revision of what the policy is about; NULL = there is no such thing. */
static const char *revision_of(struct fn_call *call, const struct fn_name *n)
{
	struct fn_store *store = call->api->cfg.store;
	const struct fn_function *f;
	const struct fn_alias *a;

	if (fn_alias_name_valid(n->qualifier)) {
		a = fn_store_alias(store, n->name, n->qualifier);
		return a ? a->revision_id : NULL;
	}
	f = fn_store_get(store, n->name, n->qualifier[0] ? n->qualifier : NULL);
	return f ? f->revision_id : NULL;
}

static json_t *statements_of(struct fn_call *call, const struct fn_name *n)
{
	const char *text = fn_store_policy(call->api->cfg.store, n->name, n->qualifier);

	return text ? json_loads(text, 0, NULL) : NULL;
}

static char *document(json_t *statements)
{
	json_t *o = json_pack("{ss,ss,sO}", "Version", "2012-10-17", "Id", "default", "Statement", statements);
	char *text = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	return text;
}

static void absent(struct fn_call *call, const struct fn_name *n)
{
	if (fn_alias_name_valid(n->qualifier) && fn_store_get(call->api->cfg.store, n->name, NULL))
		fn_reply_no_alias(call, n->name, n->qualifier);
	else
		fn_reply_absent(call, n->name, n->qualifier);
}

static bool revision_fits(struct fn_call *call, const char *wanted, const char *revision)
{
	if (!wanted || fn_streq(wanted, revision))
		return true;
	fn_reply_error(call, &FN_E_PRECONDITION, REVISION);
	return false;
}

/* statements: NULL or empty = none any more. */
static void store(struct fn_call *call, const struct fn_name *n, json_t *statements, struct fn_change *c)
{
	fn_auto_free char *text = json_array_size(statements) > 0 ? json_dumps(statements, JSON_COMPACT) : NULL;
	struct fn_err err;

	if (c)
		fn_change_begun(c, fn_store_set_policy(call->api->cfg.store, n->name, n->qualifier, text, fn_change_done, c, &err), &err);
}

static void added(struct fn_change *c)
{
	json_t *statements = statements_of(&c->call, &c->n), *last = json_array_get(statements, json_array_size(statements) - 1);
	fn_auto_free char *text = json_dumps(last, JSON_COMPACT);

	fn_reply_json(&c->call, 201, json_pack("{ss}", "Statement", text ? text : ""));
	json_decref(statements);
}

/* What belongs together in one statement. */
static bool fits_action(struct fn_call *call)
{
	const char *action = json_string_value(json_object_get(call->in, "Action"));

	if (json_object_get(call->in, "FunctionUrlAuthType") && !fn_streq(action, "lambda:InvokeFunctionUrl"))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action");
	else if (json_object_get(call->in, "InvokedViaFunctionUrl") && !fn_streq(action, "lambda:InvokeFunction"))
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action");
	else
		return true;
	return false;
}

static bool short_enough(struct fn_call *call, json_t *statements)
{
	fn_auto_free char *text = document(statements);

	if (text && strlen(text) <= FN_LIMIT_POLICY_BYTES)
		return true;
	fn_reply_policy_long(call, text ? strlen(text) : 0);
	return false;
}

/* A principal that nobody can be, say. */
static bool judged(struct fn_call *call, json_t *statements)
{
	json_auto_t *o = json_pack("{ss,sO}", "Version", "2012-10-17", "Statement", statements);
	struct fn_iam_document *d = NULL;
	fn_auto_buf struct fn_buf why = {0};
	int r = fn_iam_document_of(o, FN_IAM_RESOURCE, &d, &why);

	fn_iam_document_free(d);
	if (r < 0)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "%s", strstr(why.data, "principal") ? "The provided principal was invalid. Please check the principal and try again." : why.data);
	return r == 0;
}

void fn_h_add_permission(struct fn_call *call)
{
	const char *sid = json_string_value(json_object_get(call->in, "StatementId")), *revision;
	json_auto_t *statements = NULL, *statement = NULL;
	struct fn_name n;
	char arn[400];

	if (!fn_call_name(call, &n))
		return;
	if (fn_streq(n.qualifier, "$LATEST")) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "We currently do not support adding policies for $LATEST.");
		return;
	}
	revision = revision_of(call, &n);
	if (!revision) {
		absent(call, &n);
		return;
	}
	fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, n.name, n.qualifier);
	statements = statements_of(call, &n);
	if (!revision_fits(call, json_string_value(json_object_get(call->in, "RevisionId")), revision) || !fits_action(call))
		return;
	if (fn_policy_find(statements, sid) >= 0) {
		fn_reply_statement_exists(call, sid);
		return;
	}
	statement = fn_policy_statement(call->in, arn);
	if (!statement) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "The provided principal was invalid. Please check the principal and try again.");
		return;
	}
	if (!statements)
		statements = json_array();
	json_array_append(statements, statement);
	if (!judged(call, statements))
		return;
	if (short_enough(call, statements))
		store(call, &n, statements, fn_change_new(call, n.name, n.qualifier, added));
}

static void removed(struct fn_change *c) { fn_reply_empty(&c->call, 204); }

void fn_h_remove_permission(struct fn_call *call)
{
	json_auto_t *statements = NULL;
	const char *revision;
	struct fn_name n;
	int at;

	if (!fn_call_name(call, &n))
		return;
	revision = revision_of(call, &n);
	if (!revision) {
		absent(call, &n);
		return;
	}
	statements = statements_of(call, &n);
	at = fn_policy_find(statements, call->params[1]);
	if (!statements)
		fn_reply_no_policy(call);
	else if (at < 0)
		fn_reply_no_statement(call, call->params[1]);
	else if (revision_fits(call, fn_http_req_query(call->req, "RevisionId"), revision)) {
		json_array_remove(statements, (size_t)at);
		store(call, &n, statements, fn_change_new(call, n.name, n.qualifier, removed));
	}
}

void fn_h_get_policy(struct fn_call *call)
{
	json_auto_t *statements = NULL;
	fn_auto_free char *text = NULL;
	const char *revision;
	struct fn_name n;

	if (!fn_call_name(call, &n))
		return;
	revision = revision_of(call, &n);
	statements = revision ? statements_of(call, &n) : NULL;
	if (!statements) {
		fn_reply_no_resource(call);
		return;
	}
	text = document(statements);
	fn_reply_json(call, 200, json_pack("{ss,ss}", "Policy", text ? text : "", "RevisionId", revision));
}

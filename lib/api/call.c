/* call.c - what handlers ask of a call: its name, the function behind it, and whether the model holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "aws/validate.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "store/functions.h"

struct fn_call fn_call_keep(const struct fn_call *call, bool with_in)
{
	struct fn_call kept = *call;

	kept.caller = NULL;
	kept.mapping_function = NULL;
	kept.in = with_in ? json_incref(call->in) : NULL;
	return kept;
}

/* What has a path of Lambda's is not asked for more. */
struct fn_aws_head fn_call_head(const struct fn_http_req *req)
{
	struct fn_aws_head h = {.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req)};

	if (!fn_aws_path_is_rest(h.path)) {
		h.target = fn_http_req_header(req, "X-Amz-Target");
		h.content_type = fn_http_req_header(req, "Content-Type");
		h.authorization = fn_http_req_header(req, "Authorization");
	}
	return h;
}

static const char *header_of(void *arg, const char *name) { return fn_http_req_header(arg, name); }

const struct fn_aws_error *fn_call_fault(const struct fn_aws_operation *o, const struct fn_aws_request *r, struct fn_buf *why)
{
	enum fn_aws_verdict v = fn_aws_validate(o, r, why);

	return v == FN_AWS_VALID ? NULL : v == FN_AWS_INVALID ? &FN_E_VALIDATION : &FN_E_SERIALIZATION;
}

bool fn_call_valid(struct fn_call *call)
{
	const struct fn_aws_request r = {.labels = &call->labels, .query = fn_http_req_raw_query(call->req), .header = header_of, .arg = call->req, .body = call->in};
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *fault = fn_call_fault(call->operation, &r, &why);

	if (fault)
		fn_reply_error(call, fault, "%s", why.data ? why.data : "out of memory");
	return !fault;
}

bool fn_call_name(struct fn_call *call, struct fn_name *n)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	static const struct fn_aws_error *const refusals[] = {
		[FN_NAME_OTHER_REGION] = &FN_E_NOT_FOUND, [FN_NAME_OTHER_ACCOUNT] = &FN_E_ACCESS_DENIED, [FN_NAME_OTHER_QUALIFIER] = &FN_E_INVALID_PARAMETER};
	const char *q = fn_http_req_query(call->req, "Qualifier");
	bool named = fn_name_parse(call->params[0], n) == 0;
	bool longer = call->labels.n > 0 && strlen(call->params[0]) > FN_NAME_MAX; /* a URL's name and alias are not the client's, and may be */
	enum fn_name_place place;
	char why[160];

	if ((!named || longer || (q && !fn_qualifier_valid(q))) && !fn_call_valid(call)) /* an invocation's is judged here */
		return false;
	if (!named) {
		fn_reply_error(call, &FN_E_VALIDATION, "%s is no function's name", call->params[0]);
		return false;
	}
	place = fn_name_place(n, q, cfg->region, cfg->account_id, why, sizeof(why));
	if (place != FN_NAME_HERE) {
		fn_reply_error(call, refusals[place], "%s", why);
		return false;
	}
	if (q)
		snprintf(n->qualifier, sizeof(n->qualifier), "%s", q);
	return true;
}

struct fn_function *fn_call_function(struct fn_call *call, struct fn_name *n)
{
	struct fn_function *f;

	if (!fn_call_name(call, n))
		return NULL;
	f = fn_store_resolve(call->api->cfg.store, n->name, n->qualifier);
	if (!f)
		fn_reply_absent(call, n->name, n->qualifier);
	return f;
}

bool fn_call_function_name(struct fn_call *call, struct fn_name *n)
{
	if (!fn_call_name(call, n))
		return false;
	if (!n->qualifier[0] || fn_streq(n->qualifier, "$LATEST"))
		return true;
	fn_call_unqualified_only(call);
	return false;
}

void fn_call_unqualified_only(struct fn_call *call)
{
	fn_reply_error(call, &FN_E_INVALID_PARAMETER,
		       "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify "
		       "either a function name or an unqualified function ARN.");
}

struct fn_function *fn_call_latest(struct fn_call *call, struct fn_name *n)
{
	struct fn_function *f = NULL;

	if (fn_call_function_name(call, n) && !(f = fn_store_get(call->api->cfg.store, n->name, NULL)))
		fn_reply_absent(call, n->name, NULL);
	return f;
}

bool fn_call_revision(struct fn_call *call, const char *revision_id)
{
	const char *wanted = json_string_value(json_object_get(call->in, "RevisionId"));

	if (!wanted || fn_streq(wanted, revision_id))
		return true;
	fn_reply_error(call, &FN_E_PRECONDITION,
		       "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest "
		       "Revision Id");
	return false;
}

size_t fn_call_page_size(struct fn_call *call)
{
	const char *text = fn_http_req_query(call->req, "MaxItems");
	int64_t n;

	return text && fn_str_to_i64(text, 1, FN_PAGE_MAX, &n) == 0 ? (size_t)n : FN_PAGE_MAX;
}

/* refusals.c - see refusals.h. The words are recorded from the service. */
#include "api/refusals.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "aws/refusal.h"
#include "base/buf.h"
#include "base/str.h"
#include "model/alias.h"
#include "model/limits.h"

static void reply_refusal(struct fn_call *call, const struct fn_aws_error *e, const char *text)
{
	struct fn_aws_refusal r;
	size_t len = 0;
	char *body;

	fn_aws_refuse(&r, call->service, call->protocol == FN_AWS_QUERY, e, text, call->request_id);
	if (r.query_error[0])
		(void)fn_http_req_add_header(call->req, "x-amzn-query-error", r.query_error);
	if (r.name)
		(void)fn_http_req_add_header(call->req, "x-amzn-ErrorType", r.name);
	body = fn_buf_take(&r.body, &len);
	fn_reply_text(call, r.status, r.type, body, len);
}

/* Names of a stranger's files may be in it, which are bytes. */
static char *as_utf8(char *text)
{
	struct fn_buf b = {0};
	size_t len;

	if (!text || fn_utf8_valid(text, strlen(text)))
		return text;
	(void)fn_buf_add_utf8(&b, text, strlen(text));
	free(text);
	return fn_buf_take(&b, &len);
}

void fn_reply_error(struct fn_call *call, const struct fn_aws_error *e, const char *fmt, ...)
{
	char *text = NULL, seconds[12];
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	text = as_utf8(text);
	if (call->protocol != FN_AWS_REST_JSON) {
		reply_refusal(call, e, text ? text : e->name);
		free(text);
		return;
	}
	if (e->retry_after_s > 0) {
		snprintf(seconds, sizeof(seconds), "%u", e->retry_after_s);
		(void)fn_http_req_add_header(call->req, "Retry-After", seconds);
	}
	(void)fn_http_req_add_header(call->req, "x-amzn-ErrorType", e->name);
	fn_reply_json(call, e->status, fn_aws_error_body(e, text));
	free(text);
}

#define NO_FUNCTION "Function not found: %s"
#define NO_ALIAS "Cannot find alias arn: %s"

/* What differs from "Function not found: " and the ARN as it was asked for. */
static const struct {
	enum { AS_ASKED, FUNCTION, LATEST } arn; /* FUNCTION: never with a qualifier; LATEST: $LATEST where none was asked for */
	const char *absent;                      /* the function or version */
	const char *alias;                       /* an alias */
	bool alias_first;                        /* an alias of a function that is not there is missed itself */
} words[FN_AWS_OPERATIONS] = {
	[FN_AWS_Invoke] = {.arn = LATEST},
	[FN_AWS_InvokeWithResponseStream] = {.arn = LATEST},
	[FN_AWS_PutFunctionConcurrency] = {.arn = LATEST},
	[FN_AWS_DeleteFunctionConcurrency] = {.arn = LATEST},
	[FN_AWS_GetFunctionConcurrency] = {.arn = FUNCTION},
	[FN_AWS_DeleteFunction] = {.arn = FUNCTION},
	[FN_AWS_GetFunctionCodeSigningConfig] = {.arn = FUNCTION},
	[FN_AWS_RemovePermission] = {.absent = "No policy found for: %s"},
	[FN_AWS_GetAlias] = {.alias = NO_ALIAS},
	[FN_AWS_UpdateAlias] = {.alias = "Alias not found: %s"},
	[FN_AWS_PutProvisionedConcurrencyConfig] = {.alias = NO_ALIAS, .alias_first = true},
	[FN_AWS_GetProvisionedConcurrencyConfig] = {.alias = NO_ALIAS, .alias_first = true},
	[FN_AWS_DeleteProvisionedConcurrencyConfig] = {.alias = NO_ALIAS, .alias_first = true},
};

static void reply_about(struct fn_call *call, const struct fn_aws_error *e, const char *text, const char *name, const char *qualifier)
{
	const char *to = strstr(text, "%s");
	char arn[400];

	fn_arn_format(arn, sizeof(arn), call->api->cfg.region, call->api->cfg.account_id, name, qualifier);
	fn_reply_error(call, e, "%.*s%s", to ? (int)(to - text) : (int)strlen(text), text, to ? arn : "");
}

void fn_reply_absent(struct fn_call *call, const char *name, const char *qualifier)
{
	enum fn_aws_op op = fn_aws_op_of(call->operation);

	if (words[op].arn == FUNCTION)
		qualifier = NULL;
	else if (words[op].arn == LATEST && fn_str_empty(qualifier))
		qualifier = "$LATEST";
	if (words[op].alias_first && qualifier && fn_alias_name_valid(qualifier))
		fn_reply_no_alias(call, name, qualifier);
	else
		reply_about(call, &FN_E_NOT_FOUND, words[op].absent ? words[op].absent : NO_FUNCTION, name, qualifier);
}

void fn_reply_no_alias(struct fn_call *call, const char *name, const char *alias)
{
	const char *text = words[fn_aws_op_of(call->operation)].alias;

	reply_about(call, &FN_E_NOT_FOUND, text ? text : NO_ALIAS, name, alias);
}

void fn_reply_exists(struct fn_call *call, const char *name, const char *alias)
{
	if (alias)
		reply_about(call, &FN_E_CONFLICT, "Alias already exists: %s", name, alias);
	else
		fn_reply_error(call, &FN_E_CONFLICT, "Function already exist: %s", name); /* sic */
}

void fn_reply_no_resource(struct fn_call *call) { fn_reply_error(call, &FN_E_NOT_FOUND, "The resource you requested does not exist."); }

void fn_reply_no_policy(struct fn_call *call) { fn_reply_error(call, &FN_E_NOT_FOUND, "No policy is associated with the given resource."); }

void fn_reply_no_statement(struct fn_call *call, const char *sid)
{
	fn_reply_error(call, &FN_E_NOT_FOUND, "Statement %s is not found in resource policy.", sid);
}

void fn_reply_statement_exists(struct fn_call *call, const char *sid)
{
	fn_reply_error(call, &FN_E_CONFLICT, "The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.",
		       sid);
}

void fn_reply_policy_long(struct fn_call *call, size_t len)
{
	fn_reply_error(call, &FN_E_POLICY_LENGTH, "The final policy size (%zu) is bigger than the limit (%d).", len, FN_LIMIT_POLICY_BYTES);
}

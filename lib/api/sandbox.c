/* sandbox.c - see sandbox.h. */
#include "api/sandbox.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/caller.h"
#include "api/receive.h"
#include "aws/authorization.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "env/platform.h"
#include "web/origin.h"

struct tokens {
	const char *found;
	unsigned n;
};

static bool see_token(void *arg, const char *name, const char *value)
{
	struct tokens *t = arg;

	if (strcasecmp(name, "X-Amz-Security-Token") == 0) {
		t->found = value;
		t->n++;
	}
	return true;
}

/* The session's token goes with its key, once. */
static bool token_fits(const struct fn_http_req *req, const char *own)
{
	struct tokens t = {0};
	const char *asked = fn_http_req_query(req, "X-Amz-Security-Token");

	fn_http_req_each_header(req, see_token, &t);
	if (asked) {
		t.found = asked;
		t.n++;
	}
	return own ? t.n == 1 && fn_streq(t.found, own) : t.n == 0;
}

/* With the sandbox's own key: verified by it alone. */
static const struct fn_aws_error *verify_own(struct fn_call *call, const struct fn_credentials *c, struct fn_buf *why)
{
	if (!token_fits(call->req, c->session_token)) {
		(void)fn_buf_add_str(why, "The security token included in the request is invalid.");
		return &FN_E_UNKNOWN_CLIENT;
	}
	return fn_sigv4_verify_by(call->api, call->req, fn_receive_sha256, c->secret_access_key, why);
}

/* Its role's, by whatever policies that has; where there are no credentials nobody is judged. */
static void become(struct fn_call *call, const struct fn_platform *p, struct fn_caller *caller)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const struct fn_function *f = fn_platform_function(p);

	fn_caller_of_role(call->api, f->role, f->name, caller);
	fn_arn_format(caller->source, sizeof(caller->source), cfg->region, cfg->account_id, f->name, NULL);
	caller->source_function = caller->source;
	caller->unjudged = cfg->n_credentials == 0;
	call->sandbox = p;
	call->caller = caller;
}

bool fn_sandbox_authenticated(struct fn_call *call, struct fn_caller *caller)
{
	const struct fn_platform *p = fn_platform_of(call->req);
	const struct fn_credentials *own = p ? fn_platform_credentials(p) : NULL;
	const struct fn_aws_error *denied = NULL;
	fn_auto_buf struct fn_buf why = {0};
	struct fn_authorization a;
	struct fn_key key = {0};
	bool is_own = true;

	if (!own) {
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "The execution environment has ended.");
		return false;
	}
	if (fn_request_signed(call->req)) {
		denied = fn_authorization_read(fn_http_req_header(call->req, "Authorization"), fn_http_req_header(call->req, "X-Amz-Date"), fn_http_req_raw_query(call->req), &a, &why);
		is_own = !denied && fn_streq(a.key_id, own->access_key_id);
		if (!denied)
			denied = is_own ? verify_own(call, own, &why) : fn_sigv4_verify(call->api, call->req, fn_receive_sha256, &key, &why);
	}
	if (denied)
		fn_reply_error(call, denied, "%s", why.data ? why.data : "");
	else if (is_own)
		become(call, p, caller);
	else if (fn_caller_of_key(call->api, &key, caller))
		call->caller = caller;
	return !denied;
}

/* What is fnd's own is for its administrators. A package's address carries its own proof. */
static bool is_ours(const struct fn_call *call)
{
	return call->operation && call->operation->service == FN_AWS_FND && fn_aws_op_of(call->operation) != FN_AWS_Download;
}

bool fn_sandbox_allowed(struct fn_call *call)
{
	if (!is_ours(call))
		return true;
	fn_reply_error(call, &FN_E_ACCESS_DENIED, "fnd's own resources are not served to functions.");
	return false;
}

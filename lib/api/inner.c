/* inner.c - see inner.h. */
#include "api/inner.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/authorize.h"
#include "api/urls.h"
#include "aws/policy.h"
#include "aws/sigv4.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "invoke/invoke.h"
#include "model/inner.h"
#include "model/limits.h"
#include "store/policies.h"
#include "store/urls.h"

#define URLS "/_fnd/urls/"
#define KEYS "/_fnd/keys/"

static void generation(const struct fn_api *api, char *out, size_t size)
{
	snprintf(out, size, "%016llx-%llu", (unsigned long long)api->instance, (unsigned long long)fn_store_changes(api->cfg.store));
}

static void not_found(struct fn_call *call, const char *what) { fn_reply_error(call, &FN_E_NOT_FOUND, "%s", what); }

/* The URL whose id follows; *ret_rest is what is behind it. */
static const struct fn_url *url_of(struct fn_call *call, const char *path, const char **ret_rest)
{
	char id[FN_URL_ID_SIZE];
	size_t n = strcspn(path, "/");

	*ret_rest = path + n;
	if (n != sizeof(id) - 1)
		return NULL;
	memcpy(id, path, n);
	id[n] = '\0';
	return fn_store_url_by_id(call->api->cfg.store, id);
}

/* --- its configuration --- */
/* What keeps everybody from a URL of AuthType NONE; "" = nothing. */
static const char *missing_rights(struct fn_call *call, const struct fn_url *u)
{
	const char *text = fn_store_policy(call->api->cfg.store, u->function, u->qualifier);
	json_auto_t *statements = text ? json_loads(text, 0, NULL) : NULL;

	return u->auth == FN_URL_NONE ? fn_policy_url_missing_text(fn_policy_url_missing(statements, "NONE")) : "";
}

static void show(struct fn_call *call, const struct fn_url *u)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	char version[64], arn[400];
	bool leads = fn_store_resolve(cfg->store, u->function, u->qualifier) != NULL; /* its alias may be gone */
	json_t *o;

	generation(call->api, version, sizeof(version));
	fn_arn_format(arn, sizeof(arn), cfg->region, cfg->account_id, u->function, u->qualifier);
	o = json_pack("{ss,ss,ss,sb,ss,ss,sb}", "Generation", version, "FunctionArn", arn, "AuthType", u->auth == FN_URL_IAM ? "AWS_IAM" : "NONE", "Streams",
		      (int)u->streams, "Missing", leads ? missing_rights(call, u) : "its alias, which is gone", "AccountId", cfg->account_id, "Signed",
		      cfg->n_credentials > 0);
	if (u->cors)
		json_object_set_new(o, "Cors", json_loads(u->cors, 0, NULL));
	fn_reply_json(call, 200, o);
}

/* --- keys --- */
static void give_key(struct fn_call *call, const char *path)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	size_t n = strcspn(path, "/");
	const char *date = path[n] ? path + n + 1 : "";
	fn_auto_buf struct fn_buf why = {0};
	struct fn_caller caller = {0};
	struct fn_key found;
	uint8_t key[32];
	char hex[65], id[160], root[64];
	bool other;

	if (strlen(date) != 8 || strspn(date, "0123456789") != 8 || fn_str_format(id, sizeof(id), "%.*s", (int)n, path) < 0 || fn_url_decode(id, n) < 0 ||
	    fn_key_find(call->api, id, fn_http_req_query(call->req, "token"), &found, &why) || fn_sigv4_key(found.secret, date, cfg->region, "lambda", key) < 0) {
		not_found(call, "There is no such key.");
		return;
	}
	other = fn_caller_of_key(call->api, &found, &caller);
	snprintf(root, sizeof(root), "arn:aws:iam::%s:root", cfg->account_id);
	fn_hex_encode(key, sizeof(key), hex);
	fn_reply_json(call, 200, json_pack("{ss,ss,ss}", "Key", hex, "Arn", other ? caller.who.arn : root, "UserId", other ? caller.userid : cfg->account_id));
}

/* --- invocations --- */
/* AuthType AWS_IAM: the gateway has verified the signature; whose it is and what they may is judged here, by what is now. */
static bool may_invoke(struct fn_call *call, const struct fn_url *u)
{
	const char *id = fn_http_req_header(call->req, FN_INNER_KEY);
	fn_auto_buf struct fn_buf why = {0};
	struct fn_caller caller;
	struct fn_key key;

	if (u->auth != FN_URL_IAM)
		return true;
	if (id && !fn_key_find(call->api, id, fn_http_req_header(call->req, FN_INNER_TOKEN), &key, &why) &&
	    fn_url_allowed(call, fn_caller_of_key(call->api, &key, &caller) ? &caller : NULL, u->function, u->qualifier, &why))
		return true;
	(void)fn_http_req_add_header(call->req, FN_INNER_FORBIDDEN, "1");
	fn_reply_error(call, &FN_E_ACCESS_DENIED, "%s", why.data ? why.data : "");
	return false;
}

static void invoke(struct fn_call *call, const struct fn_url *u, enum fn_aws_op op)
{
	const char *given = fn_http_req_header(call->req, FN_INNER_GENERATION), *id = fn_http_req_header(call->req, FN_INNER_REQUEST_ID);
	char now[64];

	generation(call->api, now, sizeof(now));
	if (!fn_streq(given, now)) {
		(void)fn_http_req_add_header(call->req, FN_INNER_STALE, "1");
		fn_reply_error(call, &FN_E_CONFLICT, "what this was judged by has changed");
		return;
	}
	if (!may_invoke(call, u))
		return;
	if (!fn_invoker_url_request(call->api->cfg.invoker, u->function)) {
		fn_reply_error(call, &FN_E_FUNCTION_FULL, "Rate Exceeded.");
		return;
	}
	if (id && fn_id_is_uuid(id))
		memcpy(call->request_id, id, FN_UUID_SIZE);
	call->operation = &fn_aws_operations[op];
	if (fn_str_format(call->params[0], sizeof(call->params[0]), "%s%s%s", u->function, u->qualifier[0] ? ":" : "", u->qualifier) < 0)
		not_found(call, "Function does not exist");
	else
		fn_h_invoke(call);
}

/* --- connections --- */
/* The gateway has ended a client's TLS; what comes now is the API's, and whose it is only the gateway knows. */
static void take_connection(struct fn_call *call)
{
	const char *text = fn_http_req_header(call->req, FN_INNER_ADDRESS);
	bool secure = fn_http_req_header(call->req, FN_INNER_SECURE);
	struct fn_httpd *public = call->api->public;
	struct sockaddr_storage from = {0};
	int fd;

	if (text && inet_pton(AF_INET, text, &((struct sockaddr_in *)&from)->sin_addr) == 1)
		from.ss_family = AF_INET;
	else if (text && inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&from)->sin6_addr) == 1)
		from.ss_family = AF_INET6;
	if (from.ss_family == 0 || !public || call->api->cfg.n_credentials == 0) {
		fn_reply_error(call, &FN_E_ACCESS_DENIED, "No connection is taken so.");
		return;
	}
	fd = fn_http_req_upgrade(call->req, FN_INNER_PASSED);
	if (fd >= 0)
		(void)fn_httpd_add_passed(public, fd, &from, secure);
}

static size_t body_max(void *arg, struct fn_http_req *req)
{
	(void)arg;
	return fn_streq(fn_http_req_method(req), "POST") ? FN_LIMIT_INVOKE_BYTES : 0;
}

static void on_request(void *arg, struct fn_http_req *req)
{
	struct fn_call call = {.api = arg, .req = req, .operation = &fn_aws_operations[FN_AWS_GetFunctionUrlConfig]};
	const char *path = fn_http_req_path(req), *method = fn_http_req_method(req), *rest;
	bool get = fn_streq(method, "GET"), post = fn_streq(method, "POST");
	const struct fn_url *u = NULL;

	fn_id_uuid(call.request_id);
	if (fn_http_req_unread(req) || fn_http_req_too_large(req)) {
		fn_reply_error(&call, fn_http_req_crowded(req) ? &FN_E_BODIES : &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %d bytes", FN_LIMIT_INVOKE_BYTES);
		return;
	}
	if (get && fn_streq(path, FN_INNER_PASS)) {
		take_connection(&call);
		return;
	}
	if (get && fn_str_starts(path, KEYS)) {
		give_key(&call, path + strlen(KEYS));
		return;
	}
	if (fn_str_starts(path, URLS))
		u = url_of(&call, path + strlen(URLS), &rest);
	if (u && get && !*rest)
		show(&call, u);
	else if (u && post && fn_streq(rest, "/invocations"))
		invoke(&call, u, FN_AWS_Invoke);
	else if (u && post && fn_streq(rest, "/streams"))
		invoke(&call, u, FN_AWS_InvokeWithResponseStream);
	else
		not_found(&call, "There is no such function URL.");
}

const struct fn_httpd_ops fn_api_inner_ops = {.body_max = body_max, .request = on_request};

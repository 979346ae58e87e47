/* context.c - see context.h. */
#include "api/context.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "model/inner.h"

#define VALUE_MAX 1000 /* a longer User-Agent is none */

static const char *date(struct fn_context *c, time_t t, int room)
{
	struct tm tm;

	strftime(c->room[room], sizeof(c->room[room]), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	return c->room[room];
}

static const char *source_ip(struct fn_context *c)
{
	const struct fn_http_req *req = c->call->req;

	if (fn_http_req_role(req) == FN_HTTP_GATEWAY)
		return fn_http_req_header(req, FN_INNER_ADDRESS);
	/* every sandbox is at 127.0.0.1 of its own: as requests by a VPC endpoint have it, there is none */
	return fn_http_req_role(req) != FN_HTTP_SANDBOX && fn_http_req_address(req, c->room[0], sizeof(c->room[0])) ? c->room[0] : NULL;
}

/* What never leaves the machine's own memory counts as such. */
static const char *secure(struct fn_context *c)
{
	const struct fn_http_req *req = c->call->req;

	if (fn_http_req_role(req) == FN_HTTP_GATEWAY)
		return fn_http_req_header(req, FN_INNER_SECURE) ? "true" : "false";
	return fn_http_req_secure(req) || fn_http_req_role(req) == FN_HTTP_SANDBOX || fn_http_req_role(req) == FN_HTTP_EVENTS ? "true" : "false";
}

static const char *number(struct fn_context *c, long long n)
{
	snprintf(c->room[1], sizeof(c->room[1]), "%lld", n);
	return c->room[1];
}

static const char *in(const struct fn_context *c, const char *member) { return json_string_value(json_object_get(c->call->in, member)); }

static const char *principal_type(const struct fn_context *c) { return !c->caller ? "Account" : c->caller->who.type == FN_IAM_USER ? "User" : "AssumedRole"; }

static const char *username(struct fn_context *c) { return c->caller ? c->caller->username : NULL; }
static const char *userid(struct fn_context *c) { return c->caller ? c->caller->userid : c->call->api->cfg.account_id; }
static const char *principal_arn(struct fn_context *c) { return c->caller ? c->caller->who.of : NULL; }
static const char *account(struct fn_context *c) { return c->call->api->cfg.account_id; }
static const char *region(struct fn_context *c) { return c->call->api->cfg.region; }
static const char *no(struct fn_context *c) { return (void)c, "false"; }
static const char *now(struct fn_context *c) { return date(c, time(NULL), 0); }
static const char *epoch(struct fn_context *c) { return number(c, time(NULL)); }
static const char *agent(struct fn_context *c) { return fn_http_req_header(c->call->req, "User-Agent"); }
static const char *referer(struct fn_context *c) { return fn_http_req_header(c->call->req, "Referer"); }
static const char *type(struct fn_context *c) { return principal_type(c); }
static const char *issued(struct fn_context *c)
{
	return c->caller && c->caller->session ? date(c, (time_t)json_integer_value(json_object_get(c->caller->session->claims, "Issued")), 1) : NULL;
}
/* However it is named. */
static const char *function_arn(struct fn_context *c)
{
	const struct fn_api_config *cfg = &c->call->api->cfg;
	const char *text = c->function ? c->function : in(c, "FunctionName") ? in(c, "FunctionName") : c->call->mapping_function;
	struct fn_name n;

	if (!text || fn_name_parse(text, &n) < 0)
		return NULL;
	fn_arn_format(c->arn, sizeof(c->arn), n.region[0] ? n.region : cfg->region, n.account[0] ? n.account : cfg->account_id, n.name, n.qualifier);
	return c->arn;
}
static const char *url_auth(struct fn_context *c) { return c->url_auth ? c->url_auth : in(c, "FunctionUrlAuthType") ? in(c, "FunctionUrlAuthType") : in(c, "AuthType"); }
static const char *via_url(struct fn_context *c) { return c->url_auth ? "true" : NULL; }
static const char *lambda_principal(struct fn_context *c) { return in(c, "Principal"); }
static const char *source_function(struct fn_context *c) { return c->caller ? c->caller->source_function : NULL; }
static const char *passed_to(struct fn_context *c) { return c->passed_to; }
static const char *policy_arn(struct fn_context *c) { return in(c, "PolicyArn"); }
/* The one that is asked for; else that of the role or user that it is about. */
static const char *boundary(struct fn_context *c)
{
	struct fn_store *store = c->call->api->cfg.store;
	const struct fn_entity *e = in(c, "RoleName") ? fn_store_entity(store, FN_ENTITY_ROLE, in(c, "RoleName")) : fn_store_entity(store, FN_ENTITY_USER, in(c, "UserName"));

	return in(c, "PermissionsBoundary") ? in(c, "PermissionsBoundary") : e ? json_string_value(json_object_get(e->record, "PermissionsBoundary")) : NULL;
}
static const char *service_name(struct fn_context *c) { return in(c, "AWSServiceName"); }
static const char *external_id(struct fn_context *c) { return in(c, "ExternalId"); }
static const char *session_name(struct fn_context *c) { return in(c, "RoleSessionName"); }

static const struct {
	const char *key;
	const char *(*value)(struct fn_context *c);
} keys[] = {
	{"aws:principalarn", principal_arn},
	{"aws:principalaccount", account},
	{"aws:principaltype", type},
	{"aws:principalisawsservice", no},
	{"aws:viaawsservice", no},
	{"aws:securetransport", secure},
	{"aws:resourceaccount", account},
	{"aws:requestedregion", region},
	{"aws:sourceip", source_ip},
	{"aws:currenttime", now},
	{"aws:epochtime", epoch},
	{"aws:tokenissuetime", issued},
	{"aws:userid", userid},
	{"aws:username", username},
	{"aws:useragent", agent},
	{"aws:referer", referer},
	{"lambda:functionarn", function_arn},
	{"lambda:functionurlauthtype", url_auth},
	{"lambda:invokedviafunctionurl", via_url},
	{"lambda:principal", lambda_principal},
	{"lambda:sourcefunctionarn", source_function},
	{"iam:passedtoservice", passed_to},
	{"iam:policyarn", policy_arn},
	{"iam:permissionsboundary", boundary},
	{"iam:awsservicename", service_name},
	{"sts:externalid", external_id},
	{"sts:rolesessionname", session_name},
};

static const char *tag_of(json_t *tags, const char *name)
{
	json_t *t;
	size_t i;

	json_array_foreach(tags, i, t)
		if (strcasecmp(json_string_value(json_object_get(t, "Key")), name) == 0)
			return json_string_value(json_object_get(t, "Value"));
	return NULL;
}

static const char *tag(const struct fn_context *c, const char *name)
{
	const char *text = c->caller ? tag_of(fn_caller_tags(c->caller, true), name) : NULL;

	return text || !c->caller ? text : tag_of(fn_caller_tags(c->caller, false), name);
}

static const char *value(void *arg, const char *key, unsigned nth)
{
	struct fn_context *c = arg;

	if (strcmp(key, "lambda:layer") == 0)
		return json_string_value(json_array_get(json_object_get(c->call->in, "Layers"), nth));
	if (nth > 0)
		return NULL;
	if (strncmp(key, "aws:principaltag/", 17) == 0)
		return tag(c, key + 17);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].key, key) == 0)
			return keys[i].value(c);
	return NULL;
}

static void add_tags(json_t *o, const struct fn_caller *caller, bool of_session)
{
	char name[160];
	json_t *t;
	size_t i;

	json_array_foreach(fn_caller_tags(caller, of_session), i, t) {
		const char *key = json_string_value(json_object_get(t, "Key"));

		if ((of_session || !tag_of(fn_caller_tags(caller, true), key)) && fn_str_format(name, sizeof(name), "aws:principaltag/%s", key) == 0)
			(void)json_object_set(o, name, json_object_get(t, "Value"));
	}
}

/* What is told over there anew (the time) or not asked of queues is left out. */
char *fn_call_context(struct fn_call *call)
{
	struct fn_context c = {.call = call, .caller = call->caller};
	json_auto_t *o = json_object();
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *text = keys[i].value != now && keys[i].value != epoch && (fn_str_starts(keys[i].key, "aws:") || keys[i].value == source_function) ? keys[i].value(&c) : NULL;

		if (text && strlen(text) <= VALUE_MAX)
			(void)json_object_set_new(o, keys[i].key, json_string(text));
	}
	add_tags(o, c.caller, false);
	add_tags(o, c.caller, true);
	return json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
}

struct fn_iam_context fn_context_of(struct fn_context *c) { return (struct fn_iam_context){value, c}; }

/* caller.c - see caller.h. */
#include "api/caller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/internal.h"
#include "aws/managed.h"
#include "base/map.h"
#include "base/str.h"

#define SESSIONS_MAX 1024 /* that are kept as they were read */

static const char *text_of(const json_t *o, const char *member) { return json_string_value(json_object_get(o, member)); }

/* --- sessions --- */
static void session_free(struct fn_session *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_own; i++)
		fn_iam_document_free(s->own[i]);
	free(s->own);
	json_decref(s->claims);
	free(s->token);
	free(s);
}

void fn_sessions_close(struct fn_api *api)
{
	struct fn_session *s;
	size_t it = 0;

	while (api->sessions && (s = fn_map_next(api->sessions, &it)))
		session_free(s);
	fn_map_free(api->sessions);
	api->sessions = NULL;
}

static bool read_own(struct fn_session *s)
{
	json_t *all = json_object_get(s->claims, "Policies"), *text;
	size_t i;

	s->own = calloc(json_array_size(all) + 1, sizeof(*s->own));
	json_array_foreach(all, i, text) {
		struct fn_buf why = {0};

		if (!s->own || fn_iam_document_parse(json_string_value(text), FN_IAM_IDENTITY, &s->own[i], &why) < 0) {
			fn_buf_free(&why);
			return false;
		}
		s->n_own++;
	}
	return s->own;
}

static struct fn_session *session_read(struct fn_api *api, const char *key_id, const char *token)
{
	struct fn_session *s = calloc(1, sizeof(*s));

	if (s && (s->token = strdup(token)) && fn_session_open(fn_store_session_secret(api->cfg.store), key_id, token, &s->claims, s->secret_key) == 0 && read_own(s))
		return s;
	session_free(s);
	return NULL;
}

static const struct fn_session *session_of(struct fn_api *api, const char *key_id, const char *token)
{
	struct fn_session *s = api->sessions ? fn_map_get(api->sessions, key_id) : NULL;
	void *old = NULL;

	if (s && strcmp(s->token, token) == 0)
		return s;
	s = session_read(api, key_id, token);
	if (!s)
		return NULL;
	if (api->sessions && fn_map_count(api->sessions) >= SESSIONS_MAX)
		fn_sessions_close(api);
	if ((!api->sessions && fn_map_new(&api->sessions) < 0) || fn_map_set(api->sessions, key_id, s, &old) < 0) {
		session_free(s);
		return NULL;
	}
	session_free(old);
	return s;
}

/* Is there still whom it is of? Who is deleted and made anew is another. */
static const struct fn_entity *of_session(struct fn_api *api, const struct fn_session *s)
{
	bool role = fn_streq(text_of(s->claims, "Kind"), "role");
	const struct fn_entity *e = fn_store_entity(api->cfg.store, role ? FN_ENTITY_ROLE : FN_ENTITY_USER, text_of(s->claims, "Name"));

	return e && fn_streq(text_of(e->record, role ? "RoleId" : "UserId"), text_of(s->claims, "Id")) ? e : NULL;
}

/* --- keys --- */
static const struct fn_aws_error *invalid(struct fn_buf *why)
{
	(void)fn_buf_add_str(why, "The security token included in the request is invalid.");
	return &FN_E_UNKNOWN_CLIENT;
}

const struct fn_aws_error *fn_key_find(struct fn_api *api, const char *key_id, const char *token, struct fn_key *ret, struct fn_buf *why)
{
	const struct fn_api_config *cfg = &api->cfg;
	json_t *key = NULL;

	*ret = (struct fn_key){0};
	if (token && *token) {
		ret->session = session_of(api, key_id, token);
		if (!ret->session || (!fn_streq(text_of(ret->session->claims, "Kind"), "root") && !of_session(api, ret->session)))
			return invalid(why);
		if (json_integer_value(json_object_get(ret->session->claims, "Expires")) <= time(NULL)) {
			(void)fn_buf_add_str(why, "The security token included in the request is expired");
			return &FN_E_EXPIRED_TOKEN;
		}
		ret->secret = ret->session->secret_key;
		return NULL;
	}
	for (size_t i = 0; i < cfg->n_credentials; i++)
		if (fn_streq(cfg->credentials[i].access_key_id, key_id)) {
			ret->secret = cfg->credentials[i].secret_access_key;
			return NULL;
		}
	ret->user = fn_store_access_key(cfg->store, key_id, &key);
	if (!ret->user || !fn_streq(text_of(key, "Status"), "Active"))
		return invalid(why);
	ret->secret = text_of(key, "SecretAccessKey");
	return NULL;
}

/* --- callers --- */
static void as_user(struct fn_api *api, const struct fn_entity *e, struct fn_caller *c)
{
	(void)fn_str_format(c->of, sizeof(c->of), "%s", text_of(e->record, "Arn"));
	(void)fn_str_format(c->userid, sizeof(c->userid), "%s", text_of(e->record, "UserId"));
	c->username = e->name;
	c->entity = e;
	c->who = (struct fn_iam_principal){FN_IAM_USER, c->of, c->of, api->cfg.account_id, text_of(e->record, "UserId")};
}

static void as_session(struct fn_api *api, const char *role, const char *session, const char *id, struct fn_caller *c)
{
	(void)fn_str_format(c->arn, sizeof(c->arn), "arn:aws:sts::%s:assumed-role/%s/%s", api->cfg.account_id, role, session);
	(void)fn_str_format(c->userid, sizeof(c->userid), "%s:%s", id, session);
	c->who = (struct fn_iam_principal){FN_IAM_SESSION, c->arn, c->of, api->cfg.account_id, c->entity ? text_of(c->entity->record, "RoleId") : NULL};
}

bool fn_caller_of_key(struct fn_api *api, const struct fn_key *key, struct fn_caller *c)
{
	const struct fn_session *s = key->session;
	const struct fn_entity *e = s ? of_session(api, s) : key->user;

	*c = (struct fn_caller){.session = s};
	if (!e && s && !fn_streq(text_of(s->claims, "Kind"), "root")) { /* whose it was has gone: nobody, not root */
		c->who = (struct fn_iam_principal){FN_IAM_ANONYMOUS, "", "", "", NULL};
		return true;
	}
	if (!e)
		return false;
	if (e->kind == FN_ENTITY_USER) {
		as_user(api, e, c);
		return true;
	}
	c->entity = e;
	(void)fn_str_format(c->of, sizeof(c->of), "%s", text_of(e->record, "Arn"));
	as_session(api, e->name, text_of(s->claims, "Session"), text_of(e->record, "RoleId"), c);
	return true;
}

struct assuming {
	const char *account, *function_arn;
};

static const char *assuming_value(void *arg, const char *key, unsigned nth)
{
	const struct assuming *a = arg;

	if (nth > 0)
		return NULL;
	return strcmp(key, "aws:sourceaccount") == 0 ? a->account : strcmp(key, "aws:sourcearn") == 0 ? a->function_arn : strcmp(key, "aws:principalisawsservice") == 0 ? "true" : NULL;
}

bool fn_role_trusts_lambda(struct fn_api *api, const struct fn_entity *role, const char *function_arn)
{
	static const struct fn_iam_principal lambda = {FN_IAM_SERVICE, "lambda.amazonaws.com", "lambda.amazonaws.com", "", NULL};
	struct assuming a = {api->cfg.account_id, function_arn};
	const struct fn_iam_request r = {"sts:AssumeRole", text_of(role->record, "Arn"), &lambda, {assuming_value, &a}};
	enum fn_iam_says says = role->own ? fn_iam_document_says(role->own, &r) : FN_IAM_NOTHING;

	return says == FN_IAM_NAMED || says == FN_IAM_ROLE;
}

void fn_caller_of_role(struct fn_api *api, const char *role_arn, const char *session, struct fn_caller *c)
{
	const char *slash = strrchr(role_arn, '/');
	char arn[400];

	*c = (struct fn_caller){.entity = fn_store_entity_by_arn(api->cfg.store, FN_ENTITY_ROLE, role_arn)};
	fn_arn_format(arn, sizeof(arn), api->cfg.region, api->cfg.account_id, session, NULL);
	c->distrusted = c->entity && !fn_role_trusts_lambda(api, c->entity, arn);
	if (c->distrusted)
		c->entity = NULL;
	(void)fn_str_format(c->of, sizeof(c->of), "%s", role_arn);
	as_session(api, slash ? slash + 1 : role_arn, session, c->entity ? text_of(c->entity->record, "RoleId") : "AROAAAAAAAAAAAAAAAAAA", c);
}

json_t *fn_caller_tags(const struct fn_caller *c, bool of_session)
{
	return of_session ? (c->session ? json_object_get(c->session->claims, "Tags") : NULL) : c->entity ? json_object_get(c->entity->record, "Tags") : NULL;
}

/* Those of a session by their ARNs; what is not there allows nothing. */
static size_t session_documents(struct fn_api *api, const struct fn_session *s, const struct fn_iam_document **ret, size_t max)
{
	json_t *arn;
	size_t n = 0, i;

	for (i = 0; i < s->n_own && n < max; i++)
		ret[n++] = s->own[i];
	json_array_foreach(json_object_get(s->claims, "PolicyArns"), i, arn) {
		const struct fn_entity *e = fn_store_entity_by_arn(api->cfg.store, FN_ENTITY_POLICY, json_string_value(arn));
		const struct fn_iam_document *d = e ? e->own : fn_iam_managed_document(json_string_value(arn));

		if (n < max)
			ret[n++] = d ? d : fn_iam_nothing();
	}
	return n;
}

#define LIMITS_MAX 16

static struct fn_iam_policies policies_of(struct fn_api *api, const struct fn_caller *c, const struct fn_iam_document **limits)
{
	struct fn_iam_policies p = {0};

	if (c->entity)
		p.identity = fn_store_policies_of(api->cfg.store, c->entity, &p.boundary);
	if (c->session)
		p.session = (struct fn_iam_documents){limits, session_documents(api, c->session, limits, LIMITS_MAX)};
	return p;
}

enum fn_iam_identity fn_caller_says(struct fn_api *api, const struct fn_caller *c, const struct fn_iam_request *r)
{
	const struct fn_iam_document *limits[LIMITS_MAX];
	struct fn_iam_policies p = policies_of(api, c, limits);

	return fn_iam_identity_says(&p, r);
}

enum fn_iam_verdict fn_caller_judge(struct fn_api *api, const struct fn_caller *c, const struct fn_iam_document *resource, bool resource_must, const struct fn_iam_request *r)
{
	const struct fn_iam_document *limits[LIMITS_MAX];
	struct fn_iam_policies p = policies_of(api, c, limits);

	p.resource = resource;
	p.resource_must = resource_must;
	return fn_iam_evaluate(&p, r);
}

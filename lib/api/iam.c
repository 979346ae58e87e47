/* iam.c - see iam.h: what all of IAM's operations do alike. */
#include "api/iam.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "aws/managed.h"
#include "aws/xml.h"
#include "base/cleanup.h"
#include "base/str.h"

#define PAGE 100u

const char *fn_iam_in(const struct fn_call *call, const char *member) { return json_string_value(json_object_get(call->in, member)); }

void fn_iam_reply(struct fn_call *call, json_t *out)
{
	struct fn_buf b = {0};
	size_t len = 0;
	char *text;

	(void)fn_aws_xml_response(&b, call->operation, out, call->request_id);
	json_decref(out);
	text = fn_buf_take(&b, &len);
	fn_reply_text(call, 200, FN_AWS_XML_TYPE, text, len);
}

bool fn_iam_turn(struct fn_call *call, fn_handler handler) { return fn_change_turn(call, FN_STORE_IAM, handler); }

const struct fn_entity *fn_iam_entity(struct fn_call *call, enum fn_entity_kind kind)
{
	static const char *const members[] = {"RoleName", "UserName", "PolicyArn", "InstanceProfileName"};
	const char *name = fn_iam_in(call, members[kind]);
	const struct fn_entity *e = kind == FN_ENTITY_POLICY ? fn_store_entity_by_arn(call->api->cfg.store, kind, name) : fn_store_entity(call->api->cfg.store, kind, name);

	if (!e && kind == FN_ENTITY_POLICY)
		fn_reply_error(call, &FN_E_NO_ENTITY, "Policy %s was not found.", name ? name : "");
	else if (!e && kind == FN_ENTITY_PROFILE)
		fn_reply_error(call, &FN_E_NO_ENTITY, "Instance Profile %s cannot be found.", name ? name : "");
	else if (!e)
		fn_reply_error(call, &FN_E_NO_ENTITY, "The %s with name %s cannot be found.", kind == FN_ENTITY_ROLE ? "role" : "user", name ? name : "");
	return e;
}

/* --- instance profiles --- */
bool fn_iam_profile_has(const json_t *record, const char *role)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(record, "Roles"), i, name)
		if (fn_streq(json_string_value(name), role))
			return true;
	return false;
}

bool fn_iam_in_profile(struct fn_api *api, const char *role)
{
	const char *after = "";
	const struct fn_entity *e;

	for (; fn_store_entities(api->cfg.store, FN_ENTITY_PROFILE, after, &e, 1) == 1; after = e->name)
		if (fn_iam_profile_has(e->record, role))
			return true;
	return false;
}

/* --- changes --- */
struct pending {
	struct fn_call call;
	json_t *out;
};

static void stored(void *arg, const struct fn_err *err)
{
	struct pending *p = arg;
	char text[512];

	if (err)
		fn_reply_error(&p->call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
	else
		fn_iam_reply(&p->call, fn_take_ptr(p->out));
	json_decref(p->out);
	free(p);
}

static struct pending *pending_new(struct fn_call *call, json_t *out)
{
	struct pending *p = malloc(sizeof(*p));

	if (!p) {
		json_decref(out);
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return NULL;
	}
	p->call = fn_call_keep(call, false);
	p->out = out;
	return p;
}

void fn_iam_put(struct fn_call *call, enum fn_entity_kind kind, const char *name, json_t *record, json_t *out)
{
	fn_auto_buf struct fn_buf why = {0};
	struct fn_entity *e = NULL;
	struct pending *p;
	struct fn_err err;
	int r = fn_entity_new(kind, name, record, &e, &why);

	if (r < 0) {
		json_decref(out);
		fn_reply_error(call, r == -EINVAL ? &FN_E_MALFORMED_POLICY : &FN_E_SERVICE, "%s", why.data ? why.data : "out of memory");
		return;
	}
	p = pending_new(call, out);
	if (!p)
		fn_entity_free(e);
	else if (fn_store_put_entity(call->api->cfg.store, e, stored, p, &err) < 0)
		stored(p, &err);
}

void fn_iam_delete(struct fn_call *call, enum fn_entity_kind kind, const char *name) { fn_iam_delete_answer(call, kind, name, NULL); }

void fn_iam_delete_answer(struct fn_call *call, enum fn_entity_kind kind, const char *name, json_t *out)
{
	struct pending *p = pending_new(call, out);
	struct fn_err err;

	if (p && fn_store_delete_entity(call->api->cfg.store, kind, name, stored, p, &err) < 0)
		stored(p, &err);
}

/* --- lists --- */
struct sorted {
	const char *at;
	json_t *e;
};

static int by_key(const void *a, const void *b) { return strcmp(((const struct sorted *)a)->at, ((const struct sorted *)b)->at); }

/* Takes all. */
static json_t *sorted(json_t *all, const char *key)
{
	struct sorted *v = calloc(json_array_size(all) + 1, sizeof(*v));
	json_t *out = json_array(), *e;
	size_t n = 0, i;

	json_array_foreach(all, i, e)
		if (v)
			v[n++] = (struct sorted){json_string_value(key ? json_object_get(e, key) : e), e};
	qsort(v, n, sizeof(*v), by_key);
	for (i = 0; i < n; i++)
		json_array_append(out, v[i].e);
	free(v);
	json_decref(all);
	return out;
}

static void reply_page(struct fn_call *call, const char *member, json_t *all, const char *key, int (*compare)(const char *a, const char *b))
{
	json_t *max = json_object_get(call->in, "MaxItems"), *page = json_array(), *out = json_object(), *e;
	size_t n = max ? (size_t)json_integer_value(max) : PAGE, i;
	const char *marker = fn_iam_in(call, "Marker"), *last = NULL;
	bool more = false;

	json_array_foreach(all, i, e) {
		const char *at = json_string_value(key ? json_object_get(e, key) : e);

		if (marker && compare(at, marker) <= 0)
			continue;
		more = json_array_size(page) == n;
		if (more)
			break;
		json_array_append(page, e);
		last = at;
	}
	json_object_set_new(out, member, page);
	json_object_set_new(out, "IsTruncated", json_boolean(more));
	if (more)
		json_object_set_new(out, "Marker", json_string(last));
	fn_iam_reply(call, out);
	json_decref(all);
}

void fn_iam_page(struct fn_call *call, const char *member, json_t *all, const char *key) { reply_page(call, member, sorted(all, key), key, strcmp); }

/* "v10" comes before "v9", which may have been deleted since it was the marker. */
static int newer_first(const char *a, const char *b)
{
	unsigned long x = strtoul(a + 1, NULL, 10), y = strtoul(*b ? b + 1 : b, NULL, 10);

	return x < y ? 1 : x > y ? -1 : 0;
}

void fn_iam_page_of_versions(struct fn_call *call, const char *member, json_t *all) { reply_page(call, member, all, "VersionId", newer_first); }

void fn_iam_list(struct fn_call *call, enum fn_entity_kind kind, const char *member, const char *key,
		 json_t *(*show)(struct fn_api *api, const struct fn_entity *e))
{
	const char *prefix = fn_iam_in(call, "PathPrefix");
	size_t n = fn_store_n_entities(call->api->cfg.store, kind);
	const struct fn_entity **all = calloc(n + 1, sizeof(*all));
	json_t *list = json_array();

	n = all ? fn_store_entities(call->api->cfg.store, kind, "", all, n) : 0;
	for (size_t i = 0; i < n; i++)
		if (!prefix || fn_str_starts(json_string_value(json_object_get(all[i]->record, "Path")), prefix))
			json_array_append_new(list, show(call->api, all[i]));
	free(all);
	fn_iam_page(call, member, list, key);
}

/* --- parts --- */
void fn_iam_id(const char *prefix, unsigned len, char *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t random[32];
	size_t n = strlen(prefix);

	fn_id_random(random, sizeof(random));
	memcpy(out, prefix, n);
	for (unsigned i = 0; n < len && i < sizeof(random); i++)
		out[n++] = letters[random[i] & 31];
	out[n] = '\0';
}

char *fn_iam_escape(const char *text)
{
	struct fn_buf b = {0};
	size_t len;

	(void)fn_buf_add_url(&b, text, strlen(text), "");
	return fn_buf_take(&b, &len);
}

json_t *fn_iam_escaped(const char *text)
{
	fn_auto_free char *escaped = fn_iam_escape(text ? text : "");

	return json_string(escaped ? escaped : "");
}

bool fn_iam_document_fits(struct fn_call *call, const char *text, enum fn_iam_kind kind)
{
	fn_auto_buf struct fn_buf why = {0};
	int r = fn_iam_document_check(text, kind, &why);

	if (r < 0)
		fn_reply_error(call, r == -EINVAL ? &FN_E_MALFORMED_POLICY : &FN_E_SERVICE, "%s", why.data ? why.data : "out of memory");
	return r == 0;
}

bool fn_iam_short(struct fn_call *call, const char *document, size_t max, const char *quota)
{
	size_t n = 0;

	for (const char *p = document; *p; p++)
		n += !isspace((unsigned char)*p);
	if (n <= max)
		return true;
	fn_reply_error(call, &FN_E_IAM_LIMIT, "Cannot exceed quota for %s: %zu", quota, max);
	return false;
}

/* arn:PARTITION:iam::ACCOUNT:policy/... */
static bool is_policy(const char *arn)
{
	const char *iam = strstr(arn, ":iam::"), *colon = iam ? strchr(iam + 6, ':') : NULL;

	return fn_str_starts(arn, "arn:") && colon && fn_str_starts(colon, ":policy/") && colon[8];
}

bool fn_iam_policy_there(struct fn_call *call, const char *arn, const char *what)
{
	if (!is_policy(arn))
		fn_reply_error(call, fn_str_starts(arn, "arn:") ? &FN_E_IAM_INPUT : &FN_E_VALIDATION, "ARN %s is not valid.", arn);
	else if (fn_store_entity_by_arn(call->api->cfg.store, FN_ENTITY_POLICY, arn) || fn_iam_managed(arn))
		return true;
	else
		fn_reply_error(call, &FN_E_NO_ENTITY, "%s %s does not exist or is not attachable.", what, arn);
	return false;
}

bool fn_iam_boundary_fits(struct fn_call *call)
{
	const char *arn = fn_iam_in(call, "PermissionsBoundary");

	return !arn || fn_iam_policy_there(call, arn, "Scope ARN:");
}

json_t *fn_iam_members(const struct fn_entity *e, const char *const *names)
{
	json_t *o = json_object();

	for (; *names; names++)
		if (json_object_get(e->record, *names))
			json_object_set(o, *names, json_object_get(e->record, *names));
	return o;
}

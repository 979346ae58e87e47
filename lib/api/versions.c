/* versions.c - see versions.h: PublishVersion, ListVersionsByFunction, DeleteFunction of one version. */
#include "api/versions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/configuration.h"
#include "api/uploads.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "invoke/provision.h"
#include "model/limits.h"

static void unref(struct fn_function **f) { fn_function_unref(*f); }

struct fn_function *fn_version_make(struct fn_api *api, const struct fn_function *latest, const char *description)
{
	struct fn_function *v = fn_function_clone(latest);
	char number[24];

	if (!v)
		return NULL;
	snprintf(number, sizeof(number), "%" PRIu64, fn_store_next_version(api->cfg.store, latest->name));
	fn_set_string(&v->version, number);
	fn_set_string(&v->latest_description, latest->description);
	if (description)
		fn_set_string(&v->description, description);
	fn_set_string(&v->tags_json, NULL); /* tags are the function's */
	v->generation = fn_store_next_generation(api->cfg.store);
	if (fn_function_settling(latest))
		fn_function_unsettle(v, true);
	fn_snapshots_prepare(v);
	fn_function_touch(v);
	if (v->version && v->description)
		return v;
	fn_function_unref(v);
	return NULL;
}

bool fn_version_fits(struct fn_call *call, const struct fn_function *latest)
{
	if (fn_store_code_bytes(call->api->cfg.store) + latest->code_size <= FN_LIMIT_CODE_STORAGE_BYTES)
		return true;
	fn_reply_error(call, &FN_E_CODE_STORAGE, "Code storage limit exceeded.");
	return false;
}

/* CodeSha256: only if the package is still the one the caller means. */
static bool is_package(struct fn_call *call, const char *wanted, const struct fn_function *latest)
{
	fn_auto_free char *b64 = NULL;

	if (fn_str_empty(wanted))
		return true;
	b64 = latest->image ? strdup(latest->code_sha256) : fn_sha256_base64(latest->code_sha256);
	if (!b64) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return false;
	}
	if (fn_streq(wanted, b64))
		return true;
	fn_reply_error(call, &FN_E_INVALID_PARAMETER,
		       "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", wanted,
		       b64);
	return false;
}

static void publish_stored(struct fn_change *c)
{
	fn_snapshots_look(c->call.api->cfg.snapshots);
	fn_reply_json(&c->call, 201, fn_function_json(c->call.api, c->version, c->version->version, false));
}

void fn_h_publish_version(struct fn_call *call)
{
	fn_auto(unref) struct fn_function *latest = NULL;
	struct fn_store *store = call->api->cfg.store;
	const char *description = json_string_value(json_object_get(call->in, "Description"));
	struct fn_function *now, *last;
	struct fn_change *c;
	struct fn_name n;
	struct fn_err err;

	now = fn_call_latest(call, &n);
	if (!now || !fn_refuse_unbuilt(call, call->in) || !fn_may_update(call, now) ||
	    !is_package(call, json_string_value(json_object_get(call->in, "CodeSha256")), now))
		return;
	last = fn_store_last_version(store, n.name);
	if (last && fn_function_unchanged(now, last)) {
		fn_reply_json(call, 201, fn_function_json(call->api, last, last->version, false));
		return;
	}
	if (!fn_version_fits(call, now))
		return;
	latest = fn_function_clone(now); /* the service gives $LATEST a new revision; its environments go on */
	if (!latest) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	fn_id_uuid(latest->revision_id);
	c = fn_change_new(call, n.name, NULL, publish_stored);
	if (!c)
		return;
	c->version = fn_version_make(call->api, now, description);
	fn_change_begun(c, c->version ? fn_store_publish(store, latest, c->version, fn_change_done, c, &err) : fn_err_set(&err, ENOMEM, "publish version", NULL),
			&err);
}

void fn_h_list_versions(struct fn_call *call)
{
	const char *marker = fn_http_req_query(call->req, "Marker");
	struct fn_function *page[FN_PAGE_MAX + 1];
	size_t max = fn_call_page_size(call), got;
	json_t *list, *o;
	struct fn_name n;

	if (!fn_call_latest(call, &n))
		return;
	if (!fn_str_empty(marker) && fn_version_number(marker) == UINT64_MAX) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Invalid Marker: %s", marker);
		return;
	}
	got = fn_store_list_versions(call->api->cfg.store, n.name, fn_str_empty(marker) ? NULL : n.name, marker, page, max + 1);
	list = json_array();
	for (size_t i = 0; i < got && i < max; i++)
		json_array_append_new(list, fn_function_json(call->api, page[i], page[i]->version, true));
	o = json_pack("{so}", "Versions", list);
	if (got > max)
		json_object_set_new(o, "NextMarker", json_string(page[max - 1]->version));
	fn_reply_json(call, 200, o);
}

/* Room for those of n more functions. */
static bool grow(char (**codes)[65], size_t have, size_t n)
{
	char(*more)[65] = realloc(*codes, (have + n * (1 + FN_LAYERS_MAX)) * sizeof(*more));

	if (more)
		*codes = more;
	return more != NULL;
}

static bool same_layers(const struct fn_function *a, const struct fn_function *b)
{
	bool same = a && a->n_layers == b->n_layers;

	for (size_t i = 0; same && i < a->n_layers; i++)
		same = strcmp(a->layers[i].sha256, b->layers[i].sha256) == 0;
	return same;
}

/* Those of f, unless `before` has them: most versions have what the one before them has. */
static size_t add_packages(char (*codes)[65], size_t n, const struct fn_function *f, const struct fn_function *before)
{
	if (!before || strcmp(before->code_sha256, f->code_sha256) != 0)
		memcpy(codes[n++], f->code_sha256, sizeof(*codes));
	if (!same_layers(before, f))
		for (size_t i = 0; i < f->n_layers; i++)
			memcpy(codes[n++], f->layers[i].sha256, sizeof(*codes));
	return n;
}

size_t fn_version_codes(struct fn_api *api, const char *name, char (**ret)[65])
{
	struct fn_function *page[FN_PAGE_MAX];
	const struct fn_function *before = fn_store_serving(api->cfg.store, fn_store_get(api->cfg.store, name, NULL));
	char(*codes)[65] = NULL;
	size_t n = 0, got = fn_store_list_versions(api->cfg.store, name, NULL, NULL, page, FN_PAGE_MAX);

	if (before && grow(&codes, 0, 1)) /* in the midst of an update that is none of the versions */
		n = add_packages(codes, 0, before, NULL);
	for (; got > 0; got = fn_store_list_versions(api->cfg.store, name, name, page[got - 1]->version, page, FN_PAGE_MAX)) {
		if (!grow(&codes, n, got))
			break; /* the next start finds what is left */
		for (size_t i = 0; i < got; before = page[i++])
			n = add_packages(codes, n, page[i], before);
	}
	*ret = codes;
	return n;
}

/* "[a, b]" of the aliases that name the version. */
static char *named_by(struct fn_store *store, const struct fn_name *n)
{
	struct fn_alias *page[FN_PAGE_MAX];
	struct fn_buf b = {0};
	const char *after = NULL;
	size_t got;

	do {
		got = fn_store_list_aliases(store, n->name, n->qualifier, after, page, FN_PAGE_MAX);
		for (size_t i = 0; i < got; i++)
			(void)fn_buf_addf(&b, "%s%s", b.len ? ", " : "[", page[i]->name);
		after = got ? page[got - 1]->name : NULL;
	} while (got == FN_PAGE_MAX);
	(void)fn_buf_add(&b, "]", 2); /* and its NUL */
	return b.data;
}

static void delete_stored(struct fn_change *c)
{
	const struct fn_api_config *cfg = &c->call.api->cfg;

	fn_invoker_retire(cfg->invoker, c->n.name, c->n.qualifier, 0);
	fn_provision_apply(cfg->invoker, cfg->store, c->n.name);
	fn_snapshots_look(cfg->snapshots);
	fn_upload_forget_all(c->call.api, c->f);
	fn_reply_empty(&c->call, 204);
}

void fn_version_delete(struct fn_call *call, const struct fn_name *n)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	fn_auto_free char *aliases = NULL;
	struct fn_change *c;
	struct fn_function *f;
	struct fn_err err;
	int r;

	if (fn_streq(n->qualifier, "$LATEST")) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "$LATEST version cannot be deleted without deleting the function.");
		return;
	}
	if (fn_alias_name_valid(n->qualifier)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Deletion of aliases is not currently supported.");
		return;
	}
	if (!fn_store_get(cfg->store, n->name, NULL)) {
		fn_reply_absent(call, n->name, n->qualifier);
		return;
	}
	f = fn_store_get(cfg->store, n->name, n->qualifier);
	if (!f) { /* gone already is as good: so says the service */
		fn_reply_empty(call, 204);
		return;
	}
	c = fn_change_new(call, n->name, n->qualifier, delete_stored);
	if (!c)
		return;
	c->f = fn_function_ref(f);
	r = fn_store_delete_version(cfg->store, n->name, n->qualifier, fn_change_done, c, &err);
	if (r == -EBUSY) {
		aliases = named_by(cfg->store, n);
		fn_reply_error(call, &FN_E_CONFLICT, "Unable to delete version because the following aliases reference it: %s", aliases);
		fn_change_free(c);
		return;
	}
	fn_change_begun(c, r, &err);
}

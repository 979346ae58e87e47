/* layers.c - see layers.h. */
#include "store/layers.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "store/internal.h"

const char *fn_store_layer_turn(const char *layer, char ret[FN_STORE_LAYER_TURN_SIZE])
{
	snprintf(ret, FN_STORE_LAYER_TURN_SIZE, "layer:%s", layer);
	return ret;
}

/* --- in memory --- */
/* The first whose key is not less. */
static size_t bound(const struct fn_store *s, const char *key)
{
	return fn_store_bound(s->n_layers, i, strcmp(s->layers[i]->key, key) < 0);
}

static struct fn_layer *find(const struct fn_store *s, const char *key)
{
	size_t i = bound(s, key);

	return i < s->n_layers && strcmp(s->layers[i]->key, key) == 0 ? s->layers[i] : NULL;
}

/* The first version whose number is not less. */
static size_t version_bound(const struct fn_layer *l, int64_t version)
{
	return fn_store_bound(l->n, i, l->versions[i]->version < version);
}

static struct fn_layer_version **slot_of(struct fn_layer *l, int64_t version)
{
	size_t i = l ? version_bound(l, version) : 0;

	return l && i < l->n && l->versions[i]->version == version ? &l->versions[i] : NULL;
}

static struct fn_layer *get(struct fn_store *s, const char *key)
{
	struct fn_layer *l = find(s, key);
	size_t i = bound(s, key);

	if (l || fn_store_room(s->layers, s->n_layers, &s->cap_layers) < 0)
		return l;
	l = calloc(1, sizeof(*l));
	if (!l || !(l->key = strdup(key))) {
		free(l);
		return NULL;
	}
	memmove(s->layers + i + 1, s->layers + i, (s->n_layers - i) * sizeof(*s->layers));
	s->layers[i] = l;
	s->n_layers++;
	return l;
}

/* Another account's takes nothing of what this one may store. */
static int64_t counted(const struct fn_layer_version *v) { return fn_layer_is_foreign(v->layer) ? 0 : v->code_size; }

static void count(struct fn_store *s, const struct fn_layer_version *v, int by)
{
	fn_store_count_package(s, "layer", v->code_sha256, by);
	s->code_bytes += by * counted(v);
}

/* There must be room. */
static void add(struct fn_store *s, struct fn_layer *l, struct fn_layer_version *v)
{
	size_t i = version_bound(l, v->version);

	memmove(l->versions + i + 1, l->versions + i, (l->n - i) * sizeof(*l->versions));
	l->versions[i] = fn_layer_version_ref(v);
	l->n++;
	if (v->version > l->last)
		l->last = v->version;
	count(s, v, 1);
}

static void replace(struct fn_store *s, struct fn_layer_version **slot, struct fn_layer_version *v)
{
	count(s, v, 1);
	count(s, *slot, -1);
	fn_layer_version_unref(*slot);
	*slot = fn_layer_version_ref(v);
}

static void take_out(struct fn_store *s, struct fn_layer *l, struct fn_layer_version **slot)
{
	struct fn_layer_version *v = *slot;

	memmove(slot, slot + 1, (l->n - (size_t)(slot - l->versions) - 1) * sizeof(*slot));
	l->n--;
	count(s, v, -1);
	fn_layer_version_unref(v);
}

/* --- reading --- */
struct fn_layer_version *fn_store_layer_version(struct fn_store *s, const char *layer, int64_t version)
{
	struct fn_layer_version **slot = slot_of(find(s, layer), version);

	return slot ? *slot : NULL;
}

int64_t fn_store_next_layer_version(struct fn_store *s, const char *layer)
{
	const struct fn_layer *l = find(s, layer);

	return l ? l->last + 1 : 1;
}

static struct fn_layer_version *newest(struct fn_layer *l, size_t below, const char *runtime, const char *architecture)
{
	while (below > 0)
		if (fn_layer_version_fits(l->versions[--below], runtime, architecture))
			return l->versions[below];
	return NULL;
}

struct fn_layer_version *fn_store_next_layer(struct fn_store *s, const char *after, const char *runtime, const char *architecture)
{
	struct fn_layer_version *v = NULL;
	size_t i = after ? bound(s, after) : 0;

	if (after && i < s->n_layers && fn_streq(s->layers[i]->key, after))
		i++;
	for (; i < s->n_layers && !v; i++)
		v = newest(s->layers[i], s->layers[i]->n, runtime, architecture);
	return v;
}

struct fn_layer_version *fn_store_older_layer(struct fn_store *s, const char *layer, int64_t before, const char *runtime, const char *architecture)
{
	struct fn_layer *l = find(s, layer);

	return l ? newest(l, before ? version_bound(l, before) : l->n, runtime, architecture) : NULL;
}

/* --- a version as a row --- */
static json_t *list_of(char **strings)
{
	json_t *list = strings ? json_array() : NULL;

	for (char **p = strings; p && *p; p++)
		json_array_append_new(list, json_string(*p));
	return list;
}

static char *encode(const struct fn_layer_version *v)
{
	json_t *o = json_pack("{sI,ss,sI,ss,ss*,so*,so*}", "unpacked_size", (json_int_t)v->unpacked_size, "description", v->description, "created_us",
			      (json_int_t)v->created_us, "policy_revision", v->policy_revision, "license", v->license, "runtimes", list_of(v->runtimes),
			      "architectures", list_of(v->architectures)),
	       *policy = v->n_statements ? json_array() : NULL;
	char *text;

	for (size_t i = 0; i < v->n_statements; i++)
		json_array_append_new(policy, json_pack("{ss,ss,ss*}", "sid", v->statements[i].sid, "principal", v->statements[i].principal, "organization",
							v->statements[i].organization));
	if (policy)
		json_object_set_new(o, "policy", policy);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static char **strings_of(json_t *list)
{
	char **v = list ? calloc(json_array_size(list) + 1, sizeof(*v)) : NULL;
	const char *text;
	size_t n = 0;

	for (size_t i = 0; v && i < json_array_size(list); i++)
		if ((text = json_string_value(json_array_get(list, i))))
			v[n++] = strdup(text);
	return v;
}

static int decode(const char *text, struct fn_layer_version *v)
{
	json_t *o = json_loads(text, 0, NULL), *s;
	const char *revision;
	size_t i;
	int r = 0;

	if (!o)
		return -EBADMSG;
	v->unpacked_size = json_integer_value(json_object_get(o, "unpacked_size"));
	v->created_us = (uint64_t)json_integer_value(json_object_get(o, "created_us"));
	v->description = fn_strdup_opt(json_string_value(json_object_get(o, "description")));
	v->license = fn_strdup_opt(json_string_value(json_object_get(o, "license")));
	v->runtimes = strings_of(json_object_get(o, "runtimes"));
	v->architectures = strings_of(json_object_get(o, "architectures"));
	revision = json_string_value(json_object_get(o, "policy_revision"));
	snprintf(v->policy_revision, sizeof(v->policy_revision), "%s", revision ? revision : "");
	json_array_foreach(json_object_get(o, "policy"), i, s) {
		const char *sid = json_string_value(json_object_get(s, "sid")), *principal = json_string_value(json_object_get(s, "principal"));

		if (r == 0 && sid && principal)
			r = fn_layer_version_permit(v, sid, principal, json_string_value(json_object_get(s, "organization")));
	}
	json_decref(o);
	return r < 0 ? r : v->description ? 0 : -EBADMSG;
}

static int load_layer(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_layer *l = get(arg, (const char *)sqlite3_column_text(st, 0));

	if (!l)
		return fn_err_set(err, ENOMEM, "load layers", NULL);
	l->last = sqlite3_column_int64(st, 1);
	return 0;
}

static int load_version(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_layer_version *v = fn_layer_version_new();
	struct fn_store *s = arg;
	struct fn_layer *l;
	int r = -ENOMEM;

	if (v && (v->layer = strdup((const char *)sqlite3_column_text(st, 0)))) {
		v->version = sqlite3_column_int64(st, 1);
		snprintf(v->code_sha256, sizeof(v->code_sha256), "%s", (const char *)sqlite3_column_text(st, 2));
		v->code_size = sqlite3_column_int64(st, 3);
		r = decode((const char *)sqlite3_column_text(st, 4), v);
	}
	if (r == 0) {
		l = get(s, v->layer);
		r = l ? fn_store_room(l->versions, l->n, &l->cap) : -ENOMEM;
		if (r == 0)
			add(s, l, v);
	}
	fn_layer_version_unref(v);
	return r < 0 ? fn_err_set(err, r, "load layers", "%s:%s", sqlite3_column_text(st, 0), sqlite3_column_text(st, 1)) : 0;
}

int fn_layers_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	int r = fn_db_each(db, "SELECT name, last FROM layers", "load layers", load_layer, s, err);

	return r < 0 ? r : fn_db_each(db, "SELECT layer, version, code_sha256, code_size, config FROM layer_versions", "load layers", load_version, s, err);
}

void fn_layers_free(struct fn_store *s)
{
	for (size_t i = 0; i < s->n_layers; i++) {
		struct fn_layer *l = s->layers[i];

		for (size_t k = 0; k < l->n; k++)
			fn_layer_version_unref(l->versions[k]);
		free(l->versions);
		free(l->key);
		free(l);
	}
	free(s->layers);
}

/* --- writing: in the writer's thread --- */
static int write_version(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	const struct fn_layer_version *v = w->layer;
	fn_auto_free char *config = encode(v);
	int r = config ? 0 : fn_err_set(err, ENOMEM, "store layer", NULL);

	if (r == 0)
		r = fn_db_run(db, err, "INSERT OR REPLACE INTO layer_versions(layer, version, code_sha256, code_size, config) VALUES(?1,?2,?3,?4,?5)", "sisis",
			      v->layer, v->version, v->code_sha256, v->code_size, config);
	for (unsigned i = 0; r == 0 && i < w->n_ready; i++)
		r = fn_tree_write_ready(db, &w->ready[i], err);
	return r;
}

static int write_published(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	int r = fn_db_run(db, err, "INSERT INTO layers(name, last) VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET last=max(last, ?2)", "si", w->layer->layer,
			  w->layer->version);

	return r < 0 ? r : write_version(w, db, err);
}

static int delete_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "DELETE FROM layer_versions WHERE layer=?1 AND version=?2", "si", w->layer->layer, w->layer->version);
}

/* --- and then in memory --- */
static void apply_published(struct fn_write *w)
{
	fn_tree_apply_ready(w);
	add(w->s, find(w->s, w->layer->layer), w->layer);
}

static void apply_updated(struct fn_write *w)
{
	replace(w->s, slot_of(find(w->s, w->layer->layer), w->layer->version), w->layer);
}

static void apply_deleted(struct fn_write *w)
{
	struct fn_layer *l = find(w->s, w->layer->layer);

	take_out(w->s, l, slot_of(l, w->layer->version));
}

/* --- what is asked for --- */
static int new_write(struct fn_store *s, struct fn_layer_version *v, const char *stage, struct fn_write **ret, struct fn_err *err)
{
	char turn[FN_STORE_LAYER_TURN_SIZE];
	int r = fn_write_about(s, fn_store_layer_turn(v->layer, turn), stage, ret, err);

	if (r == 0)
		(*ret)->layer = fn_layer_version_ref(v);
	return r;
}

static int absent(const char *stage, const char *layer, int64_t version, struct fn_err *err)
{
	return fn_err_set(err, ENOENT, stage, "%s:%lld", layer, (long long)version);
}

int fn_store_publish_layer(struct fn_store *s, struct fn_layer_version *v, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_layer *l;
	struct fn_write *w;
	int r = new_write(s, v, "store layer", &w, err);

	if (r < 0)
		return r;
	l = get(s, v->layer);
	if (!l || fn_store_room(l->versions, l->n, &l->cap) < 0)
		r = fn_err_set(err, ENOMEM, "store layer", NULL);
	else if (slot_of(l, v->version))
		r = fn_err_set(err, EEXIST, "store layer", "%s:%lld", v->layer, (long long)v->version);
	if (r < 0) {
		fn_write_free(w);
		return r;
	}
	fn_write_names(w, "layer", v->code_sha256);
	w->code_bytes = counted(v);
	w->sql = write_published;
	w->apply = apply_published;
	return fn_write_begin(w, fn, arg);
}

int fn_store_update_layer(struct fn_store *s, struct fn_layer_version *v, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = slot_of(find(s, v->layer), v->version) ? new_write(s, v, "store layer", &w, err) : absent("store layer", v->layer, v->version, err);

	if (r < 0)
		return r;
	w->sql = write_version;
	w->apply = apply_updated;
	return fn_write_begin(w, fn, arg);
}

int fn_store_delete_layer(struct fn_store *s, const char *layer, int64_t version, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_layer_version **slot = slot_of(find(s, layer), version);
	struct fn_write *w;
	int r = slot ? new_write(s, *slot, "delete layer", &w, err) : absent("delete layer", layer, version, err);

	if (r < 0)
		return r;
	w->sql = delete_row;
	w->apply = apply_deleted;
	return fn_write_begin(w, fn, arg);
}

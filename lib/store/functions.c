/* functions.c - see functions.h. */
#include "store/functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/internal.h"

/* --- loading --- */
/* What served while the update to another image was InProgress serves on: that image is fetched again. */
static int load_before(struct fn_store *s, struct fn_entry *e)
{
	struct fn_function *before = e->latest->image_before ? fn_function_clone(e->latest) : NULL;

	if (!before)
		return e->latest->image_before ? -ENOMEM : 0;
	fn_function_revert(before);
	before->generation = e->latest->generation - 1;
	fn_entry_set_before(s, e, before);
	fn_function_unref(before);
	return 0;
}

/* $LATEST comes before the numbers in the order of rows. */
static int load_one(struct fn_store *s, struct fn_function *f)
{
	struct fn_entry *e = fn_entry_find(s, f->name);

	if (fn_function_settling(f) && !f->image) /* nobody is left who waits; for an image somebody is: it is fetched again */
		fn_function_settle(f);
	if (f->generation > s->generation)
		s->generation = f->generation;
	if (fn_version_number(f->version) == 0) {
		e = fn_entry_new(s);
		if (!e)
			return -ENOMEM;
		fn_entry_link(s, e, f);
		return load_before(s, e);
	}
	if (!e || fn_version_number(f->version) == UINT64_MAX)
		return -EBADMSG;
	if (fn_store_room(e->versions, e->n_versions, &e->cap_versions) < 0)
		return -ENOMEM;
	fn_entry_add_version(s, e, f);
	return 0;
}

static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_function *f = NULL;
	int r = fn_row_read(arg, st, &f);

	if (r == 0)
		r = load_one(arg, f);
	fn_function_unref(f);
	return r < 0 ? fn_err_set(err, r, "load functions", "%s:%s", sqlite3_column_text(st, 0), sqlite3_column_text(st, 1)) : 0;
}

static int load_published(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(arg, (const char *)sqlite3_column_text(st, 0));

	(void)err;
	if (e && (uint64_t)sqlite3_column_int64(st, 1) > e->last)
		e->last = (uint64_t)sqlite3_column_int64(st, 1);
	return 0;
}

int fn_functions_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	int64_t generation = 0;
	int r = fn_db_number(db, "SELECT value FROM counters WHERE name='generation'", &generation, err);

	s->generation = (uint64_t)generation;
	if (r == 0)
		r = fn_db_each(db, FN_ROW_SELECT, "load functions", load_row, s, err);
	if (r == 0)
		r = fn_db_each(db, "SELECT function, last FROM published", "load versions", load_published, s, err);
	return r;
}

uint64_t fn_store_next_generation(struct fn_store *s) { return ++s->generation; }

/* --- reading --- */
struct fn_function *fn_store_get(struct fn_store *s, const char *name, const char *version)
{
	struct fn_entry *e = fn_entry_find(s, name);
	struct fn_function **slot = e ? fn_entry_version(e, version ? version : "$LATEST") : NULL;

	return slot ? *slot : NULL;
}

struct fn_function *fn_store_serving(struct fn_store *s, struct fn_function *f)
{
	struct fn_entry *e = f && f->update_status == FN_UPDATE_IN_PROGRESS ? fn_entry_find(s, f->name) : NULL;

	return e && e->before && f == e->latest ? e->before : f;
}

size_t fn_store_list(struct fn_store *s, const char *after, struct fn_function **ret, size_t max)
{
	size_t i = after ? fn_entry_bound(s, after) : 0, n = 0;

	if (after && i < s->n && fn_streq(s->items[i]->latest->name, after))
		i++;
	while (n < max && i < s->n)
		ret[n++] = s->items[i++]->latest;
	return n;
}

size_t fn_store_count(struct fn_store *s) { return s->n; }

uint64_t fn_store_next_version(struct fn_store *s, const char *name)
{
	struct fn_entry *e = fn_entry_find(s, name);

	return e ? e->last + 1 : 1;
}

struct fn_function *fn_store_last_version(struct fn_store *s, const char *name)
{
	struct fn_entry *e = fn_entry_find(s, name);
	struct fn_function *f = e && e->n_versions > 0 ? e->versions[e->n_versions - 1] : NULL;

	return f && fn_version_number(f->version) == e->last ? f : NULL;
}

size_t fn_store_list_versions(struct fn_store *s, const char *only, const char *after_name, const char *after_version,
			      struct fn_function **ret, size_t max)
{
	size_t i = only ? fn_entry_bound(s, only) : after_name ? fn_entry_bound(s, after_name) : 0, n = 0;

	for (; i < s->n && n < max; i++) {
		struct fn_entry *e = s->items[i];
		uint64_t from = 0; /* 0 = $LATEST first */

		if (only && !fn_streq(e->latest->name, only))
			break;
		if (after_name && fn_streq(e->latest->name, after_name)) {
			from = fn_version_number(after_version);
			if (from == UINT64_MAX)
				continue;
			from++;
		}
		if (from == 0)
			ret[n++] = e->latest;
		for (size_t k = fn_entry_version_bound(e, from); k < e->n_versions && n < max; k++)
			ret[n++] = e->versions[k];
	}
	return n;
}

int64_t fn_store_code_bytes(struct fn_store *s) { return s->code_bytes + s->code_bytes_coming; }

/* --- writing: in the writer's thread --- */
static int write_row(sqlite3 *db, const struct fn_function *f, struct fn_err *err)
{
	int r = fn_row_write(db, f, err);

	return r < 0 ? r : fn_db_run(db, err, "UPDATE counters SET value=?1 WHERE name='generation' AND value<?1", "i", (int64_t)f->generation);
}

static int write_rows(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	int r = w->latest ? write_row(db, w->latest, err) : 0;

	if (r == 0 && w->version)
		r = write_row(db, w->version, err);
	for (unsigned i = 0; r == 0 && i < w->n_ready; i++)
		r = fn_tree_write_ready(db, &w->ready[i], err);
	return r;
}

static int write_published(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	int r = write_rows(w, db, err);

	if (r < 0 || !w->version)
		return r;
	return fn_db_run(db, err, "INSERT OR REPLACE INTO published(function, last) VALUES(?1,?2)", "si", w->name,
			 (int64_t)fn_version_number(w->version->version));
}

static int delete_rows(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	static const char *const sql[] = {"DELETE FROM functions WHERE name=?1", "DELETE FROM aliases WHERE function=?1",
					  "DELETE FROM published WHERE function=?1", "DELETE FROM reserved WHERE function=?1",
					  "DELETE FROM provisioned WHERE function=?1", "DELETE FROM urls WHERE function=?1",
					  "DELETE FROM policies WHERE function=?1", "DELETE FROM recursion WHERE function=?1"};
	int r = 0;

	for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]) && r == 0; i++)
		r = fn_db_run(db, err, sql[i], "s", w->name);
	return r < 0 ? r : fn_rows_tell(db, w->name, "", err);
}

static int delete_version_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	int r = fn_db_run(db, err, "DELETE FROM functions WHERE name=?1 AND version=?2", "ss", w->name, w->qualifier);

	return r < 0 ? r : fn_rows_delete_of(db, w->name, w->qualifier, err);
}

/* --- and then in memory --- */
static void apply_insert(struct fn_write *w)
{
	fn_tree_apply_ready(w);
	fn_entry_link(w->s, w->e, w->latest);
	if (w->version)
		fn_entry_add_version(w->s, w->e, w->version);
}

static void apply_update(struct fn_write *w)
{
	fn_tree_apply_ready(w);
	if (w->latest)
		fn_entry_replace(w->s, w->e, w->latest);
	if (w->version)
		fn_entry_replace(w->s, w->e, w->version);
}

static void apply_publish(struct fn_write *w)
{
	fn_tree_apply_ready(w);
	fn_entry_replace(w->s, w->e, w->latest);
	fn_entry_add_version(w->s, w->e, w->version);
}

static void apply_delete(struct fn_write *w)
{
	fn_entry_unlink(w->s, w->e);
	fn_store_outbox_tell(w->s);
}

static void apply_delete_version(struct fn_write *w)
{
	fn_entry_take_version(w->s, w->e, w->qualifier);
	fn_entry_take_of(w->e, w->qualifier);
	fn_store_outbox_tell(w->s);
}

/* --- what is asked for --- */
static void take(struct fn_write *w, struct fn_function *latest, struct fn_function *version)
{
	w->latest = latest ? fn_function_ref(latest) : NULL;
	w->version = version ? fn_function_ref(version) : NULL;
	if (latest) {
		fn_write_names_code(w, latest);
		for (size_t i = 0; i < latest->n_layers; i++)
			fn_write_names(w, "layer", latest->layers[i].sha256);
	}
	if (version && version->snapshot_tree)
		fn_tree_becomes_ready(w, version->snapshot_tree);
}

int fn_store_insert(struct fn_store *s, struct fn_function *latest, struct fn_function *version, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, latest->name, true, "store function", &w, err);

	if (r < 0)
		return r;
	w->insert = true;
	w->e = fn_entry_new(s);
	if (!w->e) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "store function", NULL);
	}
	take(w, latest, version);
	w->code_bytes = latest->code_size + (version ? version->code_size : 0);
	w->sql = write_published;
	w->apply = apply_insert;
	return fn_write_begin(w, fn, arg);
}

static int64_t growth(const struct fn_function *from, const struct fn_function *to)
{
	return to->code_size > from->code_size ? to->code_size - from->code_size : 0;
}

static int update(struct fn_store *s, struct fn_function *latest, struct fn_function *version, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_function *one = latest ? latest : version, **slot;
	struct fn_write *w;
	int r = fn_write_new(s, one->name, false, "store function", &w, err);

	if (r < 0)
		return r;
	slot = version ? fn_entry_version(w->e, version->version) : &w->e->latest;
	if (!slot) {
		fn_write_free(w);
		return fn_err_set(err, ENOENT, "store function", "%s:%s", version->name, version->version);
	}
	take(w, latest, version);
	w->code_bytes = latest ? growth(w->e->latest, latest) : 0;
	w->sql = write_rows;
	w->apply = apply_update;
	return fn_write_begin(w, fn, arg);
}

int fn_store_update(struct fn_store *s, struct fn_function *f, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	bool latest = fn_version_number(f->version) == 0;

	return update(s, latest ? f : NULL, latest ? NULL : f, fn, arg, err);
}

int fn_store_update_both(struct fn_store *s, struct fn_function *latest, struct fn_function *version, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	return update(s, latest, version, fn, arg, err);
}

int fn_store_delete(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, name, false, "delete function", &w, err);

	if (r < 0)
		return r;
	w->sql = delete_rows;
	w->apply = apply_delete;
	return fn_write_begin(w, fn, arg);
}

int fn_store_publish(struct fn_store *s, struct fn_function *latest, struct fn_function *version, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, latest->name, false, "publish version", &w, err);

	if (r < 0)
		return r;
	if (fn_version_number(version->version) != w->e->last + 1)
		r = fn_err_set(err, EINVAL, "publish version", "%s:%s", latest->name, version->version);
	else if (fn_store_room(w->e->versions, w->e->n_versions, &w->e->cap_versions) < 0)
		r = fn_err_set(err, ENOMEM, "publish version", NULL);
	if (r < 0) {
		fn_write_free(w);
		return r;
	}
	take(w, latest, version);
	w->code_bytes = growth(w->e->latest, latest) + version->code_size;
	w->sql = write_published;
	w->apply = apply_publish;
	return fn_write_begin(w, fn, arg);
}

int fn_store_delete_version(struct fn_store *s, const char *name, const char *version, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_function **slot;
	struct fn_write *w;
	int r = fn_write_new(s, name, false, "delete version", &w, err);

	if (r < 0)
		return r;
	slot = fn_entry_version(w->e, version);
	if (!slot || slot == &w->e->latest)
		r = fn_err_set(err, ENOENT, "delete version", "%s:%s", name, version);
	for (size_t i = 0; r == 0 && i < w->e->n_aliases; i++)
		if (fn_alias_names_version(w->e->aliases[i], version))
			r = fn_err_set(err, EBUSY, "delete version", "%s:%s is named by the alias %s", name, version, w->e->aliases[i]->name);
	if (r == 0 && !(w->qualifier = strdup(version)))
		r = fn_err_set(err, ENOMEM, "delete version", NULL);
	if (r < 0) {
		fn_write_free(w);
		return r;
	}
	w->sql = delete_version_row;
	w->apply = apply_delete_version;
	return fn_write_begin(w, fn, arg);
}

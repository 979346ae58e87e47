/* functions.c - see functions.h. The sorted arrays are what reads and paging use; the database is only written. */
#include "store/functions.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/aliases.h"
#include "store/internal.h"

/* --- the arrays --- */
void *fn_store_grow(void *array, size_t n, size_t *cap)
{
	size_t to = *cap ? *cap * 2 : 8;
	void *p;

	if (n < *cap)
		return array;
	p = realloc(array, to * sizeof(void *));
	if (p)
		*cap = to;
	return p;
}

static size_t lower_bound(const struct fn_store *s, const char *name)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(s->items[mid]->latest->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool found(const struct fn_store *s, size_t i, const char *name) { return i < s->n && strcmp(s->items[i]->latest->name, name) == 0; }

struct fn_entry *fn_entry_find(struct fn_store *s, const char *name)
{
	size_t i = lower_bound(s, name);

	return found(s, i, name) ? s->items[i] : NULL;
}

/* The first version whose number is at least n. */
static size_t version_bound(const struct fn_entry *e, uint64_t n)
{
	size_t lo = 0, hi = e->n_versions;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (fn_version_number(e->versions[mid]->version) < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct fn_function **version_slot(struct fn_entry *e, const char *version)
{
	uint64_t n = fn_version_number(version);
	size_t i;

	if (n == 0)
		return &e->latest;
	i = version_bound(e, n);
	return i < e->n_versions && strcmp(e->versions[i]->version, version) == 0 ? &e->versions[i] : NULL;
}

/* Packages are counted by the snapshots that name them. A count that found no memory is too high by one or more: the package stays. */
static void count_code(struct fn_store *s, const struct fn_function *f, int by)
{
	uintptr_t n = (uintptr_t)fn_map_get(s->code, f->code_sha256);

	if (by < 0 && n <= 1)
		(void)fn_map_remove(s->code, f->code_sha256);
	else
		(void)fn_map_set(s->code, f->code_sha256, (void *)(n + (uintptr_t)by), NULL);
}

static void drop(struct fn_store *s, struct fn_function *f)
{
	count_code(s, f, -1);
	s->code_bytes -= f->code_size;
	fn_function_unref(f);
}

static struct fn_function *keep(struct fn_store *s, struct fn_function *f)
{
	count_code(s, f, 1);
	s->code_bytes += f->code_size;
	return fn_function_ref(f);
}

static void replace(struct fn_store *s, struct fn_function **slot, struct fn_function *f)
{
	struct fn_function *old = *slot;

	*slot = keep(s, f);
	drop(s, old);
}

/* Of nothing that counts for the account, but its package is needed. */
static void drop_before(struct fn_store *s, struct fn_entry *e)
{
	if (!e->before)
		return;
	count_code(s, e->before, -1);
	fn_function_unref(e->before);
	e->before = NULL;
}

static void replace_latest(struct fn_store *s, struct fn_entry *e, struct fn_function *f)
{
	if (f->update_status != FN_UPDATE_IN_PROGRESS) {
		drop_before(s, e);
	} else if (!e->before) {
		count_code(s, e->latest, 1);
		e->before = fn_function_ref(e->latest);
	}
	replace(s, &e->latest, f);
}

/* There must be room. */
static void add_version(struct fn_store *s, struct fn_entry *e, struct fn_function *f)
{
	uint64_t n = fn_version_number(f->version);
	size_t i = version_bound(e, n);

	memmove(e->versions + i + 1, e->versions + i, (e->n_versions - i) * sizeof(*e->versions));
	e->versions[i] = keep(s, f);
	e->n_versions++;
	if (n > e->last)
		e->last = n;
}

static void entry_free(struct fn_store *s, struct fn_entry *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_versions; i++)
		drop(s, e->versions[i]);
	for (size_t i = 0; i < e->n_aliases; i++)
		fn_alias_free(e->aliases[i]);
	drop_before(s, e);
	if (e->latest)
		drop(s, e->latest);
	free(e->versions);
	free(e->aliases);
	fn_concurrency_free(e);
	free(e);
}

/* Room for an entry at items[], and the entry with room for a version; not yet linked. */
static struct fn_entry *entry_new(struct fn_store *s)
{
	struct fn_entry *e = calloc(1, sizeof(*e));

	if (e && fn_store_room(s->items, s->n, &s->cap) == 0 && fn_store_room(e->versions, 0, &e->cap_versions) == 0)
		return e;
	entry_free(s, e);
	return NULL;
}

static void entry_link(struct fn_store *s, struct fn_entry *e, struct fn_function *latest)
{
	size_t i = lower_bound(s, latest->name);

	e->latest = keep(s, latest);
	memmove(s->items + i + 1, s->items + i, (s->n - i) * sizeof(*s->items));
	s->items[i] = e;
	s->n++;
}

/* --- loading --- */
/* $LATEST comes before the numbers in the order of rows. */
static int load_one(struct fn_store *s, struct fn_function *f)
{
	struct fn_entry *e = fn_entry_find(s, f->name);

	if (fn_function_settling(f)) /* nobody is left who waits */
		fn_function_settle(f);
	if (fn_version_number(f->version) == 0) {
		e = entry_new(s);
		if (!e)
			return -ENOMEM;
		entry_link(s, e, f);
		return 0;
	}
	if (!e || fn_version_number(f->version) == UINT64_MAX)
		return -EBADMSG;
	if (fn_store_room(e->versions, e->n_versions, &e->cap_versions) < 0)
		return -ENOMEM;
	add_version(s, e, f);
	return 0;
}

static int load(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st;
	int r = 0, step;

	if (sqlite3_prepare_v2(s->db, FN_ROW_SELECT, -1, &st, NULL) != SQLITE_OK)
		return fn_err_set(err, EIO, "load functions", "%.150s", sqlite3_errmsg(s->db));
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct fn_function *f = NULL;

		r = fn_row_read(st, &f);
		if (r == 0)
			r = load_one(s, f);
		if (r < 0)
			fn_err_set(err, r, "load functions", "%s:%s", sqlite3_column_text(st, 0), sqlite3_column_text(st, 1));
		fn_function_unref(f);
	}
	sqlite3_finalize(st);
	if (r == 0 && step != SQLITE_DONE)
		r = fn_err_set(err, EIO, "load functions", "%.150s", sqlite3_errmsg(s->db));
	return r;
}

static int load_published(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st;
	int step;

	if (sqlite3_prepare_v2(s->db, "SELECT function, last FROM published", -1, &st, NULL) != SQLITE_OK)
		return fn_err_set(err, EIO, "load versions", "%.150s", sqlite3_errmsg(s->db));
	while ((step = sqlite3_step(st)) == SQLITE_ROW) {
		struct fn_entry *e = fn_entry_find(s, (const char *)sqlite3_column_text(st, 0));

		if (e && (uint64_t)sqlite3_column_int64(st, 1) > e->last)
			e->last = (uint64_t)sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : fn_err_set(err, EIO, "load versions", "%.150s", sqlite3_errmsg(s->db));
}

static int load_generation(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, "SELECT value FROM counters WHERE name='generation'", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		r = fn_err_set(err, EIO, "load functions", "%.150s", sqlite3_errmsg(s->db));
	else
		s->generation = s->generation_reserved = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return r;
}

int fn_store_open(const char *dir, struct fn_store **ret, struct fn_err *err)
{
	struct fn_store *s = calloc(1, sizeof(*s));
	char path[PATH_MAX];
	int r;

	if (!s)
		return fn_err_set(err, ENOMEM, "open database", NULL);
	snprintf(path, sizeof(path), "%s/fnd.db", dir);
	if (fn_map_new(&s->code) < 0) {
		free(s);
		return fn_err_set(err, ENOMEM, "open database", NULL);
	}
	r = fn_db_open(path, &s->db, err);
	if (r == 0)
		r = load_generation(s, err);
	if (r == 0)
		r = load(s, err);
	if (r == 0)
		r = load_published(s, err);
	if (r == 0)
		r = fn_aliases_load(s, err);
	if (r == 0)
		r = fn_concurrency_load(s, err);
	if (r == 0)
		r = fn_trees_load(s, err);
	if (r < 0) {
		fn_store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void fn_store_close(struct fn_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		entry_free(s, s->items[i]);
	free(s->items);
	fn_trees_free(s);
	fn_map_free(s->code);
	sqlite3_close(s->db);
	free(s);
}

/* Numbers are reserved a thousand at a time, so that most calls write nothing. */
uint64_t fn_store_next_generation(struct fn_store *s)
{
	if (s->generation == s->generation_reserved) {
		char sql[128];

		s->generation_reserved += 1000;
		snprintf(sql, sizeof(sql), "UPDATE counters SET value=%llu WHERE name='generation'", (unsigned long long)s->generation_reserved);
		(void)fn_db_exec(s->db, sql, NULL);
	}
	return ++s->generation;
}

/* --- functions --- */
struct fn_function *fn_store_get(struct fn_store *s, const char *name, const char *version)
{
	struct fn_entry *e = fn_entry_find(s, name);
	struct fn_function **slot = e ? version_slot(e, version ? version : "$LATEST") : NULL;

	return slot ? *slot : NULL;
}

/* Within a transaction. */
static int write_version(struct fn_store *s, const struct fn_function *f, struct fn_err *err)
{
	int r = fn_row_write(s->db, f, err);

	if (r < 0)
		return r;
	return fn_db_run(s->db, err, "INSERT OR REPLACE INTO published(function, last) VALUES(?1,?2)", "si", f->name,
			 (int64_t)fn_version_number(f->version));
}

static int write_both(struct fn_store *s, const struct fn_function *latest, const struct fn_function *version, struct fn_err *err)
{
	int r = fn_db_exec(s->db, "BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	r = fn_row_write(s->db, latest, err);
	if (r == 0 && version)
		r = write_version(s, version, err);
	return fn_db_end(s->db, r, err);
}

int fn_store_insert(struct fn_store *s, struct fn_function *latest, struct fn_function *version, struct fn_err *err)
{
	struct fn_entry *e;
	int r;

	if (fn_entry_find(s, latest->name))
		return fn_err_set(err, EEXIST, "store function", "%s", latest->name);
	e = entry_new(s);
	r = e ? write_both(s, latest, version, err) : fn_err_set(err, ENOMEM, "store function", NULL);
	if (r < 0) {
		entry_free(s, e);
		return r;
	}
	entry_link(s, e, latest);
	if (version)
		add_version(s, e, version);
	return 0;
}

int fn_store_update(struct fn_store *s, struct fn_function *f, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(s, f->name);
	struct fn_function **slot = e ? version_slot(e, f->version) : NULL;
	int r;

	if (!slot)
		return fn_err_set(err, ENOENT, "store function", "%s:%s", f->name, f->version);
	r = fn_row_write(s->db, f, err);
	if (r == 0 && slot == &e->latest)
		replace_latest(s, e, f);
	else if (r == 0)
		replace(s, slot, f);
	return r;
}

struct fn_function *fn_store_serving(struct fn_store *s, struct fn_function *f)
{
	struct fn_entry *e = f && f->update_status == FN_UPDATE_IN_PROGRESS ? fn_entry_find(s, f->name) : NULL;

	return e && e->before && f == e->latest ? e->before : f;
}

int fn_store_delete(struct fn_store *s, const char *name, struct fn_err *err)
{
	static const char *const sql[] = {"DELETE FROM functions WHERE name=?1", "DELETE FROM aliases WHERE function=?1",
					  "DELETE FROM published WHERE function=?1", "DELETE FROM reserved WHERE function=?1",
					  "DELETE FROM provisioned WHERE function=?1"};
	size_t i = lower_bound(s, name);
	int r;

	if (!found(s, i, name))
		return fn_err_set(err, ENOENT, "delete function", "%s", name);
	r = fn_db_exec(s->db, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	for (size_t k = 0; k < sizeof(sql) / sizeof(sql[0]) && r == 0; k++)
		r = fn_db_run(s->db, err, sql[k], "s", name);
	r = fn_db_end(s->db, r, err);
	if (r < 0)
		return r;
	entry_free(s, s->items[i]);
	memmove(s->items + i, s->items + i + 1, (s->n - i - 1) * sizeof(*s->items));
	s->n--;
	return 0;
}

size_t fn_store_list(struct fn_store *s, const char *after, struct fn_function **ret, size_t max)
{
	size_t i = after ? lower_bound(s, after) : 0, n = 0;

	if (after && found(s, i, after))
		i++;
	while (n < max && i < s->n)
		ret[n++] = s->items[i++]->latest;
	return n;
}

size_t fn_store_count(struct fn_store *s) { return s->n; }

/* --- versions --- */
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

int fn_store_publish(struct fn_store *s, struct fn_function *latest, struct fn_function *version, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(s, latest->name);
	int r;

	if (!e)
		return fn_err_set(err, ENOENT, "publish version", "%s", latest->name);
	if (fn_version_number(version->version) != e->last + 1)
		return fn_err_set(err, EINVAL, "publish version", "%s:%s", latest->name, version->version);
	if (fn_store_room(e->versions, e->n_versions, &e->cap_versions) < 0)
		return fn_err_set(err, ENOMEM, "publish version", NULL);
	r = write_both(s, latest, version, err);
	if (r < 0)
		return r;
	replace_latest(s, e, latest);
	add_version(s, e, version);
	return 0;
}

int fn_store_delete_version(struct fn_store *s, const char *name, const char *version, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(s, name);
	struct fn_function **slot = e ? version_slot(e, version) : NULL, *f;
	size_t i;
	int r;

	if (!slot || slot == &e->latest)
		return fn_err_set(err, ENOENT, "delete version", "%s:%s", name, version);
	for (i = 0; i < e->n_aliases; i++)
		if (fn_alias_names_version(e->aliases[i], version))
			return fn_err_set(err, EBUSY, "delete version", "%s:%s is named by the alias %s", name, version, e->aliases[i]->name);
	r = fn_concurrency_delete(s, e, "DELETE FROM functions WHERE name=?1 AND version=?2", version, err);
	if (r < 0)
		return r;
	i = (size_t)(slot - e->versions);
	f = *slot;
	memmove(slot, slot + 1, (e->n_versions - i - 1) * sizeof(*slot));
	e->n_versions--;
	drop(s, f);
	return 0;
}

size_t fn_store_list_versions(struct fn_store *s, const char *only, const char *after_name, const char *after_version,
			      struct fn_function **ret, size_t max)
{
	size_t i = only ? lower_bound(s, only) : after_name ? lower_bound(s, after_name) : 0, n = 0;

	for (; i < s->n && n < max && !(only && !found(s, i, only)); i++) {
		struct fn_entry *e = s->items[i];
		uint64_t from = 0; /* 0 = $LATEST first */

		if (after_name && found(s, i, after_name)) {
			from = fn_version_number(after_version);
			if (from == UINT64_MAX)
				continue;
			from++;
		}
		if (from == 0)
			ret[n++] = e->latest;
		for (size_t k = version_bound(e, from); k < e->n_versions && n < max; k++)
			ret[n++] = e->versions[k];
	}
	return n;
}

/* --- code --- */
int64_t fn_store_code_bytes(struct fn_store *s) { return s->code_bytes; }
unsigned fn_store_code_refs(struct fn_store *s, const char *code_sha256) { return (unsigned)(uintptr_t)fn_map_get(s->code, code_sha256); }

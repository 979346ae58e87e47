/* aliases.c - see aliases.h. */
#include "store/aliases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "store/functions.h"
#include "store/internal.h"

static size_t lower_bound(const struct fn_entry *e, const char *name)
{
	return fn_store_bound(e->n_aliases, i, strcmp(e->aliases[i]->name, name) < 0);
}

static bool found(const struct fn_entry *e, size_t i, const char *name) { return i < e->n_aliases && strcmp(e->aliases[i]->name, name) == 0; }

/* There must be room. */
static void put(struct fn_entry *e, struct fn_alias *a)
{
	size_t i = lower_bound(e, a->name);

	if (found(e, i, a->name)) {
		fn_alias_free(e->aliases[i]);
	} else {
		memmove(e->aliases + i + 1, e->aliases + i, (e->n_aliases - i) * sizeof(*e->aliases));
		e->n_aliases++;
	}
	e->aliases[i] = a;
}

static struct fn_alias *read_row(sqlite3_stmt *st)
{
	struct fn_alias *a = fn_alias_new((const char *)sqlite3_column_text(st, 1));

	if (!a)
		return NULL;
	free(a->description);
	a->version = fn_strdup_opt((const char *)sqlite3_column_text(st, 2));
	a->description = fn_strdup_opt((const char *)sqlite3_column_text(st, 3));
	a->other_version = fn_strdup_opt((const char *)sqlite3_column_text(st, 4));
	a->other_weight = sqlite3_column_double(st, 5);
	snprintf(a->revision_id, sizeof(a->revision_id), "%s", (const char *)sqlite3_column_text(st, 6));
	return a;
}

static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(arg, (const char *)sqlite3_column_text(st, 0));
	struct fn_alias *a = read_row(st);

	if (!e || !a || fn_store_room(e->aliases, e->n_aliases, &e->cap_aliases) < 0) {
		fn_alias_free(a);
		return fn_err_set(err, e ? ENOMEM : EBADMSG, "load aliases", "%s:%s", sqlite3_column_text(st, 0), sqlite3_column_text(st, 1));
	}
	put(e, a);
	return 0;
}

int fn_aliases_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT function, name, version, description, other_version, other_weight, revision_id FROM aliases", "load aliases",
			  load_row, s, err);
}

struct fn_alias *fn_store_alias(struct fn_store *s, const char *function, const char *alias)
{
	struct fn_entry *e = fn_entry_find(s, function);
	size_t i = e ? lower_bound(e, alias) : 0;

	return e && found(e, i, alias) ? e->aliases[i] : NULL;
}

int fn_alias_write(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	const struct fn_alias *a = w->alias;

	return fn_db_run(db, err,
			 "INSERT OR REPLACE INTO aliases(function, name, version, description, other_version, other_weight, revision_id)"
			 " VALUES(?1,?2,?3,?4,?5,?6,?7)",
			 "sssssds", w->name, a->name, a->version, a->description, a->other_version, a->other_weight, a->revision_id);
}

void fn_alias_apply(struct fn_write *w) { put(w->e, fn_take_ptr(w->alias)); }

int fn_store_set_alias(struct fn_store *s, const char *function, struct fn_alias *a, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, function, false, "store alias", &w, err);

	if (r < 0)
		return r;
	if (!fn_store_get(s, function, a->version) || (a->other_version && !fn_store_get(s, function, a->other_version)))
		r = fn_err_set(err, ENOENT, "store alias", "%s:%s", function, a->name);
	else if (fn_store_room(w->e->aliases, w->e->n_aliases, &w->e->cap_aliases) < 0)
		r = fn_err_set(err, ENOMEM, "store alias", NULL);
	if (r < 0) {
		fn_write_free(w);
		return r;
	}
	w->alias = a;
	w->sql = fn_alias_write;
	w->apply = fn_alias_apply;
	return fn_write_begin(w, fn, arg);
}

static int delete_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	int r = fn_db_run(db, err, "DELETE FROM aliases WHERE function=?1 AND name=?2", "ss", w->name, w->qualifier);

	return r < 0 ? r : fn_rows_delete_of(db, w->name, w->qualifier, err);
}

static void apply_delete(struct fn_write *w)
{
	struct fn_entry *e = w->e;
	size_t i = lower_bound(e, w->qualifier);

	fn_alias_free(e->aliases[i]);
	memmove(e->aliases + i, e->aliases + i + 1, (e->n_aliases - i - 1) * sizeof(*e->aliases));
	e->n_aliases--;
	fn_entry_take_of(e, w->qualifier);
	fn_store_outbox_tell(w->s);
}

int fn_store_delete_alias(struct fn_store *s, const char *function, const char *alias, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, function, false, "delete alias", &w, err);

	if (r < 0)
		return r;
	if (!found(w->e, lower_bound(w->e, alias), alias))
		r = fn_err_set(err, ENOENT, "delete alias", "%s:%s", function, alias);
	else if (!(w->qualifier = strdup(alias)))
		r = fn_err_set(err, ENOMEM, "delete alias", NULL);
	if (r < 0) {
		fn_write_free(w);
		return r;
	}
	w->sql = delete_row;
	w->apply = apply_delete;
	return fn_write_begin(w, fn, arg);
}

size_t fn_store_list_aliases(struct fn_store *s, const char *function, const char *version, const char *after, struct fn_alias **ret, size_t max)
{
	struct fn_entry *e = fn_entry_find(s, function);
	size_t i = e && after ? lower_bound(e, after) : 0, n = 0;

	if (!e)
		return 0;
	if (after && found(e, i, after))
		i++;
	for (; i < e->n_aliases && n < max; i++)
		if (!version || fn_alias_names_version(e->aliases[i], version))
			ret[n++] = e->aliases[i];
	return n;
}

struct fn_function *fn_store_resolve(struct fn_store *s, const char *function, const char *qualifier)
{
	struct fn_alias *a;

	if (fn_str_empty(qualifier))
		return fn_store_get(s, function, NULL);
	if (fn_version_number(qualifier) != UINT64_MAX)
		return fn_store_get(s, function, qualifier);
	a = fn_store_alias(s, function, qualifier);
	return a ? fn_store_get(s, function, a->version) : NULL;
}

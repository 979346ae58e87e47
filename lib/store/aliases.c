/* aliases.c - see aliases.h. */
#include "store/aliases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/internal.h"

static size_t lower_bound(const struct fn_entry *e, const char *name)
{
	size_t lo = 0, hi = e->n_aliases;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(e->aliases[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
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

int fn_aliases_load(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st;
	int r = 0, step;

	if (sqlite3_prepare_v2(s->db, "SELECT function, name, version, description, other_version, other_weight, revision_id FROM aliases", -1, &st,
			       NULL) != SQLITE_OK)
		return fn_err_set(err, EIO, "load aliases", "%.150s", sqlite3_errmsg(s->db));
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct fn_entry *e = fn_entry_find(s, (const char *)sqlite3_column_text(st, 0));
		struct fn_alias *a = read_row(st);

		if (!e || !a || fn_store_room(e->aliases, e->n_aliases, &e->cap_aliases) < 0) {
			fn_alias_free(a);
			r = fn_err_set(err, e ? ENOMEM : EBADMSG, "load aliases", "%s:%s", sqlite3_column_text(st, 0), sqlite3_column_text(st, 1));
		} else {
			put(e, a);
		}
	}
	sqlite3_finalize(st);
	if (r == 0 && step != SQLITE_DONE)
		r = fn_err_set(err, EIO, "load aliases", "%.150s", sqlite3_errmsg(s->db));
	return r;
}

struct fn_alias *fn_store_alias(struct fn_store *s, const char *function, const char *alias)
{
	struct fn_entry *e = fn_entry_find(s, function);
	size_t i = e ? lower_bound(e, alias) : 0;

	return e && found(e, i, alias) ? e->aliases[i] : NULL;
}

int fn_store_set_alias(struct fn_store *s, const char *function, struct fn_alias *a, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(s, function);
	int r;

	if (!e)
		return fn_err_set(err, ENOENT, "store alias", "%s", function);
	if (!fn_store_get(s, function, a->version) || (a->other_version && !fn_store_get(s, function, a->other_version)))
		return fn_err_set(err, ENOENT, "store alias", "%s:%s", function, a->name);
	if (fn_store_room(e->aliases, e->n_aliases, &e->cap_aliases) < 0)
		return fn_err_set(err, ENOMEM, "store alias", NULL);
	r = fn_db_run(s->db, err,
		      "INSERT OR REPLACE INTO aliases(function, name, version, description, other_version, other_weight, revision_id)"
		      " VALUES(?1,?2,?3,?4,?5,?6,?7)",
		      "sssssds", function, a->name, a->version, a->description, a->other_version, a->other_weight, a->revision_id);
	if (r == 0)
		put(e, a);
	return r;
}

int fn_store_delete_alias(struct fn_store *s, const char *function, const char *alias, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(s, function);
	size_t i = e ? lower_bound(e, alias) : 0;
	int r;

	if (!e || !found(e, i, alias))
		return fn_err_set(err, ENOENT, "delete alias", "%s:%s", function, alias);
	r = fn_concurrency_delete(s, e, "DELETE FROM aliases WHERE function=?1 AND name=?2", alias, err);
	if (r < 0)
		return r;
	fn_alias_free(e->aliases[i]);
	memmove(e->aliases + i, e->aliases + i + 1, (e->n_aliases - i - 1) * sizeof(*e->aliases));
	e->n_aliases--;
	return 0;
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

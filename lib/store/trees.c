/* trees.c - see trees.h. */
#include "store/trees.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/internal.h"

static int keep(struct fn_store *s, const char *tree)
{
	char *copy;

	if (fn_store_room(s->trees, s->n_trees, &s->cap_trees) < 0)
		return -ENOMEM;
	copy = strdup(tree);
	if (!copy)
		return -ENOMEM;
	s->trees[s->n_trees++] = copy;
	return 0;
}

static void forget(struct fn_store *s, const char *tree)
{
	for (size_t i = 0; i < s->n_trees; i++)
		if (strcmp(s->trees[i], tree) == 0) {
			free(s->trees[i]);
			s->trees[i] = s->trees[--s->n_trees];
			break;
		}
}

static int write_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "INSERT OR REPLACE INTO snapshots(tree) VALUES(?1)", "s", w->qualifier);
}

static int delete_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "DELETE FROM snapshots WHERE tree=?1", "s", w->qualifier);
}

static void apply_add(struct fn_write *w) { (void)w; }
static void apply_remove(struct fn_write *w) { forget(w->s, w->qualifier); }

static int begin(struct fn_store *s, const char *tree, int (*sql)(struct fn_write *w, sqlite3 *db, struct fn_err *err), void (*apply)(struct fn_write *w),
		 fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, NULL, false, "note snapshot", &w, err);

	if (r < 0)
		return r;
	w->qualifier = strdup(tree);
	if (!w->qualifier) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "note snapshot", NULL);
	}
	w->sql = sql;
	w->apply = apply;
	return fn_write_begin(w, fn, arg);
}

/* Noted in memory from the beginning: one too many does no harm. */
int fn_store_add_tree(struct fn_store *s, const char *tree, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	int r = keep(s, tree);

	if (r < 0)
		return fn_err_set(err, r, "note snapshot", NULL);
	r = begin(s, tree, write_row, apply_add, fn, arg, err);
	if (r < 0)
		forget(s, tree);
	return r;
}

int fn_store_remove_tree(struct fn_store *s, const char *tree, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	return begin(s, tree, delete_row, apply_remove, fn, arg, err);
}

const char *fn_store_tree(struct fn_store *s, size_t i) { return i < s->n_trees ? s->trees[i] : NULL; }

static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	return keep(arg, (const char *)sqlite3_column_text(st, 0)) < 0 ? fn_err_set(err, ENOMEM, "load snapshots", NULL) : 0;
}

int fn_trees_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT tree FROM snapshots", "load snapshots", load_row, s, err);
}

void fn_trees_free(struct fn_store *s)
{
	for (size_t i = 0; i < s->n_trees; i++)
		free(s->trees[i]);
	free(s->trees);
}

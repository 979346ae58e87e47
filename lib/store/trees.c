/* trees.c - see trees.h. */
#include "store/trees.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int fn_store_add_tree(struct fn_store *s, const char *tree, struct fn_err *err)
{
	int r = keep(s, tree);

	if (r < 0)
		return fn_err_set(err, r, "note snapshot", NULL);
	r = fn_db_run(s->db, err, "INSERT OR REPLACE INTO snapshots(tree) VALUES(?1)", "s", tree);
	if (r < 0)
		free(s->trees[--s->n_trees]);
	return r;
}

int fn_store_remove_tree(struct fn_store *s, const char *tree, struct fn_err *err)
{
	int r = fn_db_run(s->db, err, "DELETE FROM snapshots WHERE tree=?1", "s", tree);

	for (size_t i = 0; r == 0 && i < s->n_trees; i++)
		if (strcmp(s->trees[i], tree) == 0) {
			free(s->trees[i]);
			s->trees[i] = s->trees[--s->n_trees];
			break;
		}
	return r;
}

const char *fn_store_tree(struct fn_store *s, size_t i) { return i < s->n_trees ? s->trees[i] : NULL; }

int fn_trees_load(struct fn_store *s, struct fn_err *err)
{
	sqlite3_stmt *st;
	int step, r = 0;

	if (sqlite3_prepare_v2(s->db, "SELECT tree FROM snapshots", -1, &st, NULL) != SQLITE_OK)
		return fn_err_set(err, EIO, "load snapshots", "%.150s", sqlite3_errmsg(s->db));
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
		r = keep(s, (const char *)sqlite3_column_text(st, 0));
	if (r == 0 && step != SQLITE_DONE)
		r = fn_err_set(err, EIO, "load snapshots", "%.150s", sqlite3_errmsg(s->db));
	sqlite3_finalize(st);
	return r;
}

void fn_trees_free(struct fn_store *s)
{
	for (size_t i = 0; i < s->n_trees; i++)
		free(s->trees[i]);
	free(s->trees);
}

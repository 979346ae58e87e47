/* recursion.c - see recursion.h. */
#include "store/recursion.h"

#include "store/internal.h"

/* A row is of a function that may; one whose function is gone is passed over. */
static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(arg, (const char *)sqlite3_column_text(st, 0));

	(void)err;
	if (e)
		e->may_recurse = true;
	return 0;
}

int fn_recursion_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT function FROM recursion", "load recursion", load_row, s, err);
}

bool fn_store_may_recurse(struct fn_store *s, const char *function)
{
	const struct fn_entry *e = fn_entry_find(s, function);

	return e && e->may_recurse;
}

static int write(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, w->n ? "INSERT OR REPLACE INTO recursion(function) VALUES(?1)" : "DELETE FROM recursion WHERE function=?1", "s", w->name);
}

static void apply(struct fn_write *w) { w->e->may_recurse = w->n; }

int fn_store_set_may_recurse(struct fn_store *s, const char *function, bool may, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, function, false, "store recursion", &w, err);

	if (r < 0)
		return r;
	w->n = may;
	w->sql = write;
	w->apply = apply;
	return fn_write_begin(w, fn, arg);
}

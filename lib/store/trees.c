/* trees.c - see trees.h. */
#include "store/trees.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/internal.h"

static const char *const states[] = {[FN_TREE_MAKING] = "making", [FN_TREE_READY] = "ready", [FN_TREE_REMOVING] = "removing"};

const char *fn_tree_state_name(enum fn_tree_state state) { return states[state]; }

/* --- in memory --- */
static struct fn_tree *find(const struct fn_store *s, const char *name) { return fn_map_get(s->trees, name); }

static struct fn_tree *add(struct fn_store *s, const char *name, enum fn_tree_state state, int64_t bytes)
{
	struct fn_tree *t = calloc(1, sizeof(*t));

	if (!t || fn_str_format(t->name, sizeof(t->name), "%s", name) < 0 || fn_map_set(s->trees, name, t, NULL) < 0) {
		free(t);
		return NULL;
	}
	t->state = state;
	t->bytes = bytes;
	s->tree_bytes += bytes;
	return t;
}

static void measured(struct fn_store *s, struct fn_tree *t, int64_t bytes)
{
	s->tree_bytes += bytes - t->bytes;
	t->bytes = bytes;
}

static void forget(struct fn_store *s, struct fn_tree *t)
{
	s->tree_bytes -= t->bytes;
	(void)fn_map_remove(s->trees, t->name);
	free(t);
}

const struct fn_tree *fn_store_tree(const struct fn_store *s, const char *name) { return find(s, name); }

bool fn_store_tree_ready(const struct fn_store *s, const char *name)
{
	const struct fn_tree *t = find(s, name);

	return t && t->state == FN_TREE_READY;
}
const struct fn_tree *fn_store_next_tree(const struct fn_store *s, size_t *it) { return fn_map_next(s->trees, it); }
unsigned fn_store_tree_refs(const struct fn_store *s, const char *name) { return (unsigned)(uintptr_t)fn_map_get(s->needs, name); }
int64_t fn_store_tree_bytes(const struct fn_store *s) { return s->tree_bytes; }

int fn_store_measured_tree(struct fn_store *s, const char *name, int64_t bytes)
{
	struct fn_tree *t = find(s, name);

	if (!t)
		return -ENOENT;
	measured(s, t, bytes);
	return 0;
}

int fn_store_identified_tree(struct fn_store *s, const char *name, const char *diff_id)
{
	struct fn_tree *t = find(s, name);

	if (!t)
		return -ENOENT;
	return strlen(diff_id) == 64 && strspn(diff_id, "0123456789abcdef") == 64 ? fn_str_format(t->diff_id, sizeof(t->diff_id), "%s", diff_id) : -EINVAL;
}

/* --- on disk: in the writer's thread --- */
/* One that is whole stays so: others may have made it meanwhile. */
static int write_making(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err,
			 "INSERT INTO trees(name, state, bytes) VALUES(?1, 'making', ?2) ON CONFLICT(name) DO UPDATE SET state='making', bytes=?2 WHERE state='removing'",
			 "si", w->qualifier, w->n);
}

int fn_tree_write_ready(sqlite3 *db, const struct fn_tree *t, struct fn_err *err)
{
	return fn_db_run(db, err, "UPDATE trees SET state='ready', bytes=?2, diff_id=?3 WHERE name=?1", "sis", t->name, t->bytes, t->diff_id);
}

static int write_ready(struct fn_write *w, sqlite3 *db, struct fn_err *err) { return fn_tree_write_ready(db, &w->ready[0], err); }

static int write_removing(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "UPDATE trees SET state='removing' WHERE name=?1", "s", w->qualifier);
}

static int delete_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "DELETE FROM trees WHERE name=?1 AND state='removing'", "s", w->qualifier);
}

/* --- what is asked for --- */
void fn_tree_becomes_ready(struct fn_write *w, const char *name)
{
	const struct fn_tree *t = find(w->s, name);

	if (t && t->state != FN_TREE_READY && w->n_ready < sizeof(w->ready) / sizeof(w->ready[0]))
		w->ready[w->n_ready++] = *t;
}

static void name_tree(struct fn_write *w, const char *kind, const char *sha256)
{
	char *tree = w->named[w->n_named];

	if (w->n_named == FN_WRITE_TREES) /* a function has no more */
		abort();
	w->n_named++;
	fn_store_count_tree(w->s, fn_store_tree_name(tree, kind, sha256), 1);
	fn_tree_becomes_ready(w, tree);
}

void fn_write_names_code(struct fn_write *w, const struct fn_function *f)
{
	if (!f->image) {
		fn_write_names(w, "code", f->code_sha256);
		return;
	}
	name_tree(w, "image", f->code_sha256);
	if (f->image_before)
		name_tree(w, "image", f->image_before->sha256);
}

void fn_write_names(struct fn_write *w, const char *kind, const char *sha256)
{
	name_tree(w, kind, sha256);
	name_tree(w, "blob", sha256);
}

void fn_tree_apply_ready(struct fn_write *w)
{
	for (unsigned i = 0; i < w->n_ready; i++) {
		struct fn_tree *t = find(w->s, w->ready[i].name);

		if (t)
			t->state = FN_TREE_READY;
	}
}

static void apply_nothing(struct fn_write *w) { (void)w; }

static int new_write(struct fn_store *s, const char *name, int (*sql)(struct fn_write *w, sqlite3 *db, struct fn_err *err), struct fn_write **ret,
		     struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, NULL, false, "note tree", &w, err);

	if (r < 0)
		return r;
	w->qualifier = strdup(name);
	if (!w->qualifier) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "note tree", NULL);
	}
	w->sql = sql;
	w->apply = apply_nothing;
	*ret = w;
	return 0;
}

int fn_store_make_tree(struct fn_store *s, const char *name, int64_t bytes, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_tree *t = find(s, name);
	struct fn_write *w;
	int r = new_write(s, name, write_making, &w, err);

	if (r < 0)
		return r;
	if (!t)
		t = add(s, name, FN_TREE_MAKING, bytes);
	if (!t) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "note tree", NULL);
	}
	if (t->state == FN_TREE_REMOVING) {
		t->state = FN_TREE_MAKING;
		measured(s, t, bytes);
	}
	w->n = bytes;
	return fn_write_begin(w, fn, arg);
}

int fn_store_ready_tree(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	const struct fn_tree *t = find(s, name);
	struct fn_write *w;
	int r = t ? new_write(s, name, write_ready, &w, err) : fn_err_set(err, ENOENT, "note tree", "%s", name);

	if (r < 0)
		return r;
	w->ready[w->n_ready++] = *t;
	w->apply = fn_tree_apply_ready;
	return fn_write_begin(w, fn, arg);
}

int fn_store_remove_tree(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_tree *t = find(s, name);
	struct fn_write *w;
	int r = t ? new_write(s, name, write_removing, &w, err) : fn_err_set(err, ENOENT, "note tree", "%s", name);

	if (r < 0)
		return r;
	t->state = FN_TREE_REMOVING;
	return fn_write_begin(w, fn, arg);
}

int fn_store_forget_tree(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_tree *t = find(s, name);
	struct fn_write *w;
	int r = t && t->state == FN_TREE_REMOVING ? new_write(s, name, delete_row, &w, err) : fn_err_set(err, ENOENT, "note tree", "%s", name);

	if (r < 0)
		return r;
	forget(s, t);
	return fn_write_begin(w, fn, arg);
}

/* --- loading --- */
/* What was being made when the last process ended is not whole, unless somebody names it: then its row was only late. */
static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	const char *name = (const char *)sqlite3_column_text(st, 0), *state = (const char *)sqlite3_column_text(st, 1);
	bool fetched = fn_str_starts(name, "oci-") || fn_str_starts(name, "root-"); /* images are named before they are whole */
	bool ready = (!fetched && fn_store_tree_refs(arg, name) > 0) || fn_streq(state, states[FN_TREE_READY]);

	struct fn_tree *t = add(arg, name, ready ? FN_TREE_READY : FN_TREE_REMOVING, sqlite3_column_int64(st, 2));

	if (!t)
		return fn_err_set(err, ENOMEM, "load trees", NULL);
	snprintf(t->diff_id, sizeof(t->diff_id), "%s", (const char *)sqlite3_column_text(st, 3));
	return 0;
}

int fn_trees_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT name, state, bytes, diff_id FROM trees", "load trees", load_row, s, err);
}

void fn_trees_free(struct fn_store *s)
{
	size_t it = 0;
	struct fn_tree *t;

	while (s->trees && (t = fn_map_next(s->trees, &it)))
		free(t);
	fn_map_free(s->trees);
}

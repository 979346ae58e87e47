/* images.c - see images.h. */
#include "store/images.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/internal.h"

/* --- in memory --- */
static void count_image(struct fn_store *s, const char *sha256, int by)
{
	char tree[FN_STORE_TREE_SIZE];

	fn_store_count_tree(s, fn_store_tree_name(tree, "image", sha256), by);
}

static void count_trees(struct fn_store *s, const struct fn_image *i, int by)
{
	char tree[FN_IMAGE_TREE_SIZE];

	for (size_t k = 0; k < i->n_layers; k++)
		fn_store_count_tree(s, fn_image_layer_tree(&i->layers[k], tree), by);
	fn_store_count_tree(s, i->root, by);
}

static int add_image(struct fn_store *s, struct fn_image *i)
{
	if (fn_map_set(s->images, i->sha256, fn_image_ref(i), NULL) < 0) {
		fn_image_unref(i);
		return -ENOMEM;
	}
	count_trees(s, i, 1);
	return 0;
}

static void drop_image(struct fn_store *s, struct fn_image *i)
{
	(void)fn_map_remove(s->images, i->sha256);
	count_trees(s, i, -1);
	fn_image_unref(i);
}

static void free_name(struct fn_image_name *n)
{
	free(n->name);
	free(n);
}

static int set_name(struct fn_store *s, const char *name, const char *sha256, uint64_t created_us)
{
	struct fn_image_name *n = calloc(1, sizeof(*n)), *old = NULL;

	if (!n || !(n->name = strdup(name)) || fn_str_format(n->sha256, sizeof(n->sha256), "%s", sha256) < 0 || fn_map_set(s->image_names, name, n, (void **)&old) < 0) {
		if (n)
			free_name(n);
		return -ENOMEM;
	}
	n->created_us = created_us;
	count_image(s, sha256, 1);
	if (old) {
		count_image(s, old->sha256, -1);
		free_name(old);
	}
	return 0;
}

struct fn_image *fn_store_image(const struct fn_store *s, const char *sha256) { return fn_map_get(s->images, sha256); }
struct fn_image *fn_store_next_image(const struct fn_store *s, size_t *it) { return fn_map_next(s->images, it); }
const struct fn_image_name *fn_store_image_name(const struct fn_store *s, const char *name) { return fn_map_get(s->image_names, name); }
const struct fn_image_name *fn_store_next_image_name(const struct fn_store *s, size_t *it) { return fn_map_next(s->image_names, it); }

unsigned fn_store_image_refs(const struct fn_store *s, const char *sha256)
{
	char tree[FN_STORE_TREE_SIZE];

	return fn_store_tree_refs(s, fn_store_tree_name(tree, "image", sha256));
}

bool fn_store_image_whole(const struct fn_store *s, const struct fn_image *i)
{
	char tree[FN_IMAGE_TREE_SIZE];
	bool whole = fn_store_tree_ready(s, i->root);

	for (size_t k = 0; whole && k < i->n_layers; k++)
		whole = fn_store_tree_ready(s, fn_image_layer_tree(&i->layers[k], tree));
	return whole;
}

/* --- on disk: in the writer's thread --- */
static int write_image(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "INSERT OR IGNORE INTO images(sha256, config) VALUES(?1, ?2)", "ss", w->qualifier, w->text);
}

static int delete_image(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "DELETE FROM images WHERE sha256=?1", "s", w->qualifier);
}

static int write_name(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "INSERT OR REPLACE INTO image_names(name, sha256, created_us) VALUES(?1, ?2, ?3)", "ssi", w->qualifier, w->text, (int64_t)w->when_us);
}

static int delete_name(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "DELETE FROM image_names WHERE name=?1", "s", w->qualifier);
}

static void apply_nothing(struct fn_write *w) { (void)w; }

static void apply_name(struct fn_write *w) { (void)set_name(w->s, w->qualifier, w->text, w->when_us); }

static void apply_unname(struct fn_write *w)
{
	struct fn_image_name *n = fn_map_remove(w->s->image_names, w->qualifier);

	if (!n)
		return;
	count_image(w->s, n->sha256, -1);
	free_name(n);
}

/* --- what is asked for --- */
static int begin(struct fn_store *s, const char *key, const char *text, uint64_t when_us, int (*sql)(struct fn_write *, sqlite3 *, struct fn_err *),
		 void (*apply)(struct fn_write *), struct fn_write **ret, struct fn_err *err)
{
	int r = fn_write_new(s, NULL, false, "note image", ret, err);

	if (r < 0)
		return r;
	(*ret)->qualifier = strdup(key);
	(*ret)->text = fn_strdup_opt(text);
	(*ret)->when_us = when_us;
	(*ret)->sql = sql;
	(*ret)->apply = apply;
	if ((*ret)->qualifier && (!text || (*ret)->text))
		return 0;
	fn_write_free(*ret);
	return fn_err_set(err, ENOMEM, "note image", NULL);
}

int fn_store_put_image(struct fn_store *s, struct fn_image *i, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	char *text = fn_image_encode(i);
	struct fn_write *w;
	int r = text ? begin(s, i->sha256, text, 0, write_image, apply_nothing, &w, err) : fn_err_set(err, ENOMEM, "note image", NULL);

	free(text);
	if (r < 0)
		return r;
	if (!fn_store_image(s, i->sha256) && add_image(s, i) < 0) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "note image", NULL);
	}
	return fn_write_begin(w, fn, arg);
}

int fn_store_delete_image(struct fn_store *s, const char *sha256, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_image *i = fn_store_image(s, sha256);
	struct fn_write *w;
	int r;

	if (!i || fn_store_image_refs(s, sha256) > 0)
		return fn_err_set(err, i ? EBUSY : ENOENT, "note image", "%s", sha256);
	r = begin(s, sha256, NULL, 0, delete_image, apply_nothing, &w, err);
	if (r < 0)
		return r;
	drop_image(s, i);
	return fn_write_begin(w, fn, arg);
}

int fn_store_name_image(struct fn_store *s, const char *name, const char *sha256, uint64_t created_us, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = begin(s, name, sha256, created_us, write_name, apply_name, &w, err);

	if (r < 0)
		return r;
	snprintf(w->named[w->n_named], sizeof(w->named[0]), "image-%s", sha256); /* it does not go meanwhile */
	fn_store_count_tree(s, w->named[w->n_named++], 1);
	return fn_write_begin(w, fn, arg);
}

int fn_store_unname_image(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_store_image_name(s, name) ? begin(s, name, NULL, 0, delete_name, apply_unname, &w, err) : fn_err_set(err, ENOENT, "note image", "%s", name);

	return r < 0 ? r : fn_write_begin(w, fn, arg);
}

/* --- loading --- */
static int load_image(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_image *i;
	int r = fn_image_decode((const char *)sqlite3_column_text(st, 1), &i);

	if (r == 0) {
		r = add_image(arg, i);
		fn_image_unref(i);
	}
	return r < 0 ? fn_err_set(err, r, "load images", "%s", sqlite3_column_text(st, 0)) : 0;
}

static int load_name(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	int r = set_name(arg, (const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 1), (uint64_t)sqlite3_column_int64(st, 2));

	return r < 0 ? fn_err_set(err, r, "load images", NULL) : 0;
}

int fn_images_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	int r = fn_db_each(db, "SELECT sha256, config FROM images", "load images", load_image, s, err);

	return r < 0 ? r : fn_db_each(db, "SELECT name, sha256, created_us FROM image_names", "load images", load_name, s, err);
}

void fn_images_free_all(struct fn_store *s)
{
	struct fn_image_name *n;
	struct fn_image *i;
	size_t it = 0;

	while (s->images && (i = fn_map_next(s->images, &it)))
		fn_image_unref(i);
	it = 0;
	while (s->image_names && (n = fn_map_next(s->image_names, &it)))
		free_name(n);
	fn_map_free(s->images);
	fn_map_free(s->image_names);
}

/* open.c - the store is opened, which reads all of it, and closed. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/internal.h"
#include "store/schema.h"

static int load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	int r = fn_images_load(s, db, err);

	if (r == 0)
		r = fn_functions_load(s, db, err);
	if (r == 0)
		r = fn_aliases_load(s, db, err);
	if (r == 0)
		r = fn_concurrency_load(s, db, err);
	if (r == 0)
		r = fn_recursion_load(s, db, err);
	if (r == 0)
		r = fn_layers_load(s, db, err);
	if (r == 0)
		r = fn_urls_load(s, db, err);
	if (r == 0)
		r = fn_policies_load(s, db, err);
	if (r == 0)
		r = fn_identities_load(s, db, err);
	if (r == 0)
		r = fn_trees_load(s, db, err);
	return r;
}

int fn_store_open(const char *dir, struct fn_loop *loop, struct fn_store **ret, struct fn_err *err)
{
	struct fn_store *s = calloc(1, sizeof(*s));
	sqlite3 *db = NULL;
	char path[PATH_MAX];
	int r;

	if (!s)
		return fn_err_set(err, ENOMEM, "open database", NULL);
	fn_list_init(&s->turns);
	snprintf(path, sizeof(path), "%s/fnd.db", dir);
	r = fn_map_new(&s->needs) == 0 && fn_map_new(&s->taken) == 0 && fn_map_new(&s->trees) == 0 && fn_map_new(&s->urls) == 0 && fn_map_new(&s->access_keys) == 0 && fn_map_new(&s->images) == 0 && fn_map_new(&s->image_names) == 0 ? 0 : fn_err_set(err, ENOMEM, "open database", NULL);
	if (r == 0)
		r = fn_db_open(path, fn_store_migrations, FN_STORE_SCHEMA, &db, err);
	if (r == 0)
		r = load(s, db, err);
	if (r == 0)
		r = fn_db_writer_new(loop, path, db, &s->writer, err);
	else
		sqlite3_close(db);
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
	fn_db_writer_free(s->writer);
	while (!fn_list_empty(&s->turns))
		fn_list_remove(fn_list_first(&s->turns));
	for (size_t i = 0; i < s->n; i++)
		fn_entry_free(s, s->items[i]);
	free(s->items);
	fn_layers_free(s);
	fn_trees_free(s);
	fn_identities_free(s);
	fn_images_free_all(s);
	fn_map_free(s->needs);
	fn_map_free(s->taken);
	fn_map_free(s->urls);
	fn_map_free(s->access_keys);
	free(s);
}

/* urls.c - see urls.h. */
#include "store/urls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "store/internal.h"

/* There must be room. */
static int put(struct fn_store *s, struct fn_entry *e, struct fn_url *u)
{
	size_t i = fn_entry_url_bound(e, u->qualifier);

	fn_entry_take_url(s, e, u->qualifier);
	if (fn_map_set(s->urls, u->id, u, NULL) < 0)
		return -ENOMEM;
	memmove(e->urls + i + 1, e->urls + i, (e->n_urls - i) * sizeof(*e->urls));
	e->urls[i] = u;
	e->n_urls++;
	return 0;
}

static struct fn_url *read_row(sqlite3_stmt *st)
{
	struct fn_url *u = fn_url_new((const char *)sqlite3_column_text(st, 1), (const char *)sqlite3_column_text(st, 2));

	if (!u)
		return NULL;
	snprintf(u->id, sizeof(u->id), "%s", (const char *)sqlite3_column_text(st, 0));
	u->auth = sqlite3_column_int(st, 3) ? FN_URL_IAM : FN_URL_NONE;
	u->cors = fn_strdup_opt((const char *)sqlite3_column_text(st, 4));
	u->streams = sqlite3_column_int(st, 5) & 1;
	u->mode_given = sqlite3_column_int(st, 5) & 2;
	u->created_us = (uint64_t)sqlite3_column_int64(st, 6);
	u->modified_us = (uint64_t)sqlite3_column_int64(st, 7);
	return u;
}

static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_entry *e = fn_entry_find(arg, (const char *)sqlite3_column_text(st, 1));
	struct fn_url *u = e ? read_row(st) : NULL;

	if (!e)
		return fn_err_set(err, EBADMSG, "load function URLs", "%s", sqlite3_column_text(st, 1));
	if (u && fn_store_room(e->urls, e->n_urls, &e->cap_urls) == 0 && put(arg, e, u) == 0)
		return 0;
	fn_url_free(u);
	return fn_err_set(err, ENOMEM, "load function URLs", NULL);
}

int fn_urls_load(struct fn_store *s, sqlite3 *db, struct fn_err *err)
{
	return fn_db_each(db, "SELECT id, function, qualifier, auth, cors, mode, created_us, modified_us FROM urls", "load function URLs", load_row, s, err);
}

const struct fn_url *fn_store_url(struct fn_store *s, const char *function, const char *qualifier)
{
	return fn_entry_url(fn_entry_find(s, function), qualifier);
}

const struct fn_url *fn_store_url_by_id(struct fn_store *s, const char *id) { return fn_map_get(s->urls, id); }

static int write_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	const struct fn_url *u = w->url;

	return fn_db_run(db, err,
			 "INSERT OR REPLACE INTO urls(id, function, qualifier, auth, cors, mode, created_us, modified_us) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
			 "sssisiii", u->id, u->function, u->qualifier, (int64_t)u->auth, u->cors, (int64_t)(u->streams | u->mode_given << 1), (int64_t)u->created_us,
			 (int64_t)u->modified_us);
}

static void apply_set(struct fn_write *w)
{
	if (put(w->s, w->e, fn_take_ptr(w->url)) < 0)
		abort(); /* it is on disk */
}

int fn_store_set_url(struct fn_store *s, struct fn_url *u, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, u->function, false, "store function URL", &w, err);

	if (r < 0)
		return r;
	if (fn_store_room(w->e->urls, w->e->n_urls, &w->e->cap_urls) < 0) {
		fn_write_free(w);
		return fn_err_set(err, ENOMEM, "store function URL", NULL);
	}
	w->url = u;
	w->sql = write_row;
	w->apply = apply_set;
	return fn_write_begin(w, fn, arg);
}

static int delete_row(struct fn_write *w, sqlite3 *db, struct fn_err *err)
{
	return fn_db_run(db, err, "DELETE FROM urls WHERE function=?1 AND qualifier=?2", "ss", w->name, w->qualifier);
}

static void apply_delete(struct fn_write *w) { fn_entry_take_url(w->s, w->e, w->qualifier); }

int fn_store_delete_url(struct fn_store *s, const char *function, const char *qualifier, fn_stored_fn fn, void *arg, struct fn_err *err)
{
	struct fn_write *w;
	int r = fn_write_new(s, function, false, "delete function URL", &w, err);

	if (r < 0)
		return r;
	if (!fn_entry_url(w->e, qualifier))
		r = fn_err_set(err, ENOENT, "delete function URL", "%s:%s", function, qualifier);
	else if (!(w->qualifier = strdup(qualifier)))
		r = fn_err_set(err, ENOMEM, "delete function URL", NULL);
	if (r < 0) {
		fn_write_free(w);
		return r;
	}
	w->sql = delete_row;
	w->apply = apply_delete;
	return fn_write_begin(w, fn, arg);
}

size_t fn_store_list_urls(struct fn_store *s, const char *function, const char *after, const struct fn_url **ret, size_t max)
{
	const struct fn_entry *e = fn_entry_find(s, function);
	size_t n = 0;

	for (size_t i = 0; e && i < e->n_urls && n < max; i++)
		if (!after || strcmp(e->urls[i]->qualifier, after) > 0)
			ret[n++] = e->urls[i];
	return n;
}

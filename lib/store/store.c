/* store.c - see store.h: writes on their way, and who waits for them. */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/internal.h"

/* --- writes --- */
int fn_write_about(struct fn_store *s, const char *what, const char *stage, struct fn_write **ret, struct fn_err *err)
{
	struct fn_write *w;

	if (what && fn_store_taken(s, what))
		return fn_err_set(err, EAGAIN, stage, "%s is being written", what);
	w = calloc(1, sizeof(*w));
	if (!w || (what && !(w->name = strdup(what)))) {
		free(w);
		return fn_err_set(err, ENOMEM, stage, NULL);
	}
	w->s = s;
	*ret = w;
	return 0;
}

int fn_write_new(struct fn_store *s, const char *function, bool absent, const char *stage, struct fn_write **ret, struct fn_err *err)
{
	struct fn_entry *e = function ? fn_entry_find(s, function) : NULL;
	struct fn_write *w;
	int r = fn_write_about(s, function, stage, &w, err);

	if (r == 0 && function && (e != NULL) == absent) {
		fn_write_free(w);
		return fn_err_set(err, e ? EEXIST : ENOENT, stage, "%s", function);
	}
	if (r < 0)
		return r;
	w->e = e;
	*ret = w;
	return 0;
}

static void release_named(struct fn_write *w)
{
	while (w->n_named > 0)
		fn_store_count_tree(w->s, w->named[--w->n_named], -1);
}

void fn_write_free(struct fn_write *w)
{
	if (w->insert)
		fn_entry_free(w->s, w->e);
	release_named(w);
	fn_function_unref(w->latest);
	fn_function_unref(w->version);
	fn_alias_free(w->alias);
	fn_layer_version_unref(w->layer);
	fn_url_free(w->url);
	fn_entity_free(w->entity);
	free(w->text);
	free(w->qualifier);
	free(w->name);
	free(w);
}

static int run(struct fn_db_write *db_write, sqlite3 *db, struct fn_err *err)
{
	struct fn_write *w = fn_list_entry(db_write, struct fn_write, db);

	return w->sql(w, db, err);
}

/* Who waits for this function goes on, until one of them writes. */
static void go_on(struct fn_store *s, const char *function)
{
	struct fn_store_turn *next;

	do {
		next = NULL;
		fn_list_for_each(l, &s->turns)
		{
			struct fn_store_turn *t = fn_list_entry(l, struct fn_store_turn, link);

			if (fn_streq(t->function, function)) {
				next = t;
				break;
			}
		}
		if (next) {
			fn_list_remove(&next->link);
			next->fn(next->arg);
		}
	} while (next && !fn_store_taken(s, function));
}

static void done(struct fn_db_write *db_write, const struct fn_err *err)
{
	struct fn_write *w = fn_list_entry(db_write, struct fn_write, db);
	struct fn_store *s = w->s;

	s->code_bytes_coming -= w->code_bytes;
	s->claims_coming -= w->claim;
	s->n_coming -= w->insert;
	if (w->name)
		(void)fn_map_remove(s->taken, w->name);
	if (!err) {
		w->apply(w);
		s->changes += w->name != NULL;
		if (w->name && s->on_change)
			s->on_change(s->on_change_arg);
		w->insert = false; /* what it has made is the store's now */
	}
	release_named(w);
	if (w->fn)
		w->fn(w->arg, err);
	if (w->name && !fn_store_taken(s, w->name))
		go_on(s, w->name);
	fn_write_free(w);
}

int fn_write_begin(struct fn_write *w, fn_stored_fn fn, void *arg)
{
	struct fn_store *s = w->s;

	w->fn = fn;
	w->arg = arg;
	w->db.run = run;
	w->db.done = done;
	s->code_bytes_coming += w->code_bytes;
	s->claims_coming += w->claim;
	s->n_coming += w->insert;
	if (w->name && fn_map_set(s->taken, w->name, w, NULL) < 0)
		abort();
	fn_db_write(s->writer, &w->db);
	return 0;
}

/* --- turns --- */
uint64_t fn_store_changes(const struct fn_store *s) { return s->changes; }

void fn_store_on_change(struct fn_store *s, void (*fn)(void *arg), void *arg)
{
	s->on_change = fn;
	s->on_change_arg = arg;
}

bool fn_store_taken(const struct fn_store *s, const char *function) { return fn_map_get(s->taken, function) != NULL; }

void fn_store_wait(struct fn_store *s, struct fn_store_turn *t)
{
	if (fn_store_taken(s, t->function))
		fn_list_push_back(&s->turns, &t->link);
	else
		t->fn(t->arg);
}

void fn_store_drain(struct fn_store *s) { fn_db_writer_drain(s->writer); }

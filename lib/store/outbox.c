/* outbox.c - see outbox.h. Rows are read by the writer: they are few, and the loop waits for no disk. */
#include "store/outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/internal.h"

int fn_rows_tell(sqlite3 *db, const char *function, const char *qualifier, struct fn_err *err)
{
	return fn_db_run(db, err, "INSERT INTO outbox(function, qualifier, at_us) VALUES(?1, ?2, ?3)", "ssi", function, qualifier, (int64_t)fn_clock_real_us());
}

void fn_store_outbox_on(struct fn_store *s, void (*told)(void *arg), void *arg)
{
	s->outbox_told = told;
	s->outbox_arg = arg;
}

void fn_store_outbox_tell(struct fn_store *s)
{
	if (s->outbox_told)
		s->outbox_told(s->outbox_arg);
}

struct look {
	struct fn_db_write w;
	struct fn_outbox_item item;
	int64_t take; /* 0: it is a look at the first */
	void (*done)(void *arg, const struct fn_outbox_item *item, const struct fn_err *err);
	fn_stored_fn taken;
	void *arg;
};

static int read_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_outbox_item *item = arg;

	item->id = sqlite3_column_int64(st, 0);
	item->function = fn_strdup_opt((const char *)sqlite3_column_text(st, 1));
	item->qualifier = fn_strdup_opt((const char *)sqlite3_column_text(st, 2));
	item->at_us = sqlite3_column_int64(st, 3);
	return item->function && item->qualifier ? 0 : fn_err_set(err, ENOMEM, "outbox", NULL);
}

static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct look *l = fn_list_entry(w, struct look, w);

	if (l->take)
		return fn_db_run(db, err, "DELETE FROM outbox WHERE id=?1", "i", l->take);
	return fn_db_each(db, "SELECT id, function, qualifier, at_us FROM outbox ORDER BY id LIMIT 1", "outbox", read_row, &l->item, err);
}

static void done(struct fn_db_write *w, const struct fn_err *err)
{
	struct look *l = fn_list_entry(w, struct look, w);

	if (l->take)
		l->taken(l->arg, err);
	else
		l->done(l->arg, !err && l->item.id ? &l->item : NULL, err);
	free(l->item.function);
	free(l->item.qualifier);
	free(l);
}

static int submit(struct fn_store *s, const struct look *of)
{
	struct look *l = malloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	*l = *of;
	l->w = (struct fn_db_write){.run = run, .done = done};
	fn_db_write(s->writer, &l->w);
	return 0;
}

int fn_store_outbox_first(struct fn_store *s, void (*fn)(void *arg, const struct fn_outbox_item *item, const struct fn_err *err), void *arg)
{
	return submit(s, &(struct look){.done = fn, .arg = arg});
}

int fn_store_outbox_take(struct fn_store *s, int64_t id, fn_stored_fn fn, void *arg) { return submit(s, &(struct look){.take = id, .taken = fn, .arg = arg}); }

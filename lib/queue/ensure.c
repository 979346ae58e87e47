/* ensure.c - a queue's row: written when it is made, and where that has failed (the disk was full) ahead of what is asked of it next. */
#include <stdlib.h>

#include "queue/internal.h"

struct adding {
	struct fn_db_write w;
	struct fn_queue *q;
};

static int run_add(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct adding *o = fn_list_entry(w, struct adding, w);
	struct fn_queue_rows *rows = &o->q->qs->rows;

	return fn_queue_exec(&rows->sql, db, err, QS_QUEUE_ADD, "isii", I(o->q->id), o->q->name, I(o->q->flags), I(++rows->last_id));
}

static void on_added(struct fn_db_write *w, const struct fn_err *err)
{
	struct adding *o = fn_list_entry(w, struct adding, w);

	o->q->missing = err != NULL;
	free(o);
}

void fn_queue_ensure(struct fn_queue *q)
{
	struct adding *o = q->missing ? calloc(1, sizeof(*o)) : NULL;

	if (!o)
		return; /* what is asked of it then fails */
	q->missing = false;
	o->q = q;
	o->w = (struct fn_db_write){.run = run_add, .done = on_added};
	fn_db_write(q->qs->writer, &o->w);
}

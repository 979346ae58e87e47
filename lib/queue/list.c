/* list.c - a page of a queue's messages, for people. In the writer's thread as everything: it is bounded. */
#include <errno.h>
#include <stdlib.h>

#include "queue/internal.h"

#define BYTES_MOST (8u << 20)

static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct fn_queue_list *l = fn_list_entry(w, struct fn_queue_list, w);
	struct fn_queue_effects *effects = NULL;
	struct fn_queue_touched *q;
	struct fn_queue_tx tx;
	int r = fn_queue_tx_begin(&tx, &l->qs->rows, db, &effects, err);

	fn_queue_taken_free(l->taken);
	if (!(l->taken = calloc(1, sizeof(*l->taken))))
		r = fn_err_set(err, ENOMEM, "queue", NULL);
	if (r == 0)
		r = fn_queue_tx_queue(&tx, l->queue, &q);
	while (r == 0 && l->taken->n < l->n) {
		struct fn_queue_cursor at;
		struct fn_queue_row m;

		r = fn_queue_read(&tx, fn_queue_bind(SQL(&tx), QS_LIST, "iiii", I(q->inner), I(l->cursor.state), I(l->cursor.ord), I(l->cursor.id)), &m);
		if (r <= 0)
			break;
		at = (struct fn_queue_cursor){.state = (uint64_t)m.state, .ord = m.ord, .id = m.id};
		r = fn_queue_take(&tx, l->taken, &m, BYTES_MOST);
		if (r == 0)
			l->taken->v[l->taken->n - 1].state = m.state;
		fn_queue_row_free(&m);
		if (r == 0)
			l->cursor = at;
	}
	fn_queue_effects_free(effects);
	return r < 0 ? r : 0;
}

static void on_outcome(struct fn_db_write *w, const struct fn_err *err)
{
	struct fn_queue_list *l = fn_list_entry(w, struct fn_queue_list, w);
	struct fn_queue_taken *taken = l->taken;

	l->messages = err ? NULL : taken->v;
	l->n_messages = err ? 0 : taken->n;
	l->taken = NULL;
	l->done(l, err);
	fn_queue_taken_free(taken);
}

void fn_queue_list(struct fn_queue_list *l)
{
	l->qs = l->queue->qs;
	l->taken = NULL;
	l->w.run = run;
	l->w.redo = NULL;
	l->w.done = on_outcome;
	fn_queue_ensure(l->queue);
	fn_db_write(l->qs->writer, &l->w);
}

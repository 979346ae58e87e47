/* change.c - steps that are done together, moves, and what goes because it is too old. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/internal.h"

#define TRIM_AT_ONCE 200
#define REDO_BODY_MAX (32u << 10)

/* --- the writer's thread --- */
static int extend(struct fn_queue_tx *tx, struct fn_queue_touched *q, struct fn_queue_step *s, const struct fn_queue_row *m)
{
	if (m->state != LEASED || m->ord <= tx->now_us)
		s->result = -ESTALE;
	else if (s->most_us && s->at_us > m->leased_us + s->most_us)
		s->result = -ERANGE;
	else if (s->at_us <= tx->now_us)
		return fn_queue_give_back(tx, q, m);
	else
		return fn_queue_set_state(tx, q, m, LEASED, s->at_us);
	return 0;
}

static int again(struct fn_queue_tx *tx, struct fn_queue_touched *q, struct fn_queue_step *s, const struct fn_queue_row *m)
{
	bool later = s->at_us > tx->now_us;
	int r = s->note ? fn_queue_exec(SQL(tx), QS_MESSAGE_NOTE, "ib", I(m->id), s->note, s->note_len) : 0;

	return r < 0 ? r : fn_queue_set_state(tx, q, m, later ? DELAYED : READY, later ? s->at_us : m->pos);
}

static int settle(struct fn_queue_tx *tx, struct fn_queue_touched *q, struct fn_queue_step *s)
{
	struct fn_queue_row m = {0};
	int r = fn_queue_read(tx, fn_queue_bind(SQL(tx), QS_MESSAGE_GET, "i", I(s->id)), &m);

	if (r < 0)
		return r;
	if (r == 0 || m.queue != q->inner || (m.receives != s->receives && (s->strict || s->what != FN_QUEUE_EXTEND))) {
		s->result = -ENOENT;
		r = 0;
	} else if (s->what == FN_QUEUE_EXTEND) {
		r = extend(tx, q, s, &m);
	} else if (s->what == FN_QUEUE_AGAIN) {
		r = again(tx, q, s, &m);
	} else if (s->what == FN_QUEUE_DEAD) {
		r = s->note ? fn_queue_exec(SQL(tx), QS_MESSAGE_NOTE, "ib", I(m.id), s->note, s->note_len) : 0;
		if (r == 0)
			r = fn_queue_relocate(tx, s->queue, s->to, &m, false);
	} else if (s->strict && (m.state != LEASED || m.ord <= tx->now_us)) {
		s->result = -ESTALE;
		r = 0;
	} else {
		r = fn_queue_delete(tx, q, &m);
	}
	fn_queue_row_free(&m);
	return r;
}

/* Nothing but new messages: what comes of those that are there is not kept from ending by them, also when the disk is full. */
static bool only_adds(const struct fn_queue_change *c)
{
	unsigned i = 0;

	while (i < c->n && c->steps[i].what == FN_QUEUE_PUT)
		i++;
	return i > 0 && i == c->n;
}

/* To the lease that looks next, which would find this one message: it is written once, as leased. */
static bool goes_straight(const struct fn_queue_touched *q, const struct fn_queue_step *s)
{
	const struct fn_queue_lease *l = s->lease;

	return l && q->n_ready == 0 && !s->dedup && !(q->flags & FN_QUEUE_FIFO) && l->n > 0 && l->for_us > 0 && !l->asks_due && !l->attempt && !l->most_leased && s->sent_us >= l->oldest_us;
}

static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct fn_queue_change *c = fn_list_entry(w, struct fn_queue_change, w);
	struct fn_queue_tx tx;
	int r;

	if (only_adds(c) && fn_db_writer_short_of_room(c->qs->writer))
		return fn_err_set(err, ENOSPC, "queue", "no room on the disk for more messages");
	r = fn_queue_tx_begin(&tx, &c->qs->rows, db, &c->effects, err);
	tx.record = w->record;
	for (unsigned i = 0; i < c->n && r == 0; i++) {
		struct fn_queue_step *s = &c->steps[i];
		struct fn_queue_touched *q;

		s->result = 0;
		s->duplicate = false;
		r = fn_queue_tx_queue(&tx, s->queue, &q);
		if (r == 0)
			r = s->what != FN_QUEUE_PUT ? settle(&tx, q, s) : c->n == 1 && goes_straight(q, s) ? fn_queue_give(&tx, q, s) : fn_queue_insert(&tx, q, s, 0);
	}
	if (r == 0)
		r = fn_queue_tx_end(&tx);
	return r == 0 && c->also ? c->also(c, db, err) : r;
}

/* One message that depends on nothing that was there before. A large one costs as much twice as it does once in the database's own log. */
static int redo(struct fn_db_write *w, struct iovec v[FN_DB_REDO_PIECES])
{
	struct fn_queue_change *c = fn_list_entry(w, struct fn_queue_change, w);
	const struct fn_queue_step *s = c->steps;

	if (c->n != 1 || c->also || s->what != FN_QUEUE_PUT || s->dedup || s->note || s->queue->flags & FN_QUEUE_FIFO || s->body_len > REDO_BODY_MAX)
		return 0;
	c->entry = (struct fn_queue_put_entry){.queue = s->queue->id, .sent_us = s->sent_us, .at_us = s->at_us, .meta_len = (uint32_t)s->meta_len, .body_len = (uint32_t)s->body_len};
	memcpy(c->entry.uid, s->uid, sizeof(c->entry.uid));
	v[0] = (struct iovec){&c->entry, sizeof(c->entry)};
	v[1] = (struct iovec){(void *)s->meta, s->meta_len};
	v[2] = (struct iovec){(void *)s->body, s->body_len};
	return 3;
}

static struct fn_queue *target(const struct fn_queue_move *m, const char *source)
{
	for (unsigned i = 0; !m->to && source && i < m->n_sources; i++)
		if (strcmp(m->sources[i]->name, source) == 0)
			return m->sources[i];
	return m->to;
}

static int run_move(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct fn_queue_move *m = fn_list_entry(w, struct fn_queue_move, w);
	struct fn_queue_touched *q;
	struct fn_queue_tx tx;
	int r = fn_queue_tx_begin(&tx, &m->qs->rows, db, &m->effects, err);

	m->moved = 0;
	m->unknown = false;
	if (r < 0 || (r = fn_queue_tx_queue(&tx, m->from, &q)) < 0 || (r = fn_queue_promote(&tx, q, m->n)) < 0)
		return r;
	for (uint64_t inner = q->inner; m->moved < m->n; m->moved++) {
		struct fn_queue_row row;
		struct fn_queue *to;

		if ((r = fn_queue_read(&tx, fn_queue_bind(SQL(&tx), QS_READY, "i", I(inner)), &row)) <= 0)
			break;
		to = target(m, row.source);
		m->unknown = !to;
		r = to ? fn_queue_relocate(&tx, m->from, to, &row, true) : 0;
		fn_queue_row_free(&row);
		if (r < 0 || !to)
			break;
	}
	return r < 0 ? r : fn_queue_tx_end(&tx);
}

static int run_trim(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct fn_queue_trim *t = fn_list_entry(w, struct fn_queue_trim, w);
	struct fn_queue_touched *q;
	struct fn_queue_tx tx;
	int r = fn_queue_tx_begin(&tx, &t->qs->rows, db, &t->effects, err);
	unsigned n = 0;

	t->more = false;
	if (r == 0)
		r = fn_queue_tx_queue(&tx, t->queue, &q);
	for (int state = READY; state <= DELAYED && r == 0; state++) {
		struct fn_queue_row m;

		while (n < TRIM_AT_ONCE && (r = fn_queue_read(&tx, fn_queue_bind(SQL(&tx), QS_OLD, "ii", I(q->inner), I(state)), &m)) > 0) {
			bool old = m.sent_us < t->oldest_us;

			r = old ? fn_queue_delete(&tx, q, &m) : 0;
			fn_queue_row_free(&m);
			if (r < 0 || !old)
				break;
			n++;
		}
	}
	t->more = n == TRIM_AT_ONCE;
	return r < 0 ? r : fn_queue_tx_end(&tx);
}

/* --- the loop's --- */
/* Before `done`, which may free what they are in. */
static void settle_effects(struct fn_queue_effects **effects, const struct fn_err *err)
{
	if (!err)
		fn_queue_apply(*effects);
	fn_queue_effects_free(*effects);
	*effects = NULL;
}

static void on_outcome(struct fn_db_write *w, const struct fn_err *err)
{
	struct fn_queue_change *c = fn_list_entry(w, struct fn_queue_change, w);

	for (unsigned i = 0; i < c->n && !err; i++) /* those have looked already */
		for (unsigned k = 0; c->steps[i].lease && k < c->effects->n; k++)
			if (c->effects->v[k].queue == c->steps[i].queue && c->effects->v[k].freed)
				c->effects->v[k].freed--;
	settle_effects(&c->effects, err);
	c->done(c, err);
}

static void on_synced(struct fn_db_write *w)
{
	struct fn_queue_change *c = fn_list_entry(w, struct fn_queue_change, w);

	c->synced(c);
}

static void on_moved(struct fn_db_write *w, const struct fn_err *err)
{
	struct fn_queue_move *m = fn_list_entry(w, struct fn_queue_move, w);

	settle_effects(&m->effects, err);
	m->done(m, err);
}

static void on_trimmed(struct fn_db_write *w, const struct fn_err *err)
{
	struct fn_queue_trim *t = fn_list_entry(w, struct fn_queue_trim, w);

	settle_effects(&t->effects, err);
	t->done(t, err);
}

void fn_queue_change(struct fn_queues *qs, struct fn_queue_change *c)
{
	c->qs = qs;
	c->effects = NULL;
	c->w.run = run;
	c->w.redo = redo;
	c->w.lazy = c->lazy;
	c->w.early = false;
	c->w.synced = c->synced ? on_synced : NULL;
	c->w.done = on_outcome;
	for (unsigned i = 0; i < c->n; i++) {
		c->steps[i].lease = NULL;
		fn_queue_ensure(c->steps[i].queue);
	}
	fn_db_write(qs->writer, &c->w);
	/* Who waits for it looks in the same transaction. */
	for (unsigned i = 0; i < c->n; i++)
		if (c->steps[i].what == FN_QUEUE_PUT && !c->steps[i].at_us)
			c->steps[i].lease = fn_queue_pump_one(c->steps[i].queue);
}

void fn_queue_move(struct fn_queue_move *m)
{
	m->qs = m->from->qs;
	m->effects = NULL;
	m->w.run = run_move;
	m->w.redo = NULL;
	m->w.done = on_moved;
	fn_queue_ensure(m->from);
	if (m->to)
		fn_queue_ensure(m->to);
	for (unsigned i = 0; i < m->n_sources; i++)
		fn_queue_ensure(m->sources[i]);
	fn_db_write(m->qs->writer, &m->w);
}

void fn_queue_trim(struct fn_queue_trim *t)
{
	t->qs = t->queue->qs;
	t->effects = NULL;
	t->w.run = run_trim;
	t->w.redo = NULL;
	t->w.done = on_trimmed;
	fn_queue_ensure(t->queue);
	fn_db_write(t->qs->writer, &t->w);
}

/* queues.c - the queues of a database: found, made, emptied, dropped; the rows that a purge leaves behind. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/internal.h"

#define NAME_MOST 512
#define TIDY_AT_ONCE 200
/* Ids of one process's life: so many that they do not end, and those of the next come after them. */
#define LIFE_SHIFT 40

static struct fn_queue *make(struct fn_queues *qs, const char *name, uint64_t id, unsigned flags)
{
	size_t len = strlen(name);
	struct fn_queue *q = len <= NAME_MOST ? calloc(1, sizeof(*q) + len + 1) : NULL;

	if (!q)
		return NULL;
	memcpy(q->name, name, len + 1);
	q->qs = qs;
	q->id = id;
	q->flags = flags;
	fn_list_init(&q->waiting);
	if (fn_map_set(qs->by_name, name, q, NULL) == 0)
		return q;
	free(q);
	return NULL;
}

/* --- at the start --- */
static int load_row(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	struct fn_queue *q = make(arg, (const char *)sqlite3_column_text(st, 1), (uint64_t)sqlite3_column_int64(st, 0), (unsigned)sqlite3_column_int(st, 2));

	if (!q)
		return fn_err_set(err, ENOMEM, "load queues", NULL);
	q->counts = (struct fn_queue_counts){.ready = (uint64_t)sqlite3_column_int64(st, 3),
					     .leased = (uint64_t)sqlite3_column_int64(st, 4),
					     .delayed = (uint64_t)sqlite3_column_int64(st, 5)};
	q->record = (uint64_t)sqlite3_column_int64(st, 6);
	return 0;
}

/* A new range of ids; and what was leased, where leases do not outlive the process, is ready. */
static const char begin_life[] =
	"UPDATE queue_opens SET n=n+1;"
	"UPDATE messages SET state=0, ord=pos WHERE state=2 AND queue IN (SELECT inner FROM queues WHERE flags&2 AND leased>0);"
	"UPDATE queue_groups SET (leased, ready)=(SELECT 0, state=0 FROM messages WHERE grp=queue_groups.id ORDER BY pos LIMIT 1)"
	" WHERE leased>0 AND queue IN (SELECT inner FROM queues WHERE flags&2);"
	"UPDATE queues SET ready=ready+leased, leased=0 WHERE flags&2 AND leased>0;";

/* --- what was put and is only in the redo log --- */
struct replay {
	struct fn_queues *qs;
	struct fn_queue_rows rows; /* of the connection that is used now */
	struct fn_queue_effects **effects; /* one for each message */
	size_t n;
};

static struct fn_queue *by_id(struct fn_queues *qs, uint64_t id)
{
	struct fn_queue *q;
	size_t it = 0;

	while ((q = fn_map_next(qs->by_name, &it)) && q->id != id)
		;
	return q;
}

/* Not of a queue that is gone: its removal came later, or nobody was told that the message is there. */
static int replay_put(void *arg, sqlite3 *db, uint64_t number, const void *data, size_t len, struct fn_err *err)
{
	struct replay *p = arg;
	struct fn_queue_put_entry entry;
	struct fn_queue_step s;
	struct fn_queue_touched *q;
	struct fn_queue_effects **more;
	struct fn_queue *queue;
	struct fn_queue_tx tx;
	int r;

	if (len < sizeof(entry))
		return fn_err_set(err, EBADMSG, "redo log", "an entry is too short");
	memcpy(&entry, data, sizeof(entry));
	if ((uint64_t)entry.meta_len + entry.body_len != len - sizeof(entry))
		return fn_err_set(err, EBADMSG, "redo log", "an entry's lengths are not its own");
	if (!(queue = by_id(p->qs, entry.queue)) || queue->record >= number)
		return 0;
	if (!(more = realloc(p->effects, (p->n + 1) * sizeof(struct fn_queue_effects *))))
		return fn_err_set(err, ENOMEM, "redo log", NULL);
	p->effects = more;
	p->effects[p->n] = NULL;
	s = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = queue, .at_us = entry.at_us, .sent_us = entry.sent_us, .meta = (const char *)data + sizeof(entry), .meta_len = entry.meta_len};
	s.body = (const char *)s.meta + entry.meta_len;
	s.body_len = entry.body_len;
	memcpy(s.uid, entry.uid, sizeof(s.uid));
	r = fn_queue_tx_begin(&tx, &p->rows, db, &p->effects[p->n++], err);
	tx.record = number;
	if (r == 0)
		r = fn_queue_tx_queue(&tx, queue, &q);
	if (r == 0)
		r = fn_queue_insert(&tx, q, &s, 0);
	if (r == 0)
		r = fn_queue_tx_end(&tx);
	return r < 0 ? r : 1;
}

static int replay(struct fn_queues *qs, sqlite3 *db, struct fn_err *err)
{
	struct replay p = {.qs = qs, .rows.last_id = qs->rows.last_id};
	int64_t last = 0;
	int r = fn_db_number(db, "SELECT max(record) FROM queues", &last, err);

	if (r == 0)
		r = fn_db_writer_use_redo(qs->writer, db, (uint64_t)last, replay_put, &p, err);
	for (size_t i = 0; i < p.n; i++) {
		if (r == 0)
			fn_queue_apply(p.effects[i]);
		fn_queue_effects_free(p.effects[i]);
	}
	free(p.effects);
	qs->rows.last_id = p.rows.last_id;
	qs->rows.seq = p.rows.seq;
	fn_queue_sql_free(&p.rows.sql);
	return r;
}

static int load(struct fn_queues *qs, sqlite3 *db, struct fn_err *err)
{
	int64_t opens = 0, garbage = 0;
	int r = fn_db_exec(db, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	r = fn_db_end(db, fn_db_exec(db, begin_life, err), err);
	if (r == 0)
		r = fn_db_number(db, "SELECT n FROM queue_opens", &opens, err);
	if (r == 0)
		r = fn_db_number(db, "SELECT count(*) FROM queue_garbage", &garbage, err);
	if (r == 0)
		r = fn_db_each(db, "SELECT id, name, flags, ready, leased, delayed, record FROM queues", "load queues", load_row, qs, err);
	qs->rows.last_id = (uint64_t)opens << LIFE_SHIFT;
	qs->last_queue = (uint64_t)opens << LIFE_SHIFT;
	qs->tidy.more = garbage > 0;
	return r < 0 ? r : replay(qs, db, err);
}

/* --- garbage: a few rows at a time, between what others write --- */
static int drop_rows(struct fn_queue_tx *tx, uint64_t inner, unsigned *n)
{
	sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_GARBAGE_MESSAGES, "ii", I(inner), I(TIDY_AT_ONCE));
	uint64_t ids[TIDY_AT_ONCE];
	int r = 0;

	*n = 0;
	while (*n < TIDY_AT_ONCE && (r = fn_queue_row(st, tx->err)) > 0)
		ids[(*n)++] = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	for (unsigned i = 0; i < *n && r >= 0; i++) {
		r = fn_queue_exec(SQL(tx), QS_MESSAGE_DROP, "i", I(ids[i]));
		if (r == 0)
			r = fn_queue_exec(SQL(tx), QS_BODY_DROP, "i", I(ids[i]));
	}
	return r < 0 ? r : 0;
}

static int run_tidy(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct fn_queue_tidy *t = fn_list_entry(w, struct fn_queue_tidy, w);
	struct fn_queue_tx tx = {.rows = &t->qs->rows, .db = db, .err = err};
	sqlite3_stmt *st = fn_queue_bind(SQL(&tx), QS_GARBAGE, "");
	int r = fn_queue_row(st, err);
	uint64_t inner;
	unsigned n;

	t->more = r > 0;
	if (r <= 0)
		return r;
	inner = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	r = drop_rows(&tx, inner, &n);
	if (r == 0)
		r = fn_queue_exec(SQL(&tx), QS_GARBAGE_GROUPS, "ii", I(inner), I(TIDY_AT_ONCE));
	if (r == 0)
		n += (unsigned)sqlite3_changes(db);
	if (r == 0)
		r = fn_queue_exec(SQL(&tx), QS_GARBAGE_DEDUP, "ii", I(inner), I(TIDY_AT_ONCE));
	if (r == 0)
		n += (unsigned)sqlite3_changes(db);
	if (r == 0)
		r = fn_queue_exec(SQL(&tx), QS_GARBAGE_ATTEMPTS, "ii", I(inner), I(TIDY_AT_ONCE));
	if (r == 0)
		n += (unsigned)sqlite3_changes(db);
	if (r == 0 && n == 0)
		r = fn_queue_exec(SQL(&tx), QS_GARBAGE_DROP, "i", I(inner));
	return r;
}

static void on_tidied(struct fn_db_write *w, const struct fn_err *err);

static void tidy(struct fn_queues *qs)
{
	if (qs->tidy.under_way) {
		qs->tidy.again = true;
		return;
	}
	qs->tidy.under_way = true;
	qs->tidy.again = false;
	qs->tidy.w = (struct fn_db_write){.run = run_tidy, .done = on_tidied};
	fn_db_write(qs->writer, &qs->tidy.w);
}

static void on_tidied(struct fn_db_write *w, const struct fn_err *err)
{
	struct fn_queue_tidy *t = fn_list_entry(w, struct fn_queue_tidy, w);

	t->under_way = false;
	if (!t->qs->stopped && (t->again || (!err && t->more))) /* after an error: with the next purge, or start */
		tidy(t->qs);
}

/* --- the life of the whole --- */
int fn_queues_new(struct fn_loop *loop, struct fn_db_writer *writer, const char *path, struct fn_queues **ret, struct fn_err *err)
{
	struct fn_queues *qs = calloc(1, sizeof(*qs));
	struct fn_queue *q;
	sqlite3 *db = NULL;
	int r;

	if (!qs || fn_map_new(&qs->by_name) < 0) {
		free(qs);
		return fn_err_set(err, ENOMEM, "queues", NULL);
	}
	qs->loop = loop;
	qs->writer = writer;
	qs->tidy.qs = qs;
	r = fn_db_open_again(path, "queues", &db, err);
	if (r == 0)
		r = load(qs, db, err);
	sqlite3_close(db);
	if (r < 0) {
		fn_queues_free(qs);
		return r;
	}
	if (qs->tidy.more)
		tidy(qs);
	for (size_t it = 0; (q = fn_map_next(qs->by_name, &it));)
		if (q->counts.leased || q->counts.delayed) /* when is the first due? */
			fn_queue_tick(q);
	*ret = qs;
	return 0;
}

void fn_queues_stop(struct fn_queues *qs)
{
	struct fn_queue *q;
	size_t it = 0;

	qs->stopped = true;
	while ((q = fn_map_next(qs->by_name, &it)))
		fn_queue_end_waiting(q, ECANCELED);
}

void fn_queues_free(struct fn_queues *qs)
{
	struct fn_queue *q;
	size_t it = 0;

	if (!qs)
		return;
	while ((q = fn_map_next(qs->by_name, &it))) {
		fn_loop_clear(qs->loop, &q->timer);
		free(q);
	}
	fn_map_free(qs->by_name);
	fn_queue_sql_free(&qs->rows.sql);
	free(qs);
}

/* --- one queue --- */
struct order {
	struct fn_db_write w;
	struct fn_queue *q;
	int (*also)(void *arg, sqlite3 *db, struct fn_err *err);
	void (*done)(void *arg, const struct fn_err *err);
	void *arg;
	struct fn_queue_effects *effects;
	bool drop;
};

struct fn_queue *fn_queue_get(struct fn_queues *qs, const char *name, unsigned flags)
{
	struct fn_queue *q = fn_map_get(qs->by_name, name);

	if (q)
		return q;
	if (!(q = make(qs, name, ++qs->last_queue, flags)))
		return NULL;
	q->missing = true;
	fn_queue_ensure(q);
	return q;
}

struct fn_queue *fn_queue_find(struct fn_queues *qs, const char *name) { return fn_map_get(qs->by_name, name); }
struct fn_queue *fn_queue_next(struct fn_queues *qs, size_t *it) { return fn_map_next(qs->by_name, it); }
const char *fn_queue_name(const struct fn_queue *q) { return q->name; }

/* A message whose lease is known before its putting: there is one less than none for a moment. */
static uint64_t counted(uint64_t n) { return (int64_t)n < 0 ? 0 : n; }

void fn_queue_count(const struct fn_queue *q, struct fn_queue_counts *ret)
{
	*ret = (struct fn_queue_counts){.ready = counted(q->counts.ready), .leased = counted(q->counts.leased), .delayed = counted(q->counts.delayed)};
}

static int run_empty(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct order *o = fn_list_entry(w, struct order, w);
	struct fn_queues *qs = o->q->qs;
	struct fn_queue_touched *t;
	struct fn_queue_tx tx;
	int r = fn_queue_tx_begin(&tx, &qs->rows, db, &o->effects, err);

	if (r < 0 || (r = fn_queue_tx_queue(&tx, o->q, &t)) < 0)
		return r;
	t->ready = -(int64_t)t->n_ready;
	t->leased = -(int64_t)t->n_leased;
	t->delayed = -(int64_t)t->n_delayed;
	t->due_exact = true;
	r = fn_queue_exec(SQL(&tx), QS_GARBAGE_ADD, "i", I(t->inner));
	if (r == 0)
		r = o->drop ? fn_queue_exec(SQL(&tx), QS_QUEUE_DROP, "i", I(o->q->id)) :
			      fn_queue_exec(SQL(&tx), QS_QUEUE_INNER, "ii", I(o->q->id), I(++qs->rows.last_id));
	if (r == 0)
		r = fn_queue_tx_end(&tx);
	return r == 0 && o->also ? o->also(o->arg, db, err) : r;
}

static void on_emptied(struct fn_db_write *w, const struct fn_err *err)
{
	struct order *o = fn_list_entry(w, struct order, w);
	struct fn_queues *qs = o->q->qs;

	if (!err) {
		fn_queue_apply(o->effects);
		tidy(qs);
	}
	fn_queue_effects_free(o->effects);
	if (o->drop && err && !fn_map_get(qs->by_name, o->q->name) && fn_map_set(qs->by_name, o->q->name, o->q, NULL) == 0) {
		o->q->dropped = false; /* it is still there */
	} else if (o->drop) {
		fn_queue_end_waiting(o->q, ENOENT);
		free(o->q);
	}
	if (o->done)
		o->done(o->arg, err);
	free(o);
}

static void empty(struct fn_queue *q, bool drop, int (*also)(void *arg, sqlite3 *db, struct fn_err *err),
		  void (*done)(void *arg, const struct fn_err *err), void *arg)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		abort(); /* some bytes; who has asked has nothing to fall back on */
	fn_queue_ensure(q);
	*o = (struct order){.w = {.run = run_empty, .done = on_emptied}, .q = q, .also = also, .done = done, .arg = arg, .drop = drop};
	fn_db_write(q->qs->writer, &o->w);
}

void fn_queue_purge(struct fn_queue *q, void (*done)(void *arg, const struct fn_err *err), void *arg) { empty(q, false, NULL, done, arg); }

void fn_queue_drop(struct fn_queue *q, int (*also)(void *arg, sqlite3 *db, struct fn_err *err), void (*done)(void *arg, const struct fn_err *err), void *arg)
{
	struct fn_queue *other;
	size_t it = 0;

	q->dropped = true;
	(void)fn_map_remove(q->qs->by_name, q->name);
	while ((other = fn_map_next(q->qs->by_name, &it))) /* leases that wait elsewhere, with this one for their dead letters */
		fn_list_for_each(l, &other->waiting) fn_queue_lease_without(fn_list_entry(l, struct fn_queue_lease, link), q);
	fn_queue_end_waiting(q, ENOENT);
	empty(q, true, also, done, arg);
}

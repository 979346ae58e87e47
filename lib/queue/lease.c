/* lease.c - leases: in the writer's thread what is ready is taken; on the loop those that found nothing wait, in the order in which they came. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/internal.h"

/* How much of what is due, too old or dead one lease looks at beside what it takes. */
#define LOOK_AT 256
#define DUE_AT_MOST_US 60000000u /* clocks are set now and then */
#define AFTER_FAILURE_US 1000000u

void fn_queue_taken_free(struct fn_queue_taken *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->n; i++) {
		free((void *)t->v[i].source);
		free((void *)t->v[i].meta);
		free((void *)t->v[i].note);
	}
	free(t->v);
	free(t);
}

/* --- the writer's thread --- */
static void copy_text(char *to, const void *data, size_t len)
{
	if (len)
		memcpy(to, data, len);
	to[len] = '\0';
}

static int read_body(struct fn_queue_tx *tx, sqlite3_stmt *st, struct fn_queue_message *m)
{
	char *p;

	m->meta_len = (size_t)sqlite3_column_bytes(st, 0);
	m->body_len = (size_t)sqlite3_column_bytes(st, 1);
	if (!(p = malloc(m->meta_len + m->body_len + 2)))
		return fn_err_set(tx->err, ENOMEM, "queue", NULL);
	m->meta = p;
	m->body = p + m->meta_len + 1;
	copy_text(p, sqlite3_column_blob(st, 0), m->meta_len);
	copy_text(p + m->meta_len + 1, sqlite3_column_blob(st, 1), m->body_len);
	return 0;
}

int fn_queue_take(struct fn_queue_tx *tx, struct fn_queue_taken *t, struct fn_queue_row *m, size_t limit)
{
	sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_BODY_GET, "i", I(m->id));
	int r = fn_queue_row(st, tx->err);
	struct fn_queue_message *to;
	size_t bytes;

	if (r <= 0)
		return r < 0 ? r : fn_err_set(tx->err, EBADMSG, "queue", "a message has no body");
	bytes = (size_t)sqlite3_column_bytes(st, 0) + (size_t)sqlite3_column_bytes(st, 1);
	if (limit && t->n && t->bytes + bytes > limit) {
		sqlite3_reset(st);
		return 1;
	}
	if (t->n == t->cap) {
		unsigned cap = t->cap ? t->cap * 2 : 10;
		void *v = realloc(t->v, cap * sizeof(*t->v));

		if (!v) {
			sqlite3_reset(st);
			return fn_err_set(tx->err, ENOMEM, "queue", NULL);
		}
		t->v = v;
		t->cap = cap;
	}
	to = &t->v[t->n];
	*to = (struct fn_queue_message){.id = m->id, .receives = m->receives, .pos = m->pos, .sent_us = m->sent_us, .first_us = m->first_us, .until_us = m->ord};
	memcpy(to->uid, m->uid, sizeof(to->uid));
	r = read_body(tx, st, to);
	sqlite3_reset(st);
	if (r < 0)
		return r;
	to->source = m->source;
	to->note = m->note;
	to->note_len = m->note_len;
	m->source = m->note = NULL;
	t->bytes += bytes;
	t->n++;
	return 0;
}

int fn_queue_give(struct fn_queue_tx *tx, struct fn_queue_touched *q, struct fn_queue_step *s)
{
	struct fn_queue_lease *l = s->lease;
	struct fn_queue_taken *t = calloc(1, sizeof(*t));
	struct fn_queue_message *m = t ? calloc(1, sizeof(*m)) : NULL;
	char *p = m ? malloc(s->meta_len + s->body_len + 2) : NULL;
	uint64_t until_us = tx->now_us + l->for_us;
	int r = p ? fn_queue_insert(tx, q, s, until_us) : fn_err_set(tx->err, ENOMEM, "queue", NULL);

	if (r < 0) {
		free(t);
		free(m);
		free(p);
		return r;
	}
	*m = (struct fn_queue_message){.id = s->pos, .receives = 1, .pos = s->pos, .sent_us = s->sent_us, .first_us = tx->now_us, .until_us = until_us, .meta = p, .meta_len = s->meta_len,
				       .body = p + s->meta_len + 1, .body_len = s->body_len};
	memcpy(m->uid, s->uid, sizeof(m->uid));
	copy_text(p, s->meta, s->meta_len);
	copy_text(p + s->meta_len + 1, s->body, s->body_len);
	if (s->note && (m->note = malloc(s->note_len + 1))) {
		copy_text((char *)m->note, s->note, s->note_len);
		m->note_len = s->note_len;
	}
	*t = (struct fn_queue_taken){.v = m, .n = 1, .cap = 1, .bytes = s->meta_len + s->body_len};
	fn_queue_taken_free(l->taken);
	l->taken = t;
	l->given = true;
	return 0;
}

/* 1: what it was given is there, that is, the put has not been undone. */
static int has_given(struct fn_queue_lease *l, struct fn_queue_tx *tx)
{
	struct fn_queue_row m;
	int r;

	if (!l->given)
		return 0;
	l->given = false;
	if ((r = fn_queue_read(tx, fn_queue_bind(SQL(tx), QS_MESSAGE_GET, "i", I(l->taken->v[0].id)), &m)) <= 0)
		return r;
	fn_queue_row_free(&m);
	if (!(tx->effects->v = calloc(1, sizeof(*tx->effects->v))))
		abort(); /* else it would be leased by nobody; the next process has it ready */
	tx->effects->v[0] = (struct fn_queue_touched){.queue = l->queue, .empty = true};
	tx->effects->n = 1;
	return 1;
}

/* 1: it has to stay, for there is no room for more. */
static int take_one(struct fn_queue_lease *l, struct fn_queue_tx *tx, struct fn_queue_row *m)
{
	struct fn_queue_touched *q;
	int r = fn_queue_tx_queue(tx, l->queue, &q);

	if (r < 0)
		return r;
	if (m->sent_us < l->oldest_us)
		return fn_queue_delete(tx, q, m);
	if (l->most_receives && m->receives >= l->most_receives)
		return l->dead ? fn_queue_relocate(tx, l->queue, l->dead, m, false) : fn_queue_delete(tx, q, m);
	m->receives++;
	m->first_us = m->first_us ? m->first_us : tx->now_us;
	m->ord = tx->now_us + l->for_us;
	if ((r = fn_queue_take(tx, l->taken, m, l->bytes)) != 0)
		return r;
	return fn_queue_set_leased(tx, q, m);
}

static int take_ready(struct fn_queue_lease *l, struct fn_queue_tx *tx, uint64_t inner)
{
	int r = 0;

	for (unsigned looked = 0; r == 0 && l->taken->n < l->n && looked < l->n + LOOK_AT; looked++) {
		struct fn_queue_row m;

		if ((r = fn_queue_read(tx, fn_queue_bind(SQL(tx), QS_READY, "i", I(inner)), &m)) <= 0)
			return r;
		r = take_one(l, tx, &m);
		fn_queue_row_free(&m);
	}
	return r < 0 ? r : 0;
}

/* Its first messages, up to one that is not ready: that one is held by another, or delayed. 1: there is no room for more. */
static int take_group(struct fn_queue_lease *l, struct fn_queue_tx *tx, uint64_t group, unsigned *looked)
{
	unsigned had = l->taken->n;
	uint64_t pos = 0;
	int r = 0;

	for (; r == 0 && l->taken->n < l->n && *looked < l->n + LOOK_AT; ++*looked) {
		struct fn_queue_row m;
		bool ready;

		if ((r = fn_queue_read(tx, fn_queue_bind(SQL(tx), QS_IN_GROUP, "ii", I(group), I(pos)), &m)) < 0)
			return r;
		if (r == 0)
			break;
		pos = m.pos;
		ready = m.state == READY;
		r = ready ? take_one(l, tx, &m) : 0;
		fn_queue_row_free(&m);
		if (!ready)
			break;
	}
	if (r >= 0 && l->taken->n > had && fn_queue_exec(SQL(tx), QS_GROUP_TURN, "ii", I(group), I(++tx->rows->last_id)) < 0)
		return -tx->err->code;
	return r;
}

/* Of one group after the other; who has been served goes behind the others, so that what is given back again and again keeps none from its turn. */
static int take_groups(struct fn_queue_lease *l, struct fn_queue_tx *tx, uint64_t inner)
{
	unsigned looked = 0;
	int r = 0;

	while (r == 0 && l->taken->n < l->n && looked < l->n + LOOK_AT) {
		sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_GROUP_READY, "i", I(inner));
		unsigned before = looked;
		uint64_t group;

		if ((r = fn_queue_row(st, tx->err)) <= 0)
			return r;
		group = (uint64_t)sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
		r = take_group(l, tx, group, &looked);
		if (looked == before)
			break;
	}
	return r < 0 ? r : 0;
}

/* --- what was leased under the name of an attempt --- */
struct lent {
	uint64_t id, receives;
};

static int keep_attempt(struct fn_queue_lease *l, struct fn_queue_tx *tx, uint64_t inner)
{
	struct lent *v = calloc(l->taken->n, sizeof(*v));
	int r = v ? fn_queue_exec(SQL(tx), QS_ATTEMPT_TRIM, "i", I(tx->now_us)) : fn_err_set(tx->err, ENOMEM, "queue", NULL);

	for (unsigned i = 0; v && i < l->taken->n; i++)
		v[i] = (struct lent){l->taken->v[i].id, l->taken->v[i].receives};
	if (r >= 0)
		r = fn_queue_exec(SQL(tx), QS_ATTEMPT_SET, "isib", I(inner), l->attempt, I(tx->now_us + l->attempt_us), (const void *)v, l->taken->n * sizeof(*v));
	free(v);
	return r < 0 ? r : 0;
}

/* *ret: malloc'ed; NULL: nothing (any more). */
static int read_attempt(struct fn_queue_lease *l, struct fn_queue_tx *tx, uint64_t inner, struct lent **ret, unsigned *ret_n)
{
	sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_ATTEMPT_GET, "isi", I(inner), l->attempt, I(tx->now_us));
	int r = fn_queue_row(st, tx->err);
	size_t bytes;

	*ret = NULL;
	*ret_n = 0;
	if (r <= 0)
		return r;
	bytes = (size_t)sqlite3_column_bytes(st, 0);
	*ret = bytes ? malloc(bytes) : NULL;
	if (*ret)
		memcpy(*ret, sqlite3_column_blob(st, 0), bytes);
	*ret_n = *ret ? (unsigned)(bytes / sizeof(**ret)) : 0;
	sqlite3_reset(st);
	return bytes && !*ret ? fn_err_set(tx->err, ENOMEM, "queue", NULL) : 0;
}

/* 1: it is as it was leased then. */
static int read_lent(struct fn_queue_tx *tx, uint64_t inner, const struct lent *v, struct fn_queue_row *m)
{
	int r = fn_queue_read(tx, fn_queue_bind(SQL(tx), QS_MESSAGE_GET, "i", I(v->id)), m);

	if (r <= 0)
		return r;
	if (m->queue == inner && m->state == LEASED && m->receives == v->receives && m->ord > tx->now_us)
		return 1;
	fn_queue_row_free(m);
	return 0;
}

/* All of them or none. */
static int take_again(struct fn_queue_lease *l, struct fn_queue_tx *tx, struct fn_queue_touched *q)
{
	struct fn_queue_row m;
	uint64_t inner = q->inner;
	struct lent *v;
	unsigned n, same = 0;
	int r = read_attempt(l, tx, inner, &v, &n);

	for (; r >= 0 && same < n && (r = read_lent(tx, inner, &v[same], &m)) > 0; same++)
		fn_queue_row_free(&m);
	for (unsigned i = 0; r >= 0 && same == n && i < n; i++) {
		if ((r = read_lent(tx, inner, &v[i], &m)) <= 0)
			break;
		m.ord = tx->now_us + l->for_us;
		if ((r = fn_queue_take(tx, l->taken, &m, 0)) == 0)
			r = fn_queue_set_state(tx, q, &m, LEASED, m.ord);
		fn_queue_row_free(&m);
	}
	free(v);
	return r < 0 ? r : 0;
}

/* What it has left for others. */
static int left(struct fn_queue_tx *tx, struct fn_queue_touched *q)
{
	bool some = (int64_t)q->n_ready + q->ready > 0;
	int r = 0;

	q->freed = 0;
	if (q->flags & FN_QUEUE_FIFO) {
		sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_GROUP_READY, "i", I(q->inner));

		if ((r = fn_queue_row(st, tx->err)) > 0)
			sqlite3_reset(st);
		some = r > 0;
	}
	q->more = q->more || some;
	q->empty = !q->more;
	return r < 0 ? r : 0;
}

static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct fn_queue_lease *l = fn_list_entry(w, struct fn_queue_lease, w);
	struct fn_queue_touched *q;
	struct fn_queue_tx tx;
	bool again;
	int r = fn_queue_tx_begin(&tx, &l->qs->rows, db, &l->effects, err);

	l->limited = false;
	if (r < 0 || (r = has_given(l, &tx)) != 0)
		return r < 0 ? r : 0;
	fn_queue_taken_free(l->taken);
	l->taken = calloc(1, sizeof(*l->taken));
	if (!l->taken)
		return fn_err_set(err, ENOMEM, "queue", NULL);
	if ((r = fn_queue_tx_queue(&tx, l->queue, &q)) < 0 || (r = fn_queue_promote(&tx, q, l->n + LOOK_AT)) < 0)
		return r;
	if (l->attempt && (r = take_again(l, &tx, q)) < 0)
		return r;
	again = l->taken->n > 0;
	l->limited = !again && l->most_leased && q->n_leased + (uint64_t)q->leased >= l->most_leased;
	if (!again && !l->limited)
		r = q->flags & FN_QUEUE_FIFO ? take_groups(l, &tx, q->inner) : take_ready(l, &tx, q->inner);
	if (r == 0)
		r = fn_queue_tx_queue(&tx, l->queue, &q);
	if (r == 0 && l->attempt && l->taken->n && !again)
		r = keep_attempt(l, &tx, q->inner);
	if (r == 0 && l->for_us == 0 && l->taken->n) /* visible all the time, received all the same */
		r = fn_queue_promote(&tx, q, l->n);
	if (r == 0)
		r = left(&tx, q);
	if (r == 0 && (l->asks_due || !l->taken->n))
		r = fn_queue_next_due(&tx, q);
	return r < 0 ? r : fn_queue_tx_end(&tx);
}

/* --- the loop's --- */
static void look(struct fn_queue_lease *l)
{
	l->asks_due = !l->queue->due_known;
	fn_db_write(l->qs->writer, &l->w);
}

static void end(struct fn_queue_lease *l, const struct fn_err *err)
{
	struct fn_queue_taken *taken = l->taken;
	struct fn_queue_effects *effects = l->effects;

	fn_loop_clear(l->qs->loop, &l->timer);
	l->waiting = false;
	l->messages = taken && !err ? taken->v : NULL;
	l->n_messages = taken && !err ? taken->n : 0;
	l->taken = NULL;
	l->effects = NULL;
	l->done(l, err);
	fn_queue_taken_free(taken);
	fn_queue_effects_free(effects);
}

static void on_wait_over(void *arg)
{
	struct fn_queue_lease *l = arg;

	if (!l->waiting)
		return; /* it is looking: its outcome sees that the time is over */
	fn_list_remove(&l->link);
	end(l, NULL);
}

static void on_ticked(struct fn_queue_lease *l, const struct fn_err *err)
{
	(void)err; /* it is tried again */
	l->queue->ticking = false;
}

void fn_queue_tick(struct fn_queue *q)
{
	if (q->ticking || q->dropped)
		return;
	q->ticking = true;
	q->tick = (struct fn_queue_lease){.n = 0, .early = true, .done = on_ticked};
	fn_queue_lease(q, &q->tick);
}

static void on_due(void *arg)
{
	struct fn_queue *q = arg;

	q->due_us = 0;
	q->due_known = false;
	if (!fn_queue_pump(q, 1))
		fn_queue_tick(q);
}

static void arm(struct fn_queue *q)
{
	uint64_t now_us = fn_clock_real_us(), in_us, at_us;

	if (!q->due_us || q->dropped || q->qs->stopped)
		return;
	in_us = q->due_us > now_us ? q->due_us - now_us : 0;
	at_us = fn_clock_mono_us() + (in_us < DUE_AT_MOST_US ? in_us : DUE_AT_MOST_US);
	if (q->timer)
		(void)fn_loop_rearm_timer(q->qs->loop, q->timer, at_us);
	else
		(void)fn_loop_add_timer(q->qs->loop, at_us, on_due, q, &q->timer);
}

struct fn_queue_lease *fn_queue_pump_one(struct fn_queue *q)
{
	struct fn_queue_lease *l = fn_list_empty(&q->waiting) ? NULL : fn_list_entry(fn_list_first(&q->waiting), struct fn_queue_lease, link);

	if (!l)
		return NULL;
	fn_list_remove(&l->link);
	l->waiting = false;
	look(l);
	return l;
}

unsigned fn_queue_pump(struct fn_queue *q, unsigned n)
{
	unsigned k = 0;

	while (k < n && fn_queue_pump_one(q))
		k++;
	return k;
}

void fn_queue_apply(const struct fn_queue_effects *e)
{
	for (unsigned i = 0; e && i < e->n; i++) {
		const struct fn_queue_touched *t = &e->v[i];
		struct fn_queue *q = t->queue;

		q->counts.ready += (uint64_t)t->ready;
		q->counts.leased += (uint64_t)t->leased;
		q->counts.delayed += (uint64_t)t->delayed;
		if ((t->due_exact && e->seq > q->seq) || (t->due_us && (!q->due_us || t->due_us < q->due_us))) {
			q->due_us = t->due_us;
			arm(q);
		}
		if (e->seq > q->seq)
			q->seq = e->seq;
		if (t->freed + t->more && e->seq > q->freed_seq)
			q->freed_seq = e->seq;
		q->due_known = q->due_known || t->due_exact;
		if (t->empty && e->seq > q->empty_seq)
			q->empty_seq = e->seq;
		(void)fn_queue_pump(q, t->freed + t->more);
	}
}

/* False: no memory. */
static bool wait_on(struct fn_queue_lease *l)
{
	struct fn_queue *q = l->queue;

	if (l->dead && l->dead->dropped)
		fn_queue_lease_without(l, l->dead);
	if (l->wait_until_us != UINT64_MAX && !l->timer && fn_loop_add_timer(l->qs->loop, l->wait_until_us, on_wait_over, l, &l->timer) < 0)
		return false;
	l->waiting = true;
	if (l->again) /* its place is where it was */
		fn_list_push_front(&q->waiting, &l->link);
	else
		fn_list_push_back(&q->waiting, &l->link);
	l->again = true;
	arm(q);
	return true;
}

/* What a lease has left nothing of, and nothing has been freed in since: whoever frees something from now on wakes those that wait. */
static bool known_empty(const struct fn_queue_lease *l)
{
	const struct fn_queue *q = l->queue;

	if (q->empty_seq == 0 || q->empty_seq < q->freed_seq || !q->due_known || q->missing || q->dropped || q->qs->stopped)
		return false;
	if (q->due_us && q->due_us <= fn_clock_real_us()) /* the clock has been set, or the machine has slept: the timer does not know */
		return false;
	return !l->attempt && (!l->most_leased || q->counts.leased < l->most_leased);
}

/* It has failed: what it was to take may be there, for those that wait, too. */
static void forget_empty(const struct fn_queue_lease *l)
{
	uint64_t at_us = fn_clock_real_us() + AFTER_FAILURE_US;
	struct fn_queue *q = l->queue;

	if (!q->due_us || at_us < q->due_us)
		q->due_us = at_us;
	q->due_known = false;
	arm(q);
	q->empty_seq = 0;
	if (l->effects && l->effects->seq > q->freed_seq)
		q->freed_seq = l->effects->seq;
}

static void on_outcome(struct fn_db_write *w, const struct fn_err *err)
{
	struct fn_queue_lease *l = fn_list_entry(w, struct fn_queue_lease, w);
	struct fn_err why = {.code = l->queue->dropped ? ENOENT : ECANCELED, .stage = "queue"};
	bool none = !err && l->taken->n == 0, ends = l->queue->dropped || l->qs->stopped;

	if (!err)
		fn_queue_apply(l->effects);
	else
		forget_empty(l);
	if (none && !l->limited && l->wait_until_us > fn_clock_mono_us() && !ends) {
		if (l->effects->seq < l->queue->freed_seq) /* what was freed since is told already */
			look(l);
		else if (!wait_on(l))
			end(l, &(struct fn_err){.code = ENOMEM, .stage = "queue"});
	} else {
		end(l, none && ends ? &why : err);
	}
}

void fn_queue_lease(struct fn_queue *q, struct fn_queue_lease *l)
{
	fn_queue_ensure(q);
	l->queue = q;
	l->qs = q->qs;
	l->w.run = run;
	l->w.redo = NULL;
	l->w.done = on_outcome;
	l->w.lazy = false;
	l->w.early = l->early;
	l->taken = NULL;
	l->effects = NULL;
	l->timer = 0;
	l->waiting = l->again = l->given = false;
	l->link = (struct fn_list){0};
	if (l->wait_until_us <= fn_clock_mono_us() || !known_empty(l) || !wait_on(l))
		look(l);
}

bool fn_queue_lease_cancel(struct fn_queue_lease *l)
{
	if (!l->waiting) {
		l->wait_until_us = 0;
		return false;
	}
	fn_list_remove(&l->link);
	l->waiting = false;
	fn_loop_clear(l->qs->loop, &l->timer);
	fn_queue_taken_free(l->taken);
	fn_queue_effects_free(l->effects);
	l->taken = NULL;
	l->effects = NULL;
	return true;
}

void fn_queue_end_waiting(struct fn_queue *q, int code)
{
	struct fn_err err = {.code = code, .stage = "queue"};

	while (!fn_list_empty(&q->waiting)) {
		struct fn_queue_lease *l = fn_list_entry(fn_list_first(&q->waiting), struct fn_queue_lease, link);

		fn_list_remove(&l->link);
		end(l, &err);
	}
	fn_loop_clear(q->qs->loop, &q->timer);
}

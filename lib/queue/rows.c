/* rows.c - see rows.h. */
#include "queue/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

void fn_queue_effects_free(struct fn_queue_effects *e)
{
	if (!e)
		return;
	free(e->v);
	free(e);
}

void fn_queue_row_free(struct fn_queue_row *r)
{
	free(r->source);
	free(r->note);
	r->source = r->note = NULL;
}

int fn_queue_tx_begin(struct fn_queue_tx *tx, struct fn_queue_rows *rows, sqlite3 *db, struct fn_queue_effects **effects, struct fn_err *err)
{
	fn_queue_effects_free(*effects);
	*effects = calloc(1, sizeof(**effects));
	*tx = (struct fn_queue_tx){.rows = rows, .db = db, .err = err, .effects = *effects, .now_us = fn_clock_real_us()};
	if (!*effects)
		return fn_err_set(err, ENOMEM, "queue", NULL);
	(*effects)->seq = ++rows->seq;
	return 0;
}

int fn_queue_tx_end(struct fn_queue_tx *tx)
{
	int r = 0;

	for (unsigned i = 0; i < tx->effects->n && r == 0; i++) {
		struct fn_queue_touched *q = &tx->effects->v[i];

		if (q->ready || q->leased || q->delayed)
			r = fn_queue_exec(SQL(tx), QS_QUEUE_COUNTS, "iiiii", I(q->queue->id), q->ready, q->leased, q->delayed, I(tx->record));
	}
	return r;
}

int fn_queue_tx_queue(struct fn_queue_tx *tx, struct fn_queue *queue, struct fn_queue_touched **ret)
{
	struct fn_queue_effects *e = tx->effects;
	struct fn_queue_touched *v;
	sqlite3_stmt *st;
	int r;

	for (unsigned i = 0; i < e->n; i++)
		if (e->v[i].queue == queue) {
			*ret = &e->v[i];
			return 0;
		}
	st = fn_queue_bind(SQL(tx), QS_QUEUE, "i", I(queue->id));
	if ((r = fn_queue_row(st, tx->err)) <= 0)
		return r < 0 ? r : fn_err_set(tx->err, ENOENT, "queue", "there is no such queue");
	if (!(v = realloc(e->v, (e->n + 1) * sizeof(*v)))) {
		sqlite3_reset(st);
		return fn_err_set(tx->err, ENOMEM, "queue", NULL);
	}
	e->v = v;
	v[e->n] = (struct fn_queue_touched){.queue = queue,
					    .inner = (uint64_t)sqlite3_column_int64(st, 0),
					    .flags = (unsigned)sqlite3_column_int(st, 1),
					    .n_ready = (uint64_t)sqlite3_column_int64(st, 2),
					    .n_leased = (uint64_t)sqlite3_column_int64(st, 3),
					    .n_delayed = (uint64_t)sqlite3_column_int64(st, 4)};
	sqlite3_reset(st);
	*ret = &v[e->n++];
	return 0;
}

static int copy(sqlite3_stmt *st, int column, void **ret, size_t *len)
{
	size_t n = (size_t)sqlite3_column_bytes(st, column);

	*ret = NULL;
	*len = n;
	if (sqlite3_column_type(st, column) == SQLITE_NULL)
		return 0;
	if (!(*ret = malloc(n + 1)))
		return -ENOMEM;
	if (n)
		memcpy(*ret, sqlite3_column_blob(st, column), n);
	((char *)*ret)[n] = '\0';
	return 0;
}

int fn_queue_read(struct fn_queue_tx *tx, sqlite3_stmt *st, struct fn_queue_row *ret)
{
	struct fn_queue_row m = {0};
	size_t len;
	int r = fn_queue_row(st, tx->err);

	if (r <= 0)
		return r;
	m.id = (uint64_t)sqlite3_column_int64(st, 0);
	m.queue = (uint64_t)sqlite3_column_int64(st, 1);
	m.state = sqlite3_column_int(st, 2);
	m.ord = (uint64_t)sqlite3_column_int64(st, 3);
	m.pos = (uint64_t)sqlite3_column_int64(st, 4);
	m.group = (uint64_t)sqlite3_column_int64(st, 5);
	m.receives = (uint32_t)sqlite3_column_int64(st, 6);
	m.sent_us = (uint64_t)sqlite3_column_int64(st, 7);
	m.first_us = (uint64_t)sqlite3_column_int64(st, 8);
	m.leased_us = (uint64_t)sqlite3_column_int64(st, 9);
	if (sqlite3_column_bytes(st, 10) == (int)sizeof(m.uid))
		memcpy(m.uid, sqlite3_column_blob(st, 10), sizeof(m.uid));
	if (copy(st, 11, (void **)&m.source, &len) < 0 || copy(st, 12, &m.note, &m.note_len) < 0) {
		fn_queue_row_free(&m);
		sqlite3_reset(st);
		return fn_err_set(tx->err, ENOMEM, "queue", NULL);
	}
	sqlite3_reset(st);
	*ret = m;
	return 1;
}

static void count(struct fn_queue_touched *q, int state, int64_t by)
{
	*(state == READY ? &q->ready : state == LEASED ? &q->leased : &q->delayed) += by;
}

static void due(struct fn_queue_touched *q, uint64_t at_us)
{
	if (!q->due_us || at_us < q->due_us)
		q->due_us = at_us;
}

/* --- groups --- */
/* Its first message's position, just given, is a new one's turn. */
static int find_group(struct fn_queue_tx *tx, const struct fn_queue_touched *q, const char *name, uint64_t *ret)
{
	sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_GROUP_FIND, "is", I(q->inner), name);
	int r = fn_queue_row(st, tx->err);

	if (r > 0) {
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
		return 0;
	}
	if (r == 0)
		r = fn_queue_exec(SQL(tx), QS_GROUP_ADD, "isi", I(q->inner), name, I(tx->rows->last_id));
	if (r == 0)
		*ret = (uint64_t)sqlite3_last_insert_rowid(tx->db);
	return r;
}

static int read_group(struct fn_queue_tx *tx, uint64_t group, int64_t *leased, bool *ready)
{
	sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_GROUP_GET, "i", I(group));
	int r = fn_queue_row(st, tx->err);

	if (r <= 0)
		return r < 0 ? r : fn_err_set(tx->err, EBADMSG, "queue", "a group is missing");
	*leased = sqlite3_column_int64(st, 0);
	*ready = sqlite3_column_int(st, 1);
	sqlite3_reset(st);
	return 0;
}

int fn_queue_group_changed(struct fn_queue_tx *tx, struct fn_queue_touched *q, uint64_t group, int64_t by)
{
	int64_t leased = 0;
	bool was = false, is = false;
	int r = read_group(tx, group, &leased, &was);
	sqlite3_stmt *st;

	if (r < 0)
		return r;
	leased = leased + by > 0 ? leased + by : 0;
	st = fn_queue_bind(SQL(tx), QS_GROUP_HEAD, "i", I(group));
	if ((r = fn_queue_row(st, tx->err)) < 0)
		return r;
	if (r == 0)
		return fn_queue_exec(SQL(tx), QS_GROUP_DROP, "i", I(group));
	is = sqlite3_column_int(st, 0) == READY;
	sqlite3_reset(st);
	q->freed += is && !was;
	return fn_queue_exec(SQL(tx), QS_GROUP_SET, "iii", I(group), leased, I(is));
}

/* --- messages --- */
static int known(struct fn_queue_tx *tx, const struct fn_queue_touched *q, struct fn_queue_step *s)
{
	sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_DEDUP_GET, "isi", I(q->inner), s->dedup, I(tx->now_us));
	int r = fn_queue_row(st, tx->err);

	if (r <= 0)
		return r;
	s->duplicate = true;
	s->pos = (uint64_t)sqlite3_column_int64(st, 1);
	if (sqlite3_column_bytes(st, 0) == (int)sizeof(s->uid))
		memcpy(s->uid, sqlite3_column_blob(st, 0), sizeof(s->uid));
	sqlite3_reset(st);
	return 1;
}

int fn_queue_insert(struct fn_queue_tx *tx, struct fn_queue_touched *q, struct fn_queue_step *s, uint64_t until_us)
{
	int state = until_us ? LEASED : s->at_us > tx->now_us ? DELAYED : READY, r = s->dedup ? known(tx, q, s) : 0;
	uint64_t id, group = 0, leased_us = until_us ? tx->now_us : 0, ord;

	if (r != 0)
		return r < 0 ? r : 0;
	id = s->pos = ++tx->rows->last_id;
	ord = state == LEASED ? until_us : state == DELAYED ? s->at_us : id;
	if (q->flags & FN_QUEUE_FIFO)
		r = find_group(tx, q, s->group ? s->group : "", &group);
	if (r == 0)
		r = fn_queue_exec(SQL(tx), QS_MESSAGE_ADD, group ? "iiiiiiibbii" : "iiiiinibbii", I(id), I(q->inner), I(state), I(ord), I(id), I(group), I(s->sent_us), (const void *)s->uid,
				  sizeof(s->uid), s->note, s->note_len, I(state == LEASED), I(leased_us));
	if (r == 0)
		r = fn_queue_exec(SQL(tx), QS_BODY_ADD, "ibb", I(id), s->meta, s->meta_len, s->body, s->body_len);
	if (r == 0 && s->dedup)
		r = fn_queue_exec(SQL(tx), QS_DEDUP_TRIM, "i", I(tx->now_us));
	if (r == 0 && s->dedup)
		r = fn_queue_exec(SQL(tx), QS_DEDUP_SET, "isibi", I(q->inner), s->dedup, I(tx->now_us + s->dedup_us), (const void *)s->uid, sizeof(s->uid),
				  I(s->pos));
	if (r < 0)
		return r;
	count(q, state, 1);
	if (state != READY)
		due(q, ord);
	if (group)
		return fn_queue_group_changed(tx, q, group, 0);
	q->freed += state == READY;
	return 0;
}

static int state_changed(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m, int state, uint64_t ord)
{
	count(q, m->state, -1);
	count(q, state, 1);
	if (state != READY)
		due(q, ord);
	if (m->group)
		return fn_queue_group_changed(tx, q, m->group, (state == LEASED) - (m->state == LEASED));
	q->freed += state == READY && m->state != READY;
	return 0;
}

int fn_queue_set_state(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m, int state, uint64_t ord)
{
	int r = fn_queue_exec(SQL(tx), QS_MESSAGE_STATE, "iii", I(m->id), I(state), I(ord));

	return r < 0 ? r : state_changed(tx, q, m, state, ord);
}

int fn_queue_give_back(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m)
{
	return fn_queue_set_state(tx, q, m, READY, m->group ? m->pos : ++tx->rows->last_id);
}

int fn_queue_set_leased(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m)
{
	int r = fn_queue_exec(SQL(tx), QS_MESSAGE_LEASE, "iiiii", I(m->id), I(m->ord), I(m->receives), I(m->first_us), I(tx->now_us));

	return r < 0 ? r : state_changed(tx, q, m, LEASED, m->ord);
}

int fn_queue_delete(struct fn_queue_tx *tx, struct fn_queue_touched *q, const struct fn_queue_row *m)
{
	int r = fn_queue_exec(SQL(tx), QS_MESSAGE_DROP, "i", I(m->id));

	if (r == 0)
		r = fn_queue_exec(SQL(tx), QS_BODY_DROP, "i", I(m->id));
	if (r < 0)
		return r;
	count(q, m->state, -1);
	return m->group ? fn_queue_group_changed(tx, q, m->group, -(int64_t)(m->state == LEASED)) : 0;
}

static int group_name(struct fn_queue_tx *tx, uint64_t group, char **ret)
{
	sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_GROUP_GET, "i", I(group));
	int r = fn_queue_row(st, tx->err);
	size_t len;

	if (r <= 0)
		return r < 0 ? r : fn_err_set(tx->err, EBADMSG, "queue", "a group is missing");
	r = copy(st, 2, (void **)ret, &len);
	sqlite3_reset(st);
	return r < 0 ? fn_err_set(tx->err, ENOMEM, "queue", NULL) : 0;
}

int fn_queue_relocate(struct fn_queue_tx *tx, struct fn_queue *from, struct fn_queue *to, const struct fn_queue_row *m, bool anew)
{
	uint64_t pos = ++tx->rows->last_id, group = 0, sent_us;
	struct fn_queue_touched *q;
	uint8_t uid[16];
	char *name = NULL;
	int r = fn_queue_tx_queue(tx, to, &q);

	if (r == 0 && q->flags & FN_QUEUE_FIFO && m->group)
		r = group_name(tx, m->group, &name);
	if (r == 0 && q->flags & FN_QUEUE_FIFO)
		r = find_group(tx, q, name ? name : "", &group);
	free(name);
	if (r < 0)
		return r;
	sent_us = anew || q->flags & FN_QUEUE_FIFO ? tx->now_us : m->sent_us;
	memcpy(uid, m->uid, sizeof(uid));
	if (anew)
		fn_id_uuid_bytes(uid);
	r = fn_queue_exec(SQL(tx), QS_MESSAGE_MOVE, group ? "iiiiiiibs" : "iiiniiibs", I(m->id), I(q->inner), I(pos), I(group), I(anew ? 0 : m->receives),
			  I(sent_us), I(anew ? 0 : m->first_us), (const void *)uid, sizeof(uid), anew ? NULL : from->name);
	if (r < 0)
		return r;
	q->ready++;
	q->freed += !group;
	if (group && (r = fn_queue_group_changed(tx, q, group, 0)) < 0)
		return r;
	if ((r = fn_queue_tx_queue(tx, from, &q)) < 0)
		return r;
	count(q, m->state, -1);
	return m->group ? fn_queue_group_changed(tx, q, m->group, -(int64_t)(m->state == LEASED)) : 0;
}

int fn_queue_promote(struct fn_queue_tx *tx, struct fn_queue_touched *q, unsigned most)
{
	for (int state = DELAYED; state <= LEASED; state++) {
		for (;;) {
			sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_DUE, "iii", I(q->inner), I(state), I(tx->now_us));
			struct fn_queue_row m = {.state = state};
			int r = fn_queue_row(st, tx->err);

			if (r < 0)
				return r;
			if (r == 0)
				break;
			if (most-- == 0) {
				sqlite3_reset(st);
				q->more = true;
				return 0;
			}
			m.id = (uint64_t)sqlite3_column_int64(st, 0);
			m.pos = (uint64_t)sqlite3_column_int64(st, 1);
			m.group = (uint64_t)sqlite3_column_int64(st, 2);
			sqlite3_reset(st);
			if ((r = state == LEASED ? fn_queue_give_back(tx, q, &m) : fn_queue_set_state(tx, q, &m, READY, m.pos)) < 0)
				return r;
		}
	}
	return 0;
}

int fn_queue_next_due(struct fn_queue_tx *tx, struct fn_queue_touched *q)
{
	q->due_us = 0;
	q->due_exact = true;
	for (int state = DELAYED; state <= LEASED; state++) {
		sqlite3_stmt *st = fn_queue_bind(SQL(tx), QS_NEXT_DUE, "ii", I(q->inner), I(state));
		int r = fn_queue_row(st, tx->err);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		due(q, (uint64_t)sqlite3_column_int64(st, 0));
		sqlite3_reset(st);
	}
	return 0;
}

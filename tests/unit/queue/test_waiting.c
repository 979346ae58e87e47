/* Leases that wait: whatever comes between, no message stays ready, and none due, while one waits. */
#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "unit/failing_disk.h"
#include "unit/main.h"
#include "unit/queues.h"

enum { WAITERS = 6, HELD = 64 };
#define FOR_US 600000000u
#define PATIENCE_US 20000000u

static struct fn_queue *q, *other;
static unsigned n_failed;

struct waiter {
	struct fn_queue_lease l;
	bool under_way;
	unsigned n_had;
};
static struct waiter waiters[WAITERS];
static struct held {
	uint64_t id;
	uint32_t receives;
} held[HELD];
static unsigned n_held;

static void open_all(unsigned flags)
{
	make_disk();
	unit_queues_fresh();
	q = fn_queue_get(queues, "a", flags);
	other = fn_queue_get(queues, "b", flags);
}

static void close_all(void)
{
	disk.write = 0;
	unit_queues_close();
	fn_loop_free(loop);
}

static void on_lease(struct fn_queue_lease *l, const struct fn_err *err)
{
	struct waiter *x = fn_list_entry(l, struct waiter, l);

	x->under_way = false;
	x->n_had += l->n_messages;
	n_failed += err && err->code != ECANCELED;
	for (unsigned i = 0; i < l->n_messages && n_held < HELD; i++)
		held[n_held++] = (struct held){l->messages[i].id, l->messages[i].receives};
}

static void begin(struct waiter *x, const struct fn_queue_lease *how)
{
	x->l = *how;
	x->l.done = on_lease;
	x->under_way = true;
	fn_queue_lease(q, &x->l);
}

static void changed(struct fn_queue_change *c, const struct fn_err *err)
{
	n_failed += err != NULL;
	free(c->steps);
	free(c);
}

static void step(struct fn_queue_step how)
{
	struct fn_queue_change *c = calloc(1, sizeof(*c));

	ck_assert_ptr_nonnull(c);
	c->steps = malloc(sizeof(how));
	ck_assert_ptr_nonnull(c->steps);
	*c->steps = how;
	c->n = 1;
	c->lazy = rand() % 4 == 0;
	c->done = changed;
	fn_queue_change(queues, c);
}

static void put(struct fn_queue *to, uint64_t at_us, const char *group)
{
	step((struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = to, .body = "x", .body_len = 1, .at_us = at_us, .group = group, .sent_us = fn_clock_real_us()});
}

static int64_t number(const char *sql)
{
	struct fn_err err;
	int64_t n = -1;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open("q.db", &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_number(db, sql, &n, &err), 0);
	sqlite3_close(db);
	return n;
}

static void run_until_had(unsigned n)
{
	uint64_t end = fn_clock_mono_us() + PATIENCE_US;
	unsigned had = 0;

	while (had < n && fn_clock_mono_us() < end) {
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
		had = 0;
		for (int i = 0; i < WAITERS; i++)
			had += waiters[i].n_had;
	}
	ck_assert_uint_eq(had, n);
}

static const struct fn_queue_lease one = {.n = 1, .for_us = FOR_US, .wait_until_us = UINT64_MAX};

START_TEST(what_is_due_later_is_had_by_the_next)
{
	uint64_t now;

	open_all(0);
	begin(&waiters[0], &one);
	begin(&waiters[1], &one);
	fn_db_writer_drain(writer);
	now = fn_clock_real_us();
	put(q, now + 50000, NULL);
	put(q, now + 150000, NULL);
	run_until_had(2);
	close_all();
}
END_TEST

START_TEST(a_repeated_attempt_leaves_what_is_new_to_others)
{
	struct fn_queue_lease attempt = one;

	attempt.attempt = "again";
	attempt.attempt_us = FOR_US;
	open_all(FN_QUEUE_FIFO);
	begin(&waiters[0], &attempt);
	begin(&waiters[1], &attempt);
	begin(&waiters[2], &one);
	fn_db_writer_drain(writer);
	put(q, 0, "g");
	run_until_had(1);
	put(q, 0, "h");
	run_until_had(3); /* the first one's twice */
	close_all();
}
END_TEST

START_TEST(one_that_fails_leaves_it_to_the_next)
{
	open_all(0);
	begin(&waiters[0], &one);
	begin(&waiters[1], &one);
	fn_db_writer_drain(writer);
	put(q, fn_clock_real_us() + 1000000, NULL);
	fn_db_writer_drain(writer);
	disk.write = SQLITE_FULL;
	while (waiters[0].under_way)
		ck_assert_int_eq(fn_loop_run_once(loop, 1000000), 0);
	ck_assert_uint_eq(n_failed, 1);
	disk.write = 0;
	run_until_had(1);
	close_all();
}
END_TEST

/* As after the clock was set: no timer has told of it. */
START_TEST(what_is_due_by_now_is_looked_for)
{
	const struct fn_queue_lease now = {.n = 1, .for_us = FOR_US};
	uint64_t due_us;

	open_all(0);
	begin(&waiters[0], &now);
	fn_db_writer_drain(writer);
	due_us = fn_clock_real_us() + 20000;
	put(q, due_us, NULL);
	fn_db_writer_drain(writer);
	while (fn_clock_real_us() < due_us)
		usleep(1000);
	begin(&waiters[1], &one);
	fn_db_writer_drain(writer);
	ck_assert_uint_eq(waiters[1].n_had, 1);
	close_all();
}
END_TEST

/* --- at random --- */
static const char *const groups[] = {"a", "b", "c"};

static void moved(struct fn_queue_move *m, const struct fn_err *err)
{
	n_failed += err != NULL;
	free(m);
}

static void trimmed(struct fn_queue_trim *t, const struct fn_err *err)
{
	n_failed += err != NULL;
	free(t);
}

static void emptied(void *arg, const struct fn_err *err)
{
	(void)arg;
	n_failed += err != NULL;
}

static unsigned flags;

/* There is another of its name at once. */
static void drop(struct fn_queue **which)
{
	char name[] = {*which == q ? 'a' : 'b', '\0'};

	if (*which == q)
		n_held = 0;
	fn_queue_drop(*which, NULL, emptied, NULL);
	*which = fn_queue_get(queues, name, flags);
	ck_assert_ptr_nonnull(*which);
}

static void settle_one(void)
{
	static const enum fn_queue_what what[] = {FN_QUEUE_DONE, FN_QUEUE_EXTEND, FN_QUEUE_AGAIN, FN_QUEUE_DEAD};
	struct fn_queue_step s = {.queue = q, .what = what[rand() % 4], .to = rand() % 2 ? q : other};
	unsigned i;

	if (n_held == 0)
		return;
	i = (unsigned)rand() % n_held;
	s.id = held[i].id;
	s.receives = held[i].receives;
	held[i] = held[--n_held];
	if (rand() % 2)
		s.at_us = fn_clock_real_us() + (unsigned)rand() % 20000;
	step(s);
}

static void lease_one(void)
{
	struct waiter *x = &waiters[rand() % WAITERS];
	struct fn_queue_lease how = {.n = 1 + (unsigned)rand() % 3, .for_us = rand() % 3 ? FOR_US : (unsigned)rand() % 20000, .wait_until_us = UINT64_MAX, .early = rand() % 2};

	if (x->under_way && rand() % 4 == 0 && fn_queue_lease_cancel(&x->l))
		x->under_way = false;
	if (x->under_way)
		return;
	if (rand() % 2)
		how.wait_until_us = fn_clock_mono_us() + (unsigned)rand() % 20000;
	if (rand() % 4 == 0)
		how.most_receives = 2, how.dead = rand() % 2 ? other : NULL;
	if (rand() % 4 == 0)
		how.most_leased = 1 + (unsigned)rand() % 10;
	if (rand() % 4 == 0)
		how.bytes = 1;
	if (rand() % 4 == 0) {
		how.attempt = groups[rand() % 3];
		how.attempt_us = (unsigned)rand() % 50000;
	}
	begin(x, &how);
}

static void do_one(void)
{
	switch (rand() % 16) {
	case 0: case 1: case 2: case 3:
		put(rand() % 4 ? q : other, rand() % 2 ? fn_clock_real_us() + (unsigned)rand() % 20000 : 0, groups[rand() % 3]);
		return;
	case 4: case 5: case 6: case 7:
		settle_one();
		return;
	case 8: {
		struct fn_queue_move *m = calloc(1, sizeof(*m));

		*m = (struct fn_queue_move){.from = rand() % 2 ? q : other, .to = rand() % 2 ? q : other, .n = 3, .done = moved};
		if (m->from == m->to)
			free(m);
		else
			fn_queue_move(m);
		return;
	}
	case 9: {
		struct fn_queue_trim *t = calloc(1, sizeof(*t));

		*t = (struct fn_queue_trim){.queue = q, .oldest_us = fn_clock_real_us() - 100000, .done = trimmed};
		fn_queue_trim(t);
		return;
	}
	case 10:
		if (rand() % 10 == 0)
			drop(rand() % 2 ? &q : &other);
		else if (rand() % 10 == 0)
			fn_queue_purge(q, emptied, NULL);
		return;
	case 11:
		disk.write = rand() % 30 == 0 ? SQLITE_FULL : 0;
		return;
	default:
		lease_one();
	}
}

/* Those that wait, and something is there for. */
static bool left_waiting(bool fifo)
{
	char sql[400];
	bool waits = false;

	for (int i = 0; i < WAITERS; i++)
		waits = waits || (waiters[i].under_way && waiters[i].l.waiting);
	if (!waits)
		return false;
	if (fifo)
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM queue_groups WHERE ready=1 AND queue=(SELECT inner FROM queues WHERE name='a')");
	else
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM messages WHERE state=0 AND queue=(SELECT inner FROM queues WHERE name='a')");
	if (number(sql) > 0)
		return true;
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM messages WHERE state>0 AND ord<=%llu AND queue=(SELECT inner FROM queues WHERE name='a')", (unsigned long long)fn_clock_real_us());
	return number(sql) > 0;
}

static void restart(void)
{
	disk.write = 0;
	unit_queues_close();
	unit_queues_open("q.db");
	q = fn_queue_get(queues, "a", flags);
	other = fn_queue_get(queues, "b", flags);
}

static void at_random(unsigned of)
{
	const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
	unsigned n = rounds ? (unsigned)atoi(rounds) : 300;

	srand(seed ? (unsigned)atoi(seed) : 1);
	flags = of;
	open_all(flags);
	for (unsigned round = 0; round < n; round++) {
		uint64_t end;

		if (round % 64 == 63)
			restart();
		for (int i = rand() % 12; i >= 0; i--) {
			do_one();
			if (rand() % 3 == 0)
				ck_assert_int_eq(fn_loop_run_once(loop, (unsigned)rand() % 3000), 0);
		}
		disk.write = 0;
		fn_db_writer_drain(writer);
		end = fn_clock_mono_us() + PATIENCE_US;
		while (left_waiting(flags & FN_QUEUE_FIFO)) {
			ck_assert_msg(fn_clock_mono_us() < end, "seed %s, round %u", seed ? seed : "1", round);
			ck_assert_int_eq(fn_loop_run_once(loop, 5000), 0);
		}
	}
	close_all();
}

START_TEST(nothing_stays_while_one_waits) { at_random(0); }
END_TEST

START_TEST(no_group_stays_while_one_waits) { at_random(FN_QUEUE_FIFO); }
END_TEST

TEST_MAIN("queue/waiting", what_is_due_later_is_had_by_the_next, a_repeated_attempt_leaves_what_is_new_to_others, one_that_fails_leaves_it_to_the_next,
	  what_is_due_by_now_is_looked_for, nothing_stays_while_one_waits, no_group_stays_while_one_waits)

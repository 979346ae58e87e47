/* Queues at their edges: order, groups, deduplication, ends of leases, waiting, what a crash, a failed commit and a full disk leave. */
#include "queue/queue.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "unit/failing_disk.h"
#include "unit/main.h"
#include "unit/queues.h"

static struct fn_err error;

static void reopen(void)
{
	unit_queues_close();
	unit_queues_open("q.db");
}

#define run_until(over) run_until_at(over, __LINE__)
static void run_until_at(bool *over, int line)
{
	uint64_t end = fn_clock_mono_us() + 20000000;

	while (!*over && fn_clock_mono_us() < end)
		ck_assert_int_eq(fn_loop_run_once(loop, 100000), 0);
	ck_assert_msg(*over, "line %d", line);
}

/* --- changes that are waited for --- */
struct change {
	struct fn_queue_change c;
	bool over;
	int result;
};

static void changed(struct fn_queue_change *c, const struct fn_err *err)
{
	struct change *x = fn_list_entry(c, struct change, c);

	x->over = true;
	x->result = err ? -err->code : 0;
	if (err)
		error = *err;
}

static int change(struct fn_queue_step *steps, unsigned n)
{
	struct change x = {.c = {.steps = steps, .n = n, .done = changed}};

	fn_queue_change(queues, &x.c);
	run_until(&x.over);
	return x.result;
}

static struct fn_queue_step to_put(struct fn_queue *q, const char *body, const char *group, const char *dedup)
{
	struct fn_queue_step s = {.what = FN_QUEUE_PUT, .queue = q, .body = body, .body_len = strlen(body), .meta = "m", .meta_len = 1, .group = group, .dedup = dedup,
				  .sent_us = fn_clock_real_us(), .dedup_us = 300000000};

	snprintf((char *)s.uid, sizeof(s.uid), "%.15s", body);
	return s;
}

static struct fn_queue_step put(struct fn_queue *q, const char *body, const char *group, const char *dedup)
{
	struct fn_queue_step s = to_put(q, body, group, dedup);

	ck_assert_int_eq(change(&s, 1), 0);
	return s;
}

/* --- leases --- */
struct lease {
	struct fn_queue_lease l;
	bool over, limited;
	int result;
	unsigned n;
	char text[512]; /* the bodies, with spaces between */
	struct fn_queue_message m[20];
	char source[64];
};

static void leased(struct fn_queue_lease *l, const struct fn_err *err)
{
	struct lease *x = fn_list_entry(l, struct lease, l);

	x->over = true;
	x->result = err ? -err->code : 0;
	x->n = l->n_messages;
	x->limited = l->limited;
	x->text[0] = '\0';
	for (unsigned i = 0; i < l->n_messages; i++) {
		if (i < 20) {
			x->m[i] = l->messages[i];
			snprintf(x->source, sizeof(x->source), "%s", l->messages[i].source ? l->messages[i].source : "");
		}
		if (l->messages[i].body_len < 100)
			snprintf(x->text + strlen(x->text), sizeof(x->text) - strlen(x->text), "%s%s", i ? " " : "", (const char *)l->messages[i].body);
	}
}

static void begin_lease(struct fn_queue *q, struct lease *x)
{
	x->l.done = leased;
	if (!x->l.n)
		x->l.n = 10;
	if (!x->l.for_us)
		x->l.for_us = 30000000;
	x->over = false;
	fn_queue_lease(q, &x->l);
}

static const char *lease(struct fn_queue *q, struct lease *x)
{
	begin_lease(q, x);
	run_until(&x->over);
	ck_assert_int_eq(x->result, 0);
	return x->text;
}

static int settle(struct fn_queue *q, const struct fn_queue_message *m, enum fn_queue_what what, uint64_t at_us, bool strict)
{
	struct fn_queue_step s = {.what = what, .queue = q, .id = m->id, .receives = m->receives, .at_us = at_us, .strict = strict};

	ck_assert_int_eq(change(&s, 1), 0);
	return s.result;
}

static void counts(struct fn_queue *q, unsigned ready, unsigned in_flight, unsigned delayed)
{
	struct fn_queue_counts c;

	fn_queue_count(q, &c);
	ck_assert_int_eq((int)c.ready, (int)ready);
	ck_assert_int_eq((int)c.leased, (int)in_flight);
	ck_assert_int_eq((int)c.delayed, (int)delayed);
}

/* What is in the tables agrees with the counts. */
static int64_t rows(const char *sql)
{
	int64_t n = -1;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open("q.db", &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_number(db, sql, &n, &error), 0);
	sqlite3_close(db);
	return n;
}

START_TEST(in_order_once)
{
	struct lease x = {.l.n = 2}, y = {0};
	struct fn_queue *q;
	struct fn_queue_step a, b;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	a = put(q, "one", NULL, NULL);
	b = put(q, "two", NULL, NULL);
	put(q, "three", NULL, NULL);
	ck_assert_uint_lt(a.pos, b.pos);
	counts(q, 3, 0, 0);
	ck_assert_str_eq(lease(q, &x), "one two");
	ck_assert_int_eq(x.m[0].receives, 1);
	ck_assert_mem_eq(x.m[0].uid, "one", 4);
	counts(q, 1, 2, 0);
	ck_assert_str_eq(lease(q, &y), "three");
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, false), 0);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, false), -ENOENT);
	ck_assert_int_eq(settle(q, &x.m[1], FN_QUEUE_EXTEND, 0, false), 0); /* ready again */
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_EXTEND, 0, false), 0);
	ck_assert_str_eq(lease(q, &y), "two three");
	ck_assert_int_eq(y.m[0].receives, 2);
	ck_assert_int_eq(settle(q, &x.m[1], FN_QUEUE_DONE, 0, false), -ENOENT); /* another's lease now */
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_DONE, 0, true), 0);
	reopen();
	q = fn_queue_find(queues, "a");
	counts(q, 0, 1, 0);
	ck_assert_int_eq(settle(q, &y.m[1], FN_QUEUE_DONE, 0, true), 0); /* the lease has outlived the process */
	counts(q, 0, 0, 0);
	ck_assert_int_eq(rows("SELECT (SELECT count(*) FROM messages)+(SELECT count(*) FROM bodies)"), 0);
	a = put(q, "four", NULL, NULL);
	ck_assert_uint_gt(a.pos, b.pos); /* positions rise over restarts */
	unit_queues_close();
}
END_TEST

START_TEST(leases_end)
{
	struct lease x = {.l.for_us = 50000}, y = {.l.wait_until_us = fn_clock_mono_us() + 10000000};
	struct fn_queue *q;
	struct fn_queue_step late;
	uint64_t begun;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	put(q, "one", NULL, NULL);
	begun = fn_clock_mono_us();
	lease(q, &x);
	ck_assert_str_eq(lease(q, &y), "one"); /* woken when the lease has ended */
	ck_assert_uint_ge(fn_clock_mono_us() - begun, 45000);
	ck_assert_uint_lt(fn_clock_mono_us() - begun, 5000000);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, false), -ENOENT);
	late = (struct fn_queue_step){.what = FN_QUEUE_EXTEND, .queue = q, .id = y.m[0].id, .receives = 2, .at_us = fn_clock_real_us() + 50000000, .most_us = 40000000};
	ck_assert_int_eq(change(&late, 1), 0);
	ck_assert_int_eq(late.result, -ERANGE);
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_EXTEND, fn_clock_real_us() + 20000, false), 0);
	usleep(30000);
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_EXTEND, fn_clock_real_us() + 20000, false), -ESTALE);
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_EXTEND, fn_clock_real_us() + 20000, true), -ESTALE);
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_DONE, 0, true), -ESTALE);
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_DONE, 0, false), 0); /* nobody has leased it since */
	counts(q, 0, 0, 0);
	unit_queues_close();
}
END_TEST

/* An older holder may change the lease that there is, where it is not strict. */
START_TEST(a_later_lease)
{
	struct lease x = {0}, y = {0};
	struct fn_queue *q;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	put(q, "one", NULL, NULL);
	lease(q, &x);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_EXTEND, 0, false), 0);
	lease(q, &y);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_EXTEND, 0, true), -ENOENT);
	counts(q, 0, 1, 0);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_EXTEND, 0, false), 0);
	counts(q, 1, 0, 0);
	unit_queues_close();
}
END_TEST

/* What is given back, or whose time is over, goes behind what waits. */
START_TEST(who_was_served_comes_last)
{
	struct lease x = {.l.n = 1}, y = {.l = {.n = 1, .for_us = 1000}}, all = {0};
	struct fn_queue *q;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	put(q, "one", NULL, NULL);
	put(q, "two", NULL, NULL);
	put(q, "three", NULL, NULL);
	ck_assert_str_eq(lease(q, &x), "one");
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_EXTEND, 0, false), 0);
	put(q, "four", NULL, NULL);
	ck_assert_str_eq(lease(q, &y), "two");
	usleep(2000);
	reopen();
	q = fn_queue_find(queues, "a");
	ck_assert_str_eq(lease(q, &all), "three one four two");
	unit_queues_close();

	unit_queues_fresh();
	q = fn_queue_get(queues, "f", FN_QUEUE_FIFO);
	put(q, "a1", "a", NULL);
	put(q, "a2", "a", NULL);
	put(q, "b1", "b", NULL);
	put(q, "b2", "b", NULL);
	put(q, "c1", "c", NULL);
	x.l.n = 3;
	ck_assert_str_eq(lease(q, &x), "a1 a2 b1");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(settle(q, &x.m[i], FN_QUEUE_EXTEND, 0, true), 0);
	reopen();
	q = fn_queue_find(queues, "f");
	put(q, "d1", "d", NULL);
	x.l.n = 1;
	for (int i = 0; i < 3; i++) { /* a poison message keeps nobody from his turn */
		static const char *const next[] = {"c1", "a1", "b1"};

		ck_assert_str_eq(lease(q, &x), next[i]);
		ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_EXTEND, 0, true), 0);
	}
	ck_assert_str_eq(lease(q, &all), "d1 c1 a1 a2 b1 b2");
	unit_queues_close();
}
END_TEST

/* A group's first message that is ready again is had though later ones are still held. */
START_TEST(first_of_a_group)
{
	struct lease x = {.l.n = 3}, y = {0}, z = {.l.wait_until_us = UINT64_MAX};
	struct fn_queue *q;

	unit_queues_fresh();
	q = fn_queue_get(queues, "f", FN_QUEUE_FIFO);
	put(q, "a1", "a", NULL);
	put(q, "a2", "a", NULL);
	put(q, "a3", "a", NULL);
	put(q, "a4", "a", NULL);
	ck_assert_str_eq(lease(q, &x), "a1 a2 a3");
	begin_lease(q, &z);
	ck_assert_int_eq(settle(q, &x.m[1], FN_QUEUE_EXTEND, 0, true), 0);
	fn_db_writer_drain(writer);
	ck_assert(!z.over); /* a1 is held */
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_EXTEND, 0, true), 0);
	run_until(&z.over);
	ck_assert_str_eq(z.text, "a1 a2"); /* a3 is held */
	ck_assert_int_eq(settle(q, &z.m[0], FN_QUEUE_DONE, 0, true), 0);
	ck_assert_int_eq(settle(q, &x.m[2], FN_QUEUE_EXTEND, 0, true), 0);
	ck_assert_str_eq(lease(q, &y), ""); /* a2 is held */
	ck_assert_int_eq(settle(q, &z.m[1], FN_QUEUE_DONE, 0, true), 0);
	ck_assert_str_eq(lease(q, &y), "a3 a4");
	counts(q, 0, 2, 0);
	unit_queues_close();
}
END_TEST

/* A state directory of before the groups' turns. */
START_TEST(groups_of_before)
{
	const char *const older[] = {fn_queue_migration, fn_queue_attempts_migration, fn_queue_record_migration};
	struct lease x = {.l.n = 1}, y = {0};
	struct fn_queue *q;
	sqlite3 *db;

	unit_queues_fresh();
	unit_queues_close();
	ck_assert_int_eq(fn_db_open("old.db", older, 3, &db, &error), 0);
	ck_assert_int_eq(fn_db_exec(db,
				    "INSERT INTO queues VALUES(1, 'f', 1, 1, 4, 1, 0, 0);"
				    "INSERT INTO queue_groups VALUES(1, 1, 'a', 1, 0, 0), (2, 1, 'b', 0, 1, 5), (3, 1, 'c', 0, 1, 4);"
				    "INSERT INTO messages SELECT value, 1, 0, value, value, value, 1, 1, 1, 1, x'00', NULL, NULL FROM json_each('[1, 2, 3, 4, 5]');"
				    "UPDATE messages SET grp=1 WHERE id IN (2, 3); UPDATE messages SET grp=3 WHERE id=4; UPDATE messages SET grp=2 WHERE id=5;"
				    "UPDATE messages SET state=2, ord=4000000000000000 WHERE id=2;"
				    "INSERT INTO bodies SELECT id, x'', CAST('m'||id AS BLOB) FROM messages",
				    &error), 0);
	sqlite3_close(db);
	unit_queues_open("old.db");
	q = fn_queue_find(queues, "f");
	ck_assert_str_eq(lease(q, &x), "m1"); /* m2 is held */
	put(q, "m6", "d", NULL);
	ck_assert_str_eq(lease(q, &y), "m4 m5 m6");
	unit_queues_close();
}
END_TEST

START_TEST(delays_and_again)
{
	struct lease x = {.l.wait_until_us = UINT64_MAX}, y = {0};
	struct fn_queue *q;
	struct fn_queue_step s;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	begin_lease(q, &x);
	s = to_put(q, "later", NULL, NULL);
	s.at_us = fn_clock_real_us() + 3000000; /* a disk may be slow */
	s.note = "first";
	s.note_len = 5;
	ck_assert_int_eq(change(&s, 1), 0);
	counts(q, 0, 0, 1);
	ck_assert_str_eq(lease(q, &y), "");
	ck_assert(!x.over);
	run_until(&x.over);
	ck_assert_str_eq(x.text, "later");
	ck_assert_int_eq((int)x.m[0].note_len, 5);
	s = (struct fn_queue_step){.what = FN_QUEUE_AGAIN, .queue = q, .id = x.m[0].id, .receives = 1, .at_us = fn_clock_real_us() + 3000000, .note = "second", .note_len = 6};
	ck_assert_int_eq(change(&s, 1), 0);
	ck_assert_int_eq(s.result, 0);
	counts(q, 0, 0, 1);
	ck_assert_str_eq(lease(q, &x), "later"); /* it waits */
	ck_assert_int_eq((int)x.m[0].note_len, 6);
	unit_queues_close();
}
END_TEST

START_TEST(who_waits_is_woken_in_turn)
{
	struct lease x[4];
	struct fn_queue *q;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	memset(x, 0, sizeof(x));
	for (int i = 0; i < 4; i++) {
		x[i].l.n = 1;
		x[i].l.wait_until_us = i == 3 ? fn_clock_mono_us() + 200000 : UINT64_MAX;
		begin_lease(q, &x[i]);
	}
	fn_db_writer_drain(writer);
	ck_assert(fn_queue_lease_cancel(&x[1].l));
	put(q, "one", NULL, NULL);
	run_until(&x[0].over);
	ck_assert_str_eq(x[0].text, "one");
	run_until(&x[3].over); /* its time is over */
	ck_assert_int_eq((int)x[3].n, 0);
	ck_assert(!x[2].over && !x[1].over);
	ck_assert_int_eq(settle(q, &x[0].m[0], FN_QUEUE_EXTEND, 0, false), 0); /* visible again: wakes at once */
	run_until(&x[2].over);
	ck_assert_str_eq(x[2].text, "one");
	begin_lease(q, &x[0]);
	fn_db_writer_drain(writer);
	fn_queue_drop(q, NULL, NULL, NULL);
	ck_assert(x[0].over);
	ck_assert_int_eq(x[0].result, -ENOENT);
	q = fn_queue_get(queues, "a", 0); /* another of the same name */
	put(q, "new", NULL, NULL);
	x[2].l.n = 10;
	ck_assert_str_eq(lease(q, &x[2]), "new");
	x[0].l.n = 1;
	begin_lease(q, &x[0]);
	fn_db_writer_drain(writer);
	fn_queues_stop(queues);
	ck_assert_int_eq(x[0].result, -ECANCELED);
	unit_queues_close();
}
END_TEST

START_TEST(groups_keep_their_order)
{
	struct lease x = {.l.n = 2}, y = {0}, z = {0};
	struct fn_queue *q;
	struct fn_queue_step s;

	unit_queues_fresh();
	q = fn_queue_get(queues, "f", FN_QUEUE_FIFO);
	put(q, "a1", "a", NULL);
	put(q, "b1", "b", NULL);
	put(q, "a2", "a", NULL);
	put(q, "a3", "a", NULL);
	put(q, "b2", "b", NULL);
	ck_assert_str_eq(lease(q, &x), "a1 a2");
	ck_assert_str_eq(lease(q, &y), "b1 b2"); /* a3 has to wait */
	ck_assert_str_eq(lease(q, &z), "");
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, true), 0);
	ck_assert_str_eq(lease(q, &z), ""); /* a2 is still leased */
	z.l.wait_until_us = UINT64_MAX;
	begin_lease(q, &z);
	fn_db_writer_drain(writer);
	ck_assert(!z.over);
	ck_assert_int_eq(settle(q, &x.m[1], FN_QUEUE_EXTEND, 0, false), 0);
	run_until(&z.over);
	ck_assert_str_eq(z.text, "a2 a3"); /* the one that came back first */
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_DONE, 0, true), 0);
	ck_assert_int_eq(settle(q, &y.m[1], FN_QUEUE_DONE, 0, true), 0);
	reopen();
	q = fn_queue_find(queues, "f");
	ck_assert_int_eq(settle(q, &z.m[1], FN_QUEUE_EXTEND, 0, false), 0);
	y = (struct lease){0};
	ck_assert_str_eq(lease(q, &y), ""); /* a2 leased, over the restart too */
	ck_assert_int_eq(settle(q, &z.m[0], FN_QUEUE_DONE, 0, true), 0);
	ck_assert_str_eq(lease(q, &y), "a3");
	ck_assert_int_eq(settle(q, &y.m[0], FN_QUEUE_DONE, 0, true), 0);
	counts(q, 0, 0, 0);
	ck_assert_int_eq(rows("SELECT count(*) FROM queue_groups"), 0);
	s = to_put(q, "d1", "d", NULL); /* what is delayed holds up its group */
	s.at_us = fn_clock_real_us() + 3000000;
	ck_assert_int_eq(change(&s, 1), 0);
	put(q, "d2", "d", NULL);
	put(q, "e1", "e", NULL);
	ck_assert_str_eq(lease(q, &y), "e1");
	y.l.wait_until_us = UINT64_MAX;
	ck_assert_str_eq(lease(q, &y), "d1 d2");
	unit_queues_close();
}
END_TEST

START_TEST(a_repeat_is_told_of_the_first)
{
	struct lease x = {0};
	struct fn_queue *q;
	struct fn_queue_step a, b, c;

	unit_queues_fresh();
	q = fn_queue_get(queues, "f", FN_QUEUE_FIFO);
	a = put(q, "one", "g", "key");
	b = put(q, "two", "g", "key");
	ck_assert(!a.duplicate && b.duplicate);
	ck_assert_uint_eq(a.pos, b.pos);
	ck_assert_mem_eq(b.uid, a.uid, 16);
	lease(q, &x);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, true), 0);
	reopen();
	q = fn_queue_find(queues, "f");
	b = put(q, "two", "g", "key"); /* deleted or not, and after a restart */
	ck_assert(b.duplicate);
	c = to_put(q, "three", "g", "short");
	c.dedup_us = 20000;
	ck_assert_int_eq(change(&c, 1), 0);
	usleep(30000);
	b = put(q, "four", "g", "short");
	ck_assert(!b.duplicate);
	counts(q, 2, 0, 0);
	unit_queues_close();
}
END_TEST

START_TEST(dead_letters)
{
	struct lease x = {.l = {.most_receives = 2}}, y = {0};
	struct fn_queue *q, *dead;
	struct fn_queue_step first;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a.fifo", FN_QUEUE_FIFO);
	dead = fn_queue_get(queues, "dead.fifo", FN_QUEUE_FIFO);
	x.l.dead = dead;
	first = put(q, "one", "g", NULL);
	put(q, "two", "g", NULL);
	for (int i = 0; i < 2; i++) {
		x.l.n = 1;
		ck_assert_str_eq(lease(q, &x), "one");
		ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_EXTEND, 0, false), 0);
	}
	y.l.wait_until_us = UINT64_MAX;
	begin_lease(dead, &y);
	ck_assert_str_eq(lease(q, &x), "two"); /* the group is freed of it */
	run_until(&y.over);
	ck_assert_str_eq(y.text, "one");
	ck_assert_str_eq(y.source, "a.fifo");
	ck_assert_int_eq(y.m[0].receives, 3);
	ck_assert_uint_gt(y.m[0].sent_us, first.sent_us); /* kept there as long as one that is new */
	ck_assert_mem_eq(y.m[0].uid, "one", 4);
	counts(q, 0, 1, 0);
	counts(dead, 0, 1, 0);
	{
		struct fn_queue_step s = {.what = FN_QUEUE_DEAD, .queue = q, .to = dead, .id = x.m[0].id, .receives = x.m[0].receives};

		ck_assert_int_eq(change(&s, 1), 0);
		ck_assert_int_eq(s.result, 0);
	}
	y.l.wait_until_us = 0;
	ck_assert_str_eq(lease(dead, &y), ""); /* behind `one`, which is leased */
	counts(q, 0, 0, 0);
	counts(dead, 1, 1, 0);
	q = fn_queue_get(queues, "a", 0);
	dead = fn_queue_get(queues, "dead", 0);
	first = put(q, "three", NULL, NULL);
	lease(q, &y);
	{
		struct fn_queue_step s = {.what = FN_QUEUE_DEAD, .queue = q, .to = dead, .id = y.m[0].id, .receives = 1};

		ck_assert_int_eq(change(&s, 1), 0);
	}
	ck_assert_str_eq(lease(dead, &y), "three");
	ck_assert_uint_eq(y.m[0].sent_us, first.sent_us); /* as old as it was */
	unit_queues_close();
}
END_TEST

struct moving {
	struct fn_queue_move m;
	bool over;
};
static void moved(struct fn_queue_move *m, const struct fn_err *err)
{
	ck_assert_ptr_null(err);
	fn_list_entry(m, struct moving, m)->over = true;
}

struct trimming {
	struct fn_queue_trim t;
	bool over;
};
static void trimmed(struct fn_queue_trim *t, const struct fn_err *err)
{
	ck_assert_ptr_null(err);
	fn_list_entry(t, struct trimming, t)->over = true;
}

struct listing {
	struct fn_queue_list l;
	unsigned n;
	bool over;
};
static void listed(struct fn_queue_list *l, const struct fn_err *err)
{
	ck_assert_ptr_null(err);
	fn_list_entry(l, struct listing, l)->n = l->n_messages;
	fn_list_entry(l, struct listing, l)->over = true;
}

static void purged(void *arg, const struct fn_err *err)
{
	ck_assert_ptr_null(err);
	*(bool *)arg = true;
}

START_TEST(many_go_at_once)
{
	struct fn_queue_step *s = calloc(1000, sizeof(*s));
	struct lease x = {.l.n = 1}, y = {0};
	struct fn_queue *q, *other;
	bool over = false;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	other = fn_queue_get(queues, "b", 0);
	for (int i = 0; i < 1000; i++)
		s[i] = to_put(q, "x", NULL, NULL);
	ck_assert_int_eq(change(s, 1000), 0);
	lease(q, &x);
	{
		struct listing l = {.l = {.queue = q, .n = 600, .done = listed}};

		fn_queue_list(&l.l);
		run_until(&l.over);
		ck_assert_int_eq((int)l.n, 600);
		l.over = false;
		fn_queue_list(&l.l);
		run_until(&l.over);
		ck_assert_int_eq((int)l.n, 400);
	}
	{
		struct moving m = {.m = {.from = q, .to = other, .n = 100, .done = moved}};

		fn_queue_move(&m.m);
		run_until(&m.over);
		ck_assert_int_eq((int)m.m.moved, 100);
		counts(other, 100, 0, 0);
		ck_assert_str_eq(strncmp(lease(other, &y), "x x", 3) == 0 ? "" : y.text, "");
		ck_assert(memcmp(y.m[0].uid, "x", 2) != 0); /* as if sent anew */
		ck_assert_int_eq(y.m[0].receives, 1);
	}
	put(q, "young", NULL, NULL);
	{
		struct trimming t = {.t = {.queue = q, .oldest_us = fn_clock_real_us() - 1, .done = trimmed}};

		for (t.t.more = true; t.t.more; t.over = false) {
			fn_queue_trim(&t.t);
			run_until(&t.over);
		}
		fn_db_writer_drain(writer);
	}
	fn_queue_purge(q, purged, &over);
	put(q, "after", NULL, NULL);
	run_until(&over);
	counts(q, 1, 0, 0);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, false), -ENOENT);
	reopen(); /* what is left of it goes now */
	fn_db_writer_drain(writer);
	q = fn_queue_find(queues, "a");
	counts(q, 1, 0, 0);
	y = (struct lease){0};
	ck_assert_str_eq(lease(q, &y), "after");
	ck_assert_int_eq(rows("SELECT count(*) FROM messages"), 101);
	ck_assert_int_eq(rows("SELECT count(*) FROM bodies"), 101);
	ck_assert_int_eq(rows("SELECT count(*) FROM queue_garbage"), 0);
	free(s);
	unit_queues_close();
}
END_TEST

START_TEST(bounds_of_a_lease)
{
	struct lease x = {.l = {.bytes = 250}}, y = {.l = {.most_leased = 2}};
	struct fn_queue *q;
	char body[100];

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	memset(body, 'x', 99);
	body[99] = '\0';
	for (int i = 0; i < 4; i++)
		put(q, body, NULL, NULL);
	lease(q, &x);
	ck_assert_int_eq((int)x.n, 2);
	lease(q, &y);
	ck_assert(y.limited && y.n == 0);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, false), 0);
	y.l.n = 1;
	lease(q, &y);
	ck_assert(!y.limited && y.n == 1);
	unit_queues_close();
}
END_TEST

static int refuse(struct fn_queue_change *c, sqlite3 *db, struct fn_err *err)
{
	(void)c;
	(void)db;
	return fn_err_set(err, EPERM, "also", NULL);
}

START_TEST(all_or_nothing)
{
	struct fn_queue_step s[2];
	struct change x;
	struct lease l = {.l.wait_until_us = UINT64_MAX}, m = {0};
	struct fn_queue *q, *r;

	unit_queues_fresh();
	make_disk();
	unit_queues_close();
	unit_queues_open("q.db");
	q = fn_queue_get(queues, "a", 0);
	r = fn_queue_get(queues, "b", 0);
	put(q, "one", NULL, NULL);
	lease(q, &m);
	s[0] = (struct fn_queue_step){.what = FN_QUEUE_DONE, .queue = q, .id = m.m[0].id, .receives = 1};
	s[1] = to_put(r, "result", NULL, NULL);
	x = (struct change){.c = {.steps = s, .n = 2, .done = changed, .also = refuse}};
	fn_queue_change(queues, &x.c);
	run_until(&x.over);
	ck_assert_int_eq(x.result, -EPERM);
	counts(q, 0, 1, 0);
	counts(r, 0, 0, 0);
	disk.write = SQLITE_FULL; /* the commit fails */
	ck_assert_int_eq(change(s, 2), -ENOSPC);
	counts(q, 0, 1, 0);
	begin_lease(r, &l); /* finds nothing, writes nothing, waits */
	fn_db_writer_drain(writer);
	ck_assert(!l.over);
	disk.write = 0;
	ck_assert_int_eq(change(s, 2), 0);
	counts(q, 0, 0, 0);
	run_until(&l.over);
	ck_assert_str_eq(l.text, "result");
	counts(r, 0, 1, 0);
	unit_queues_close();
}
END_TEST

/* Where one waits and nothing is there, a message is written as leased at once; what comes of it is as ever, and one whose put is undone is nobody's. */
START_TEST(straight_to_who_waits)
{
	struct fn_queue_step s;
	struct change x = {.c = {.steps = &s, .n = 1, .done = changed, .also = refuse}};
	struct lease l = {.l.wait_until_us = UINT64_MAX}, m = {0};
	struct fn_queue *q;

	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
	begin_lease(q, &l);
	fn_db_writer_drain(writer);
	s = to_put(q, "undone", NULL, NULL);
	fn_queue_change(queues, &x.c);
	run_until(&x.over);
	ck_assert_int_eq(x.result, -EPERM);
	fn_db_writer_drain(writer);
	ck_assert(!l.over);
	counts(q, 0, 0, 0);
	s = to_put(q, "one", NULL, NULL);
	s.note = "note";
	s.note_len = 4;
	ck_assert_int_eq(change(&s, 1), 0);
	run_until(&l.over);
	ck_assert_str_eq(l.text, "one");
	ck_assert_uint_eq(l.m[0].receives, 1);
	ck_assert_uint_eq(l.m[0].note_len, 4);
	ck_assert_uint_eq(l.m[0].meta_len, 1);
	ck_assert_uint_eq(l.m[0].pos, s.pos);
	ck_assert_int_eq(memcmp(l.m[0].uid, s.uid, 16), 0);
	ck_assert(l.m[0].first_us > 0 && l.m[0].until_us > l.m[0].first_us + 29000000);
	counts(q, 0, 1, 0);
	ck_assert_int_eq(rows("SELECT count(*) FROM messages WHERE state=2 AND receives=1 AND first>0 AND leased=first"), 1);
	ck_assert_int_eq(settle(q, &l.m[0], FN_QUEUE_AGAIN, 0, false), 0);
	ck_assert_str_eq(lease(q, &m), "one");
	ck_assert_uint_eq(m.m[0].receives, 2);
	ck_assert_int_eq(settle(q, &m.m[0], FN_QUEUE_DONE, 0, false), 0);
	counts(q, 0, 0, 0);
	ck_assert_int_eq(rows("SELECT count(*) FROM bodies"), 0);
	begin_lease(q, &l); /* and over a crash */
	fn_db_writer_drain(writer);
	put(q, "two", NULL, NULL);
	run_until(&l.over);
	ck_assert_str_eq(l.text, "two");
	reopen();
	q = fn_queue_find(queues, "a");
	counts(q, 0, 1, 0);
	ck_assert_int_eq(settle(q, &l.m[0], FN_QUEUE_DONE, 0, true), 0);
	counts(q, 0, 0, 0);
	unit_queues_close();
}
END_TEST

/* A disk of 16 MB: what does not fit is refused and changes nothing; what is there can be leased and taken away all the same. */
START_TEST(a_full_disk)
{
	char *body = malloc(200001);
	struct fn_queue_counts c;
	struct fn_queue *q;
	int r = 0, n = 0;

	unit_queues_fresh();
	unit_queues_close();
	if (mkdir("small", 0755) < 0 || mount("none", "small", "tmpfs", 0, "size=16m") < 0) {
		puts("SKIP: a full disk: tmpfs cannot be mounted here");
		return;
	}
	unit_queues_open("small/q.db");
	q = fn_queue_get(queues, "a", 0);
	memset(body, 'x', 200000);
	body[200000] = '\0';
	for (; r == 0 && n < 100; n += r == 0) {
		struct fn_queue_step s = to_put(q, body, NULL, NULL);

		r = change(&s, 1);
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_int_gt(n, 0);
	fn_queue_count(q, &c);
	ck_assert_int_eq((int)c.ready, n);
	unit_queues_close();
	unit_queues_open("small/q.db");
	q = fn_queue_find(queues, "a");
	fn_queue_count(q, &c);
	ck_assert_int_eq((int)c.ready, n);
	for (; n > 0; n--) {
		struct lease x = {.l.n = 1};

		begin_lease(q, &x);
		run_until(&x.over);
		ck_assert_int_eq(x.result, 0);
		ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_DONE, 0, true), 0);
	}
	unit_queues_close();
	umount2("small", MNT_DETACH);
	free(body);
}
END_TEST

/* The process is killed at any time: every put that was answered is there, once; every receive that was answered has counted. */
START_TEST(a_crash)
{
	for (int round = 0; round < 8; round++) {
		int answered[2], n_put = 0, n_leased = 0, st, delay = 2000 + round * 4000;
		struct fn_queue_counts c;
		struct fn_queue *q;
		char what;
		pid_t pid;

		ck_assert_int_eq(pipe(answered), 0);
		pid = fork();
		if (pid == 0) {
			char dir[32];

			snprintf(dir, sizeof(dir), "crash-%d", round);
			if (mkdir(dir, 0755) < 0 || chdir(dir) < 0)
				_exit(1);
			unit_queues_open("q.db");
			q = fn_queue_get(queues, "a", 0);
			for (int i = 0;; i++) {
				struct lease x = {.l.n = 1};

				put(q, "x", NULL, NULL);
				if (write(answered[1], "p", 1) != 1)
					_exit(1);
				if (i % 2)
					continue;
				lease(q, &x);
				if (write(answered[1], "l", 1) != 1)
					_exit(1);
			}
		}
		close(answered[1]);
		ck_assert_int_eq((int)read(answered[0], &what, 1), 1);
		n_put++;
		usleep((useconds_t)delay);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &st, 0), pid);
		while (read(answered[0], &what, 1) == 1)
			*(what == 'p' ? &n_put : &n_leased) += 1;
		close(answered[0]);
		{
			char dir[32];

			snprintf(dir, sizeof(dir), "crash-%d", round);
			ck_assert_int_eq(chdir(dir), 0);
		}
		unit_queues_open("q.db");
		q = fn_queue_find(queues, "a");
		fn_queue_count(q, &c);
		ck_assert_int_ge((int)(c.ready + c.leased), n_put);
		ck_assert_int_le((int)(c.ready + c.leased), n_put + 1); /* one may have been on disk, and not yet answered */
		ck_assert_int_ge((int)c.leased, n_leased);
		ck_assert_int_le((int)c.leased, n_leased + 1);
		unit_queues_close();
		ck_assert_int_eq(rows("SELECT count(*) FROM messages WHERE state=2 AND receives=1"), (int)c.leased);
		ck_assert_int_eq(rows("SELECT count(*) FROM messages WHERE state=0 AND receives=0"), (int)c.ready);
		ck_assert_int_eq(chdir(".."), 0);
	}
}
END_TEST

START_TEST(leases_that_do_not_outlive_the_process)
{
	struct lease x = {0};
	struct fn_queue *q;

	unit_queues_fresh();
	q = fn_queue_get(queues, "f", FN_QUEUE_FIFO | FN_QUEUE_RELEASE);
	put(q, "one", "g", NULL);
	put(q, "two", "g", NULL);
	lease(q, &x);
	reopen();
	q = fn_queue_find(queues, "f");
	counts(q, 2, 0, 0);
	ck_assert_str_eq(lease(q, &x), "one two");
	ck_assert_int_eq(x.m[0].receives, 2);
	ck_assert_int_eq(settle(q, &x.m[0], FN_QUEUE_AGAIN, fn_clock_real_us() + 3600000000, false), 0); /* holds up the other one, after a restart too */
	reopen();
	q = fn_queue_find(queues, "f");
	counts(q, 1, 0, 1);
	ck_assert_str_eq(lease(q, &x), "");
	unit_queues_close();
}
END_TEST

TEST_MAIN("queue", in_order_once, leases_end, a_later_lease, who_was_served_comes_last, first_of_a_group, groups_of_before, delays_and_again, who_waits_is_woken_in_turn, groups_keep_their_order, a_repeat_is_told_of_the_first, dead_letters,
	  many_go_at_once, bounds_of_a_lease, all_or_nothing, straight_to_who_waits, a_full_disk, a_crash, leases_that_do_not_outlive_the_process)

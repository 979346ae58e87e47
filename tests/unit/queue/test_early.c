/* Leases that are told before they, and what they take, are on disk, beside some that wait for it: each message is had once, who waits is woken, and counts are right. */
#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "unit/failing_disk.h"
#include "unit/main.h"
#include "unit/queues.h"

enum { HOLDERS = 20, MESSAGES = 3000, AT_ONCE = 7 };

static struct fn_queue *q;
static unsigned had[MESSAGES], n_put, n_had, n_early, n_done, over;

static void open_all(void)
{
	make_disk();
	unit_queues_fresh();
	q = fn_queue_get(queues, "a", 0);
}

static void close_all(void)
{
	unit_queues_close();
	fn_loop_free(loop);
}

/* --- those that put --- */
struct putting {
	struct fn_queue_change c;
	struct fn_queue_step step;
	unsigned number;
};

static void put(struct putting *p);

static void on_put(struct fn_queue_change *c, const struct fn_err *err)
{
	ck_assert_ptr_null(err);
	put(fn_list_entry(c, struct putting, c));
}

static void put(struct putting *p)
{
	if (n_put == MESSAGES)
		return;
	p->number = n_put++;
	p->step = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = q, .body = &p->number, .body_len = sizeof(p->number), .sent_us = fn_clock_real_us()};
	p->c = (struct fn_queue_change){.steps = &p->step, .n = 1, .done = on_put};
	fn_queue_change(queues, &p->c);
}

/* --- those that lease, and are done with it --- */
struct holder {
	struct fn_queue_lease l;
	struct fn_queue_change c;
	struct fn_queue_step step;
	bool early;
};

static void lease(struct holder *h);

static void on_done(struct fn_queue_change *c, const struct fn_err *err)
{
	struct holder *h = fn_list_entry(c, struct holder, c);

	ck_assert_ptr_null(err);
	ck_assert_int_eq(h->step.result, 0);
	n_done++;
	lease(h);
}

static void on_lease(struct fn_queue_lease *l, const struct fn_err *err)
{
	struct holder *h = fn_list_entry(l, struct holder, l);
	unsigned number;

	if (err) {
		ck_assert_int_eq(err->code, ECANCELED);
		over++;
		return;
	}
	ck_assert_int_eq((int)l->n_messages, 1);
	memcpy(&number, l->messages[0].body, sizeof(number));
	ck_assert_int_eq((int)l->messages[0].receives, 1);
	had[number]++;
	n_had++;
	n_early += h->early;
	h->step = (struct fn_queue_step){.what = FN_QUEUE_DONE, .queue = q, .id = l->messages[0].id, .receives = 1};
	h->c = (struct fn_queue_change){.steps = &h->step, .n = 1, .done = on_done};
	fn_queue_change(queues, &h->c);
}

static void lease(struct holder *h)
{
	h->l = (struct fn_queue_lease){.n = 1, .for_us = 60000000, .wait_until_us = UINT64_MAX, .early = h->early, .done = on_lease};
	fn_queue_lease(q, &h->l);
}

static void all_are_had_once(int slow_us)
{
	static struct putting puts[AT_ONCE];
	static struct holder holders[HOLDERS];
	uint64_t until = fn_clock_mono_us() + 60000000;
	struct fn_queue_counts c;

	open_all();
	disk.slow_us = slow_us;
	for (int i = 0; i < HOLDERS; i++) {
		holders[i].early = i % 2;
		lease(&holders[i]);
	}
	for (int i = 0; i < AT_ONCE; i++)
		put(&puts[i]);
	while (n_done < MESSAGES && fn_clock_mono_us() < until) {
		ck_assert_int_eq(fn_loop_run_once(loop, 100000), 0);
		fn_queue_count(q, &c);
		ck_assert(c.ready <= AT_ONCE && c.leased <= HOLDERS);
	}
	ck_assert_int_eq(n_done, MESSAGES);
	ck_assert_int_eq(n_had, MESSAGES);
	ck_assert_int_gt(n_early, 0);
	ck_assert_int_lt(n_early, MESSAGES);
	for (int i = 0; i < MESSAGES; i++)
		ck_assert_int_eq(had[i], 1);
	fn_queue_count(q, &c);
	ck_assert(c.ready == 0 && c.leased == 0 && c.delayed == 0);
	disk.slow_us = 0;
	close_all();
	ck_assert_int_eq(over, HOLDERS);
}

START_TEST(with_a_disk_as_it_is) { all_are_had_once(0); }
END_TEST

START_TEST(with_a_slow_disk) { all_are_had_once(1000); }
END_TEST

/* Told although the disk is waited for, and that of what it took. */
static unsigned leased_before;

static void on_put_late(struct fn_queue_change *c, const struct fn_err *err)
{
	(void)c;
	ck_assert_ptr_null(err);
	leased_before = n_had;
	over++;
}

START_TEST(a_lease_waits_for_no_disk)
{
	struct putting p = {.number = 1};
	struct holder h = {.early = true};

	open_all();
	lease(&h);
	fn_db_writer_drain(writer);
	disk.slow_us = 300000;
	p.step = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = q, .body = &p.number, .body_len = sizeof(p.number), .sent_us = fn_clock_real_us()};
	p.c = (struct fn_queue_change){.steps = &p.step, .n = 1, .done = on_put_late};
	fn_queue_change(queues, &p.c);
	while (over == 0)
		ck_assert_int_eq(fn_loop_run_once(loop, 1000000), 0);
	ck_assert_int_eq(leased_before, 1);
	disk.slow_us = 0;
	fn_db_writer_drain(writer);
	close_all();
}
END_TEST

/* --- a queue that is known to be empty --- */
static unsigned n_limited;

static void on_taken(struct fn_queue_lease *l, const struct fn_err *err)
{
	ck_assert(!err || err->code == ECANCELED);
	n_had += l->n_messages;
	n_limited += !err && l->limited;
}

static void on_is_there(struct fn_queue_change *c, const struct fn_err *err)
{
	(void)c;
	ck_assert_ptr_null(err);
}

static void put_at(uint64_t at_us)
{
	struct fn_queue_step step = {.what = FN_QUEUE_PUT, .queue = q, .body = "x", .body_len = 1, .at_us = at_us, .sent_us = fn_clock_real_us()};
	struct fn_queue_change c = {.steps = &step, .n = 1, .done = on_is_there};

	fn_queue_change(queues, &c);
	fn_db_writer_drain(writer);
}

/* Returns whether it has looked. */
static bool take(struct fn_queue_lease *l, uint64_t most_leased)
{
	bool looks;

	*l = (struct fn_queue_lease){.n = 10, .for_us = 60000000, .wait_until_us = UINT64_MAX, .most_leased = most_leased, .done = on_taken};
	fn_queue_lease(q, l);
	looks = fn_db_writer_busy(writer);
	fn_db_writer_drain(writer);
	return looks;
}

START_TEST(what_is_known_to_be_empty_is_not_looked_at)
{
	struct fn_queue_lease l, other;

	open_all();
	ck_assert(take(&l, 0));
	put_at(0);
	ck_assert_int_eq(n_had, 1);
	ck_assert(!take(&l, 5));
	ck_assert_int_eq(n_had, 1);
	put_at(0); /* wakes it */
	ck_assert_int_eq(n_had, 2);
	put_at(0); /* nobody has waited */
	ck_assert(take(&l, 0));
	ck_assert_int_eq(n_had, 3);
	put_at(fn_clock_real_us() + 500000);
	ck_assert(!take(&l, 0));
	while (n_had == 3)
		ck_assert_int_eq(fn_loop_run_once(loop, 1000000), 0);
	ck_assert_int_eq(n_had, 4);
	ck_assert(take(&l, 4)); /* it may not wait */
	ck_assert_int_eq(n_limited, 1);
	ck_assert(!take(&l, 0));
	ck_assert(!take(&other, 0));
	close_all();
	ck_assert_int_eq(n_had, 4);
}
END_TEST

TEST_MAIN("queue/early", with_a_disk_as_it_is, with_a_slow_disk, a_lease_waits_for_no_disk, what_is_known_to_be_empty_is_not_looked_at)

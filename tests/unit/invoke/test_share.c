#include "invoke/share.h"

#include "unit/main.h"

static uint64_t now, cpu;

/* n requests within a window that then ends; percent: of a CPU that they took. */
static void window(struct fn_share *s, unsigned n, unsigned percent, const uint64_t *others, unsigned lively)
{
	for (unsigned i = 0; i < n; i++)
		(void)fn_share_count(s, now);
	now += FN_SHARE_WINDOW_US;
	cpu += FN_SHARE_WINDOW_US * percent / 100;
	ck_assert(fn_share_count(s, now));
	fn_share_window(s, now, cpu, others, lively);
}

static unsigned given(struct fn_share *s, unsigned expect_to)
{
	unsigned n = 0, to;

	while (fn_share_due(s, &to)) {
		ck_assert_uint_eq(to, expect_to);
		fn_share_given(s);
		ck_assert_uint_lt(++n, 1000);
	}
	return n;
}

START_TEST(half_goes_when_the_other_is_idle)
{
	struct fn_share s;
	uint64_t others[1] = {0};

	fn_share_init(&s, 1, 50);
	window(&s, 600, 80, others, 64);
	ck_assert_uint_eq(given(&s, 0), 32);
	others[0] = 300; /* now both have as much: nobody goes back and forth */
	window(&s, 299, 80, others, 32);
	ck_assert_uint_eq(given(&s, 0), 0);
	others[0] += 260; /* less than a fifth apart */
	window(&s, 300, 80, others, 32);
	ck_assert_uint_eq(given(&s, 0), 0);
	others[0] += 200;
	window(&s, 400, 80, others, 40);
	ck_assert_uint_eq(given(&s, 0), 10);
}
END_TEST

START_TEST(who_is_not_busy_or_alone_stays)
{
	struct fn_share s;
	uint64_t others[1] = {0};

	fn_share_init(&s, 1, 50);
	window(&s, 600, 49, others, 64);
	ck_assert_uint_eq(given(&s, 0), 0);
	window(&s, 200, 90, others, 1);
	ck_assert_uint_eq(given(&s, 0), 0);
	window(&s, 200, 50, others, 2);
	ck_assert_uint_eq(given(&s, 0), 1);
	window(&s, 200, 90, others, 20);
	ck_assert_uint_eq(given(&s, 0), 10);
	now += 1000000; /* as busy, but over a second */
	window(&s, 200, 90, others, 20);
	ck_assert_uint_eq(given(&s, 0), 0);
}
END_TEST

START_TEST(the_one_with_least_gets_most)
{
	struct fn_share s;
	uint64_t others[3] = {0}, here = 1200;
	unsigned conns = 64, got[3] = {0}, to;

	fn_share_init(&s, 3, 50);
	for (int round = 0; round < 6; round++) { /* each connection has the same share of the requests */
		window(&s, (unsigned)(here * conns / 64) - 1, 80, others, conns);
		while (fn_share_due(&s, &to)) {
			fn_share_given(&s);
			got[to]++;
			conns--;
		}
		for (int i = 0; i < 3; i++)
			others[i] += here * got[i] / 64;
	}
	ck_assert_uint_eq(conns + got[0] + got[1] + got[2], 64);
	ck_assert(conns >= 13 && conns <= 19);
	for (int i = 0; i < 3; i++)
		ck_assert_msg(got[i] >= 13 && got[i] <= 19, "%u of 64", got[i]);
}
END_TEST

START_TEST(everything_goes_if_asked_for)
{
	struct fn_share s;
	unsigned to;

	fn_share_init(&s, 2, 0);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(fn_share_due(&s, &to));
		ck_assert_uint_eq(to, i % 2);
		fn_share_given(&s);
	}
	fn_share_init(&s, 0, 0);
	ck_assert(!fn_share_due(&s, &to));
}
END_TEST

TEST_MAIN("invoke/share", half_goes_when_the_other_is_idle, who_is_not_busy_or_alone_stays, the_one_with_least_gets_most, everything_goes_if_asked_for)

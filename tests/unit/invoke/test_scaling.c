#include "invoke/scaling.h"

#include <errno.h>

#include "unit/main.h"

#define T0 1735689600u /* 2025-01-01T00:00:00Z, a Wednesday */
#define MIN 60u
#define HOUR 3600u
#define DAY 86400u

static bool due(const char *text, uint64_t from, uint64_t to)
{
	struct fn_schedule s = {0};

	ck_assert_msg(fn_schedule_parse(text, &s) == 0, "%s", text);
	return fn_schedule_due(&s, from, to);
}

static bool due_at(const char *text, uint64_t t) { return due(text, t - 1, t); }

START_TEST(at)
{
	ck_assert(due_at("at(2025-01-01T00:00:00)", T0));
	ck_assert(!due("at(2025-01-01T00:00:00)", T0, T0 + 5 * DAY)); /* once */
	ck_assert(due("at(2025-01-01T00:00:30)", T0, T0 + MIN));
}
END_TEST

START_TEST(cron)
{
	ck_assert(due_at("cron(0 8 ? * MON-FRI *)", T0 + 8 * HOUR));
	ck_assert(!due_at("cron(0 8 ? * MON-FRI *)", T0 + 3 * DAY + 8 * HOUR)); /* Saturday */
	ck_assert(due_at("cron(0 8 ? * 7 *)", T0 + 3 * DAY + 8 * HOUR));
	ck_assert(due_at("cron(0 8 ? * sun *)", T0 + 4 * DAY + 8 * HOUR));
	ck_assert(!due_at("cron(0 8 ? * MON-FRI *)", T0 + 8 * HOUR + MIN));
	ck_assert(due("cron(0 8 ? * MON-FRI *)", T0, T0 + 9 * HOUR));
	ck_assert(!due("cron(0 8 ? * MON-FRI *)", T0 + 8 * HOUR, T0 + 9 * HOUR)); /* done with */
	ck_assert(due_at("cron(*/15 * * * ? *)", T0 + 45 * MIN));
	ck_assert(!due_at("cron(*/15 * * * ? *)", T0 + 46 * MIN));
	ck_assert(due_at("cron(5/20 * * * ? *)", T0 + 45 * MIN));
	ck_assert(due_at("cron(0,30 9-17/4 1 JAN,JUL ? 2025)", T0 + 13 * HOUR + 30 * MIN));
	ck_assert(!due_at("cron(0,30 9-17/4 1 JAN,JUL ? 2025)", T0 + 12 * HOUR + 30 * MIN));
	ck_assert(!due_at("cron(0 0 1 * ? 2026-2030)", T0));
	ck_assert(due_at("cron(0 0 29 2 ? *)", T0 + (365 + 365 + 365 + 31 + 28) * (uint64_t)DAY)); /* 2028 */
}
END_TEST

START_TEST(not_understood)
{
	static const char *const bad[] = {"", "cron()", "cron(0 8 * * MON *)", "cron(0 8 ? * ? *)", "cron(60 8 ? * MON *)", "cron(0 24 ? * MON *)", "cron(0 8 0 * ? *)",
					  "cron(0 8 ? * 8 *)", "cron(0 8 ? 13 MON *)", "cron(0 8 ? * MON)", "cron(0 8 ? * MON * *)", "cron(0 8 L * ? *)",
					  "cron(0 8 ? * MON#1 *)", "cron(5-1 8 ? * MON *)", "cron(*/0 8 ? * MON *)", "cron(0, 8 ? * MON *)", "cron(-1 8 ? * MON *)",
					  "cron(0 8 ? * MON *", "0 8 * * *", "rate(5 minutes)", "at(2025-13-01T00:00:00)", "at(2025-01-01)", "at(2025-01-01T00:00:00Z)",
					  "at(2025-01-01T24:00:00)"};
	struct fn_schedule s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_schedule_parse(bad[i], &s) == -EINVAL, "\"%s\"", bad[i]);
}
END_TEST

START_TEST(follows_the_load)
{
	struct fn_scaling s = {.target = 0.7, .min = 2, .max = 20};
	int64_t n = 0;

	n = fn_scaling_step(&s, n, 0, T0);
	ck_assert_int_eq(n, 2);
	/* two periods are not enough, three are */
	ck_assert_int_eq(fn_scaling_step(&s, 10, 9, T0), 10);
	ck_assert_int_eq(fn_scaling_step(&s, 10, 9, T0), 10);
	ck_assert_int_eq(fn_scaling_step(&s, 10, 9, T0), 13); /* 9 of 13 is 0.69 */
	for (int i = 0; i < 50; i++) /* what is met stays: from 0.63 to 0.7 */
		ck_assert_int_eq(fn_scaling_step(&s, 13, 9, T0), 13);
	/* an interruption begins anew */
	(void)fn_scaling_step(&s, 13, 12, T0);
	(void)fn_scaling_step(&s, 13, 12, T0);
	(void)fn_scaling_step(&s, 13, 9, T0);
	ck_assert_int_eq(fn_scaling_step(&s, 13, 12, T0), 13);
	/* in, more slowly */
	for (unsigned i = 0; i + 1 < FN_SCALING_IN; i++)
		ck_assert_int_eq(fn_scaling_step(&s, 13, 3, T0), 13);
	ck_assert_int_eq(fn_scaling_step(&s, 13, 3, T0), 5);
	/* bounds */
	for (int i = 0; i < 3; i++)
		n = fn_scaling_step(&s, 19, 19, T0);
	ck_assert_int_eq(n, 20);
	for (unsigned i = 0; i < FN_SCALING_IN; i++)
		n = fn_scaling_step(&s, 5, 0, T0);
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(fn_scaling_step(&s, 50, 35, T0), 20);
}
END_TEST

START_TEST(follows_the_clock)
{
	struct fn_schedule day[2] = {{.min = 5, .max = 10}, {.min = 0, .max = -1}};
	struct fn_scaling s = {.schedule = day, .n_schedule = 2, .min = 1, .max = 3};

	ck_assert_int_eq(fn_schedule_parse("cron(0 8 * * ? *)", &day[0]), 0);
	ck_assert_int_eq(fn_schedule_parse("cron(0 20 * * ? *)", &day[1]), 0);
	ck_assert_int_eq(fn_scaling_step(&s, 0, 0, T0), 1);
	ck_assert_int_eq(fn_scaling_step(&s, 1, 0, T0 + 7 * HOUR), 1);
	ck_assert_int_eq(fn_scaling_step(&s, 1, 0, T0 + 8 * HOUR + 1), 5);
	ck_assert_int_eq(fn_scaling_step(&s, 8, 0, T0 + 9 * HOUR), 8); /* between the bounds, and no target */
	ck_assert_int_eq(fn_scaling_step(&s, 8, 0, T0 + 20 * HOUR), 8);
	ck_assert_int_eq(s.min, 0);
	ck_assert_int_eq(s.max, 10);
}
END_TEST

TEST_MAIN("invoke/scaling", at, cron, not_understood, follows_the_load, follows_the_clock)

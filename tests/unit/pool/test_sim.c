/* What must hold of the policies on a small trace: see tests/sim. `make sim` prints the large one. */
#include "sim/replay.h"
#include "unit/main.h"

static struct sim_trace trace;

static struct sim_result replay(enum fn_keep_policy policy, unsigned idle_s, unsigned budget_mb)
{
	struct fn_keep_config c;
	struct sim_result r;

	fn_keep_defaults(&c, policy);
	c.idle_us = (uint64_t)idle_s * 1000000u;
	sim_replay(&trace, &c, (uint64_t)budget_mb << 20, &r);
	ck_assert_uint_eq(r.invocations, trace.n_arrivals);
	if (budget_mb) /* a model that holds more than there is would flatter */
		ck_assert(r.idle_byte_s <= (double)budget_mb * 1048576 * (double)trace.span_us / 1e6);
	return r;
}

static double share(const struct sim_result *r) { return (double)r->cold / (double)r->invocations; }

START_TEST(the_trace_is_what_it_says)
{
	size_t *n, rare = 0, minute = 0, last = 0;

	sim_trace_make(7, 2000, 24, &trace);
	n = calloc(trace.n_functions, sizeof(*n));
	for (size_t i = 0; i < trace.n_arrivals; i++) {
		ck_assert_uint_ge(trace.arrivals[i].at_us, trace.arrivals[last].at_us);
		ck_assert_uint_lt(trace.arrivals[i].at_us, trace.span_us);
		n[trace.arrivals[i].function]++;
		last = i;
	}
	for (size_t i = 0; i < trace.n_functions; i++) {
		rare += n[i] <= 24;
		minute += n[i] <= 24 * 60;
	}
	ck_assert_double_eq_tol((double)rare / (double)trace.n_functions, 0.45, 0.05);
	ck_assert_double_eq_tol((double)minute / (double)trace.n_functions, 0.81, 0.05);
	free(n);
	sim_trace_free(&trace);
}
END_TEST

START_TEST(deterministic)
{
	struct sim_result a, b;

	sim_trace_make(1, 60, 24, &trace);
	a = replay(FN_KEEP_HYBRID, 600, 4096);
	sim_trace_free(&trace);
	sim_trace_make(1, 60, 24, &trace);
	b = replay(FN_KEEP_HYBRID, 600, 4096);
	sim_trace_free(&trace);
	ck_assert_uint_eq(a.cold, b.cold);
	ck_assert(a.idle_byte_s == b.idle_byte_s);
}
END_TEST

START_TEST(without_pressure)
{
	sim_trace_make((uint64_t)_i + 1, 120, 48, &trace);
	{
		struct sim_result fixed = replay(FN_KEEP_FIXED, 600, 0), longer = replay(FN_KEEP_FIXED, 1200, 0), dual = replay(FN_KEEP_GREEDY_DUAL, 600, 0),
				  never = replay(FN_KEEP_FIXED, 0, 0), hybrid = replay(FN_KEEP_HYBRID, 600, 0);

		/* with nobody to take memory from, greedy-dual is the fixed time */
		ck_assert_uint_eq(fixed.cold, dual.cold);
		ck_assert(fixed.idle_byte_s == dual.idle_byte_s);
		ck_assert(never.cold < longer.cold && longer.cold < fixed.cold);
		/* what it has learnt: a fifth fewer cold starts or better, and for the median function far fewer than a longer fixed time */
		ck_assert_msg(share(&hybrid) <= 0.8 * share(&fixed), "hybrid %.4f, fixed %.4f", share(&hybrid), share(&fixed));
		ck_assert_msg(hybrid.median_cold <= 0.75 * longer.median_cold, "hybrid %.4f, fixed %.4f", hybrid.median_cold, longer.median_cold);
		ck_assert(hybrid.idle_byte_s < never.idle_byte_s * 0.6);
		ck_assert(hybrid.prewarmed > 100 && hybrid.prewarmed_used >= hybrid.prewarmed * 9 / 10);
	}
	sim_trace_free(&trace);
}
END_TEST

START_TEST(under_pressure)
{
	sim_trace_make((uint64_t)_i + 1, 120, 48, &trace);
	for (unsigned mb = 8192; mb <= 12288; mb += 4096) {
		struct sim_result fixed = replay(FN_KEEP_FIXED, 600, mb), dual = replay(FN_KEEP_GREEDY_DUAL, 600, mb), hybrid = replay(FN_KEEP_HYBRID, 600, mb);

		ck_assert_uint_gt(fixed.evicted, 1000);
		/* the time lost to cold starts, in the same memory */
		ck_assert_msg(dual.cold_us <= 0.8 * fixed.cold_us, "%u MB: greedy-dual %.0f s, fixed %.0f s", mb, dual.cold_us / 1e6, fixed.cold_us / 1e6);
		ck_assert_msg(hybrid.cold_us <= 0.8 * fixed.cold_us, "%u MB: hybrid %.0f s, fixed %.0f s", mb, hybrid.cold_us / 1e6, fixed.cold_us / 1e6);
	}
	sim_trace_free(&trace);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sim");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_test(c, the_trace_is_what_it_says);
	tcase_add_test(c, deterministic);
	tcase_add_loop_test(c, without_pressure, 0, 2);
	tcase_add_loop_test(c, under_pressure, 0, 2);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#include "events/retry.h"

#include "unit/main.h"

#define S UINT64_C(1000000)
static const struct fn_retry_policy usual = {.retries = 2, .age_us = 21600 * S, .delay_us = {60 * S, 120 * S}};

static struct fn_decision decide(const struct fn_retry_policy *p, enum fn_attempt what, unsigned errors, uint64_t age_s)
{
	return fn_retry_decide(p, what, errors, 1000 * S, (1000 + age_s) * S);
}

START_TEST(errors_are_retried_twice_after_a_minute_and_two)
{
	struct fn_decision d = decide(&usual, FN_ATTEMPT_ERROR, 1, 5);

	ck_assert_int_eq(d.fate, FN_FATE_AGAIN);
	ck_assert_uint_eq(d.at_us, 1065 * S);
	d = decide(&usual, FN_ATTEMPT_ERROR, 2, 70);
	ck_assert_int_eq(d.fate, FN_FATE_AGAIN);
	ck_assert_uint_eq(d.at_us, 1190 * S);
	d = decide(&usual, FN_ATTEMPT_ERROR, 3, 200);
	ck_assert_int_eq(d.fate, FN_FATE_END);
	ck_assert_int_eq(d.condition, FN_CONDITION_RETRIES_EXHAUSTED);
}
END_TEST

/* As recorded: an age of 60 s is one attempt, 90 s two. */
START_TEST(a_retry_that_would_come_too_late_is_given_up_at_once)
{
	struct fn_retry_policy p = usual;
	struct fn_decision d;

	p.age_us = 60 * S;
	d = decide(&p, FN_ATTEMPT_ERROR, 1, 1);
	ck_assert_int_eq(d.fate, FN_FATE_END);
	ck_assert_int_eq(d.condition, FN_CONDITION_AGE_EXCEEDED);
	p.age_us = 90 * S;
	ck_assert_int_eq(decide(&p, FN_ATTEMPT_ERROR, 1, 1).fate, FN_FATE_AGAIN);
	d = decide(&p, FN_ATTEMPT_ERROR, 2, 62);
	ck_assert_int_eq(d.condition, FN_CONDITION_AGE_EXCEEDED);
	p.retries = 0;
	ck_assert_int_eq(decide(&p, FN_ATTEMPT_ERROR, 1, 1).condition, FN_CONDITION_RETRIES_EXHAUSTED);
}
END_TEST

START_TEST(what_did_not_run_waits_until_it_is_too_old)
{
	for (enum fn_attempt a = FN_ATTEMPT_THROTTLED; a <= FN_ATTEMPT_SYSTEM; a++) {
		ck_assert_int_eq(decide(&usual, a, 7, 21600).fate, FN_FATE_WAIT);
		ck_assert_int_eq(decide(&usual, a, 0, 21601).condition, FN_CONDITION_AGE_EXCEEDED);
	}
	ck_assert_int_eq(decide(&usual, FN_ATTEMPT_NONE, 0, 21600).fate, FN_FATE_RUN);
	ck_assert_int_eq(decide(&usual, FN_ATTEMPT_NONE, 0, 21601).condition, FN_CONDITION_AGE_EXCEEDED);
}
END_TEST

START_TEST(ends)
{
	ck_assert_int_eq(decide(&usual, FN_ATTEMPT_SUCCESS, 0, 99999).condition, FN_CONDITION_SUCCESS);
	ck_assert_int_eq(decide(&usual, FN_ATTEMPT_OFF, 0, 0).condition, FN_CONDITION_ZERO_CONCURRENCY);
	ck_assert_int_eq(decide(&usual, FN_ATTEMPT_RECURSIVE, 0, 0).fate, FN_FATE_END);
	ck_assert_int_eq(decide(&usual, FN_ATTEMPT_GONE, 0, 0).fate, FN_FATE_LOST);
	ck_assert_str_eq(fn_condition_name(FN_CONDITION_ZERO_CONCURRENCY), "ZeroReservedConcurrency");
}
END_TEST

TEST_MAIN("events/retry", errors_are_retried_twice_after_a_minute_and_two, a_retry_that_would_come_too_late_is_given_up_at_once, what_did_not_run_waits_until_it_is_too_old, ends)

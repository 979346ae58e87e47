#include "pool/policy.h"

#include <errno.h>

#include "unit/main.h"

START_TEST(starts)
{
	static const struct {
		unsigned waiting, starting, finishing;
		bool patient;
		unsigned want;
	} t[] = {{0, 0, 0, false, 0}, {1, 0, 0, false, 1}, {5, 2, 0, false, 3}, {2, 5, 0, false, 0}, {1, 0, 1, true, 0}, {3, 0, 1, true, 2}, {1, 0, 1, false, 1}};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ck_assert_msg(fn_policy_starts(t[i].waiting, t[i].starting, t[i].finishing, t[i].patient) == t[i].want, "case %zu", i);
}
END_TEST

START_TEST(patience)
{
	uint64_t average = 0;

	ck_assert_uint_eq(fn_policy_patience_us(0, 0), 20000);
	ck_assert_uint_eq(fn_policy_patience_us(100, 4000), 20000);
	ck_assert_uint_eq(fn_policy_patience_us(15000, 20000), 20000);
	ck_assert_uint_eq(fn_policy_patience_us(15000, 150000), 150000);
	ck_assert_uint_eq(fn_policy_patience_us(0, 3000000), 1000000);
	ck_assert_uint_eq(fn_policy_patience_us(20001, 0), 3000);
	ck_assert_uint_eq(fn_policy_patience_us(20001, 3000000), 3000);
	ck_assert_uint_eq(fn_policy_settle_us(0, 0), 1); /* known */
	ck_assert_uint_eq(fn_policy_settle_us(0, 5000), 5000);
	ck_assert_uint_eq(fn_policy_settle_us(1, 1), 1);
	average = fn_policy_settle_us(100, 3600000000u); /* slept through an hour */
	for (int i = 0; i < 10; i++)
		average = fn_policy_settle_us(average, 100);
	ck_assert_uint_le(average, 20000);
}
END_TEST

START_TEST(memory)
{
	ck_assert(!fn_policy_must_evict(0, 10, 0));
	ck_assert(!fn_policy_must_evict(90, 10, 100));
	ck_assert(fn_policy_must_evict(91, 10, 100));
	ck_assert_uint_eq(fn_policy_cost(0, 128 << 20), 16 << 20);
	ck_assert_uint_eq(fn_policy_cost(100 << 20, 128 << 20), 101 << 20);
	ck_assert_uint_eq(fn_policy_cost(1 << 20, 128 << 20), 2 << 20); /* thousands that idle with little must not end for what they do not hold */
	ck_assert_uint_eq(fn_policy_cost(300 << 20, 128 << 20), 128 << 20);
}
END_TEST

START_TEST(reclaim_comes_before_eviction)
{
	ck_assert(!fn_policy_should_reclaim(1000, 1000, 0));
	ck_assert(!fn_policy_should_reclaim(600, 100, 800));
	ck_assert(fn_policy_should_reclaim(601, 100, 800));
	ck_assert(!fn_policy_must_evict(601, 100, 800));
}
END_TEST

START_TEST(provision)
{
	ck_assert_uint_eq(fn_policy_provision_starts(0, 0, 0, 16), 0);
	ck_assert_uint_eq(fn_policy_provision_starts(5, 2, 1, 16), 3);
	ck_assert_uint_eq(fn_policy_provision_starts(100, 0, 0, 16), 16);
	ck_assert_uint_eq(fn_policy_provision_starts(100, 16, 16, 16), 0);
	ck_assert_uint_eq(fn_policy_provision_starts(2, 5, 0, 16), 0);
	ck_assert_uint_eq(fn_policy_retry_us(0), 2000000);
	ck_assert_uint_eq(fn_policy_retry_us(1), 4000000);
	ck_assert_uint_eq(fn_policy_retry_us(1000), 300000000);
}
END_TEST

START_TEST(what_the_machine_has_no_room_for)
{
	ck_assert(fn_policy_lacks_room(EMFILE));
	ck_assert(fn_policy_lacks_room(ENOSPC)); /* for /tmp, say */
	ck_assert(fn_policy_lacks_room(EUSERS)); /* uids */
	ck_assert(!fn_policy_lacks_room(EACCES));
	ck_assert(!fn_policy_lacks_room(ECONNRESET)); /* fn-spawnd has gone */
}
END_TEST

TEST_MAIN("pool/policy", what_the_machine_has_no_room_for, starts, patience, memory, reclaim_comes_before_eviction, provision)

#include "base/slots.h"

#include <errno.h>

#include "unit/main.h"

START_TEST(all_of_them_and_no_more)
{
	struct fn_slots *s;
	uint32_t v, seen = 0;

	ck_assert_int_eq(fn_slots_new(0, &s), -EINVAL);
	ck_assert_int_eq(fn_slots_new(5, &s), 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(fn_slots_take(s, &v), 0);
		ck_assert_uint_lt(v, 5);
		ck_assert(!(seen & 1u << v));
		seen |= 1u << v;
	}
	ck_assert_int_eq(fn_slots_take(s, &v), -EAGAIN);
	ck_assert_uint_eq(fn_slots_used(s), 5);
	ck_assert_uint_eq(fn_slots_capacity(s), 5);
	fn_slots_give(s, 3);
	fn_slots_give(s, 3); /* twice, and one that never was: nothing */
	fn_slots_give(s, 77);
	ck_assert_uint_eq(fn_slots_used(s), 4);
	ck_assert_int_eq(fn_slots_take(s, &v), 0);
	ck_assert_uint_eq(v, 3);
	ck_assert_int_eq(fn_slots_take(s, &v), -EAGAIN);
	fn_slots_free(s);
	fn_slots_free(NULL);
}
END_TEST

START_TEST(from_another_beginning)
{
	static const uint32_t expected[] = {3, 4, 0, 1, 2};
	struct fn_slots *s;
	uint32_t v;

	ck_assert_int_eq(fn_slots_new(5, &s), 0);
	fn_slots_start_at(s, 4294967293u); /* mod 5: 3 */
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(fn_slots_take(s, &v), 0);
		ck_assert_uint_eq(v, expected[i]);
	}
	ck_assert_int_eq(fn_slots_take(s, &v), -EAGAIN);
	fn_slots_free(s);
}
END_TEST

START_TEST(the_last_given_back_is_the_last_taken)
{
	struct fn_slots *s;
	uint32_t v;

	ck_assert_int_eq(fn_slots_new(4, &s), 0);
	for (uint32_t round = 0; round < 1000; round++) { /* one in use at a time: they go round */
		ck_assert_int_eq(fn_slots_take(s, &v), 0);
		ck_assert_uint_eq(v, round % 4);
		fn_slots_give(s, v);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(fn_slots_take(s, &v), 0);
	for (uint32_t i = 0; i < 3; i++)
		fn_slots_give(s, (i * 2) % 4 + (i == 2)); /* 0, 2, 1 */
	ck_assert_int_eq(fn_slots_take(s, &v), 0);
	ck_assert_uint_eq(v, 0);
	fn_slots_give(s, 3);
	ck_assert_int_eq(fn_slots_take(s, &v), 0);
	ck_assert_uint_eq(v, 2);
	ck_assert_int_eq(fn_slots_take(s, &v), 0);
	ck_assert_uint_eq(v, 1);
	ck_assert_int_eq(fn_slots_take(s, &v), 0);
	ck_assert_uint_eq(v, 3);
	ck_assert_int_eq(fn_slots_take(s, &v), -EAGAIN);
	fn_slots_free(s);
}
END_TEST

TEST_MAIN("base/slots", all_of_them_and_no_more, from_another_beginning, the_last_given_back_is_the_last_taken)

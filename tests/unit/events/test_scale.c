/* How many batches of a mapping run at once. */
#include "events/scale.h"

#include "unit/main.h"

START_TEST(what_goes_wrong_lowers_it_and_what_goes_well_raises_it)
{
	struct fn_scale s;

	fn_scale_init(&s, 0, 100);
	ck_assert_uint_eq(fn_scale_room(&s, 0), 100); /* at once */
	fn_scale_failed(&s);
	ck_assert_uint_eq(s.now, 87);
	fn_scale_throttled(&s, 8);
	ck_assert_uint_eq(s.now, 5);
	for (int i = 0; i < 50; i++)
		fn_scale_failed(&s);
	ck_assert_uint_eq(s.now, FN_SCALE_LEAST);
	for (int i = 0; i < 200; i++)
		fn_scale_succeeded(&s);
	ck_assert_uint_eq(s.now, 100);
	fn_scale_throttled(&s, 1000); /* never up */
	ck_assert_uint_eq(s.now, 100);
	fn_scale_init(&s, 0, 1);
	ck_assert_uint_eq(s.now, FN_SCALE_LEAST);
}
END_TEST

START_TEST(room_is_what_does_not_run_yet)
{
	struct fn_scale s;

	fn_scale_init(&s, 0, 2); /* MaximumConcurrency */
	ck_assert_uint_eq(fn_scale_room(&s, 0), 2);
	ck_assert_uint_eq(fn_scale_room(&s, 2), 0);
	ck_assert_uint_eq(fn_scale_room(&s, 3), 0);
}
END_TEST

/* Of provisioned pollers the minimum stays. */
START_TEST(provisioned_pollers_stay)
{
	struct fn_scale s;

	fn_scale_init(&s, 20, 30);
	for (int i = 0; i < 50; i++)
		fn_scale_throttled(&s, 3);
	ck_assert_uint_eq(s.now, 20);
}
END_TEST

TEST_MAIN("events/scale", what_goes_wrong_lowers_it_and_what_goes_well_raises_it, room_is_what_does_not_run_yet, provisioned_pollers_stay)

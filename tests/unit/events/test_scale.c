/* How many batches of a mapping run at once. */
#include "events/scale.h"

#include "unit/main.h"

START_TEST(what_goes_wrong_lowers_it_and_what_goes_well_raises_it)
{
	struct fn_scale s;

	fn_scale_init(&s, 100);
	ck_assert_uint_eq(fn_scale_room(&s, 0, 0, 1000), 100); /* at once */
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
	fn_scale_init(&s, 1);
	ck_assert_uint_eq(s.now, FN_SCALE_LEAST);
}
END_TEST

/* Others that take all there is leave each mapping a few. */
START_TEST(each_has_its_own)
{
	struct fn_scale s;

	fn_scale_init(&s, 100);
	ck_assert_uint_eq(fn_scale_room(&s, 0, 500, 500), FN_SCALE_OWN);
	ck_assert_uint_eq(fn_scale_room(&s, 3, 600, 500), FN_SCALE_OWN - 3);
	ck_assert_uint_eq(fn_scale_room(&s, 5, 500, 500), 0);
	ck_assert_uint_eq(fn_scale_room(&s, 5, 498, 500), 2);
	ck_assert_uint_eq(fn_scale_room(&s, 100, 100, 500), 0);
	fn_scale_init(&s, 2); /* MaximumConcurrency */
	ck_assert_uint_eq(fn_scale_room(&s, 0, 0, 500), 2);
	ck_assert_uint_eq(fn_scale_room(&s, 2, 2, 500), 0);
}
END_TEST

TEST_MAIN("events/scale", what_goes_wrong_lowers_it_and_what_goes_well_raises_it, each_has_its_own)

#include "spawn/stock.h"

#include "unit/main.h"

START_TEST(demand_rises_at_once_and_decays)
{
	double d = 0;
	int ticks = 0;

	d = fn_stock_demand(d, 40);
	ck_assert_double_eq(d, 40);
	d = fn_stock_demand(d, 10);
	ck_assert_double_eq_tol(d, 36, 1e-9);
	while (d > 1 && ticks < 1000) {
		d = fn_stock_demand(d, 0);
		ticks++;
	}
	ck_assert_int_gt(ticks, 20);
	ck_assert_int_lt(ticks, 60);
}
END_TEST

START_TEST(target_stays_within_its_bounds)
{
	ck_assert_uint_eq(fn_stock_target(0, 0, 4, 64), 4);
	ck_assert_uint_eq(fn_stock_target(8, 0, 4, 64), 14);
	ck_assert_uint_eq(fn_stock_target(0, 8, 4, 64), 14); /* what is asked for now counts before the tick */
	ck_assert_uint_eq(fn_stock_target(1000, 0, 4, 64), 64);
	ck_assert_uint_eq(fn_stock_target(0, 0, 4, 2), 2);
	ck_assert_uint_eq(fn_stock_target(5, 5, 0, 0), 0);
}
END_TEST

START_TEST(a_quarter_of_the_addresses_and_never_the_last)
{
	ck_assert(fn_stock_may_take(0, 5, 5)); /* a /29 */
	ck_assert(!fn_stock_may_take(1, 4, 5));
	ck_assert(fn_stock_may_take(0, 2, 5));
	ck_assert(!fn_stock_may_take(0, 1, 5));
	ck_assert(!fn_stock_may_take(0, 0, 5));
	ck_assert(fn_stock_may_take(2, 11, 13)); /* a /28 */
	ck_assert(!fn_stock_may_take(3, 10, 13));
	ck_assert(fn_stock_may_take(63, 65470, 65533));
}
END_TEST

TEST_MAIN("spawn/stock", demand_rises_at_once_and_decays, target_stays_within_its_bounds, a_quarter_of_the_addresses_and_never_the_last)

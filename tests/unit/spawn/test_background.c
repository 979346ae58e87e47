/* Who gives way, and who has waited for too long. */
#include "spawn/internal.h"
#include "unit/main.h"

#define MS 1000u
#define S (1000u * MS)

START_TEST(test_who_takes_cpu)
{
	bool look;

	ck_assert(!fn_background_judge(false, 0, 2, 10 * S, 19 * MS, 20 * S, &look)); /* it waits for something, mostly */
	ck_assert(!look);							      /* and what it has used adds up */
	ck_assert(fn_background_judge(false, 0, 2, 100 * MS, 20 * MS, 200 * MS, &look));
	ck_assert(look);
}
END_TEST

START_TEST(test_share)
{
	bool look;

	ck_assert(fn_background_judge(true, 1, 2, 900 * MS, 0, 2 * S, &look)); /* too early to tell */
	ck_assert(!look);
	ck_assert(fn_background_judge(true, 1, 2, 2 * S, 1 * S, 4 * S, &look)); /* a quarter of what all had */
	ck_assert(look);
	ck_assert(!fn_background_judge(true, 1, 2, 2 * S, 999 * MS, 4 * S, &look));
	ck_assert(look);
	ck_assert(fn_background_judge(true, 10, 2, 2 * S, 100 * MS, 4 * S, &look)); /* ten share it */
	ck_assert(!fn_background_judge(true, 10, 2, 2 * S, 99 * MS, 4 * S, &look));
	ck_assert(fn_background_judge(true, 1, 2, 60 * S, 5 * MS, 10 * MS, &look)); /* what others than sandboxes take is not counted */
}
END_TEST

/* Of many, each has its turn seldom. */
START_TEST(test_window)
{
	bool look;

	ck_assert(fn_background_judge(true, 100, 2, 1900 * MS, 0, 4 * S, &look));
	ck_assert(!look);
	ck_assert(!fn_background_judge(true, 100, 2, 2 * S, 0, 4 * S, &look));
	ck_assert(!fn_background_judge(true, 100, 200, 1010 * MS, 0, 4 * S, &look));
}
END_TEST

TEST_MAIN("spawn/background", test_who_takes_cpu, test_share, test_window)

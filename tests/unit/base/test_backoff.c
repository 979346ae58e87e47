#include "base/backoff.h"

#include "unit/main.h"

START_TEST(later_and_later_and_anew)
{
	static const uint64_t expected[] = {0, 0, 40000, 80000, 160000, 320000, 640000, 1280000, 2560000, 5120000, 10000000, 10000000};
	struct fn_backoff b = {0};

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
			ck_assert_uint_eq(fn_backoff_ended(&b, FN_BACKOFF_SOON_US - 1), expected[i]);
		for (int i = 0; i < 100000; i++)
			ck_assert_uint_eq(fn_backoff_ended(&b, 0), FN_BACKOFF_MOST_US);
		ck_assert_uint_eq(fn_backoff_ended(&b, FN_BACKOFF_SOON_US), 0); /* it has lived: a row ends */
		ck_assert_uint_eq(b.row, 0);
	}
}
END_TEST

TEST_MAIN("base/backoff", later_and_later_and_anew)

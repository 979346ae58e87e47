#include "invoke/provision.h"

#include <string.h>

#include "unit/main.h"

START_TEST(shares)
{
	struct fn_alias *a = fn_alias_new("live");

	a->version = strdup("1");
	ck_assert_int_eq(fn_provision_share("3", NULL, 5, "3"), 5);
	ck_assert_int_eq(fn_provision_share("3", NULL, 5, "4"), 0);
	ck_assert_int_eq(fn_provision_share("live", a, 5, "1"), 5);
	ck_assert_int_eq(fn_provision_share("live", a, 5, "live"), 0);
	a->other_version = strdup("2");
	for (int percent = 0; percent <= 100; percent++) {
		a->other_weight = percent / 100.0;
		for (int64_t n = 1; n < 20; n++) {
			int64_t one = fn_provision_share("live", a, n, "1"), two = fn_provision_share("live", a, n, "2");

			ck_assert_int_eq(one + two, n); /* none is lost */
			ck_assert(one >= 0 && two >= 0);
		}
	}
	a->other_weight = 0.1;
	ck_assert_int_eq(fn_provision_share("live", a, 10, "2"), 1);
	ck_assert_int_eq(fn_provision_share("live", a, 10, "3"), 0);
	fn_alias_free(a);
}
END_TEST

TEST_MAIN("invoke/provision", shares)

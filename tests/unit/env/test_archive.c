#include "env/archive.h"

#include "env/env.h"
#include "unit/main.h"

/* Until it is known, and while it is the shorter. */
START_TEST(sooner)
{
	ck_assert(fn_archive_sooner(&(struct fn_archive_starts){.ahead_us = 0, .own_us = 0, .own = 0}));
	ck_assert(fn_archive_sooner(&(struct fn_archive_starts){.ahead_us = 10, .own_us = 90, .own = 2}));
	ck_assert(!fn_archive_sooner(&(struct fn_archive_starts){.ahead_us = 10, .own_us = 90, .own = 3}));
	ck_assert(fn_archive_sooner(&(struct fn_archive_starts){.ahead_us = 100, .own_us = 90, .own = 3}));
	ck_assert(fn_archive_sooner(&(struct fn_archive_starts){.ahead_us = 0, .own_us = 90, .own = 3}));
}
END_TEST

/* What fails rests for ten minutes, then for twice as long, and so on to a day; what others say of it meanwhile counts once. */
START_TEST(off_for_a_time)
{
	static const uint64_t minute = 60000000, rests[] = {10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440};
	struct fn_env_host h = {0};
	uint64_t now = 5;

	ck_assert_ptr_null(fn_archive_why_off(&h, "java-a", now));
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		fn_archive_tree_off(&h, "java-a", now, "it failed");
		fn_archive_tree_off(&h, "java-a", now + 1, "it failed for another");
		ck_assert_str_eq(fn_archive_why_off(&h, "java-a", now), "it failed");
		ck_assert_ptr_null(fn_archive_why_off(&h, "java-b", now));
		now += rests[i] * minute;
		ck_assert_msg(fn_archive_why_off(&h, "java-a", now - 1) && !fn_archive_why_off(&h, "java-a", now), "rest %zu", i);
	}
	fn_archive_clear(&h);
	ck_assert_ptr_null(fn_archive_why_off(&h, "java-a", now));
}
END_TEST

TEST_MAIN("env/archive", sooner, off_for_a_time)

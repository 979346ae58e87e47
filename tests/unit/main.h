/*
 * main.h - what every unit test program ends with: TEST_MAIN("base/str", test_a, test_b) runs them, each in a process of its own, in a
 * directory below /tmp in which they may leave what they like.
 */
#ifndef TESTS_UNIT_MAIN_H
#define TESTS_UNIT_MAIN_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int unit_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int unit_run(SRunner *r)
{
	char dir[] = "/tmp/fnd-unit-XXXXXX";

	if (!mkdtemp(dir) || chdir(dir) < 0) {
		perror(dir);
		return 1;
	}
	srunner_run_all(r, CK_NORMAL);
	if (nftw(dir, unit_remove, 16, FTW_DEPTH | FTW_PHYS) != 0)
		perror(dir);
	return srunner_ntests_failed(r);
}

#define TEST_MAIN(name, ...)                                                    \
	int main(void)                                                          \
	{                                                                       \
		const TTest *const tests[] = {__VA_ARGS__};                     \
		Suite *s = suite_create(name);                                  \
		TCase *c = tcase_create("all");                                 \
		SRunner *r;                                                     \
		int failed;                                                     \
										\
		tcase_set_timeout(c, 60);                                       \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)   \
			tcase_add_test(c, tests[i]);                            \
		suite_add_tcase(s, c);                                          \
		r = srunner_create(s);                                          \
		failed = unit_run(r);                                           \
		srunner_free(r);                                                \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                    \
	}

#endif

/* main.h - what every unit test program ends with: TEST_MAIN("base/str", test_a, test_b) runs them, each in a process of its own. */
#ifndef TESTS_UNIT_MAIN_H
#define TESTS_UNIT_MAIN_H

#include <check.h>
#include <stdlib.h>

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
		srunner_run_all(r, CK_NORMAL);                                  \
		failed = srunner_ntests_failed(r);                              \
		srunner_free(r);                                                \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                    \
	}

#endif

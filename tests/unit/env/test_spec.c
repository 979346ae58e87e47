#include <stdlib.h>

#include "env/spec.h"
#include "unit/main.h"

START_TEST(cpu)
{
	ck_assert_uint_eq(fn_spec_cpu_quota_us(1769, 100000), 100000);
	ck_assert_uint_eq(fn_spec_cpu_quota_us(3538, 100000), 200000);
	ck_assert_int_le(abs((int)fn_spec_cpu_quota_us(884, 100000) - 49972), 30);
	ck_assert_uint_ge(fn_spec_cpu_quota_us(128, 20000), 1000); /* the kernel takes no less */
}
END_TEST

TEST_MAIN("env/spec", cpu)

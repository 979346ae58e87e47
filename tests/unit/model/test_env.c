#include "model/env.h"

#include "unit/main.h"

START_TEST(whose_a_name_is)
{
	ck_assert_int_eq(fn_env_rule("MINE"), FN_ENV_FREE);
	ck_assert_int_eq(fn_env_rule("TZ"), FN_ENV_FREE);
	ck_assert_int_eq(fn_env_rule("AWS_XRAY_CONTEXT_MISSING"), FN_ENV_FREE);
	ck_assert_int_eq(fn_env_rule("PWD"), FN_ENV_FIXED);
	ck_assert_int_eq(fn_env_rule("AWS_SESSION_TOKEN"), FN_ENV_RESERVED);
	ck_assert_int_eq(fn_env_rule("_HANDLER"), FN_ENV_RESERVED);
	ck_assert_int_eq(fn_env_rule("AWS_SESSION_TOKE"), FN_ENV_FREE);
	ck_assert_int_eq(fn_env_rule(""), FN_ENV_FREE);
}
END_TEST

TEST_MAIN("model/env", whose_a_name_is)

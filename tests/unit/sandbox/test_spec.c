#include "sandbox/spec.h"

#include <errno.h>
#include <string.h>

#include "unit/main.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct fn_spec sample(void)
{
	static char *argv[] = {(char *)"bootstrap", (char *)"x y", NULL}, *envp[] = {(char *)"A=b", (char *)"EMPTY=", NULL}, *exec[] = {(char *)"/var/task/bootstrap", NULL};
	struct fn_spec s = {.name = "env", .owner = "My_Function-1", .memory_bytes = 128 << 20, .cpu_quota_us = 2000, .cpu_init_quota_us = 20000, .cpu_period_us = 20000, .pids_max = 1024, .nofile = 1024, .tmp_bytes = 512 << 20,
			    .n_lowers = 2, .lowers = {"code-" HEX64, "img-" HEX64}, .cwd = "/var/task", .argv = argv, .envp = envp, .exec_candidates = exec};

	return s;
}

START_TEST(round_trip)
{
	struct fn_spec s = sample(), back;
	struct fn_buf b = {0};
	struct fn_err err;

	s.extensions = s.image = s.platform = true;
	ck_assert_int_eq(fn_spec_validate(&s, &err), 0);
	ck_assert_int_eq(fn_spec_encode(&s, &b), 0);
	ck_assert_int_eq(fn_spec_decode(b.data, b.len, &back, &err), 0);
	ck_assert_str_eq(back.name, "env");
	ck_assert(back.extensions && back.image && back.platform && !back.prestart);
	ck_assert_str_eq(back.owner, "My_Function-1");
	ck_assert_uint_eq(back.memory_bytes, s.memory_bytes);
	ck_assert_uint_eq(back.n_lowers, 2);
	ck_assert_str_eq(back.lowers[1], "img-" HEX64);
	ck_assert_str_eq(back.argv[1], "x y");
	ck_assert_ptr_null(back.argv[2]);
	ck_assert_str_eq(back.envp[1], "EMPTY=");
	ck_assert_str_eq(back.exec_candidates[0], "/var/task/bootstrap");
	fn_spec_clear(&back);
	fn_buf_free(&b);
}
END_TEST

/* What is the runtime's own stays with it; all else is both's, in its order. */
START_TEST(extension_environment)
{
	char *env[] = {(char *)"A=1", (char *)"_HANDLER=h", (char *)"AWS_LAMBDA_FUNCTION_NAME=f", (char *)"AWS_XRAY_DAEMON_ADDRESS=x", (char *)"LAMBDA_TASK_ROOT=x", (char *)"LAMBDA_TASK_ROOTS=1",
		       (char *)"AWS_EXECUTION_ENV=x", (char *)"AWS_LAMBDA_LOG_STREAM_NAME=x", (char *)"AWS_LAMBDA_LOG_GROUP_NAME=x", (char *)"LAMBDA_RUNTIME_DIR=x", (char *)"_X=1", (char *)"TZ=:UTC", NULL};
	const char *const left[] = {"A=1", "AWS_LAMBDA_FUNCTION_NAME=f", "LAMBDA_TASK_ROOTS=1", "TZ=:UTC"};

	fn_spec_extension_env(env);
	for (size_t i = 0; i < 4; i++)
		ck_assert_str_eq(env[i], left[i]);
	ck_assert_ptr_null(env[4]);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct fn_spec s = sample(), back;
	struct fn_buf b = {0};
	struct fn_err err;

	ck_assert_int_eq(fn_spec_encode(&s, &b), 0);
	for (size_t n = 0; n < b.len; n++)
		ck_assert_msg(fn_spec_decode(b.data, n, &back, &err) < 0, "%zu of %zu bytes", n, b.len);
	ck_assert_int_eq(fn_buf_add(&b, "x", 1), 0);
	ck_assert_int_lt(fn_spec_decode(b.data, b.len, &back, &err), 0);
	fn_buf_free(&b);
}
END_TEST

#define REFUSED(change)                                       \
	{                                                     \
		struct fn_spec s = sample();                  \
		struct fn_err err;                            \
		change;                                       \
		ck_assert_msg(fn_spec_validate(&s, &err) < 0, "%s", #change); \
	}

START_TEST(values_out_of_range_are_refused)
{
	REFUSED(s.memory_bytes = 0)
	REFUSED(s.cpu_quota_us = 0)
	REFUSED(s.cpu_period_us = 0)
	REFUSED(s.pids_max = 0)
	REFUSED(s.nofile = 0)
	REFUSED(s.tmp_bytes = 0)
	REFUSED(s.n_lowers = 0)
	REFUSED(s.n_lowers = FN_SPEC_LOWERS_MAX + 1)
	REFUSED(strcpy(s.name, "../x"))
	REFUSED(strcpy(s.name, ""))
	REFUSED(strcpy(s.name, "A"))
	REFUSED(strcpy(s.owner, ""))
	REFUSED(strcpy(s.owner, "a/code"))
	REFUSED(strcpy(s.kind, "k"); s.prestart = true)
	REFUSED(strcpy(s.lowers[0], "../../etc"))
	REFUSED(strcpy(s.lowers[0], "code-xyz"))
	REFUSED(strcpy(s.lowers[0], "code-" HEX64 ":"))
	REFUSED(strcpy(s.cwd, "relative"))
	REFUSED(static char *none[] = {NULL}; s.exec_candidates = none)
	REFUSED(static char *rel[] = {(char *)"rel"} ; static char *r2[2]; r2[0] = rel[0]; s.exec_candidates = r2)
}
END_TEST

TEST_MAIN("sandbox/spec", extension_environment, round_trip, every_truncation_is_refused, values_out_of_range_are_refused)

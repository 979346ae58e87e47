#include "env/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "unit/main.h"

#define KEYS "\"AccessKeyId\":\"ASIAQWERTYUIOPASDFGH\",\"SecretAccessKey\":\"secret/+=\""

static const char *refused(const char *text)
{
	static struct fn_err err;
	struct fn_credentials c = {0};

	ck_assert_msg(fn_credentials_parse(text, strlen(text), &c, &err) == -EINVAL, "%s", text);
	ck_assert_ptr_null(c.access_key_id);
	ck_assert_ptr_null(strstr(err.msg, "secret/"));
	return err.msg;
}

static uint64_t expires(const char *when)
{
	struct fn_credentials c = {0};
	char text[256];
	struct fn_err err;
	uint64_t us;

	snprintf(text, sizeof(text), "{\"Version\":1," KEYS ",\"SessionToken\":\"t\",\"Expiration\":\"%s\"}", when);
	if (fn_credentials_parse(text, strlen(text), &c, &err) < 0)
		return 0;
	us = c.expires_us;
	fn_credentials_clear(&c);
	return us / 1000000;
}

START_TEST(what_a_command_prints)
{
	const char *text = "{\"Version\":1," KEYS "}";
	struct fn_credentials c = {0};
	struct fn_err err;

	ck_assert_int_eq(fn_credentials_parse(text, strlen(text), &c, &err), 0);
	ck_assert_str_eq(c.access_key_id, "ASIAQWERTYUIOPASDFGH");
	ck_assert_str_eq(c.secret_access_key, "secret/+=");
	ck_assert_ptr_null(c.session_token);
	ck_assert_uint_eq(c.expires_us, UINT64_MAX);
	fn_credentials_clear(&c);
	ck_assert_ptr_null(c.secret_access_key);
	ck_assert_uint_eq(expires("2025-01-31T08:00:00Z"), 1738310400);
	ck_assert_uint_eq(expires("2025-01-31T08:00:00.123456Z"), 1738310400);
	ck_assert_uint_eq(expires("2025-01-31T08:00:00+00:00"), 1738310400);
	ck_assert_uint_eq(expires("2025-01-31T09:30:00+01:30"), 1738310400);
	ck_assert_uint_eq(expires("2025-01-31T05:00:00-03:00"), 1738310400);
}
END_TEST

START_TEST(what_is_refused)
{
	static const char *const times[] = {"", "now", "2025-01-31", "2025-01-31T08:00:00", "2025-01-31T08:00:00Zx", "2025-13-31T08:00:00Z", "2025-01-31T08:00:00+1", "2025-01-31T08:00:00+-1:00",
					    "2025-01-31T08:00:00+01:00x", "1738310400", "1960-01-01T00:00:00Z"};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		ck_assert_msg(expires(times[i]) == 0, "%s", times[i]);
	refused("");
	refused("{");
	refused("[]");
	refused("{\"Version\":1," KEYS "} and more");
	refused("{" KEYS "}");
	refused("{\"Version\":2," KEYS "}");
	refused("{\"Version\":\"1\"," KEYS "}");
	refused("{\"Version\":1,\"AccessKeyId\":\"ASIAQWERTYUIOPASDFGH\"}");
	refused("{\"Version\":1,\"AccessKeyId\":\"short\",\"SecretAccessKey\":\"secret/\"}");
	refused("{\"Version\":1,\"AccessKeyId\":\"ASIAQWERTYUIOPASDFGH\",\"SecretAccessKey\":\"secret/ with a space\"}");
	refused("{\"Version\":1,\"AccessKeyId\":\"ASIAQWERTYUIOPASDFGH\",\"SecretAccessKey\":\"secret/\\nline\"}");
	refused("{\"Version\":1,\"AccessKeyId\":\"ASIAQWERTYUIOPASDFGH\",\"SecretAccessKey\":\"\"}");
	refused("{\"Version\":1," KEYS ",\"SessionToken\":\"\"}");
	refused("{\"Version\":1," KEYS ",\"SessionToken\":5}");
	refused("{\"Version\":1," KEYS ",\"AccessKeyId\":\"ASIAQWERTYUIOPASDFGI\"}");
	refused("{\"Version\":1," KEYS ",\"Expiration\":1738310400}");
}
END_TEST

START_TEST(invented_ones_look_like_aws_s)
{
	struct fn_credentials a = {0}, b = {0};
	struct fn_err err;

	ck_assert_int_eq(fn_credentials_invent(&a), 0);
	ck_assert_int_eq(fn_credentials_invent(&b), 0);
	ck_assert_int_eq(fn_credentials_check(&a, &err), 0);
	ck_assert_uint_eq(strlen(a.access_key_id), 20);
	ck_assert_int_eq(strncmp(a.access_key_id, "ASIA", 4), 0);
	ck_assert_uint_eq(strspn(a.access_key_id + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 16);
	ck_assert_uint_eq(strlen(a.secret_access_key), 40);
	ck_assert_int_eq(strncmp(a.session_token, "IQoJb3JpZ2luX2Vj", 16), 0);
	ck_assert_uint_gt(strlen(a.session_token), 500);
	ck_assert_str_ne(a.access_key_id, b.access_key_id);
	ck_assert_str_ne(a.secret_access_key, b.secret_access_key);
	ck_assert_str_ne(a.session_token, b.session_token);
	fn_credentials_clear(&a);
	fn_credentials_clear(&b);
}
END_TEST

START_TEST(renewed_before_they_expire)
{
	const uint64_t s = 1000000;

	ck_assert_uint_eq(fn_credentials_renew_us(1000 * s, UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(fn_credentials_renew_us(1000 * s, 4600 * s), 4300 * s);
	ck_assert_uint_eq(fn_credentials_renew_us(1000 * s, 1100 * s), 1075 * s);
	ck_assert_uint_eq(fn_credentials_renew_us(1000 * s, 1000 * s), 1000 * s);
}
END_TEST

START_TEST(several_do_not_end_together)
{
	const uint64_t s = 1000000;

	ck_assert_uint_eq(fn_credentials_spread_us(4300 * s, 4600 * s, 0), 0);
	ck_assert_uint_eq(fn_credentials_spread_us(4300 * s, 4600 * s, 1u << 31), 75 * s);
	ck_assert_uint_lt(fn_credentials_spread_us(4300 * s, 4600 * s, UINT32_MAX), 150 * s);
	ck_assert_uint_gt(fn_credentials_spread_us(4300 * s, 4600 * s, UINT32_MAX), 149 * s);
	ck_assert_uint_eq(fn_credentials_spread_us(4300 * s, UINT64_MAX, 5), 0);
	ck_assert_uint_eq(fn_credentials_spread_us(4600 * s, 4600 * s, UINT32_MAX), 0);
}
END_TEST

/* --- by role --- */
static struct fn_loop *loop;
static unsigned told;
static struct fn_err why;

static void on_told(void *arg, const struct fn_err *err)
{
	(void)arg;
	told++;
	why = err ? *err : (struct fn_err){0};
	fn_loop_stop(loop);
}

START_TEST(by_role)
{
	char *command[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo >>ran; echo '{\"Version\":1,\"AccessKeyId\":\"ASIAQWERTYUIOPASDFGH\",\"SecretAccessKey\":\"x\"}'", NULL};
	char *fails[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo secret/; exit 1", NULL}, *none[] = {(char *)"/nonexistent", NULL};
	const struct fn_role configured[] = {{.arn = (char *)"fixed", .fixed = {(char *)"AKIAQWERTYUIOPASDFGH", (char *)"y", NULL, UINT64_MAX}},
					     {.arn = (char *)"command", .command = command}, {.arn = (char *)"fails", .command = fails}, {.arn = (char *)"none", .command = none}};
	struct fn_roles_wait a = {.fn = on_told}, b = {.fn = on_told};
	struct fn_credentials c = {0};
	struct fn_roles *r;
	struct fn_err err;
	uint64_t until;
	FILE *f;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_roles_new(loop, configured, 4, &r), 0);
	ck_assert_int_eq(fn_roles_get(r, "fixed", &c, &until, &a, &err), 0);
	ck_assert_str_eq(c.access_key_id, "AKIAQWERTYUIOPASDFGH");
	ck_assert_ptr_null(c.session_token);
	fn_credentials_clear(&c);
	ck_assert_int_eq(fn_roles_get(r, "unknown", &c, &until, &a, &err), 0);
	ck_assert_ptr_nonnull(c.session_token);
	fn_credentials_clear(&c);
	ck_assert_int_eq(fn_roles_get(r, "command", &c, &until, &a, &err), -EINPROGRESS);
	ck_assert_int_eq(fn_roles_get(r, "command", &c, &until, &b, &err), -EINPROGRESS);
	ck_assert_int_eq(fn_loop_run(loop), 0);
	ck_assert_uint_eq(told, 2);
	ck_assert_int_eq(why.code, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fn_roles_get(r, "command", &c, &until, &a, &err), 0);
		ck_assert_str_eq(c.access_key_id, "ASIAQWERTYUIOPASDFGH");
		fn_credentials_clear(&c);
	}
	f = fopen("ran", "r");
	ck_assert(f && fgetc(f) == '\n' && fgetc(f) == EOF); /* once */
	fclose(f);
	ck_assert_int_eq(fn_roles_get(r, "fails", &c, &until, &a, &err), -EINPROGRESS);
	ck_assert_int_eq(fn_loop_run(loop), 0);
	ck_assert_int_eq(why.code, ECHILD);
	ck_assert_str_eq(why.msg, "the command of fails: it ended with status 1");
	ck_assert_int_eq(fn_roles_get(r, "none", &c, &until, &a, &err), -ENOENT);
	ck_assert_int_eq(fn_roles_get(r, "fails", &c, &until, &a, &err), -EINPROGRESS); /* still running: freed with it */
	fn_list_remove(&a.link);
	fn_roles_free(r);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("env/credentials", what_a_command_prints, what_is_refused, invented_ones_look_like_aws_s, renewed_before_they_expire, several_do_not_end_together, by_role)

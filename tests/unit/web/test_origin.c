#include "web/origin.h"

#include "unit/main.h"

static char *const hosts[] = {"host.docker.internal", "fnd", "10.0.0.7"};
#define N (sizeof(hosts) / sizeof(hosts[0]))

START_TEST(host_names)
{
	static const char *const fine[] = {"localhost", "LocalHost:3001", "localhost.", "lambda.localhost:80", "127.0.0.1", "127.0.0.1:3001", "127.8.9.1", "[::1]", "[::1]:3001",
					   "[::ffff:127.0.0.1]", "host.docker.internal:3001", "HOST.docker.internal.", "fnd", "10.0.0.7:9"};
	static const char *const bad[] = {"", ":3001", "evil.example", "evil.example:3001", "localhost.evil.example", "127.0.0.1.evil.example", "127.1", "0.0.0.0", "10.0.0.8",
					  "[::2]", "[::1", "::1", "[]", "localhost:80:80", "localhost:x", "notlocalhost", ".localhost", "localhost..", "localhost@evil.example", "fnd.evil",
					  "fndx", "128.0.0.1", "[::ffff:10.0.0.1]", "localhost/", "2130706433", "evil.example/.localhost", "evil.example@a.localhost", "a b.localhost", "[::1%lo]"};

	ck_assert(fn_host_allowed(NULL, hosts, N)); /* no browser */
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		ck_assert_msg(fn_host_allowed(fine[i], hosts, N), "%s", fine[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!fn_host_allowed(bad[i], hosts, N), "%s", bad[i]);
	ck_assert(!fn_host_allowed("fnd", NULL, 0));
}
END_TEST

START_TEST(origins)
{
	ck_assert(fn_origin_same("http://localhost:3001", "localhost:3001"));
	ck_assert(fn_origin_same("https://LOCALHOST", "localhost"));
	ck_assert(!fn_origin_same("http://localhost:8080", "localhost:3001"));
	ck_assert(!fn_origin_same("http://127.0.0.1:3001", "localhost:3001"));
	ck_assert(!fn_origin_same("null", "localhost:3001"));
	ck_assert(!fn_origin_same("", ""));
	ck_assert(!fn_origin_same("file://localhost", "localhost"));
	ck_assert(!fn_origin_same("http://evil.example", "localhost:3001"));
	ck_assert(!fn_origin_same("http://localhost:3001", NULL));
}
END_TEST

TEST_MAIN("web/origin", host_names, origins)

/* What a subscription's body may say, and what it is refused with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/subscription.h"
#include "unit/main.h"

static char why[256];

static int parse(enum fn_telemetry_api api, const char *text, struct fn_subscription *s)
{
	why[0] = '\0';
	return fn_subscription_parse(api, text, strlen(text), s, why, sizeof(why));
}

#define HTTP "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox.localdomain:4243/in?a=b#c\"}"
#define TCP "\"destination\":{\"protocol\":\"TCP\",\"port\":4243}"
#define TELEMETRY "\"schemaVersion\":\"2022-12-13\",\"types\":[\"platform\",\"function\"],"

START_TEST(test_what_is_taken)
{
	struct fn_subscription s;

	ck_assert_int_eq(parse(FN_API_TELEMETRY, "{" TELEMETRY HTTP "}", &s), 0);
	ck_assert_int_eq(s.schema, FN_SCHEMA_2022_12_13);
	ck_assert_uint_eq(s.kinds, FN_TELEMETRY_PLATFORM | FN_TELEMETRY_FUNCTION);
	ck_assert(!s.tcp && !s.put && s.port == 4243);
	ck_assert_str_eq(s.path, "/in?a=b");
	ck_assert_str_eq(s.host, "sandbox.localdomain");
	ck_assert_uint_eq(s.max_items, 10000);
	ck_assert_uint_eq(s.max_bytes, 262144);
	ck_assert_uint_eq(s.timeout_us, 1000000);
	ck_assert_int_eq(parse(FN_API_TELEMETRY, "{" TELEMETRY TCP ",\"buffering\":{\"maxItems\":1000,\"maxBytes\":1048576,\"timeoutMs\":25}}", &s), 0);
	ck_assert(s.tcp && s.port == 4243 && s.max_items == 1000 && s.max_bytes == 1048576 && s.timeout_us == 25000);
	ck_assert_int_eq(parse(FN_API_TELEMETRY, "{\"schemaVersion\":\"2025-01-29\",\"types\":[\"extension\"],\"buffering\":null,\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"HTTP://Sandbox:1?x\"}}", &s), 0);
	ck_assert_str_eq(s.path, "/?x");
	ck_assert_str_eq(s.host, "sandbox");
	ck_assert_int_eq(parse(FN_API_LOGS, "{\"types\":[\"function\"]," HTTP "}", &s), 0);
	ck_assert_int_eq(s.schema, FN_SCHEMA_2020_08_15);
	ck_assert_int_eq(parse(FN_API_LOGS, "{\"schemaVersion\":\"2021-03-18\",\"types\":[\"function\"],\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:80\",\"method\":\"PUT\",\"encoding\":\"JSON\"}}", &s), 0);
	ck_assert(s.put && s.schema == FN_SCHEMA_2021_03_18);
	ck_assert_str_eq(s.path, "/");
}
END_TEST

START_TEST(test_what_is_refused)
{
	static const struct {
		enum fn_telemetry_api api;
		const char *body, *why;
	} cases[] = {
		{FN_API_TELEMETRY, "", "the body must be a JSON object"},
		{FN_API_TELEMETRY, "[]", "the body must be a JSON object"},
		{FN_API_TELEMETRY, "{\"types\":[\"function\"]," HTTP "}", "schemaVersion must be one of 2022-07-01, 2022-12-13, 2025-01-29"},
		{FN_API_TELEMETRY, "{\"schemaVersion\":\"2020-08-15\",\"types\":[\"function\"]," HTTP "}", "schemaVersion must be one of 2022-07-01, 2022-12-13, 2025-01-29"},
		{FN_API_LOGS, "{\"schemaVersion\":5,\"types\":[\"function\"]," HTTP "}", "schemaVersion must be one of 2020-08-15, 2021-03-18"},
		{FN_API_LOGS, "{\"types\":[]," HTTP "}", "types must be a list with at least one of platform, function, extension"},
		{FN_API_LOGS, "{\"types\":[\"Function\"]," HTTP "}", "types must be of platform, function, extension"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":\"x\"}", "destination must be an object"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTPS\"}}", "destination.protocol must be HTTP or TCP"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\"}}", "destination.URI must be a string"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"https://sandbox:1\"}}", "destination.URI must begin with http://"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://127.0.0.1:80/\"}}", "destination.URI: the host must be sandbox.localdomain"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox@host:80/\"}}", "destination.URI: the host must be sandbox.localdomain"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox/\"}}", "destination.URI must name a port"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:0/\"}}", "destination: the port must be from 1 to 65535"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:99999999/\"}}", "destination: the port must be from 1 to 65535"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:80 /\"}}", "destination.URI has a character that a URI cannot have"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:80/\\r\\nX: y\"}}", "destination.URI has a character that a URI cannot have"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:9001/\"}}", "destination: port 9001 is reserved"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"TCP\",\"port\":65536}}", "destination: the port must be from 1 to 65535"},
		{FN_API_TELEMETRY, "{" TELEMETRY "\"destination\":{\"protocol\":\"TCP\",\"port\":\"1\"}}", "destination.port must be an integer"},
		{FN_API_LOGS, "{\"types\":[\"function\"],\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:80\",\"method\":\"GET\"}}", "destination.method must be POST or PUT"},
		{FN_API_LOGS, "{\"types\":[\"function\"],\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:80\",\"encoding\":\"XML\"}}", "destination.encoding must be JSON"},
		{FN_API_TELEMETRY, "{" TELEMETRY TCP ",\"buffering\":1}", "buffering must be an object"},
		{FN_API_TELEMETRY, "{" TELEMETRY TCP ",\"buffering\":{\"maxItems\":999}}", "buffering.maxItems must be an integer from 1000 to 10000"},
		{FN_API_TELEMETRY, "{" TELEMETRY TCP ",\"buffering\":{\"maxBytes\":1048577}}", "buffering.maxBytes must be an integer from 262144 to 1048576"},
		{FN_API_TELEMETRY, "{" TELEMETRY TCP ",\"buffering\":{\"timeoutMs\":24.5}}", "buffering.timeoutMs must be an integer from 25 to 30000"},
	};
	static const struct fn_subscription untouched = {.port = 7};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fn_subscription s = untouched;

		ck_assert_msg(parse(cases[i].api, cases[i].body, &s) == -EINVAL, "%s is taken", cases[i].body);
		ck_assert_str_eq(why, cases[i].why);
		ck_assert_int_eq(memcmp(&s, &untouched, sizeof(s)), 0);
	}
}
END_TEST

/* A path as long as may be, and a byte longer. */
START_TEST(test_paths)
{
	char body[FN_SUBSCRIPTION_PATH_MAX + 512], path[FN_SUBSCRIPTION_PATH_MAX + 1];
	struct fn_subscription s;

	for (unsigned n = FN_SUBSCRIPTION_PATH_MAX - 2; n <= FN_SUBSCRIPTION_PATH_MAX - 1; n++) {
		memset(path, 'x', n);
		path[0] = '/';
		path[n] = '\0';
		snprintf(body, sizeof(body), "{" TELEMETRY "\"destination\":{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:80%s\"}}", path);
		ck_assert_int_eq(parse(FN_API_TELEMETRY, body, &s), n == FN_SUBSCRIPTION_PATH_MAX - 2 ? 0 : -EINVAL);
	}
	ck_assert_str_eq(why, "destination.URI: its path is longer than 2046 bytes");
}
END_TEST

TEST_MAIN("runtime/subscription", test_what_is_taken, test_what_is_refused, test_paths)

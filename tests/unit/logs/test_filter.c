/* Filter patterns: what they take, and what is none. */
#include "logs/filter.h"

#include <errno.h>
#include <string.h>

#include "unit/main.h"

static bool matches(const char *pattern, const char *text)
{
	struct fn_log_filter *f;
	bool is;

	ck_assert_msg(fn_log_filter_parse(pattern, &f) == 0, "%s", pattern);
	is = fn_log_filter_matches(f, text, strlen(text));
	fn_log_filter_free(f);
	return is;
}

#define YES(pattern, text) ck_assert_msg(matches(pattern, text), "%s: %s", pattern, text)
#define NO(pattern, text) ck_assert_msg(!matches(pattern, text), "%s: %s", pattern, text)

START_TEST(terms)
{
	YES("", "anything");
	YES("  ", "");
	YES("ERROR", "an ERROR here");
	NO("ERROR", "an error here");
	YES("ERROR ARG", "ARG and ERROR");
	NO("ERROR ARG", "ERROR alone");
	YES("?ERROR ?WARN", "WARN alone");
	NO("?ERROR ?WARN", "INFO");
	YES("ERROR -EXIT", "ERROR");
	NO("ERROR -EXIT", "ERROR EXIT");
	YES("ERROR ?WARN", "ERROR"); /* beside others, ? says nothing */
	NO("ERROR ?WARN", "WARN");
	YES("\"INTERNAL SERVER ERROR\"", "an INTERNAL SERVER ERROR");
	YES("\"a \\\"b\\\" c\"", "a \"b\" c");
	YES("-\"a b\" c", "c");
	YES("%ERR[OU]R%", "ERRUR");
	NO("%^ERR%", "no ERR");
	YES("1.5", "at 1.5 s");
}
END_TEST

START_TEST(json)
{
	static const char event[] = "{\"eventType\":\"UpdateTrail\",\"ip\":\"111.111.111.111\",\"arrayKey\":[\"value\",\"another value\"],\"objectList\":[{\"name\":\"a\",\"id\":1},"
				    "{\"name\":\"b\",\"id\":2}],\"SomeObject\":null,\"cluster.name\":\"c\",\"n\":-1.5e3,\"yes\":true,\"no\":false,\"s\":\"4\"}";

	YES("{ $.eventType = \"UpdateTrail\" }", event);
	YES("{ $.eventType = UpdateTrail }", event);
	YES("{$.eventType=UpdateTrail}", event);
	NO("{ $.eventType = updatetrail }", event);
	YES("{ $.eventType = Update* }", event);
	YES("{ $.ip != 123.123.* }", event);
	YES("{ $.ip = %1{3}\\.1{3}% }", event);
	YES("{ $.arrayKey[0] = \"value\" }", event);
	NO("{ $.arrayKey[1] = \"value\" }", event);
	YES("{ $.arrayKey[*] = \"another*\" }", event);
	YES("{ $.objectList[1].id = 2 }", event);
	YES("{ $.objectList[*].name = b }", event);
	YES("{ $.SomeObject IS NULL }", event);
	NO("{ $.eventType IS NULL }", event);
	YES("{ $.SomeOtherObject NOT EXISTS }", event);
	NO("{ $.SomeObject NOT EXISTS }", event);
	YES("{ $.yes IS TRUE && $.no IS FALSE }", event);
	YES("{ $['cluster.name'] = \"c\" }", event);
	YES("{ $.n < -1000 && $.n >= -1500 }", event);
	YES("{ $.n = -1500 }", event);
	YES("{ $.s = 4 }", event);
	NO("{ $.s > 3 }", event); /* a string is no number */
	YES("{ ($.n = 1 || $.s = \"4\") && $.eventType = \"*\" }", event);
	NO("{ $.n = 1 || $.s = \"5\" && $.eventType = \"*\" }", event);
	NO("{ $.objectList = \"*\" }", event);
	NO("{ $.missing != \"x\" }", event);
	YES("{ $.level = \"ERROR\" && $.id > 5 }", "{\"level\":\"ERROR\",\"id\":9223372036854775808}");
	YES("{ $.level = \"ERROR\" }", "{\"level\":\"ERROR\",\"n\":1e400,\"s\":\"\\ud83d\",\"nul\":\"\\u0000\",\"k\\u0000\":1}");
	NO("{ $.a = 1 }", "no JSON");
	NO("{ $.a = 1 }", "{\"a\":1");
	YES("{ $.a = 1 }", "  {\"a\":1}\n");
}
END_TEST

START_TEST(fields)
{
	static const char line[] = "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534\n";

	YES("[ip, server, username, timestamp, request, status_code, bytes]", line);
	NO("[ip, server]", line);
	YES("[ip, server, username, timestamp, request = *.html*, status_code = 4*, bytes]", line);
	YES("[ip, server, username, timestamp, request, status_code=404||status_code=410, bytes>1000]", line);
	NO("[ip, server, username, timestamp, request, status_code = 4* && status_code != 404, bytes]", line);
	YES("[..., bytes > 1000]", line);
	YES("[ip = %127\\.0\\.0\\.[1-9]%, ...]", line);
	YES("[ip, ..., status_code = 404, bytes]", line);
	NO("[a, b, c, d, e, f, g, h, ...]", line);
	YES("[...]", "");
	YES("[w1=ERROR, w2]", "ERROR x");
	YES("[w1!=ERROR&&w1!=WARN, w2]", "INFO x");
	NO("[w1!=ERROR&&w1!=WARN, w2]", "WARN x");
}
END_TEST

START_TEST(no_patterns)
{
	static const char *const bad[] = {"foo-bar", "\"open", "\"\"", "-", "?", "{", "{ }", "{ $ = 1 }", "{ $.a }", "{ $.a = }", "{ $.a = 1", "{ $.a = 1 } x", "{ $.a < b }", "{ $.a IS 3 }",
					  "{ $.a NOT }", "{ $.a[ = 1 }", "{ $.a[x] = 1 }", "{ a = 1 }", "{ $.a = 1 && }", "[", "[]", "[a", "[a b]", "[a = ]", "[a = 1 && b = 2]", "[..., a, ...]", "[a < x]",
					  "%(%", "%%", "%a", "%a% %b% %c%"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fn_log_filter *f;

		ck_assert_msg(fn_log_filter_parse(bad[i], &f) == -EINVAL, "%s", bad[i]);
		ck_assert_ptr_null(f);
	}
}
END_TEST

/* What a pattern can hold is bounded: none makes a deep stack, or takes long. */
START_TEST(bounds)
{
	struct fn_log_filter *f;
	char deep[1025], *p = deep;

	*p++ = '{';
	while (p < deep + 1000)
		*p++ = '(';
	*p = '\0';
	ck_assert_int_eq(fn_log_filter_parse(deep, &f), -EINVAL);
	NO("%(a+)+$%", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
}
END_TEST

TEST_MAIN("logs/filter", terms, json, fields, no_patterns, bounds)

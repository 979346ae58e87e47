/* All that is JSON is read. */
#include <string.h>

#include "unit/main.h"
#include "web/json_load.h"

static json_t *load(const char *text) { return fn_json_load(text, strlen(text), JSON_DECODE_ANY); }

static void is(const char *text, const char *expected)
{
	json_auto_t *o = load(text);
	char *got = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));

	ck_assert_msg(o != NULL, "%s", text);
	ck_assert_str_eq(got, expected);
	free(got);
}

START_TEST(test_numbers)
{
	is("[9223372036854775807,-9223372036854775808,1.5]", "[9223372036854775807,-9223372036854775808,1.5]");
	is("{\"type\":\"x\",\"id\":18446744073709551615}", "{\"id\":1.8446744073709552e19,\"type\":\"x\"}");
	is("[ -9223372036854775809 , 123456789012345678, 9223372036854775808]", "[-9.2233720368547758e18,123456789012345678,9.2233720368547758e18]");
	is("[1e400,-1e400,1e-400,9223372036854775808]", "[1.7976931348623157e308,-1.7976931348623157e308,0.0,9.2233720368547758e18]");
}
END_TEST

START_TEST(test_surrogates)
{
	is("\"a\\ud83d\"", "\"a\xef\xbf\xbd\"");
	is("[\"\\ude00\",\"\\ud83d\\ude00\",\"\\ud83d\\ud83d\\ude00\",\"\\ud83d\\n\",\"\\\\ud83d\",\"\\ud83dx\"]",
	   "[\"\xef\xbf\xbd\",\"\xf0\x9f\x98\x80\",\"\xef\xbf\xbd\xf0\x9f\x98\x80\",\"\xef\xbf\xbd\\n\",\"\\\\ud83d\",\"\xef\xbf\xbdx\"]");
	is("{\"\\udc00\":1}", "{\"\xef\xbf\xbd\":1}");
}
END_TEST

START_TEST(test_nul)
{
	is("{\"a\\u0000\" : \"b\\u0000\"}", "{\"a\xef\xbf\xbd\":\"b\\u0000\"}");
}
END_TEST

START_TEST(test_no_json)
{
	static const char *const wrong[] = {"", "{", "[01]", "[1e400", "{\"a\":\"\\ud83d}", "[1e400]x", "\"\\ud8\""};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_ptr_null(load(wrong[i]));
	ck_assert_ptr_null(fn_json_load("1e400", 5, 0)); /* an object or an array is asked for */
}
END_TEST

TEST_MAIN("web/json_load", test_numbers, test_surrogates, test_nul, test_no_json)

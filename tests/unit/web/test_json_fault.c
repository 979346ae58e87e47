/* The reasons as the parser behind Lambda gives them. */
#include "web/json_fault.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "unit/main.h"

#define VALID "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

static const struct {
	const char *text, *reason, *place;
} cases[] = {
	{"{'a':1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name", "line: 1, column: 3]"},
	{"------WebKit", "Unexpected character ('-' (code 45)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value", "line: 1, column: 3]"},
	{"nul", "Unrecognized token 'nul': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", "line: 1, column: 4]"},
	{"{\"a\":x}", "Unrecognized token 'x': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", "line: 1, column: 7]"},
	{"[1,]", "Unexpected character (']' (code 93)): " VALID, "line: 1, column: 5]"},
	{"{\n\"a\" 1}", "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value", "line: 2, column: 6]"},
	{"{\"a\":1 \"b\"}", "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries", "line: 1, column: 9]"},
	{"[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", "line: 1, column: 5]"},
	{"01", "Invalid numeric value: Leading zeroes not allowed", "line: 1, column: 2]"},
	{"1.x", "Unexpected character ('x' (code 120)) in numeric value: Decimal point not followed by a digit", "line: 1, column: 4]"},
	{"1e", "Unexpected end-of-input", "line: 1, column: 3]"},
	{"\"a", "Unexpected end-of-input: was expecting closing quote for a string value", "line: 1, column: 3]"},
	{"\"a\nb\"", "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value", "column: 4]"},
	{"\"\\x\"", "Unrecognized character escape 'x' (code 120)", "line: 1, column: 4]"},
	{"{", "Unexpected end-of-input: expected close marker for Object (start marker at [Source: (byte[])\"{\"; line: 1, column: 1])", "line: 1, column: 2]"},
	{"\"\xa7\"", "Invalid UTF-8 start byte 0xa7", "line: 1, column: 3]"},
	{"{\"a\":1} x", "Unrecognized token 'x': ", "line: 1, column: 10]"},
	{" ", "Unexpected end-of-input", "line: 1, column: 2]"},
};

START_TEST(reasons)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fn_auto_buf struct fn_buf b = {0};

		ck_assert_int_eq(fn_json_fault(cases[i].text, strlen(cases[i].text), &b), 0);
		ck_assert_msg(b.data && fn_str_starts(b.data, cases[i].reason) && fn_str_ends(b.data, cases[i].place), "%s\n is: %s\nnot: %s .. %s", cases[i].text,
			      b.data ? b.data : "", cases[i].reason, cases[i].place);
	}
}
END_TEST

START_TEST(the_text_is_shown_as_far_as_it_is_short)
{
	fn_auto_buf struct fn_buf b = {0};
	char text[600];

	ck_assert_int_eq(fn_json_fault("{a}", 3, &b), 0);
	ck_assert_str_eq(b.data, "Unexpected character ('a' (code 97)): was expecting double-quote to start field name\n at [Source: (byte[])\"{a}\"; line: 1, column: 3]");
	fn_buf_reset(&b);
	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(fn_json_fault(text, sizeof(text), &b), 0);
	ck_assert_ptr_nonnull(strstr(b.data, "xxx\"[truncated 100 bytes]; line: 1, column: "));
	fn_buf_reset(&b);
	ck_assert_int_eq(fn_json_fault(" [1, {\"a\": \"\\u00e9\"}] ", 22, &b), 0);
	ck_assert_int_eq((int)b.len, 0);
}
END_TEST

TEST_MAIN("web/json_fault", reasons, the_text_is_shown_as_far_as_it_is_short)

#include "base/str.h"

#include <errno.h>
#include <stdio.h>

#include "unit/main.h"

START_TEST(numbers)
{
	int64_t v = 7;

	ck_assert_int_eq(fn_str_to_i64("42", 0, 100, &v), 0);
	ck_assert_int_eq(v, 42);
	ck_assert_int_eq(fn_str_to_i64("-5", -10, 0, &v), 0);
	ck_assert_int_eq(v, -5);
	ck_assert_int_eq(fn_str_to_i64("101", 0, 100, &v), -ERANGE);
	ck_assert_int_eq(fn_str_to_i64("99999999999999999999", 0, INT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(fn_str_to_i64("", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(fn_str_to_i64("4 2", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(fn_str_to_i64("42x", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(fn_str_to_i64(" 42", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(v, -5);
}
END_TEST

START_TEST(base64_round_trip)
{
	uint8_t data[300], *back;
	char *text;
	size_t len;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + 3);
	for (size_t n = 0; n <= sizeof(data); n++) {
		ck_assert_int_eq(fn_base64_encode(data, n, &text), 0);
		ck_assert_uint_eq(strlen(text), (n + 2) / 3 * 4);
		ck_assert_int_eq(fn_base64_decode(text, strlen(text), &back, &len), 0);
		ck_assert_uint_eq(len, n);
		ck_assert_mem_eq(back, data, n);
		free(text);
		free(back);
	}
}
END_TEST

START_TEST(base64_refuses)
{
	static const char *const bad[] = {"A", "AB", "ABC", "A===", "AB=C", "ABCD=", "AB CD", "AB\nCD==", "****", "ABC=ABCD"};
	uint8_t *back;
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fn_base64_decode(bad[i], strlen(bad[i]), &back, &len) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(hex)
{
	uint8_t data[4];
	char text[9];

	fn_hex_encode("\x00\xff\x10\xab", 4, text);
	ck_assert_str_eq(text, "00ff10ab");
	ck_assert_int_eq(fn_hex_decode("00ff10AB", 8, data), 0);
	ck_assert_mem_eq(data, "\x00\xff\x10\xab", 4);
	ck_assert_int_eq(fn_hex_decode("0", 1, data), -EINVAL);
	ck_assert_int_eq(fn_hex_decode("0g", 2, data), -EINVAL);
}
END_TEST

START_TEST(url)
{
	char a[] = "a%3Ab%20c", b[] = "%zz", c[] = "a%00b", d[] = "%4", e[] = "plain";

	ck_assert_int_eq(fn_url_decode(a, strlen(a)), 5);
	ck_assert_str_eq(a, "a:b c");
	ck_assert_int_eq(fn_url_decode(b, strlen(b)), -EINVAL);
	ck_assert_int_eq(fn_url_decode(c, strlen(c)), -EINVAL);
	ck_assert_int_eq(fn_url_decode(d, strlen(d)), -EINVAL);
	ck_assert_int_eq(fn_url_decode(e, strlen(e)), 5);
}
END_TEST

START_TEST(utf8)
{
	ck_assert(fn_utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
	ck_assert(!fn_utf8_valid("\xc0\xaf", 2));         /* overlong */
	ck_assert(!fn_utf8_valid("\xed\xa0\x80", 3));     /* surrogate */
	ck_assert(!fn_utf8_valid("\xf4\x90\x80\x80", 4)); /* beyond U+10FFFF */
	ck_assert(!fn_utf8_valid("\xe2\x82", 2));         /* cut */
	ck_assert(!fn_utf8_valid("\x80", 1));
	ck_assert(fn_utf8_valid("", 0));
}
END_TEST

START_TEST(format)
{
	char buf[5];

	ck_assert_int_eq(fn_str_format(buf, sizeof(buf), "%d", 1234), 0);
	ck_assert_int_eq(fn_str_format(buf, sizeof(buf), "%d", 12345), -ENAMETOOLONG);
	ck_assert_str_eq(buf, "1234");
	ck_assert(fn_str_starts("abc", "ab") && !fn_str_starts("a", "ab") && fn_str_ends("abc", "bc") && !fn_str_ends("c", "bc"));
	ck_assert(!fn_streq(NULL, NULL) && fn_streq("a", "a"));
}
END_TEST

TEST_MAIN("base/str", numbers, base64_round_trip, base64_refuses, hex, url, utf8, format)

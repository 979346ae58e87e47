/* U+0000 in a request: where it may be, and that it is nowhere else. */
#include "web/json_nul.h"

#include <string.h>

#include "unit/main.h"

static const char *const with_nul[] = {"message", NULL};

static const char *fault(const char *text, const char *const *names)
{
	static json_error_t je;
	json_t *o = fn_json_load_nul(text, strlen(text), JSON_DECODE_ANY, names, &je);

	json_decref(o);
	return o ? NULL : je.text;
}

START_TEST(where_it_may_be)
{
	const char *text = "{\"logEvents\": [{\"message\": \"a\\u0000b\", \"timestamp\": 1}], \"message\": [\"\\u0000\"]}";
	json_error_t je;
	json_t *o = fn_json_load_nul(text, strlen(text), 0, with_nul, &je), *m;

	ck_assert_ptr_nonnull(o);
	m = json_object_get(json_array_get(json_object_get(o, "logEvents"), 0), "message");
	ck_assert_int_eq((int)json_string_length(m), 3);
	ck_assert(memcmp(json_string_value(m), "a\0b", 3) == 0);
	json_decref(o);
	ck_assert_str_eq(fault(text, NULL), "The string message has the character U+0000, which it cannot have");
}
END_TEST

START_TEST(and_nowhere_else)
{
	ck_assert_str_eq(fault("{\"message\": \"\\u0000\", \"a\": [{\"b\": \"x\\u0000\"}]}", with_nul), "The string b has the character U+0000, which it cannot have");
	ck_assert_str_eq(fault("[\"\\u0000\"]", with_nul), "The string has the character U+0000, which it cannot have");
	ck_assert_ptr_nonnull(fault("{\"a\\u0000\": 1}", with_nul)); /* a name never */
	ck_assert_ptr_nonnull(fault("{\"a\": \"\\u0000\"", with_nul));
	ck_assert_ptr_null(fault("{\"a\": \"\\\\u0000\", \"b\": \"\\u00001\"}", (const char *const[]){"b", NULL})); /* one is a backslash and letters */
	ck_assert_ptr_null(fault("{\"a\": 1}", NULL));
	ck_assert_ptr_nonnull(fault("{", NULL));
}
END_TEST

TEST_MAIN("web/json_nul", where_it_may_be, and_nowhere_else)

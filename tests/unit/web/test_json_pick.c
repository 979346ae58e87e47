/* One long string out of a JSON text that comes in pieces. */
#include "web/json_pick.h"

#include <errno.h>
#include <string.h>

#include "unit/main.h"

static struct fn_buf picked;
static unsigned begun;

static void on_begin(void *arg)
{
	(void)arg;
	fn_buf_reset(&picked);
	begun++;
}

static void on_add(void *arg, const char *text, size_t len)
{
	(void)arg;
	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq(fn_buf_add(&picked, text, len), 0);
}

struct text {
	const char *in, *rest, *picked; /* picked: NULL = nothing */
};

static const struct text two[] = {
	{"{\"Code\":{\"ZipFile\":\"QUJD\"},\"A\":1}", "{\"Code\":{\"ZipFile\":\"\"},\"A\":1}", "QUJD"},
	{"{\"Code\":{\"ZipFile\":\"\"}}", "{\"Code\":{\"ZipFile\":\"\"}}", ""},
	{" { \"x\" : [ {\"Code\":{\"ZipFile\":\"no\"}} , \"]}\" ] , \"Code\" : { \"S\" : {\"ZipFile\":\"no\"}, \"ZipFile\" :\n\"QUJD\" , \"y\":\"z\" } } ",
	 " { \"x\" : [ {\"Code\":{\"ZipFile\":\"no\"}} , \"]}\" ] , \"Code\" : { \"S\" : {\"ZipFile\":\"no\"}, \"ZipFile\" :\n\"\" , \"y\":\"z\" } } ", "QUJD"},
	{"{\"ZipFile\":\"no\"}", "{\"ZipFile\":\"no\"}", NULL},
	{"{\"Code\":\"ZipFile\",\"ZipFile\":\"no\"}", "{\"Code\":\"ZipFile\",\"ZipFile\":\"no\"}", NULL},
	{"{\"Code\":{\"ZipFile\":5},\"b\":{\"ZipFile\":\"no\"}}", "{\"Code\":{\"ZipFile\":5},\"b\":{\"ZipFile\":\"no\"}}", NULL},
	{"{\"Code\":[\"ZipFile\",\"no\",{\"ZipFile\":\"no\"}]}", "{\"Code\":[\"ZipFile\",\"no\",{\"ZipFile\":\"no\"}]}", NULL},
	{"{\"Code\":{\"ZipFile\":[\"no\"]}}", "{\"Code\":{\"ZipFile\":[\"no\"]}}", NULL},
	{"{\"Code\":{\"ZipFile2\":\"no\",\"zipfile\":\"no\",\"ZipFil\":\"no\"}}", "{\"Code\":{\"ZipFile2\":\"no\",\"zipfile\":\"no\",\"ZipFil\":\"no\"}}", NULL},
	/* names and strings may be written in other ways */
	{"{\"\\u0043ode\":{\"\\u005AipFil\\u0065\":\"Q\\u002bJ\\/\"}}", "{\"\\u0043ode\":{\"\\u005AipFil\\u0065\":\"\"}}", "Q+J/"},
	{"{\"Code\":{\"ZipFile\":\"a\\\"\\\\\\n\\u00e4\\u0000\\ud83d\\ude00\"}}", "{\"Code\":{\"ZipFile\":\"\"}}", "a\"\\\n????"},
	{"{\"a\\\"b\":\"\\\\\",\"Code\":{\"\\\"\":\"}\",\"ZipFile\":\"x\"}}", "{\"a\\\"b\":\"\\\\\",\"Code\":{\"\\\"\":\"}\",\"ZipFile\":\"\"}}", "x"},
	/* the last one counts */
	{"{\"Code\":{\"ZipFile\":\"one\",\"ZipFile\":\"two\"}}", "{\"Code\":{\"ZipFile\":\"\",\"ZipFile\":\"\"}}", "two"},
	/* what is no JSON does not become some */
	{"{\"Code\":{\"ZipFile\":\"QUJD", "{\"Code\":{\"ZipFile\":\"", "QUJD"},
	{"{\"Code\":{\"ZipFile\":\"QUJD\"}}}", "{\"Code\":{\"ZipFile\":\"\"}}}", "QUJD"},
	{"{\"Code\":{\"ZipFile\":\"QU\\x4a\"}", "{\"Code\":{\"ZipFile\":\"\"}", "QU?4a"},
	{"\"ZipFile\"", "\"ZipFile\"", NULL},
	{"}]\"Code\":{\"ZipFile\":\"no\"}", "}]\"Code\":{\"ZipFile\":\"no\"}", NULL},
	{"", "", NULL},
};

static const struct text one[] = {
	{"{\"ZipFile\":\"QUJD\",\"Code\":{\"ZipFile\":\"no\"}}", "{\"ZipFile\":\"\",\"Code\":{\"ZipFile\":\"no\"}}", "QUJD"},
	{"[{\"ZipFile\":\"no\"}]", "[{\"ZipFile\":\"no\"}]", NULL},
};

static void check(const struct text *t, unsigned n_path, size_t first, size_t piece)
{
	struct fn_json_pick p = {.path = {"Code", "ZipFile"}, .rest_max = 1000, .begin = on_begin, .add = on_add};
	size_t len = strlen(t->in);

	if (n_path == 1) {
		p.path[0] = "ZipFile";
		p.path[1] = NULL;
	}
	fn_buf_reset(&picked);
	for (size_t at = 0, cut = first; at < len; cut = piece) {
		size_t n = cut < len - at ? cut : len - at;
		char *copy = malloc(n);

		memcpy(copy, t->in + at, n);
		ck_assert_int_eq(fn_json_pick_feed(&p, copy, n), 0);
		free(copy);
		at += n;
	}
	ck_assert_msg(p.found == (t->picked != NULL), "%s", t->in);
	ck_assert_str_eq(p.rest.data ? p.rest.data : "", t->rest);
	ck_assert_str_eq(picked.data ? picked.data : "", t->picked ? t->picked : "");
	fn_json_pick_free(&p);
}

START_TEST(test_picks)
{
	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
		for (size_t first = 1; first <= strlen(two[i].in) + 1; first++) {
			check(&two[i], 2, first, 1);
			check(&two[i], 2, first, 1000);
		}
	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
		check(&one[i], 1, 1000, 1000);
	ck_assert_uint_gt(begun, 0);
	fn_buf_free(&picked);
}
END_TEST

/* The rest is bounded, the string is not. */
START_TEST(test_bounds)
{
	struct fn_json_pick p = {.path = {"ZipFile"}, .rest_max = 100, .begin = on_begin, .add = on_add};
	static char much[1000];

	memset(much, 'Q', sizeof(much));
	ck_assert_int_eq(fn_json_pick_feed(&p, "{\"ZipFile\":\"", 12), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(fn_json_pick_feed(&p, much, sizeof(much)), 0);
	ck_assert_int_eq(fn_json_pick_feed(&p, "\",\"", 3), 0);
	ck_assert_uint_eq(picked.len, 100 * sizeof(much));
	ck_assert_int_eq(fn_json_pick_feed(&p, much, 86), -E2BIG);
	ck_assert_int_eq(fn_json_pick_feed(&(struct fn_json_pick){.path = {"A"}, .rest_max = 10}, much, 11), -E2BIG);
	fn_json_pick_free(&p);
	fn_buf_free(&picked);
}
END_TEST

TEST_MAIN("web/json_pick", test_picks, test_bounds)

/* Verdicts beside jansson's: hand-made cases and many mutations of valid texts. */
#include "web/json_scan.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "unit/main.h"

START_TEST(cases)
{
	static const char *const good[] = {"{}", "[]", "null", "true", "false", "0", "-0", "1.5e-3", "\"\"", " [1, 2 , {\"a\":[]}] ", "\"\\u00e4\\n\\\"\"",
					   "{\"a\":{\"b\":null}}", "1E+2", "\"\xc3\xa4\""};
	static const char *const bad[] = {"", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "1.", ".5", "1e", "+1", "nul", "True", "\"", "\"\\x\"",
					  "\"\\u12\"", "\"\n\"", "[1 2]", "{} {}", "\xff", "\"\xc3\"", "'a'", "[", "-", "\"\t\""};
	size_t at;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(fn_json_valid(good[i], strlen(good[i]), &at), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!fn_json_valid(bad[i], strlen(bad[i]), &at), "%s", bad[i]);
	ck_assert(!fn_json_valid("{\"a\":1x}", 8, &at));
	ck_assert_uint_eq(at, 6);
}
END_TEST

START_TEST(members)
{
	static const struct {
		const char *text, *value; /* NULL: none */
	} t[] = {{"{\"level\":\"WARN\"}", "WARN"},
		 {" { \"a\" : {\"level\":\"x\"} , \"level\" : \"debug\" } \n", "debug"},
		 {"{\"level\":\"a\",\"level\":\"b\"}", "b"},
		 {"{\"level\":\"a\",\"level\":1}", NULL},
		 {"{\"level\":\"\"}", ""},
		 {"{\"level\":\"a\\\"b\"}", "a\\\"b"},
		 {"{\"level\":30}", NULL},
		 {"{\"levels\":\"x\",\"leve\":\"y\"}", NULL},
		 {"{\"a\":{\"level\":\"x\"}}", NULL},
		 {"{\"level\":\"x\"", NULL},
		 {"{\"a\":{},\"level\":\"x\",\"b\":{}", NULL},
		 {"{\"level\":\"x\"} y", NULL},
		 {"{\"level\":\"x\",}", NULL},
		 {"[{\"level\":\"x\"}]", NULL},
		 {"{}", NULL},
		 {"{", NULL},
		 {"", NULL}};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *v = NULL;
		size_t n = 0;
		bool found = fn_json_member(t[i].text, strlen(t[i].text), "level", &v, &n);

		ck_assert_msg(found == (t[i].value != NULL), "%s", t[i].text);
		if (found)
			ck_assert_msg(n == strlen(t[i].value) && memcmp(v, t[i].value, n) == 0, "%s", t[i].text);
	}
}
END_TEST

START_TEST(values)
{
	static const struct {
		const char *text, *value; /* NULL: none */
	} t[] = {{"{\"v\":\"x\"}", "\"x\""}, {"{\"a\":1, \"v\" : [1, {\"v\":2}] ,\"b\":0}", "[1, {\"v\":2}]"}, {"{\"v\":null}", "null"}, {"{\"v\":1,\"v\":{}}", "{}"},
		 {"{\"v\":-1.5e3}", "-1.5e3"}, {"{\"v\":1", NULL}, {"{\"v\":}", NULL}, {"[\"v\"]", NULL}, {"{\"vv\":1}", NULL}};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *v = NULL;
		size_t n = 0;
		bool found = fn_json_value(t[i].text, strlen(t[i].text), "v", &v, &n);

		ck_assert_msg(found == (t[i].value != NULL), "%s", t[i].text);
		if (found)
			ck_assert_msg(n == strlen(t[i].value) && memcmp(v, t[i].value, n) == 0, "%s", t[i].text);
	}
}
END_TEST

/* What ends a string, at each place of eight. */
START_TEST(long_strings)
{
	char text[64];

	for (size_t len = 0; len < 40; len++) {
		memset(text, 'x', sizeof(text));
		text[0] = '"';
		text[len + 1] = '"';
		ck_assert(fn_json_valid(text, len + 2, NULL));
		ck_assert(!fn_json_valid(text, len + 1, NULL));
		for (size_t at = 1; at <= len; at++) {
			for (const char *bad = "\x01\x1f\"\\\n"; *bad; bad++) {
				text[at] = *bad;
				ck_assert_msg(!fn_json_valid(text, len + 2, NULL), "%zu of %zu: %d", at, len, *bad);
			}
			for (const char *good = " !#[]~\x7f"; *good; good++) {
				text[at] = *good;
				ck_assert_msg(fn_json_valid(text, len + 2, NULL), "%zu of %zu: %d", at, len, *good);
			}
			text[at] = 'x';
		}
	}
}
END_TEST

START_TEST(depth)
{
	char text[2002];

	memset(text, '[', 1001);
	memset(text + 1001, ']', 1001);
	ck_assert(!fn_json_valid(text, 2002, NULL));
	ck_assert(fn_json_valid(text + 1, 2000, NULL));
}
END_TEST

START_TEST(mutations_agree_with_jansson)
{
	static const char *const seeds[] = {"{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\\\\"],\"b\":{\"c\":\"d\"}}", "[\"\xc3\xa4\xe2\x82\xac\",false,0.1,[[]],{}]",
					    "\"\\ud83d\\ude00 plain, and longer than the words that are looked at\""};
	static const char alphabet[] = "{}[]\",:0123456789eE+-.\\ntfu \t\n\x80\xc3x";
	unsigned rng = 12345, disagreements = 0;

	for (int round = 0; round < 200000; round++) {
		const char *seed = seeds[round % 3];
		size_t len = strlen(seed);
		char text[128];
		json_t *j;
		bool mine;

		memcpy(text, seed, len);
		for (int k = 0; k < 1 + round % 3; k++) {
			rng = rng * 1103515245 + 12345;
			text[(rng >> 16) % len] = alphabet[(rng >> 8) % (sizeof(alphabet) - 1)];
		}
		j = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		mine = fn_json_valid(text, len, NULL);
		/* jansson refuses a few texts that RFC 8259 allows: numbers beyond a double, lone surrogates */
		if (mine != (j != NULL) && !(mine && (strstr(text, "\\u") || strchr(text, 'e') || strchr(text, 'E')))) {
			disagreements++;
			fprintf(stderr, "disagree: %.*s\n", (int)len, text);
		}
		json_decref(j);
	}
	ck_assert_uint_eq(disagreements, 0);
}
END_TEST

TEST_MAIN("web/json_scan", cases, members, values, long_strings, depth, mutations_agree_with_jansson)

/*
 * fuzz_pick.c - the string that lib/web/json_pick takes out of a request while it comes. Two bytes say how the rest is cut up. However it is, the same
 * is picked; and of what is JSON, it is what a parser finds there, and the rest is the same JSON without it.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fuzz/fuzz.h"
#include "web/json_pick.h"

struct got {
	struct fn_buf text, rest;
	bool found;
};

static void on_begin(void *arg) { fn_buf_reset(&((struct got *)arg)->text); }

static void on_add(void *arg, const char *text, size_t len)
{
	fuzz_check(len > 0 && fn_buf_add(&((struct got *)arg)->text, text, len) == 0);
}

static void pick(const uint8_t *data, size_t size, size_t first, size_t piece, struct got *g)
{
	struct fn_json_pick p = {.path = {"Code", "ZipFile"}, .rest_max = 1u << 20, .begin = on_begin, .add = on_add, .arg = g};

	for (size_t at = 0, cut = first; at < size; cut = piece) {
		size_t n = cut < size - at ? cut : size - at;
		char *copy = malloc(n); /* exactly as long: an overrun shows */

		fuzz_check(copy != NULL);
		memcpy(copy, data + at, n);
		fuzz_check(fn_json_pick_feed(&p, copy, n) == 0);
		free(copy);
		at += n;
	}
	fuzz_check(p.rest.len <= size);
	g->rest = p.rest;
	g->found = p.found;
}

static bool plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80 || !s[i])
			return false;
	return true;
}

/* Against a parser that has all of it. */
static void compare(const uint8_t *data, size_t size, struct got *g)
{
	json_t *all = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL), *rest, *code, *zip;

	if (!all)
		return;
	rest = json_loadb(g->rest.len ? g->rest.data : "", g->rest.len, JSON_REJECT_DUPLICATES, NULL);
	fuzz_check(rest != NULL);
	code = json_object_get(all, "Code");
	zip = json_object_get(code, "ZipFile");
	fuzz_check(g->found == json_is_string(zip));
	if (g->found) {
		if (plain(json_string_value(zip), json_string_length(zip)))
			fuzz_check(g->text.len == json_string_length(zip) && memcmp(g->text.len ? g->text.data : "", json_string_value(zip), g->text.len) == 0);
		else
			fuzz_check(memchr(g->text.data, '?', g->text.len) || !plain(g->text.data, g->text.len));
		json_object_set_new(code, "ZipFile", json_string(""));
	}
	fuzz_check(json_equal(all, rest));
	json_decref(all);
	json_decref(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct got whole = {0}, cut = {0};
	struct fuzz_in in = {data, data + size};
	size_t first = fuzz_byte(&in) + 1u, piece = fuzz_byte(&in) + 1u;

	size = (size_t)(in.end - in.p);
	pick(in.p, size, size + 1, 1, &whole);
	pick(in.p, size, first, piece, &cut);
	fuzz_check(whole.found == cut.found && whole.text.len == cut.text.len && whole.rest.len == cut.rest.len);
	fuzz_check(whole.text.len == 0 || memcmp(whole.text.data, cut.text.data, cut.text.len) == 0);
	fuzz_check(whole.rest.len == 0 || memcmp(whole.rest.data, cut.rest.data, cut.rest.len) == 0);
	compare(in.p, size, &whole);
	fn_buf_free(&whole.text);
	fn_buf_free(&whole.rest);
	fn_buf_free(&cut.text);
	fn_buf_free(&cut.rest);
	return 0;
}

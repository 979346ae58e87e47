/* json_load.c - see json_load.h. What jansson refuses, though it is JSON, is written anew with what it takes instead; that is seldom. */
#include "web/json_load.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "web/json_scan.h"

#define DIGITS_MAX 18 /* of an integer that is one for certain */
#define REPLACED "\\ufffd"
#define HIGHEST "1.7976931348623157e308"
#define LOWEST "-1.7976931348623157e308"
#define ESCAPE 6 /* bytes of \uXXXX */

struct anew {
	struct fn_buf text;
	bool failed;
};

static void add(struct anew *out, const char *text, size_t len) { out->failed |= fn_buf_add(&out->text, text, len) < 0; }

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static unsigned escaped(const char *p, const char *end)
{
	char digits[5] = "";

	if (end - p < ESCAPE || p[0] != '\\' || p[1] != 'u')
		return 0;
	memcpy(digits, p + 2, 4);
	return (unsigned)strtoul(digits, NULL, 16);
}

static const char *end_of_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\' && p + 1 < end;
	return p < end ? p + 1 : end;
}

/* With its quotes. */
static void add_string(struct anew *out, const char *p, const char *end, bool is_name)
{
	while (p < end) {
		const char *escape = memchr(p, '\\', (size_t)(end - p));
		unsigned c = escape ? escaped(escape, end) : 0;

		if (!escape || end - escape < 2) {
			add(out, p, (size_t)(end - p));
			return;
		}
		add(out, p, (size_t)(escape - p));
		if (escape[1] != 'u') {
			add(out, escape, 2);
			p = escape + 2;
		} else if (c >= 0xd800 && c < 0xdc00 && escaped(escape + ESCAPE, end) >> 10 == 0xdc00 >> 10) {
			add(out, escape, (size_t)2 * ESCAPE);
			p = escape + 2 * ESCAPE;
		} else {
			add(out, (c >= 0xd800 && c < 0xe000) || (c == 0 && is_name) ? REPLACED : escape, ESCAPE);
			p = escape + ESCAPE;
		}
	}
}

static void add_number(struct anew *out, const char *p, size_t len)
{
	fn_auto_free char *text = strndup(p, len);
	double value = text ? strtod(text, NULL) : 0;

	if (!isfinite(value)) {
		add(out, value < 0 ? LOWEST : HIGHEST, strlen(value < 0 ? LOWEST : HIGHEST));
		return;
	}
	add(out, p, len);
	if (len > DIGITS_MAX && text && !strpbrk(text, ".eE"))
		add(out, ".0", 2);
}

/* of: what is JSON. */
static void write_anew(struct anew *out, const char *of, size_t len)
{
	const char *p = of, *end = of + len, *to;

	while (p < end) {
		to = p + 1;
		if (*p == '"') {
			const char *behind = to = end_of_string(p, end);

			while (behind < end && is_space(*behind))
				behind++;
			add_string(out, p, to, behind < end && *behind == ':');
		} else if (*p == '-' || (*p >= '0' && *p <= '9')) {
			while (to < end && strchr("0123456789.eE+-", *to))
				to++;
			add_number(out, p, (size_t)(to - p));
		} else {
			add(out, p, 1);
		}
		p = to;
	}
}

json_t *fn_json_load(const char *text, size_t len, size_t flags)
{
	json_t *o = json_loadb(text, len, flags | JSON_ALLOW_NUL, NULL);
	struct anew anew = {0};

	if (o || !fn_json_valid(text, len, NULL))
		return o;
	write_anew(&anew, text, len);
	if (!anew.failed)
		o = json_loadb(anew.text.data, anew.text.len, flags | JSON_ALLOW_NUL, NULL);
	fn_buf_free(&anew.text);
	return o;
}

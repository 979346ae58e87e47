/* json_fault.c - see json_fault.h. It goes through the text as that parser does, token by token, and stops where that stops. */
#include "web/json_fault.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define SHOWN_MAX 500u /* of the text, behind the reason */
#define DEPTH 1000

struct fault {
	const char *text;
	size_t len, at; /* at: the next byte */
	struct fn_buf *why;
};

/* Where it is, and what is there. */
static int place(struct fault *f, size_t at)
{
	size_t line = 1, begin = 0;
	int r;

	for (size_t i = 0; i + 1 < at && i < f->len; i++)
		if (f->text[i] == '\n') {
			line++;
			begin = i + 1;
		}
	r = fn_buf_add_str(f->why, "[Source: (byte[])\"");
	if (r == 0)
		r = fn_buf_add_utf8(f->why, f->text, f->len < SHOWN_MAX ? f->len : SHOWN_MAX);
	if (r == 0)
		r = f->len > SHOWN_MAX ? fn_buf_addf(f->why, "\"[truncated %zu bytes]", f->len - SHOWN_MAX) : fn_buf_add_str(f->why, "\"");
	return r < 0 ? r : fn_buf_addf(f->why, "; line: %zu, column: %zu]", line, at - begin + 1);
}

static bool unexpected(struct fault *f, const char *expected)
{
	unsigned char c = (unsigned char)f->text[f->at++];

	if (c < 0x20)
		(void)fn_buf_addf(f->why, "Illegal character ((CTRL-CHAR, code %u)): only regular white space (\\r, \\n, \\t) is allowed between tokens", c);
	else
		(void)fn_buf_addf(f->why, "Unexpected character ('%c' (code %u))%s", c < 0x7f ? c : '?', c, expected);
	return false;
}

static bool ended(struct fault *f, const char *within)
{
	f->at = f->len;
	(void)fn_buf_addf(f->why, "Unexpected end-of-input%s", within);
	return false;
}

static bool space(struct fault *f)
{
	while (f->at < f->len && strchr(" \t\r\n", f->text[f->at]) && f->text[f->at])
		f->at++;
	return f->at < f->len;
}

static bool is_word(unsigned char c) { return (c | 0x20) >= 'a' ? (c | 0x20) <= 'z' || c >= 0x80 : (c >= '0' && c <= '9') || c == '_' || c == '$'; }

static bool unrecognized(struct fault *f)
{
	size_t from = f->at;

	while (f->at < f->len && is_word((unsigned char)f->text[f->at]) && f->at - from < 256)
		f->at++;
	(void)fn_buf_add_str(f->why, "Unrecognized token '");
	(void)fn_buf_add_utf8(f->why, f->text + from, f->at - from);
	(void)fn_buf_add_str(f->why, "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
	return false;
}

static bool string(struct fault *f, const char *what)
{
	for (f->at++; f->at < f->len; f->at++) {
		unsigned char c = (unsigned char)f->text[f->at];

		if (c == '"') {
			f->at++;
			return true;
		}
		if (c < 0x20) {
			f->at++;
			(void)fn_buf_addf(f->why, "Illegal unquoted character ((CTRL-CHAR, code %u)): has to be escaped using backslash to be included in %s", c,
					  strcmp(what, "VALUE_STRING") == 0 ? "string value" : "name");
			return false;
		}
		if (c != '\\')
			continue;
		if (++f->at >= f->len)
			break;
		if (f->text[f->at] != 'u') {
			if (!strchr("\"\\/bfnrt", f->text[f->at]) || !f->text[f->at]) {
				c = (unsigned char)f->text[f->at++];
				(void)fn_buf_addf(f->why, "Unrecognized character escape '%c' (code %u)", c >= 0x20 && c < 0x7f ? c : '?', c);
				return false;
			}
			continue;
		}
		for (int i = 0; i < 4; i++) {
			if (++f->at >= f->len)
				return ended(f, " in character escape sequence");
			if (!memchr("0123456789abcdefABCDEF", f->text[f->at], 22))
				return unexpected(f, ": expected a hex-digit for character escape sequence");
		}
	}
	return ended(f, strcmp(what, "VALUE_STRING") == 0 ? ": was expecting closing quote for a string value" : " in field name");
}

static size_t digits(struct fault *f)
{
	size_t from = f->at;

	while (f->at < f->len && f->text[f->at] >= '0' && f->text[f->at] <= '9')
		f->at++;
	return f->at - from;
}

static bool number(struct fault *f)
{
	if (f->text[f->at] == '-') {
		if (++f->at >= f->len)
			return ended(f, "");
		if (f->text[f->at] < '0' || f->text[f->at] > '9')
			return unexpected(f, " in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value");
	}
	if (f->text[f->at] == '0' && f->at + 1 < f->len && f->text[f->at + 1] >= '0' && f->text[f->at + 1] <= '9') {
		f->at++;
		(void)fn_buf_add_str(f->why, "Invalid numeric value: Leading zeroes not allowed");
		return false;
	}
	digits(f);
	if (f->at < f->len && f->text[f->at] == '.') {
		f->at++;
		if (digits(f) == 0)
			return f->at < f->len ? unexpected(f, " in numeric value: Decimal point not followed by a digit") : ended(f, "");
	}
	if (f->at < f->len && (f->text[f->at] | 0x20) == 'e') {
		f->at++;
		if (f->at < f->len && (f->text[f->at] == '+' || f->text[f->at] == '-'))
			f->at++;
		if (digits(f) == 0)
			return f->at < f->len ? unexpected(f, " in numeric value: Exponent indicator not followed by a digit") : ended(f, "");
	}
	return true;
}

static bool scalar(struct fault *f)
{
	static const char *const words[] = {"true", "false", "null"};
	char c = f->text[f->at];

	if (c == '"')
		return string(f, "VALUE_STRING");
	if (c == '-' || (c >= '0' && c <= '9'))
		return number(f);
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if (f->len - f->at >= n && memcmp(f->text + f->at, words[i], n) == 0 && (f->at + n == f->len || !is_word((unsigned char)f->text[f->at + n]))) {
			f->at += n;
			return true;
		}
	}
	return is_word((unsigned char)c) && (unsigned char)c < 0x80 ?
		       unrecognized(f) :
		       unexpected(f, ": expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
}

/* A name and its colon. */
static bool key(struct fault *f)
{
	if (!space(f))
		return ended(f, " within/between Object entries");
	if (f->text[f->at] != '"')
		return unexpected(f, ": was expecting double-quote to start field name");
	if (!string(f, "FIELD_NAME"))
		return false;
	if (!space(f))
		return ended(f, " within/between Object entries");
	if (f->text[f->at] != ':')
		return unexpected(f, ": was expecting a colon to separate field name and value");
	f->at++;
	return true;
}

static bool open_ended(struct fault *f, bool object, size_t start)
{
	f->at = f->len;
	(void)fn_buf_addf(f->why, "Unexpected end-of-input: expected close marker for %s (start marker at ", object ? "Object" : "Array");
	(void)place(f, start);
	(void)fn_buf_add_str(f->why, ")");
	return false;
}

static bool value(struct fault *f)
{
	struct {
		size_t start;
		bool object;
	} open[DEPTH];
	unsigned depth = 0;

	for (bool first = true;; first = false) {
		if (!space(f))
			return depth > 0 ? open_ended(f, open[depth - 1].object, open[depth - 1].start) : ended(f, first ? ": no content" : "");
		if (f->text[f->at] == '{' || f->text[f->at] == '[') {
			bool object = f->text[f->at] == '{';

			if (depth == DEPTH) {
				(void)fn_buf_addf(f->why, "Document nesting depth (%d) exceeds the maximum allowed (%d)", DEPTH + 1, DEPTH);
				return false;
			}
			open[depth].start = f->at++;
			open[depth++].object = object;
			if (!space(f))
				return open_ended(f, object, open[depth - 1].start);
			if (f->text[f->at] != (object ? '}' : ']')) {
				if (object && !key(f))
					return false;
				continue;
			}
			f->at++;
			depth--;
		} else if (!scalar(f)) {
			return false;
		}
		for (;;) { /* after a value */
			if (depth == 0)
				return true;
			if (!space(f))
				return open_ended(f, open[depth - 1].object, open[depth - 1].start);
			if (f->text[f->at] == ',') {
				f->at++;
				if (open[depth - 1].object && !key(f))
					return false;
				break;
			}
			if (f->text[f->at] != (open[depth - 1].object ? '}' : ']'))
				return unexpected(f, open[depth - 1].object ? ": was expecting comma to separate Object entries" : ": was expecting comma to separate Array entries");
			f->at++;
			depth--;
		}
	}
}

/* It has the form of JSON, and bytes that are no UTF-8. */
static bool encoded(struct fault *f)
{
	for (f->at = 0; f->at < f->len;) {
		unsigned char c = (unsigned char)f->text[f->at];
		size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

		if (f->at + n <= f->len && fn_utf8_valid(f->text + f->at, n)) {
			f->at += n;
			continue;
		}
		f->at++;
		if (c < 0xc2 || c > 0xf4) {
			(void)fn_buf_addf(f->why, "Invalid UTF-8 start byte 0x%x", c);
		} else {
			c = f->at < f->len ? (unsigned char)f->text[f->at++] : 0;
			(void)fn_buf_addf(f->why, "Invalid UTF-8 middle byte 0x%x", c);
		}
		return false;
	}
	return true;
}

int fn_json_fault(const char *text, size_t len, struct fn_buf *ret)
{
	struct fault f = {.text = text, .len = len, .why = ret};
	bool sound = value(&f);
	int r;

	if (sound && space(&f)) /* something behind the value */
		sound = is_word((unsigned char)f.text[f.at]) ? unrecognized(&f) : unexpected(&f, ": expected nothing behind the value");
	if (sound && encoded(&f))
		return 0;
	r = fn_buf_add_str(ret, "\n at ");
	return r < 0 ? r : place(&f, f.at);
}

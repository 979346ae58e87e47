/* json_scan.c - see json_scan.h. One pass, an explicit stack of bits for the nesting. */
#include "web/json_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define DEPTH 1000 /* what Jackson, which made Lambda's messages of parse errors, takes */

struct scan {
	const char *p, *end;
};

static void space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

#define EACH 0x0101010101010101u /* times a byte: eight of them */
#define HIGH (EACH * 0x80)

/* High bits are set where a byte is zero; above the first that is, some that are not may have theirs set too. */
static uint64_t zeros(uint64_t w) { return (w - EACH) & ~w & HIGH; }

/* To the first byte that is a quote, a backslash or a control character, or less than eight from the end. */
static const char *plain(const char *p, const char *end)
{
	uint64_t w;

	for (; end - p >= 8; p += 8) {
		memcpy(&w, p, sizeof(w));
		w = zeros(w ^ EACH * '"') | zeros(w ^ EACH * '\\') | ((w - EACH * 0x20) & ~w & HIGH);
		if (w)
			return p + __builtin_ctzll(w) / 8;
	}
	return p;
}

static bool string(struct scan *s)
{
	for (s->p = plain(s->p + 1, s->end); s->p < s->end; s->p = plain(s->p + 1, s->end)) {
		unsigned char c = (unsigned char)*s->p;

		if (c == '"') {
			s->p++;
			return true;
		}
		if (c < 0x20)
			return false;
		if (c != '\\')
			continue;
		if (++s->p >= s->end)
			return false;
		if (*s->p == 'u') {
			for (int i = 0; i < 4; i++) {
				if (++s->p >= s->end || !memchr("0123456789abcdefABCDEF", *s->p, 22))
					return false;
			}
		} else if (!memchr("\"\\/bfnrt", *s->p, 8)) {
			return false;
		}
	}
	return false;
}

static bool digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

static bool number(struct scan *s)
{
	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!digits(s))
			return false;
	}
	return true;
}

static bool word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool scalar(struct scan *s)
{
	switch (*s->p) {
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return (*s->p == '-' || (*s->p >= '0' && *s->p <= '9')) && number(s);
	}
}

static bool key(struct scan *s)
{
	space(s);
	if (s->p >= s->end || *s->p != '"' || !string(s))
		return false;
	space(s);
	return s->p < s->end && *s->p++ == ':';
}

static bool value(struct scan *s)
{
	uint8_t object[DEPTH];
	unsigned depth = 0;

	for (;;) {
		space(s);
		if (s->p >= s->end)
			return false;
		if (*s->p == '{' || *s->p == '[') {
			bool is_object = *s->p++ == '{';

			if (depth == DEPTH)
				return false;
			object[depth++] = is_object;
			space(s);
			if (s->p < s->end && *s->p == (is_object ? '}' : ']')) {
				s->p++;
				depth--;
			} else {
				if (is_object && !key(s))
					return false;
				continue;
			}
		} else if (!scalar(s)) {
			return false;
		}
		for (;;) { /* after a value */
			if (depth == 0)
				return true;
			space(s);
			if (s->p >= s->end)
				return false;
			if (*s->p == ',') {
				s->p++;
				if (object[depth - 1] && !key(s))
					return false;
				break;
			}
			if (*s->p != (object[depth - 1] ? '}' : ']'))
				return false;
			s->p++;
			depth--;
		}
	}
}

bool fn_json_valid(const char *text, size_t len, size_t *ret_at)
{
	struct scan s = {text, text + len};
	bool ok = value(&s);

	if (ok) {
		space(&s);
		ok = s.p == s.end;
	}
	if (ret_at)
		*ret_at = (size_t)(s.p - text);
	return ok && fn_utf8_valid(text, len);
}

bool fn_json_value(const char *text, size_t len, const char *name, const char **ret, size_t *ret_len)
{
	struct scan s = {text, text + len};
	size_t n = strlen(name);
	bool found = false;
	char c;

	space(&s);
	if (s.p >= s.end || *s.p++ != '{')
		return false;
	do {
		const char *from;
		bool ours;

		space(&s);
		from = s.p + 1;
		if (!key(&s))
			return false;
		ours = (size_t)(s.end - from) > n && memcmp(from, name, n) == 0 && from[n] == '"';
		space(&s);
		from = s.p;
		if (!value(&s))
			return false;
		if (ours) {
			found = true;
			*ret = from;
			*ret_len = (size_t)(s.p - from);
		}
		space(&s);
		c = s.p < s.end ? *s.p++ : '\0';
	} while (c == ',');
	space(&s);
	return found && c == '}' && s.p == s.end;
}

bool fn_json_member(const char *text, size_t len, const char *name, const char **ret, size_t *ret_len)
{
	const char *value;
	size_t n;

	if (!fn_json_value(text, len, name, &value, &n) || *value != '"')
		return false;
	*ret = value + 1;
	*ret_len = n - 2;
	return true;
}

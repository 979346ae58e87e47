/* str.c - see str.h. */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool fn_str_starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

bool fn_str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

char *fn_strdup_opt(const char *s) { return s ? strdup(s) : NULL; }

void fn_set_string(char **member, const char *value)
{
	char *old = *member;

	*member = fn_strdup_opt(value);
	free(old);
}

void fn_strs_free(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
}

int fn_str_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	return (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int fn_str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	long long v;

	if (!s || !(*s == '-' || (*s >= '0' && *s <= '9')))
		return -EINVAL;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (*end || end == s)
		return -EINVAL;
	if (errno == ERANGE || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

void fn_hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * len] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int fn_hex_decode(const char *hex, size_t len, uint8_t *out)
{
	if (len % 2)
		return -EINVAL;
	for (size_t i = 0; i < len / 2; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int fn_base64_encode(const void *data, size_t len, char **ret_text)
{
	const uint8_t *p = data;
	char *out = malloc((len + 2) / 3 * 4 + 1), *o = out;

	if (!out)
		return -ENOMEM;
	for (; len >= 3; p += 3, len -= 3) {
		*o++ = b64[p[0] >> 2];
		*o++ = b64[(p[0] & 3) << 4 | p[1] >> 4];
		*o++ = b64[(p[1] & 15) << 2 | p[2] >> 6];
		*o++ = b64[p[2] & 63];
	}
	if (len == 1) {
		*o++ = b64[p[0] >> 2];
		*o++ = b64[(p[0] & 3) << 4];
		*o++ = '=';
		*o++ = '=';
	} else if (len == 2) {
		*o++ = b64[p[0] >> 2];
		*o++ = b64[(p[0] & 3) << 4 | p[1] >> 4];
		*o++ = b64[(p[1] & 15) << 2];
		*o++ = '=';
	}
	*o = '\0';
	*ret_text = out;
	return 0;
}

/* By character, one more than its value; 65 is '=', 0 what is none. */
static const uint8_t b64_values[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11,
	['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22,
	['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33,
	['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,
	['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
	['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64, ['='] = 65,
};

/* 64 for '=', 255 for what is none. */
static uint8_t b64_value(uint8_t c) { return (uint8_t)(b64_values[c] - 1); }

/* One character that is not one of four plain ones together. */
static size_t b64_char(struct fn_base64 *b, uint8_t v, uint8_t *out)
{
	size_t got;

	b->pad += v == 64;
	b->bad = b->bad || v > 64 || (v == 64 && b->n < 2) || (v < 64 && b->pad > 0);
	b->bits = b->bits << 6 | (v & 63);
	if (b->bad || ++b->n < 4)
		return 0;
	got = 3u - b->pad;
	for (size_t i = 0; i < got; i++)
		out[i] = (uint8_t)(b->bits >> (16 - 8 * i));
	b->n = 0;
	b->bits = 0;
	return got;
}

size_t fn_base64_feed(struct fn_base64 *b, const char *text, size_t len, uint8_t *out)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;
	uint8_t *o = out;

	while (p < end && !b->bad) {
		if (b->n == 0 && b->pad == 0 && end - p >= 4) {
			uint32_t w = b64_value(p[0]), x = b64_value(p[1]), y = b64_value(p[2]), z = b64_value(p[3]);

			if ((w | x | y | z) < 64) {
				w = w << 18 | x << 12 | y << 6 | z;
				*o++ = (uint8_t)(w >> 16);
				*o++ = (uint8_t)(w >> 8);
				*o++ = (uint8_t)w;
				p += 4;
				continue;
			}
		}
		o += b64_char(b, b64_value(*p++), o);
	}
	return (size_t)(o - out);
}

int fn_base64_end(const struct fn_base64 *b) { return b->bad || b->n > 0 ? -EINVAL : 0; }

int fn_base64_decode(const char *text, size_t len, uint8_t **ret_data, size_t *ret_len)
{
	uint8_t *out = malloc(len / 4 * 3 + 3);
	struct fn_base64 b = {0};
	size_t n;

	if (!out)
		return -ENOMEM;
	n = fn_base64_feed(&b, text, len, out);
	if (fn_base64_end(&b) < 0) {
		free(out);
		return -EINVAL;
	}
	*ret_data = out;
	*ret_len = n;
	return 0;
}

int fn_url_decode(char *s, size_t n)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%') {
			uint8_t c;

			if (i + 2 >= n || fn_hex_decode(s + i + 1, 2, &c) < 0 || c == 0)
				return -EINVAL;
			s[o++] = (char)c;
			i += 2;
		} else {
			s[o++] = s[i];
		}
	}
	if (o < n)
		s[o] = '\0';
	return (int)o;
}

bool fn_utf8_valid(const void *data, size_t len)
{
	const uint8_t *p = data, *end = p + len;

	while (p < end) {
		uint32_t c = *p++;
		unsigned more = 0;
		uint32_t min = 0;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1, min = 0x80, c &= 0x1f;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2, min = 0x800, c &= 0x0f;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3, min = 0x10000, c &= 0x07;
		else
			return false;
		if ((size_t)(end - p) < more)
			return false;
		while (more--) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p++ & 0x3f);
		}
		if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

void fn_str_lines(char *text, size_t len)
{
	for (char *cr = text, *end = text + len; (cr = memchr(cr, '\r', (size_t)(end - cr))); cr++)
		if (cr + 1 < end && cr[1] != '\n')
			*cr = '\n';
}

/* json_text.c - see json_text.h. */
#include "web/json_text.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static int add_escaped(struct fn_buf *b, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = memchr(plain, c, sizeof(plain) - 1);

	return at ? fn_buf_add(b, (const char[]){'\\', letters[at - plain]}, 2) : fn_buf_addf(b, "\\u%04x", c);
}

int fn_json_add_utf8(struct fn_buf *b, const char *text, size_t len)
{
	const char *end = text + len, *from = text;
	int r = fn_buf_add(b, "\"", 1);

	for (; r == 0 && text < end; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		r = fn_buf_add(b, from, (size_t)(text - from));
		if (r == 0)
			r = add_escaped(b, c);
		from = text + 1;
	}
	if (r == 0)
		r = fn_buf_add(b, from, (size_t)(text - from));
	return r < 0 ? r : fn_buf_add(b, "\"", 1);
}

int fn_json_add_string(struct fn_buf *b, const char *text, size_t len)
{
	fn_auto_buf struct fn_buf sound = {0};

	if (fn_utf8_valid(text, len))
		return fn_json_add_utf8(b, text, len);
	if (fn_buf_add_utf8(&sound, text, len) < 0)
		return -ENOMEM;
	return fn_json_add_utf8(b, sound.data, sound.len);
}

/* buf.c - see buf.h. */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

int fn_buf_reserve(struct fn_buf *b, size_t extra)
{
	size_t need, cap;
	char *p;

	if (extra > SIZE_MAX / 2 - b->len)
		return -ENOMEM;
	need = b->len + extra + 1;
	if (need <= b->cap)
		return 0;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap *= 2;
	p = realloc(b->data, cap);
	if (!p)
		return -ENOMEM;
	b->data = p;
	b->cap = cap;
	b->data[b->len] = '\0';
	return 0;
}

int fn_buf_add(struct fn_buf *b, const void *data, size_t len)
{
	int r = fn_buf_reserve(b, len);

	if (r < 0)
		return r;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int fn_buf_add_utf8(struct fn_buf *b, const char *text, size_t len)
{
	size_t n;
	int r = 0;

	if (fn_utf8_valid(text, len))
		return fn_buf_add(b, text, len);
	for (size_t i = 0; i < len && r == 0; i += n) {
		for (n = 1; n <= 4 && i + n <= len && !fn_utf8_valid(text + i, n);)
			n++;
		if (n <= 4 && i + n <= len) {
			r = fn_buf_add(b, text + i, n);
		} else {
			r = fn_buf_add_str(b, "\xef\xbf\xbd");
			n = 1;
		}
	}
	return r;
}

int fn_buf_add_url(struct fn_buf *b, const char *text, size_t len, const char *also)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	int r = fn_buf_reserve(b, len * 3);

	for (size_t i = 0; r == 0 && i < len; i++)
		r = text[i] && (strchr(unreserved, text[i]) || strchr(also, text[i])) ? fn_buf_add(b, text + i, 1) : fn_buf_addf(b, "%%%02X", (unsigned char)text[i]);
	return r;
}

int fn_buf_add_str(struct fn_buf *b, const char *s) { return fn_buf_add(b, s, strlen(s)); }

int fn_buf_vaddf(struct fn_buf *b, const char *fmt, va_list ap)
{
	size_t room = b->cap - b->len; /* mostly there is enough, and it is written once */
	va_list copy;
	int n, r = 0;

	va_copy(copy, ap);
	n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, copy);
	va_end(copy);
	if (n >= 0 && (size_t)n >= room) {
		if (room)
			b->data[b->len] = '\0';
		r = fn_buf_reserve(b, (size_t)n);
		if (r == 0)
			vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	}
	if (n >= 0 && r == 0)
		b->len += (size_t)n;
	return n < 0 ? -EINVAL : r;
}

int fn_buf_addf(struct fn_buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fn_buf_vaddf(b, fmt, ap);
	va_end(ap);
	return r;
}

void fn_buf_consume(struct fn_buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

void fn_buf_reset(struct fn_buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void fn_buf_free(struct fn_buf *b)
{
	free(b->data);
	*b = (struct fn_buf){0};
}

char *fn_buf_take(struct fn_buf *b, size_t *ret_len)
{
	char *p;

	if (fn_buf_reserve(b, 0) < 0)
		return NULL;
	p = b->data;
	if (ret_len)
		*ret_len = b->len;
	*b = (struct fn_buf){0};
	return p;
}

int fn_buf_read_fd(struct fn_buf *b, int fd, size_t max)
{
	size_t start = b->len;

	for (;;) {
		ssize_t n;
		int r = fn_buf_reserve(b, 4096);

		if (r < 0)
			return r;
		n = read(fd, b->data + b->len, b->cap - b->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->len += (size_t)n;
		b->data[b->len] = '\0';
		if (b->len - start > max)
			return -EFBIG;
	}
}

/*
 * buf.h - a growing byte buffer. Always followed by a NUL that does not count, so text
 * in it is a C string. Zero-initialise: struct fn_buf b = {0}. On -ENOMEM the buffer is unchanged.
 */
#ifndef FN_BASE_BUF_H
#define FN_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct fn_buf {
	char *data; /* NULL while nothing was ever added */
	size_t len;
	size_t cap;
};

int fn_buf_reserve(struct fn_buf *b, size_t extra); /* room for `extra` more bytes and the NUL */
int fn_buf_add(struct fn_buf *b, const void *data, size_t len);
int fn_buf_add_str(struct fn_buf *b, const char *s);
int fn_buf_addf(struct fn_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int fn_buf_vaddf(struct fn_buf *b, const char *fmt, va_list ap);
int fn_buf_add_utf8(struct fn_buf *b, const char *text, size_t len); /* what is no UTF-8 becomes U+FFFD */
/* Percent-coded, but for RFC 3986's unreserved characters and those of `also`. */
int fn_buf_add_url(struct fn_buf *b, const char *text, size_t len, const char *also);
void fn_buf_consume(struct fn_buf *b, size_t n); /* drops the first n bytes */
void fn_buf_reset(struct fn_buf *b);             /* len = 0, memory kept */
void fn_buf_free(struct fn_buf *b);
char *fn_buf_take(struct fn_buf *b, size_t *ret_len); /* the bytes, now the caller's to free(); NULL on -ENOMEM only */
/* Reads until EOF, at most `max` bytes; -EFBIG beyond. */
int fn_buf_read_fd(struct fn_buf *b, int fd, size_t max);

#define fn_auto_buf __attribute__((cleanup(fn_buf_free)))

#endif

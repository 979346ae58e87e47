/* str.h - strings: comparison, numbers, hex, base64, percent-coding, UTF-8. */
#ifndef FN_BASE_STR_H
#define FN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool fn_streq(const char *a, const char *b) { return a && b && strcmp(a, b) == 0; }
static inline bool fn_str_empty(const char *s) { return !s || !*s; }
bool fn_str_starts(const char *s, const char *prefix);
bool fn_str_ends(const char *s, const char *suffix);
char *fn_strdup_opt(const char *s); /* NULL in, NULL out */
/* Frees what the member holds and gives it a copy of value, which may be that; NULL = nothing. */
void fn_set_string(char **member, const char *value);
void fn_strs_free(char **v); /* a list that ends with NULL, and what is in it; NULL is fine */
/* snprintf that reports truncation: returns -ENAMETOOLONG, buf then holds the cut text. 0 on success. */
int fn_str_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Whole-string decimal; -EINVAL on anything else, -ERANGE outside [min, max]. */
int fn_str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);

void fn_hex_encode(const void *data, size_t len, char *out); /* 2*len + 1 bytes, lower case */
int fn_hex_decode(const char *hex, size_t len, uint8_t *out); /* len/2 bytes; -EINVAL */
/* RFC 4648 with padding. Results are malloc'ed; encode's is NUL-terminated. -EINVAL on bad input. */
int fn_base64_encode(const void *data, size_t len, char **ret_text);
int fn_base64_decode(const char *text, size_t len, uint8_t **ret_data, size_t *ret_len);
/* The same in pieces: zeroed at first. `out` has room for len / 4 * 3 + 3 bytes; returns how many it got. What is no base64 shows at the end. */
struct fn_base64 {
	uint32_t bits;
	uint8_t n, pad; /* of the four that are together */
	bool bad;
};
size_t fn_base64_feed(struct fn_base64 *b, const char *text, size_t len, uint8_t *out);
int fn_base64_end(const struct fn_base64 *b); /* 0, -EINVAL */
/* Percent-decoding in place of n bytes; returns the new length, NUL-terminates when shorter. -EINVAL on a bad escape or %00. */
int fn_url_decode(char *s, size_t n);
bool fn_utf8_valid(const void *data, size_t len);

/* A carriage return that no newline follows, as there are between the lines of one record of the log (README, "Logs"), becomes a newline: for who reads it. */
void fn_str_lines(char *text, size_t len);

#endif

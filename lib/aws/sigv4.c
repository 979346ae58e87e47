/* sigv4.c - see sigv4.h. */
#include "aws/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

#define QUERY_MAX 128

void fn_sigv4_sha256(const void *data, size_t len, char out[65])
{
	struct sha256_ctx ctx;
	uint8_t digest[32];

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	sha256_digest(&ctx, sizeof(digest), digest);
	fn_hex_encode(digest, sizeof(digest), out);
}

struct param {
	size_t key, value; /* offsets in the text */
	const char *text;
};

static int by_key_then_value(const void *a, const void *b)
{
	const struct param *p = a, *q = b;
	int r = strcmp(p->text + p->key, q->text + q->key);

	return r ? r : strcmp(p->text + p->value, q->text + q->value);
}

static bool unreserved(unsigned char c) { return isalnum(c) || strchr("-._~", c); }

/* As signed: each byte is itself or %XX, in one way only. A '+' is left as it is: who means a space sends %20. */
static void add_encoded(struct fn_buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		uint8_t byte;

		if (c == '%' && i + 2 < n && fn_hex_decode(s + i + 1, 2, &byte) == 0) {
			c = byte;
			i += 2;
		} else if (c == '+') {
			(void)fn_buf_add(b, "+", 1);
			continue;
		}
		if (c && unreserved(c))
			(void)fn_buf_add(b, (const char *)&c, 1);
		else
			(void)fn_buf_addf(b, "%%%02X", c);
	}
}

static size_t add_part(struct fn_buf *b, const char *s, size_t n, bool encode)
{
	size_t at = b->len;

	if (encode)
		add_encoded(b, s, n);
	else
		(void)fn_buf_add(b, s, n);
	(void)fn_buf_add(b, "", 1);
	return at;
}

/* By name, then by value: "a=1&a-b=2" has a before a-b, though '-' comes before '='. */
static int add_query(struct fn_buf *b, const char *raw, bool encode)
{
	fn_auto_buf struct fn_buf text = {0};
	struct param v[QUERY_MAX];
	size_t n = 0;

	for (size_t len; *raw; raw += len + (raw[len] == '&')) {
		size_t key = strcspn(raw, "=&");

		len = strcspn(raw, "&");
		if (len == 0)
			continue;
		if (n == QUERY_MAX) /* what is left out would be unsigned */
			return -EINVAL;
		v[n].key = add_part(&text, raw, key, encode);
		v[n++].value = add_part(&text, raw + key + (key < len), len - key - (key < len), encode);
	}
	for (size_t i = 0; i < n; i++)
		v[i].text = text.data;
	if (n > 0)
		qsort(v, n, sizeof(*v), by_key_then_value);
	for (size_t i = 0; i < n; i++)
		(void)fn_buf_addf(b, "%s%s=%s", i ? "&" : "", text.data + v[i].key, text.data + v[i].value);
	return 0;
}

static bool is_space(char c) { return c == ' ' || c == '\t'; }

/* Trimmed, runs of white space made one space. */
static void add_value(struct fn_buf *b, const char *value)
{
	while (is_space(*value))
		value++;
	for (; *value; value++)
		if (!is_space(*value))
			(void)fn_buf_add(b, value, 1);
		else if (value[1] && !is_space(value[1]))
			(void)fn_buf_add(b, " ", 1);
}

/* All values of that name, in the order of their coming; false = there is none. */
static bool add_header(struct fn_buf *b, const struct fn_sigv4 *r, const char *name)
{
	const char *value;
	unsigned nth = 0;

	(void)fn_buf_addf(b, "%s:", name);
	for (; (value = r->header(r->arg, name, nth)); nth++) {
		if (nth > 0)
			(void)fn_buf_add(b, ",", 1);
		add_value(b, value);
	}
	(void)fn_buf_add(b, "\n", 1);
	return nth > 0;
}

static unsigned count_of(const char *signed_headers, const char *name)
{
	size_t n = strlen(name);
	unsigned times = 0;

	for (const char *p = signed_headers; *p; p += strcspn(p, ";"), p += *p == ';')
		times += strcspn(p, ";") == n && strncasecmp(p, name, n) == 0;
	return times;
}

bool fn_sigv4_signs(const char *signed_headers, const char *name) { return count_of(signed_headers, name) > 0; }

/* RFC 3986, 6.2.2.3, and without empty segments; the last slash stays. */
static int add_path(struct fn_buf *b, const char *path)
{
	fn_auto_buf struct fn_buf normal = {0};
	bool directory = false;

	if (fn_buf_reserve(&normal, strlen(path) + 1) < 0)
		return -ENOMEM;
	normal.data[0] = '\0';
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "..", 2) == 0) {
			const char *last = normal.len ? strrchr(normal.data, '/') : NULL;

			normal.len = last ? (size_t)(last - normal.data) : 0;
			normal.data[normal.len] = '\0';
		} else if (n > 0 && !(n == 1 && *p == '.')) {
			(void)fn_buf_add(&normal, "/", 1);
			(void)fn_buf_add(&normal, p, n);
		}
		directory = p[n] == '/';
		p += n + directory;
	}
	if (directory || normal.len == 0)
		(void)fn_buf_add(&normal, "/", 1);
	return fn_buf_add_url(b, normal.data, normal.len, "/");
}

static int canonical(const struct fn_sigv4 *r, struct fn_buf *b)
{
	fn_auto_free char *names = strdup(r->signed_headers);
	char *save = NULL;

	if (!names)
		return -ENOMEM;
	(void)fn_buf_addf(b, "%s\n", r->method);
	if (!r->encode_path)
		(void)fn_buf_add_str(b, r->path);
	else if (add_path(b, r->path) < 0)
		return -ENOMEM;
	(void)fn_buf_add(b, "\n", 1);
	if (add_query(b, r->query, r->encode_query) < 0)
		return -EINVAL;
	(void)fn_buf_add(b, "\n", 1);
	for (char *n = strtok_r(names, ";", &save); n; n = strtok_r(NULL, ";", &save))
		if (count_of(r->signed_headers, n) > 1 || !add_header(b, r, n)) /* a long value, named hundreds of times, would be hashed as often */
			return -EINVAL;
	(void)fn_buf_addf(b, "\n%s\n%s", r->signed_headers, r->payload_sha256);
	return fn_sigv4_signs(r->signed_headers, "host") ? 0 : -EINVAL;
}

static void hmac(const uint8_t *key, size_t key_len, const char *text, uint8_t out[32])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, strlen(text), (const uint8_t *)text);
	hmac_sha256_digest(&ctx, 32, out);
}

int fn_sigv4_key(const char *secret, const char *date, const char *region, const char *service, uint8_t k[FN_SIGV4_KEY])
{
	fn_auto_buf struct fn_buf start = {0};

	if (fn_buf_addf(&start, "AWS4%s", secret) < 0)
		return -ENOMEM;
	hmac((const uint8_t *)start.data, start.len, date, k);
	hmac(k, FN_SIGV4_KEY, region, k);
	hmac(k, FN_SIGV4_KEY, service, k);
	hmac(k, FN_SIGV4_KEY, "aws4_request", k);
	return 0;
}

int fn_sigv4_signature_by(const struct fn_sigv4 *r, const uint8_t key[FN_SIGV4_KEY], char out[65])
{
	fn_auto_buf struct fn_buf request = {0}, to_sign = {0};
	char date[9], sha[65];
	uint8_t k[32];
	int rc = canonical(r, &request);

	if (rc < 0)
		return rc;
	snprintf(date, sizeof(date), "%s", r->amz_date);
	fn_sigv4_sha256(request.data, request.len, sha);
	if (fn_buf_addf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", r->amz_date, date, r->region, r->service, sha) < 0)
		return -ENOMEM;
	hmac(key, FN_SIGV4_KEY, to_sign.data, k);
	fn_hex_encode(k, 32, out);
	return 0;
}

int fn_sigv4_signature(const struct fn_sigv4 *r, const char *secret, char out[65])
{
	uint8_t key[FN_SIGV4_KEY];
	char date[9];
	int rc;

	snprintf(date, sizeof(date), "%s", r->amz_date);
	rc = fn_sigv4_key(secret, date, r->region, r->service, key);
	return rc < 0 ? rc : fn_sigv4_signature_by(r, key, out);
}

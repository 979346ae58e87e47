/* sigv4.c - see sigv4.h. */
#include "web/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void add_path(struct fn_buf *b, const char *s, bool encode)
{
	for (; *s; s++)
		if (!encode || isalnum((unsigned char)*s) || strchr("-._~/", *s))
			(void)fn_buf_add(b, s, 1);
		else
			(void)fn_buf_addf(b, "%%%02X", (unsigned char)*s);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int add_query(struct fn_buf *b, const char *raw)
{
	fn_auto_free char *copy = strdup(raw);
	char *v[QUERY_MAX], *save = NULL;
	size_t n = 0;

	if (!copy)
		return -ENOMEM;
	for (char *p = strtok_r(copy, "&", &save); p; p = strtok_r(NULL, "&", &save)) {
		if (n == QUERY_MAX) /* what is left out would be unsigned */
			return -EINVAL;
		v[n++] = p;
	}
	qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 0; i < n; i++)
		(void)fn_buf_addf(b, "%s%s%s", i ? "&" : "", v[i], strchr(v[i], '=') ? "" : "=");
	return 0;
}

/* Trimmed, runs of spaces made one. */
static void add_header(struct fn_buf *b, const char *name, const char *value)
{
	(void)fn_buf_addf(b, "%s:", name);
	while (*value == ' ')
		value++;
	for (; *value; value++)
		if (*value != ' ' || (value[1] && value[1] != ' '))
			(void)fn_buf_add(b, value, 1);
	(void)fn_buf_add(b, "\n", 1);
}

static int canonical(const struct fn_sigv4 *r, struct fn_buf *b)
{
	fn_auto_free char *names = strdup(r->signed_headers);
	char *save = NULL;
	bool host = false;

	if (!names)
		return -ENOMEM;
	(void)fn_buf_addf(b, "%s\n", r->method);
	add_path(b, r->path, r->encode_path);
	(void)fn_buf_add(b, "\n", 1);
	if (add_query(b, r->query) < 0)
		return -EINVAL;
	(void)fn_buf_add(b, "\n", 1);
	for (char *n = strtok_r(names, ";", &save); n; n = strtok_r(NULL, ";", &save)) {
		const char *value = r->header(r->arg, n);

		if (!value)
			return -EINVAL;
		host = host || fn_streq(n, "host");
		add_header(b, n, value);
	}
	(void)fn_buf_addf(b, "\n%s\n%s", r->signed_headers, r->payload_sha256);
	return host ? 0 : -EINVAL;
}

static void hmac(const uint8_t *key, size_t key_len, const char *text, uint8_t out[32])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, strlen(text), (const uint8_t *)text);
	hmac_sha256_digest(&ctx, 32, out);
}

int fn_sigv4_signature(const struct fn_sigv4 *r, const char *secret, char out[65])
{
	fn_auto_buf struct fn_buf request = {0}, start = {0}, to_sign = {0};
	char date[9], sha[65];
	uint8_t k[32];
	int rc = canonical(r, &request);

	if (rc < 0)
		return rc;
	snprintf(date, sizeof(date), "%s", r->amz_date);
	fn_sigv4_sha256(request.data, request.len, sha);
	if (fn_buf_addf(&start, "AWS4%s", secret) < 0 ||
	    fn_buf_addf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", r->amz_date, date, r->region, r->service, sha) < 0)
		return -ENOMEM;
	hmac((const uint8_t *)start.data, start.len, date, k);
	hmac(k, 32, r->region, k);
	hmac(k, 32, r->service, k);
	hmac(k, 32, "aws4_request", k);
	hmac(k, 32, to_sign.data, k);
	fn_hex_encode(k, 32, out);
	return 0;
}

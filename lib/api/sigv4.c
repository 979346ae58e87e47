/*
 * sigv4.c - AWS Signature Version 4 in the Authorization header, verified.
 * Source: AWS General Reference / IAM User Guide, "Signature Version 4 signing process".
 */
#include <ctype.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/internal.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "image/digest.h"

#define SKEW_S 900

struct parts {
	char key_id[132], date[12], region[40], service[40], signed_headers[1024], signature[68];
};

static bool field(const char *header, const char *name, char *out, size_t size)
{
	const char *p = strstr(header, name);
	size_t n;

	if (!p)
		return false;
	p += strlen(name);
	n = strcspn(p, ", ");
	if (n == 0 || n >= size)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

static bool parse(const char *header, struct parts *p)
{
	char credential[300], *save = NULL, *v[6] = {0};
	size_t n = 0;

	if (!fn_str_starts(header, "AWS4-HMAC-SHA256 ") || !field(header, "Credential=", credential, sizeof(credential)) ||
	    !field(header, "SignedHeaders=", p->signed_headers, sizeof(p->signed_headers)) ||
	    !field(header, "Signature=", p->signature, sizeof(p->signature)) || strlen(p->signature) != 64)
		return false;
	for (char *s = strtok_r(credential, "/", &save); s && n < 6; s = strtok_r(NULL, "/", &save))
		v[n++] = s;
	if (n != 5 || !fn_streq(v[4], "aws4_request"))
		return false;
	return fn_str_format(p->key_id, sizeof(p->key_id), "%s", v[0]) == 0 && fn_str_format(p->date, sizeof(p->date), "%s", v[1]) == 0 &&
	       fn_str_format(p->region, sizeof(p->region), "%s", v[2]) == 0 && fn_str_format(p->service, sizeof(p->service), "%s", v[3]) == 0;
}

static void encode(struct fn_buf *b, const char *s, bool keep_slash)
{
	for (; *s; s++)
		if (isalnum((unsigned char)*s) || strchr("-._~", *s) || (keep_slash && *s == '/'))
			(void)fn_buf_add(b, s, 1);
		else
			(void)fn_buf_addf(b, "%%%02X", (unsigned char)*s);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void add_query(struct fn_buf *b, const char *raw)
{
	fn_auto_free char *copy = strdup(raw);
	char *v[128], *save = NULL;
	size_t n = 0;

	for (char *p = copy ? strtok_r(copy, "&", &save) : NULL; p && n < 128; p = strtok_r(NULL, "&", &save))
		v[n++] = p;
	qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 0; i < n; i++)
		(void)fn_buf_addf(b, "%s%s%s", i ? "&" : "", v[i], strchr(v[i], '=') ? "" : "=");
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

static bool canonical(struct fn_http_req *req, const struct parts *p, bool double_encode, struct fn_buf *b)
{
	fn_auto_free char *names = strdup(p->signed_headers);
	const char *given = fn_http_req_header(req, "x-amz-content-sha256"), *body;
	char sha[FN_SHA256_HEX], *save = NULL;
	bool host = false;
	size_t len;

	(void)fn_buf_addf(b, "%s\n", fn_http_req_method(req));
	if (double_encode)
		encode(b, fn_http_req_path(req), true);
	else
		(void)fn_buf_add_str(b, fn_http_req_path(req));
	(void)fn_buf_add(b, "\n", 1);
	add_query(b, fn_http_req_raw_query(req));
	(void)fn_buf_add(b, "\n", 1);
	for (char *n = names ? strtok_r(names, ";", &save) : NULL; n; n = strtok_r(NULL, ";", &save)) {
		const char *value = fn_http_req_header(req, n);

		host = host || fn_streq(n, "host");
		if (!value)
			return false;
		add_header(b, n, value);
	}
	fn_http_req_body(req, &body, &len);
	fn_sha256_hex(body, len, sha);
	if (given && !fn_streq(given, "UNSIGNED-PAYLOAD") && !fn_streq(given, sha))
		return false; /* what was signed is not what arrived */
	(void)fn_buf_addf(b, "\n%s\n%s", p->signed_headers, given ? given : sha);
	return host;
}

static void hmac(const uint8_t *key, size_t key_len, const char *text, uint8_t out[32])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, strlen(text), (const uint8_t *)text);
	hmac_sha256_digest(&ctx, 32, out);
}

static void sign(const struct parts *p, const char *secret, const char *amz_date, const struct fn_buf *request, char out[65])
{
	char start[300], sha[FN_SHA256_HEX], to_sign[600];
	uint8_t k[32];

	snprintf(start, sizeof(start), "AWS4%s", secret);
	hmac((uint8_t *)start, strlen(start), p->date, k);
	hmac(k, 32, p->region, k);
	hmac(k, 32, p->service, k);
	hmac(k, 32, "aws4_request", k);
	fn_sha256_hex(request->data, request->len, sha);
	snprintf(to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", amz_date, p->date, p->region, p->service, sha);
	hmac(k, 32, to_sign, k);
	fn_hex_encode(k, 32, out);
}

static bool fresh(const char *amz_date, const char *scope_date)
{
	struct tm tm = {0};
	const char *end = strptime(amz_date, "%Y%m%dT%H%M%SZ", &tm);
	time_t t = timegm(&tm), now = time(NULL);

	return end && !*end && strncmp(amz_date, scope_date, 8) == 0 && t > now - SKEW_S && t < now + SKEW_S;
}

const struct fn_aws_error *fn_sigv4_verify(const struct fn_api_config *cfg, struct fn_http_req *req)
{
	const char *header = fn_http_req_header(req, "Authorization"), *date = fn_http_req_header(req, "X-Amz-Date");
	const struct fn_credential *c = NULL;
	struct parts p;

	if (!header || !date)
		return &FN_E_MISSING_TOKEN;
	if (!parse(header, &p))
		return &FN_E_BAD_SIGNATURE;
	for (size_t i = 0; i < cfg->n_credentials; i++)
		if (fn_streq(cfg->credentials[i].access_key_id, p.key_id))
			c = &cfg->credentials[i];
	if (!c)
		return &FN_E_UNKNOWN_CLIENT;
	if (!fresh(date, p.date))
		return &FN_E_BAD_SIGNATURE;
	/* The path is encoded once more for signing; some clients leave that out, which changes nothing for plain names. */
	for (int once = 0; once < 2; once++) {
		fn_auto_buf struct fn_buf b = {0};
		char want[65];

		if (!canonical(req, &p, once == 0, &b))
			return &FN_E_BAD_SIGNATURE;
		sign(&p, c->secret_access_key, date, &b, want);
		if (memeql_sec(want, p.signature, 64))
			return NULL;
	}
	return &FN_E_BAD_SIGNATURE;
}

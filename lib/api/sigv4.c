/* sigv4.c - the Authorization header of a request, verified against the configured credentials (web/sigv4.h). */
#include <nettle/memops.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/internal.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "web/sigv4.h"

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

static bool fresh(const char *amz_date, const char *scope_date)
{
	struct tm tm = {0};
	const char *end = strptime(amz_date, "%Y%m%dT%H%M%SZ", &tm);
	time_t t = timegm(&tm), now = time(NULL);

	return end && !*end && strlen(scope_date) == 8 && strncmp(amz_date, scope_date, 8) == 0 && t > now - SKEW_S && t < now + SKEW_S;
}

static const char *header_of(void *arg, const char *name) { return fn_http_req_header(arg, name); }

const struct fn_aws_error *fn_sigv4_verify(const struct fn_api_config *cfg, struct fn_http_req *req)
{
	const char *header = fn_http_req_header(req, "Authorization"), *date = fn_http_req_header(req, "X-Amz-Date"),
		   *given = fn_http_req_header(req, "x-amz-content-sha256"), *body;
	const struct fn_credential *c = NULL;
	struct fn_sigv4 r;
	struct parts p;
	char sha[65];
	size_t len;

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
	fn_http_req_body(req, &body, &len);
	fn_sigv4_sha256(body, len, sha);
	if (given && !fn_streq(given, "UNSIGNED-PAYLOAD") && !fn_streq(given, sha))
		return &FN_E_BAD_SIGNATURE; /* what was signed is not what arrived */
	r = (struct fn_sigv4){
		.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req),
		.signed_headers = p.signed_headers, .payload_sha256 = given ? given : sha, .amz_date = date, .region = p.region,
		.service = p.service, .header = header_of, .arg = req,
	};
	/* The path is encoded once more for signing; some clients leave that out, which changes nothing for plain names. */
	for (int once = 0; once < 2; once++) {
		char want[65];

		r.encode_path = once == 0;
		if (fn_sigv4_signature(&r, c->secret_access_key, want) == 0 && memeql_sec(want, p.signature, 64))
			return NULL;
	}
	return &FN_E_BAD_SIGNATURE;
}

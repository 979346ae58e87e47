/* authorization.c - see authorization.h. */
#include "aws/authorization.h"

#include <nettle/memops.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws/route.h"
#include "base/cleanup.h"
#include "base/str.h"

#define SKEW_S 900
#define EXPIRES_MAX_S 604800
#define MISMATCH \
	"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. " \
	"Consult the service documentation for details."

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

/* key/date/region/service/aws4_request */
static bool parse_credential(char *credential, struct fn_authorization *p)
{
	char *save = NULL, *v[6] = {0};
	size_t n = 0;

	for (char *s = strtok_r(credential, "/", &save); s && n < 6; s = strtok_r(NULL, "/", &save))
		v[n++] = s;
	if (n != 5 || !fn_streq(v[4], "aws4_request"))
		return false;
	return fn_str_format(p->key_id, sizeof(p->key_id), "%s", v[0]) == 0 && fn_str_format(p->date, sizeof(p->date), "%s", v[1]) == 0 &&
	       fn_str_format(p->region, sizeof(p->region), "%s", v[2]) == 0 && fn_str_format(p->service, sizeof(p->service), "%s", v[3]) == 0;
}

static bool parse_header(const char *header, struct fn_authorization *p)
{
	char credential[300];

	return fn_str_starts(header, "AWS4-HMAC-SHA256 ") && field(header, "Credential=", credential, sizeof(credential)) &&
	       field(header, "SignedHeaders=", p->signed_headers, sizeof(p->signed_headers)) && field(header, "Signature=", p->signature, sizeof(p->signature)) &&
	       strlen(p->signature) == 64 && parse_credential(credential, p);
}

static bool parameter(const char *query, const char *name, char *out, size_t size, struct fn_buf *why)
{
	fn_auto_buf struct fn_buf value = {0};

	if (fn_aws_query(query, name, 0, &value) == 0 && value.len > 0 && fn_str_format(out, size, "%s", value.data) == 0)
		return true;
	(void)fn_buf_addf(why, "AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", name);
	return false;
}

static const struct fn_aws_error *parse_query(const char *query, struct fn_authorization *p, struct fn_buf *why)
{
	char algorithm[32], credential[300], expires[16];

	p->in_query = true;
	if (!parameter(query, "X-Amz-Algorithm", algorithm, sizeof(algorithm), why) || !parameter(query, "X-Amz-Credential", credential, sizeof(credential), why) ||
	    !parameter(query, "X-Amz-Signature", p->signature, sizeof(p->signature), why) ||
	    !parameter(query, "X-Amz-SignedHeaders", p->signed_headers, sizeof(p->signed_headers), why) ||
	    !parameter(query, "X-Amz-Date", p->amz_date, sizeof(p->amz_date), why) || !parameter(query, "X-Amz-Expires", expires, sizeof(expires), why))
		return &FN_E_INCOMPLETE_SIGNATURE;
	if (fn_str_to_i64(expires, 1, EXPIRES_MAX_S, &p->expires_s) < 0)
		(void)fn_buf_addf(why, "X-Amz-Expires must be a number of seconds from 1 to %d", EXPIRES_MAX_S);
	else if (!fn_streq(algorithm, "AWS4-HMAC-SHA256") || strlen(p->signature) != 64 || !parse_credential(credential, p))
		(void)fn_buf_add_str(why, MISMATCH);
	return why->len ? &FN_E_BAD_SIGNATURE : NULL;
}

/* Lambda's words for a time that is not now. */
bool fn_authorization_fresh(const struct fn_authorization *p, struct fn_buf *why)
{
	const char *amz_date = p->amz_date, *scope_date = p->date;
	int64_t back = p->in_query ? p->expires_s : SKEW_S;
	struct tm tm = {0}, utc;
	const char *end = strptime(amz_date, "%Y%m%dT%H%M%SZ", &tm);
	time_t t = timegm(&tm), now = time(NULL), edge = t < now ? now - back : now + SKEW_S;
	char here[20], limit[20];

	if (!end || *end) {
		(void)fn_buf_add_str(why, "Date must be in ISO-8601 'basic format'.");
		return false;
	}
	if (strlen(scope_date) != 8 || strncmp(amz_date, scope_date, 8) != 0) {
		(void)fn_buf_addf(why, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%.8s'.", scope_date, amz_date);
		return false;
	}
	if (t > now - back && t < now + SKEW_S)
		return true;
	strftime(here, sizeof(here), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	strftime(limit, sizeof(limit), "%Y%m%dT%H%M%SZ", gmtime_r(&edge, &utc));
	(void)fn_buf_addf(why, t < now ? "Signature expired: %s is now earlier than %s (%s - %d min.)" : "Signature not yet current: %s is still later than %s (%s + %d min.)",
			  amz_date, limit, here, (int)((t < now ? back : SKEW_S) / 60));
	return false;
}

const struct fn_aws_error *fn_authorization_read(const char *header, const char *date, const char *query, struct fn_authorization *p, struct fn_buf *why)
{
	*p = (struct fn_authorization){0};
	if (!header && strstr(query, "X-Amz-Algorithm="))
		return parse_query(query, p, why);
	if (!header || !date) {
		(void)fn_buf_add_str(why, "Missing Authentication Token");
		return &FN_E_MISSING_TOKEN;
	}
	if (parse_header(header, p) && fn_str_format(p->amz_date, sizeof(p->amz_date), "%s", date) == 0)
		return NULL;
	(void)fn_buf_add_str(why, MISMATCH);
	return &FN_E_BAD_SIGNATURE;
}

bool fn_authorization_scoped(const struct fn_authorization *p, const char *region, const char *service, struct fn_buf *why)
{
	if (!fn_streq(p->region, region))
		(void)fn_buf_add_str(why, "Credential should be scoped to a valid region. ");
	if (!fn_streq(p->service, service))
		(void)fn_buf_addf(why, "Credential should be scoped to correct service: '%s'. ", service);
	return why->len == 0;
}

bool fn_authorization_covers(const struct fn_authorization *p, const char *name, struct fn_buf *why)
{
	bool host = strcasecmp(name, "host") == 0;

	if ((!host && strncasecmp(name, "x-amz-", 6) != 0) || fn_sigv4_signs(p->signed_headers, name))
		return true;
	(void)fn_buf_addf(why, "'%s' must be a 'SignedHeader' in the AWS Authorization header.", host ? "Host" : name);
	return false;
}

/* Clients differ in what they encode for signing: the path once more (AWS's rule) or not, the query as it is sent or as it should be. Each of these
 * says the same of what is asked for. */
static bool matches(struct fn_sigv4 *r, const uint8_t key[FN_SIGV4_KEY], const char *signature)
{
	char want[65];

	for (int way = 0; way < 4; way++) {
		r->encode_path = !(way & 1);
		r->encode_query = way & 2;
		if (fn_sigv4_signature_by(r, key, want) == 0 && memeql_sec(want, signature, 64))
			return true;
	}
	return false;
}

/* What is signed of the query: all but the signature itself. */
static int unsigned_query(const char *query, struct fn_buf *ret)
{
	int r = fn_buf_add_str(ret, "");

	for (size_t n; *query && r == 0; query += n + (query[n] == '&')) {
		n = strcspn(query, "&");
		if (fn_str_starts(query, "X-Amz-Signature="))
			continue;
		if (ret->len > 0)
			r = fn_buf_add_str(ret, "&");
		if (r == 0)
			r = fn_buf_add(ret, query, n);
	}
	return r;
}

const struct fn_aws_error *fn_authorization_verify(const struct fn_authorization *p, const struct fn_sigv4 *request, const uint8_t key[FN_SIGV4_KEY], const char *body_sha256,
						   struct fn_buf *why)
{
	const char *given = request->header(request->arg, "X-Amz-Content-Sha256", 0);
	fn_auto_buf struct fn_buf rest = {0};
	struct fn_sigv4 r = *request;

	if (p->in_query && unsigned_query(r.query, &rest) < 0) {
		(void)fn_buf_add_str(why, "out of memory");
		return &FN_E_SERVICE;
	}
	if (p->in_query)
		r.query = rest.data;
	r.signed_headers = p->signed_headers;
	r.payload_sha256 = given ? given : body_sha256;
	r.amz_date = p->amz_date;
	r.region = p->region;
	r.service = p->service;
	/* A digest that was signed is of what arrived. None of Lambda's operations may come without one (UNSIGNED-PAYLOAD): so says the service model. */
	if ((!given || fn_streq(given, body_sha256)) && matches(&r, key, p->signature))
		return NULL;
	(void)fn_buf_add_str(why, MISMATCH);
	return &FN_E_BAD_SIGNATURE;
}

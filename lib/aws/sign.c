/* sign.c - see sign.h. */
#include "aws/sign.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/str.h"

void fn_aws_date(uint64_t real_us, char out[FN_AWS_DATE_SIZE])
{
	time_t s = (time_t)(real_us / 1000000u);
	struct tm tm;

	(void)strftime(out, FN_AWS_DATE_SIZE, "%Y%m%dT%H%M%SZ", gmtime_r(&s, &tm));
}

struct fields {
	const struct fn_aws_credentials *c;
	const struct fn_aws_signing *s;
};

static const char *field(void *arg, const char *name, unsigned nth)
{
	const struct fields *f = arg;

	if (nth > 0)
		return NULL;
	if (fn_streq(name, "host"))
		return f->s->host;
	if (fn_streq(name, "x-amz-content-sha256"))
		return f->s->payload_sha256;
	if (fn_streq(name, "x-amz-target"))
		return f->s->target;
	return fn_streq(name, "x-amz-date") ? f->s->amz_date : f->c->session_token;
}

int fn_aws_sign(const struct fn_aws_credentials *c, const struct fn_aws_signing *s, struct fn_buf *headers)
{
	bool s3 = fn_streq(s->service, "s3");
	struct fields f = {c, s};
	char signed_headers[128], signature[65];
	struct fn_sigv4 r = {.method = s->method, .path = s->path, .query = s->query, .payload_sha256 = s->payload_sha256, .amz_date = s->amz_date,
			     .region = s->region, .service = s->service, .encode_path = !s3, .encode_query = true, .header = field, .arg = &f,
			     .signed_headers = signed_headers};
	int rc;

	snprintf(signed_headers, sizeof(signed_headers), "host%s;x-amz-date%s%s", s3 ? ";x-amz-content-sha256" : "", c->session_token ? ";x-amz-security-token" : "",
		 s->target ? ";x-amz-target" : "");
	rc = fn_sigv4_signature(&r, c->secret_access_key, signature);
	if (rc < 0)
		return rc;
	rc = fn_buf_addf(headers, "x-amz-date: %s\n", s->amz_date);
	if (rc == 0 && s->target)
		rc = fn_buf_addf(headers, "X-Amz-Target: %s\n", s->target);
	if (rc == 0 && c->session_token)
		rc = fn_buf_addf(headers, "x-amz-security-token: %s\n", c->session_token);
	if (rc == 0 && s3)
		rc = fn_buf_addf(headers, "x-amz-content-sha256: %s\n", s->payload_sha256);
	if (rc == 0)
		rc = fn_buf_addf(headers, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s\n", c->access_key_id,
				 s->amz_date, s->region, s->service, signed_headers, signature);
	return rc;
}

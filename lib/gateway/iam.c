/* iam.c - see iam.h. */
#include "gateway/iam.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

static const char *header_of(void *arg, const char *name, unsigned nth)
{
	const struct fn_gw_signed *s = arg;

	for (size_t i = 0; i < s->n_fields; i++)
		if (strcasecmp(s->fields[i].name, name) == 0 && nth-- == 0)
			return s->fields[i].value;
	return NULL;
}

/* The host, and every x-amz-* header. */
static const char *unsigned_field(const struct fn_gw_signed *s, const char *signed_headers)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const char *name = s->fields[i].name;

		if ((strncasecmp(name, "x-amz-", 6) == 0 || strcasecmp(name, "host") == 0) && !fn_sigv4_signs(signed_headers, name))
			return name;
	}
	return NULL;
}

const struct fn_aws_error *fn_gw_iam_head(const struct fn_gw_signed *s, const char *region, struct fn_authorization *a, struct fn_buf *why)
{
	const struct fn_aws_error *wrong = fn_authorization_read(header_of((void *)s, "Authorization", 0), header_of((void *)s, "X-Amz-Date", 0), s->query, a, why);
	const char *name;

	if (wrong)
		return wrong;
	if (!fn_authorization_scoped(a, region, "lambda", why) || !fn_authorization_fresh(a, why))
		return &FN_E_BAD_SIGNATURE;
	name = unsigned_field(s, a->signed_headers);
	if (!name)
		return NULL;
	(void)fn_buf_addf(why, "'%s' must be a 'SignedHeader' in the AWS Authorization header.", strcasecmp(name, "host") == 0 ? "Host" : name);
	return &FN_E_BAD_SIGNATURE;
}

const struct fn_aws_error *fn_gw_iam_verify(const struct fn_gw_signed *s, const struct fn_authorization *a, const uint8_t key[FN_SIGV4_KEY], const void *body, size_t len,
					    struct fn_buf *why)
{
	const char *given = header_of((void *)s, "X-Amz-Content-Sha256", 0);
	fn_auto_buf struct fn_buf rest = {0};
	struct fn_sigv4 r;
	char sha[65];

	if (a->in_query && fn_authorization_unsigned_query(s->query, &rest) < 0)
		return &FN_E_SERVICE;
	fn_sigv4_sha256(body ? body : "", len, sha);
	r = (struct fn_sigv4){.method = s->method, .path = s->path, .query = a->in_query ? rest.data : s->query, .signed_headers = a->signed_headers,
			      .payload_sha256 = given ? given : sha, .amz_date = a->amz_date, .region = a->region, .service = a->service, .header = header_of,
			      .arg = (void *)s};
	/* Lambda takes no unsigned payloads: a digest that was signed is of what arrived */
	if ((!given || fn_streq(given, sha)) && fn_authorization_matches(&r, key, a->signature))
		return NULL;
	(void)fn_buf_add_str(why, FN_AUTHORIZATION_MISMATCH);
	return &FN_E_BAD_SIGNATURE;
}

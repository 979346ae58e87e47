/* iam.c - see iam.h. */
#include "gateway/iam.h"

static const char *header_of(void *arg, const char *name, unsigned nth)
{
	const struct fn_gw_signed *s = arg;

	return fn_gw_field_of(s->fields, s->n_fields, name, nth);
}

const struct fn_aws_error *fn_gw_iam_head(const struct fn_gw_signed *s, const char *region, struct fn_authorization *a, struct fn_buf *why)
{
	const struct fn_aws_error *wrong = fn_authorization_read(header_of((void *)s, "Authorization", 0), header_of((void *)s, "X-Amz-Date", 0), s->query, a, why);

	if (wrong)
		return wrong;
	if (!fn_authorization_scoped(a, region, "lambda", why) || !fn_authorization_fresh(a, why))
		return &FN_E_BAD_SIGNATURE;
	for (size_t i = 0; i < s->n_fields; i++)
		if (!fn_authorization_covers(a, s->fields[i].name, why))
			return &FN_E_BAD_SIGNATURE;
	return NULL;
}

const struct fn_aws_error *fn_gw_iam_verify(const struct fn_gw_signed *s, const struct fn_authorization *a, const uint8_t key[FN_SIGV4_KEY], const void *body, size_t len,
					    struct fn_buf *why)
{
	struct fn_sigv4 r = {.method = s->method, .path = s->path, .query = s->query, .header = header_of, .arg = (void *)s};
	char sha[65];

	fn_sigv4_sha256(body ? body : "", len, sha);
	return fn_authorization_verify(a, &r, key, sha, why);
}

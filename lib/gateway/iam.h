/*
 * iam.h - AuthType AWS_IAM: is a request signed, by a key that fnd knows, for this region and service "lambda"? Pure, but for the clock.
 */
#ifndef FN_GATEWAY_IAM_H
#define FN_GATEWAY_IAM_H

#include "aws/authorization.h"
#include "gateway/event.h"

struct fn_gw_signed {
	const char *method, *path, *query; /* as sent, without what is behind a '?'; path: all of it, by whatever name the URL was reached */
	const struct fn_gw_field *fields;
	size_t n_fields;
};

/* What the head says: NULL = it could be right, and *ret tells whose key is needed; else the error to answer with, and why. */
const struct fn_aws_error *fn_gw_iam_head(const struct fn_gw_signed *s, const char *region, struct fn_authorization *ret, struct fn_buf *why);
/* With the key and the body. */
const struct fn_aws_error *fn_gw_iam_verify(const struct fn_gw_signed *s, const struct fn_authorization *a, const uint8_t key[FN_SIGV4_KEY], const void *body, size_t len,
					    struct fn_buf *why);

#endif

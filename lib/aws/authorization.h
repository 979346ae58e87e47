/*
 * authorization.h - what a request says of its signature: in the Authorization header, or in its query (a presigned address). Pure, but for the clock.
 * Sources: AWS IAM User Guide, "Create a signed AWS API request"; words as recorded from Lambda.
 */
#ifndef FN_AWS_AUTHORIZATION_H
#define FN_AWS_AUTHORIZATION_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/error.h"
#include "aws/sigv4.h"
#include "base/buf.h"

struct fn_authorization {
	char key_id[132], date[12], region[40], service[40], signed_headers[1024], signature[68];
	char amz_date[24];
	bool in_query;  /* a presigned address: it holds for expires_s seconds */
	int64_t expires_s;
};

/* header, date: of Authorization and X-Amz-Date, NULL = absent; query: as sent. NULL = it could be read; else the error to answer with, and why. */
const struct fn_aws_error *fn_authorization_read(const char *header, const char *date, const char *query, struct fn_authorization *ret, struct fn_buf *why);
/* Is it of now? Of this region and service? */
bool fn_authorization_fresh(const struct fn_authorization *a, struct fn_buf *why);
bool fn_authorization_scoped(const struct fn_authorization *a, const char *region, const char *service, struct fn_buf *why);
/* May a header of this name come with it? What is read is signed: the host, and every x-amz-* header. */
bool fn_authorization_covers(const struct fn_authorization *a, const char *name, struct fn_buf *why);
/* Is the signature one of this request, made with this key (fn_sigv4_key())? Of r: method, path, query as sent, and headers; all else is a's. */
const struct fn_aws_error *fn_authorization_verify(const struct fn_authorization *a, const struct fn_sigv4 *r, const uint8_t key[FN_SIGV4_KEY], const char *body_sha256,
						   struct fn_buf *why);

#endif

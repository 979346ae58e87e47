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

#define FN_AUTHORIZATION_MISMATCH \
	"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. " \
	"Consult the service documentation for details."

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
/* What is signed of the query: all but the signature itself. -ENOMEM. */
int fn_authorization_unsigned_query(const char *query, struct fn_buf *ret);
/* Is the signature one of this request, made with this key (fn_sigv4_key())? Sets how r is encoded. */
bool fn_authorization_matches(struct fn_sigv4 *r, const uint8_t key[FN_SIGV4_KEY], const char *signature);

#endif

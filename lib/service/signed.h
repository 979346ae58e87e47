/*
 * signed.h - the signature of a request of web/httpd.h's (aws/authorization.h), for fnd and for fn-events alike. Whose key it is, the caller knows.
 */
#ifndef FN_SERVICE_SIGNED_H
#define FN_SERVICE_SIGNED_H

#include "aws/authorization.h"
#include "web/http_req.h"

#define FN_SIGNED_TOKEN "X-Amz-Security-Token"

/* What it says of its signature, in its header or in its query. NULL = *ret is it; else the error to answer with, and why. */
const struct fn_aws_error *fn_signed_read(const struct fn_http_req *req, struct fn_authorization *ret, struct fn_buf *why);
/* As far as the head tells: is it of this region and service, of now, and is all signed that must be? */
bool fn_signed_good(const struct fn_http_req *req, const struct fn_authorization *a, const char *region, const char *service, struct fn_buf *why);
/* The session token, in its header or in the query of a presigned address; NULL = there is none. */
const char *fn_signed_token(const struct fn_http_req *req, struct fn_buf *room);
/* Is it this key's (fn_sigv4_key())? NULL = it is. */
const struct fn_aws_error *fn_signed_verify(struct fn_http_req *req, const struct fn_authorization *a, const uint8_t key[FN_SIGV4_KEY], const char *body_sha256, struct fn_buf *why);

#endif

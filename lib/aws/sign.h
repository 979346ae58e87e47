/*
 * sign.h - the headers that make a request a signed one (Signature Version 4), for whoever sends one to an AWS-compatible server. Pure: no clock, no socket.
 */
#ifndef FN_AWS_SIGN_H
#define FN_AWS_SIGN_H

#include "aws/sigv4.h"
#include "base/buf.h"

/* Borrowed texts. */
struct fn_aws_credentials {
	const char *access_key_id, *secret_access_key;
	const char *session_token; /* NULL = none */
};

struct fn_aws_signing {
	const char *method, *host;   /* host as in the Host field: with the port where that is not the scheme's */
	const char *path, *query;    /* as sent; query without '?', "" = none */
	const char *region, *service; /* "us-east-1", "sqs" */
	const char *amz_date;        /* 20230101T120000Z: fn_aws_date() */
	const char *payload_sha256;  /* hex: fn_sigv4_sha256() of the body */
	const char *target;          /* X-Amz-Target, signed and among the headers; NULL = none */
};

#define FN_AWS_DATE_SIZE 17
/* The time as amz_date wants it. */
void fn_aws_date(uint64_t real_us, char out[FN_AWS_DATE_SIZE]);

/* Adds "Name: value\n" lines: x-amz-date, X-Amz-Target, x-amz-security-token, of S3 x-amz-content-sha256, Authorization. -EINVAL, -ENOMEM. */
int fn_aws_sign(const struct fn_aws_credentials *c, const struct fn_aws_signing *s, struct fn_buf *headers);

#endif

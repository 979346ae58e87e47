/*
 * sigv4.h - AWS Signature Version 4: the signature of a request, for whoever makes it and whoever verifies it.
 * Source: AWS IAM User Guide, "Create a signed AWS API request".
 */
#ifndef FN_AWS_SIGV4_H
#define FN_AWS_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fn_sigv4 {
	const char *method, *path, *query; /* path and query as sent; query without '?', "" = none */
	const char *signed_headers;        /* "host;x-amz-date", lower case, sorted */
	const char *payload_sha256;        /* hex, or UNSIGNED-PAYLOAD */
	const char *amz_date;              /* 20230101T120000Z */
	const char *region, *service;
	bool encode_path;                  /* encode the sent path once more, as all services but S3 want it */
	bool encode_query;                 /* what in the sent query should be encoded and is not, or otherwise, is made so */
	const char *(*header)(void *arg, const char *name, unsigned nth); /* a signed header's value, of several the nth; NULL = there is none */
	void *arg;
};

/* Is the header (lower case or not) one of signed_headers? */
bool fn_sigv4_signs(const char *signed_headers, const char *name);

/* The signature in lower-case hex; -EINVAL when a signed header is missing or named twice, host is not signed or there are more than
 * 128 query parameters, -ENOMEM. */
int fn_sigv4_signature(const struct fn_sigv4 *r, const char *secret, char out[65]);
/* The key that it is made with, of a day (20230101), a region and a service: from it the secret cannot be had back. -ENOMEM. */
#define FN_SIGV4_KEY 32
int fn_sigv4_key(const char *secret, const char *date, const char *region, const char *service, uint8_t ret[FN_SIGV4_KEY]);
int fn_sigv4_signature_by(const struct fn_sigv4 *r, const uint8_t key[FN_SIGV4_KEY], char out[65]);
void fn_sigv4_sha256(const void *data, size_t len, char out[65]);

#endif

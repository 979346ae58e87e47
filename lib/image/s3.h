/*
 * s3.h - what fn-fetch says to an S3 server, and what it makes of the answer: addresses, signatures, redirects, errors. Pure: no socket, no clock.
 * Sources: Amazon S3 API Reference ("GetObject", "Error responses"), S3 User Guide ("Virtual hosting of buckets", "Making requests: redirects").
 */
#ifndef FN_IMAGE_S3_H
#define FN_IMAGE_S3_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* How a bucket is named in an address: https://HOST/BUCKET/KEY, https://BUCKET.HOST/KEY. AUTO: by host where the endpoint is one of amazonaws.com and the
 * bucket's name fits its certificate, else by path. */
enum fn_s3_style { FN_S3_AUTO, FN_S3_PATH, FN_S3_VIRTUAL };
int fn_s3_style_parse(const char *text, enum fn_s3_style *ret); /* -EINVAL */

/* What an administrator has set. Texts are owned; no access_key_id: requests are not signed. */
struct fn_s3_settings {
	char *endpoint; /* "https://s3.us-east-1.amazonaws.com", "http://127.0.0.1:9000" */
	char *region;
	char *access_key_id, *secret_access_key, *session_token;
	char *ca; /* PEM, the certificates that vouch for the endpoint; NULL: it has no TLS */
	enum fn_s3_style style;
	unsigned timeout_s; /* within which a connection must be there, and that may pass with hardly a byte */
};
/* From an object as fn_s3_settings_json() makes it. On failure there is nothing to free. */
int fn_s3_settings_load(json_t *o, struct fn_s3_settings *ret);
json_t *fn_s3_settings_json(const struct fn_s3_settings *s); /* NULL: no memory */
void fn_s3_settings_clear(struct fn_s3_settings *s);

/* An absolute address, in parts as they are sent. */
struct fn_s3_url {
	bool tls;
	char host[256]; /* lower case */
	char port[6];   /* "" = the scheme's */
	char path[8192], query[8192]; /* encoded; path begins with '/' */
};
/* Strict: http or https, a name or an address, nobody's name and password, no fragment; -EINVAL. */
int fn_s3_url_parse(const char *text, struct fn_s3_url *ret);
int fn_s3_url_format(const struct fn_s3_url *u, struct fn_buf *b); /* adds it */
/* May this be an endpoint? As above, without path and query. */
int fn_s3_endpoint_check(const char *text);

struct fn_s3_object {
	char bucket[64];
	char key[4097], version[4097]; /* UTF-8; no version: the newest */
};
/* Where the object is. -EINVAL: the endpoint is none, or all of it is too long. */
int fn_s3_address(const struct fn_s3_settings *s, const struct fn_s3_object *o, struct fn_s3_url *ret);

/* Adds the header fields, "Name: value\n" each, that a GET of this needs beside Host: the date and, with credentials, the signature. amz_date:
 * 20230101T120000Z. */
int fn_s3_sign(const struct fn_s3_settings *s, const struct fn_s3_url *u, const char *amz_date, struct fn_buf *headers);

/* Where a redirect leads. Only to the endpoint's host, or one below its domain (of amazonaws.com, any), and never from TLS to none: what would be sent
 * there is signed with our key. -EINVAL: it is no address; -EXDEV: it leads elsewhere. */
int fn_s3_redirect(const struct fn_s3_settings *s, const struct fn_s3_url *from, const char *location, struct fn_s3_url *ret);

/* An error's code and words, both one line of printable UTF-8, "" = it says none. */
struct fn_s3_error {
	char code[64], message[256], region[64];
};
void fn_s3_error_parse(const char *xml, size_t len, struct fn_s3_error *ret);
/* A header field's value as such a text. */
void fn_s3_text(const char *value, size_t len, char *to, size_t size);

#endif

/*
 * transfer.h - what fn-fetch's requests have in common, whoever is asked: how libcurl is set, and how headers are read. Runs in fn-fetch only.
 *
 * TLS 1.2 or newer, the certificate verified; no proxy, no other protocol; no redirect is followed by libcurl itself; a server that hangs is given up.
 */
#ifndef FN_IMAGE_TRANSFER_H
#define FN_IMAGE_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#define FN_FETCH_CA_FILE "/ca.pem" /* where fn-fetch has put the certificates that it trusts */

#define FN_TRANSFER_HOPS_MAX 5
#define FN_TRANSFER_HEADERS_MAX 65536u /* of one answer */

struct fn_transfer {
	const char *url;
	const char *protocols; /* "https", "http", "http,https" */
	bool ca;               /* FN_FETCH_CA_FILE is there */
	unsigned timeout_s;    /* within which a connection must be there, and that may pass with hardly a byte */
	struct curl_slist *headers;
	char *words;           /* CURL_ERROR_SIZE bytes */
	curl_write_callback on_header, on_body;
	void *arg;             /* of both */
};
bool fn_transfer_set(CURL *c, const struct fn_transfer *t); /* false: no memory */

/* Why a transfer failed, as a text (s3.h): what libcurl says, but for where that tells of fn-fetch's inside, or nothing to who wrote the configuration. */
void fn_transfer_words(CURLcode code, const char *words, char *to, size_t size);

/* Is this line of an answer that header? Then to has its value, as a text (s3.h). */
bool fn_transfer_header(const char *line, size_t len, const char *name, char *to, size_t size);

#endif

/*
 * fetch.h - one object from an S3 server, or from a registry of container images (registry.h), into a descriptor, by libcurl. Runs in fn-fetch only: what comes from outside is parsed there, and nowhere else.
 *
 * TLS 1.2 or newer, the endpoint's certificate verified; no proxy, no other protocol. A few redirects, as far as s3.h lets them lead. The length must be
 * known or the body chunked, so that one that is cut short is noticed; never more than max_bytes are written. On failure what was written is the
 * caller's to throw away.
 */
#ifndef FN_IMAGE_FETCH_H
#define FN_IMAGE_FETCH_H

#include <stdint.h>

#include "base/err.h"
#include "image/registry.h"
#include "image/s3.h"

/* fn-fetch's descriptors: the file or pipe that is written, the settings as JSON in a file (read from its beginning): {"s3": a struct fn_s3_settings, or it
 * is not there, "registries": registry.h}; a pipe with the order, a pipe for the result. */
enum { FN_FETCH_FILE_FD = 3, FN_FETCH_SETTINGS_FD, FN_FETCH_ORDER_FD, FN_FETCH_RESULT_FD };

/* The order, in one write. */
enum fn_fetch_kind { FN_FETCH_OBJECT, FN_FETCH_MANIFEST, FN_FETCH_BLOB, FN_FETCH_LAYER /* a blob whose digest fn-unpack looks at */ };
struct fn_fetch_order {
	uint32_t kind;
	struct fn_s3_object object;  /* FN_FETCH_OBJECT */
	struct fn_registry_item item; /* the others */
	uint64_t max_bytes;          /* of a blob: all that it has */
};

/* The result, in one write. err.stage is "fetch". err.code: 0 = it is there; of a registry ENOENT: it has no such thing, EACCES: it does not give it, and never ECONNRESET, which is fn-spawnd's own end (spawn/client.h); EREMOTEIO = the server's answer is an error, in `said` as far as it says one;
 * EFBIG = more than max_bytes; anything else: the server could not be asked, or did not answer properly. */
struct fn_fetch_result {
	struct fn_err err;
	uint64_t bytes;
	uint32_t status; /* of the last answer; 0 = there was none */
	struct fn_s3_error said;
};

/* All texts end; what another process wrote is made so. */
void fn_fetch_result_seal(struct fn_fetch_result *r);


/* Before the process is confined: what libcurl loads and opens once. */
int fn_fetch_prepare(struct fn_err *err);
int fn_fetch_object(const struct fn_s3_settings *s, const struct fn_fetch_order *order, int fd, struct fn_fetch_result *ret);

#endif

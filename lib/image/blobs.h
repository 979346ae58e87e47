/* blobs.h - code packages as uploaded, content-addressed: <state>/blobs/<sha256>.zip. Durable when put returns 0. */
#ifndef FN_IMAGE_BLOBS_H
#define FN_IMAGE_BLOBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int fn_blob_put(const char *state_dir, const char *sha256_hex, const void *data, size_t len, struct fn_err *err);
/* A read-only descriptor, the caller's; -ENOENT. */
int fn_blob_open(const char *state_dir, const char *sha256_hex, uint64_t *ret_size);
int fn_blob_remove(const char *state_dir, const char *sha256_hex);

#endif

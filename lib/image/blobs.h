/*
 * blobs.h - code packages as uploaded, content-addressed: <state>/blobs/<sha256>.zip. All but opening and removing may wait for a disk: for threads
 * (base/jobs.h).
 */
#ifndef FN_IMAGE_BLOBS_H
#define FN_IMAGE_BLOBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Names in <state>/blobs that begin so are files which nobody finished: only where the file system has no O_TMPFILE. */
#define FN_BLOB_UNFINISHED ".upload-"

/* A file to be written, that nobody sees and that vanishes with its descriptor, the caller's. -errno. */
int fn_blob_begin(const char *state_dir);
void fn_blob_drop(int fd);
/* Makes what was written, len bytes of this digest, a blob: durable when it returns 0. One that is there already stays, unless a disk has damaged it. */
int fn_blob_keep(const char *state_dir, const char *sha256_hex, int fd, uint64_t len, struct fn_err *err);
/* A read-only descriptor, the caller's; -ENOENT. */
int fn_blob_open(const char *state_dir, const char *sha256_hex, uint64_t *ret_size);
/* It is gone at once; what it held is forgotten when the descriptor, the caller's, is closed, and that may wait for a disk. -ENOENT. */
int fn_blob_remove(const char *state_dir, const char *sha256_hex);

#endif

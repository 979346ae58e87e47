/*
 * layer_stream.h - a container image's layer as it comes: what is read has a digest, that of the blob, and what is in it has another one, the layer's DiffID
 * (OCI image-spec v1.1, config.md): of the tar, not packed. Both are known when all of it has gone through. Packed by gzip, zstd or not at all. Runs in
 * fn-unpack only.
 */
#ifndef FN_IMAGE_LAYER_STREAM_H
#define FN_IMAGE_LAYER_STREAM_H

#include <archive.h>
#include <stdint.h>

#include "image/digest.h"

struct fn_layer_stream;

/* fd is borrowed. max_bytes: how much it may be, unpacked, with everything that belongs to a tar. -ENOMEM */
int fn_layer_stream_new(int fd, uint64_t max_bytes, struct fn_layer_stream **ret);
void fn_layer_stream_free(struct fn_layer_stream *s); /* after the archive that reads it; NULL is fine */

/* archive_read_open() of the tar; what goes wrong is its error then. */
int fn_layer_stream_open(struct fn_layer_stream *s, struct archive *tar);
/* What follows the tar's end, too; both are hex then. -EINVAL, -EFBIG: it is no such stream to its end, and *ret_why says how (the stream's); else -errno. */
int fn_layer_stream_end(struct fn_layer_stream *s, char ret_blob[FN_SHA256_HEX], char ret_diff_id[FN_SHA256_HEX], const char **ret_why);

#endif

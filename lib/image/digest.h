/* digest.h - SHA-256 (nettle). */
#ifndef FN_IMAGE_DIGEST_H
#define FN_IMAGE_DIGEST_H

#include <stddef.h>

struct sha256_ctx;

#define FN_SHA256_HEX 65

void fn_sha256_hex(const void *data, size_t len, char out[FN_SHA256_HEX]);
/* Of what nettle's context has been fed; it begins anew. */
void fn_sha256_end(struct sha256_ctx *ctx, char out[FN_SHA256_HEX]);
/* Of everything in fd from offset 0; -errno. */
int fn_sha256_fd_hex(int fd, char out[FN_SHA256_HEX]);

#endif

/* digest.c - see digest.h. */
#include "image/digest.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <unistd.h>

#include "base/str.h"

void fn_sha256_end(struct sha256_ctx *ctx, char out[FN_SHA256_HEX])
{
	uint8_t d[SHA256_DIGEST_SIZE];

	sha256_digest(ctx, sizeof(d), d);
	fn_hex_encode(d, sizeof(d), out);
}

void fn_sha256_hex(const void *data, size_t len, char out[FN_SHA256_HEX])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	fn_sha256_end(&ctx, out);
}

int fn_sha256_fd_hex(int fd, char out[FN_SHA256_HEX])
{
	struct sha256_ctx ctx;
	uint8_t buf[65536];
	off_t at = 0;

	sha256_init(&ctx);
	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		sha256_update(&ctx, (size_t)n, buf);
		at += n;
	}
	fn_sha256_end(&ctx, out);
	return 0;
}

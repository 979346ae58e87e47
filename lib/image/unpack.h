/*
 * unpack.h - one untrusted archive into one empty directory, by libarchive. Runs in fn-unpack only. Four kinds:
 *   - a regular file: a function's package, which is a zip. As Lambda has it, symbolic links lead where they like (only the function follows
 *     them, in its sandbox), set-id bits are dropped, and of two entries of one name the last one counts.
 *   - a regular file, trusted_image: a base image, a tar, packed or not. Links may be absolute, set-id bits are dropped.
 *   - a pipe or file, layer: of a container image, a tar, packed by gzip, zstd or not at all. What takes something away (.wh.NAME, .wh..wh..opq; OCI
 *     image-spec, layer.md) stays as such a file: the layers' trees are put together later (spawn/merger.c). Links lead where they like, a path that begins
 *     with '/' begins at the root, set-id bits are dropped, all files are one owner's, user.* attributes stay, of two entries of one name the last one counts.
 *   - a socket or pipe: a snapshot that a function sends (SnapStart), a tar. Links that lead outside and set-id bits are refused.
 *
 * Refused with words that name the entry: `..`, absolute paths, what would lie below a file or link, device nodes, pipes, sockets, encrypted and
 * truncated archives, bad checksums, too many entries, too many bytes; but for packages also duplicates, and names with control characters
 * or backslashes. Nothing is judged by how well it packs: bytes and entries are bounded, and CPU and time by fn-unpack and fn-spawnd.
 * On failure the directory's content is the caller's to delete.
 */
#ifndef FN_IMAGE_UNPACK_H
#define FN_IMAGE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct fn_unpack_limits {
	uint64_t max_bytes;   /* unpacked */
	uint32_t max_entries;
	bool trusted_image, layer;
	const char *sha256;   /* 64 hex: what the archive must have, else EBADMSG; NULL = anything. It is that of the bytes that are unpacked, whoever writes
			       * to the file meanwhile */
};

/* What fn-unpack says on fd 5, in one message, when all is on disk or it has failed. In the first case it waits for a byte, which tells that the directory
 * has its final name, has that written, too, and exits with 0. err.code: EINVAL = bad archive, ENODATA = one
 * without entries, EFBIG = too large, E2BIG = too many entries, else the platform. */
struct fn_unpack_result {
	struct fn_err err; /* code 0 = success */
	uint64_t bytes;
	uint32_t entries;
	char diff_id[65];  /* of a layer: hex, SHA-256 of the tar that is in it (layer_stream.h); of anything else "" */
};

/* fn-unpack's descriptors */
enum { FN_UNPACK_ARCHIVE_FD = 3, FN_UNPACK_DIR_FD = 4, FN_UNPACK_RESULT_FD = 5 };

/* Unpacks below dest_fd/prefix ("" = dest itself); makes the prefix. Returns 0 or -errno, ret filled either way. */
int fn_unpack_archive(int archive_fd, int dest_fd, const char *prefix, const struct fn_unpack_limits *limits,
		      struct fn_unpack_result *ret);

#endif

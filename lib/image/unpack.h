/*
 * unpack.h - one untrusted archive (zip, tar, compressed tar) into one empty directory, by libarchive. Runs in fn-unpack only.
 *
 * Refused with words that name the entry: `..`, absolute paths, links that lead outside, device nodes, pipes, sockets, setuid and
 * setgid bits, duplicate entries, a file where a directory is, encrypted and truncated archives, bad checksums, too many entries,
 * too many bytes, and compression ratios no code has. On failure the directory's content is the caller's to delete.
 */
#ifndef FN_IMAGE_UNPACK_H
#define FN_IMAGE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct fn_unpack_limits {
	uint64_t max_bytes;   /* unpacked */
	uint32_t max_entries;
	bool trusted_image;   /* absolute symlink targets allowed; set-id bits are stripped instead of refused */
};

/* What fn-unpack writes to its result pipe (fd 5), in one write. err.code: EINVAL = bad archive, EFBIG = too large, else the platform. */
struct fn_unpack_result {
	struct fn_err err; /* code 0 = success */
	uint64_t bytes;
	uint32_t entries;
};

/* fn-unpack's descriptors */
enum { FN_UNPACK_ARCHIVE_FD = 3, FN_UNPACK_DIR_FD = 4, FN_UNPACK_RESULT_FD = 5 };

/* Unpacks below dest_fd/prefix ("" = dest itself); makes the prefix. Returns 0 or -errno, ret filled either way. */
int fn_unpack_archive(int archive_fd, int dest_fd, const char *prefix, const struct fn_unpack_limits *limits,
		      struct fn_unpack_result *ret);

#endif

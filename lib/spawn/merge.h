/*
 * merge.h - the trees of an image's layers become one, which has their files by hard links: what an overlay of all of them would show, at the price of one.
 * Whiteouts (.wh.NAME, and .wh..wh..opq for a directory that hides what is below it; OCI image-spec, layer.md) are what fn-unpack has left them: files.
 */
#ifndef FN_SPAWN_MERGE_H
#define FN_SPAWN_MERGE_H

#include <stdint.h>

#include "base/err.h"

#define FN_MERGED_DIR_BYTES 4096u /* what a directory counts for: files are the layers' */

struct fn_merge {
	int dest;           /* an empty directory */
	const int *layers;  /* directories, uppermost first */
	unsigned n_layers;
	uint64_t max_bytes; /* of the files */
	uint32_t max_entries;
};
/* Follows no symbolic link. ret_bytes: what the tree has itself. err.code EFBIG, E2BIG: the image is too large. */
int fn_merge_trees(const struct fn_merge *m, uint64_t *ret_bytes, struct fn_err *err);

#endif

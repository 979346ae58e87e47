/*
 * blankfs.h - empty ext4 file systems for devices that read as zeros: mke2fs(8) is run once for each size, and the few blocks that it leaves (about
 * 20 of 512 MB) are kept and written wherever one is wanted.
 *
 * They have no journal (nothing in them outlives an environment), no reserved blocks and one inode for each 16 KiB, and nothing lies in the root
 * directory, not even lost+found. The kernel mounts only what was made here: nobody who uses one can write to its device.
 */
#ifndef FN_OS_BLANKFS_H
#define FN_OS_BLANKFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"

#define FN_BLANKFS_BLOCK 4096u

struct fn_blankfs {
	uint64_t room;  /* bytes that can be written to files at least; statfs(2) tells some 2 % more as its size */
	uint64_t bytes; /* of the device */
	size_t n;       /* blocks that are not zero */
	uint64_t *at;   /* their offsets */
	char *blocks;
	uint64_t free_blocks, free_inodes;
	struct timespec changed; /* the root directory */
};

/* owner: of the root directory, which has mode 1777. Takes 10 to 50 ms. */
int fn_blankfs_make(int loop_control, uint64_t room, uid_t owner, struct fn_blankfs *ret, struct fn_err *err);
void fn_blankfs_free(struct fn_blankfs *b);
/* To a device (or file) of b->bytes that reads as zeros. */
int fn_blankfs_write(const struct fn_blankfs *b, int fd);
/* A detached mount of the device at this path, without set-id bits and devices. Barriers are off: what is synced in it reaches the device, but has its
 * disk flush nothing. The caller owns the descriptor. */
int fn_blankfs_mount(const char *device, struct fn_err *err);
/* Nothing has ever had a name in it, and nothing lies in it. Something may have lain in it that never had a name: its blocks are the device's still. */
bool fn_blankfs_untouched(const struct fn_blankfs *b, int mount_fd);

#endif

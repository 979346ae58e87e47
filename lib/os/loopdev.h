/*
 * loopdev.h - loop devices (linux/loop.h, loop(4)): a file as a disk. They are the whole machine's, so each is bound with LO_FLAGS_AUTOCLEAR: the
 * kernel unbinds it when nobody has it open and nothing on it is mounted any more, also after a kill -9 of everyone.
 *
 * Needs CAP_SYS_ADMIN, and CAP_MKNOD where /dev does not show a new device by itself.
 */
#ifndef FN_OS_LOOPDEV_H
#define FN_OS_LOOPDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct fn_loopdev {
	int fd; /* O_RDWR; while it is open the device stays bound */
	unsigned number;
	char path[32]; /* of its node: absolute, or relative to the directory that fn_loopdev_bind() was called in */
	bool direct;   /* past the page cache: what is written through it lies in memory once, not twice */
};

int fn_loopdev_control(struct fn_err *err); /* /dev/loop-control: a descriptor for the caller, or -errno */
/* Binds a free device to the file (borrowed: the device holds it). */
int fn_loopdev_bind(int control, int file, struct fn_loopdev *ret, struct fn_err *err);
/* A second descriptor, for the caller, that keeps others from mounting it; -EBUSY while something on it is mounted. */
int fn_loopdev_claim(const struct fn_loopdev *d);
/* The first `bytes` read as zeros afterwards, and the file has given back what they took on its disk. */
int fn_loopdev_discard(int fd, uint64_t bytes);
/* Who writes to what is mounted on it waits for the disk from this many bytes on (Linux >= 6.2; before, where the host's share is at an end). */
void fn_loopdev_limit_dirty(const struct fn_loopdev *d, uint64_t bytes);
/* Closes it, and so unbinds it, at the latest with the end of what is mounted; with `remove` the device itself goes too, if it is unbound by then. */
void fn_loopdev_release(int control, struct fn_loopdev *d, bool remove);
/* Numbers from this one on are of devices that are not there yet. */
unsigned fn_loopdev_count(void);

#endif

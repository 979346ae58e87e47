/*
 * keeper.h - makes, empties and removes the file systems that sandboxes have at /tmp (os/blankfs.h on os/loopdev.h). A process of its own, forked by
 * fn-spawnd, since each of these takes milliseconds and waits for a disk, and fn-spawnd has one thread. It ends with fn-spawnd.
 *
 * The files under the devices have no name (O_TMPFILE) and the devices unbind themselves: after a kill -9 of everyone nothing is left. It has a
 * mount of every one of them, so that the last reference to one is always its own: nobody else waits for an unmounting.
 */
#ifndef FN_SPAWN_KEEPER_H
#define FN_SPAWN_KEEPER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define FN_KEEPER_SLOTS 20000u

struct fn_keeper_config {
	int host_ns_fd;      /* mount namespace with /dev, /sys and the directory */
	const char *dir;     /* whose file system has the files */
	uid_t owner;         /* of the root directories */
	uint64_t disk_bytes; /* for all together; 0 = half of what is free there now */
};

/* One SEQPACKET message each. */
struct fn_keeper_ask {
	enum { FN_KEEPER_MAKE = 1, FN_KEEPER_EMPTY, FN_KEEPER_DROP } verb;
	uint32_t slot;  /* EMPTY: it is nobody's any more, and is wanted again; DROP: it is not wanted again */
	uint64_t bytes; /* MAKE */
};
struct fn_keeper_answer {
	enum { FN_KEEPER_READY = 1, FN_KEEPER_FAILED, FN_KEEPER_LARGEST } what; /* READY: + a detached mount */
	uint32_t slot;
	uint64_t bytes; /* its size; LARGEST: what it takes of the disk, more than any other, when all together are beyond disk_bytes */
	struct fn_err err;
};

/* Its socket (non-blocking, for the caller) and *ret_pid; -errno. */
int fn_keeper_start(const struct fn_keeper_config *config, pid_t *ret_pid, struct fn_err *err);

#endif

/*
 * making.h - a tree that a child of fn-spawnd makes (fn-unpack, or merger.c's), in a directory of its own that becomes the tree by rename when, and only
 * when, all of it is on disk. The child says that on a socket (struct fn_unpack_result), the tree gets its name, the child gets a byte, has the name
 * written, too, and exits with 0: nothing here waits for a disk.
 */
#ifndef FN_SPAWN_MAKING_H
#define FN_SPAWN_MAKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "image/unpack.h"
#include "spawn/proto.h"

struct fn_making {
	struct fn_loop *loop;
	const char *stage; /* "unpack", of fn-unpack: for errors */
	const char *tree;  /* the name that it is to have */
	int roots_fd;      /* where */
	unsigned limit_s;  /* then the child is killed */
	void (*ended)(void *arg, const struct fn_err *err); /* the child has; err NULL: the tree is there, else the directory is */
	void *arg;

	char tmp[64]; /* the directory's name; "" = there is none yet */
	int sock, pidfd; /* -EBADF before fn_making_begin() and fn_making_watch() */
	uint64_t sock_io, pidfd_io, timer;
	bool late;
	bool named; /* the tree has its name; the child sees to it that it keeps it */
	bool told;  /* result is what the child says */
	struct fn_unpack_result result;
};

/* Makes the directory, uid's, named for `number`, which no other has (fn_unpacker_number()); *ret_sock is the child's end. */
int fn_making_begin(struct fn_making *m, uint64_t number, uint32_t uid, int *ret_sock, struct fn_err *err);
/* The child is there: takes its pidfd. On failure it is killed. */
int fn_making_watch(struct fn_making *m, int pidfd, struct fn_err *err);
struct fn_proto_unpacked fn_making_result(const struct fn_making *m); /* of a tree that is there */
void fn_making_kill(struct fn_making *m); /* and waits for its end */
void fn_making_close(struct fn_making *m);

#endif

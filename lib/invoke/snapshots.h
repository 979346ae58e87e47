/*
 * snapshots.h - SnapStart: which versions are to have a snapshot, who takes them when, and what goes when a version goes.
 *
 * A version with SnapStart is stored as Pending; its snapshot makes it Active, a failing init Failed. One that cannot be snapshotted (its
 * init leaves threads, sockets ...) is Active with the reason, and starts plainly. So does one whose plain starts are found to be clearly sooner than
 * restores, before it is Active; it does then what the function has registered for a snapshot. Snapshots hold on the kernel, processor and base image
 * that they were made on: with another of these the version starts plainly until it has a new one, which is begun at once.
 */
#ifndef FN_INVOKE_SNAPSHOTS_H
#define FN_INVOKE_SNAPSHOTS_H

#include "base/loop.h"
#include "invoke/invoke.h"
#include "runtime/disk.h"
#include "store/functions.h"

struct fn_snapshots_config {
	struct fn_loop *loop;
	struct fn_store *store;
	struct fn_backend *backend;
	struct fn_disk *disk;
	uint64_t archive_init_us; /* archives.h: an init without one that takes so long is followed by one; 0 = there are none */
};

struct fn_snapshots;
int fn_snapshots_new(const struct fn_snapshots_config *config, struct fn_snapshots **ret);
void fn_snapshots_free(struct fn_snapshots *s); /* NULL is fine */
/* A version is to be stored: makes it Pending if it is to have a snapshot. */
void fn_snapshots_prepare(struct fn_function *version);
/* Something may be to do: versions have been published or have gone, images have changed, fnd has begun. Looks for it soon. */
void fn_snapshots_look(struct fn_snapshots *s);
/* Is this tree a version's snapshot or archive of classes, or about to become one? */
bool fn_snapshots_need(struct fn_snapshots *s, const char *tree);
/* There are snapshots: what begins from them can be started ahead. After a start, of fnd or of fn-spawnd. */
void fn_snapshots_expect(struct fn_snapshots *s);

#endif

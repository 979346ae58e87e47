/*
 * disk.h - what is on the disk follows the registry (store/trees.h), and the registry what is on the disk: nothing large is there without a row, a
 * row goes when nothing is left, and what a killed process has left goes at the next start. Runs in fnd, on the loop; the trees are fn-spawnd's.
 */
#ifndef FN_RUNTIME_DISK_H
#define FN_RUNTIME_DISK_H

#include "base/jobs.h"
#include "spawn/client.h"
#include "store/trees.h"

struct fn_disk_config {
	struct fn_jobs *jobs;
	struct fn_store *store;
	struct fn_spawn_client *spawn;
	const char *state_dir;
	uint64_t budget; /* bytes for all that has a row; 0 = as much as there is room for */
};
struct fn_disk;
int fn_disk_new(const struct fn_disk_config *config, struct fn_disk **ret);
void fn_disk_free(struct fn_disk *d); /* after fn-spawnd's client, whose answers come here; NULL is fine */

const struct fn_disk_config *fn_disk_config(const struct fn_disk *d);
/* Is there room in the budget for so many more bytes? */
bool fn_disk_room(const struct fn_disk *d, uint64_t bytes);

/* Has rows for what is to be made: fn is told when they are on disk, later; what an earlier try left of a tree goes before fn-spawnd gets any request that
 * is made from then on. bytes: what is known of the size. -errno with err: not. */
struct fn_disk_new {
	const char *name;
	int64_t bytes;
};
int fn_disk_make(struct fn_disk *d, const struct fn_disk_new *what, size_t n, fn_stored_fn fn, void *arg, struct fn_err *err);
/* fn-spawnd has made it, or had it (bytes 0). Returns its bytes, as far as they are known. */
int64_t fn_disk_made(struct fn_disk *d, const char *name, uint64_t bytes);
/* Nobody needs it: it goes, unless it is to be made again before it has begun to go. Repeated when fn-spawnd dies meanwhile. */
void fn_disk_remove(struct fn_disk *d, const char *name);

/* At start, before anything is made: a tree of an installed image, made by an fnd without a registry, gets a row if it is there. */
void fn_disk_adopt(struct fn_disk *d, const char *name);
/* At start, once images are installed and before requests are served: what nobody owns goes, and what has no row. */
void fn_disk_sweep(struct fn_disk *d, bool (*owned)(void *arg, const char *name), void *arg);

#endif

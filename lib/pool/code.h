/*
 * code.h - a version's package as a tree that sandboxes can have: unpacked when it is uploaded (lib/api), and once more where that tree has been lost
 * (a disk that was repaired, a hand that slipped) while the package is still there (image/blobs.h).
 */
#ifndef FN_POOL_CODE_H
#define FN_POOL_CODE_H

#include "spawn/client.h"

struct fn_pool;
struct fn_worker;

/* As fn_spawn_unpack(): fn is called once, later. -errno: it is not (ENOENT: there is no such package). */
int fn_code_unpack(struct fn_spawn_client *spawn, const char *state_dir, const char *sha256_hex, fn_unpack_fn fn, void *arg);

/* Does this error of a start say that a tree is missing? */
bool fn_code_lost(const struct fn_err *err);
/* Has the worker's package unpacked again, with others that wait for the same: fn_worker_on_code() follows, unless it ends before. -errno: not. */
int fn_code_restore(struct fn_worker *w);
void fn_code_forget(struct fn_pool *p); /* nobody is told any more; the workers must be gone */

#endif

/*
 * code.h - a version's packages as trees that sandboxes can have: unpacked when they are uploaded (lib/api), and once more where such a tree has been lost
 * (a disk that was repaired, a hand that slipped) while the package is still there (image/blobs.h).
 */
#ifndef FN_ENV_CODE_H
#define FN_ENV_CODE_H

#include "base/list.h"
#include "model/function.h"
#include "spawn/client.h"

struct fn_env_host;

/* As fn_spawn_unpack(): fn is called once, later. -errno: it is not (ENOENT: there is no such package). */
int fn_code_unpack(struct fn_spawn_client *spawn, const char *state_dir, const char *sha256_hex, fn_unpack_fn fn, void *arg);

int fn_layer_unpack(struct fn_spawn_client *spawn, const char *state_dir, const char *sha256_hex, fn_unpack_fn fn, void *arg);

/* Does this error of a start say that a tree is missing? */
bool fn_code_lost(const struct fn_err *err);
/* Waits for packages to be unpacked again; removed from its list (base/list.h) it waits no more. */
struct fn_code_wait {
	struct fn_list link;
	void (*fn)(void *arg, const struct fn_err *err); /* err NULL: it is there */
	void *arg;
};
/* Has the function's code and layers unpacked again, with others that wait for the same: wait->fn follows. -errno: not. */
int fn_code_restore(struct fn_env_host *h, struct fn_function *f, struct fn_code_wait *wait);
void fn_code_forget(struct fn_env_host *h); /* nobody is told any more; nobody may wait */

#endif

/*
 * pulls.h - container images on their way here: from what a name stands for (resolver.h) to trees. Runs in fnd, on the loop; fn-fetch asks registries,
 * fn-unpack and fn-spawnd make the trees, which are in the registry (store/trees.h) before they are begun. A layer is fetched once, whoever needs it.
 *
 * Errors: stage "image", and code ENOENT: there is no such image; EACCES: it is not given to us; EINVAL, EFBIG, E2BIG, EBADMSG: it is none that can be used,
 * for the reason in msg; EDQUOT: no room in disk_budget_mb; else a registry or this machine has failed.
 */
#ifndef FN_RUNTIME_PULLS_H
#define FN_RUNTIME_PULLS_H

#include "image/oci.h"
#include "runtime/disk.h"
#include "spawn/client.h"

struct fn_pulls;

int fn_pulls_new(struct fn_loop *loop, struct fn_store *store, struct fn_disk *disk, struct fn_spawn_client *spawn, struct fn_pulls **ret);
void fn_pulls_free(struct fn_pulls *p); /* after fn-spawnd's client, whose answers come here; nobody is told any more. NULL is fine */

/* Has all of an image's trees made, from what is not here yet; the image must be in the store. ref: where its layers are fetched; NULL: nowhere, what is missing
 * is an error. fn is called once, perhaps at once. */
typedef void (*fn_pulled_fn)(void *arg, const struct fn_err *err);
void fn_pulls_get(struct fn_pulls *p, struct fn_image *image, const struct fn_oci_ref *ref, fn_pulled_fn fn, void *arg);
/* Is somebody making this image's trees? They are not to go then. */
bool fn_pulls_busy(const struct fn_pulls *p, const struct fn_image *image);
bool fn_pulls_idle(const struct fn_pulls *p);

/* A layer that somebody brings instead of a registry: ready has the write end of a pipe, the receiver's, for the blob's bytes, or -EBADF: it is there already, or
 * is being made. done is told, once, when its tree is whole, or not. -errno: neither is called. */
struct fn_layer_import {
	void (*ready)(void *arg, int fd);
	fn_pulled_fn done;
	void *arg;
};
int fn_pulls_import(struct fn_pulls *p, const char *sha256, const struct fn_layer_import *import);

#endif

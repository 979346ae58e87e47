/*
 * layers.h - layers with their versions: on disk, and all of them in memory.
 *
 * A layer is called by its key (model/layer.h): its name, or another account's ARN. Writes are as in functions.h; what is taken while one is under way is
 * fn_store_layer_turn() of the key. Stored versions are not to be changed any more, from the call on. A number is given once: layers outlive their versions.
 */
#ifndef FN_STORE_LAYERS_H
#define FN_STORE_LAYERS_H

#include "model/layer.h"
#include "store/store.h"

#define FN_STORE_LAYER_TURN_SIZE (FN_LAYER_KEY_SIZE + 6)
/* What fn_store_taken() and fn_store_wait() call it; no function can be called so. */
const char *fn_store_layer_turn(const char *layer, char ret[FN_STORE_LAYER_TURN_SIZE]);

/* Borrowed until the next write; NULL = there is none. */
struct fn_layer_version *fn_store_layer_version(struct fn_store *s, const char *layer, int64_t version);
/* The number for the next version: never one that this layer had before. */
int64_t fn_store_next_layer_version(struct fn_store *s, const char *layer);
/* Adds it; its content (layer-..., blob-...) becomes READY with it. -EEXIST: the layer has that version. A reference is taken. */
int fn_store_publish_layer(struct fn_store *s, struct fn_layer_version *v, fn_stored_fn fn, void *arg, struct fn_err *err);
/* Replaces it. -ENOENT. */
int fn_store_update_layer(struct fn_store *s, struct fn_layer_version *v, fn_stored_fn fn, void *arg, struct fn_err *err);
/* -ENOENT. */
int fn_store_delete_layer(struct fn_store *s, const char *layer, int64_t version, fn_stored_fn fn, void *arg, struct fn_err *err);

/* The newest version of the first layer in key order behind `after` (NULL = of all) that has one which fits (fn_layer_version_fits()). NULL = none. */
struct fn_layer_version *fn_store_next_layer(struct fn_store *s, const char *after, const char *runtime, const char *architecture);
/* The newest version below `before` (0 = of all) that fits. NULL = none. */
struct fn_layer_version *fn_store_older_layer(struct fn_store *s, const char *layer, int64_t before, const char *runtime, const char *architecture);

#endif

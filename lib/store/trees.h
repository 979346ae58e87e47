/*
 * trees.h - the registry: a row for everything large on the disk, by name. What is below <state>/roots, made by fn-unpack: "img-<sha256>", a layer of a
 * base image; "code-<sha256>" and "layer-<sha256>", a package unpacked as a function's code or as a layer; "snap-<random>", a snapshot (SnapStart); "java-<sha256>", an archive of a function's classes (env/archive.h); "oci-<sha256>", a container image's layer, and "root-<sha256>", such layers as one tree. And "blob-<sha256>": a package as it was uploaded,
 * <state>/blobs/<sha256>.zip. The digests are of the archives, and fn-unpack has found them to be so.
 *
 * A row is on disk, as MAKING, before what it is about is begun, and as REMOVING before that goes; it is deleted when nothing is left. So whatever is
 * there has a row, and what has none, or is neither READY nor anybody's, is what a killed process has left. Who something is for is not written down:
 * functions and images name what they have.
 *
 * Writes as in functions.h, but a tree is taken by nobody: a row that is being written is in memory as it will be.
 */
#ifndef FN_STORE_TREES_H
#define FN_STORE_TREES_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define FN_STORE_TREE_SIZE 72 /* as FN_TREE_NAME_SIZE, sandbox/spec.h */
#define FN_ARCHIVE_PREFIX "java-" /* of archives of classes */

enum fn_tree_state { FN_TREE_MAKING, FN_TREE_READY, FN_TREE_REMOVING };
struct fn_tree {
	char name[FN_STORE_TREE_SIZE];
	enum fn_tree_state state;
	int64_t bytes; /* of its files; while MAKING what is known so far; 0 = not known */
	char diff_id[65]; /* of an "oci-" that is whole: hex, what a configuration calls it (image/layer_stream.h); "" = not known */
};
const char *fn_tree_state_name(enum fn_tree_state state); /* "making" */

/* Borrowed until the next write; NULL = there is no row. */
const struct fn_tree *fn_store_tree(const struct fn_store *s, const char *name);
bool fn_store_tree_ready(const struct fn_store *s, const char *name);
/* size_t it = 0; while ((t = fn_store_next_tree(s, &it))) ... In no order; nothing may be written meanwhile but by fn_store_forget_tree(). */
const struct fn_tree *fn_store_next_tree(const struct fn_store *s, size_t *it);
/* How many stored snapshots of functions, layer versions and writes under way need a "code-", "layer-" or "blob-" by its name; and "image-<sha256>", which is
 * no tree: a container image (images.h), which needs those of its layers. */
unsigned fn_store_tree_refs(const struct fn_store *s, const char *name);
int64_t fn_store_tree_bytes(const struct fn_store *s); /* of all */

/* It is to be made, or is READY already. */
int fn_store_make_tree(struct fn_store *s, const char *name, int64_t bytes, fn_stored_fn fn, void *arg, struct fn_err *err);
/* It has been made, and has so many bytes: noted with its becoming READY. -ENOENT: there is no row. */
int fn_store_measured_tree(struct fn_store *s, const char *name, int64_t bytes);
/* And what its layer unpacked to, likewise. -EINVAL: that is none. */
int fn_store_identified_tree(struct fn_store *s, const char *name, const char *diff_id);
/* It is whole. Those that a function names become READY with the function that is stored. */
int fn_store_ready_tree(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err);
/* Nobody needs it any more. */
int fn_store_remove_tree(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err);
/* Nothing is left of it: its row goes, unless it is being made again. */
int fn_store_forget_tree(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err);

#endif

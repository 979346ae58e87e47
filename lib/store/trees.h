/*
 * trees.h - which trees of snapshots (SnapStart) there may be below <state>/roots: noted before one is made, forgotten when its
 * removal has been asked for, so that what a killed daemon was about to make is found by the next.
 */
#ifndef FN_STORE_TREES_H
#define FN_STORE_TREES_H

#include "store/functions.h"

#define FN_STORE_TREE_SIZE 72 /* as FN_TREE_NAME_SIZE, sandbox/spec.h */

/* Writes as in functions.h. */
int fn_store_add_tree(struct fn_store *s, const char *tree, fn_stored_fn fn, void *arg, struct fn_err *err);
int fn_store_remove_tree(struct fn_store *s, const char *tree, fn_stored_fn fn, void *arg, struct fn_err *err); /* none of that name is fine */
/* The ith tree, NULL = there are no more. Borrowed until the next change. */
const char *fn_store_tree(struct fn_store *s, size_t i);

#endif

/*
 * aliases.h - aliases on disk, and all of them in memory; what a qualifier means.
 *
 * An alias names versions that exist: fn_store_delete_version() refuses one that is named, fn_store_set_alias() one that is not there.
 */
#ifndef FN_STORE_ALIASES_H
#define FN_STORE_ALIASES_H

#include "model/alias.h"
#include "store/functions.h"

/* NULL = none. Borrowed until the next write; not const, since drawing from it changes it. */
struct fn_alias *fn_store_alias(struct fn_store *s, const char *function, const char *alias);
/* Writes are as in functions.h. Makes or replaces the alias; takes `a` when it returns 0. -ENOENT: no such function, or not all versions it names exist. */
int fn_store_set_alias(struct fn_store *s, const char *function, struct fn_alias *a, fn_stored_fn fn, void *arg, struct fn_err *err);
/* With what is provisioned for it. -ENOENT. */
int fn_store_delete_alias(struct fn_store *s, const char *function, const char *alias, fn_stored_fn fn, void *arg, struct fn_err *err);
/* In name order, beginning after `after` (NULL = from the start); with `version`, only those that name it. Returns the count. */
size_t fn_store_list_aliases(struct fn_store *s, const char *function, const char *version, const char *after, struct fn_alias **ret,
			     size_t max);

/* What the qualifier (NULL or "" = $LATEST, a version, an alias: then the version it names first) stands for. Borrowed; NULL = nothing. */
struct fn_function *fn_store_resolve(struct fn_store *s, const char *function, const char *qualifier);

#endif

/*
 * functions.h - functions with their published versions: on disk, and every snapshot in memory. Aliases: aliases.h.
 *
 * Reads never touch the disk: the store keeps all snapshots in sorted arrays, filled at open. A write is one transaction: 0 = it is under way, fn is
 * told what comes of it (store.h); -errno = there is none, err says why, and fn is not called. -EAGAIN: the function is taken. Stored snapshots are
 * not to be changed any more, from the call on.
 */
#ifndef FN_STORE_FUNCTIONS_H
#define FN_STORE_FUNCTIONS_H

#include "model/function.h"
#include "store/store.h"

/* --- functions --- */
/* $LATEST of a function (version NULL) or a published version: a borrowed snapshot, NULL = none. Take a reference to keep it. */
struct fn_function *fn_store_get(struct fn_store *s, const char *name, const char *version);
/* Inserts $LATEST and, unless it is NULL, its first version: -EEXIST when the name is taken. References are taken. */
int fn_store_insert(struct fn_store *s, struct fn_function *latest, struct fn_function *version, fn_stored_fn fn, void *arg, struct fn_err *err);
/* Replaces the snapshot of (f->name, f->version) by f; -ENOENT when absent. What is FN_UPDATE_IN_PROGRESS is not in force: what it replaces
 * goes on serving (fn_store_serving()) until a snapshot with another status is stored. Over a restart: it is in force. */
int fn_store_update(struct fn_store *s, struct fn_function *f, fn_stored_fn fn, void *arg, struct fn_err *err);
/* The same for two snapshots of one function together: $LATEST and a version. */
int fn_store_update_both(struct fn_store *s, struct fn_function *latest, struct fn_function *version, fn_stored_fn fn, void *arg, struct fn_err *err);
/* What an invocation of this stored snapshot runs: itself, or what $LATEST was before an update that is not in force yet. NULL is fine. */
struct fn_function *fn_store_serving(struct fn_store *s, struct fn_function *f);
/* Deletes a function with all of its versions and aliases. -ENOENT. */
int fn_store_delete(struct fn_store *s, const char *name, fn_stored_fn fn, void *arg, struct fn_err *err);
/* $LATEST snapshots in name order, beginning after `after` (NULL = from the start); at most max; borrowed. Returns the count. */
size_t fn_store_list(struct fn_store *s, const char *after, struct fn_function **ret, size_t max);
/* How many functions there are (versions do not count). */
size_t fn_store_count(struct fn_store *s);

/* --- versions --- */
/* The number for the next version: never one that this function had before, even if that version is gone. */
uint64_t fn_store_next_version(struct fn_store *s, const char *name);
/* The version published last, NULL when there is none or it is deleted. Borrowed. */
struct fn_function *fn_store_last_version(struct fn_store *s, const char *name);
/* Replaces $LATEST by `latest` and adds `version`, whose number is fn_store_next_version(). -ENOENT: no such function. */
int fn_store_publish(struct fn_store *s, struct fn_function *latest, struct fn_function *version, fn_stored_fn fn, void *arg, struct fn_err *err);
/* -ENOENT; -EBUSY when an alias names it. */
int fn_store_delete_version(struct fn_store *s, const char *name, const char *version, fn_stored_fn fn, void *arg, struct fn_err *err);
/* $LATEST, then the versions by number, of all functions in name order; beginning after (after_name, after_version) or, with
 * after_name NULL, from the start. With `only`, of that function alone. At most max; borrowed. Returns the count. */
size_t fn_store_list_versions(struct fn_store *s, const char *only, const char *after_name, const char *after_version,
			      struct fn_function **ret, size_t max);

/* --- code --- */
int64_t fn_store_code_bytes(struct fn_store *s); /* sum of code_size over all versions, those too that are being stored */
/* A number never handed out before, and of those that were stored none across restarts: for fn_function.generation. */
uint64_t fn_store_next_generation(struct fn_store *s);

#endif

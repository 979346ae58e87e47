/*
 * functions.h - functions on disk (SQLite, WAL) with every current snapshot in memory.
 *
 * Reads never touch the disk: the store keeps all snapshots in a map, filled at open. Writes are synchronous and durable
 * (synchronous=FULL) when they return 0.
 */
#ifndef FN_STORE_FUNCTIONS_H
#define FN_STORE_FUNCTIONS_H

#include "base/err.h"
#include "model/function.h"

struct fn_store;

/* Opens or makes <dir>/fnd.db, migrates it to the current schema (numbered migrations, one transaction each). A newer schema
 * than this program knows is an error that says so. */
int fn_store_open(const char *dir, struct fn_store **ret, struct fn_err *err);
void fn_store_close(struct fn_store *s);

/* $LATEST of a function (version NULL) or a published version: a borrowed snapshot, NULL = none. Take a reference to keep it. */
struct fn_function *fn_store_get(struct fn_store *s, const char *name, const char *version);
/* Inserts: -EEXIST when the name is taken. */
int fn_store_insert(struct fn_store *s, struct fn_function *f, struct fn_err *err);
/* Replaces the snapshot of (name, version) by f, of which a reference is taken; -ENOENT when absent. */
int fn_store_update(struct fn_store *s, struct fn_function *f, struct fn_err *err);
/* Deletes a function with all of its versions. -ENOENT. */
int fn_store_delete(struct fn_store *s, const char *name, struct fn_err *err);

/* $LATEST snapshots in name order, beginning after `after` (NULL = from the start); at most max; borrowed. Returns the count. */
size_t fn_store_list(struct fn_store *s, const char *after, struct fn_function **ret, size_t max);
size_t fn_store_count(struct fn_store *s);
int64_t fn_store_code_bytes(struct fn_store *s); /* sum of code_size over all versions */
/* How many stored versions use this code package. */
unsigned fn_store_code_refs(struct fn_store *s, const char *code_sha256);
/* A number never handed out before, also across restarts: for fn_function.generation. */
uint64_t fn_store_next_generation(struct fn_store *s);

#endif

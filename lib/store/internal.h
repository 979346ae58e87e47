/* internal.h - shared by the files of lib/store only: what is in memory. */
#ifndef FN_STORE_INTERNAL_H
#define FN_STORE_INTERNAL_H

#include "base/map.h"
#include "store/db.h"
#include "store/functions.h"

/* A function: its $LATEST, and what is published of it. */
struct fn_entry {
	struct fn_function *latest;
	struct fn_function *before; /* latest is not in force yet: what serves until then; else NULL */
	struct fn_function **versions; /* by number, ascending */
	size_t n_versions, cap_versions;
	struct fn_alias **aliases; /* by name */
	size_t n_aliases, cap_aliases;
	struct fn_provisioned **provisioned; /* by qualifier */
	size_t n_provisioned, cap_provisioned;
	int64_t reserved; /* one more than what is reserved; 0 = nothing is */
	uint64_t last; /* the highest number given so far */
};

struct fn_store {
	sqlite3 *db;
	struct fn_entry **items; /* by name */
	size_t n, cap;
	struct fn_map *code; /* SHA-256 in hex -> how many snapshots name it, as a number */
	int64_t code_bytes;
	uint64_t generation, generation_reserved;
	char **trees; /* of snapshots; in no order */
	size_t n_trees, cap_trees;
};

/* functions.c */
struct fn_entry *fn_entry_find(struct fn_store *s, const char *name);
/* Room for one more in an array of pointers: 0 or -ENOMEM. */
#define fn_store_room(array, n, cap)                                   \
	({                                                             \
		void *fn_grown_ = fn_store_grow((array), (n), (cap));  \
		if (fn_grown_)                                         \
			(array) = fn_grown_;                           \
		fn_grown_ ? 0 : -ENOMEM;                               \
	})
void *fn_store_grow(void *array, size_t n, size_t *cap);

/* rows.c: a snapshot in the table `functions`. */
int fn_row_write(sqlite3 *db, const struct fn_function *f, struct fn_err *err); /* inserts or replaces */
int fn_row_read(sqlite3_stmt *st, struct fn_function **ret); /* of FN_ROW_SELECT */
#define FN_ROW_SELECT "SELECT name, version, code_sha256, code_size, config FROM functions ORDER BY name, version"

/* aliases.c */
int fn_aliases_load(struct fn_store *s, struct fn_err *err);

/* concurrency.c */
int fn_concurrency_load(struct fn_store *s, struct fn_err *err); /* after the aliases */
void fn_concurrency_free(struct fn_entry *e);
/* A version or an alias is deleted, by `sql` with (function, qualifier), and what is provisioned for it, in one transaction. */
int fn_concurrency_delete(struct fn_store *s, struct fn_entry *e, const char *sql, const char *qualifier, struct fn_err *err);

/* trees.c */
int fn_trees_load(struct fn_store *s, struct fn_err *err);
void fn_trees_free(struct fn_store *s);

#endif

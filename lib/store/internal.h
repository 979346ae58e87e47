/*
 * internal.h - shared by the files of lib/store only: what is in memory, and what is under way to the disk.
 *
 * From below: entry.c (the arrays), rows.c, store.c (writes and turns), trees.c, functions.c, aliases.c, concurrency.c, recursion.c, urls.c, policies.c, layers.c, identities.c, images.c, open.c.
 */
#ifndef FN_STORE_INTERNAL_H
#define FN_STORE_INTERNAL_H

#include "base/map.h"
#include "db/writer.h"
#include "model/alias.h"
#include "model/function.h"
#include "model/image.h"
#include "model/layer.h"
#include "model/url.h"
#include "store/identities.h"
#include "store/store.h"
#include "store/trees.h"

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
	struct fn_url **urls; /* by qualifier */
	size_t n_urls, cap_urls;
	struct fn_policy **policies; /* in no order: a handful */
	size_t n_policies, cap_policies;
	int64_t reserved; /* one more than what is reserved; 0 = nothing is */
	bool may_recurse; /* recursion.h */
	uint64_t last; /* the highest number given so far */
};

/* A layer, which stays when its versions have gone: its numbers do not come again. */
struct fn_layer {
	char *key;
	int64_t last; /* the highest number given so far */
	struct fn_layer_version **versions; /* by number, ascending */
	size_t n, cap;
};

struct fn_policy {
	char *qualifier, *statements; /* policies.h */
	struct fn_iam_document *document; /* NULL = nobody has asked yet */
};

struct fn_store {
	struct fn_db_writer *writer;
	struct fn_map *taken;  /* function -> struct fn_write that is under way */
	struct fn_list turns;  /* struct fn_store_turn, in the order of their coming */
	struct fn_entry **items; /* by name */
	size_t n, cap, n_coming; /* n_coming: inserts under way, for which there is room */
	struct fn_layer **layers; /* by key */
	size_t n_layers, cap_layers;
	struct fn_map *needs; /* name of a tree -> how many snapshots, layer versions and writes under way name it, as a number */
	int64_t code_bytes, code_bytes_coming, claims_coming; /* ..._coming: of writes under way */
	uint64_t generation, changes;
	void (*on_change)(void *arg);
	void *on_change_arg;
	struct fn_map *urls; /* id -> struct fn_url of an entry */
	struct fn_entities {
		struct fn_entity **items; /* by name */
		size_t n, cap;
	} entities[FN_ENTITY_KINDS];
	struct fn_map *access_keys; /* id -> struct fn_entity of a user */
	uint64_t iam_generation;    /* of the above */
	uint8_t session_secret[FN_STORE_SECRET];
	bool has_session_secret;
	void (*outbox_told)(void *arg); /* outbox.h */
	void *outbox_arg;
	struct fn_map *trees; /* name -> struct fn_tree */
	struct fn_map *images; /* digest -> struct fn_image: images.c */
	struct fn_map *image_names; /* name -> struct fn_image_name */
	int64_t tree_bytes;
};

/* --- outbox.c --- */
int fn_rows_tell(sqlite3 *db, const char *function, const char *qualifier, struct fn_err *err); /* within the deletion's transaction */
void fn_store_outbox_tell(struct fn_store *s); /* when that is on disk */

/* --- entry.c --- */
/* One more (by 1) or less (-1) needs the tree. */
void fn_store_count_tree(struct fn_store *s, const char *tree, int by);
/* The same of both that a package is: its tree ("code", "layer"), and what was uploaded. */
void fn_store_count_package(struct fn_store *s, const char *kind, const char *sha256, int by);
const char *fn_store_tree_name(char ret[FN_STORE_TREE_SIZE], const char *kind, const char *sha256);
struct fn_entry *fn_entry_find(struct fn_store *s, const char *name);
size_t fn_entry_bound(const struct fn_store *s, const char *name); /* the first whose name is not less */
/* Room at s->items for all that come, and an entry with room for a version; not linked. NULL on no memory. */
struct fn_entry *fn_entry_new(struct fn_store *s);
void fn_entry_free(struct fn_store *s, struct fn_entry *e); /* NULL is fine */
void fn_entry_link(struct fn_store *s, struct fn_entry *e, struct fn_function *latest);
void fn_entry_unlink(struct fn_store *s, struct fn_entry *e); /* and frees it */
struct fn_function **fn_entry_version(struct fn_entry *e, const char *version); /* NULL = none; $LATEST too */
size_t fn_entry_version_bound(const struct fn_entry *e, uint64_t n); /* the first version whose number is at least n */
void fn_entry_add_version(struct fn_store *s, struct fn_entry *e, struct fn_function *f); /* there must be room */
void fn_entry_take_version(struct fn_store *s, struct fn_entry *e, const char *version);
void fn_entry_replace(struct fn_store *s, struct fn_entry *e, struct fn_function *f); /* the stored snapshot of this version */
void fn_entry_set_before(struct fn_store *s, struct fn_entry *e, struct fn_function *before); /* of one that has just been linked */
/* In order of qualifiers. */
size_t fn_entry_provisioned_bound(const struct fn_entry *e, const char *qualifier);
struct fn_provisioned *fn_entry_provisioned(const struct fn_entry *e, const char *qualifier);
void fn_entry_take_provisioned(struct fn_entry *e, const char *qualifier); /* none is fine */
/* URLs in order of qualifiers, policies. */
size_t fn_entry_url_bound(const struct fn_entry *e, const char *qualifier);
struct fn_url *fn_entry_url(const struct fn_entry *e, const char *qualifier);
void fn_entry_take_url(struct fn_store *s, struct fn_entry *e, const char *qualifier); /* none is fine */
struct fn_policy *fn_entry_policy(const struct fn_entry *e, const char *qualifier);
void fn_entry_take_policy(struct fn_entry *e, const char *qualifier); /* none is fine */
void fn_entry_take_of(struct fn_entry *e, const char *qualifier); /* what goes with a version or an alias: all of these but its URL */
/* The first i of n for which `less`, an expression of i that holds for the first ones only, does not hold; n = it holds for all. */
#define fn_store_bound(n, i, less)                                  \
	({                                                          \
		size_t fn_lo_ = 0, fn_hi_ = (n);                    \
		while (fn_lo_ < fn_hi_) {                           \
			size_t i = fn_lo_ + (fn_hi_ - fn_lo_) / 2;  \
			if (less)                                   \
				fn_lo_ = i + 1;                     \
			else                                        \
				fn_hi_ = i;                         \
		}                                                   \
		fn_lo_;                                             \
	})
/* Room for one more in an array of pointers: 0 or -ENOMEM. */
#define fn_store_room(array, n, cap)                                   \
	({                                                             \
		void *fn_grown_ = fn_store_grow((array), (n), (cap));  \
		if (fn_grown_)                                         \
			(array) = fn_grown_;                           \
		fn_grown_ ? 0 : -ENOMEM;                               \
	})
void *fn_store_grow(void *array, size_t n, size_t *cap);

/* --- rows.c: a snapshot in the table `functions` --- */
int fn_row_write(sqlite3 *db, const struct fn_function *f, struct fn_err *err); /* inserts or replaces */
int fn_rows_delete_of(sqlite3 *db, const char *function, const char *qualifier, struct fn_err *err); /* fn_entry_take_of() on disk */
int fn_row_read(const struct fn_store *s, sqlite3_stmt *st, struct fn_function **ret); /* of FN_ROW_SELECT */
#define FN_ROW_SELECT "SELECT name, version, code_sha256, code_size, config FROM functions ORDER BY name, version"

/* --- store.c: one write --- */
#define FN_WRITE_TREES (3 + 2 * FN_LAYERS_MAX) /* code, its package, a snapshot; each layer and its package; an image has two at most */
struct fn_write {
	struct fn_db_write db;
	struct fn_store *s;
	struct fn_entry *e; /* of the function; of an insert a new one, which is not linked yet */
	char *name;         /* the function; NULL: it is about none */
	/* What it is about, as far as it needs it; owned. */
	struct fn_function *latest, *version;
	struct fn_alias *alias;
	struct fn_layer_version *layer;
	struct fn_url *url;
	struct fn_entity *entity;
	char *text;
	char *qualifier;
	int64_t n;
	uint64_t when_us;
	int (*sql)(struct fn_write *w, sqlite3 *db, struct fn_err *err); /* in the writer's thread: sees the above, and nothing of the store */
	void (*apply)(struct fn_write *w); /* memory follows */
	int64_t code_bytes, claim; /* counted while it is under way */
	bool insert;
	struct fn_tree ready[FN_WRITE_TREES]; /* become so with this write */
	char named[FN_WRITE_TREES][FN_STORE_TREE_SIZE]; /* what it names: not to go while it is under way */
	unsigned n_ready, n_named;
	fn_stored_fn fn;
	void *arg;
};
/* For this function, with its entry (NULL = it has none; then -ENOENT unless `absent`). -EAGAIN, -ENOMEM; stage is for err. */
int fn_write_new(struct fn_store *s, const char *function, bool absent, const char *stage, struct fn_write **ret, struct fn_err *err);
/* About what is called so and is no function. -EAGAIN, -ENOMEM. */
int fn_write_about(struct fn_store *s, const char *what, const char *stage, struct fn_write **ret, struct fn_err *err);
void fn_write_free(struct fn_write *w); /* one that was not begun */
/* fn is told the outcome. Returns 0. */
int fn_write_begin(struct fn_write *w, fn_stored_fn fn, void *arg);

/* --- what open.c has the others load --- */
int fn_functions_load(struct fn_store *s, sqlite3 *db, struct fn_err *err);
int fn_aliases_load(struct fn_store *s, sqlite3 *db, struct fn_err *err);
/* aliases.c. The alias of a write: its row, and in memory. */
int fn_alias_write(struct fn_write *w, sqlite3 *db, struct fn_err *err);
void fn_alias_apply(struct fn_write *w);
int fn_concurrency_load(struct fn_store *s, sqlite3 *db, struct fn_err *err); /* after the aliases */
int fn_recursion_load(struct fn_store *s, sqlite3 *db, struct fn_err *err); /* after the functions */
int fn_urls_load(struct fn_store *s, sqlite3 *db, struct fn_err *err); /* after the functions */
int fn_policies_load(struct fn_store *s, sqlite3 *db, struct fn_err *err);
int fn_identities_load(struct fn_store *s, sqlite3 *db, struct fn_err *err);
void fn_identities_free(struct fn_store *s);
int fn_layers_load(struct fn_store *s, sqlite3 *db, struct fn_err *err);
void fn_layers_free(struct fn_store *s);
/* trees.c. What the write stores has this package: its tree and what was uploaded become READY with it if there are rows of them, and do not go meanwhile. */
void fn_write_names(struct fn_write *w, const char *kind, const char *sha256);
void fn_write_names_code(struct fn_write *w, const struct fn_function *f); /* of its code, whatever it is */
/* In the loop: this write makes it READY, if there is a row that is not; and then in memory. In the writer's thread: the row. */
void fn_tree_becomes_ready(struct fn_write *w, const char *name);
void fn_tree_apply_ready(struct fn_write *w);
int fn_tree_write_ready(sqlite3 *db, const struct fn_tree *t, struct fn_err *err);
int fn_images_load(struct fn_store *s, sqlite3 *db, struct fn_err *err); /* before the functions */
void fn_images_free_all(struct fn_store *s);
int fn_trees_load(struct fn_store *s, sqlite3 *db, struct fn_err *err); /* after the functions and layers */
void fn_trees_free(struct fn_store *s);

#endif

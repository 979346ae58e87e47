/* internal.h - shared by the files of the store: store.c, catalog.c, group.c, append.c, bounds.c, takeover.c, tidy.c, search.c, follow.c. */
#ifndef FN_LOGS_INTERNAL_H
#define FN_LOGS_INTERNAL_H

#include <dirent.h>
#include <sqlite3.h>

#include "base/list.h"
#include "base/map.h"
#include "logs/index.h"
#include "logs/store.h"

#define FN_LOG_LOADED_MAX 256u /* groups of which more is known than their names; each has a file open */

struct fn_log_segment {
	uint64_t base, bytes, events;
	int64_t min_ms, max_ms, last_written_ms;
};

/* What is known of a group while it is in use. */
struct fn_log_loaded {
	struct fn_list link; /* the last used first */
	struct fn_log_group *group;
	struct fn_log_segment *segments; /* ascending; the last is the one that is written to */
	size_t n, cap;
	struct fn_log_index last; /* of that one */
	struct fn_map *streams;   /* name -> struct fn_log_stream_info */
	int fd;                   /* that one, for appending */
	bool unsynced;
	struct fn_buf block;      /* what is being added */
	size_t names;             /* streams that are named in it, beyond the index's */
};

struct fn_log_store {
	char *dir;
	struct fn_log_bounds bounds;
	sqlite3 *db;
	struct fn_map *groups;   /* by name */
	struct fn_list loaded;
	size_t n_loaded;
	uint64_t total;          /* bytes of all segments */
	struct fn_map *old;      /* directories that an earlier fnd has left: function -> itself */
	char **by_turn;          /* tidy.c: names of groups whose retention is to be looked at */
	size_t turn, n_turn;
	int64_t next_look_ms;
};

/* catalog.c */
int fn_log_catalog_open(struct fn_log_store *s, struct fn_err *err);
void fn_log_catalog_forget(struct fn_log_store *s, struct fn_log_group *g); /* frees it */
struct fn_log_stream_info *fn_log_stream_of(struct fn_log_loaded *l, const char *name); /* makes it; NULL: no memory */
int fn_log_catalog_load(struct fn_log_store *s, struct fn_err *err);
int fn_log_catalog_streams(struct fn_log_store *s, struct fn_log_loaded *l);
int fn_log_catalog_stream(struct fn_log_store *s, struct fn_log_group *g, const struct fn_log_stream_info *i);
void fn_log_catalog_forget_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name);

/* group.c */
void fn_log_dir(const struct fn_log_store *s, const struct fn_log_group *g, char out[4096]);
int fn_log_is_segment(const struct dirent *e);
void fn_log_path(const struct fn_log_store *s, const struct fn_log_group *g, uint64_t base, const char *ending, char out[4096]);
struct fn_log_loaded *fn_log_load(struct fn_log_store *s, struct fn_log_group *g); /* NULL: errno */
void fn_log_segment_describe(struct fn_log_segment *g, const struct fn_log_index *x); /* as its index has it */
/* For reading: its file, and what tells of it: *ret_index is own, to be cleared in any case, or the group's. */
int fn_log_segment_open(struct fn_log_store *s, struct fn_log_loaded *l, size_t n, int *ret_fd, struct fn_log_index *own, struct fn_log_index **ret_index);
int fn_log_read_extent(int fd, uint64_t offset, uint64_t len, struct fn_buf *b); /* what there is of it, instead of what b has */
void fn_log_unload(struct fn_log_store *s, struct fn_log_loaded *l);
int fn_log_begin_segment(struct fn_log_store *s, struct fn_log_loaded *l); /* another, behind all that there is */
int fn_log_drop_first(struct fn_log_store *s, struct fn_log_loaded *l);    /* the oldest segment goes; never the one that is written to */

/* bounds.c */
void fn_log_keep_within(struct fn_log_store *s, struct fn_log_loaded *l);
void fn_log_keep_total(struct fn_log_store *s);
void fn_log_expire(struct fn_log_store *s, struct fn_log_group *g, int64_t now_ms); /* its retention */

/* takeover.c */
int fn_log_takeover_find(struct fn_log_store *s);
bool fn_log_takeover_step(struct fn_log_store *s);                      /* true: there is more */

#endif

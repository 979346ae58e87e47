/*
 * store.h - log groups on the disk: <state>/logs/logs.db says which there are, <state>/logs/@<id>/ has a group's events in segments (segment.h), each
 * a file <position>.seg named by the position of its first byte, with its index beside it. One thread's: logs.h's, which may wait for the disk.
 *
 * What is bounded: a segment has segment_bytes, a group `segments` of them (the oldest goes), all groups together total_bytes (the segment that was
 * written to the longest ago goes, whosever it is); what is older than its group's retention is not found, and goes when all of its segment is.
 * After a crash what was being written is cut off where it is no whole block any more; all before stays.
 */
#ifndef FN_LOGS_STORE_H
#define FN_LOGS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "logs/segment.h"

#define FN_LOG_GROUP_NAME_MAX 512
#define FN_LOG_STREAM_NAME_MAX 512

struct fn_log_bounds {
	uint64_t segment_bytes, total_bytes;
	unsigned segments;
};

struct fn_log_group {
	/* the caller may read these */
	char *name;
	int64_t created_ms;
	int retention_days; /* 0 = for ever */
	bool is_protected;  /* from deletion */
	char *class;        /* "STANDARD", ... */
	char *tags;         /* a JSON object's text; NULL = none */
	uint64_t bytes;     /* on the disk */
	/* the store's */
	int64_t id, oldest_ms; /* when its first segment was written to the last time */
	struct fn_log_loaded *loaded;
};

/* Its events of earlier times are not found any more. */
static inline int64_t fn_log_kept_from(const struct fn_log_group *g, int64_t now_ms)
{
	return g->retention_days ? now_ms - (int64_t)g->retention_days * 86400000 : INT64_MIN;
}

struct fn_log_stream_info {
	char *name;
	int64_t created_ms, first_ms, last_ms, last_written_ms; /* first > last: no events */
	/* the store's */
	bool kept;           /* it has a row: made or deleted by name */
	bool there;          /* else it was deleted, and nothing came since */
	uint64_t from;       /* events at lower positions are those of one that was deleted */
	uint64_t last_at;    /* the position behind its last event that is known */
};

struct fn_log_store;
/* Waits for the disk. dir: <state>/logs. */
int fn_log_store_open(const char *dir, const struct fn_log_bounds *bounds, struct fn_log_store **ret, struct fn_err *err);
void fn_log_store_close(struct fn_log_store *s); /* NULL is fine */
/* What is to be done now and then, a small part of it: taking over what an earlier fnd has left, retention, the total. True: there is more. */
bool fn_log_store_tidy(struct fn_log_store *s, int64_t now_ms);

/* What an earlier fnd has left of this group becomes its events: before anything is written to it. */
void fn_log_store_take_over(struct fn_log_store *s, const char *group);

/* --- groups: changes are on the disk when these return. 0, -errno --- */
struct fn_log_group *fn_log_store_group(struct fn_log_store *s, const char *name); /* NULL = none of that name */
int fn_log_store_create(struct fn_log_store *s, const char *name, const char *class, const char *tags, bool is_protected, int64_t now_ms, struct fn_log_group **ret);
int fn_log_store_delete(struct fn_log_store *s, struct fn_log_group *g);
int fn_log_store_set_retention(struct fn_log_store *s, struct fn_log_group *g, int days);
int fn_log_store_set_tags(struct fn_log_store *s, struct fn_log_group *g, const char *tags);
int fn_log_store_set_protected(struct fn_log_store *s, struct fn_log_group *g, bool is_protected);
/* All of them, by name; malloc'ed, the caller's to free(). */
struct fn_log_group **fn_log_store_groups(struct fn_log_store *s, size_t *ret_n);

/* --- streams --- */
/* NULL = none of that name, or the group's files cannot be read. Valid until the next call. */
const struct fn_log_stream_info *fn_log_store_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name);
/* All of them that are there, in no order; malloc'ed. NULL: out of memory, or the files cannot be read. */
const struct fn_log_stream_info **fn_log_store_streams(struct fn_log_store *s, struct fn_log_group *g, size_t *ret_n);
int fn_log_store_create_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name, int64_t now_ms); /* -EEXIST */
int fn_log_store_delete_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name);                 /* -ENOENT */

/* --- events --- */
/* What is added is gathered until the end, which writes it at once: all of it is there then, or nothing. Who adds to more than a few groups ends them
 * between: at most FN_LOG_LOADED_MAX (internal.h) are in use. */
int fn_log_store_add(struct fn_log_store *s, struct fn_log_group *g, const char *stream, const struct fn_log_event *e);
/* The same of a record that exists already (segment.h), whose stream's number does not count. */
int fn_log_store_add_record(struct fn_log_store *s, struct fn_log_group *g, const char *stream, const void *record, size_t len);
bool fn_log_store_full(const struct fn_log_store *s, const struct fn_log_group *g); /* so much is gathered that it should end */
int fn_log_store_end(struct fn_log_store *s, struct fn_log_group *g, int64_t now_ms);
/* What was written is on the disk. */
int fn_log_store_sync(struct fn_log_store *s, struct fn_log_group *g);
/* The position behind the last event. */
int fn_log_store_end_position(struct fn_log_store *s, struct fn_log_group *g, uint64_t *ret);

#endif

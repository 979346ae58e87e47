/*
 * index.h - where in a segment which times and streams are: for each 64 KB or so of blocks, the bounds of its events' times and the streams in it; and
 * of each stream the bounds of all its events. It is made while the segment is written, and kept beside it in a file, which may be missing, old or
 * damaged: then it is made from the segment.
 */
#ifndef FN_LOGS_INDEX_H
#define FN_LOGS_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "logs/segment.h"

struct fn_log_extent { /* blocks that lie one behind the other */
	uint64_t offset, streams; /* streams: bit n is set for a stream whose number is n modulo 64 */
	int64_t min_ms, max_ms;
	uint64_t len;
};

struct fn_log_index_stream {
	char *name;
	int64_t first_ms, last_ms;          /* of its events' times; first > last: it has none */
	int64_t begun_ms, last_written_ms;
};

struct fn_log_index {
	uint64_t bytes; /* of the segment that it tells of */
	uint64_t events;
	int64_t min_ms, max_ms, last_written_ms; /* min > max: no events */
	struct fn_log_extent *extents;
	struct fn_log_index_stream *streams; /* by number */
	size_t n_extents, extents_cap, n_streams, streams_cap;
	struct fn_map *numbers; /* name -> number + 1; NULL until asked for */
};

void fn_log_index_init(struct fn_log_index *x);
void fn_log_index_clear(struct fn_log_index *x);
/* A block that follows what the index tells of; head and records are sound. -ENOMEM; -EBADMSG: it names a stream out of turn, or refers to none. */
int fn_log_index_add(struct fn_log_index *x, const struct fn_log_head *head, const uint8_t *records);
/* Reads on from where the index ends: *ret_sound is where the first block begins that is cut off or damaged (the size, if none is). */
int fn_log_index_scan(struct fn_log_index *x, int fd, uint64_t size, uint64_t *ret_sound);
/* The stream's number; -ENOENT. */
int64_t fn_log_index_find(struct fn_log_index *x, const char *stream);
/* The file beside it. load: -EBADMSG, -errno, x is empty then; size: of the segment, which it may not tell more of. Nothing waits for the disk here but reading. */
int fn_log_index_save(const struct fn_log_index *x, const char *path);
int fn_log_index_load(struct fn_log_index *x, const char *path, uint64_t size);
/* The same from bytes. */
int fn_log_index_parse(struct fn_log_index *x, const uint8_t *data, size_t len, uint64_t size);

#endif

/*
 * segment.h - how events lie in a file: a segment is a sequence of blocks, a block what was written at once. Pure, on bytes in memory.
 *
 * A block is a head and records. The head has the block's length, a sum over all that follows it, the bounds of its events' times, when it was written.
 * A record is an event, or names a stream: events refer to it by number. Numbers are a segment's own, from 0 on, so that each segment can be read, and
 * thrown away, by itself. Integers are of the machine's byte order, little-endian on all that fnd runs on. A position is an offset in a group's whole
 * log: its segment's base and the record's offset there; it names an event for ever.
 */
#ifndef FN_LOGS_SEGMENT_H
#define FN_LOGS_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "logs/event.h"

struct fn_log_head {
	uint32_t magic, len; /* bytes behind the head */
	uint64_t sum;        /* of what follows this member, records included */
	int64_t min_ms, max_ms, written_ms;
	uint32_t events, zero;
};

struct fn_log_record {
	uint32_t len, stream;
	int64_t time_ms;
	uint8_t kind; /* enum fn_log_kind, or FN_LOG_NAME: the text is stream's name */
	uint8_t has_id, tenant_len, zero;
	/* request id, 16 bytes if has_id; tenant id; text */
} __attribute__((packed));

#define FN_LOG_NAME 255
#define FN_LOG_BLOCK_MAX (4u << 20) /* what is longer is no block */
#define FN_LOG_BLOCK_FULL (256u << 10) /* bytes from which on another is begun */

/* An event as it was read. Pointers go into the block. */
struct fn_log_read {
	uint32_t stream, offset; /* of the record, in the block */
	uint8_t kind, tenant_len;
	int64_t time_ms;
	const uint8_t *id; /* 16 bytes; NULL = none */
	const char *tenant, *text;
	size_t len;
};

/* Adds a record. stream is a number of the caller's. -ENOMEM. */
int fn_log_record_add(struct fn_buf *b, uint32_t stream, const struct fn_log_event *e);
int fn_log_name_add(struct fn_buf *b, uint32_t stream, const char *name);
/* The record at *at, which is moved behind it; data is records alone. False: at the end, or there is none that could be (*at is then before the end). */
bool fn_log_record_next(const uint8_t *data, size_t len, size_t *at, struct fn_log_read *ret);
/* Begins a block at the end of b; records follow; end fills in the head that stands at `from`. */
int fn_log_block_begin(struct fn_buf *b);
void fn_log_block_end(struct fn_buf *b, size_t from, int64_t written_ms);
/* Is there a whole and sound block at the beginning? Its head; false: cut off, or damaged. */
bool fn_log_block_read(const uint8_t *data, size_t len, struct fn_log_head *ret);

#endif

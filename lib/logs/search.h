/*
 * search.h - events of a group by time, stream and pattern, in pages. Runs in the store's thread; reads what the indices do not rule out, of events that are
 * found no more than a page is kept in memory.
 */
#ifndef FN_LOGS_SEARCH_H
#define FN_LOGS_SEARCH_H

#include "logs/filter.h"
#include "logs/store.h"

/* Events are ordered by time, those of one millisecond by position. */
struct fn_log_key {
	int64_t time_ms;
	uint64_t at; /* position + 1; 0 = before all of that time */
};

struct fn_log_query {
	const char *const *streams; /* these alone; n_streams 0: all, or those whose names begin so */
	size_t n_streams;
	const char *prefix;         /* NULL = any */
	int64_t from_ms, until_ms;  /* until_ms is not in it */
	const struct fn_log_filter *filter;
	bool backwards;             /* the latest there are; the page itself is ascending all the same */
	bool has_after;
	struct fn_log_key after;    /* only what is behind it, backwards: before it */
	size_t limit, bytes_max;    /* a page's: events; bytes of text, but one event there always is */
	uint64_t budget_us;         /* after so long the page ends with what it has */
	int64_t now_ms;             /* for the retention */
};

struct fn_log_found {
	struct fn_log_key key;
	int64_t written_ms;
	const char *stream; /* as long as the page, and the store is not used */
	char *text;
	size_t len;
};

struct fn_log_page {
	struct fn_log_found *events; /* ascending */
	size_t n, bytes;
	bool more;              /* there may be more behind `next` */
	struct fn_log_key next; /* of the last that was looked at: the next query's `after` */
};

/* 0 (also when nothing is found), -errno. */
int fn_log_search(struct fn_log_store *s, struct fn_log_group *g, const struct fn_log_query *q, struct fn_log_page *ret);
void fn_log_page_clear(struct fn_log_page *p);

/* All from a position on, in the order of their writing, for fnctl: calls take for each until it returns false. *ret_next is where to go on; a position
 * that is gone, or in the middle of an event, becomes the next one that is there. function: NULL, or without the streams that are named after another one, with which
 * it shares the group. */
int fn_log_follow(struct fn_log_store *s, struct fn_log_group *g, const char *function, uint64_t from, bool (*take)(void *arg, const struct fn_log_read *r), void *arg, uint64_t *ret_next);

#endif

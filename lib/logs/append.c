/* append.c - events into a group's last segment, and streams. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "logs/internal.h"

static int begin(struct fn_log_store *s, struct fn_log_loaded *l)
{
	int r = 0;

	if (l->block.len > 0)
		return 0;
	if (l->segments[l->n - 1].bytes >= s->bounds.segment_bytes)
		r = fn_log_begin_segment(s, l);
	return r < 0 ? r : fn_log_block_begin(&l->block);
}

static int write_block(struct fn_log_store *s, struct fn_log_loaded *l, int64_t now_ms)
{
	struct fn_log_segment *g = &l->segments[l->n - 1];
	const uint8_t *data;
	struct fn_log_head h;
	size_t len;
	int r;

	fn_log_block_end(&l->block, 0, now_ms);
	data = (const uint8_t *)l->block.data;
	len = l->block.len;
	memcpy(&h, data, sizeof(h));
	r = fn_fd_write_all(l->fd, data, len);
	if (r < 0) /* a part of it may be there */
		(void)!ftruncate(l->fd, (off_t)g->bytes);
	else
		r = fn_log_index_add(&l->last, &h, data + sizeof(h));
	if (r == 0) {
		fn_log_segment_describe(g, &l->last);
		l->group->bytes += len;
		s->total += len;
		l->unsynced = true;
		if (l->n == 1)
			l->group->oldest_ms = now_ms;
	}
	return r;
}

/* What the events in the block mean for their streams. */
static int note(struct fn_log_store *s, struct fn_log_loaded *l, int64_t now_ms)
{
	uint64_t base = l->segments[l->n - 1].base, end = base + l->segments[l->n - 1].bytes;
	const uint8_t *data = (const uint8_t *)l->block.data + sizeof(struct fn_log_head);
	size_t len = l->block.len - sizeof(struct fn_log_head);
	struct fn_log_read r;

	for (size_t at = 0; fn_log_record_next(data, len, &at, &r);) {
		struct fn_log_stream_info *i;

		if (r.kind == FN_LOG_NAME)
			continue;
		i = fn_log_stream_of(l, l->last.streams[r.stream].name);
		if (!i)
			return -ENOMEM;
		if (!i->there) {
			i->there = true;
			i->created_ms = now_ms;
			i->first_ms = INT64_MAX;
			i->last_ms = INT64_MIN;
			if (i->kept)
				(void)fn_log_catalog_stream(s, l->group, i);
		}
		i->first_ms = r.time_ms < i->first_ms ? r.time_ms : i->first_ms;
		i->last_ms = r.time_ms > i->last_ms ? r.time_ms : i->last_ms;
		i->last_written_ms = now_ms;
		i->last_at = end;
	}
	return 0;
}

int fn_log_store_end(struct fn_log_store *s, struct fn_log_group *g, int64_t now_ms)
{
	struct fn_log_loaded *l = g->loaded;
	int r = 0;

	if (!l || l->block.len <= sizeof(struct fn_log_head))
		return 0;
	r = write_block(s, l, now_ms);
	if (r == 0)
		r = note(s, l, now_ms);
	fn_buf_reset(&l->block);
	if (l->block.cap > FN_LOG_BLOCK_FULL)
		fn_buf_free(&l->block);
	l->names = 0;
	fn_log_keep_within(s, l);
	return r;
}

/* Names in a block that is not written yet are found by looking: there are few. */
static int64_t number_in_block(const struct fn_log_loaded *l, const char *stream)
{
	const uint8_t *data = (const uint8_t *)l->block.data + sizeof(struct fn_log_head);
	size_t len = l->block.len - sizeof(struct fn_log_head), n = strlen(stream);
	struct fn_log_read r;

	if (l->names > 0)
		for (size_t at = 0; fn_log_record_next(data, len, &at, &r);)
			if (r.kind == FN_LOG_NAME && r.len == n && memcmp(r.text, stream, n) == 0)
				return r.stream;
	return -ENOENT;
}

bool fn_log_store_full(const struct fn_log_store *s, const struct fn_log_group *g)
{
	return g->loaded && g->loaded->block.len >= (s->bounds.segment_bytes < FN_LOG_BLOCK_FULL ? s->bounds.segment_bytes : FN_LOG_BLOCK_FULL);
}

static int place(struct fn_log_store *s, struct fn_log_group *g, const char *stream, struct fn_log_loaded **ret, uint32_t *ret_number)
{
	struct fn_log_loaded *l = fn_log_load(s, g);
	int64_t n;
	int r = l ? begin(s, l) : -errno;

	if (r < 0)
		return r;
	*ret = l;
	n = fn_log_index_find(&l->last, stream);
	if (n == -ENOENT)
		n = number_in_block(l, stream);
	if (n == -ENOENT) {
		n = (int64_t)(l->last.n_streams + l->names);
		r = fn_log_name_add(&l->block, (uint32_t)n, stream);
		if (r < 0)
			return r;
		l->names++;
	}
	*ret_number = (uint32_t)n;
	return n < 0 ? (int)n : 0;
}

int fn_log_store_add(struct fn_log_store *s, struct fn_log_group *g, const char *stream, const struct fn_log_event *e)
{
	struct fn_log_loaded *l;
	uint32_t number;
	int r = place(s, g, stream, &l, &number);

	return r < 0 ? r : fn_log_record_add(&l->block, number, e);
}

int fn_log_store_add_record(struct fn_log_store *s, struct fn_log_group *g, const char *stream, const void *record, size_t len)
{
	struct fn_log_record head;
	struct fn_log_loaded *l;
	uint32_t number;
	int r = place(s, g, stream, &l, &number);

	if (r < 0)
		return r;
	memcpy(&head, record, sizeof(head));
	head.stream = number;
	r = fn_buf_reserve(&l->block, len);
	if (r < 0)
		return r;
	(void)fn_buf_add(&l->block, &head, sizeof(head));
	return fn_buf_add(&l->block, (const char *)record + sizeof(head), len - sizeof(head));
}

int fn_log_store_sync(struct fn_log_store *s, struct fn_log_group *g)
{
	struct fn_log_loaded *l = g->loaded;

	(void)s;
	if (!l || !l->unsynced)
		return 0;
	if (fdatasync(l->fd) < 0)
		return -errno;
	l->unsynced = false;
	return 0;
}

int fn_log_store_end_position(struct fn_log_store *s, struct fn_log_group *g, uint64_t *ret)
{
	struct fn_log_loaded *l = fn_log_load(s, g);

	if (!l)
		return -errno;
	*ret = l->segments[l->n - 1].base + l->segments[l->n - 1].bytes;
	return 0;
}

/* --- streams --- */
const struct fn_log_stream_info *fn_log_store_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name)
{
	struct fn_log_loaded *l = fn_log_load(s, g);
	struct fn_log_stream_info *i = l ? fn_map_get(l->streams, name) : NULL;

	return i && i->there ? i : NULL;
}

const struct fn_log_stream_info **fn_log_store_streams(struct fn_log_store *s, struct fn_log_group *g, size_t *ret_n)
{
	struct fn_log_loaded *l = fn_log_load(s, g);
	const struct fn_log_stream_info **all = l ? calloc(fn_map_count(l->streams) + 1, sizeof(*all)) : NULL, *i;
	size_t it = 0;

	*ret_n = 0;
	while (all && (i = fn_map_next(l->streams, &it)))
		if (i->there)
			all[(*ret_n)++] = i;
	return all;
}

int fn_log_store_create_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name, int64_t now_ms)
{
	struct fn_log_loaded *l = fn_log_load(s, g);
	struct fn_log_stream_info *i = l ? fn_log_stream_of(l, name) : NULL;
	struct fn_log_stream_info want;
	int r;

	if (!i)
		return l ? -ENOMEM : -errno;
	if (i->there)
		return -EEXIST;
	want = *i;
	want.created_ms = now_ms;
	want.there = want.kept = true;
	r = fn_log_catalog_stream(s, g, &want);
	if (r == 0)
		*i = want;
	return r;
}

int fn_log_store_delete_stream(struct fn_log_store *s, struct fn_log_group *g, const char *name)
{
	struct fn_log_loaded *l = fn_log_load(s, g);
	struct fn_log_stream_info *i = l ? fn_map_get(l->streams, name) : NULL, want;
	int r;

	if (!i || !i->there)
		return l ? -ENOENT : -errno;
	want = *i;
	want.there = false;
	want.kept = true;
	want.from = l->segments[l->n - 1].base + l->segments[l->n - 1].bytes;
	want.first_ms = INT64_MAX;
	want.last_ms = INT64_MIN;
	want.last_written_ms = 0;
	r = fn_log_catalog_stream(s, g, &want);
	if (r == 0)
		*i = want;
	return r;
}

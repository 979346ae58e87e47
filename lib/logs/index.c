/* index.c - see index.h. */
#include "logs/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define EXTENT (64u << 10)
#define MAGIC 0x31584449474f4cu /* "LOGIDX1" */
#define READ_AT_ONCE (1u << 20)
#define FILE_MAX (256u << 20)
#define NAME_MAX_LEN 4096u

struct file_head {
	uint64_t magic, sum, bytes, events;
	int64_t min_ms, max_ms, last_written_ms;
	uint64_t n_extents, n_streams;
};

struct file_stream {
	int64_t first_ms, last_ms, begun_ms, last_written_ms;
	uint32_t len, zero; /* of the name, which follows */
};

void fn_log_index_init(struct fn_log_index *x) { *x = (struct fn_log_index){.min_ms = INT64_MAX, .max_ms = INT64_MIN}; }

void fn_log_index_clear(struct fn_log_index *x)
{
	for (size_t i = 0; i < x->n_streams; i++)
		free(x->streams[i].name);
	free(x->streams);
	free(x->extents);
	fn_map_free(x->numbers);
	fn_log_index_init(x);
}

static int room(void **at, size_t *cap, size_t n, size_t each)
{
	size_t want = *cap ? *cap * 2 : 8;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*at, want * each);
	if (!p)
		return -ENOMEM;
	*at = p;
	*cap = want;
	return 0;
}

static int name_stream(struct fn_log_index *x, const char *name, size_t len, int64_t begun_ms)
{
	char *copy;

	if (room((void **)&x->streams, &x->streams_cap, x->n_streams, sizeof(*x->streams)) < 0 || !(copy = strndup(name, len)))
		return -ENOMEM;
	x->streams[x->n_streams++] = (struct fn_log_index_stream){.name = copy, .first_ms = INT64_MAX, .last_ms = INT64_MIN, .begun_ms = begun_ms};
	if (x->numbers && fn_map_set(x->numbers, copy, (void *)(uintptr_t)x->n_streams, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static struct fn_log_extent *extent_for(struct fn_log_index *x)
{
	struct fn_log_extent *last = x->n_extents ? &x->extents[x->n_extents - 1] : NULL;

	if (last && last->len < EXTENT)
		return last;
	if (room((void **)&x->extents, &x->extents_cap, x->n_extents, sizeof(*x->extents)) < 0)
		return NULL;
	last = &x->extents[x->n_extents++];
	*last = (struct fn_log_extent){.offset = x->bytes, .min_ms = INT64_MAX, .max_ms = INT64_MIN};
	return last;
}

static void widen(int64_t *min, int64_t *max, int64_t low, int64_t high)
{
	*min = low < *min ? low : *min;
	*max = high > *max ? high : *max;
}

int fn_log_index_add(struct fn_log_index *x, const struct fn_log_head *head, const uint8_t *records)
{
	struct fn_log_extent *e = extent_for(x);
	struct fn_log_read r;
	size_t at = 0;
	int err;

	if (!e)
		return -ENOMEM;
	while (fn_log_record_next(records, head->len, &at, &r)) {
		if (r.kind == FN_LOG_NAME) {
			if (r.stream != x->n_streams || r.len > NAME_MAX_LEN || memchr(r.text, '\0', r.len))
				return -EBADMSG;
			err = name_stream(x, r.text, r.len, head->written_ms);
			if (err < 0)
				return err;
			continue;
		}
		if (r.stream >= x->n_streams)
			return -EBADMSG;
		widen(&x->streams[r.stream].first_ms, &x->streams[r.stream].last_ms, r.time_ms, r.time_ms);
		x->streams[r.stream].last_written_ms = head->written_ms;
		e->streams |= (uint64_t)1 << (r.stream % 64);
	}
	if (at != head->len)
		return -EBADMSG;
	if (head->events) {
		widen(&e->min_ms, &e->max_ms, head->min_ms, head->max_ms);
		widen(&x->min_ms, &x->max_ms, head->min_ms, head->max_ms);
	}
	x->events += head->events;
	x->last_written_ms = head->written_ms;
	e->len += sizeof(*head) + head->len;
	x->bytes += sizeof(*head) + head->len;
	return 0;
}

int fn_log_index_scan(struct fn_log_index *x, int fd, uint64_t size, uint64_t *ret_sound)
{
	size_t cap = READ_AT_ONCE + sizeof(struct fn_log_head) + FN_LOG_BLOCK_MAX;
	fn_auto_free uint8_t *data = malloc(cap);
	struct fn_log_head h;

	*ret_sound = x->bytes;
	if (!data)
		return -ENOMEM;
	while (x->bytes < size) {
		size_t want = size - x->bytes < cap ? (size_t)(size - x->bytes) : cap, from = 0;
		ssize_t got = pread(fd, data, want, (off_t)x->bytes);

		if (got < 0)
			return -errno;
		while (fn_log_block_read(data + from, (size_t)got - from, &h)) {
			int r = fn_log_index_add(x, &h, data + from + sizeof(h));

			if (r == -EBADMSG)
				return 0;
			if (r < 0)
				return r;
			from += sizeof(h) + h.len;
			*ret_sound = x->bytes;
		}
		if (from == 0)
			break;
	}
	return 0;
}

int64_t fn_log_index_find(struct fn_log_index *x, const char *stream)
{
	uintptr_t n;

	if (!x->numbers) {
		if (fn_map_new(&x->numbers) < 0)
			return -ENOMEM;
		for (size_t i = 0; i < x->n_streams; i++)
			if (fn_map_set(x->numbers, x->streams[i].name, (void *)(i + 1), NULL) < 0) {
				fn_map_free(x->numbers);
				x->numbers = NULL;
				return -ENOMEM;
			}
	}
	n = (uintptr_t)fn_map_get(x->numbers, stream);
	return n ? (int64_t)n - 1 : -ENOENT;
}

static uint64_t sum_of(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

int fn_log_index_save(const struct fn_log_index *x, const char *path)
{
	struct file_head h = {MAGIC, 0, x->bytes, x->events, x->min_ms, x->max_ms, x->last_written_ms, x->n_extents, x->n_streams};
	fn_auto_buf struct fn_buf b = {0};
	char temporary[4096];
	fn_auto_fd int fd = -EBADF;
	int r = fn_buf_add(&b, &h, sizeof(h));

	if (r == 0 && x->n_extents)
		r = fn_buf_add(&b, x->extents, x->n_extents * sizeof(*x->extents));
	for (size_t i = 0; i < x->n_streams && r == 0; i++) {
		const struct fn_log_index_stream *s = &x->streams[i];
		const struct file_stream f = {s->first_ms, s->last_ms, s->begun_ms, s->last_written_ms, (uint32_t)strlen(s->name), 0};

		r = fn_buf_add(&b, &f, sizeof(f));
		if (r == 0)
			r = fn_buf_add(&b, s->name, f.len);
	}
	if (r < 0)
		return r;
	h.sum = sum_of((uint8_t *)b.data + 16, b.len - 16);
	memcpy(b.data, &h, sizeof(h));
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	r = fd < 0 ? -errno : fn_fd_write_all(fd, b.data, b.len);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

static int parse_streams(struct fn_log_index *x, const uint8_t *p, const uint8_t *end, uint64_t n)
{
	struct file_stream f;

	for (uint64_t i = 0; i < n; i++) {
		int r;

		if ((size_t)(end - p) < sizeof(f))
			return -EBADMSG;
		memcpy(&f, p, sizeof(f));
		p += sizeof(f);
		if (f.len > NAME_MAX_LEN || (size_t)(end - p) < f.len || memchr(p, '\0', f.len))
			return -EBADMSG;
		r = name_stream(x, (const char *)p, f.len, f.begun_ms);
		if (r < 0)
			return r;
		x->streams[i].first_ms = f.first_ms;
		x->streams[i].last_ms = f.last_ms;
		x->streams[i].last_written_ms = f.last_written_ms;
		p += f.len;
	}
	return p == end ? 0 : -EBADMSG;
}

/* One behind the other, from the beginning to the end. */
static bool extents_hold(const struct fn_log_index *x)
{
	uint64_t at = 0;

	for (size_t i = 0; i < x->n_extents; i++) {
		if (x->extents[i].offset != at || x->extents[i].len == 0 || x->extents[i].len > x->bytes - at ||
		    x->extents[i].len > EXTENT + sizeof(struct fn_log_head) + FN_LOG_BLOCK_MAX)
			return false;
		at += x->extents[i].len;
	}
	return at == x->bytes;
}

int fn_log_index_parse(struct fn_log_index *x, const uint8_t *data, size_t len, uint64_t size)
{
	struct file_head h;
	int r = -EBADMSG;

	fn_log_index_init(x);
	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, data, sizeof(h));
	if (h.magic != MAGIC || h.bytes > size || h.sum != sum_of(data + 16, len - 16) || h.n_extents > (len - sizeof(h)) / sizeof(*x->extents))
		return -EBADMSG;
	x->bytes = h.bytes;
	x->events = h.events;
	x->min_ms = h.min_ms;
	x->max_ms = h.max_ms;
	x->last_written_ms = h.last_written_ms;
	if (h.n_extents && !(x->extents = malloc((size_t)h.n_extents * sizeof(*x->extents))))
		return -ENOMEM;
	x->n_extents = x->extents_cap = (size_t)h.n_extents;
	if (h.n_extents)
		memcpy(x->extents, data + sizeof(h), x->n_extents * sizeof(*x->extents));
	if (extents_hold(x))
		r = parse_streams(x, data + sizeof(h) + x->n_extents * sizeof(*x->extents), data + len, h.n_streams);
	if (r < 0)
		fn_log_index_clear(x);
	return r;
}

int fn_log_index_load(struct fn_log_index *x, const char *path, uint64_t size)
{
	fn_auto_buf struct fn_buf b = {0};
	fn_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	fn_log_index_init(x);
	if (fd < 0)
		return -errno;
	r = fn_buf_read_fd(&b, fd, FILE_MAX);
	return r < 0 ? r : fn_log_index_parse(x, (const uint8_t *)b.data, b.len, size);
}

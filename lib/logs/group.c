/* group.c - a group's segments and streams while it is in use. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "logs/internal.h"

void fn_log_dir(const struct fn_log_store *s, const struct fn_log_group *g, char out[4096]) { snprintf(out, 4096, "%s/@%lld", s->dir, (long long)g->id); }

void fn_log_path(const struct fn_log_store *s, const struct fn_log_group *g, uint64_t base, const char *ending, char out[4096])
{
	snprintf(out, 4096, "%s/@%lld/%020" PRIu64 "%s", s->dir, (long long)g->id, base, ending);
}

/* --- streams --- */
/* What a segment's index says of its streams. Those of a stream that was deleted, in the segment where it was, are bounds that may be too wide. */
static int take_streams(struct fn_log_loaded *l, const struct fn_log_segment *g, const struct fn_log_index *x)
{
	for (size_t n = 0; n < x->n_streams; n++) {
		const struct fn_log_index_stream *from = &x->streams[n];
		struct fn_log_stream_info *i = fn_log_stream_of(l, from->name);

		if (!i)
			return -ENOMEM;
		if (g->base + x->bytes <= i->from || from->first_ms > from->last_ms)
			continue;
		if (!i->kept) {
			i->there = true;
			i->created_ms = from->begun_ms < i->created_ms ? from->begun_ms : i->created_ms;
		}
		i->first_ms = from->first_ms < i->first_ms ? from->first_ms : i->first_ms;
		i->last_ms = from->last_ms > i->last_ms ? from->last_ms : i->last_ms;
		i->last_written_ms = from->last_written_ms > i->last_written_ms ? from->last_written_ms : i->last_written_ms;
		i->last_at = g->base + x->bytes;
	}
	return 0;
}

/* --- segments --- */
void fn_log_segment_describe(struct fn_log_segment *g, const struct fn_log_index *x)
{
	g->bytes = x->bytes;
	g->events = x->events;
	g->min_ms = x->min_ms;
	g->max_ms = x->max_ms;
	g->last_written_ms = x->last_written_ms;
}

static int add_segment(struct fn_log_loaded *l, uint64_t base)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct fn_log_segment *p = realloc(l->segments, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		l->segments = p;
		l->cap = cap;
	}
	l->segments[l->n++] = (struct fn_log_segment){.base = base, .min_ms = INT64_MAX, .max_ms = INT64_MIN};
	return 0;
}

/* Its index: the file's, as far as that goes, and what was written since. Of the last segment what is no whole block goes; of others it is
 * not looked at. */
static int open_segment(struct fn_log_store *s, struct fn_log_loaded *l, struct fn_log_segment *g, bool last, struct fn_log_index *x)
{
	char path[4096], beside[4096];
	fn_auto_fd int fd = -EBADF;
	struct stat st;
	uint64_t sound;
	int r;

	fn_log_path(s, l->group, g->base, ".seg", path);
	fn_log_path(s, l->group, g->base, ".idx", beside);
	fd = open(path, (last ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = fn_log_index_load(x, beside, (uint64_t)st.st_size);
	if (r == -ENOMEM)
		return r;
	if (x->bytes < (uint64_t)st.st_size) {
		r = fn_log_index_scan(x, fd, (uint64_t)st.st_size, &sound);
		if (r < 0)
			return r;
		if (sound < (uint64_t)st.st_size && last) {
			fn_log_warn("the log group %s: the last %" PRIu64 " bytes were not written to their end, and go", l->group->name, (uint64_t)st.st_size - sound);
			if (ftruncate(fd, (off_t)sound) < 0)
				return -errno;
		}
		if (!last)
			(void)fn_log_index_save(x, beside);
	}
	fn_log_segment_describe(g, x);
	if (last)
		l->fd = fn_take_fd(&fd);
	return take_streams(l, g, x);
}

int fn_log_segment_open(struct fn_log_store *s, struct fn_log_loaded *l, size_t n, int *ret_fd, struct fn_log_index *own, struct fn_log_index **ret_index)
{
	const struct fn_log_segment *g = &l->segments[n];
	bool last = n + 1 == l->n;
	char path[4096];
	uint64_t sound;

	fn_log_index_init(own);
	*ret_index = last ? &l->last : own;
	fn_log_path(s, l->group, g->base, ".seg", path);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		return -errno;
	fn_log_path(s, l->group, g->base, ".idx", path);
	if (!last && (fn_log_index_load(own, path, g->bytes) < 0 || own->bytes < g->bytes))
		return fn_log_index_scan(own, *ret_fd, g->bytes, &sound);
	return 0;
}

int fn_log_read_extent(int fd, uint64_t offset, uint64_t len, struct fn_buf *b)
{
	ssize_t got;
	int r;

	fn_buf_reset(b);
	r = fn_buf_reserve(b, (size_t)len);
	if (r < 0)
		return r;
	got = pread(fd, b->data, (size_t)len, (off_t)offset);
	if (got < 0)
		return -errno;
	b->len = (size_t)got;
	return 0;
}

int fn_log_is_segment(const struct dirent *e) { return strlen(e->d_name) == 24 && fn_str_ends(e->d_name, ".seg"); }

static int find_segments(struct fn_log_store *s, struct fn_log_loaded *l)
{
	char dir[4096];
	struct dirent **e;
	int n, r = 0;

	fn_log_dir(s, l->group, dir);
	n = scandir(dir, &e, fn_log_is_segment, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_segment(l, strtoull(e[i]->d_name, NULL, 10));
		free(e[i]);
	}
	free(e);
	return r;
}

static int read_segments(struct fn_log_store *s, struct fn_log_loaded *l)
{
	int r = find_segments(s, l);

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		struct fn_log_index x;
		bool last = i + 1 == l->n;

		fn_log_index_init(&x);
		r = open_segment(s, l, &l->segments[i], last, last ? &l->last : &x);
		fn_log_index_clear(&x);
	}
	return r;
}

int fn_log_begin_segment(struct fn_log_store *s, struct fn_log_loaded *l)
{
	struct fn_log_segment *last = l->n ? &l->segments[l->n - 1] : NULL;
	uint64_t base = last ? last->base + last->bytes : 0;
	char path[4096];
	int r;

	if (last && last->bytes == 0)
		return 0;
	fn_log_path(s, l->group, base, ".seg", path);
	r = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (r < 0)
		return -errno;
	if (last) {
		if (l->unsynced) /* what was promised is in it */
			(void)fdatasync(l->fd);
		fn_log_path(s, l->group, last->base, ".idx", path);
		(void)fn_log_index_save(&l->last, path);
	}
	fn_close(l->fd);
	l->fd = r;
	fn_log_index_clear(&l->last);
	return add_segment(l, base);
}

static void forget_streams(struct fn_log_store *s, struct fn_log_loaded *l, uint64_t from)
{
	struct fn_log_stream_info *i;
	size_t it = 0;

	while ((i = fn_map_next(l->streams, &it))) {
		if (i->last_at > from || (i->kept && i->there))
			continue;
		if (i->kept)
			fn_log_catalog_forget_stream(s, l->group, i->name);
		fn_map_remove(l->streams, i->name);
		free(i->name);
		free(i);
	}
}

int fn_log_drop_first(struct fn_log_store *s, struct fn_log_loaded *l)
{
	struct fn_log_segment first = l->segments[0];
	struct fn_log_group *g = l->group;
	char path[4096];
	struct stat st;

	if (l->n < 2)
		return -EBUSY;
	fn_log_path(s, g, first.base, ".seg", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fn_log_path(s, g, first.base, ".idx", path);
	(void)unlink(path);
	memmove(l->segments, l->segments + 1, --l->n * sizeof(*l->segments));
	g->bytes -= first.bytes < g->bytes ? first.bytes : g->bytes;
	s->total -= first.bytes < s->total ? first.bytes : s->total;
	fn_log_path(s, g, l->segments[0].base, ".seg", path);
	g->oldest_ms = l->segments[0].events ? l->segments[0].last_written_ms : stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000 : g->oldest_ms;
	forget_streams(s, l, l->segments[0].base);
	return 0;
}

/* --- in use or not --- */
static void release(struct fn_log_loaded *l)
{
	struct fn_log_stream_info *i;
	size_t it = 0;

	while (l->streams && (i = fn_map_next(l->streams, &it))) {
		free(i->name);
		free(i);
	}
	fn_map_free(l->streams);
	fn_log_index_clear(&l->last);
	fn_buf_free(&l->block);
	fn_close(l->fd);
	free(l->segments);
	free(l);
}

void fn_log_unload(struct fn_log_store *s, struct fn_log_loaded *l)
{
	char path[4096];

	fn_list_remove(&l->link);
	s->n_loaded--;
	if (l->unsynced)
		(void)fdatasync(l->fd);
	if (l->n && l->last.n_extents) {
		fn_log_path(s, l->group, l->segments[l->n - 1].base, ".idx", path);
		(void)fn_log_index_save(&l->last, path);
	}
	l->group->loaded = NULL;
	release(l);
}

struct fn_log_loaded *fn_log_load(struct fn_log_store *s, struct fn_log_group *g)
{
	struct fn_log_loaded *l = g->loaded;
	char dir[4096];
	int r;

	if (l) {
		fn_list_remove(&l->link);
		fn_list_push_front(&s->loaded, &l->link);
		return l;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->group = g;
	l->fd = -EBADF;
	fn_log_index_init(&l->last);
	fn_log_dir(s, g, dir);
	r = fn_map_new(&l->streams);
	if (r == 0)
		r = fn_mkdir_p(dir, 0750);
	if (r == 0)
		r = fn_log_catalog_streams(s, l);
	if (r == 0)
		r = read_segments(s, l);
	if (r == 0 && l->n == 0)
		r = fn_log_begin_segment(s, l);
	if (r < 0) {
		release(l);
		errno = -r;
		return NULL;
	}
	g->loaded = l;
	fn_list_push_front(&s->loaded, &l->link);
	if (++s->n_loaded > FN_LOG_LOADED_MAX)
		fn_log_unload(s, fn_list_entry(fn_list_last(&s->loaded), struct fn_log_loaded, link));
	return l;
}

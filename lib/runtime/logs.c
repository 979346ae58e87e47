/* logs.c - see logs.h. */
#include "runtime/logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"

#define FLUSH_US 50000u
#define GATHER_MAX (256u << 10) /* of a function, then it is written at once */
#define TURN_MAX (512u << 10)   /* to the disk in a round of the loop, of all functions */

struct stream {
	struct fn_list dirty, open;
	char *function;
	struct fn_buf out;
	uint64_t file_from, end; /* position of the current file's first byte; of the next byte to be written */
	int fd;
};

struct fn_logs {
	struct fn_loop *loop;
	char *dir;
	uint64_t max_bytes;
	unsigned files;
	struct fn_map *streams;
	struct fn_list dirty, open; /* open: whose files are, the last that was written to first */
	unsigned n_open;
	uint64_t timer;
	uint64_t stamp_ms; /* the timestamp text is made once a millisecond */
	char stamp[32];
	bool full; /* the last write failed: said once */
};

static void on_timer(void *arg);

static int make(struct fn_loop *loop, struct fn_logs **ret)
{
	struct fn_logs *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l || fn_map_new(&l->streams) < 0 || (r = fn_loop_add_timer(loop, UINT64_MAX, on_timer, l, &l->timer)) < 0) {
		if (l)
			fn_map_free(l->streams);
		free(l);
		return r;
	}
	l->loop = loop;
	fn_list_init(&l->dirty);
	fn_list_init(&l->open);
	*ret = l;
	return 0;
}

int fn_logs_new(struct fn_loop *loop, const char *state_dir, uint64_t file_max_bytes, unsigned files, struct fn_logs **ret, struct fn_err *err)
{
	struct fn_logs *l;
	int r = make(loop, &l);

	if (r < 0)
		return fn_err_set(err, r, "logs", NULL);
	l->max_bytes = file_max_bytes;
	l->files = files;
	if (asprintf(&l->dir, "%s/logs", state_dir) < 0)
		l->dir = NULL;
	r = l->dir ? fn_mkdir_p(l->dir, 0750) : -ENOMEM;
	if (r < 0) {
		fn_err_set(err, r, "logs", "%s/logs", state_dir);
		fn_logs_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void path_of(const struct fn_logs *l, const char *function, uint64_t from, char *out, size_t size)
{
	snprintf(out, size, "%s/%s/%020" PRIu64 ".log", l->dir, function, from);
}

/* Positions of a function's files, ascending; malloc'ed. */
static size_t list_files(const struct fn_logs *l, const char *function, uint64_t **ret)
{
	char path[PATH_MAX];
	struct dirent **e;
	size_t n = 0;
	int k;

	*ret = NULL;
	snprintf(path, sizeof(path), "%s/%s", l->dir, function);
	k = scandir(path, &e, NULL, alphasort);
	if (k < 0)
		return 0;
	*ret = calloc((size_t)k + 1, sizeof(**ret));
	for (int i = 0; i < k; i++) {
		if (*ret && e[i]->d_name[0] >= '0' && e[i]->d_name[0] <= '9')
			(*ret)[n++] = strtoull(e[i]->d_name, NULL, 10);
		free(e[i]);
	}
	free(e);
	return n;
}

static struct stream *stream_of(struct fn_logs *l, const char *function)
{
	struct stream *s = fn_map_get(l->streams, function);
	fn_auto_free uint64_t *files = NULL;
	char path[PATH_MAX];
	struct stat st;
	size_t n;

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s || !(s->function = strdup(function)) || fn_map_set(l->streams, function, s, NULL) < 0) {
		if (s)
			free(s->function);
		free(s);
		return NULL;
	}
	s->fd = -EBADF;
	n = list_files(l, function, &files);
	if (n > 0) {
		s->file_from = files[n - 1];
		path_of(l, function, s->file_from, path, sizeof(path));
		s->end = s->file_from + (stat(path, &st) == 0 ? (uint64_t)st.st_size : 0);
	}
	return s;
}

static void close_file(struct fn_logs *l, struct stream *s)
{
	if (!fn_list_linked(&s->open))
		return;
	fn_list_remove(&s->open);
	l->n_open--;
	fn_close(fn_take_fd(&s->fd));
}

/* For appending. Of all functions only those that have printed last keep theirs open. */
static int open_file(struct fn_logs *l, struct stream *s)
{
	char path[PATH_MAX];

	if (fn_list_linked(&s->open)) {
		fn_list_remove(&s->open);
		fn_list_push_front(&l->open, &s->open);
		return 0;
	}
	snprintf(path, sizeof(path), "%s/%s", l->dir, s->function);
	(void)fn_mkdir_p(path, 0750);
	path_of(l, s->function, s->file_from, path, sizeof(path));
	s->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (s->fd < 0)
		return -errno;
	fn_list_push_front(&l->open, &s->open);
	if (++l->n_open > FN_LOGS_OPEN_MAX)
		close_file(l, fn_list_entry(fn_list_last(&l->open), struct stream, open));
	return 0;
}

static void rotate(struct fn_logs *l, struct stream *s)
{
	fn_auto_free uint64_t *files = NULL;
	char path[PATH_MAX];
	size_t n;

	close_file(l, s);
	s->file_from = s->end;
	n = list_files(l, s->function, &files);
	for (size_t i = 0; n >= l->files && i <= n - l->files; i++) {
		path_of(l, s->function, files[i], path, sizeof(path));
		(void)unlink(path);
	}
}

static void stream_free(struct fn_logs *l, struct stream *s)
{
	fn_list_remove(&s->dirty);
	fn_map_remove(l->streams, s->function);
	close_file(l, s);
	fn_buf_free(&s->out);
	free(s->function);
	free(s);
}

static void flush(struct fn_logs *l, struct stream *s)
{
	fn_list_remove(&s->dirty);
	for (size_t at = 0; at < s->out.len;) {
		size_t n = s->out.len - at;
		int r;

		if (s->end - s->file_from >= l->max_bytes)
			rotate(l, s);
		if (n > l->max_bytes - (s->end - s->file_from)) { /* as many lines as fit; a line longer than that goes alone */
			const char *nl = memrchr(s->out.data + at, '\n', (size_t)(l->max_bytes - (s->end - s->file_from)));

			if (!nl)
				nl = memchr(s->out.data + at, '\n', n);
			n = nl ? (size_t)(nl - (s->out.data + at)) + 1 : n;
		}
		r = open_file(l, s);
		if (r == 0)
			r = fn_fd_write_all(s->fd, s->out.data + at, n);
		if (r < 0) { /* nowhere to put it */
			if (!l->full)
				fn_log_warn("the log of %s cannot be written, lines are lost: %s", s->function, strerror(-r));
			l->full = true;
			if (s->fd >= 0) /* a part of it may be there: cursors are positions */
				(void)!ftruncate(s->fd, (off_t)(s->end - s->file_from));
			break;
		}
		l->full = false;
		s->end += n;
		at += n;
	}
	fn_buf_reset(&s->out);
	if (s->out.cap > GATHER_MAX)
		fn_buf_free(&s->out);
}

void fn_logs_flush(struct fn_logs *l)
{
	while (!fn_list_empty(&l->dirty))
		flush(l, fn_list_entry(fn_list_first(&l->dirty), struct stream, dirty));
}

static void on_timer(void *arg)
{
	struct fn_logs *l = arg;

	for (size_t written = 0; !fn_list_empty(&l->dirty);) {
		struct stream *s = fn_list_entry(fn_list_first(&l->dirty), struct stream, dirty);

		if (written > 0 && written + s->out.len > TURN_MAX) { /* the rest when others have had the loop */
			(void)fn_loop_rearm_timer(l->loop, l->timer, 0);
			return;
		}
		written += s->out.len;
		flush(l, s);
	}
}

void fn_logs_free(struct fn_logs *l)
{
	struct stream *s;
	size_t it = 0;

	if (!l)
		return;
	fn_logs_flush(l);
	fn_loop_clear(l->loop, &l->timer);
	while ((s = fn_map_next(l->streams, &it)))
		stream_free(l, s);
	fn_map_free(l->streams);
	free(l->dir);
	free(l);
}

static void gathered(struct fn_logs *l, struct stream *s)
{
	if (s->out.len > GATHER_MAX) {
		flush(l, s);
	} else if (!fn_list_linked(&s->dirty)) {
		if (fn_list_empty(&l->dirty))
			(void)fn_loop_rearm_timer(l->loop, l->timer, fn_loop_now_us(l->loop) + FLUSH_US);
		fn_list_push_back(&l->dirty, &s->dirty);
	}
}

void fn_logs_append(struct fn_logs *l, const char *function, const char *text, size_t len)
{
	struct stream *s = stream_of(l, function);
	uint64_t now = fn_clock_real_us();

	if (!s || len == 0)
		return;
	if (now / 1000 != l->stamp_ms) {
		l->stamp_ms = now / 1000;
		fn_clock_format_rfc3339(now, l->stamp, sizeof(l->stamp));
		l->stamp[24] = ' ';
	}
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		char *to;

		if (fn_buf_reserve(&s->out, n + 26) < 0)
			break;
		to = s->out.data + s->out.len;
		memcpy(to, l->stamp, FN_LOGS_LINE_EXTRA);
		memcpy(to + FN_LOGS_LINE_EXTRA, text, n);
		memcpy(to + FN_LOGS_LINE_EXTRA + n, "\n", 2);
		s->out.len += n + FN_LOGS_LINE_EXTRA + 1;
		text += n;
		len -= n;
		if (nl) {
			text++;
			len--;
		}
	}
	gathered(l, s);
}

int fn_logs_read(struct fn_logs *l, const char *function, uint64_t cursor, size_t max, struct fn_buf *out, uint64_t *ret_next)
{
	struct stream *s = stream_of(l, function);
	fn_auto_free uint64_t *files = NULL;
	size_t n, i = 0;

	if (!s)
		return -ENOMEM;
	flush(l, s);
	n = list_files(l, function, &files);
	if (n == 0)
		return -ENOENT;
	if (cursor > s->end)
		cursor = s->end;
	if (cursor < files[0])
		cursor = files[0];
	while (i + 1 < n && files[i + 1] <= cursor)
		i++;
	for (; i < n && max > 0; i++) {
		char path[PATH_MAX];
		fn_auto_fd int fd = -EBADF;
		ssize_t got;

		path_of(l, function, files[i], path, sizeof(path));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fn_buf_reserve(out, max) < 0)
			break;
		got = pread(fd, out->data + out->len, max, (off_t)(cursor - files[i]));
		if (got <= 0)
			continue;
		out->len += (size_t)got;
		out->data[out->len] = '\0';
		cursor += (uint64_t)got;
		max -= (size_t)got;
	}
	*ret_next = cursor;
	return 0;
}

void fn_logs_remove(struct fn_logs *l, const char *function)
{
	struct stream *s = fn_map_get(l->streams, function);
	fn_auto_free uint64_t *files = NULL;
	char path[PATH_MAX];
	size_t n = list_files(l, function, &files);

	for (size_t i = 0; i < n; i++) {
		path_of(l, function, files[i], path, sizeof(path));
		(void)unlink(path);
	}
	snprintf(path, sizeof(path), "%s/%s", l->dir, function);
	(void)rmdir(path);
	if (s)
		stream_free(l, s);
}

void fn_logs_sweep(struct fn_logs *l, bool (*is_one)(void *arg, const char *function), void *arg)
{
	DIR *d = opendir(l->dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && !is_one(arg, e->d_name))
			fn_logs_remove(l, e->d_name);
	if (d)
		closedir(d);
}

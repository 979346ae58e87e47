/* takeover.c - what an earlier fnd has left: <state>/logs/<function>/<offset>.log, lines that begin with their time. They become events of the
 * function's group, in a stream of their own, before anything else is written there. A file goes when all of it is on the disk once more. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "logs/internal.h"

#define GROUPS "/aws/lambda/"
#define STREAM "earlier"
#define STAMP 25u /* "2022-09-09T19:15:23.123Z " */
#define FILE_MAX ((size_t)1 << 30)

int fn_log_takeover_find(struct fn_log_store *s)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;
	struct stat st;
	int r = d ? 0 : -errno;

	while (r == 0 && (e = readdir(d))) {
		char *name;

		if (e->d_name[0] == '@' || e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		name = strdup(e->d_name);
		r = name ? fn_map_set(s->old, name, name, NULL) : -ENOMEM;
		if (r < 0)
			free(name);
	}
	if (d)
		closedir(d);
	return r;
}

static bool read_time(const char *line, size_t len, int64_t *ret_ms)
{
	struct tm tm = {0};
	char stamp[STAMP + 1];
	const char *end;

	if (len < STAMP)
		return false;
	memcpy(stamp, line, STAMP);
	stamp[STAMP] = '\0';
	end = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end || end != stamp + 19 || stamp[19] != '.' || stamp[23] != 'Z')
		return false;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + (stamp[20] - '0') * 100 + (stamp[21] - '0') * 10 + stamp[22] - '0';
	return true;
}

static int take_lines(struct fn_log_store *s, struct fn_log_group *g, const char *text, size_t len)
{
	int64_t time_ms = g->created_ms;
	int r = 0;

	for (const char *end = text + len, *nl; text < end && r == 0; text = nl) {
		struct fn_log_event e = {.kind = FN_LOG_FUNCTION};

		nl = memchr(text, '\n', (size_t)(end - text));
		nl = nl ? nl + 1 : end;
		e.text = text;
		e.len = (size_t)(nl - text);
		if (read_time(text, e.len, &time_ms)) {
			e.text += STAMP;
			e.len -= STAMP;
		}
		e.time_ms = time_ms;
		r = fn_log_store_add(s, g, STREAM, &e);
		if (r == 0 && fn_log_store_full(s, g))
			r = fn_log_store_end(s, g, time_ms);
	}
	return r < 0 ? r : fn_log_store_end(s, g, time_ms);
}

static int take_file(struct fn_log_store *s, const char *group, int dir, const char *name)
{
	fn_auto_buf struct fn_buf b = {0};
	fn_auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct fn_log_group *g = fn_log_store_group(s, group);
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : fn_buf_read_fd(&b, fd, FILE_MAX);

	if (r >= 0 && !g)
		r = fn_log_store_create(s, group, "STANDARD", NULL, false, (int64_t)st.st_mtim.tv_sec * 1000, &g);
	if (r >= 0 && b.len > 0)
		r = take_lines(s, g, b.data, b.len);
	if (r >= 0)
		r = fn_log_store_sync(s, g);
	return r < 0 ? r : unlinkat(dir, name, 0) < 0 ? -errno : 0;
}

static int is_log(const struct dirent *e) { return fn_str_ends(e->d_name, ".log"); }

static void take(struct fn_log_store *s, char *function)
{
	char dir[4096], group[FN_LOG_GROUP_NAME_MAX];
	fn_auto_fd int fd = -EBADF;
	struct dirent **e;
	int n, r = 0;

	fn_map_remove(s->old, function);
	if (fn_str_format(dir, sizeof(dir), "%s/%s", s->dir, function) == 0 && fn_str_format(group, sizeof(group), GROUPS "%s", function) == 0) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		n = fd < 0 ? -1 : scandir(dir, &e, is_log, alphasort);
		for (int i = 0; i < n; i++) {
			if (r == 0)
				r = take_file(s, group, fd, e[i]->d_name);
			free(e[i]);
		}
		if (n >= 0)
			free(e);
		if (r < 0)
			fn_log_warn("logs: %s cannot be taken over: %s", dir, strerror(-r));
		else
			(void)rmdir(dir);
	}
	free(function);
}

bool fn_log_takeover_step(struct fn_log_store *s)
{
	size_t it = 0;
	char *function = fn_map_next(s->old, &it);

	if (!function)
		return false;
	take(s, function);
	return true;
}

void fn_log_store_take_over(struct fn_log_store *s, const char *group)
{
	char *function = fn_map_count(s->old) && fn_str_starts(group, GROUPS) ? fn_map_get(s->old, group + strlen(GROUPS)) : NULL;

	if (function)
		take(s, function);
}

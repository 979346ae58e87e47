/* merge.c - see merge.h. Runs in a child of fn-spawnd, as the user that the trees belong to. */
#include "spawn/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/str.h"

#define COPY_BYTES (1u << 20)

struct merging {
	const struct fn_merge *m;
	struct fn_err *err;
	uint64_t bytes, own;
	uint32_t entries;
};

/* What a name in a directory has become. */
struct entry {
	bool dir;      /* else it is there, or hidden */
	bool closed;   /* no layer below adds to the directory */
	unsigned n, cap;
	unsigned *from; /* layers that have the directory, uppermost first */
	char name[];
};

static int merge_dir(struct merging *g, const char *path, const unsigned *from, unsigned n);

static int open_dir(int dirfd, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, dirfd, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int failed(struct merging *g, int code, const char *what, const char *name) { return fn_err_set(g->err, code, "merge", "%s %.120s", what, name); }

/* Where a file has as many links as it can: ext4 has 65,000. */
static int copy_file(int from_dir, const char *name, int to_dir, const struct stat *st)
{
	fn_auto_fd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), to = -EBADF;
	struct timespec times[2] = {st->st_mtim, st->st_mtim};
	ssize_t n;

	if (from < 0)
		return -errno;
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	while ((n = copy_file_range(from, NULL, to, NULL, COPY_BYTES, 0)) > 0)
		;
	if (n < 0 || fchmod(to, st->st_mode & 0777) < 0)
		return -errno;
	(void)futimens(to, times);
	return 0;
}

static int copy_link(int from_dir, const char *name, int to_dir)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? -errno : 0;
}

static int take_file(struct merging *g, int from, const char *name, int to)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(g, errno, "look at", name);
	if (S_ISREG(st.st_mode))
		g->bytes += (uint64_t)st.st_size;
	if (g->bytes > g->m->max_bytes)
		return fn_err_set(g->err, EFBIG, "merge", "unpacked size exceeds %llu bytes", (unsigned long long)g->m->max_bytes);
	r = linkat(from, name, to, name, 0) < 0 ? -errno : 0;
	if (r == -EMLINK && S_ISREG(st.st_mode)) {
		g->own += (uint64_t)st.st_size;
		r = copy_file(from, name, to, &st);
	} else if (r == -EMLINK && S_ISLNK(st.st_mode)) {
		r = copy_link(from, name, to);
	}
	return r < 0 ? failed(g, r, "link", name) : 0;
}

static int add_layer(struct merging *g, struct entry *e, unsigned layer)
{
	if (e->n == e->cap) {
		unsigned cap = e->cap ? e->cap * 2 : 4, *from = realloc(e->from, cap * sizeof(*from));

		if (!from)
			return fn_err_set(g->err, ENOMEM, "merge", NULL);
		e->from = from;
		e->cap = cap;
	}
	e->from[e->n++] = layer;
	return 0;
}

static struct entry *add_entry(struct fn_map *names, const char *name, bool dir)
{
	struct entry *e = calloc(1, sizeof(*e) + strlen(name) + 1);

	if (!e || fn_map_set(names, name, e, NULL) < 0) {
		free(e);
		return NULL;
	}
	strcpy(e->name, name);
	e->dir = dir;
	e->closed = !dir;
	return e;
}

static bool is_dir(int fd, const struct dirent *d)
{
	struct stat st;

	return d->d_type == DT_DIR || (d->d_type == DT_UNKNOWN && fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode));
}

/* A name that this layer has. */
static int take_name(struct merging *g, struct fn_map *names, int fd, const struct dirent *d, unsigned layer, int to)
{
	struct entry *e = fn_map_get(names, d->d_name);
	bool dir = is_dir(fd, d);

	if (e && !dir)
		e->closed = true; /* it hides what is below, whether itself it shows or not */
	if (e)
		return e->closed ? 0 : add_layer(g, e, layer);
	if (++g->entries > g->m->max_entries)
		return fn_err_set(g->err, E2BIG, "merge", "more than %u entries", g->m->max_entries);
	e = add_entry(names, d->d_name, dir);
	if (!e)
		return fn_err_set(g->err, ENOMEM, "merge", NULL);
	return dir ? add_layer(g, e, layer) : take_file(g, fd, d->d_name, to);
}

/* One layer's part of a directory; what it takes away it takes from those below only. *opaque: from all of them. */
static int take_layer(struct merging *g, struct fn_map *names, const char *path, unsigned layer, int to, bool *opaque)
{
	int fd = open_dir(g->m->layers[layer], path), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		fn_close(fd);
		return failed(g, fd < 0 ? fd : ENOMEM, "open", path);
	}
	while (r == 0 && (d = readdir(dir)))
		if (!fn_streq(d->d_name, ".") && !fn_streq(d->d_name, "..") && !fn_str_starts(d->d_name, ".wh."))
			r = take_name(g, names, fd, d, layer, to);
	rewinddir(dir);
	while (r == 0 && (d = readdir(dir))) {
		const char *gone = d->d_name + strlen(".wh.");
		struct entry *e;

		if (!fn_str_starts(d->d_name, ".wh."))
			continue;
		if (fn_str_starts(gone, ".wh.")) { /* aufs' own: of them only this one says something */
			*opaque |= fn_streq(gone, ".wh..opq");
			continue;
		}
		e = fn_map_get(names, gone);
		if (e)
			e->closed = true;
		else if (!add_entry(names, gone, false))
			r = fn_err_set(g->err, ENOMEM, "merge", NULL);
	}
	closedir(dir);
	return r;
}

static int take_dirs(struct merging *g, struct fn_map *names, const char *path)
{
	char below[PATH_MAX];
	size_t it = 0;
	struct entry *e;
	int r = 0;

	while (r == 0 && (e = fn_map_next(names, &it))) {
		if (!e->dir)
			continue;
		if (fn_str_format(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", e->name) < 0)
			return failed(g, ENAMETOOLONG, "a path too long:", e->name);
		r = merge_dir(g, below, e->from, e->n);
	}
	return r;
}

/* As the uppermost layer has it. */
static int make_dir(struct merging *g, const char *path, unsigned layer)
{
	fn_auto_fd int from = open_dir(g->m->layers[layer], path);
	struct stat st;

	g->own += FN_MERGED_DIR_BYTES;
	if (from < 0 || fstat(from, &st) < 0)
		return failed(g, from < 0 ? from : errno, "open", path);
	if (*path && mkdirat(g->m->dest, path, 0700) < 0)
		return failed(g, errno, "mkdir", path);
	if (fchmodat(g->m->dest, *path ? path : ".", (st.st_mode & 0777) | 0700, 0) < 0)
		return failed(g, errno, "chmod", path);
	return 0;
}

static int merge_dir(struct merging *g, const char *path, const unsigned *from, unsigned n)
{
	fn_auto_fd int to = -EBADF;
	struct fn_map *names;
	bool opaque = false;
	struct entry *e;
	size_t it = 0;
	int r = make_dir(g, path, from[0]);

	if (r < 0)
		return r;
	to = open_dir(g->m->dest, path);
	if (to < 0)
		return failed(g, to, "open", path);
	if (fn_map_new(&names) < 0)
		return fn_err_set(g->err, ENOMEM, "merge", NULL);
	for (unsigned i = 0; r == 0 && i < n && !opaque; i++)
		r = take_layer(g, names, path, from[i], to, &opaque);
	fn_close(fn_take_fd(&to)); /* a deep tree needs no more of them than a flat one */
	if (r == 0)
		r = take_dirs(g, names, path);
	while ((e = fn_map_next(names, &it))) {
		free(e->from);
		free(e);
	}
	fn_map_free(names);
	return r;
}

int fn_merge_trees(const struct fn_merge *m, uint64_t *ret_bytes, struct fn_err *err)
{
	struct merging g = {.m = m, .err = err};
	unsigned *all = calloc(m->n_layers + 1, sizeof(*all));
	int r;

	if (!all)
		return fn_err_set(err, ENOMEM, "merge", NULL);
	for (unsigned i = 0; i < m->n_layers; i++)
		all[i] = i;
	r = merge_dir(&g, "", all, m->n_layers);
	free(all);
	*ret_bytes = g.own;
	return r;
}

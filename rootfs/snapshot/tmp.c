/* tmp.c - see save.h: what lies in /tmp, and the tar stream that carries it and the image. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "save.h"

#define PATH_SIZE 4096
#define DEPTH_MAX 32
#define TAR_BLOCK 512
#define KEPT_TMP "/var/snapshot/tmp"

/* --- tar: POSIX.1-1988 (ustar), pax for long names is not needed: what has one is refused --- */
void tar_write(struct tar *t, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0 && !t->failed) {
		ssize_t n = write(t->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			t->failed = errno;
			return;
		}
		p += n;
		len -= (size_t)n;
	}
}

void tar_pad(struct tar *t, unsigned long long size)
{
	static const char zero[TAR_BLOCK];

	tar_write(t, zero, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

void tar_entry(struct tar *t, const char *name, char type, const struct stat *st, unsigned long long size)
{
	struct {
		char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2], user[32], group[32],
			major[8], minor[8], prefix[155], rest[12];
	} h;
	unsigned sum = 0;

	memset(&h, 0, sizeof(h));
	memcpy(h.name, name, strnlen(name, sizeof(h.name)));
	snprintf(h.mode, sizeof(h.mode), "%07o", (unsigned)st->st_mode & 0777);
	snprintf(h.uid, sizeof(h.uid), "%07o", 0);
	snprintf(h.gid, sizeof(h.gid), "%07o", 0);
	snprintf(h.size, sizeof(h.size), "%011llo", size);
	snprintf(h.mtime, sizeof(h.mtime), "%011llo", (unsigned long long)st->st_mtime & 077777777777);
	h.type = type;
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((unsigned char *)&h)[i];
	snprintf(h.sum, sizeof(h.sum), "%06o", sum);
	tar_write(t, &h, sizeof(h));
}

/* --- /tmp --- */
static int tar_file(struct tar *t, const char *path, const char *name, const struct stat *st, char *why)
{
	static char block[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t left = st->st_size;

	if (fd < 0)
		return save_fail(why, "%.100s: %s", path, strerror(errno));
	tar_entry(t, name, '0', st, (unsigned long long)left);
	while (left > 0 && !t->failed) {
		ssize_t n = read(fd, block, left < (off_t)sizeof(block) ? (size_t)left : sizeof(block));

		if (n <= 0)
			break;
		tar_write(t, block, (size_t)n);
		left -= n;
	}
	close(fd);
	tar_pad(t, (unsigned long long)st->st_size);
	return left == 0 ? 0 : save_fail(why, "%.100s changes", path);
}

/* path: a directory, with room for more. */
static int tar_below(struct tar *t, char *path, unsigned depth, char *why)
{
	size_t len = strlen(path);
	DIR *d = opendir(path);
	struct dirent *e;
	int r = 0;

	if (!d || depth > DEPTH_MAX) {
		if (d)
			closedir(d);
		return save_fail(why, "%.100s: %s", path, d ? "too deep" : strerror(errno));
	}
	while (r == 0 && (e = readdir(d))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (len + 1 + strlen(e->d_name) > 98) {
			r = save_fail(why, "/tmp holds a path longer than 98 bytes");
			break;
		}
		snprintf(path + len, PATH_SIZE - len, "/%s", e->d_name);
		if (lstat(path, &st) < 0) {
			r = save_fail(why, "%.100s: %s", path, strerror(errno));
		} else if (S_ISREG(st.st_mode)) {
			r = tar_file(t, path, path + 1, &st, why);
		} else if (S_ISDIR(st.st_mode)) {
			tar_entry(t, path + 1, '5', &st, 0);
			r = tar_below(t, path, depth + 1, why);
		} else {
			r = save_fail(why, "/tmp holds something that is neither file nor directory: %.60s", path);
		}
		path[len] = '\0';
	}
	closedir(d);
	return r;
}

int tar_tmp(struct tar *t, char *why)
{
	char path[PATH_SIZE] = "/tmp";
	DIR *d = opendir(path);
	struct dirent *e;
	int some = 0;

	while (d && (e = readdir(d)))
		some |= e->d_name[0] != '.' || strlen(e->d_name) > 2;
	if (d)
		closedir(d);
	if (!some)
		return 0;
	tar_entry(t, "tmp", '5', &(struct stat){.st_mode = 0755}, 0);
	return tar_below(t, path, 0, why);
}

/* --- and back --- */
static int copy_file(const char *from, const char *to, const struct stat *st)
{
	static char block[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st->st_mode & 0777), r = in < 0 || out < 0 ? -1 : 0;
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, st->st_mtim};
	ssize_t n;

	while (r == 0 && (n = read(in, block, sizeof(block))) != 0)
		if (n < 0 || write(out, block, (size_t)n) != n)
			r = -1;
	if (r == 0) /* how old it is may tell whether it is still of use */
		r = futimens(out, times);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return r;
}

/* Both paths are directories, with room for more. */
static int copy_below(char *from, char *to, unsigned depth, char *why)
{
	size_t from_len = strlen(from), to_len = strlen(to);
	DIR *d = opendir(from);
	struct dirent *e;
	int r = 0;

	if (!d || depth > DEPTH_MAX) {
		if (d)
			closedir(d);
		return errno == ENOENT && depth == 0 ? 0 : save_fail(why, "%.100s: %s", from, strerror(errno));
	}
	while (r == 0 && (e = readdir(d))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(from + from_len, PATH_SIZE - from_len, "/%s", e->d_name);
		snprintf(to + to_len, PATH_SIZE - to_len, "/%s", e->d_name);
		if (lstat(from, &st) < 0)
			r = -1;
		else if (S_ISDIR(st.st_mode))
			r = mkdir(to, 0755);
		else
			r = copy_file(from, to, &st);
		if (r < 0)
			save_fail(why, "%.100s: %s", to, strerror(errno));
		else if (S_ISDIR(st.st_mode))
			r = copy_below(from, to, depth + 1, why);
		from[from_len] = to[to_len] = '\0';
	}
	closedir(d);
	return r;
}

int tmp_restore(char *why)
{
	char from[PATH_SIZE] = KEPT_TMP, to[PATH_SIZE] = "/tmp";
	mode_t mask = umask(0);
	int r = copy_below(from, to, 0, why);

	umask(mask);
	return r;
}

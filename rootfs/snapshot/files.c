/* files.c - see save.h: open files, the directory, what lies in /tmp, and the tar stream that carries it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "save.h"

#define FILES_MAX 256
#define PATHS_SIZE 65536
#define PATH_SIZE 4096
#define DEPTH_MAX 32
#define TAR_BLOCK 512
#define KEPT_TMP "/var/snapshot/tmp"

static struct {
	struct {
		int fd, flags;
		off_t offset;
		unsigned path;
	} files[FILES_MAX];
	unsigned n;
	char paths[PATHS_SIZE];
	unsigned paths_len;
	char cwd[PATH_SIZE];
	mode_t mask;
} kept;

static int fail(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SAVE_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -1;
}

/* --- open files --- */
static const char *kind_of(const char *target)
{
	static const struct {
		const char *prefix, *words;
	} kinds[] = {{"socket:", "a socket"}, {"pipe:", "a pipe"}, {"anon_inode:[eventpoll]", "an epoll instance (an event loop, say)"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(target, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].words;
	return target;
}

static int note_file(int fd, char *why)
{
	char link[64], target[PATH_SIZE];
	struct stat st;
	ssize_t n;
	int flags = fcntl(fd, F_GETFL), fd_flags = fcntl(fd, F_GETFD);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return fail(why, "descriptor %d: %s", fd, strerror(errno));
	target[n] = '\0';
	if (fd <= 2) { /* the platform's own */
		if (fd == 0 ? S_ISCHR(st.st_mode) : S_ISFIFO(st.st_mode))
			return 0;
		return fail(why, "descriptor %d is not what it was when the runtime began", fd);
	}
	if (target[0] != '/' || strstr(target, " (deleted)"))
		return fail(why, "init has left %s open (descriptor %d)", kind_of(target), fd);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && strncmp(target, "/dev/", 5) != 0)
		return fail(why, "init has left a special file open: %.100s", target);
	if (strncmp(target, "/tmp/", 5) == 0)
		return fail(why, "init has left a file in /tmp open: %.100s", target);
	if (kept.n == FILES_MAX || kept.paths_len + (unsigned)n + 1 > PATHS_SIZE)
		return fail(why, "init has left more than %d files open", FILES_MAX);
	kept.files[kept.n].fd = fd;
	kept.files[kept.n].flags = (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECTORY | O_PATH | O_NOATIME)) | (fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0);
	kept.files[kept.n].offset = S_ISREG(st.st_mode) ? lseek(fd, 0, SEEK_CUR) : 0;
	kept.files[kept.n].path = kept.paths_len;
	memcpy(kept.paths + kept.paths_len, target, (size_t)n + 1);
	kept.paths_len += (unsigned)n + 1;
	kept.n++;
	return 0;
}

int files_note(int out_fd, char *why)
{
	static char entries[65536];
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	long got;

	kept.n = kept.paths_len = 0;
	if (dir < 0 || !getcwd(kept.cwd, sizeof(kept.cwd)))
		return fail(why, "/proc/self/fd: %s", strerror(errno));
	while (r == 0 && (got = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0)
		for (long at = 0; r == 0 && at < got;) {
			struct dirent64 *d = (struct dirent64 *)(entries + at);
			int fd = (int)strtol(d->d_name, NULL, 10);

			at += d->d_reclen;
			if (d->d_name[0] != '.' && fd != dir && fd != out_fd)
				r = note_file(fd, why);
		}
	close(dir);
	kept.mask = umask(022);
	umask(kept.mask);
	return r;
}

int files_reopen(char *why)
{
	umask(kept.mask);
	if (chdir(kept.cwd) < 0)
		return fail(why, "%.100s: %s", kept.cwd, strerror(errno));
	for (unsigned i = 0; i < kept.n; i++) {
		const char *path = kept.paths + kept.files[i].path;
		int want = kept.files[i].fd, fd = open(path, kept.files[i].flags);

		if (fd >= 0 && fd != want) {
			(void)dup3(fd, want, kept.files[i].flags & O_CLOEXEC);
			close(fd);
			fd = fcntl(want, F_GETFD) < 0 ? -1 : want;
		}
		if (fd < 0)
			return fail(why, "%.100s: %s", path, strerror(errno));
		if (kept.files[i].offset > 0)
			(void)lseek(fd, kept.files[i].offset, SEEK_SET);
	}
	return 0;
}

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

void tar_entry(struct tar *t, const char *name, char type, unsigned mode, unsigned long long size, const char *target)
{
	struct {
		char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2], user[32], group[32],
			major[8], minor[8], prefix[155], rest[12];
	} h;
	unsigned sum = 0;

	memset(&h, 0, sizeof(h));
	memcpy(h.name, name, strnlen(name, sizeof(h.name)));
	snprintf(h.mode, sizeof(h.mode), "%07o", mode);
	snprintf(h.uid, sizeof(h.uid), "%07o", 0);
	snprintf(h.gid, sizeof(h.gid), "%07o", 0);
	snprintf(h.size, sizeof(h.size), "%011llo", size);
	snprintf(h.mtime, sizeof(h.mtime), "%011o", 0);
	h.type = type;
	if (target)
		memcpy(h.link, target, strnlen(target, sizeof(h.link)));
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
		return fail(why, "%.100s: %s", path, strerror(errno));
	tar_entry(t, name, '0', st->st_mode & 0777, (unsigned long long)left, NULL);
	while (left > 0 && !t->failed) {
		ssize_t n = read(fd, block, left < (off_t)sizeof(block) ? (size_t)left : sizeof(block));

		if (n <= 0)
			break;
		tar_write(t, block, (size_t)n);
		left -= n;
	}
	close(fd);
	tar_pad(t, (unsigned long long)st->st_size);
	return left == 0 ? 0 : fail(why, "%.100s changes", path);
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
		return fail(why, "%.100s: %s", path, d ? "too deep" : strerror(errno));
	}
	while (r == 0 && (e = readdir(d))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (len + 1 + strlen(e->d_name) > 98) {
			r = fail(why, "/tmp holds a path longer than 98 bytes");
			break;
		}
		snprintf(path + len, PATH_SIZE - len, "/%s", e->d_name);
		if (lstat(path, &st) < 0) {
			r = fail(why, "%.100s: %s", path, strerror(errno));
		} else if (S_ISREG(st.st_mode)) {
			r = tar_file(t, path, path + 1, &st, why);
		} else if (S_ISDIR(st.st_mode)) {
			tar_entry(t, path + 1, '5', st.st_mode & 0777, 0, NULL);
			r = tar_below(t, path, depth + 1, why);
		} else {
			r = fail(why, "/tmp holds something that is neither file nor directory: %.60s", path);
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
	tar_entry(t, "tmp", '5', 0755, 0, NULL);
	return tar_below(t, path, 0, why);
}

/* --- and back --- */
static int copy_file(const char *from, const char *to, mode_t mode)
{
	static char block[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777), r = in < 0 || out < 0 ? -1 : 0;
	ssize_t n;

	while (r == 0 && (n = read(in, block, sizeof(block))) != 0)
		if (n < 0 || write(out, block, (size_t)n) != n)
			r = -1;
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
		return errno == ENOENT && depth == 0 ? 0 : fail(why, "%.100s: %s", from, strerror(errno));
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
			r = copy_file(from, to, st.st_mode);
		if (r < 0)
			fail(why, "%.100s: %s", to, strerror(errno));
		else if (S_ISDIR(st.st_mode))
			r = copy_below(from, to, depth + 1, why);
		from[from_len] = to[to_len] = '\0';
	}
	closedir(d);
	return r;
}

int files_restore_tmp(char *why)
{
	char from[PATH_SIZE] = KEPT_TMP, to[PATH_SIZE] = "/tmp";

	return copy_below(from, to, 0, why);
}

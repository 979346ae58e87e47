/* blobs.c - see blobs.h. */
#include "image/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHUNK 16384

static void path_of(const char *state_dir, const char *hex, char *out, size_t size) { snprintf(out, size, "%s/blobs/%s.zip", state_dir, hex); }

/* --- writing --- */
int fn_blob_begin(const char *state_dir)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/blobs", state_dir);
	fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* a file system that has none; what a crash leaves goes at the next start */
		snprintf(path, sizeof(path), "%s/blobs/" FN_BLOB_UNFINISHED "XXXXXX", state_dir);
		fd = mkostemp(path, O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* Has the file a name? Then this is it. */
static bool named(int fd, char *out, size_t size)
{
	char link[64];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, size - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

void fn_blob_drop(int fd)
{
	char path[PATH_MAX];

	if (fd >= 0 && named(fd, path, sizeof(path)) && strstr(path, "/blobs/" FN_BLOB_UNFINISHED))
		(void)unlink(path);
	fn_close(fd);
}

/* Is it there, and what it should be? One that a disk has damaged is written anew. */
static bool is_whole(const char *path, int as, uint64_t len)
{
	fn_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char a[CHUNK], b[CHUNK];
	struct stat st;
	off_t at = 0;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != len)
		return false;
	while ((uint64_t)at < len && (n = pread(fd, a, sizeof(a), at)) > 0 && pread(as, b, (size_t)n, at) == n && memcmp(a, b, (size_t)n) == 0)
		at += n;
	return (uint64_t)at == len;
}

static int give_name(int fd, const char *path)
{
	char from[PATH_MAX];

	if (named(fd, from, sizeof(from)))
		return rename(from, path) < 0 ? -errno : 0;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int sync_dir(const char *state_dir)
{
	fn_auto_fd int dir = -EBADF;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/blobs", state_dir);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

int fn_blob_keep(const char *state_dir, const char *sha256_hex, int fd, uint64_t len, struct fn_err *err)
{
	char path[PATH_MAX];
	int r;

	path_of(state_dir, sha256_hex, path, sizeof(path));
	r = is_whole(path, fd, len) ? 0 : fsync(fd) < 0 ? -errno : give_name(fd, path);
	for (int i = 0; r == -EEXIST && i < 3; i++) {
		if (is_whole(path, fd, len)) { /* by another upload of the same, just now */
			r = 0;
		} else {
			(void)unlink(path);
			r = give_name(fd, path);
		}
	}
	if (r == 0)
		r = sync_dir(state_dir);
	return r < 0 ? fn_err_set(err, r, "store code package", NULL) : 0;
}

/* --- and the others --- */
int fn_blob_open(const char *state_dir, const char *sha256_hex, uint64_t *ret_size)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	path_of(state_dir, sha256_hex, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return -EIO;
	}
	*ret_size = (uint64_t)st.st_size;
	return fd;
}

int fn_blob_remove(const char *state_dir, const char *sha256_hex)
{
	char path[PATH_MAX];
	int fd;

	path_of(state_dir, sha256_hex, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

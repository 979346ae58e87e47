/* blobs.c - see blobs.h. */
#include "image/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

static void path_of(const char *state_dir, const char *hex, char *out, size_t size) { snprintf(out, size, "%s/blobs/%s.zip", state_dir, hex); }

/* Is it there, and what it should be? One that a disk has damaged is written anew. */
static bool is_whole(const char *path, const void *data, size_t len)
{
	fn_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[65536];
	struct stat st;
	size_t at = 0;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != len)
		return false;
	while (at < len && (n = read(fd, chunk, sizeof(chunk))) > 0 && (size_t)n <= len - at && memcmp(chunk, (const char *)data + at, (size_t)n) == 0)
		at += (size_t)n;
	return at == len;
}

int fn_blob_put(const char *state_dir, const char *sha256_hex, const void *data, size_t len, struct fn_err *err)
{
	char path[PATH_MAX];
	int r;

	path_of(state_dir, sha256_hex, path, sizeof(path));
	if (is_whole(path, data, len))
		return 0;
	r = fn_file_replace(AT_FDCWD, path, data, len, 0600);
	return r < 0 ? fn_err_set(err, r, "store code package", NULL) : 0;
}

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

	path_of(state_dir, sha256_hex, path, sizeof(path));
	return unlink(path) < 0 ? -errno : 0;
}

/* reserve.c - see reserve.h. */
#include "db/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define BYTES (1 << 20)
#define MUCH_MORE 16

static uint64_t room_beside(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) < 0 ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void path_of(const char *path, char ret[PATH_MAX]) { snprintf(ret, PATH_MAX, "%s-reserve", path); }

void fn_db_reserve_keep(const char *path)
{
	fn_auto_fd int fd = -EBADF;
	char file[PATH_MAX];

	path_of(path, file);
	if (room_beside(path) < (uint64_t)BYTES * MUCH_MORE || (fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
		return;
	if (posix_fallocate(fd, 0, BYTES) != 0)
		(void)unlink(file);
}

bool fn_db_reserve_give(const char *path)
{
	char file[PATH_MAX];

	path_of(path, file);
	if (room_beside(path) >= BYTES || unlink(file) < 0)
		return false;
	fn_log_warn("the disk is full: %s gets the %d KB that were kept back for it", path, BYTES >> 10);
	return true;
}

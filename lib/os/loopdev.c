/* loopdev.c - see loopdev.h. */
#include "os/loopdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define TRIES 16 /* between the two calls another program may have bound the one that was free */
#define BLOCK 4096u

int fn_loopdev_control(struct fn_err *err)
{
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	return fd < 0 ? fn_err_set(err, errno, "loop device", "/dev/loop-control") : fd;
}

/* In a container /dev is no devtmpfs, and what is new does not appear in it. */
static int open_node(struct fn_loopdev *d)
{
	int fd;

	snprintf(d->path, sizeof(d->path), "/dev/loop%u", d->number);
	fd = open(d->path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	snprintf(d->path, sizeof(d->path), "loop%u", d->number);
	if (mknod(d->path, S_IFBLK | 0600, makedev(LOOP_MAJOR, d->number)) < 0 && errno != EEXIST)
		return -errno;
	fd = open(d->path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int try_bind(int control, int file, bool direct, struct fn_loopdev *d)
{
	struct loop_config config = {.fd = (uint32_t)file, .block_size = BLOCK, .info.lo_flags = LO_FLAGS_AUTOCLEAR | (direct ? LO_FLAGS_DIRECT_IO : 0)};
	int number = ioctl(control, LOOP_CTL_GET_FREE), r;

	if (number < 0)
		return -errno;
	d->number = (unsigned)number;
	r = d->fd = open_node(d);
	if (r < 0)
		return r;
	if (ioctl(d->fd, LOOP_CONFIGURE, &config) == 0)
		return 0;
	r = -errno;
	fn_close(fn_take_fd(&d->fd));
	return r;
}

int fn_loopdev_bind(int control, int file, struct fn_loopdev *ret, struct fn_err *err)
{
	struct fn_loopdev d = {.fd = -EBADF};
	struct loop_info64 info;
	bool direct = true;
	int r = -EBUSY;

	for (int i = 0; i < TRIES && r < 0; i++) {
		r = try_bind(control, file, direct, &d);
		if (r == -EINVAL && direct) /* not on this file system */
			direct = false;
		else if (r < 0 && r != -EBUSY)
			break;
	}
	if (r < 0)
		return fn_err_set(err, r, "loop device", "bind %s", d.path);
	d.direct = ioctl(d.fd, LOOP_GET_STATUS64, &info) == 0 && (info.lo_flags & LO_FLAGS_DIRECT_IO);
	*ret = d;
	return 0;
}

int fn_loopdev_claim(const struct fn_loopdev *d)
{
	int fd = open(d->path, O_RDWR | O_EXCL | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int fn_loopdev_discard(int fd, uint64_t bytes)
{
	uint64_t range[2] = {0, bytes};

	return ioctl(fd, BLKDISCARD, range) < 0 ? -errno : 0;
}

void fn_loopdev_limit_dirty(const struct fn_loopdev *d, uint64_t bytes)
{
	char path[64], text[24];

	snprintf(path, sizeof(path), "/sys/block/loop%u/bdi/strict_limit", d->number);
	(void)fn_file_write(AT_FDCWD, path, "1");
	snprintf(path, sizeof(path), "/sys/block/loop%u/bdi/max_bytes", d->number);
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	(void)fn_file_write(AT_FDCWD, path, text);
}

void fn_loopdev_release(int control, struct fn_loopdev *d, bool remove)
{
	if (d->fd < 0)
		return;
	fn_close(fn_take_fd(&d->fd));
	if (remove)
		(void)ioctl(control, LOOP_CTL_REMOVE, (long)d->number);
	if (d->path[0] != '/')
		(void)unlink(d->path);
}

unsigned fn_loopdev_count(void)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *e;
	unsigned n, most = 0;

	while (dir && (e = readdir(dir)))
		if (sscanf(e->d_name, "loop%u", &n) == 1 && n + 1 > most)
			most = n + 1;
	if (dir)
		closedir(dir);
	return most;
}

/* A blank file system on a loop device: its size, its emptying, and that nothing of it stays. Needs root, loop and ext4. */
#include "os/blankfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/loopdev.h"
#include "unit/main.h"

#define MB (1ull << 20)

static int control;
static struct fn_blankfs blank;

static bool begin(void)
{
	struct fn_err err;
	char text[512];

	if (geteuid() != 0 || (control = fn_loopdev_control(&err)) < 0) {
		printf("SKIP: loop devices need root and /dev/loop-control\n");
		return false;
	}
	ck_assert_msg(fn_blankfs_make(control, 512 * MB, 0, &blank, &err) == 0, "%s", fn_err_format(&err, text, sizeof(text)));
	return true;
}

static void bind_one(struct fn_loopdev *d)
{
	fn_auto_fd int file = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct fn_err err;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, (off_t)blank.bytes), 0);
	ck_assert_int_eq(fn_loopdev_bind(control, file, d, &err), 0);
	ck_assert_int_eq(fn_blankfs_write(&blank, d->fd), 0);
}

static unsigned entries(int mount_fd)
{
	DIR *d = fdopendir(openat(mount_fd, ".", O_RDONLY | O_DIRECTORY));
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

START_TEST(room_and_root)
{
	struct fn_loopdev d;
	struct statfs fs;
	struct fn_err err;
	struct stat st;
	int fd;

	if (!begin())
		return;
	ck_assert(blank.n > 5 && blank.n < 200);
	bind_one(&d);
	fd = fn_blankfs_mount(d.path, &err);
	ck_assert_msg(fd >= 0, "%s", err.msg);
	ck_assert_int_eq(fstatfs(fd, &fs), 0);
	ck_assert((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= 512 * MB && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < 514 * MB);
	ck_assert_int_eq(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 01777);
	ck_assert_uint_eq(entries(fd), 0);
	ck_assert(fn_blankfs_untouched(&blank, fd));
	close(fd);
	fn_loopdev_release(control, &d, false);
	fn_blankfs_free(&blank);
}
END_TEST

START_TEST(emptied)
{
	struct fn_loopdev d;
	struct fn_err err;
	int fd, file, claim;

	if (!begin())
		return;
	bind_one(&d);
	fd = fn_blankfs_mount(d.path, &err);
	file = openat(fd, "name", O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(file, "secret", 6), 6);
	close(file);
	ck_assert(!fn_blankfs_untouched(&blank, fd));
	ck_assert_int_eq(unlinkat(fd, "name", 0), 0);
	ck_assert(!fn_blankfs_untouched(&blank, fd)); /* there was a name */
	ck_assert_int_eq(fn_loopdev_claim(&d), -EBUSY); /* it is mounted */
	close(fd);
	claim = fn_loopdev_claim(&d);
	ck_assert_int_ge(claim, 0);
	ck_assert_int_eq(fn_loopdev_discard(claim, blank.bytes), 0);
	ck_assert_int_eq(fn_blankfs_write(&blank, claim), 0);
	close(claim);
	fd = fn_blankfs_mount(d.path, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert(fn_blankfs_untouched(&blank, fd));
	close(fd);
	fn_loopdev_release(control, &d, false);
	fn_blankfs_free(&blank);
}
END_TEST

START_TEST(unbinds_itself)
{
	char path[64], file[4096], after[4096] = "";
	struct fn_loopdev d;

	if (!begin())
		return;
	bind_one(&d);
	snprintf(path, sizeof(path), "/sys/block/loop%u/loop/backing_file", d.number);
	ck_assert_int_gt(fn_file_read(AT_FDCWD, path, file, sizeof(file)), 0);
	close(d.fd); /* as by the end of its process */
	(void)fn_file_read(AT_FDCWD, path, after, sizeof(after)); /* somebody else may have it by now */
	ck_assert_str_ne(file, after);
	fn_blankfs_free(&blank);
}
END_TEST

TEST_MAIN("os/blankfs", room_and_root, emptied, unbinds_itself)

/* blankfs.c - see blankfs.h. */
#include "os/blankfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/loopdev.h"
#include "os/mount.h"
#include "os/ns.h"

#define INODE_BYTES 16384u /* one for each */
#define SIZING_ROUNDS 4
#define MB (1u << 20)
/* Named, so that a host's mke2fs.conf is no part of it. */
#define FEATURES "none,filetype,ext_attr,dir_index,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,uninit_bg"

static _Noreturn void exec_mke2fs(const char *path, const char *inodes, const char *blocks)
{
	char *const argv[] = {"mke2fs", "-q", "-F", "-t", "ext4", "-O", FEATURES, "-b", "4096", "-I", "256", "-m", "0", "-E", "lazy_itable_init=1,nodiscard",
			      "-N", (char *)inodes, (char *)path, (char *)blocks, NULL};
	char *const env[] = {"PATH=/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL=C", "MKE2FS_SKIP_PROGRESS=1", NULL};
	static const char *const places[] = {"/usr/sbin/mke2fs", "/sbin/mke2fs", NULL};

	for (size_t i = 0; places[i]; i++)
		(void)execve(places[i], argv, env);
	_exit(errno == ENOENT ? 127 : 126);
}

/* On the file with this descriptor of ours. */
static int run_mke2fs(int fd, uint64_t bytes, uint64_t room, struct fn_err *err)
{
	char path[64], inodes[24], blocks[24];
	int status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	snprintf(inodes, sizeof(inodes), "%" PRIu64, room / INODE_BYTES);
	snprintf(blocks, sizeof(blocks), "%" PRIu64, bytes / FN_BLANKFS_BLOCK);
	pid = fn_ns_fork(0);
	if (pid == 0)
		exec_mke2fs(path, inodes, blocks);
	if (pid < 0)
		return fn_err_set(err, pid, "mke2fs", "fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fn_err_set(err, ENOENT, "mke2fs", "the package e2fsprogs is missing");
	return fn_err_set(err, EIO, "mke2fs", "status 0x%x", (unsigned)status);
}

/* Its root directory as sandboxes are to find it; *ret_room: what can be written to it. */
static int furnish(const char *device, uid_t owner, struct fn_blankfs *b, uint64_t *ret_room, struct fn_err *err)
{
	fn_auto_fd int fd = fn_blankfs_mount(device, err);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return fd;
	if (unlinkat(fd, "lost+found", AT_REMOVEDIR) < 0 || fchownat(fd, "", owner, owner, AT_EMPTY_PATH) < 0 || fchmodat(fd, ".", 01777, 0) < 0 ||
	    fstatat(fd, "", &st, AT_EMPTY_PATH) < 0 || fstatfs(fd, &fs) < 0)
		return fn_err_set(err, errno, "blank file system", "root directory");
	b->free_blocks = fs.f_bfree;
	b->free_inodes = fs.f_ffree;
	b->changed = st.st_mtim;
	*ret_room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	return 0;
}

static int keep_block(struct fn_blankfs *b, size_t *room, const char *data, uint64_t at)
{
	if (b->n == *room) {
		size_t more = *room ? 2 * *room : 64;
		uint64_t *offsets = realloc(b->at, more * sizeof(*b->at));
		char *blocks = offsets ? realloc(b->blocks, more * FN_BLANKFS_BLOCK) : NULL;

		b->at = offsets ? offsets : b->at;
		if (!blocks)
			return -ENOMEM;
		b->blocks = blocks;
		*room = more;
	}
	memcpy(b->blocks + b->n * FN_BLANKFS_BLOCK, data, FN_BLANKFS_BLOCK);
	b->at[b->n++] = at;
	return 0;
}

static int keep_blocks(struct fn_blankfs *b, int fd)
{
	static const char zeros[FN_BLANKFS_BLOCK];
	char block[FN_BLANKFS_BLOCK];
	size_t room = 0;
	off_t at = 0, hole;
	int r = 0;

	while (r == 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0 && (hole = lseek(fd, at, SEEK_HOLE)) >= 0)
		for (at -= at % FN_BLANKFS_BLOCK; r == 0 && at < hole; at += FN_BLANKFS_BLOCK) {
			if (pread(fd, block, sizeof(block), at) != (ssize_t)sizeof(block))
				r = -EIO;
			else if (memcmp(block, zeros, sizeof(block)) != 0)
				r = keep_block(b, &room, block, (uint64_t)at);
		}
	return r < 0 ? r : errno == ENXIO ? 0 : -errno; /* no more data */
}

static bool fits(uint64_t has, uint64_t room) { return has >= room && has < room + 2 * MB; }

/* One of b->bytes. */
static int try_make(int loop_control, uint64_t room, uid_t owner, struct fn_blankfs *b, uint64_t *ret_room, struct fn_err *err)
{
	fn_auto_fd int file = memfd_create("fnd-blank", MFD_CLOEXEC);
	struct fn_loopdev d;
	int r;

	if (file < 0 || ftruncate(file, (off_t)b->bytes) < 0)
		return fn_err_set(err, errno, "blank file system", "memfd");
	r = run_mke2fs(file, b->bytes, room, err);
	if (r == 0)
		r = fn_loopdev_bind(loop_control, file, &d, err);
	if (r < 0)
		return r;
	r = furnish(d.path, owner, b, ret_room, err);
	if (r == 0 && fsync(d.fd) < 0) /* it is unmounted: what is left lies in the device's page cache */
		r = fn_err_set(err, errno, "blank file system", "fsync");
	fn_loopdev_release(loop_control, &d, false);
	if (r == 0 && fits(*ret_room, room) && (r = keep_blocks(b, file)) < 0)
		fn_err_set(err, r, "blank file system", "blocks");
	return r;
}

int fn_blankfs_make(int loop_control, uint64_t room, uid_t owner, struct fn_blankfs *ret, struct fn_err *err)
{
	/* what it needs besides: 256 bytes an inode, the kernel's reserve (2 %, 4096 blocks at most), bitmaps */
	uint64_t reserve = room / 50 < 4096ull * FN_BLANKFS_BLOCK ? room / 50 : 4096ull * FN_BLANKFS_BLOCK;
	struct fn_blankfs b = {.room = room, .bytes = (room + room / 64 + reserve + room / 8192 + 2 * MB) / MB * MB};
	uint64_t has = 0;

	for (int i = 0; i < SIZING_ROUNDS; i++) {
		int r = try_make(loop_control, room, owner, &b, &has, err);

		if (r < 0) {
			fn_blankfs_free(&b);
			return r;
		}
		if (fits(has, room)) {
			*ret = b;
			return 0;
		}
		b.bytes = (b.bytes + room - has + MB - 1) / MB * MB;
	}
	return fn_err_set(err, ENOSPC, "blank file system", "%" PRIu64 " of %" PRIu64 " bytes", has, room);
}

void fn_blankfs_free(struct fn_blankfs *b)
{
	free(fn_take_ptr(b->at));
	free(fn_take_ptr(b->blocks));
	b->n = 0;
}

int fn_blankfs_write(const struct fn_blankfs *b, int fd)
{
	for (size_t i = 0; i < b->n; i++) {
		ssize_t n = pwrite(fd, b->blocks + i * FN_BLANKFS_BLOCK, FN_BLANKFS_BLOCK, (off_t)b->at[i]);

		if (n != (ssize_t)FN_BLANKFS_BLOCK)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

int fn_blankfs_mount(const char *device, struct fn_err *err)
{
	const char *options[] = {"source", device, "noinit_itable", NULL, "nobarrier", NULL, NULL, NULL};

	return fn_mount_new("ext4", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
}

bool fn_blankfs_untouched(const struct fn_blankfs *b, int mount_fd)
{
	struct statfs fs;
	struct stat st;

	return fstatat(mount_fd, "", &st, AT_EMPTY_PATH) == 0 && fstatfs(mount_fd, &fs) == 0 && st.st_mtim.tv_sec == b->changed.tv_sec &&
	       st.st_mtim.tv_nsec == b->changed.tv_nsec && fs.f_bfree == b->free_blocks && fs.f_ffree == b->free_inodes;
}

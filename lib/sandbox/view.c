/* view.c - see view.h. */
#include "sandbox/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/mount.h"
#include "sandbox/rootfs.h"

#define READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define CGROUP "fs/cgroup"

static int make_dir(int sys_fd, const char *path, struct fn_err *err)
{
	return mkdirat(sys_fd, path, 0755) < 0 ? fn_err_set(err, errno, "prepare /sys", "mkdir %s", path) : 0;
}

static int mount_cgroup(const struct fn_cg_shown *g, int sys_fd, struct fn_err *err)
{
	fn_auto_fd int fd = fn_mount_new(g->controllers[0] ? "cgroup" : "cgroup2", g->options, READ_ONLY, err);
	char path[64];

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), CGROUP "%s", g->where);
	if (g->where[0] && make_dir(sys_fd, path, err) < 0)
		return -err->code;
	return fn_mount_attach(fd, sys_fd, path, "mount cgroup", err);
}

/* It lies in the /sys that is the sandbox's own, since through the inode of a common file functions could see and lock each other; and there it has
 * no name any more once it covers the other. */
static int mount_meminfo(struct fn_view *v, int sys_fd, int proc_fd, struct fn_err *err)
{
	fn_auto_fd int file = -EBADF;

	v->meminfo_fd = openat(sys_fd, "meminfo", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (v->meminfo_fd < 0)
		return fn_err_set(err, errno, "prepare /proc/meminfo", "open");
	file = fn_mount_copy(sys_fd, "meminfo", 0, err);
	if (file < 0 || fn_mount_set_attr(file, READ_ONLY, err) < 0 || fn_mount_attach(file, proc_fd, "meminfo", "mount /proc/meminfo", err) < 0)
		return -err->code;
	return unlinkat(sys_fd, "meminfo", 0) < 0 ? fn_err_set(err, errno, "prepare /proc/meminfo", "unlink") : 0;
}

int fn_view_make(struct fn_view *v, const struct fn_cg_shown *shown, int proc_fd, struct fn_err *err)
{
	static const char *const options[] = {"mode", "0755", "size", "16k", NULL, NULL};
	fn_auto_fd int fd = fn_mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	int r;

	if (fd < 0)
		return fd;
	r = fn_mount_attach(fd, AT_FDCWD, FN_ROOTFS_SYS, "mount /sys", err);
	if (r == 0)
		r = mount_meminfo(v, fd, proc_fd, err);
	if (r == 0)
		r = make_dir(fd, "fs", err);
	if (r == 0)
		r = make_dir(fd, CGROUP, err);
	for (; r == 0 && shown->where; shown++)
		r = mount_cgroup(shown, fd, err);
	v->sys = FN_ROOTFS_SYS;
	return r;
}

int fn_view_move(struct fn_view *v, int root_fd, struct fn_err *err)
{
	int r = fn_mount_move(v->sys, root_fd, "sys", err);

	v->sys = "/sys";
	return r;
}

/* The fields that are read: free, vmstat, psutil, libuv, the JVM (Hugepagesize). Each text is as long as the other: one write, no moment without. */
int fn_view_set_memory(const struct fn_view *v, uint64_t bytes, struct fn_err *err)
{
	static const char *const all[] = {"MemTotal", "MemFree", "MemAvailable"};
	static const char rest[] = "Buffers:               0 kB\nCached:                0 kB\nSwapCached:            0 kB\nActive:                0 kB\n"
				   "Inactive:              0 kB\nActive(anon):          0 kB\nInactive(anon):        0 kB\nActive(file):          0 kB\n"
				   "Inactive(file):        0 kB\nUnevictable:           0 kB\nMlocked:               0 kB\nSwapTotal:             0 kB\n"
				   "SwapFree:              0 kB\nDirty:                 0 kB\nWriteback:             0 kB\nAnonPages:             0 kB\n"
				   "Mapped:                0 kB\nShmem:                 0 kB\nKReclaimable:          0 kB\nSlab:                  0 kB\n"
				   "SReclaimable:          0 kB\nSUnreclaim:            0 kB\nHugePages_Total:       0\nHugePages_Free:        0\n"
				   "HugePages_Rsvd:        0\nHugePages_Surp:        0\nHugepagesize:       2048 kB\n";
	char text[1024];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s:%*llu kB\n", all[i], (int)(23 - strlen(all[i])), (unsigned long long)(bytes >> 10));
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", rest);
	return pwrite(v->meminfo_fd, text, n, 0) != (ssize_t)n ? fn_err_set(err, errno, "memory", "/proc/meminfo") : 0;
}

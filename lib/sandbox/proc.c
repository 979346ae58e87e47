/* proc.c - see proc.h. Between clone3 and execve: no malloc, no stdio. */
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/mount.h"
#include "sandbox/rootfs.h"

/*
 * What the kernel counts per user namespace and then, in sum, for the user who made it: host root, whom all sandboxes and the host itself
 * would share it with (128 inotify instances by default). While /proc/sys may still be written; init has the capability in its namespace.
 */
int fn_proc_quotas(int proc_fd, struct fn_err *err)
{
	static const struct {
		const char *file, *value;
	} quotas[] = {{"max_inotify_instances", "16"}, {"max_inotify_watches", "8192"}, {"max_fanotify_groups", "0"}, {"max_user_namespaces", "0"}};

	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++) {
		char path[64];
		int r;

		snprintf(path, sizeof(path), "sys/user/%s", quotas[i].file);
		r = fn_file_write(proc_fd, path, quotas[i].value);
		if (r < 0 && r != -ENOENT) /* a kernel without it has nothing to bound */
			return fn_err_set(err, r, "quotas", "/proc/%s", path);
	}
	return 0;
}

/* What tells of the host or could touch it. All of it belongs to host root and is not writable here anyway; this is the second wall. Masks
 * refuse (EACCES) instead of being empty: a program learns that it may not, not that there is nothing. */
static const char *const masked[] = {"acpi",       "kcore",      "keys",       "kmsg",       "kpagecount", "kpageflags", "kallsyms", "key-users",
				     "latency_stats", "sched_debug", "scsi",      "sysrq-trigger", "timer_list", "vmallocinfo", "slabinfo",
				     "modules",    "config.gz",  "interrupts", "iomem",      "ioports",    "cmdline"};
static const char *const read_only[] = {"bus", "fs", "irq", "sys"};

int fn_proc_mask(int proc_fd, struct fn_err *err)
{
	static const char *const empty[] = {"mode", "0", "size", "0", NULL, NULL};
	fn_auto_fd int dir = -EBADF;

	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		fn_auto_fd int fd = -EBADF;
		struct stat st;

		if (fstatat(proc_fd, masked[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			if (dir < 0)
				dir = fn_mount_new("tmpfs", empty, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
			fd = dir < 0 ? dir : fn_mount_copy(dir, "", 0, err);
			if (fd < 0) /* copying a detached mount needs Linux 6.15: make another */
				fd = fn_mount_new("tmpfs", empty, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
		} else {
			fd = fn_mount_copy(AT_FDCWD, FN_ROOTFS_NOTHING, 0, err);
		}
		if (fd < 0)
			return fd;
		if (fn_mount_attach(fd, proc_fd, masked[i], "mask /proc", err) < 0)
			return -err->code;
	}
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		fn_auto_fd int fd = -EBADF;

		if (faccessat(proc_fd, read_only[i], F_OK, 0) < 0)
			continue;
		fd = fn_mount_copy(proc_fd, read_only[i], 0, err);
		if (fd < 0)
			return fd;
		if (fn_mount_set_attr(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err) < 0 ||
		    fn_mount_attach(fd, proc_fd, read_only[i], "read-only /proc", err) < 0)
			return -err->code;
	}
	return 0;
}

#define SIGPENDING_MOST 1024u

/* Core: os/sec.c tells why 1. Pending signals, POSIX timers among them, are counted for host root too, as above; so are message queues. */
int fn_proc_rlimits(struct fn_err *err)
{
	const struct {
		int resource;
		rlim_t soft, hard;
	} limits[] = {
		{RLIMIT_CORE, 1, 1}, {RLIMIT_STACK, 8u << 20, RLIM_INFINITY}, {RLIMIT_SIGPENDING, SIGPENDING_MOST, SIGPENDING_MOST},
		{RLIMIT_MEMLOCK, 64u << 10, 64u << 10}, {RLIMIT_MSGQUEUE, 0, 0}, {RLIMIT_RTPRIO, 0, 0}, {RLIMIT_NICE, 0, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit l = {limits[i].soft, limits[i].hard};

		if (setrlimit(limits[i].resource, &l) < 0)
			return fn_err_set(err, errno, "rlimit", "%d", limits[i].resource);
	}
	return 0;
}

uint64_t fn_proc_nproc(uint64_t memory_bytes) { return ((memory_bytes >> 10) + 115 * 512) / 256; }

/* Signals that wait follow it, as the kernel has it, up to their own bound. */
int fn_proc_limit_processes(pid_t pid, uint64_t memory_bytes, struct fn_err *err)
{
	const uint64_t n = fn_proc_nproc(memory_bytes);
	const struct {
		int resource;
		rlim_t most;
	} limits[] = {{RLIMIT_NPROC, n}, {RLIMIT_SIGPENDING, n < SIGPENDING_MOST ? n : SIGPENDING_MOST}};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit now, l;

		if (prlimit(pid, limits[i].resource, NULL, &now) < 0)
			return fn_err_set(err, errno, "rlimit", "%d", limits[i].resource);
		l.rlim_cur = l.rlim_max = now.rlim_max < limits[i].most ? now.rlim_max : limits[i].most;
		if (prlimit(pid, limits[i].resource, &l, NULL) < 0)
			return fn_err_set(err, errno, "rlimit", "%d", limits[i].resource);
	}
	return 0;
}

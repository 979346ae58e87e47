/* proc.c - see proc.h. All but fn_proc_survey() between clone3 and execve: no malloc, no stdio. */
#include "sandbox/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
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

/*
 * What is left to be seen at the top of /proc, besides processes: a program may ask how the machine fares (as it does in Lambda, by way of
 * psutil, Lambda Insights, a JVM). loadavg, stat, uptime, vmstat, cgroups tell the host's figures, meminfo tells the function's (view.c). All
 * else, and what later kernels bring, is masked. Masks refuse (EACCES) instead of being empty: a program learns that it may not, not that there
 * is nothing. Most of it belongs to host root alone and could not be opened anyway; this is the second wall.
 */
static const char *const shown[] = {"cgroups", "cpuinfo", "filesystems", "loadavg", "locks", "meminfo", "mounts", "net", "self", "stat",
				    "sys",     "sysvipc", "thread-self", "uptime", "version", "vmstat"};
static const char *const read_only[] = {"sys"};

#define MASKED_MAX 96

/* Found once by fn-spawnd: a sandbox's init has it in its copy of the memory. */
static struct {
	char path[48]; /* where init has its /proc while it masks */
	bool dir;
} masked[MASKED_MAX];
static size_t n_masked;

static bool is_shown(const char *name)
{
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		if (strcmp(shown[i], name) == 0)
			return true;
	return name[0] == '.' || (name[0] >= '0' && name[0] <= '9');
}

int fn_proc_survey(int proc_fd, struct fn_err *err)
{
	int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		fn_close(fd);
		return fn_err_set(err, errno, "mask /proc", "look at it");
	}
	n_masked = 0;
	while ((e = readdir(d))) {
		if (is_shown(e->d_name))
			continue;
		if (n_masked == MASKED_MAX || fn_str_format(masked[n_masked].path, sizeof(masked[0].path), FN_ROOTFS_PROC "/%s", e->d_name) < 0) {
			closedir(d);
			return fn_err_set(err, E2BIG, "mask /proc", "%s", e->d_name); /* rather none than one that is not masked */
		}
		masked[n_masked++].dir = e->d_type == DT_DIR;
	}
	closedir(d);
	return 0;
}

int fn_proc_mask(int proc_fd, struct fn_err *err)
{
	for (size_t i = 0; i < n_masked; i++) /* mount(2): one call where the mount API needs three */
		if (mount(masked[i].dir ? FN_ROOTFS_NOWHERE : FN_ROOTFS_NOTHING, masked[i].path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			return fn_err_set(err, errno, "mask /proc", "%s", masked[i].path);
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		fn_auto_fd int fd = fn_mount_copy(proc_fd, read_only[i], 0, err);

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

/* ns.c - see ns.h. */
#include "os/ns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

pid_t fn_ns_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? -errno : (pid_t)pid;
}

pid_t fn_ns_fork(uint64_t flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? -errno : (pid_t)pid;
}

static int write_map(pid_t pid, const char *map)
{
	char path[64];
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, i ? "gid_map" : "uid_map");
		r = fn_file_write(AT_FDCWD, path, map);
	}
	return r;
}

int fn_ns_write_maps(pid_t pid, uint32_t shared_id, uint32_t range)
{
	char map[128];

	snprintf(map, sizeof(map), "0 %u 1\n1 %u 65535\n", shared_id, range + 1);
	return write_map(pid, map);
}

int fn_ns_shift(uint32_t same, uint32_t from, uint32_t to, uint32_t n)
{
	char path[64], map[128];
	pid_t pid = fn_ns_fork(CLONE_NEWUSER);
	int r;

	if (pid < 0)
		return pid;
	while (pid == 0) /* a namespace wants somebody in it until it is open */
		pause();
	snprintf(map, sizeof(map), "%u %u 1\n%u %u %u\n", same, same, from, to, n);
	r = write_map(pid, map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (r == 0 && (r = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		r = -errno;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int fn_ns_socket(pid_t pid)
{
	char path[64];
	fn_auto_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = -EBADF;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	fd = fd < 0 ? -errno : fd;
	if (setns(own, CLONE_NEWNET) < 0)
		abort(); /* rather none than one in a sandbox's network */
	return fd;
}

int fn_pidfd_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int fn_pidfd_kill(int pidfd, int signo)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

void fn_pidfd_end(int pidfd)
{
	if (pidfd < 0)
		return;
	(void)fn_pidfd_kill(pidfd, SIGKILL);
	(void)waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED);
}

unsigned fn_ns_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

struct fn_ns_title fn_ns_title_of(int argc, char **argv, char **env)
{
	struct fn_ns_title t = {0};
	char *end;

	if (argc < 1)
		return t;
	t.args = argv[0];
	end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	t.args_size = (size_t)(end - t.args);
	for (; env && *env == end; env++) /* as execve(2) lays them out; those set since lie elsewhere */
		end = *env + strlen(*env) + 1;
	t.all_size = (size_t)(end - t.args);
	return t;
}

/* fs/proc/base.c get_mm_cmdline(): when the last byte of the arguments is not NUL, what is shown is the string at their beginning alone. */
void fn_ns_title_set(const struct fn_ns_title *t, const char *name)
{
	size_t n = strlen(name);

	if (!t->args || n + 2 > t->args_size)
		return;
	memset(t->args, 0, t->all_size);
	memcpy(t->args, name, n);
	t->args[t->args_size - 1] = 1;
}

/*
 * child.c - see child.h. Runs between clone3 and execve in a copy of fn-spawnd's memory: no malloc, no stdio, no logging. Every
 * failure is a struct fn_err that names its step and goes up the sync socket.
 */
#include "sandbox/child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "os/mount.h"
#include "os/sock.h"
#include "sandbox/rootfs.h"
#include "sandbox/sync.h"

struct state {
	const struct fn_child *c;
	int proc_fd, tmp_fd;
	int exec_pipe[2]; /* CLOEXEC: EOF = the runtime's execve succeeded, else its struct fn_err */
	int gate[2];      /* a byte = init has no privilege any more: the runtime may exec */
	struct fn_sync_msg done;
};

static int send_msg(int fd, struct fn_sync_msg *m, int pass_fd)
{
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};

	return fn_sock_send(fd, &iov, 1, &pass_fd, pass_fd >= 0 ? 1 : 0);
}

static int step_wait(struct state *s, struct fn_err *err)
{
	struct fn_sync_msg m;
	ssize_t n = fn_sock_recv(s->c->sync_fd, &m, sizeof(m), NULL, NULL);

	if (n != (ssize_t)sizeof(m) || m.type != FN_SYNC_GO)
		_exit(1); /* fn-spawnd has died or given up: there is nobody to tell */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? fn_err_set(err, errno, "dumpable", NULL) : 0;
}

/* Inside-0 owns the mounts made here; the capabilities of the new user namespace stay. */
static int step_ids(struct state *s, struct fn_err *err)
{
	(void)s;
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return fn_err_set(err, errno, "take ids", NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fn_err_set(err, errno, "take ids", "pdeathsig");
	setsid();
	return 0;
}

static int step_loopback(struct state *s, struct fn_err *err)
{
	fn_auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo"};

	(void)s;
	if (fd < 0)
		return fn_err_set(err, errno, "loopback", "socket");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? fn_err_set(err, errno, "loopback", "up") : 0;
}

static int step_listener(struct state *s, struct fn_err *err)
{
	fn_auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(s->c->spec->rtapi_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct fn_sync_msg m = {.type = FN_SYNC_LISTENER};
	int r;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0)
		return fn_err_set(err, errno, "Runtime API listener", NULL);
	r = send_msg(s->c->sync_fd, &m, fd);
	return r < 0 ? fn_err_set(err, r, "Runtime API listener", "send") : 0;
}

static int step_hostname(struct state *s, struct fn_err *err)
{
	const char *name = s->c->spec->name;

	return sethostname(name, strlen(name)) < 0 ? fn_err_set(err, errno, "host name", NULL) : 0;
}

static int step_root(struct state *s, struct fn_err *err)
{
	return fn_mount_attach(s->c->root_fd, AT_FDCWD, FN_ROOTFS_NEW, "mount /", err);
}

static int step_proc(struct state *s, struct fn_err *err)
{
	s->proc_fd = fn_mount_new("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	if (s->proc_fd < 0)
		return s->proc_fd;
	return fn_mount_attach(s->proc_fd, AT_FDCWD, FN_ROOTFS_NEW "/proc", "mount /proc", err);
}

/* What tells of the host or could touch it. All of it belongs to host root and is not writable here anyway; this is the second wall. Masks
 * refuse (EACCES) instead of being empty: a program learns that it may not, not that there is nothing. */
static const char *const masked[] = {"acpi",       "kcore",      "keys",       "kmsg",       "kpagecount", "kpageflags", "kallsyms", "key-users",
				     "latency_stats", "sched_debug", "scsi",      "sysrq-trigger", "timer_list", "vmallocinfo", "slabinfo",
				     "modules",    "config.gz",  "interrupts", "iomem",      "ioports"};
static const char *const read_only[] = {"bus", "fs", "irq", "sys"};

static int step_mask(struct state *s, struct fn_err *err)
{
	static const char *const empty[] = {"mode", "0", "size", "0", NULL, NULL};
	fn_auto_fd int dir = -EBADF;

	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		fn_auto_fd int fd = -EBADF;
		struct stat st;

		if (fstatat(s->proc_fd, masked[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
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
		if (fn_mount_attach(fd, s->proc_fd, masked[i], "mask /proc", err) < 0)
			return -err->code;
	}
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		fn_auto_fd int fd = -EBADF;

		if (faccessat(s->proc_fd, read_only[i], F_OK, 0) < 0)
			continue;
		fd = fn_mount_copy(s->proc_fd, read_only[i], 0, err);
		if (fd < 0)
			return fd;
		if (fn_mount_set_attr(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err) < 0 ||
		    fn_mount_attach(fd, s->proc_fd, read_only[i], "read-only /proc", err) < 0)
			return -err->code;
	}
	return 0;
}

static int step_tmp(struct state *s, struct fn_err *err)
{
	char size[32];
	const char *options[] = {"mode", "1777", "size", size, NULL, NULL};

	snprintf(size, sizeof(size), "%llu", (unsigned long long)s->c->spec->tmp_bytes);
	s->tmp_fd = fn_mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (s->tmp_fd < 0)
		return s->tmp_fd;
	return fn_mount_attach(s->tmp_fd, AT_FDCWD, FN_ROOTFS_NEW "/tmp", "mount /tmp", err);
}

static int step_pivot(struct state *s, struct fn_err *err)
{
	int r = fn_mount_pivot(FN_ROOTFS_NEW, err);

	if (r < 0)
		return r;
	return chdir(s->c->spec->cwd) < 0 ? fn_err_set(err, errno, "working directory", "%s", s->c->spec->cwd) : 0;
}

static int step_limits(struct state *s, struct fn_err *err)
{
	const struct {
		int resource;
		rlim_t soft, hard;
	} limits[] = {
		{RLIMIT_NOFILE, s->c->spec->nofile, s->c->spec->nofile}, {RLIMIT_CORE, 0, 0}, {RLIMIT_STACK, 8u << 20, RLIM_INFINITY},
		{RLIMIT_MEMLOCK, 64u << 10, 64u << 10}, {RLIMIT_MSGQUEUE, 0, 0}, {RLIMIT_RTPRIO, 0, 0}, {RLIMIT_NICE, 0, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit l = {limits[i].soft, limits[i].hard};

		if (setrlimit(limits[i].resource, &l) < 0)
			return fn_err_set(err, errno, "rlimit", "%d", limits[i].resource);
	}
	umask(022);
	return 0;
}

static const char *find_candidate(const struct fn_spec *spec)
{
	for (char **p = spec->exec_candidates; *p; p++) {
		struct stat st;

		if (stat(*p, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
			return *p;
	}
	return NULL;
}

/* The runtime process (PID 2): never returns. It goes on to execve only once init has given its privileges up (a byte through the
 * gate): from its first instruction on, user code finds nothing in the sandbox that holds a capability. */
static void run_runtime(struct state *s)
{
	const struct fn_child *c = s->c;
	struct fn_err err = {0};
	const char *path = find_candidate(c->spec);
	sigset_t none;
	char byte;

	close(s->gate[1]);
	setsid();
	if (!path)
		fn_err_set(&err, ENOENT, "bootstrap", "no executable file among the candidates");
	else if (dup2(c->null_fd, 0) < 0 || dup2(c->output_fd, 1) < 0 || dup2(c->output_fd, 2) < 0)
		fn_err_set(&err, errno, "stdio", NULL);
	else if (syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
		fn_err_set(&err, errno, "close_range", NULL);
	else if (fn_sec_drop(FN_UID_RUNTIME, FN_UID_RUNTIME, &err) == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (fn_fd_read_all(s->gate[0], &byte, 1) != 1)
			fn_err_set(&err, EIO, "start runtime", "init did not get ready");
		else if (fn_seccomp_install(c->seccomp) < 0)
			fn_err_set(&err, errno, "seccomp", "install");
		else {
			execve(path, c->spec->argv, c->spec->envp);
			fn_err_set(&err, errno, "exec", "%s", path);
		}
	}
	(void)fn_fd_write_all(s->exec_pipe[1], &err, sizeof(err));
	_exit(127);
}

/* Init becomes nobody, with nothing open but its way to fn-spawnd and the two pipes of the start. */
static int become_init(struct state *s, struct fn_err *err)
{
	int keep[3] = {s->c->sync_fd, s->exec_pipe[0], s->gate[1]};
	unsigned from = 0;

	for (int i = 0; i < 3; i++) /* ascending */
		for (int k = i + 1; k < 3; k++)
			if (keep[k] < keep[i]) {
				int t = keep[i];

				keep[i] = keep[k];
				keep[k] = t;
			}
	/* the output pipe's writers are the runtime and its children alone; stdio goes too */
	for (int i = 0; i < 3; from = (unsigned)keep[i++] + 1)
		if ((unsigned)keep[i] > from && syscall(SYS_close_range, from, keep[i] - 1, 0) < 0)
			return fn_err_set(err, errno, "close_range", "init");
	if (syscall(SYS_close_range, from, ~0u, 0) < 0)
		return fn_err_set(err, errno, "close_range", "init");
	if (fn_sec_drop(FN_UID_INIT, FN_UID_INIT, err) < 0)
		return -err->code;
	if (fn_seccomp_install(s->c->seccomp) < 0)
		return fn_err_set(err, errno, "seccomp", "init");
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* cleared by the change of ids */
	return 0;
}

static int step_runtime(struct state *s, struct fn_err *err)
{
	uint64_t from = fn_clock_mono_us();
	struct fn_err e;
	pid_t pid;
	ssize_t n;
	int r;

	if (pipe2(s->exec_pipe, O_CLOEXEC) < 0 || pipe2(s->gate, O_CLOEXEC) < 0)
		return fn_err_set(err, errno, "start runtime", "pipe");
	pid = fork();
	if (pid < 0)
		return fn_err_set(err, errno, "start runtime", "fork");
	if (pid == 0)
		run_runtime(s);
	r = become_init(s, err);
	if (r < 0)
		return r;
	r = fn_fd_write_all(s->gate[1], "", 1);
	close(s->gate[1]);
	if (r < 0)
		return fn_err_set(err, r, "start runtime", "gate");
	n = fn_fd_read_all(s->exec_pipe[0], &e, sizeof(e));
	close(s->exec_pipe[0]);
	s->done.exec_us = (uint32_t)(fn_clock_mono_us() - from);
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(e))
		return fn_err_set(err, EIO, "start runtime", "died before exec");
	if (err)
		*err = e;
	return -e.code;
}

/* The plan. Order matters: /proc while the old, fully visible one is still there; privileges last. */
static const struct {
	const char *name;
	int (*run)(struct state *s, struct fn_err *err);
	enum { NONE, NET, MOUNTS } stage;
} plan[] = {
	{"wait", step_wait, NONE},       {"ids", step_ids, NONE},   {"loopback", step_loopback, NET},
	{"listener", step_listener, NET}, {"hostname", step_hostname, NONE}, {"root", step_root, MOUNTS},
	{"proc", step_proc, MOUNTS},     {"mask", step_mask, MOUNTS}, {"tmp", step_tmp, MOUNTS},
	{"pivot", step_pivot, MOUNTS},   {"limits", step_limits, NONE}, {"runtime", step_runtime, NONE},
};
#define N_STEPS (sizeof(plan) / sizeof(plan[0]))

const char *const *fn_child_steps(void)
{
	static const char *names[N_STEPS + 1];

	for (size_t i = 0; i < N_STEPS; i++)
		names[i] = plan[i].name;
	return names;
}

/* PID 1 from here on: reaps; reports the runtime's end; its own exit makes the kernel kill what is left. */
static _Noreturn void live(struct state *s)
{
	struct fn_sync_msg m = {.type = FN_SYNC_EXIT};
	int keep = s->c->sync_fd;

	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			_exit(0);
		if (pid == 2) { /* the first and only process that init itself makes */
			m.wait_status = status;
			(void)send_msg(keep, &m, -1);
			_exit(0);
		}
	}
}

_Noreturn void fn_child_main(const struct fn_child *c)
{
	struct state s = {.c = c, .proc_fd = -EBADF, .tmp_fd = -EBADF};
	struct fn_err err = {0};

	for (size_t i = 0; i < N_STEPS; i++) {
		uint64_t from = fn_clock_mono_us();

		if (plan[i].run(&s, &err) < 0) {
			s.done.type = FN_SYNC_FAILED;
			s.done.err = err;
			(void)send_msg(c->sync_fd, &s.done, -1);
			_exit(1);
		}
		if (plan[i].stage == NET)
			s.done.net_us += (uint32_t)(fn_clock_mono_us() - from);
		else if (plan[i].stage == MOUNTS)
			s.done.mounts_us += (uint32_t)(fn_clock_mono_us() - from);
	}
	s.done.type = FN_SYNC_RUNNING;
	(void)send_msg(c->sync_fd, &s.done, -1);
	live(&s);
}

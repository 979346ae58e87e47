/*
 * child.c - see child.h. Runs between clone3 and execve in a copy of fn-spawnd's memory: no malloc, no stdio, no logging. Every
 * failure is a struct fn_err that names its step and goes up the sync socket.
 */
#include "sandbox/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "os/mount.h"
#include "sandbox/inside.h"
#include "sandbox/netns.h"
#include "sandbox/proc.h"
#include "sandbox/rootfs.h"

static int step_wait(struct fn_inside *s, struct fn_err *err)
{
	size_t others = s->c->bare ? 2 : 1, n_fds = 0;
	int fds[FN_SOCK_FDS_MAX];
	struct fn_sync_msg m;
	ssize_t n = fn_sock_recv(s->c->sync_fd, &m, sizeof(m), fds, &n_fds);

	if (n != (ssize_t)sizeof(m) || m.type != FN_SYNC_GO || n_fds < others)
		_exit(1); /* fn-spawnd has died or given up: there is nobody to tell */
	s->dev_fd = fds[0];
	if (s->c->bare)
		s->proc_fd = fds[1];
	s->n_groups = (unsigned)(n_fds - others);
	memcpy(s->group_fds, fds + others, s->n_groups * sizeof(int));
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? fn_err_set(err, errno, "dumpable", NULL) : 0;
}

/* Out of fn-spawnd's table of descriptors, into one of our own that has no more than the lowest of them. fn-spawnd waits for that; and, if it is to
 * be attached to a bridge, for the network namespace. */
static int step_born(struct fn_inside *s, struct fn_err *err)
{
	struct fn_sync_msg m = {.type = FN_SYNC_BORN};
	int r = s->c->nat ? fn_netns_new(err) : 0;

	if (r == 0 && syscall(SYS_close_range, (unsigned)s->c->last_fd + 1, ~0u, 2 /* CLOSE_RANGE_UNSHARE */) < 0)
		r = fn_err_set(err, errno, "close_range", "unshare");
	if (r == 0 && (r = fn_inside_send(s, &m, NULL, 0)) < 0)
		fn_err_set(err, r, "sync socket", "born");
	return r;
}

static int step_netns(struct fn_inside *s, struct fn_err *err) { return s->c->nat ? 0 : fn_netns_new(err); }

/* Whatever else fn-spawnd has open must not be kept alive by a sandbox that waits; least of all its end of our socket, whose closing tells
 * that fn-spawnd is gone. */
static int step_fds(struct fn_inside *s, struct fn_err *err)
{
	int keep[8 + FN_SOCK_FDS_MAX] = {0, 1, 2, s->c->sync_fd, s->c->output_fd, s->dev_fd}, r;

	s->null_fd = openat(s->dev_fd, "null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++) /* taken, so that no pipe of ours gets a number that the runtime's stdio will overwrite */
		if (dup2(s->null_fd, i) < 0)
			return fn_err_set(err, errno, "stdio", "init");
	keep[6] = s->null_fd;
	keep[7] = s->c->bare ? s->proc_fd : s->null_fd;
	memcpy(keep + 8, s->group_fds, s->n_groups * sizeof(int));
	r = fn_fd_close_except(keep, 8 + s->n_groups);
	return r < 0 ? fn_err_set(err, r, "close_range", "init") : 0;
}

/* Init moves itself (os/cgroup.h says why). Only then the cgroup namespace, whose root is where its maker stands. */
static int step_groups(struct fn_inside *s, struct fn_err *err)
{
	for (unsigned i = 0; i < s->n_groups; i++) {
		int r = fn_fd_write_all(s->group_fds[i], "0", 1);

		if (r < 0)
			return fn_err_set(err, r, "cgroup attach", NULL);
		close(s->group_fds[i]);
	}
	return unshare(CLONE_NEWCGROUP) < 0 ? fn_err_set(err, errno, "cgroup namespace", NULL) : 0;
}

/* Inside-0 owns the mounts made here; the capabilities of the new user namespace stay. */
static int step_ids(struct fn_inside *s, struct fn_err *err)
{
	(void)prctl(PR_SET_NAME, "fn-init", 0, 0, 0);
	fn_ns_title_set(&s->c->title, "fn-init");
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return fn_err_set(err, errno, "take ids", NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fn_err_set(err, errno, "take ids", "pdeathsig");
	setsid();
	return 0;
}

static int step_loopback(struct fn_inside *s, struct fn_err *err)
{
	(void)s;
	return fn_netns_loopback(err);
}

static int step_listener(struct fn_inside *s, struct fn_err *err) { return (s->listen_fd = fn_netns_listener(err)) < 0 ? s->listen_fd : 0; }

static int step_platform(struct fn_inside *s, struct fn_err *err)
{
	if (s->c->platform.port == 0)
		return 0;
	s->platform_fd = fn_netns_platform(&s->c->platform, err);
	return s->platform_fd < 0 ? s->platform_fd : 0;
}

static int step_hostname(struct fn_inside *s, struct fn_err *err)
{
	const char *name = s->spec.name;

	return sethostname(name, strlen(name)) < 0 ? fn_err_set(err, errno, "host name", NULL) : 0;
}

static int step_root(struct fn_inside *s, struct fn_err *err)
{
	/* over "/", paths still begin below it */
	int r = fn_mount_attach(s->root_fd, AT_FDCWD, s->c->bare ? "/" : s->new_root, "mount /", err);

	if (r == 0)
		r = fn_view_set_memory(&s->view, s->spec.memory_bytes, err);
	if (r == 0)
		r = fn_mount_move(s->proc, s->root_fd, "proc", err);
	if (r == 0)
		r = fn_mount_move(s->dev, s->root_fd, "dev", err);
	return r < 0 ? r : fn_view_move(&s->view, s->root_fd, err);
}

static int step_dev(struct fn_inside *s, struct fn_err *err)
{
	int r = fn_mount_attach(s->dev_fd, AT_FDCWD, FN_ROOTFS_DEV, "mount /dev", err);

	close(s->dev_fd);
	return r;
}

static int step_proc(struct fn_inside *s, struct fn_err *err)
{
	if (!s->c->bare)
		s->proc_fd = fn_mount_new("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	if (s->proc_fd < 0)
		return s->proc_fd;
	return fn_mount_attach(s->proc_fd, AT_FDCWD, FN_ROOTFS_PROC, "mount /proc", err);
}

static int step_nat(struct fn_inside *s, struct fn_err *err) { return s->c->nat ? fn_netns_nat(s->c->nat, s->proc_fd, err) : 0; }

static int step_view(struct fn_inside *s, struct fn_err *err)
{
	int r = fn_view_make(&s->view, s->c->shown, s->proc_fd, err);

	close(s->proc_fd);
	return r;
}

static int step_mask(struct fn_inside *s, struct fn_err *err) { return fn_proc_mask(s->proc_fd, err); }

/* Of the size that most functions have. */
static int step_new_tmp(struct fn_inside *s, struct fn_err *err)
{
	if (s->c->tmp_comes)
		return 0;
	s->tmp_fd = fn_rootfs_new_tmp(FN_TMP_USUAL, err);
	return s->tmp_fd < 0 ? s->tmp_fd : 0;
}

static int attach_tmp(const struct fn_inside *s, int fd, struct fn_err *err) { return fn_mount_attach(fd, s->root_fd, "tmp", "mount /tmp", err); }

static int step_tmp(struct fn_inside *s, struct fn_err *err)
{
	if (!s->tmp_given && s->spec.tmp_bytes != FN_TMP_USUAL) {
		close(s->tmp_fd);
		s->tmp_fd = fn_rootfs_new_tmp(s->spec.tmp_bytes, err);
		if (s->tmp_fd < 0)
			return s->tmp_fd;
	}
	return attach_tmp(s, s->tmp_fd, err);
}

static int step_quotas(struct fn_inside *s, struct fn_err *err) { return fn_proc_quotas(s->proc_fd, err); }

/* Moves the runtime's process along: it shares our fs_struct. */
static int enter_root(struct fn_inside *s, struct fn_err *err)
{
	int r = s->c->bare ? fn_mount_enter(s->root_fd, err) : fn_mount_pivot(s->new_root, err);

	close(s->root_fd);
	return r;
}

/* From here on they share nothing any more but the namespaces. */
static int step_enter(struct fn_inside *s, struct fn_err *err)
{
	int r = enter_root(s, err);

	return r == 0 && unshare(CLONE_FS) < 0 ? fn_err_set(err, errno, "enter root", "unshare") : r;
}

static int step_limits(struct fn_inside *s, struct fn_err *err)
{
	(void)s;
	umask(022);
	return fn_proc_rlimits(err);
}

/* Of what START still has to do nothing needs more than what init has already. */
static int step_bounding(struct fn_inside *s, struct fn_err *err)
{
	(void)s;
	return fn_sec_drop_bounding(err);
}

/* --- START --- */
static int receive_order(struct fn_inside *s, struct fn_err *err)
{
	int fds[FN_SOCK_FDS_MAX];
	size_t n_fds = 0, expected = 1;
	ssize_t n = fn_sock_recv(s->c->sync_fd, s->order, sizeof(*s->order), fds, &n_fds);
	const struct fn_sync_msg *m = &s->order->msg;

	if (n == 0)
		_exit(0); /* never needed */
	if (n >= (ssize_t)sizeof(*m) && m->type == FN_SYNC_ORDER)
		expected += !!(m->brings & FN_SYNC_TMP) + !!(m->brings & FN_SYNC_EXTENSIONS);
	if (n < (ssize_t)sizeof(*m) || (m->type != FN_SYNC_ORDER && m->type != FN_SYNC_PRESTART) || n_fds != expected)
		return fn_err_set(err, n < 0 ? (int)n : EBADMSG, "order", NULL);
	s->root_fd = fds[0];
	if (m->type == FN_SYNC_ORDER && (m->brings & FN_SYNC_TMP)) {
		if (s->tmp_fd >= 0)
			close(s->tmp_fd);
		s->tmp_fd = fds[1];
		s->tmp_given = true;
	}
	if (m->type == FN_SYNC_ORDER && (m->brings & FN_SYNC_EXTENSIONS))
		s->extensions.output_fd = fds[n_fds - 1];
	s->spec_len = (size_t)n - sizeof(*m);
	return fn_spec_borrow(s->order->spec, s->spec_len, s->vec, &s->spec, err);
}

/* A runtime that begins before it knows its function: in its base image, which is left again when the order comes. */
static int prestart(struct fn_inside *s, struct fn_err *err)
{
	fn_auto_fd int tmp = fn_rootfs_new_tmp(s->spec.tmp_bytes, err);
	char byte;
	int r = tmp < 0 ? tmp : step_root(s, err);

	if (r == 0)
		r = attach_tmp(s, tmp, err);
	if (r == 0)
		r = enter_root(s, err);
	if (r == 0)
		r = fn_inside_open_gate(s, err);
	if (r == 0)
		r = fn_inside_await_exec(s, err);
	if (r < 0)
		return r;
	if (fn_fd_read_all(s->gate[1], &byte, 1) != 1)
		return fn_err_set(err, EIO, "start runtime ahead", "it ended before it had loaded");
	if (!s->c->bare && mkdir("/tmp/root", 0755) < 0)
		return fn_err_set(err, errno, "start runtime ahead", "mkdir");
	s->new_root = "/tmp/root";
	s->proc = "/proc";
	s->dev = "/dev";
	s->prestarted = true;
	return 0;
}

static int step_prestart(struct fn_inside *s, struct fn_err *err)
{
	int r;

	if (!s->c->prestart)
		return 0;
	r = receive_order(s, err);
	return r < 0 ? r : prestart(s, err);
}

static int step_ready(struct fn_inside *s, struct fn_err *err)
{
	const int fds[2] = {s->listen_fd, s->platform_fd};
	int r;

	s->done.type = FN_SYNC_READY;
	r = fn_inside_send(s, &s->done, fds, s->platform_fd < 0 ? 1 : 2);
	close(s->listen_fd);
	fn_close(s->platform_fd);
	s->done = (struct fn_sync_msg){0};
	return r < 0 ? fn_err_set(err, r, "ready", NULL) : 0;
}

/* Of the runtime's process, which waits, or has been started ahead and cannot be told otherwise; while init still may. */
static int step_processes(struct fn_inside *s, struct fn_err *err) { return fn_proc_limit_processes(s->runtime, s->spec.memory_bytes, err); }

/* Init becomes nobody. */
static int step_init(struct fn_inside *s, struct fn_err *err)
{
	(void)s;
	if (fn_sec_drop(FN_UID_INIT, FN_UID_INIT, err) < 0)
		return -err->code;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? fn_err_set(err, errno, "dumpable", NULL) : 0;
}

/* Another can be had as long as nobody knows of this one. */
static int still_there(struct fn_inside *s, struct fn_err *err)
{
	siginfo_t si = {0};

	if (waitid(P_PID, (id_t)s->runtime, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid != 0)
		return fn_err_set(err, ESRCH, "start runtime", "the one started ahead has ended");
	return 0;
}

/* Held until they say so (FN_SYNC_RELEASE): extensions come first. */
static int start_extensions(struct fn_inside *s, struct fn_err *err)
{
	int r;

	fn_inside_release_extensions(s);
	r = fn_inside_confine_init(s, err);
	return r < 0 ? r : fn_inside_await_extensions(s, err);
}

static int step_runtime(struct fn_inside *s, struct fn_err *err)
{
	uint64_t from = fn_clock_mono_us();
	int r;

	if (s->prestarted) { /* it gets its environment when fnd has been told: it would take the CPU from us until its init is done */
		r = still_there(s, err);
		if (r == 0)
			r = s->extensions.n > 0 ? start_extensions(s, err) : fn_inside_confine_init(s, err);
	} else if (s->extensions.n > 0) {
		r = start_extensions(s, err);
	} else { /* an execve takes its time */
		r = fn_inside_open_gate(s, err);
		if (r == 0)
			r = fn_inside_confine_init(s, err);
		if (r == 0)
			r = fn_inside_await_exec(s, err);
		close(s->gate[1]);
	}
	s->done.begun_us = from;
	s->done.exec_us = (uint32_t)(fn_clock_mono_us() - from);
	return r;
}

/* The plan. Order matters: /proc while the old, fully visible one is still there; what takes long as soon as the runtime's process is about its own
 * preparations, which take as long; privileges last. */
static const struct {
	const char *name;
	int (*run)(struct fn_inside *s, struct fn_err *err);
	enum { NONE, CGROUP, NET, MOUNTS } stage;
} plan[] = {
	{"born", step_born, NONE},   {"netns", step_netns, NET},   {"wait", step_wait, NONE},       {"fds", step_fds, NONE},         {"groups", step_groups, CGROUP}, {"ids", step_ids, NONE},
	{"limits", step_limits, NONE}, {"loopback", step_loopback, NET}, {"listener", step_listener, NET}, {"platform", step_platform, NET},
	{"proc", step_proc, MOUNTS}, {"dev", step_dev, MOUNTS},       {"nat", step_nat, NET},          {"quotas", step_quotas, NONE},
	{"bounding", step_bounding, NONE}, {"fork", fn_inside_fork_runtime, NONE},   {"mask", step_mask, MOUNTS},   {"view", step_view, MOUNTS},     {"prestart", step_prestart, NONE},
	{"new tmp", step_new_tmp, MOUNTS}, {"ready", step_ready, NONE},
	{"order", receive_order, NONE}, {"hostname", step_hostname, NONE}, {"root", step_root, MOUNTS},   {"tmp", step_tmp, MOUNTS},
	{"enter", step_enter, MOUNTS}, {"processes", step_processes, NONE}, {"extensions", fn_inside_fork_extensions, NONE}, {"init", step_init, NONE},
	{"runtime", step_runtime, NONE},
};
#define N_STEPS (sizeof(plan) / sizeof(plan[0]))

const char *const *fn_child_steps(void)
{
	static const char *names[N_STEPS + 1];

	for (size_t i = 0; i < N_STEPS; i++)
		names[i] = plan[i].name;
	return names;
}

FN_INSIDE_UNWATCHED _Noreturn void fn_child_main(const struct fn_child *c)
{
	struct fn_inside s = {.c = c, .proc_fd = -EBADF, .dev_fd = -EBADF, .root_fd = -EBADF, .listen_fd = -EBADF, .platform_fd = -EBADF, .null_fd = -EBADF, .tmp_fd = -EBADF,
			  .extensions.output_fd = -EBADF, .new_root = FN_ROOTFS_NEW, .proc = FN_ROOTFS_PROC, .dev = FN_ROOTFS_DEV};
	struct fn_err err = {0};

	for (size_t i = 0; i < N_STEPS; i++) {
		uint64_t from = fn_clock_mono_us();

		if (plan[i].run(&s, &err) < 0) {
			s.done.type = FN_SYNC_FAILED;
			s.done.err = err;
			(void)fn_inside_send(&s, &s.done, NULL, 0);
			_exit(1);
		}
		if (plan[i].stage == CGROUP)
			s.done.cgroup_us += (uint32_t)(fn_clock_mono_us() - from);
		else if (plan[i].stage == NET)
			s.done.net_us += (uint32_t)(fn_clock_mono_us() - from);
		else if (plan[i].stage == MOUNTS)
			s.done.mounts_us += (uint32_t)(fn_clock_mono_us() - from);
	}
	if (fn_inside_tell_running(&s) < 0) /* fn-spawnd died while the change of ids had cleared the signal that would have told us */
		_exit(1);
	if (s.prestarted && s.extensions.n == 0)
		fn_inside_hand_over(&s);
	fn_inside_live(&s);
}

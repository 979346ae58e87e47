/*
 * floors - what the kernel alone asks for the steps of a sandbox's creation. Needs root. Prints {"name":{"us":[...]},...}; interleaved.
 *   floors COUNT STATIC_PROGRAM LOWER_DIR
 * clone_all_ns  clone3 with all seven namespaces of a child that ends at once, to its reaping
 * exec_static   posix_spawn of STATIC_PROGRAM (argv[0] "true"), to its reaping
 * netns         unshare(CLONE_NEWNET) in a fresh child
 * overlay       an overlay over LOWER_DIR: fsopen to the detached mount, in a mount namespace of the child's own
 * cgroup_make   a sandbox's groups with their limits (os/cgroup.h), all controllers
 * attach_other  a waiting child put into the v1 groups by its parent, after 30 ms without any such write
 * attach_self   a child puts itself into the v1 groups through their `tasks` files, after 30 ms
 * round_trip    a byte there and back between two processes over a socket pair
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/cgroup.h"
#include "os/mount.h"
#include "os/ns.h"

enum { CLONE, EXEC, NETNS, OVERLAY, MAKE, OTHER, SELF, TRIP, N };
static const char *const names[N] = {"clone_all_ns", "exec_static", "netns", "overlay", "cgroup_make", "attach_other", "attach_self", "round_trip"};

static const char *program, *lower;
static pid_t parent;
static struct fn_cgroups *cgs;
static struct fn_cg_probe probe;
static char instance[32], name[32]; /* name: of the group made last */

static void die(const char *what, const struct fn_err *err)
{
	char text[512];

	fprintf(stderr, "floors: %s: %s\n", what, err ? fn_err_format(err, text, sizeof(text)) : strerror(errno));
	if (getpid() != parent)
		_exit(1);
	if (cgs) { /* no group is left behind */
		(void)fn_cgroups_sweep(cgs, NULL);
		fn_cgroups_close(cgs);
	}
	exit(1);
}

/* Runs fn in a child; its own measurement comes back. */
static uint32_t in_child(uint32_t (*fn)(void))
{
	uint32_t us = UINT32_MAX;
	int p[2];
	pid_t pid = -1;

	if (pipe(p) < 0 || (pid = fork()) < 0)
		die("fork", NULL);
	if (pid == 0) {
		us = fn();
		_exit(write(p[1], &us, sizeof(us)) != (ssize_t)sizeof(us));
	}
	close(p[1]);
	if (read(p[0], &us, sizeof(us)) != (ssize_t)sizeof(us))
		die("a child", NULL);
	close(p[0]);
	waitpid(pid, NULL, 0);
	return us;
}

static uint32_t do_clone(void)
{
	uint64_t from = fn_clock_mono_us();
	int pidfd;
	pid_t pid = fn_ns_clone(FN_NS_ALL, -EBADF, &pidfd);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		die("clone3", NULL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	return (uint32_t)(fn_clock_mono_us() - from);
}

static uint32_t do_exec(void)
{
	char *argv[] = {"true", NULL}, *env[] = {NULL};
	uint64_t from = fn_clock_mono_us();
	pid_t pid = -1;

	if (posix_spawn(&pid, program, NULL, NULL, argv, env) != 0)
		die(program, NULL);
	waitpid(pid, NULL, 0);
	return (uint32_t)(fn_clock_mono_us() - from);
}

static uint32_t netns(void)
{
	uint64_t from = fn_clock_mono_us();

	return unshare(CLONE_NEWNET) < 0 ? UINT32_MAX : (uint32_t)(fn_clock_mono_us() - from);
}

static uint32_t overlay(void)
{
	static char below[8192];
	const char *options[] = {"lowerdir", below, NULL, NULL};
	struct fn_err err;
	uint64_t from;
	int fd;

	snprintf(below, sizeof(below), "%s/tmp:%s/proc", lower, lower); /* two, as an overlay without an upper needs */
	if (unshare(CLONE_NEWNS) < 0)
		return UINT32_MAX;
	from = fn_clock_mono_us();
	fd = fn_mount_new("overlay", options, MOUNT_ATTR_RDONLY, &err);
	if (fd < 0)
		die("overlay", &err);
	return (uint32_t)(fn_clock_mono_us() - from);
}

static struct fn_cgroup *make(uint32_t *us)
{
	static unsigned serial;
	const struct fn_cg_limits limits = {128u << 20, 100000, 100000, 1024};
	struct fn_cgroup *cg;
	struct fn_err err;
	uint64_t from = fn_clock_mono_us();

	snprintf(name, sizeof(name), "f%u", serial++);
	if (fn_cgroup_create(cgs, name, &limits, &cg, &err) < 0 || fn_cgroup_complete(cg, &limits, &err) < 0)
		die("cgroup", &err);
	*us = (uint32_t)(fn_clock_mono_us() - from);
	return cg;
}

static void drop(struct fn_cgroup *cg)
{
	while (fn_cgroup_remove(cg) == -EBUSY)
		usleep(1000);
}

static uint32_t do_make(void)
{
	uint32_t us;

	drop(make(&us));
	return us;
}

/* The file of each v1 group made last through which a process (cgroup.procs) or a thread (tasks) is moved into it. */
static int open_v1(const char *file, int *fds)
{
	int n = 0;

	for (int c = 0; c < FN_CG_N; c++)
		if (probe.driver[c] == FN_CG_V1) {
			char path[1024];

			snprintf(path, sizeof(path), "%s%s/%s/%s/%s", probe.mount[c], probe.own_path[c], instance, name, file);
			fds[n] = open(path, O_WRONLY | O_CLOEXEC);
			if (fds[n++] < 0)
				die(path, NULL);
		}
	return n;
}

static uint32_t put(const int *fds, int n, const char *who)
{
	uint64_t from = fn_clock_mono_us();

	for (int i = 0; i < n; i++)
		if (write(fds[i], who, strlen(who)) < 0)
			die("attach", NULL);
	return (uint32_t)(fn_clock_mono_us() - from);
}

static uint32_t attach(bool self)
{
	int fds[FN_CG_N], go[2], n;
	uint32_t us, theirs;
	struct fn_cgroup *cg = make(&us);
	char who[16];
	pid_t pid = -1;

	n = open_v1(self ? "tasks" : "cgroup.procs", fds);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, go) < 0 || (pid = fork()) < 0)
		die("fork", NULL);
	if (pid == 0) {
		if (read(go[1], &us, sizeof(us)) < 0)
			_exit(1);
		us = self ? put(fds, n, "0") : 0;
		_exit(write(go[1], &us, sizeof(us)) < 0);
	}
	usleep(30000);
	snprintf(who, sizeof(who), "%d", (int)pid);
	us = self ? 0 : put(fds, n, who);
	if (write(go[0], &us, sizeof(us)) < 0 || read(go[0], &theirs, sizeof(theirs)) < 0)
		die("a child", NULL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	close(go[0]);
	close(go[1]);
	drop(cg);
	return self ? theirs : us;
}

static uint32_t do_trip(void)
{
	enum { TRIPS = 50 };
	uint64_t from;
	int sv[2];
	char c = 0;
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 || (pid = fork()) < 0)
		die("socketpair", NULL);
	if (pid == 0) {
		close(sv[0]);
		while (read(sv[1], &c, 1) == 1 && write(sv[1], &c, 1) == 1)
			;
		_exit(0);
	}
	close(sv[1]);
	from = fn_clock_mono_us();
	for (int i = 0; i < TRIPS + 10; i++) {
		if (i == 10)
			from = fn_clock_mono_us();
		if (write(sv[0], &c, 1) != 1 || read(sv[0], &c, 1) != 1)
			die("round trip", NULL);
	}
	from = fn_clock_mono_us() - from;
	close(sv[0]);
	waitpid(pid, NULL, 0);
	return (uint32_t)(from / TRIPS);
}

static uint32_t measure(int what)
{
	switch (what) {
	case CLONE:
		return do_clone();
	case EXEC:
		return do_exec();
	case NETNS:
		return in_child(netns);
	case OVERLAY:
		return in_child(overlay);
	case MAKE:
		return do_make();
	case OTHER:
	case SELF:
		return attach(what == SELF);
	default:
		return do_trip();
	}
}

int main(int argc, char **argv)
{
	int count = argc == 4 ? atoi(argv[1]) : 0;
	struct fn_err err;
	uint32_t *us;

	if (count <= 0)
		return 2;
	parent = getpid();
	program = argv[2];
	lower = argv[3];
	us = calloc((size_t)count * N, sizeof(*us));
	snprintf(instance, sizeof(instance), "fnd-floors-%d", (int)getpid());
	if (fn_cg_probe(&probe, &err) < 0 || fn_cgroups_open(instance, &cgs, &err) < 0)
		die("cgroups", &err);
	for (int k = 0; k < count; k++)
		for (int i = 0; i < N; i++)
			us[i * count + k] = measure(i);
	fn_cgroups_close(cgs);
	printf("{");
	for (int i = 0; i < N; i++) {
		printf("%s\"%s\":{\"us\":[", i ? "," : "", names[i]);
		for (int k = 0; k < count; k++)
			printf("%s%u", k ? "," : "", us[i * count + k]);
		printf("]}");
	}
	printf("}\n");
	free(us);
	return 0;
}

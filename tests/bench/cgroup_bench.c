/*
 * cgroup_bench - what making, filling and removing a sandbox's groups costs: libcgroup beside os/cgroup.h's descriptors.
 *   cgroup_bench [N=300]
 * Memory, cpu and pids groups below the same parents, their limits, one process moved in, removed again. Medians of N, alternating. The
 * descriptors' side does more: its group in the unified hierarchy, memory.memsw/swap and oom.group.
 */
#include <errno.h>
#include <libcgroup.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/cgroup.h"
#include "os/sock.h"

static const struct fn_cg_limits limits = {128u << 20, 7000, 100000, 1024};
static const char instance[] = "fnd-cgroup-bench";

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "cgroup_bench: %s: %s\n", what, why);
	exit(1);
}

static void print(const char *name, uint64_t (*v)[3], int n)
{
	static const char *const steps[] = {"create+limits", "attach", "remove"};

	printf("%-10s", name);
	for (int s = 0; s < 3; s++) {
		uint64_t *col = malloc(sizeof(*col) * (size_t)n);

		for (int i = 0; i < n; i++)
			col[i] = v[i][s];
		qsort(col, (size_t)n, sizeof(*col), by_value);
		printf("  %s p50 %llu p99 %llu us", steps[s], (unsigned long long)col[n / 2], (unsigned long long)col[n * 99 / 100]);
		free(col);
	}
	printf("\n");
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* As a sandbox's init does it: the child itself, by descriptors that it was given. */
static pid_t joiner(const int *fds, unsigned n, int sock)
{
	pid_t pid = fork();
	uint64_t took;

	if (pid != 0)
		return pid;
	took = fn_clock_mono_us();
	for (unsigned i = 0; i < n; i++)
		if (write(fds[i], "0", 1) != 1)
			_exit(1);
	took = fn_clock_mono_us() - took;
	if (write(sock, &took, sizeof(took)) != sizeof(took))
		_exit(1);
	for (;;)
		pause();
}

static void direct(struct fn_cgroups *cgs, uint64_t t[3])
{
	struct fn_cgroup *cg;
	struct fn_err err;
	uint64_t from = fn_clock_mono_us();
	int r, pair[2], fds[FN_CG_N];
	unsigned n;
	pid_t pid;

	if (fn_cgroup_create(cgs, "direct", &limits, &cg, &err) < 0 || fn_cgroup_complete(cg, &limits, &err) < 0)
		die(err.stage, err.msg);
	t[0] = fn_clock_mono_us() - from;
	if (fn_cgroup_open_v1(cg, fds, &n, &err) < 0 || fn_sock_pair(SOCK_STREAM, pair) < 0)
		die(err.stage, err.msg);
	pid = joiner(fds, n, pair[1]);
	if (read(pair[0], &t[1], sizeof(t[1])) != sizeof(t[1]))
		die("attach", "the child did not answer");
	end(pid);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	close(pair[0]);
	close(pair[1]);
	from = fn_clock_mono_us();
	while ((r = fn_cgroup_remove(cg)) < 0)
		;
	t[2] = fn_clock_mono_us() - from;
}

/* A struct cgroup has one path for all its controllers; our own groups need not be at the same one: a struct each. */
static struct cgroup *prepare(const struct fn_cg_probe *p, enum fn_cg_controller c)
{
	bool v2 = p->driver[c] == FN_CG_V2;
	struct cgroup_controller *k;
	struct cgroup *g;
	char name[512];

	snprintf(name, sizeof(name), "%s/%s/library", strcmp(p->own_path[c], "/") == 0 ? "" : p->own_path[c], instance);
	g = cgroup_new_cgroup(name + 1);
	k = cgroup_add_controller(g, fn_cg_controller_name(c));
	if (c == FN_CG_MEMORY) {
		cgroup_set_value_uint64(k, v2 ? "memory.max" : "memory.limit_in_bytes", limits.memory_bytes);
	} else if (c == FN_CG_PIDS) {
		cgroup_set_value_uint64(k, "pids.max", limits.pids_max);
	} else if (v2) {
		cgroup_set_value_string(k, "cpu.max", "7000 100000");
	} else {
		cgroup_set_value_uint64(k, "cpu.cfs_period_us", limits.cpu_period_us);
		cgroup_set_value_uint64(k, "cpu.cfs_quota_us", limits.cpu_quota_us);
	}
	return g;
}

/* Where all are v2 there is one group, made by the first of the three and removed by it. */
static void library(const struct fn_cg_probe *p, uint64_t t[3])
{
	struct cgroup *g[FN_CG_N];
	pid_t pid = sleeper();
	uint64_t from = fn_clock_mono_us();
	int r = 0;

	for (int c = 0; c < FN_CG_N && r == 0; c++) {
		g[c] = prepare(p, c);
		r = cgroup_create_cgroup(g[c], 1);
	}
	t[0] = fn_clock_mono_us() - from;
	if (r)
		die("cgroup_create_cgroup", r == ECGOTHER ? strerror(cgroup_get_last_errno()) : cgroup_strerror(r));
	from = fn_clock_mono_us();
	for (int c = 0; c < FN_CG_N && r == 0; c++)
		r = cgroup_attach_task_pid(g[c], pid);
	t[1] = fn_clock_mono_us() - from;
	if (r)
		die("cgroup_attach_task_pid", cgroup_strerror(r));
	end(pid);
	from = fn_clock_mono_us();
	for (int c = 0; c < FN_CG_N; c++) {
		if (c > 0 && p->driver[c] == FN_CG_V2)
			continue;
		do
			r = cgroup_delete_cgroup_ext(g[c], CGFLAG_DELETE_EMPTY_ONLY);
		while (r == ECGNONEMPTY || (r == ECGOTHER && cgroup_get_last_errno() == EBUSY));
		if (r)
			die("cgroup_delete_cgroup", cgroup_strerror(r));
	}
	t[2] = fn_clock_mono_us() - from;
	for (int c = 0; c < FN_CG_N; c++)
		cgroup_free(&g[c]);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 300;
	uint64_t(*a)[3] = calloc((size_t)n, sizeof(*a)), (*b)[3] = calloc((size_t)n, sizeof(*b));
	struct fn_cg_probe probe;
	struct fn_cgroups *cgs;
	struct fn_err err;
	char text[512];

	if (n < 1 || !a || !b)
		return 2;
	if (fn_cgroups_open(instance, &cgs, &err) < 0 || fn_cg_probe(&probe, &err) < 0)
		die(err.stage, err.msg);
	if (cgroup_init() != 0)
		die("cgroup_init", "failed");
	for (int i = -3; i < n; i++) { /* the first few warm up */
		uint64_t t[3], u[3];

		direct(cgs, t);
		library(&probe, u);
		if (i >= 0) {
			memcpy(a[i], t, sizeof(t));
			memcpy(b[i], u, sizeof(u));
		}
	}
	printf("%s\n", fn_cgroups_describe(cgs, text, sizeof(text)));
	print("direct", a, n);
	print("libcgroup", b, n);
	(void)fn_cgroups_sweep(cgs, &err);
	fn_cgroups_close(cgs);
	free(a);
	free(b);
	return 0;
}

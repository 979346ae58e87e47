/* A sandbox's groups on this host, whichever way its controllers are bound. */
#include "os/cgroup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/cgroup_dead.h"
#include "unit/main.h"

static const struct fn_cg_limits limits = {.memory_bytes = 64 << 20, .cpu_quota_us = 10000, .cpu_period_us = 20000, .pids_max = 10};

START_TEST(probe)
{
	struct fn_cg_probe p;
	struct fn_err err;

	ck_assert_int_eq(fn_cg_probe(&p, &err), 0);
	for (int c = 0; c < FN_CG_N; c++)
		ck_assert_msg(p.driver[c] != FN_CG_ABSENT, "%s", fn_cg_controller_name(c));
	ck_assert(p.has_kill && p.has_freeze);
}
END_TEST

START_TEST(life_of_a_group)
{
	struct fn_cgroups *cgs;
	struct fn_cgroup *cg;
	struct fn_cg_stats st;
	struct fn_err err;
	int p[2], status, r, v1[FN_CG_N];
	unsigned n_v1;
	pid_t pid;
	char c;

	if (geteuid() != 0) {
		printf("SKIP: cgroups need root\n");
		return;
	}
	ck_assert_int_eq(fn_cgroups_open("fnd-unit-test", &cgs, &err), 0);
	ck_assert_int_eq(fn_cgroup_create(cgs, "one", &limits, &cg, &err), 0);
	ck_assert_int_eq(fn_cgroup_complete(cg, &limits, &err), 0);
	ck_assert_int_eq(pipe(p), 0);
	pid = fork();
	if (pid == 0) { /* waits until it is in its groups, then shows that pids.max holds */
		int n = 0;

		close(p[1]);
		while (read(p[0], &c, 1) > 0)
			;
		while (n < 20) {
			pid_t k = fork();

			if (k == 0)
				for (;;)
					pause();
			if (k < 0)
				break;
			n++;
		}
		_exit(n);
	}
	ck_assert_int_eq(fn_cgroup_open_v1(cg, v1, &n_v1, &err), 0);
	for (unsigned i = 0; i < n_v1; i++) {
		ck_assert_int_gt(dprintf(v1[i], "%d", pid), 0);
		close(v1[i]);
	}
	{ /* on a unified host it is clone3 that puts it there */
		char path[64];
		FILE *f;
		int dir;

		dir = fn_cgroup_open(cg);
		snprintf(path, sizeof(path), "/proc/self/fd/%d/cgroup.procs", dir);
		f = fopen(path, "w");
		close(dir);
		ck_assert_ptr_nonnull(f);
		fprintf(f, "%d", pid);
		ck_assert_int_eq(fclose(f), 0);
	}
	close(p[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 9);
	ck_assert_int_eq(fn_cgroup_stats(cg, &st), 0);
	ck_assert_uint_gt(st.memory_current, 0);
	ck_assert_int_eq(fn_cgroup_freeze(cg, true), 0);
	ck_assert_int_eq(fn_cgroup_remove(cg), -EBUSY);
	ck_assert_int_eq(fn_cgroup_kill(cg), 0); /* frozen or not */
	for (r = -EBUSY; r == -EBUSY;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		r = fn_cgroup_remove(cg);
		usleep(1000);
	}
	ck_assert_int_eq(r, 0);
	fn_cgroups_close(cgs);
}
END_TEST

START_TEST(sweep_removes_what_a_dead_run_left)
{
	struct fn_cgroups *cgs;
	struct fn_cgroup *a, *b;
	struct fn_err err;

	if (geteuid() != 0) {
		printf("SKIP: cgroups need root\n");
		return;
	}
	ck_assert_int_eq(fn_cgroups_open("fnd-unit-sweep", &cgs, &err), 0);
	ck_assert_int_eq(fn_cgroup_create(cgs, "a", &limits, &a, &err), 0);
	ck_assert_int_eq(fn_cgroup_complete(a, &limits, &err), 0);
	ck_assert_int_eq(fn_cgroup_create(cgs, "b", &limits, &b, &err), 0);
	ck_assert_int_eq(fn_cgroup_complete(b, &limits, &err), 0);
	ck_assert_int_ge(fn_cgroups_sweep(cgs, &err), 2);
	ck_assert_int_eq(fn_cgroups_sweep(cgs, &err), 0);
	ck_assert_int_eq(fn_cgroup_remove(a), 0); /* gone already is fine */
	ck_assert_int_eq(fn_cgroup_remove(b), 0);
	fn_cgroups_close(cgs);
}
END_TEST

/* A process that lives in the group at `path`. */
static pid_t live_in(const char *path)
{
	char procs[600];
	pid_t pid = fork();
	FILE *f;

	if (pid == 0)
		for (;;)
			pause();
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	f = fopen(procs, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_gt(fprintf(f, "%d", (int)pid), 0);
	ck_assert_int_eq(fclose(f), 0);
	return pid;
}

static void make(char *path, size_t size, const char *own, const char *name)
{
	snprintf(path, size, "%s/%s", own, name);
	ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST); /* left by a run that failed */
}

START_TEST(what_others_left_goes_unless_somebody_lives)
{
	static const char *const living[] = {"fnd-00000000000b", "fnd-00000000000c", "fnd-00000000000d", "fnd-000000000010", "fnd-unit-x", "fnd-00000000000g", "fnd-00000000000e.daemonx"};
	char own[400], path[512], dead[3][512];
	struct fn_cgroups *cgs;
	struct fn_cg_probe p;
	struct fn_err err;
	pid_t in_daemon, in_sandbox, named;
	int held, waits[2], says[2];

	if (geteuid() != 0) {
		printf("SKIP: cgroups need root\n");
		return;
	}
	ck_assert_int_eq(fn_cg_probe(&p, &err), 0);
	snprintf(own, sizeof(own), "%s%s", p.unified_mount, p.unified_own_path);
	make(dead[0], sizeof(dead[0]), own, "fnd-00000000000a"); /* with what a sandbox and its daemon had */
	make(path, sizeof(path), dead[0], "7");
	make(dead[1], sizeof(dead[1]), own, "fnd-00000000000a.daemon");
	make(dead[2], sizeof(dead[2]), own, "fnd-00000000000f.daemon");
	for (size_t i = 0; i < sizeof(living) / sizeof(living[0]); i++)
		make(path, sizeof(path), own, living[i]);
	snprintf(path, sizeof(path), "%s/%s", own, living[0]); /* is held; nothing of it need be busy */
	held = fn_cg_hold(path);
	ck_assert_int_ge(held, 0);
	make(path, sizeof(path), own, "fnd-00000000000c.daemon"); /* of an fnd that does not know of holding */
	in_daemon = live_in(path);
	make(path, sizeof(path), own, "fnd-00000000000d/1");
	in_sandbox = live_in(path);
	ck_assert_int_eq(pipe(waits), 0);
	ck_assert_int_eq(pipe(says), 0);
	named = fork();
	if (named == 0) {
		(void)dup2(waits[0], 0);
		(void)dup2(says[1], 1);
		(void)execl("/bin/sh", "sh", "-c", "echo; read x", "--instance", living[3], NULL);
		_exit(1);
	}
	ck_assert_int_gt(named, 0);
	ck_assert_int_eq(read(says[0], path, 1), 1);

	ck_assert_int_eq(fn_cgroups_open("fnd-unit-sweep", &cgs, &err), 0);
	(void)fn_cgroups_sweep_others(cgs); /* how many is not ours alone: there may be another fnd, which sweeps too, and what others left */
	for (size_t i = 0; i < 3; i++)
		ck_assert_msg(access(dead[i], F_OK) < 0, "%s", dead[i]);
	for (size_t i = 0; i < sizeof(living) / sizeof(living[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", own, living[i]);
		ck_assert_msg(access(path, F_OK) == 0, "%s", path);
	}
	close(held); /* as when it is killed */
	kill(in_daemon, SIGKILL);
	kill(in_sandbox, SIGKILL);
	kill(named, SIGKILL);
	ck_assert_int_eq(waitpid(named, NULL, 0), named);
	ck_assert_int_eq(waitpid(in_daemon, NULL, 0), in_daemon);
	ck_assert_int_eq(waitpid(in_sandbox, NULL, 0), in_sandbox);
	(void)fn_cgroups_sweep_others(cgs);
	for (size_t i = 0; i < sizeof(living) / sizeof(living[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", own, living[i]);
		ck_assert_int_eq(access(path, F_OK), i < 4 ? -1 : 0);
		ck_assert(i < 4 || rmdir(path) == 0);
	}
	fn_cgroups_close(cgs);
}
END_TEST

/* In the group; holds 8 MB of its own and 16 MB of page cache of a file that it has written, says so and waits. */
static void hold_memory(int in, int out)
{
	static char block[1 << 20];
	char name[] = "./.fn-reclaim-XXXXXX", c;
	char *own = malloc(8 << 20);
	int fd;

	while (read(in, &c, 1) > 0)
		;
	fd = mkstemp(name);
	unlink(name);
	memset(block, 'x', sizeof(block));
	memset(own, 'y', 8 << 20);
	for (int i = 0; i < 16; i++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			_exit(1);
	fsync(fd);
	(void)!write(out, own, 1);
	for (;;)
		pause();
}

START_TEST(page_cache_is_taken_back)
{
	struct fn_cgroups *cgs;
	struct fn_cgroup *cg;
	struct fn_cg_stats before, after;
	struct fn_err err;
	int in[2], out[2], v1[FN_CG_N], r, dir, rounds = 0;
	unsigned n_v1;
	char path[64], c;
	pid_t pid;
	FILE *f;

	if (geteuid() != 0) {
		printf("SKIP: cgroups need root\n");
		return;
	}
	ck_assert_int_eq(fn_cgroups_open("fnd-unit-reclaim", &cgs, &err), 0);
	ck_assert_int_eq(fn_cgroup_create(cgs, "one", &limits, &cg, &err), 0);
	ck_assert_int_eq(fn_cgroup_complete(cg, &limits, &err), 0);
	ck_assert(pipe(in) == 0 && pipe(out) == 0);
	pid = fork();
	if (pid == 0) {
		close(in[1]);
		hold_memory(in[0], out[1]);
	}
	ck_assert_int_eq(fn_cgroup_open_v1(cg, v1, &n_v1, &err), 0);
	for (unsigned i = 0; i < n_v1; i++) {
		ck_assert_int_gt(dprintf(v1[i], "%d", pid), 0);
		close(v1[i]);
	}
	dir = fn_cgroup_open(cg);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/cgroup.procs", dir);
	f = fopen(path, "w");
	close(dir);
	ck_assert(f && fprintf(f, "%d", pid) > 0 && fclose(f) == 0);
	close(in[1]);
	close(out[1]);
	ck_assert_int_eq(read(out[0], &c, 1), 1);
	ck_assert_int_eq(fn_cgroup_freeze(cg, true), 0);
	ck_assert_int_eq(fn_cgroup_stats(cg, &before), 0);
	while ((r = fn_cgroup_reclaim(cg, 4 << 20)) == 1 && ++rounds < 100)
		;
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(fn_cgroup_stats(cg, &after), 0);
	ck_assert_uint_gt(before.memory_current, 20 << 20);
	ck_assert_uint_lt(after.memory_current, before.memory_current - (10 << 20));
	ck_assert_uint_gt(after.memory_current, 8 << 20); /* there is no swap */
	ck_assert_int_eq(fn_cgroup_kill(cg), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	while ((r = fn_cgroup_remove(cg)) == -EBUSY)
		usleep(1000);
	ck_assert_int_eq(r, 0);
	fn_cgroups_close(cgs);
}
END_TEST

TEST_MAIN("os/cgroup", probe, life_of_a_group, sweep_removes_what_a_dead_run_left, what_others_left_goes_unless_somebody_lives, page_cache_is_taken_back)

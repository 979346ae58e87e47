/*
 * cgroup.c - see cgroup.h. Runs in fn-spawnd.
 *
 * What is bound where, our own groups and the v1 parents: libcgroup (cgroup_probe.c). A sandbox's groups, on the path of a cold start: mkdir and
 * writes below descriptors that stay open, for two reasons. fn-spawnd has left the mount namespace in which the cgroup filesystems are, and
 * libcgroup knows paths only. And it costs (build/tests/bench/cgroup_bench, p50 of 400, a host with cpu, memory and pids on v1; the
 * descriptors' side makes one group and sets two limits more):
 *                   create and limits   attach   remove
 *   descriptors             193 us       35 us    92 us
 *   libcgroup 2.0.2         512 us       77 us    73 us
 * On a unified host (an emulated machine, all v2) it was 1.7 ms against 18.8 ms to create: libcgroup writes every subtree_control from the root down
 * each time.
 */
#include "os/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "os/cgroup_dead.h"
#include "os/cgroup_own.h"
#include "os/cgroup_probe.h"
#include "os/cgroup_stat.h"

#define SOCKET_BUFFERS (64u << 20)

/* Hierarchies in use: the unified one and up to one v1 hierarchy per controller (cpu and cpuacct may share one). */
struct hierarchy {
	int own_fd;      /* the daemon's own group: the parent is removed by it, since fn-spawnd leaves the mount namespace */
	int parent_fd;   /* <own>/<instance>, -EBADF = unused */
	char path[PATH_MAX];
};

struct fn_cgroups {
	struct fn_cg_probe probe;
	char instance[64];
	struct hierarchy unified;
	struct hierarchy v1[FN_CG_N];
	struct hierarchy seat[FN_CG_SEATS];
	bool moved; /* the daemon is in <own>/<instance>.daemon of the unified hierarchy */
	struct fn_cg_shown shown[FN_CG_SHOWN_MAX];
};

/* Reached by name, below the parents: descriptors of its own would be up to four for each sandbox, of the few thousand that a process
 * may have. */
struct fn_cgroup {
	struct fn_cgroups *cgs;
	char name[64];
	bool made, made_v1[FN_CG_N];
	struct fn_cg_limits have; /* what was written already: what does not change is not written again */
};

#define CORE FN_CG_N /* instead of a controller: files that the unified hierarchy has by itself */

struct file {
	int parent_fd;
	char path[128];
};

/* Makes <mount><own>/<instance>, which `controller` alone must be in (NULL: the unified hierarchy), and opens it. */
static int open_parent(struct hierarchy *h, const char *controller, const char *mount, const char *own, const char *instance,
		       struct fn_err *err)
{
	int r = fn_str_format(h->path, sizeof(h->path), "%s%s/%s", mount, fn_streq(own, "/") ? "" : own, instance);

	if (r < 0)
		return fn_err_set(err, r, "cgroup parent", "%s", own);
	if (controller)
		r = fn_cg_make_v1(controller, h->path + strlen(mount) + 1, err);
	if (r < 0)
		return r;
	h->parent_fd = fn_cg_hold(h->path);
	h->own_fd = openat(h->parent_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return h->parent_fd < 0 ? fn_err_set(err, h->parent_fd, "cgroup open", "%s", h->path) : 0;
}

/* v2 controllers must be enabled in every ancestor from the daemon's own group down. A group with processes cannot hand controllers down (no
 * internal processes, cgroups(7)), the hierarchy's root excepted: another reason to leave it. */
static int enable_v2(struct fn_cgroups *cgs, struct fn_err *err)
{
	const struct fn_cg_probe *p = &cgs->probe;
	char word[64];

	for (enum fn_cg_controller c = 0; c < FN_CG_N; c++) {
		int r;

		if (p->driver[c] != FN_CG_V2)
			continue;
		snprintf(word, sizeof(word), "+%s", fn_cg_controller_name(c));
		r = fn_file_write(cgs->unified.own_fd, "cgroup.subtree_control", word);
		if (r == -EBUSY)
			return fn_err_set(err, r, "cgroup enable", "%s in %s%s: other processes are in that group; start fnd in one of its own (a service)",
					  fn_cg_controller_name(c), p->unified_mount, p->unified_own_path);
		if (r == 0)
			r = fn_file_write(cgs->unified.parent_fd, "cgroup.subtree_control", word);
		if (r < 0)
			return fn_err_set(err, r, "cgroup enable", "%s in %s%s; delegate the group (systemd: Delegate=yes)",
					  fn_cg_controller_name(c), p->unified_mount, p->unified_own_path);
	}
	return 0;
}

/* Back to where the daemon was started, so that nothing of ours is left there. Controllers that another instance in the same group
 * uses cannot be disabled (EBUSY); then we stay, and so does the group. In the hierarchy's root, where processes may be all the same, they are not ours
 * to disable: other groups have their limits by them. */
static void leave_daemon_group(struct fn_cgroups *cgs)
{
	char word[64];

	for (enum fn_cg_controller c = 0; c < FN_CG_N; c++)
		if (cgs->probe.driver[c] == FN_CG_V2 && !fn_streq(cgs->probe.unified_own_path, "/")) {
			snprintf(word, sizeof(word), "-%s", fn_cg_controller_name(c));
			(void)fn_file_write(cgs->unified.own_fd, "cgroup.subtree_control", word);
		}
	fn_cg_own_leave(cgs->unified.own_fd, cgs->instance);
}

/* The daemon goes beside its sandboxes, where the CPU is first of all its own: what they do together must not keep it from its work. */
static int enter_daemon_groups(struct fn_cgroups *cgs, struct fn_err *err)
{
	bool any_v2 = false;
	int r = 0;

	for (int c = 0; c < FN_CG_N; c++)
		any_v2 |= cgs->probe.driver[c] == FN_CG_V2;
	if (any_v2) {
		cgs->moved = true;
		r = fn_cg_own_enter(cgs->unified.own_fd, cgs->instance, err);
	}
	if (r == 0)
		r = enable_v2(cgs, err);
	if (r == 0 && cgs->probe.driver[FN_CG_CPU] == FN_CG_V1)
		r = fn_cg_own_enter(cgs->v1[FN_CG_CPU].own_fd, cgs->instance, err);
	return r;
}

/* Hierarchies of which sandboxes are shown a group that is fn-spawnd's and theirs: born there, they are never moved. It is for those who want to find
 * one (a JVM takes no limit of v1 unless it finds all of memory, cpu, cpuacct and cpuset); without it nothing else is missing. */
static void take_seats(struct fn_cgroups *cgs)
{
	for (int i = 0; i < FN_CG_SEATS; i++) {
		struct fn_cg_seat *s = &cgs->probe.seat[i];
		struct fn_err none;

		if (s->mount[0] && (open_parent(&cgs->seat[i], s->name, s->mount, s->own_path, cgs->instance, &none) < 0 ||
				    fn_cg_own_sit(cgs->seat[i].own_fd, cgs->seat[i].parent_fd) < 0))
			s->mount[0] = '\0';
	}
}

int fn_cgroups_open(const char *instance, struct fn_cgroups **ret, struct fn_err *err)
{
	struct fn_cgroups *cgs = calloc(1, sizeof(*cgs));
	int r;

	if (!cgs)
		return fn_err_set(err, ENOMEM, "cgroup open", NULL);
	cgs->unified.parent_fd = cgs->unified.own_fd = -EBADF;
	for (int c = 0; c < FN_CG_N; c++)
		cgs->v1[c].parent_fd = cgs->v1[c].own_fd = -EBADF;
	for (int i = 0; i < FN_CG_SEATS; i++)
		cgs->seat[i].parent_fd = cgs->seat[i].own_fd = -EBADF;
	snprintf(cgs->instance, sizeof(cgs->instance), "%s", instance);
	r = fn_cg_probe(&cgs->probe, err);
	/* an fn-spawnd started anew is born where the master was moved to: its own group is the one above */
	fn_cg_own_strip(instance, cgs->probe.unified_own_path);
	for (int c = 0; c < FN_CG_N; c++)
		fn_cg_own_strip(instance, cgs->probe.own_path[c]);
	if (r == 0)
		r = fn_cg_check(&cgs->probe, err);
	if (r == 0)
		r = open_parent(&cgs->unified, NULL, cgs->probe.unified_mount, cgs->probe.unified_own_path, instance, err);
	for (int c = 0; r == 0 && c < FN_CG_N; c++)
		if (cgs->probe.driver[c] == FN_CG_V1)
			r = open_parent(&cgs->v1[c], fn_cg_controller_name(c), cgs->probe.mount[c], cgs->probe.own_path[c], instance, err);
	if (r == 0)
		r = enter_daemon_groups(cgs, err);
	if (r == 0)
		take_seats(cgs);
	fn_cg_show(&cgs->probe, cgs->shown);
	if (r < 0) {
		fn_cgroups_close(cgs);
		return r;
	}
	*ret = cgs;
	return 0;
}

int fn_cgroups_sweep(struct fn_cgroups *cgs, struct fn_err *err)
{
	int n = 0, other = 0;

	(void)err;
	fn_cg_sweep_below(cgs->unified.parent_fd, true, &n);
	for (int c = 0; c < FN_CG_N; c++)
		if (cgs->v1[c].parent_fd >= 0)
			fn_cg_sweep_below(cgs->v1[c].parent_fd, false, &other);
	return n;
}

unsigned fn_cgroups_sweep_others(struct fn_cgroups *cgs)
{
	int own[1 + FN_CG_N + FN_CG_SEATS] = {cgs->unified.own_fd};

	for (int c = 0; c < FN_CG_N; c++)
		own[1 + c] = cgs->v1[c].own_fd;
	for (int i = 0; i < FN_CG_SEATS; i++)
		own[1 + FN_CG_N + i] = cgs->seat[i].own_fd;
	return fn_cg_dead_sweep(own, sizeof(own) / sizeof(own[0]), cgs->instance);
}

static void close_parent(struct hierarchy *h, const char *instance)
{
	if (h->parent_fd < 0)
		return;
	fn_close(h->parent_fd);
	fn_cg_own_remove(h->own_fd, instance);
}

void fn_cgroups_close(struct fn_cgroups *cgs)
{
	if (!cgs)
		return;
	close_parent(&cgs->unified, cgs->instance);
	if (cgs->moved)
		leave_daemon_group(cgs);
	fn_close(cgs->unified.own_fd);
	fn_cg_own_leave(cgs->v1[FN_CG_CPU].own_fd, cgs->instance);
	for (int c = 0; c < FN_CG_N; c++) {
		close_parent(&cgs->v1[c], cgs->instance);
		fn_close(cgs->v1[c].own_fd);
	}
	for (int i = 0; i < FN_CG_SEATS; i++) {
		fn_cg_own_rise(cgs->seat[i].own_fd, cgs->instance);
		close_parent(&cgs->seat[i], cgs->instance);
		fn_close(cgs->seat[i].own_fd);
	}
	free(cgs);
}

static bool is_v1(const struct fn_cgroup *cg, enum fn_cg_controller c) { return cg->cgs->v1[c].parent_fd >= 0; }

static struct file file_of(const struct fn_cgroup *cg, unsigned controller, const char *name)
{
	struct file f = {.parent_fd = cg->cgs->unified.parent_fd};

	if (controller != CORE && is_v1(cg, controller))
		f.parent_fd = cg->cgs->v1[controller].parent_fd;
	snprintf(f.path, sizeof(f.path), "%s/%s", cg->name, name);
	return f;
}

static int open_file(const struct fn_cgroup *cg, unsigned controller, const char *name, int flags)
{
	struct file f = file_of(cg, controller, name);
	int fd = openat(f.parent_fd, f.path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int write_file(const struct fn_cgroup *cg, unsigned controller, const char *name, const char *text)
{
	struct file f = file_of(cg, controller, name);

	return fn_file_write(f.parent_fd, f.path, text);
}

static int put(const struct fn_cgroup *cg, enum fn_cg_controller c, const char *file, uint64_t value, struct fn_err *err)
{
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%" PRIu64, value);
	r = write_file(cg, c, file, text);
	return r < 0 ? fn_err_set(err, r, "cgroup write", "%s = %s", file, text) : 0;
}

/* What is the same for every sandbox. */
static int set_memory_rules(struct fn_cgroup *cg, struct fn_err *err)
{
	struct file swap;
	int r;

	if (is_v1(cg, FN_CG_MEMORY)) {
		if (!cg->cgs->probe.swap_limit)
			(void)write_file(cg, FN_CG_MEMORY, "memory.swappiness", "0"); /* refused below a parent with use_hierarchy on some kernels */
		/* v1 counts what lies in sockets' buffers apart, and without a limit not at all: it would be the whole host's (tcp_mem) to fill */
		return cg->cgs->probe.tcp_limit ? put(cg, FN_CG_MEMORY, "memory.kmem.tcp.limit_in_bytes", SOCKET_BUFFERS, err) : 0;
	}
	r = put(cg, FN_CG_MEMORY, "memory.oom.group", 1, err);
	swap = file_of(cg, FN_CG_MEMORY, "memory.swap.max");
	if (r == 0 && faccessat(swap.parent_fd, swap.path, F_OK, 0) == 0)
		r = put(cg, FN_CG_MEMORY, "memory.swap.max", 0, err);
	return r;
}

static int limit_memory(struct fn_cgroup *cg, uint64_t bytes, struct fn_err *err)
{
	bool v1 = is_v1(cg, FN_CG_MEMORY);
	int r;

	if (bytes == 0 || bytes == cg->have.memory_bytes)
		return 0;
	r = put(cg, FN_CG_MEMORY, v1 ? "memory.limit_in_bytes" : "memory.max", bytes, err);
	if (r == 0 && v1 && cg->cgs->probe.swap_limit)
		r = put(cg, FN_CG_MEMORY, "memory.memsw.limit_in_bytes", bytes, err);
	if (r == 0)
		cg->have.memory_bytes = bytes;
	return r;
}

int fn_cgroup_set_cpu(struct fn_cgroup *cg, const struct fn_cg_limits *l, struct fn_err *err)
{
	char text[64];
	int r = 0;

	if (l->cpu_quota_us == 0 || (l->cpu_quota_us == cg->have.cpu_quota_us && l->cpu_period_us == cg->have.cpu_period_us))
		return 0;
	if (!is_v1(cg, FN_CG_CPU)) {
		snprintf(text, sizeof(text), "%u %u", l->cpu_quota_us, l->cpu_period_us);
		r = write_file(cg, FN_CG_CPU, "cpu.max", text);
		if (r < 0)
			return fn_err_set(err, r, "cgroup write", "cpu.max = %s", text);
	} else {
		if (l->cpu_period_us != cg->have.cpu_period_us)
			r = put(cg, FN_CG_CPU, "cpu.cfs_period_us", l->cpu_period_us, err);
		if (r == 0)
			r = put(cg, FN_CG_CPU, "cpu.cfs_quota_us", l->cpu_quota_us, err);
		if (r < 0)
			return r;
	}
	cg->have.cpu_quota_us = l->cpu_quota_us;
	cg->have.cpu_period_us = l->cpu_period_us;
	return 0;
}

int fn_cgroup_set_limits(struct fn_cgroup *cg, const struct fn_cg_limits *l, struct fn_err *err)
{
	int r = limit_memory(cg, l->memory_bytes, err);

	if (r == 0)
		r = fn_cgroup_set_cpu(cg, l, err);
	if (r == 0 && l->pids_max != cg->have.pids_max) {
		r = put(cg, FN_CG_PIDS, "pids.max", l->pids_max, err);
		if (r == 0)
			cg->have.pids_max = l->pids_max;
	}
	return r;
}

static int make_group(int parent_fd, const char *name, bool *ret_made, struct fn_err *err)
{
	if (mkdirat(parent_fd, name, 0755) < 0)
		return fn_err_set(err, errno, "cgroup mkdir", "%s", name);
	*ret_made = true;
	return 0;
}

static bool is_hybrid(const struct fn_cgroup *cg)
{
	for (int c = 0; c < FN_CG_N; c++)
		if (is_v1(cg, c))
			return true;
	return false;
}

static int set_up(struct fn_cgroup *cg, const struct fn_cg_limits *limits, struct fn_err *err)
{
	int r = set_memory_rules(cg, err);

	return r == 0 && limits ? fn_cgroup_set_limits(cg, limits, err) : r;
}

int fn_cgroup_create(struct fn_cgroups *cgs, const char *name, const struct fn_cg_limits *limits, struct fn_cgroup **ret,
		     struct fn_err *err)
{
	struct fn_cgroup *cg = calloc(1, sizeof(*cg));
	int r;

	if (!cg)
		return fn_err_set(err, ENOMEM, "cgroup create", NULL);
	cg->cgs = cgs;
	snprintf(cg->name, sizeof(cg->name), "%s", name);
	r = make_group(cgs->unified.parent_fd, name, &cg->made, err);
	if (r == 0 && !is_hybrid(cg))
		r = set_up(cg, limits, err);
	if (r < 0) {
		(void)fn_cgroup_remove(cg);
		return r;
	}
	*ret = cg;
	return 0;
}

int fn_cgroup_complete(struct fn_cgroup *cg, const struct fn_cg_limits *limits, struct fn_err *err)
{
	int r = 0;

	if (!is_hybrid(cg))
		return 0;
	for (int c = 0; r == 0 && c < FN_CG_N; c++)
		if (is_v1(cg, c))
			r = make_group(cg->cgs->v1[c].parent_fd, cg->name, &cg->made_v1[c], err);
	return r < 0 ? r : set_up(cg, limits, err);
}

int fn_cgroup_open(const struct fn_cgroup *cg) { return open_file(cg, CORE, ".", O_RDONLY | O_DIRECTORY); }

int fn_cgroup_open_v1(const struct fn_cgroup *cg, int *ret_fds, unsigned *ret_n, struct fn_err *err)
{
	*ret_n = 0;
	for (int c = 0; c < FN_CG_N; c++) {
		int fd;

		if (!is_v1(cg, c))
			continue;
		fd = open_file(cg, c, "tasks", O_WRONLY);
		if (fd < 0) {
			while (*ret_n > 0)
				fn_close(ret_fds[--*ret_n]);
			return fn_err_set(err, fd, "cgroup attach", "%s", fn_cg_controller_name(c));
		}
		ret_fds[(*ret_n)++] = fd;
	}
	return 0;
}

static uint64_t read_number(const struct fn_cgroup *cg, enum fn_cg_controller c, const char *name)
{
	struct file f = file_of(cg, c, name);
	char buf[64];

	return fn_file_read(f.parent_fd, f.path, buf, sizeof(buf)) < 0 ? UINT64_MAX : strtoull(buf, NULL, 10);
}

/* The value after "key " on a line of its own in a flat-keyed file; 0 when absent. */
static uint64_t read_key_at(int dir_fd, const char *path, const char *key)
{
	char buf[2048], *save = NULL;
	size_t n = strlen(key);

	if (fn_file_read(dir_fd, path, buf, sizeof(buf)) < 0)
		return 0;
	for (char *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	return 0;
}

static uint64_t read_key(const struct fn_cgroup *cg, unsigned controller, const char *name, const char *key)
{
	struct file f = file_of(cg, controller, name);

	return read_key_at(f.parent_fd, f.path, key);
}

/* cpu.stat is a core file of the unified hierarchy: usage is there on hybrid hosts too. */
uint64_t fn_cgroup_cpu_us(const struct fn_cgroup *cg) { return read_key(cg, CORE, "cpu.stat", "usage_usec"); }
uint64_t fn_cgroups_cpu_us(const struct fn_cgroups *cgs) { return read_key_at(cgs->unified.parent_fd, "cpu.stat", "usage_usec"); }

static uint64_t files_cached(const struct fn_cgroup *cg)
{
	struct file f = file_of(cg, FN_CG_MEMORY, "memory.stat");
	char text[8192];

	return fn_file_read(f.parent_fd, f.path, text, sizeof(text)) < 0 ? 0 : fn_cg_stat_files(text);
}

int fn_cgroup_stats(struct fn_cgroup *cg, struct fn_cg_stats *s)
{
	bool v1 = is_v1(cg, FN_CG_MEMORY);

	*s = (struct fn_cg_stats){0};
	s->memory_peak = read_number(cg, FN_CG_MEMORY, v1 ? "memory.max_usage_in_bytes" : "memory.peak");
	s->memory_current = read_number(cg, FN_CG_MEMORY, v1 ? "memory.usage_in_bytes" : "memory.current");
	s->memory_files = files_cached(cg);
	s->oom_kills = read_key(cg, FN_CG_MEMORY, v1 ? "memory.oom_control" : "memory.events", "oom_kill");
	s->cpu_usage_us = fn_cgroup_cpu_us(cg);
	s->cpu_throttled_us = is_v1(cg, FN_CG_CPU) ? read_key(cg, FN_CG_CPU, "cpu.stat", "throttled_time") / 1000
						   : read_key(cg, CORE, "cpu.stat", "throttled_usec");
	return 0;
}

uint64_t fn_cgroup_kernel_memory(const struct fn_cgroup *cg)
{
	return is_v1(cg, FN_CG_MEMORY) ? read_number(cg, FN_CG_MEMORY, "memory.kmem.usage_in_bytes") : read_key(cg, FN_CG_MEMORY, "memory.stat", "kernel");
}

int fn_cgroup_freeze(struct fn_cgroup *cg, bool frozen) { return write_file(cg, CORE, "cgroup.freeze", frozen ? "1" : "0"); }

int fn_cgroup_set_idle(const struct fn_cgroup *cg, bool idle) { return write_file(cg, FN_CG_CPU, "cpu.idle", idle ? "1" : "0"); }

int fn_cgroup_reclaim(struct fn_cgroup *cg, uint64_t bytes)
{
	char text[32];
	int r;

	if (is_v1(cg, FN_CG_MEMORY))
		return write_file(cg, FN_CG_MEMORY, "memory.force_empty", "1");
	if (!cg->cgs->probe.has_memory_reclaim)
		return -EOPNOTSUPP;
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	r = write_file(cg, FN_CG_MEMORY, "memory.reclaim", text);
	return r == 0 ? 1 : r == -EAGAIN ? 0 : r;
}

int fn_cgroup_kill(struct fn_cgroup *cg) { return write_file(cg, CORE, "cgroup.kill", "1"); }

int fn_cgroup_open_freeze(const struct fn_cgroup *cg) { return open_file(cg, CORE, "cgroup.freeze", O_WRONLY); }

int fn_cgroup_open_peak(const struct fn_cgroup *cg)
{
	return open_file(cg, FN_CG_MEMORY, is_v1(cg, FN_CG_MEMORY) ? "memory.max_usage_in_bytes" : "memory.peak", O_RDONLY);
}

int fn_cgroup_open_stat(const struct fn_cgroup *cg) { return open_file(cg, FN_CG_MEMORY, "memory.stat", O_RDONLY); }

/* Documentation/admin-guide/cgroup-v1/memory.rst, 9 and 10: "<eventfd> <memory.oom_control>". The latter need not stay open. */
int fn_cgroup_watch_oom(const struct fn_cgroup *cg)
{
	fn_auto_fd int event = -EBADF, control = -EBADF;
	char text[32];
	int r;

	if (!is_v1(cg, FN_CG_MEMORY))
		return -EOPNOTSUPP;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return -errno;
	control = open_file(cg, FN_CG_MEMORY, "memory.oom_control", O_RDONLY);
	if (control < 0)
		return control;
	snprintf(text, sizeof(text), "%d %d", event, control);
	r = write_file(cg, FN_CG_MEMORY, "cgroup.event_control", text);
	return r < 0 ? r : fn_take_fd(&event);
}

/* In this order: when the usage is down again a kill has been counted. */
static uint64_t page_cache(const struct fn_cgroup *cg)
{
	uint64_t active = read_key(cg, FN_CG_MEMORY, "memory.stat", "active_file"), inactive = read_key(cg, FN_CG_MEMORY, "memory.stat", "inactive_file");

	return active == UINT64_MAX || inactive == UINT64_MAX ? 0 : active + inactive;
}

bool fn_cgroup_out_of_memory(const struct fn_cgroup *cg)
{
	uint64_t limit = cg->have.memory_bytes, used = read_number(cg, FN_CG_MEMORY, "memory.usage_in_bytes");
	uint64_t cached = limit && used >= limit - limit / 64 ? page_cache(cg) : 0; /* full of what it would give back is not at its end */

	return (limit && used >= limit - limit / 64 + cached) || read_key(cg, FN_CG_MEMORY, "memory.oom_control", "oom_kill") > 0;
}

int fn_cgroup_remove(struct fn_cgroup *cg)
{
	struct fn_cgroups *cgs;

	if (!cg)
		return 0;
	cgs = cg->cgs;
	for (int c = 0; c < FN_CG_N; c++)
		if (cg->made_v1[c]) {
			if (unlinkat(cgs->v1[c].parent_fd, cg->name, AT_REMOVEDIR) < 0 && errno == EBUSY)
				return -EBUSY;
			cg->made_v1[c] = false;
		}
	if (cg->made && unlinkat(cgs->unified.parent_fd, cg->name, AT_REMOVEDIR) < 0 && errno == EBUSY)
		return -EBUSY;
	free(cg);
	return 0;
}

const struct fn_cg_shown *fn_cgroups_shown(const struct fn_cgroups *cgs) { return cgs->shown; }

const char *fn_cgroups_describe(const struct fn_cgroups *cgs, char *buf, size_t size)
{
	const struct fn_cg_probe *p = &cgs->probe;

	snprintf(buf, size, "memory %s at %s, cpu %s at %s, pids %s at %s, freeze and kill at %s",
		 p->driver[FN_CG_MEMORY] == FN_CG_V2 ? "v2" : "v1", p->mount[FN_CG_MEMORY],
		 p->driver[FN_CG_CPU] == FN_CG_V2 ? "v2" : "v1", p->mount[FN_CG_CPU],
		 p->driver[FN_CG_PIDS] == FN_CG_V2 ? "v2" : "v1", p->mount[FN_CG_PIDS], p->unified_mount);
	return buf;
}

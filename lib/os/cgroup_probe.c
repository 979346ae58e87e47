/*
 * cgroup_probe.c - which controller is bound where, by libcgroup; the v1 groups that live as long as the daemon. fnd and fn-spawnd.
 *
 * Not libcgroup's (2.0.2): a cgroup2 mount without controllers, which it does not list (hybrid hosts); the own group in the unified hierarchy
 * (cgroup_get_current_controller_path() fails on the empty controller list there: its issue 335); groups in the unified hierarchy (with
 * no controller cgroup_create_cgroup() makes none and reports success; with one it also writes subtree_control from the root down,
 * which with a delegated group is not ours to do).
 */
#include "os/cgroup_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

static const char *const names[FN_CG_N] = {[FN_CG_MEMORY] = "memory", [FN_CG_CPU] = "cpu", [FN_CG_PIDS] = "pids"};

const char *fn_cg_controller_name(enum fn_cg_controller c) { return names[c]; }

/* Its words go nowhere by themselves (it would print them on stdout): what failed, the caller learns from the code. */
static void on_log(void *arg, int level, const char *fmt, va_list ap)
{
	char text[256];

	(void)arg;
	(void)level;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	fn_log_debug("libcgroup: %s", text);
}

static int library_error(struct fn_err *err, int code, const char *stage, const char *what)
{
	int e = code == ECGOTHER ? cgroup_get_last_errno() : code == ECGROUPNOTALLOWED ? EPERM : code == ECGROUPNOTMOUNTED ? ENOENT : EIO;

	return fn_err_set(err, e, stage, "%s: %s", what, code == ECGOTHER ? "" : cgroup_strerror(code));
}

static bool kernel_at_least(int major, int minor)
{
	char rel[64];
	int a = 0, b = 0;

	if (fn_file_read(AT_FDCWD, "/proc/sys/kernel/osrelease", rel, sizeof(rel)) < 0 || sscanf(rel, "%d.%d", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

static bool is_v2(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

static void unified_own_path(char *ret, size_t size)
{
	char line[PATH_MAX + 256];
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (fn_str_starts(line, "0::"))
			snprintf(ret, size, "%s", line + 3);
	}
	if (f)
		fclose(f);
}

static void find_unified(struct fn_cg_probe *p)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	while (f && (m = getmntent(f)))
		if (fn_streq(m->mnt_type, "cgroup2") && !p->unified_mount[0])
			snprintf(p->unified_mount, sizeof(p->unified_mount), "%s", m->mnt_dir);
	if (f)
		endmntent(f);
	if (p->unified_mount[0])
		unified_own_path(p->unified_own_path, sizeof(p->unified_own_path));
}

/* Of the line "4:cpu,cpuacct:/path" in /proc/self/cgroup that has this controller, the middle. */
static void find_together(const char *name, char *ret, size_t size)
{
	char line[PATH_MAX + 256], copy[128];
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *from = strchr(line, ':'), *to = from ? strchr(from + 1, ':') : NULL, *save = NULL;

		if (!to || fn_str_format(copy, sizeof(copy), "%.*s", (int)(to - from - 1), from + 1) < 0)
			continue;
		for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
			if (fn_streq(w, name))
				snprintf(ret, size, "%.*s", (int)(to - from - 1), from + 1);
	}
	if (f)
		fclose(f);
}

static void show_v1(struct fn_cg_shown *ret, const char *where, const char *controllers)
{
	size_t n = 0, most = sizeof(ret->options) / sizeof(ret->options[0]) - 2;
	char *save = NULL;

	*ret = (struct fn_cg_shown){.where = where};
	snprintf(ret->controllers, sizeof(ret->controllers), "%s", controllers);
	snprintf(ret->words, sizeof(ret->words), "%s", controllers);
	for (char *w = strtok_r(ret->words, ",", &save); w && n < most; w = strtok_r(NULL, ",", &save), n += 2)
		ret->options[n] = w;
}

void fn_cg_show(const struct fn_cg_probe *p, struct fn_cg_shown *ret)
{
	static const char *const where[FN_CG_N] = {[FN_CG_MEMORY] = "/memory", [FN_CG_CPU] = "/cpu", [FN_CG_PIDS] = "/pids"};
	static const char *const seats[FN_CG_SEATS] = {"/cpuset", "/cpuacct"};
	bool v1 = false, v2 = false;

	for (int c = 0; c < FN_CG_N; c++) {
		v2 |= p->driver[c] == FN_CG_V2;
		v1 |= p->driver[c] == FN_CG_V1;
		if (p->driver[c] == FN_CG_V1)
			show_v1(ret++, where[c], p->together[c]);
	}
	for (int i = 0; v1 && i < FN_CG_SEATS; i++)
		if (p->seat[i].mount[0])
			show_v1(ret++, seats[i], p->seat[i].name);
	if (v2)
		*ret++ = (struct fn_cg_shown){.where = v1 ? "/unified" : ""};
	*ret = (struct fn_cg_shown){0};
}

/* A hierarchy of its own, of nothing else and not one of ours. */
static void take_seat(struct fn_cg_seat *s, const char *path)
{
	fn_auto_free char *own = NULL;
	char together[64] = "";

	find_together(s->name, together, sizeof(together));
	if (is_v2(path) || !fn_streq(together, s->name) || cgroup_get_current_controller_path(getpid(), s->name, &own) != 0)
		return;
	if (fn_str_format(s->own_path, sizeof(s->own_path), "%s", own) == 0)
		(void)fn_str_format(s->mount, sizeof(s->mount), "%s", path);
}

static int take_controller(struct fn_cg_probe *p, enum fn_cg_controller c, const char *path, struct fn_err *err)
{
	fn_auto_free char *own = NULL;
	int r;

	snprintf(p->mount[c], sizeof(p->mount[c]), "%s", path);
	if (is_v2(path)) {
		p->driver[c] = FN_CG_V2;
		snprintf(p->own_path[c], sizeof(p->own_path[c]), "%s", p->unified_own_path);
		return 0;
	}
	r = cgroup_get_current_controller_path(getpid(), names[c], &own);
	if (r)
		return library_error(err, r, "cgroup probe", names[c]);
	p->driver[c] = FN_CG_V1;
	find_together(names[c], p->together[c], sizeof(p->together[c]));
	snprintf(p->own_path[c], sizeof(p->own_path[c]), "%s", own);
	return 0;
}

static int find_controllers(struct fn_cg_probe *p, struct fn_err *err)
{
	fn_auto_free struct cgroup_mount_point *m = calloc(1, sizeof(*m)); /* two paths of 4 KiB */
	void *it = NULL;
	int r, rc = 0;

	if (!m)
		return fn_err_set(err, ENOMEM, "cgroup probe", NULL);
	cgroup_set_logger(on_log, CGROUP_LOG_WARNING, NULL);
	r = cgroup_init(); /* looks at the mounts anew each time */
	if (r == ECGROUPNOTMOUNTED) /* no controller anywhere: said controller by controller */
		return 0;
	if (r)
		return library_error(err, r, "cgroup probe", "/proc/mounts");
	for (r = cgroup_get_controller_begin(&it, m); r == 0 && rc == 0; r = cgroup_get_controller_next(&it, m)) {
		for (enum fn_cg_controller c = 0; c < FN_CG_N && rc == 0; c++)
			if (p->driver[c] == FN_CG_ABSENT && fn_streq(m->name, names[c]))
				rc = take_controller(p, c, m->path, err);
		for (int i = 0; i < FN_CG_SEATS; i++)
			if (!p->seat[i].mount[0] && fn_streq(m->name, p->seat[i].name))
				take_seat(&p->seat[i], m->path);
	}
	(void)cgroup_get_controller_end(&it);
	return rc;
}

int fn_cg_probe(struct fn_cg_probe *p, struct fn_err *err)
{
	char path[PATH_MAX];
	int r;

	*p = (struct fn_cg_probe){.seat = {{.name = "cpuset"}, {.name = "cpuacct"}}};
	find_unified(p);
	r = find_controllers(p, err);
	if (r < 0)
		return r;
	p->has_freeze = p->unified_mount[0] && kernel_at_least(5, 2);
	p->has_kill = p->unified_mount[0] && kernel_at_least(5, 14);
	p->has_oom_group = p->driver[FN_CG_MEMORY] == FN_CG_V2;
	p->has_memory_peak = p->driver[FN_CG_MEMORY] == FN_CG_V1 || kernel_at_least(5, 19);
	p->has_memory_reclaim = p->driver[FN_CG_MEMORY] == FN_CG_V2 && kernel_at_least(5, 19);
	p->swap_limit = true;
	if (p->driver[FN_CG_MEMORY] == FN_CG_V1) {
		snprintf(path, sizeof(path), "%s/memory.memsw.limit_in_bytes", p->mount[FN_CG_MEMORY]);
		p->swap_limit = access(path, F_OK) == 0;
		snprintf(path, sizeof(path), "%s/memory.kmem.tcp.limit_in_bytes", p->mount[FN_CG_MEMORY]);
		p->tcp_limit = access(path, F_OK) == 0;
	}
	return 0;
}

int fn_cg_make_v1(const char *controller, const char *path, struct fn_err *err)
{
	struct cgroup *g = cgroup_new_cgroup(path);
	int r = g && cgroup_add_controller(g, controller) ? cgroup_create_cgroup(g, 1) : ECGFAIL;

	cgroup_free(&g);
	return r ? library_error(err, r, "cgroup mkdir", path) : 0;
}

int fn_cg_check(const struct fn_cg_probe *p, struct fn_err *err)
{
	if (!p->unified_mount[0])
		return fn_err_set(err, ENOENT, "cgroup probe",
				  "no cgroup2 mount; mount one: mount -t cgroup2 none /sys/fs/cgroup/unified");
	if (!p->has_kill)
		return fn_err_set(err, ENOSYS, "cgroup probe", "cgroup.kill needs Linux 5.14 or later");
	for (enum fn_cg_controller c = 0; c < FN_CG_N; c++) {
		const char *n = fn_cg_controller_name(c);

		if (p->driver[c] == FN_CG_ABSENT)
			return fn_err_set(err, ENOENT, "cgroup probe",
					  "controller %s is in no hierarchy; enable it (kernel command line cgroup_enable=%s), or "
					  "mount it: mount -t cgroup -o %s none /sys/fs/cgroup/%s",
					  n, n, n, n);
	}
	return 0;
}

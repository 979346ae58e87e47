/*
 * cgroup.h - limits, controller by controller (libcgroup), and the unified hierarchy's core.
 *
 * Runs in fn-spawnd. At start every controller fnd needs (memory, cpu, pids) is looked up: bound to v2 it is driven through
 * the unified hierarchy, bound to v1 (hybrid hosts) through its own hierarchy; nowhere, it is a start-up error that names it and
 * the remedy. A unified mount is always needed, with or without controllers: clone3's CLONE_INTO_CGROUP, cgroup.freeze and
 * cgroup.kill (core files, Linux >= 5.14) live there. Groups are made below the daemon's own group of each hierarchy:
 * <own>/fnd-<instance>/<sandbox id>.
 */
#ifndef FN_OS_CGROUP_H
#define FN_OS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum fn_cg_controller { FN_CG_MEMORY, FN_CG_CPU, FN_CG_PIDS, FN_CG_N };
enum fn_cg_driver { FN_CG_ABSENT, FN_CG_V1, FN_CG_V2 };

struct fn_cg_limits {
	uint64_t memory_bytes;   /* memory.max / memory.limit_in_bytes; swap is 0. 0 = none yet */
	uint32_t cpu_quota_us;   /* per cpu_period_us; may exceed it (several CPUs) */
	uint32_t cpu_period_us;
	uint32_t pids_max;
};

struct fn_cg_stats {
	uint64_t memory_peak;  /* bytes; UINT64_MAX where the kernel does not tell (memory.peak is Linux >= 5.19) */
	uint64_t memory_current;
	uint64_t memory_files; /* page cache in it of files on a disk: neither tmpfs nor shared memory */
	uint64_t oom_kills;
	uint64_t cpu_usage_us;
	uint64_t cpu_throttled_us;
};

/* A file system of cgroups that a sandbox is shown, from its cgroup namespace. */
struct fn_cg_shown {
	const char *where;       /* below /sys/fs/cgroup: "/memory"; "" = itself. NULL ends a list */
	char controllers[64];    /* of that v1 hierarchy, "cpu,cpuacct"; "" = cgroup2 */
	char words[64];          /* the same, in words */
	const char *options[16]; /* which are these, for fn_mount_new(). Not to be copied: they point into it */
};

struct fn_cgroups; /* the host's hierarchies and this instance's parent groups */
struct fn_cgroup;  /* one sandbox's groups */

/* A v1 hierarchy in which sandboxes have no limits, but are shown that they are in it. */
struct fn_cg_seat {
	const char *name;
	char mount[128]; /* "" = there is none, or one of the controllers is bound to the same */
	char own_path[256];
};
#define FN_CG_SEATS 2
#define FN_CG_SHOWN_MAX (FN_CG_N + FN_CG_SEATS + 2)

/* What a host offers; needs no privilege (fnctl doctor, start-up). */
struct fn_cg_probe {
	enum fn_cg_driver driver[FN_CG_N];
	char mount[FN_CG_N][128];   /* where that hierarchy is mounted */
	char unified_mount[128];    /* "" = none: freeze and kill are impossible */
	char own_path[FN_CG_N][256]; /* this process's group in it */
	char unified_own_path[256];
	char together[FN_CG_N][64]; /* v1: the controllers of that hierarchy, "cpu,cpuacct" */
	struct fn_cg_seat seat[FN_CG_SEATS];
	bool has_kill, has_freeze, has_memory_peak, has_memory_reclaim, has_oom_group, swap_limit, tcp_limit;
};
int fn_cg_probe(struct fn_cg_probe *ret, struct fn_err *err);
const char *fn_cg_controller_name(enum fn_cg_controller c); /* "memory" */

/* Opens (and makes) the parent groups of this instance; `instance` is [A-Za-z0-9_-]+. Where the CPU is driven, and in a unified hierarchy that has
 * any controller (no internal processes), it moves the calling process, its parent and that one's children into <own>/<instance>.daemon, which has
 * the CPU's weight of <own>/<instance>, that is of all sandboxes together. */
int fn_cgroups_open(const char *instance, struct fn_cgroups **ret, struct fn_err *err);
/* Kills and removes every group a dead run of this instance left below the parents; returns how many. */
int fn_cgroups_sweep(struct fn_cgroups *cgs, struct fn_err *err);
/* Removes what other instances left that nobody owns any more (os/cgroup_dead.h); returns of how many hierarchies something is gone. */
unsigned fn_cgroups_sweep_others(struct fn_cgroups *cgs);
/* Removes the parents too (they must be empty). NULL is fine. */
void fn_cgroups_close(struct fn_cgroups *cgs);

/* Makes a sandbox's group in the unified hierarchy, and on a host where that is all, with their limits set unless limits is NULL. */
int fn_cgroup_create(struct fn_cgroups *cgs, const char *name, const struct fn_cg_limits *limits, struct fn_cgroup **ret, struct fn_err *err);
/* On a hybrid host makes the other groups and sets the limits: for when there is a process to be put into them, which may be busy meanwhile. The
 * same limits; does nothing on other hosts. */
int fn_cgroup_complete(struct fn_cgroup *cg, const struct fn_cg_limits *limits, struct fn_err *err);
/* Directory of the group in the unified hierarchy, for CLONE_INTO_CGROUP. The caller owns the descriptor; the group itself holds none. */
int fn_cgroup_open(const struct fn_cgroup *cg);
/* `tasks` of the v1 groups, opened for writing (none on a unified host): a single-threaded child that writes "0" moves itself in. Unlike
 * cgroup.procs, and unlike a write of another's pid, that takes no lock that waits for an RCU grace period (5 to 13 ms, measured). The
 * caller owns the FN_CG_N or fewer descriptors. */
int fn_cgroup_open_v1(const struct fn_cgroup *cg, int *ret_fds, unsigned *ret_n, struct fn_err *err);
int fn_cgroup_set_limits(struct fn_cgroup *cg, const struct fn_cg_limits *limits, struct fn_err *err);
int fn_cgroup_set_cpu(struct fn_cgroup *cg, const struct fn_cg_limits *limits, struct fn_err *err); /* of them, the CPU's alone */
int fn_cgroup_stats(struct fn_cgroup *cg, struct fn_cg_stats *ret);
uint64_t fn_cgroup_kernel_memory(const struct fn_cgroup *cg); /* bytes of it that the kernel has for its processes */
int fn_cgroup_freeze(struct fn_cgroup *cg, bool frozen);
/* cpu.idle (Linux >= 5.15, either version): its processes have the CPU that other sandboxes leave, and give it back at once. -errno. */
int fn_cgroup_set_idle(const struct fn_cgroup *cg, bool idle);
uint64_t fn_cgroup_cpu_us(const struct fn_cgroup *cg);    /* that it has used; 0: it is gone */
uint64_t fn_cgroups_cpu_us(const struct fn_cgroups *cgs); /* that all sandboxes have used, those that are gone included */
/* Has the kernel take back about `bytes` of pages it can do without, that is page cache: sandboxes have no swap, so what their processes
 * have allocated stays. v2: memory.reclaim (Linux >= 5.19). v1: memory.force_empty, which knows no amount and takes all there is in one go.
 * 1 = that much was there; 0 = there is no more; -EOPNOTSUPP; -errno. It waits for the kernel: about 0.3 ms per MB. */
int fn_cgroup_reclaim(struct fn_cgroup *cg, uint64_t bytes);
int fn_cgroup_kill(struct fn_cgroup *cg); /* cgroup.kill: SIGKILL to all, also when frozen */
/* Descriptors for fnd, which has no privilege of its own: cgroup.freeze opened O_WRONLY, the memory peak file O_RDONLY. The caller owns them. */
int fn_cgroup_open_freeze(const struct fn_cgroup *cg);
int fn_cgroup_open_peak(const struct fn_cgroup *cg);
int fn_cgroup_open_stat(const struct fn_cgroup *cg); /* memory.stat, O_RDONLY; for fn_cg_stat_held() */
/* v1, where the kernel's OOM killer takes one process and leaves the others (v2 has memory.oom.group): an eventfd that becomes readable when it
 * strikes in this group or in one above, before the victim is gone, and stays so; also when the group is removed. -EOPNOTSUPP with v2; -errno. The
 * caller owns it. */
int fn_cgroup_watch_oom(const struct fn_cgroup *cg);
/* Then: this group's own memory is at its end, or one of its processes was killed for memory. False: it was told for a group above. */
bool fn_cgroup_out_of_memory(const struct fn_cgroup *cg);
/* Removes the groups; -EBUSY while processes are left (call again). Frees cg on success only. */
int fn_cgroup_remove(struct fn_cgroup *cg);

/* What of the hierarchies sandboxes are shown: cgroup2 where that has all controllers, else the v1 hierarchies by name (and cgroup2 as "/unified",
 * if that has others of them). */
const struct fn_cg_shown *fn_cgroups_shown(const struct fn_cgroups *cgs);

/* How each controller is driven, for doctor and the log: "memory v1 at /sys/fs/cgroup/memory". */
const char *fn_cgroups_describe(const struct fn_cgroups *cgs, char *buf, size_t size);

#endif

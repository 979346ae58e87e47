/*
 * view.h - what a process in a sandbox finds out about its machine: as much memory, CPU and processes as the function has. Runtimes size their heaps
 * and their pools of threads by it.
 *
 *   /proc/meminfo    a file of the sandbox's own with the function's memory as MemTotal. Nothing in it moves, what is free included: that the
 *                    cgroup file system tells
 *   /sys/fs/cgroup   the sandbox's own groups, read-only, by its cgroup namespace: cgroup2 where that has all controllers (memory.max, cpu.max,
 *                    pids.max); else each v1 hierarchy as memory, cpu, pids below it, and cpuset and cpuacct, without which a JVM takes none
 *                    of them. There is nothing else in /sys
 *   host name        the address literal in fn_spec.name, and lo has that address: it resolves without any file, and can be listened at
 *
 * Made in PREPARE, when the function is not known; START writes the memory's size. In a sandbox's init: no malloc, no stdio but snprintf.
 */
#ifndef FN_SANDBOX_VIEW_H
#define FN_SANDBOX_VIEW_H

#include "base/err.h"
#include "os/cgroup.h"

struct fn_view {
	const char *sys; /* where its /sys is now */
	int meminfo_fd;  /* /proc/meminfo, to be written */
};

/* From the sandbox's own cgroup namespace. shown: ends with one whose `where` is NULL. proc_fd: its /proc. */
int fn_view_make(struct fn_view *v, const struct fn_cg_shown *shown, int proc_fd, struct fn_err *err);
/* Its /sys goes below root_fd, which is to be "/" from then on. */
int fn_view_move(struct fn_view *v, int root_fd, struct fn_err *err);
int fn_view_set_memory(const struct fn_view *v, uint64_t bytes, struct fn_err *err);

#endif

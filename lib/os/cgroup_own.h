/* cgroup_own.h - where the daemon itself is in the hierarchies: shared by the files of cgroups here. own_fd: the group it was started in. */
#ifndef FN_OS_CGROUP_OWN_H
#define FN_OS_CGROUP_OWN_H

#include <sys/types.h>

#include "base/err.h"

#define FN_CG_DAEMON ".daemon" /* behind an instance's name: the group of the daemon itself */

/* Moves the master, which is our parent, and its children, of whom we are one, into <own>/<instance>.daemon. What they fork later is born there.
 * Its share of the CPU is that of any group, and so as much as all sandboxes have together, which are in one group beside it. More (ten times was tried)
 * is no quicker beside sandboxes that take all that they get, but each packet then interrupts a runtime: 1.3 times the time an invocation with 16 connections. */
int fn_cg_own_enter(int own_fd, const char *instance, struct fn_err *err);
/* Who is there goes back, and it is removed. None there, or own_fd < 0, is fine. */
void fn_cg_own_leave(int own_fd, const char *instance);
/* Takes "/<instance>.daemon" off the end of a group's path. */
void fn_cg_own_strip(const char *instance, char *path);
/* What fn_cg_own_sit() has done, undone, also for the processes that were forked since: <own>/<instance> is removed. */
void fn_cg_own_rise(int own_fd, const char *instance);
/* v1: moves this process alone from own_fd to group_fd below it; a cpuset is given what its parent has first. */
int fn_cg_own_sit(int own_fd, int group_fd);

/* Removes an empty group; waits a while for processes in it whose end is not over yet. */
void fn_cg_own_remove(int own_fd, const char *name);

#endif

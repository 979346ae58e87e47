/* cgroup_own.h - where the daemon itself is in the hierarchies: shared by cgroup.c and cgroup_own.c only. own_fd: the group it was started in. */
#ifndef FN_OS_CGROUP_OWN_H
#define FN_OS_CGROUP_OWN_H

#include <stdbool.h>

#include "base/err.h"

/* Moves the master, which is our parent, and its children, of whom we are one, into <own>/<instance>.daemon. What they fork later is born there. */
int fn_cg_own_enter(int own_fd, const char *instance, struct fn_err *err);
/* Its share of the CPU: ten times that of all sandboxes together. */
int fn_cg_own_weigh(int own_fd, const char *instance, bool v1, struct fn_err *err);
/* Who is there goes back, and it is removed. None there, or own_fd < 0, is fine. */
void fn_cg_own_leave(int own_fd, const char *instance);
/* Takes "/<instance>.daemon" off the end of a group's path. */
void fn_cg_own_strip(const char *instance, char *path);
/* v1: moves this process alone from own_fd to group_fd below it; a cpuset is given what its parent has first. */
int fn_cg_own_sit(int own_fd, int group_fd);

#endif

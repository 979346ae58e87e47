/*
 * proc.h - what a sandbox's /proc is made to be while init still has the capabilities of its namespaces: written through a mount of proc that is
 * not, or not yet, where the function will see it. And the limits of processes.
 */
#ifndef FN_SANDBOX_PROC_H
#define FN_SANDBOX_PROC_H

#include "base/err.h"

/* Bounds of the user namespace: /proc/sys/user, user_namespaces(7). Before fn_proc_mask(). */
int fn_proc_quotas(int proc_fd, struct fn_err *err);
/* Covers what tells of the host, makes read-only what could change it. Uses FN_ROOTFS_NOTHING. */
int fn_proc_mask(int proc_fd, struct fn_err *err);
/* Resource limits of init and all that it starts, but for the number of open files, which is the function's. */
int fn_proc_rlimits(struct fn_err *err);

#endif

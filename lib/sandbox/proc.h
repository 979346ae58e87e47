/*
 * proc.h - what a sandbox's /proc is made to be while init still has the capabilities of its namespaces: written through a mount of proc that is
 * not, or not yet, where the function will see it. And the limits of processes.
 */
#ifndef FN_SANDBOX_PROC_H
#define FN_SANDBOX_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Bounds of the user namespace: /proc/sys/user, user_namespaces(7). Before fn_proc_mask(). */
int fn_proc_quotas(int proc_fd, struct fn_err *err);
/* fn-spawnd, once: what of this kernel's /proc is to be masked. */
int fn_proc_survey(int proc_fd, struct fn_err *err);
/* Covers all but what sandboxes may see, makes read-only what could change the host. Once it lies at FN_ROOTFS_PROC; uses FN_ROOTFS_NOTHING, FN_ROOTFS_NOWHERE. */
int fn_proc_mask(int proc_fd, struct fn_err *err);
/* Resource limits of init and all that it starts, but for those that are the function's: open files, and these: */
int fn_proc_rlimits(struct fn_err *err);

/*
 * Processes and threads that a user may have (RLIMIT_NPROC) in a function of this memory. On Lambda it is what the kernel gives in a machine of
 * the function's memory and some 57.5 MB (kernel/fork.c: a thread for each 128 KB, half of that): 742 for 128 MB, as recorded there.
 */
uint64_t fn_proc_nproc(uint64_t memory_bytes);
/* For a process of the sandbox that may run already; what it was forked with is only ever lowered. The caller has CAP_SYS_RESOURCE in the
 * sandbox's user namespace. */
int fn_proc_limit_processes(pid_t pid, uint64_t memory_bytes, struct fn_err *err);

#endif

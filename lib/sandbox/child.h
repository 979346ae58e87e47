/*
 * child.h - the sandbox's own side, from clone3 to the runtime's first instruction, and PID 1's life after it.
 *
 * Two halves. PREPARE needs to know nothing of the function: groups, network, /proc, and the runtime's process (PID 2), forked, without
 * privileges, under its filter, waiting. START gets the order (an encoded spec and the root), puts the root in place, gives up init's own
 * privileges and lets PID 2 go. fn-spawnd sends the order at once, or keeps the prepared sandbox until a function needs it.
 */
#ifndef FN_SANDBOX_CHILD_H
#define FN_SANDBOX_CHILD_H

#include "os/cgroup.h"
#include "os/ns.h"
#include "os/sec.h"
#include "sandbox/netns.h"
#include "sandbox/spec.h"

/* Ids inside the sandbox (mapped to the sandbox's own range outside). */
#define FN_UID_RUNTIME 993
#define FN_UID_INIT 992

#define FN_TMP_USUAL (512u << 20) /* bytes of /tmp that most functions have: Lambda's default */

/* What clone3 makes. The child makes its network namespace itself, the dearest of all, while fn-spawnd makes the rest that it needs; the cgroup
 * namespace follows once it is in its groups of every hierarchy. The descriptors are shared until it says so (FN_SYNC_BORN). */
#define FN_CHILD_CLONE_FLAGS ((FN_NS_ALL & ~(uint64_t)(CLONE_NEWCGROUP | CLONE_NEWNET)) | CLONE_FILES)

struct fn_child {
	const struct fn_seccomp *seccomp, *init_seccomp; /* the runtime's, and init's own */
	int last_fd;   /* no number of the descriptors below is higher */
	int sync_fd;   /* SEQPACKET to fn-spawnd */
	int output_fd; /* write end of the pipe that is stdout and stderr */
	bool bare;     /* fn_rootfs_bare(): its /proc comes with FN_SYNC_GO */
	bool prestart; /* an FN_SYNC_PRESTART comes first */
	bool tmp_comes; /* with FN_SYNC_ORDER: /tmp is the environment's. Else it is a tmpfs that is made here */
	const struct fn_child_nat *nat; /* NULL = loopback alone */
	struct fn_child_platform platform;
	const struct fn_cg_shown *shown; /* fn_cgroups_shown() */
	struct fn_ns_title title; /* fn-spawnd's arguments, which the copy of its memory would show */
};

/* Runs in the child of clone3. Never returns. */
_Noreturn void fn_child_main(const struct fn_child *c);

/* The plan: names of the steps in order, for tests and `fnctl doctor`; NULL-terminated. */
const char *const *fn_child_steps(void);

#endif

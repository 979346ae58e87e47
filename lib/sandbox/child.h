/* child.h - the sandbox's own side: from clone3 to the runtime's exec, and PID 1's life after it. */
#ifndef FN_SANDBOX_CHILD_H
#define FN_SANDBOX_CHILD_H

#include "os/sec.h"
#include "sandbox/spec.h"

/* Ids inside the sandbox (mapped to the sandbox's own range outside). */
#define FN_UID_RUNTIME 993
#define FN_UID_INIT 992

struct fn_child {
	const struct fn_spec *spec;
	const struct fn_seccomp *seccomp;
	int sync_fd;   /* SEQPACKET to fn-spawnd */
	int root_fd;   /* detached copy of the prepared root */
	int output_fd; /* write end of the pipe that is stdout and stderr */
	int null_fd;   /* /dev/null, stdin */
};

/* Runs in the child of clone3 with all seven new namespaces. Never returns. */
_Noreturn void fn_child_main(const struct fn_child *c);

/* The plan: names of the steps in order, for tests and `fnctl doctor`; NULL-terminated. */
const char *const *fn_child_steps(void);

#endif

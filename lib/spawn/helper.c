/* helper.c - see helper.h. Runs in fn-spawnd. */
#include "spawn/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/ns.h"
#include "os/sched.h"

/* In the child. */
static _Noreturn void become(const struct fn_helper *h)
{
	char *envp[] = {"LC_ALL=C.UTF-8", NULL};
	int from[FN_HELPER_FDS_MAX];
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (unsigned i = 0; i < h->n_fds; i++) /* out of the way of those that it is to have first */
		if ((from[i] = fcntl(h->fds[i], F_DUPFD, 16)) < 0)
			_exit(126);
	if (setns(h->host_ns_fd, CLONE_NEWNS) < 0)
		_exit(126);
	for (unsigned i = 0; i < h->n_fds; i++)
		if (dup2(from[i], FN_HELPER_FD + (int)i) < 0)
			_exit(126);
	(void)syscall(SYS_close_range, FN_HELPER_FD + h->n_fds, ~0u, 0);
	fn_sched_slice(0);
	(void)setpriority(PRIO_PROCESS, 0, 10); /* it shares the daemon's part of the CPU: fnd and we come first */
	execve(h->path, h->argv, envp);
	_exit(127);
}

int fn_helper_start(const struct fn_helper *h, struct fn_err *err)
{
	pid_t pid = fork();
	int pidfd;

	if (pid < 0)
		return fn_err_set(err, errno, h->stage, "fork");
	if (pid == 0)
		become(h);
	pidfd = fn_pidfd_open(pid);
	return pidfd < 0 ? fn_err_set(err, pidfd, h->stage, "pidfd") : pidfd;
}

void fn_helper_fault(const char *stage, const siginfo_t *end, unsigned late_s, struct fn_err *err)
{
	if (late_s)
		fn_err_set(err, ETIMEDOUT, stage, "it was not done within %u s", late_s);
	else
		fn_err_set(err, EIO, stage, end->si_code == CLD_EXITED ? "fn-%s exited with status %d" : "fn-%s was killed by signal %d", stage, end->si_status);
}

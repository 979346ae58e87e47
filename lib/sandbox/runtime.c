/* runtime.c - the function's own process, PID 2 of its sandbox, until its execve; see inside.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/ns.h"
#include "os/sched.h"
#include "sandbox/inside.h"

int fn_inside_confine_function(struct fn_inside *s, int output_fd, struct fn_err *err)
{
	sigset_t none;
	int r;

	setsid();
	(void)prctl(PR_SET_NAME, "fn-ready", 0, 0, 0);
	if (dup2(s->null_fd, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
		return fn_err_set(err, errno, "stdio", NULL);
	if (syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
		return fn_err_set(err, errno, "close_range", NULL);
	r = fn_sec_drop(FN_UID_RUNTIME, FN_UID_RUNTIME, err);
	if (r < 0)
		return r;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < NSIG; i++) /* what fnd was started with, by nohup or a shell's &; what is ignored stays so over execve */
		if (i != SIGPIPE)
			(void)signal(i, SIG_DFL);
	r = fn_seccomp_install(s->c->seccomp);
	return r < 0 ? fn_err_set(err, r, "seccomp", "install") : 0;
}

int fn_inside_enter_function(const struct fn_inside *s, struct fn_err *err)
{
	struct rlimit nofile = {s->spec.nofile, s->spec.nofile};

	if (setrlimit(RLIMIT_NOFILE, &nofile) < 0)
		return fn_err_set(err, errno, "rlimit", "nofile");
	if (chdir(s->spec.cwd) < 0)
		return fn_err_kind(err, FN_ERR_DIRECTORY, fn_err_set(err, errno, "working directory", "%s", s->spec.cwd));
	(void)signal(SIGPIPE, SIG_DFL); /* ignored in fn-spawnd */
	fn_sched_slice(0);
	return 0;
}

static int start(struct fn_inside *s, struct fn_err *err)
{
	const char *path;
	int r = fn_spec_borrow(s->order->spec, s->spec_len, s->vec, &s->spec, err);

	if (r < 0)
		return r;
	if (s->spec.prestart && s->gate[0] != FN_PRESTART_FD) {
		if (s->exec_pipe[1] == FN_PRESTART_FD)
			s->exec_pipe[1] = fcntl(s->exec_pipe[1], F_DUPFD_CLOEXEC, FN_PRESTART_FD + 1);
		if (s->exec_pipe[1] < 0 || dup2(s->gate[0], FN_PRESTART_FD) < 0)
			return fn_err_set(err, errno, "start runtime ahead", NULL);
	} else if (s->spec.prestart) {
		(void)fn_fd_set_cloexec(FN_PRESTART_FD, false);
	}
	r = fn_inside_enter_function(s, err);
	if (r < 0)
		return r;
	path = fn_spec_candidate(&s->spec);
	if (!path)
		return fn_err_kind(err, FN_ERR_ENTRY_NONE, fn_err_set(err, ENOENT, "bootstrap", "none of the candidates is there"));
	execve(path, s->spec.argv, s->spec.envp);
	return fn_err_kind(err, FN_ERR_ENTRY, fn_err_set(err, errno, "exec", "%s", path));
}

/* All that needs no order first. It goes on to execve only once init has given its privileges up: from its first instruction on, user code finds
 * nothing in the sandbox that holds a capability. */
static _Noreturn void run(struct fn_inside *s)
{
	struct fn_err err = {0};

	close(s->gate[1]);
	if (fn_inside_confine_function(s, s->c->output_fd, &err) == 0) {
		if (fn_fd_read_all(s->gate[0], &s->spec_len, sizeof(s->spec_len)) != (ssize_t)sizeof(s->spec_len))
			_exit(1);
		(void)start(s, &err);
	}
	(void)fn_fd_write_all(s->exec_pipe[1], &err, sizeof(err));
	_exit(127);
}

int fn_inside_fork_runtime(struct fn_inside *s, struct fn_err *err)
{
	static char *vec[FN_SPEC_VECTOR_MAX];

	s->vec = vec;
	s->order = mmap(NULL, sizeof(*s->order), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->order == MAP_FAILED)
		return fn_err_set(err, errno, "start runtime", "mmap");
	if (pipe2(s->exec_pipe, O_CLOEXEC) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->gate) < 0)
		return fn_err_set(err, errno, "start runtime", "pipe");
	s->runtime = fn_ns_fork(CLONE_FS);
	if (s->runtime < 0)
		return fn_err_set(err, s->runtime, "start runtime", "fork");
	if (s->runtime == 0)
		run(s);
	close(s->exec_pipe[1]);
	close(s->gate[0]);
	close(s->c->output_fd); /* its writers are the runtime and its children alone */
	return 0;
}

int fn_inside_open_gate(struct fn_inside *s, struct fn_err *err)
{
	int r = fn_fd_write_all(s->gate[1], &s->spec_len, sizeof(s->spec_len));

	s->died = r == -EPIPE; /* and says why */
	return r < 0 && !s->died ? fn_err_set(err, r, "start runtime", "gate") : 0;
}

int fn_inside_await_exec(struct fn_inside *s, struct fn_err *err)
{
	struct fn_err e;
	ssize_t n = fn_fd_read_all(s->exec_pipe[0], &e, sizeof(e));

	close(s->exec_pipe[0]);
	if (n == 0 && !s->died)
		return 0;
	if (n != (ssize_t)sizeof(e))
		return fn_err_set(err, EIO, "start runtime", "died before exec");
	*err = e;
	return -e.code;
}

/* The environment lies in the order as it is wanted: strings in a row. */
void fn_inside_hand_over(struct fn_inside *s)
{
	const char *from = s->spec.envp[0] ? s->spec.envp[0] : "", *end = s->spec.exec_candidates[0];
	uint32_t len = s->spec.envp[0] ? (uint32_t)(end - from) : 0;
	struct iovec iov[2] = {{&len, sizeof(len)}, {(void *)from, len}};

	(void)fn_sock_send(s->gate[1], iov, 2, NULL, 0); /* one that has ended meanwhile is reaped */
	close(s->gate[1]);
}

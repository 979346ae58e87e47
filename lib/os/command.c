/* command.c - see command.h. */
#include "os/command.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "os/ns.h"

struct fn_command {
	struct fn_loop *loop;
	pid_t pid;
	int pidfd, out_fd;
	uint64_t exit_io, out_io, timer;
	struct fn_buf out;
	size_t max;
	fn_command_fn fn;
	void *arg;
};

/* Its group too: the leader is not reaped yet, so the number is nobody else's. */
static int reap(struct fn_command *c)
{
	int status = 0;

	(void)kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void destroy(struct fn_command *c)
{
	fn_loop_clear(c->loop, &c->exit_io);
	fn_loop_clear(c->loop, &c->out_io);
	fn_loop_clear(c->loop, &c->timer);
	fn_close(c->pidfd);
	fn_close(c->out_fd);
	if (c->out.data)
		explicit_bzero(c->out.data, c->out.cap);
	fn_buf_free(&c->out);
	free(c);
}

void fn_command_free(struct fn_command *c)
{
	if (!c)
		return;
	(void)reap(c);
	destroy(c);
}

/* Killed, if it is not over: SIGKILL is not waited for long. */
static void finish(struct fn_command *c, struct fn_err *failed)
{
	int status = reap(c);
	struct fn_err err = {0};

	if (!failed && WIFSIGNALED(status)) {
		failed = &err;
		fn_err_set(failed, ECHILD, "command", "it was ended by signal %d", WTERMSIG(status));
	} else if (!failed && WEXITSTATUS(status) != 0) {
		failed = &err;
		fn_err_set(failed, ECHILD, "command", "it ended with status %d", WEXITSTATUS(status));
	}
	c->fn(c->arg, failed, failed ? NULL : c->out.data ? c->out.data : "", failed ? 0 : c->out.len);
	destroy(c);
}

/* What there is; false: too much, and it is finished. */
static bool drain(struct fn_command *c)
{
	struct fn_err err = {0};
	char buf[4096];
	ssize_t n;
	int r = 0;

	while ((n = read(c->out_fd, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			r = c->out.len + (size_t)n > c->max ? -EFBIG : fn_buf_add(&c->out, buf, (size_t)n);
		if (r == -EFBIG)
			fn_err_set(&err, EFBIG, "command", "it printed more than %zu bytes", c->max);
		else if (r < 0)
			fn_err_set(&err, r, "command", NULL);
		if (r < 0) {
			finish(c, &err);
			return false;
		}
	}
	if (n == 0) /* its end is told by the process' */
		fn_loop_clear(c->loop, &c->out_io);
	explicit_bzero(buf, sizeof(buf));
	return true;
}

static void on_output(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	(void)drain(arg);
}

static void on_exit_of(void *arg, int fd, uint32_t events)
{
	struct fn_command *c = arg;

	(void)fd;
	(void)events;
	if (drain(c))
		finish(c, NULL);
}

static void on_timer(void *arg)
{
	struct fn_err err = {0};

	fn_err_set(&err, ETIME, "command", "it did not end in time");
	finish(arg, &err);
}

/* In the child of a process with threads: system calls alone. */
static _Noreturn void run(char *const *argv, pid_t parent, int out_fd, int failed_fd)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t none;
	int in;

	sigemptyset(&none);
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &usual, NULL);
	in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (in >= 0 && dup2(in, 0) == 0 && dup2(out_fd, 1) == 1 && setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	    getppid() == parent && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		(void)execve(argv[0], argv, environ);
	(void)fn_fd_write_all(failed_fd, &errno, sizeof(errno));
	_exit(127);
}

/* Not posix_spawn(3), which cannot say that it is to end with us, should we be killed. */
static int spawn(char *const *argv, int out_fd, pid_t *ret)
{
	sigset_t all, before;
	pid_t self = getpid(), pid;
	int p[2], failed;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours runs there */
	pid = fn_ns_fork(0);
	if (pid == 0)
		run(argv, self, out_fd, p[1]);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	fn_close(p[1]);
	if (pid > 0 && fn_fd_read_all(p[0], &failed, sizeof(failed)) == (ssize_t)sizeof(failed)) {
		(void)waitpid(pid, NULL, 0);
		pid = -(failed ? failed : ECHILD);
	}
	fn_close(p[0]);
	if (pid > 0)
		*ret = pid;
	return pid < 0 ? pid : 0;
}

static int watch(struct fn_command *c, uint64_t timeout_us)
{
	int r = c->pidfd = fn_pidfd_open(c->pid);

	if (r >= 0)
		r = fn_loop_add_io(c->loop, c->out_fd, EPOLLIN, on_output, c, &c->out_io);
	if (r >= 0)
		r = fn_loop_add_io(c->loop, c->pidfd, EPOLLIN, on_exit_of, c, &c->exit_io);
	if (r >= 0)
		r = fn_loop_add_timer(c->loop, fn_clock_mono_us() + timeout_us, on_timer, c, &c->timer);
	return r < 0 ? r : 0;
}

int fn_command_start(struct fn_loop *loop, char *const *argv, size_t max_bytes, uint64_t timeout_us, fn_command_fn fn, void *arg,
		     struct fn_command **ret, struct fn_err *err)
{
	struct fn_command *c = calloc(1, sizeof(*c));
	int p[2] = {-EBADF, -EBADF}, r;

	if (!c)
		return fn_err_set(err, ENOMEM, "command", NULL);
	*c = (struct fn_command){.loop = loop, .pidfd = -EBADF, .out_fd = -EBADF, .max = max_bytes, .fn = fn, .arg = arg};
	r = pipe2(p, O_CLOEXEC) < 0 ? -errno : 0;
	c->out_fd = p[0];
	if (r == 0)
		r = fn_fd_set_nonblock(p[0], true);
	if (r == 0)
		r = spawn(argv, p[1], &c->pid);
	fn_close(p[1]);
	if (r < 0) {
		destroy(c);
		return fn_err_set(err, r, "command", "%s", argv[0]);
	}
	r = watch(c, timeout_us);
	if (r < 0) {
		fn_command_free(c);
		return fn_err_set(err, r, "command", "event loop");
	}
	*ret = c;
	return 0;
}

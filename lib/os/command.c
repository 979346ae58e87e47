/* command.c - see command.h. */
#include "os/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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

static int spawn(char *const *argv, int out_fd, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	if (r == 0)
		r = posix_spawnattr_setsigmask(&attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(&attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	if (r == 0)
		r = posix_spawn(ret, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
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

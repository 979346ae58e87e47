/* init.c - PID 1 of a sandbox from the function's first instruction on: it reaps, tells fn-spawnd whose end matters, lets a runtime go that was held. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/sched.h"
#include "sandbox/inside.h"

int fn_inside_send(const struct fn_inside *s, struct fn_sync_msg *m, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};

	return fn_sock_send(s->c->sync_fd, &iov, 1, fds, n_fds);
}

/* A second wall before a process that has nothing to lose any more and hears nobody. */
int fn_inside_confine_init(struct fn_inside *s, struct fn_err *err)
{
	const struct fn_inside_extensions *e = &s->extensions;
	int keep[5] = {s->c->sync_fd, s->gate[1], s->exec_pipe[0]}, n = s->prestarted ? 2 : 3, r;

	if (e->n > 0) {
		keep[n++] = e->exec_pipe[0];
		keep[n++] = e->children_fd;
	}
	r = fn_fd_close_except(keep, (size_t)n);
	if (r < 0)
		return fn_err_set(err, r, "close_range", "init");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* cleared by the change of ids */
	fn_sched_slice(0);
	r = fn_seccomp_install(s->c->init_seccomp);
	return r < 0 ? fn_err_set(err, r, "seccomp", "init") : 0;
}

int fn_inside_tell_running(struct fn_inside *s)
{
	const struct fn_inside_extensions *e = &s->extensions;
	struct iovec iov[1 + FN_EXTENSIONS_MAX] = {{&s->done, sizeof(s->done)}};

	s->done.type = FN_SYNC_RUNNING;
	s->done.n_extensions = e->n;
	s->done.extensions_off = e->off;
	s->done.pids[0] = s->runtime;
	for (unsigned i = 0; i < e->n; i++) {
		s->done.pids[1 + i] = e->pids[i];
		iov[1 + i] = (struct iovec){(void *)e->names[i], strlen(e->names[i]) + 1};
	}
	return fn_sock_send(s->c->sync_fd, iov, 1 + e->n, NULL, 0);
}

/* Its own exit makes the kernel kill what is left. */
static FN_INSIDE_UNWATCHED _Noreturn void live_for_runtime(struct fn_inside *s)
{
	struct fn_sync_msg m = {.type = FN_SYNC_EXIT};

	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			_exit(0);
		if (pid == s->runtime) {
			char byte;

			m.wait_status = status;
			(void)fn_inside_send(s, &m, NULL, 0);
			(void)!read(s->c->sync_fd, &byte, 1); /* until fn-spawnd, which kills us now, has what it wants to keep of our namespaces */
			_exit(0);
		}
	}
}

static void tell_end(struct fn_inside *s, pid_t pid, int status)
{
	struct fn_sync_msg m = {.type = FN_SYNC_EXIT, .wait_status = status};

	if (pid == s->runtime) {
		s->runtime = 0;
		(void)fn_inside_send(s, &m, NULL, 0);
		return;
	}
	for (unsigned i = 0; i < s->extensions.n; i++)
		if (s->extensions.pids[i] == pid) {
			s->extensions.pids[i] = 0;
			m.process = 1 + i;
			(void)fn_inside_send(s, &m, NULL, 0);
			return;
		}
}

static void release(struct fn_inside *s)
{
	struct fn_sync_msg m = {.type = FN_SYNC_EXIT};

	if (!s->runtime) /* one that was started ahead, and has ended meanwhile: that is told */
		return;
	if (s->prestarted) {
		fn_inside_hand_over(s);
		return;
	}
	if (fn_inside_open_gate(s, &m.err) == 0)
		(void)fn_inside_await_exec(s, &m.err);
	close(s->gate[1]);
	if (m.err.code) {
		s->runtime = 0; /* its status would tell less */
		(void)fn_inside_send(s, &m, NULL, 0);
	}
}

/* Until fn-spawnd kills us, whoever has ended. */
static FN_INSIDE_UNWATCHED _Noreturn void live_for_all(struct fn_inside *s)
{
	bool held = true;

	for (;;) {
		struct pollfd p[2] = {{.fd = s->c->sync_fd, .events = POLLIN}, {.fd = s->extensions.children_fd, .events = POLLIN}};
		struct signalfd_siginfo si;
		struct fn_sync_msg m;
		pid_t pid;
		int status;

		(void)!read(s->extensions.children_fd, &si, sizeof(si)); /* before we look: one that ends after it is told anew */
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			tell_end(s, pid, status);
		(void)ppoll(p, 2, NULL, NULL);
		if (!p[0].revents)
			continue;
		if (read(s->c->sync_fd, &m, sizeof(m)) != (ssize_t)sizeof(m))
			_exit(0);
		if (m.type == FN_SYNC_RELEASE && held) {
			held = false;
			release(s);
		}
	}
}

FN_INSIDE_UNWATCHED _Noreturn void fn_inside_live(struct fn_inside *s)
{
	if (s->extensions.n > 0)
		live_for_all(s);
	live_for_runtime(s);
}

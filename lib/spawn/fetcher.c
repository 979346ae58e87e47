/*
 * fetcher.c - fn-spawnd's half of downloads: runs fn-fetch, a few at once, each with the file that fnd has opened, the settings as the supervisor gave
 * them (a descriptor, whose content this process never reads) and fnd's order. Whoever asks for more waits.
 */
#include "spawn/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "image/fetch.h"
#include "os/ns.h"
#include "os/sched.h"

#define RUNNING_MAX 4
#define TIME_LIMIT_US 300000000u
#define UID_OF_FETCH 65536u /* from uid_base: the one between the files' owners and the first sandbox's, which nobody has */

struct job {
	struct fn_list link;
	struct fn_fetcher *f;
	uint64_t request;
	struct fn_fetch_order order;
	int file_fd, result_fd, pidfd;
	uint64_t pidfd_io, timer;
	bool running, late;
};

struct fn_fetcher {
	struct fn_spawn_server_config cfg;
	fn_fetcher_done_fn done;
	void *arg;
	struct fn_list jobs;
	unsigned running;
};

static void start_next(struct fn_fetcher *f);

int fn_fetcher_new(const struct fn_spawn_server_config *config, fn_fetcher_done_fn done, void *arg, struct fn_fetcher **ret)
{
	struct fn_fetcher *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->cfg = *config;
	f->done = done;
	f->arg = arg;
	fn_list_init(&f->jobs);
	*ret = f;
	return 0;
}

static void job_free(struct job *j)
{
	fn_loop_clear(j->f->cfg.loop, &j->pidfd_io);
	fn_loop_clear(j->f->cfg.loop, &j->timer);
	fn_close(j->file_fd);
	fn_close(j->result_fd);
	fn_close(j->pidfd);
	fn_list_remove(&j->link);
	free(j);
}

static void job_finish(struct job *j, const struct fn_fetch_result *res)
{
	struct fn_fetcher *f = j->f;

	if (j->running)
		f->running--;
	f->done(f->arg, j->request, res);
	job_free(j);
	start_next(f);
}

static void on_end(void *arg, int fd, uint32_t events)
{
	struct job *j = arg;
	struct fn_fetch_result res;
	siginfo_t si = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	if (fn_fd_read_all(j->result_fd, &res, sizeof(res)) != (ssize_t)sizeof(res)) {
		res = (struct fn_fetch_result){0};
		if (j->late)
			fn_err_set(&res.err, ETIMEDOUT, "fetch", "it was not done within %u s", TIME_LIMIT_US / 1000000u);
		else
			fn_err_set(&res.err, EIO, "fetch", si.si_code == CLD_EXITED ? "fn-fetch exited with status %d" : "fn-fetch was killed by signal %d", si.si_status);
	}
	fn_fetch_result_seal(&res);
	job_finish(j, &res);
}

static void on_late(void *arg)
{
	struct job *j = arg;

	j->late = true;
	(void)fn_pidfd_kill(j->pidfd, SIGKILL);
}

/* In the child: fn-fetch's loader and libraries, the resolver's files, are in the host's mount namespace. */
static _Noreturn void exec_fetch(struct job *j, int order_fd, int result_fd)
{
	const struct fn_spawn_server_config *cfg = &j->f->cfg;
	char uid[16];
	char *argv[] = {"fn-fetch", "--uid", uid, NULL};
	char *envp[] = {"LC_ALL=C.UTF-8", NULL};
	int from[4] = {j->file_fd, cfg->fetch_fd, order_fd, result_fd};
	sigset_t none;

	snprintf(uid, sizeof(uid), "%u", cfg->uid_base + UID_OF_FETCH);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 4; i++) /* out of the way of 3..6 first */
		if ((from[i] = fcntl(from[i], F_DUPFD, 16)) < 0)
			_exit(126);
	if (setns(cfg->host_ns_fd, CLONE_NEWNS) < 0)
		_exit(126);
	for (int i = 0; i < 4; i++)
		if (dup2(from[i], FN_FETCH_FILE_FD + i) < 0)
			_exit(126);
	(void)syscall(SYS_close_range, FN_FETCH_RESULT_FD + 1, ~0u, 0);
	fn_sched_slice(0);
	(void)setpriority(PRIO_PROCESS, 0, 10); /* it shares the daemon's part of the CPU: fnd and we come first */
	execve(cfg->fetch_path, argv, envp);
	_exit(127);
}

static int job_start(struct job *j, struct fn_err *err)
{
	struct fn_fetcher *f = j->f;
	fn_auto_fd int order_r = -EBADF, order_w = -EBADF, result_w = -EBADF;
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return fn_err_set(err, errno, "fetch", "descriptors");
	order_r = p[0];
	order_w = p[1];
	if (pipe2(p, O_CLOEXEC) < 0)
		return fn_err_set(err, errno, "fetch", "descriptors");
	j->result_fd = p[0];
	result_w = p[1];
	_Static_assert(sizeof(j->order) <= 65536, "an order fits into a pipe");
	if (fn_fd_write_all(order_w, &j->order, sizeof(j->order)) < 0)
		return fn_err_set(err, EIO, "fetch", "order");
	pid = fork();
	if (pid < 0)
		return fn_err_set(err, errno, "fetch", "fork");
	if (pid == 0)
		exec_fetch(j, order_r, result_w);
	j->pidfd = fn_pidfd_open(pid);
	if (j->pidfd < 0)
		return fn_err_set(err, j->pidfd, "fetch", "pidfd");
	if (fn_loop_add_io(f->cfg.loop, j->pidfd, EPOLLIN, on_end, j, &j->pidfd_io) < 0 ||
	    fn_loop_add_timer(f->cfg.loop, fn_loop_now_us(f->cfg.loop) + TIME_LIMIT_US, on_late, j, &j->timer) < 0)
		return fn_err_set(err, ENOMEM, "fetch", NULL);
	j->running = true;
	f->running++;
	return 0;
}

static void start_next(struct fn_fetcher *f)
{
	fn_list_for_each_safe(l, &f->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);
		struct fn_fetch_result res = {0};

		if (j->running)
			continue;
		if (f->running >= RUNNING_MAX)
			return;
		if (job_start(j, &res.err) < 0) {
			job_finish(j, &res);
			return; /* it called us again */
		}
	}
}

void fn_fetcher_start(struct fn_fetcher *f, uint64_t request, const struct fn_fetch_order *order, int file_fd)
{
	struct fn_fetch_result res = {0};
	struct job *j;

	if (f->cfg.fetch_fd < 0) {
		fn_err_set(&res.err, ENOENT, "fetch", "there is no S3 endpoint");
		f->done(f->arg, request, &res);
		fn_close(file_fd);
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	j->f = f;
	j->request = request;
	j->order = *order;
	j->file_fd = file_fd;
	j->result_fd = j->pidfd = -EBADF;
	fn_list_push_back(&f->jobs, &j->link);
	start_next(f);
}

void fn_fetcher_free(struct fn_fetcher *f)
{
	if (!f)
		return;
	fn_list_for_each_safe(l, &f->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);

		if (j->pidfd >= 0) {
			(void)fn_pidfd_kill(j->pidfd, SIGKILL);
			(void)waitid(P_PIDFD, (id_t)j->pidfd, &(siginfo_t){0}, WEXITED);
		}
		job_free(j);
	}
	free(f);
}

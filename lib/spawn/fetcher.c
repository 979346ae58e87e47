/*
 * fetcher.c - fn-spawnd's half of downloads: runs fn-fetch, a few at once, each with the file that fnd has opened, the settings as the supervisor gave
 * them (a descriptor, whose content this process never reads) and fnd's order. Whoever asks for more waits.
 */
#include "spawn/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "image/fetch.h"
#include "os/ns.h"
#include "spawn/helper.h"

#define RUNNING_MAX 4 /* of layers, and of everything else: what is small waits for nothing large */
#define TIME_LIMIT_US 300000000u
#define LAYER_TIME_LIMIT_US 3600000000u
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
	unsigned running[2]; /* by is_layer() */
};

static void start_next(struct fn_fetcher *f);

static bool is_layer(const struct job *j) { return j->order.kind == FN_FETCH_LAYER; }
static uint64_t limit_us(const struct job *j) { return is_layer(j) ? LAYER_TIME_LIMIT_US : TIME_LIMIT_US; }

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
		f->running[is_layer(j)]--;
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
		fn_helper_fault("fetch", &si, j->late ? (unsigned)(limit_us(j) / 1000000u) : 0, &res.err);
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

static int job_start(struct job *j, struct fn_err *err)
{
	struct fn_fetcher *f = j->f;
	fn_auto_fd int order_r = -EBADF, order_w = -EBADF, result_w = -EBADF;
	char uid[16], *argv[] = {"fn-fetch", "--uid", uid, NULL};
	struct fn_helper helper = {.stage = "fetch", .path = f->cfg.fetch_path, .host_ns_fd = f->cfg.host_ns_fd, .argv = argv, .n_fds = 4};
	int p[2];

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
	helper.fds[0] = j->file_fd;
	helper.fds[1] = f->cfg.fetch_fd;
	helper.fds[2] = order_r;
	helper.fds[3] = result_w;
	snprintf(uid, sizeof(uid), "%u", f->cfg.uid_base + UID_OF_FETCH);
	j->pidfd = fn_helper_start(&helper, err);
	if (j->pidfd < 0)
		return j->pidfd;
	if (fn_loop_add_io(f->cfg.loop, j->pidfd, EPOLLIN, on_end, j, &j->pidfd_io) < 0 ||
	    fn_loop_add_timer(f->cfg.loop, fn_loop_now_us(f->cfg.loop) + limit_us(j), on_late, j, &j->timer) < 0)
		return fn_err_set(err, ENOMEM, "fetch", NULL);
	j->running = true;
	f->running[is_layer(j)]++;
	return 0;
}

static void start_next(struct fn_fetcher *f)
{
	fn_list_for_each_safe(l, &f->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);
		struct fn_fetch_result res = {0};

		if (j->running || f->running[is_layer(j)] >= RUNNING_MAX)
			continue;
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
		fn_err_set(&res.err, ENOENT, "fetch", "it has no settings");
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

		fn_pidfd_end(j->pidfd);
		job_free(j);
	}
	free(f);
}

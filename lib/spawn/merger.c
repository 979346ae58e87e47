/*
 * merger.c - fn-spawnd's half of images whose layers become one tree: a child without privileges for each (merge.c), a few at once, as with
 * fn-unpack (making.h).
 */
#include "spawn/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/str.h"
#include "os/ns.h"
#include "os/sec.h"
#include "spawn/making.h"
#include "spawn/merge.h"
#include "spawn/proto.h"

#define RUNNING_MAX 2
#define TIME_LIMIT_S 600u
#define CPU_S 300
#define FIRST_LAYER_FD 128 /* beyond fn_sec_limit()'s */

struct job {
	struct fn_list link;
	struct fn_merger *m;
	uint64_t request;
	struct fn_proto_merge *req;
	struct fn_making making;
	bool running;
};

struct fn_merger {
	struct fn_spawn_server_config cfg;
	struct fn_unpacker *unpacker; /* whose remover removes what has failed */
	fn_unpacker_done_fn done;
	void *arg;
	struct fn_list jobs;
	unsigned running;
	int roots_fd;
};

static void start_next(struct fn_merger *m);

int fn_merger_new(const struct fn_spawn_server_config *config, struct fn_unpacker *unpacker, fn_unpacker_done_fn done, void *arg, struct fn_merger **ret)
{
	struct fn_merger *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->cfg = *config;
	m->unpacker = unpacker;
	m->done = done;
	m->arg = arg;
	fn_list_init(&m->jobs);
	m->roots_fd = open(config->trees_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->roots_fd < 0) {
		free(m);
		return -errno;
	}
	*ret = m;
	return 0;
}

static void job_free(struct job *j)
{
	fn_making_close(&j->making);
	fn_list_remove(&j->link);
	free(j->req);
	free(j);
}

static void job_finish(struct job *j, const struct fn_err *err)
{
	const struct fn_proto_unpacked res = fn_making_result(&j->making);
	struct fn_merger *m = j->m;

	if (err && j->making.tmp[0])
		fn_unpacker_remove_tree(m->unpacker, j->making.tmp, 0);
	if (j->running)
		m->running--;
	m->done(m->arg, j->request, err, err ? NULL : &res);
	job_free(j);
	start_next(m);
}

/* --- the child --- */
static int be_merger(const struct job *j, int dest, int *layers, struct fn_unpack_result *ret)
{
	const struct fn_proto_merge *q = j->req;
	const struct fn_merge what = {.dest = dest, .layers = layers, .n_layers = q->n_layers, .max_bytes = q->max_bytes, .max_entries = q->max_entries};
	uint32_t uid = j->m->cfg.uid_base;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < q->n_layers; i++) { /* uppermost first; out of the way of what may be opened afterwards, which is little */
		fn_auto_fd int fd = openat(j->m->roots_fd, q->layers[q->n_layers - 1 - i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		layers[i] = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_LAYER_FD);
		if (layers[i] < 0)
			r = fn_err_set(&ret->err, errno, "merge", "%s", q->layers[q->n_layers - 1 - i]);
	}
	if (r == 0)
		r = fn_sec_limit(2ull << 30, q->max_bytes, 0, CPU_S, &ret->err);
	if (r == 0)
		r = fn_sec_drop(uid, uid, &ret->err);
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) /* the change of ids has cleared it */
		r = fn_err_set(&ret->err, errno, "merge", "prctl");
	if (r == 0)
		r = fn_merge_trees(&what, &ret->bytes, &ret->err);
	if (r == 0 && syncfs(dest) < 0)
		r = fn_err_set(&ret->err, errno, "merge", "write to disk");
	return r;
}

static _Noreturn void child(const struct job *j, int sock)
{
	int *layers = calloc(FN_PROTO_MERGE_MAX, sizeof(*layers)), keep[2] = {j->m->roots_fd, sock}, dest;
	struct fn_unpack_result told = {0};
	char byte;

	if (!layers || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || fn_fd_close_except(keep, 2) < 0)
		_exit(1);
	umask(022);
	(void)setpriority(PRIO_PROCESS, 0, 10);
	dest = openat(j->m->roots_fd, j->making.tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dest < 0)
		fn_err_set(&told.err, errno, "merge", "open");
	else
		(void)be_merger(j, dest, layers, &told);
	if (write(sock, &told, sizeof(told)) != (ssize_t)sizeof(told))
		_exit(1);
	if (told.err.code)
		_exit(0);
	_exit(read(sock, &byte, 1) == 1 && syncfs(dest) == 0 ? 0 : 1);
}

static void on_ended(void *arg, const struct fn_err *err) { job_finish(arg, err); }

static int job_start(struct job *j, struct fn_err *err)
{
	struct fn_merger *m = j->m;
	fn_auto_fd int sock = -EBADF;
	int pidfd, r = fn_making_begin(&j->making, fn_unpacker_number(m->unpacker), m->cfg.uid_base, &sock, err);
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0)
		child(j, sock);
	pidfd = pid < 0 ? -EBADF : fn_pidfd_open(pid);
	if (pidfd < 0)
		return fn_err_set(err, EAGAIN, "merge", "fork");
	r = fn_making_watch(&j->making, pidfd, err);
	if (r < 0)
		return r;
	j->running = true;
	m->running++;
	return 0;
}

static void start_next(struct fn_merger *m)
{
	fn_list_for_each_safe(l, &m->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);
		struct fn_err err = {0};

		if (j->running)
			continue;
		if (m->running >= RUNNING_MAX)
			return;
		if (job_start(j, &err) < 0) {
			job_finish(j, &err);
			return; /* it called us again */
		}
	}
}

static bool request_ok(const struct fn_proto_merge *q)
{
	bool ok = q->n_layers > 0 && memchr(q->tree, '\0', sizeof(q->tree)) && fn_tree_name_ok(q->tree) && fn_str_starts(q->tree, "root-");

	for (unsigned i = 0; ok && i < q->n_layers; i++)
		ok = memchr(q->layers[i], '\0', sizeof(q->layers[i])) && fn_tree_name_ok(q->layers[i]) && fn_str_starts(q->layers[i], "oci-");
	return ok;
}

void fn_merger_start(struct fn_merger *m, uint64_t request, const struct fn_proto_merge *req)
{
	struct job *j = calloc(1, sizeof(*j));
	struct fn_proto_merge *copy = malloc(sizeof(*copy));
	struct fn_err err;

	if (!j || !copy)
		abort();
	*copy = *req;
	*j = (struct job){.m = m, .request = request, .req = copy};
	j->making = (struct fn_making){.loop = m->cfg.loop, .stage = "merge", .tree = copy->tree, .roots_fd = m->roots_fd, .sock = -EBADF, .pidfd = -EBADF,
				       .limit_s = TIME_LIMIT_S, .ended = on_ended, .arg = j};
	if (!request_ok(req)) {
		fn_err_set(&err, EBADMSG, "merge", "malformed request");
		job_finish(j, &err);
	} else if (faccessat(m->roots_fd, req->tree, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		job_finish(j, NULL);
	} else {
		fn_list_push_back(&m->jobs, &j->link);
		start_next(m);
	}
}

void fn_merger_free(struct fn_merger *m)
{
	if (!m)
		return;
	fn_list_for_each_safe(l, &m->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);

		fn_making_kill(&j->making);
		if (j->making.tmp[0])
			fn_unpacker_remove_tree(m->unpacker, j->making.tmp, 0);
		job_free(j);
	}
	fn_close(m->roots_fd);
	free(m);
}

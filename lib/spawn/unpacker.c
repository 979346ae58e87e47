/*
 * unpacker.c - fn-spawnd's half of unpacking: runs fn-unpack, at most two at once, each archive in a directory of its own that
 * becomes the tree (making.h). The same tree asked for twice at once is unpacked once. What comes from
 * a running function takes as long as the function likes: two of these at once, too, but no package waits for them. Trees are removed by a
 * child: 100,000 files take a second, in which no sandbox would be started.
 */
#include "spawn/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/str.h"
#include "os/mount.h"
#include "os/ns.h"
#include "spawn/helper.h"
#include "spawn/making.h"
#include "spawn/proto.h"

#define RUNNING_MAX 2
#define TIME_LIMIT_S 120u
#define LAYERS_RUNNING_MAX 4 /* spawn/client.h's users ask for no more at once: what fills the pipe of one must not wait for another's turn */
#define LAYER_TIME_LIMIT_S 3600u /* it comes as fast as a registry sends it; fn-fetch sees to it that it comes at all */

struct waiter {
	struct fn_list link;
	uint64_t request;
};

struct job {
	struct fn_list link;
	struct fn_unpacker *u;
	struct fn_proto_unpack req;
	struct fn_list waiters;
	struct fn_making making;
	int archive_fd;
	bool running;
	bool live; /* its archive is being written by a function */
};

struct doomed {
	struct fn_list link;
	uint64_t request; /* who is told when it is gone; 0 = nobody */
	char name[64];
};

struct fn_unpacker {
	struct fn_spawn_server_config cfg;
	fn_unpacker_done_fn done;
	fn_unpacker_removed_fn removed;
	void *arg;
	struct fn_list jobs;
	unsigned running[3]; /* by kind_of() */
	uint64_t next;
	int roots_fd;
	struct fn_list doomed; /* trees that no remover has taken on yet */
	struct fn_list going;  /* those that the one at work has */
	int remover;           /* pidfd; -EBADF = none is at work */
	uint64_t remover_io;
};

static void start_next(struct fn_unpacker *u);

static int kind_of(const struct job *j) { return j->req.layer ? 2 : j->live; }

/* Removes a tree below dirfd. Only ever called on trees that fn-unpack wrote: no mounts, no foreign owners. */
static void remove_below(int dirfd, const char *name)
{
	fn_auto_fd int fd = -EBADF;
	struct dirent *e;
	DIR *d;

	if (unlinkat(dirfd, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
		return;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(dup(fd));
	while (d && (e = readdir(d)))
		if (!fn_streq(e->d_name, ".") && !fn_streq(e->d_name, ".."))
			remove_below(fd, e->d_name);
	if (d)
		closedir(d);
	(void)unlinkat(dirfd, name, AT_REMOVEDIR);
}

static void remove_all(struct fn_unpacker *u)
{
	fn_list_for_each(l, &u->going) remove_below(u->roots_fd, fn_list_entry(l, struct doomed, link)->name);
}

/* Each by what is left of it, however the others and the remover itself have ended. */
static void tell_removed(struct fn_unpacker *u)
{
	struct fn_err err = {0};

	fn_err_set(&err, EIO, "remove", "something of it is left; the next start of fn-spawnd removes it");
	fn_list_for_each_safe(l, &u->going)
	{
		struct doomed *d = fn_list_entry(l, struct doomed, link);
		bool gone = faccessat(u->roots_fd, d->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;

		fn_list_remove(l);
		if (d->request)
			u->removed(u->arg, d->request, gone ? NULL : &err);
		free(d);
	}
}

/* With nothing of ours open but that: sandboxes must see us end when we do. */
static _Noreturn void be_remover(struct fn_unpacker *u)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || fn_fd_close_except(&u->roots_fd, 1) < 0)
		_exit(1); /* the next run finds what is left */
	remove_all(u);
	_exit(0);
}

/* Waits for it. */
static void end_remover(struct fn_unpacker *u)
{
	fn_loop_clear(u->cfg.loop, &u->remover_io);
	(void)waitid(P_PIDFD, (id_t)u->remover, &(siginfo_t){0}, WEXITED);
	fn_close(fn_take_fd(&u->remover));
}

static void start_remover(struct fn_unpacker *u);

static void on_removed(void *arg, int fd, uint32_t events)
{
	struct fn_unpacker *u = arg;

	(void)fd;
	(void)events;
	end_remover(u);
	tell_removed(u);
	start_remover(u);
}

static void start_remover(struct fn_unpacker *u)
{
	pid_t pid;

	if (u->remover >= 0 || fn_list_empty(&u->doomed))
		return;
	fn_list_take_over(&u->going, &u->doomed);
	pid = fork();
	if (pid == 0)
		be_remover(u);
	u->remover = pid < 0 ? -EBADF : fn_pidfd_open(pid);
	if (u->remover >= 0 && fn_loop_add_io(u->cfg.loop, u->remover, EPOLLIN, on_removed, u, &u->remover_io) == 0)
		return;
	if (u->remover >= 0)
		end_remover(u);
	else if (pid > 0)
		(void)waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED);
	remove_all(u);
	tell_removed(u);
}

static void remove_later(struct fn_unpacker *u, const char *name, uint64_t request)
{
	struct doomed *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->request = request;
	fn_list_push_back(&u->doomed, &d->link);
	start_remover(u);
}

int fn_unpacker_new(const struct fn_spawn_server_config *config, fn_unpacker_done_fn done, fn_unpacker_removed_fn removed, void *arg,
		    struct fn_unpacker **ret)
{
	struct fn_unpacker *u = calloc(1, sizeof(*u));
	struct dirent *e;
	DIR *d;

	if (!u)
		return -ENOMEM;
	u->cfg = *config;
	u->done = done;
	u->removed = removed;
	u->arg = arg;
	u->remover = -EBADF;
	fn_list_init(&u->jobs);
	fn_list_init(&u->doomed);
	fn_list_init(&u->going);
	u->roots_fd = open(config->trees_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->roots_fd < 0) {
		free(u);
		return -errno;
	}
	d = opendir(config->trees_dir); /* what a run that was killed left half-way */
	while (d && (e = readdir(d))) {
		uint64_t number = fn_str_starts(e->d_name, ".tmp-") ? strtoull(e->d_name + strlen(".tmp-"), NULL, 10) : 0;

		if (fn_str_starts(e->d_name, ".tmp-"))
			remove_below(u->roots_fd, e->d_name);
		if (number > u->next) /* what cannot be removed stands in nobody's way */
			u->next = number;
	}
	if (d)
		closedir(d);
	*ret = u;
	return 0;
}

uint64_t fn_unpacker_number(struct fn_unpacker *u) { return ++u->next; }

static void job_free(struct job *j)
{
	fn_making_close(&j->making);
	fn_close(j->archive_fd);
	fn_list_remove(&j->link);
	while (!fn_list_empty(&j->waiters)) {
		struct waiter *w = fn_list_entry(fn_list_first(&j->waiters), struct waiter, link);

		fn_list_remove(&w->link);
		free(w);
	}
	free(j);
}

static void job_finish(struct job *j, const struct fn_err *err)
{
	const struct fn_proto_unpacked res = fn_making_result(&j->making);
	struct fn_unpacker *u = j->u;

	if (err && j->making.tmp[0])
		remove_later(u, j->making.tmp, 0);
	if (j->running)
		u->running[kind_of(j)]--;
	fn_list_for_each(l, &j->waiters) u->done(u->arg, fn_list_entry(l, struct waiter, link)->request, err, err ? NULL : &res);
	job_free(j);
	start_next(u);
}

static void on_ended(void *arg, const struct fn_err *err) { job_finish(arg, err); }

static int start_helper(const struct job *j, int dir_fd, int result_fd, struct fn_err *err)
{
	const struct fn_spawn_server_config *cfg = &j->u->cfg;
	char bytes[24], entries[16], uid[16];
	char *argv[] = {"fn-unpack", "--uid", uid, "--max-bytes", bytes, "--max-entries", entries, "--prefix", (char *)j->req.prefix,
			NULL, NULL, NULL, NULL, NULL};
	const struct fn_helper helper = {.stage = "unpack", .path = cfg->unpack_path, .host_ns_fd = cfg->host_ns_fd, .argv = argv,
					 .fds = {j->archive_fd, dir_fd, result_fd}, .n_fds = 3};
	int n = 9;

	if (j->req.trusted_image)
		argv[n++] = "--trusted-image";
	if (j->req.layer)
		argv[n++] = "--layer";
	if (fn_str_starts(j->req.tree, "img-") || fn_str_starts(j->req.tree, "code-") || fn_str_starts(j->req.tree, "layer-") ||
	    fn_str_starts(j->req.tree, "oci-")) { /* named for what it is made of: that is not for fnd to say */
		argv[n++] = "--sha256";
		argv[n++] = strchr(j->req.tree, '-') + 1;
	}
	snprintf(bytes, sizeof(bytes), "%" PRIu64, j->req.max_bytes);
	snprintf(entries, sizeof(entries), "%u", j->req.max_entries);
	snprintf(uid, sizeof(uid), "%u", cfg->uid_base);
	return fn_helper_start(&helper, err);
}

static int job_start(struct job *j, struct fn_err *err)
{
	struct fn_unpacker *u = j->u;
	fn_auto_fd int dir = -EBADF, result_w = -EBADF;
	int r = fn_making_begin(&j->making, fn_unpacker_number(u), u->cfg.uid_base, &result_w, err);

	if (r < 0)
		return r;
	dir = fn_mount_copy(u->roots_fd, j->making.tmp, 0, err);
	if (dir < 0)
		return dir;
	r = start_helper(j, dir, result_w, err);
	if (r >= 0)
		r = fn_making_watch(&j->making, r, err);
	if (r < 0)
		return r;
	j->running = true;
	u->running[kind_of(j)]++;
	return 0;
}

static void start_next(struct fn_unpacker *u)
{
	fn_list_for_each_safe(l, &u->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);
		struct fn_err err = {0};

		if (j->running || u->running[kind_of(j)] >= (j->req.layer ? LAYERS_RUNNING_MAX : RUNNING_MAX))
			continue;
		if (job_start(j, &err) < 0) {
			job_finish(j, &err);
			return; /* it called us again */
		}
	}
}

static bool request_ok(const struct fn_proto_unpack *r)
{
	return (!r->layer || fn_str_starts(r->tree, "oci-")) && memchr(r->tree, '\0', sizeof(r->tree)) && memchr(r->prefix, '\0', sizeof(r->prefix)) && fn_tree_name_ok(r->tree) &&
	       !strstr(r->prefix, "..") && r->prefix[0] != '/';
}

void fn_unpacker_start(struct fn_unpacker *u, uint64_t request, const struct fn_proto_unpack *req, int archive_fd)
{
	struct waiter *w = calloc(1, sizeof(*w));
	struct job *j = NULL;
	struct fn_err err = {0};
	struct stat st;

	if (!w || !request_ok(req)) {
		fn_err_set(&err, w ? EBADMSG : ENOMEM, "unpack", "malformed request");
		u->done(u->arg, request, &err, NULL);
		fn_close(archive_fd);
		free(w);
		return;
	}
	if (faccessat(u->roots_fd, req->tree, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		fn_close(archive_fd);
		free(w);
		u->done(u->arg, request, NULL, &(struct fn_proto_unpacked){0});
		return;
	}
	w->request = request;
	fn_list_for_each(l, &u->jobs)
	{
		struct job *other = fn_list_entry(l, struct job, link);

		if (fn_streq(other->req.tree, req->tree))
			j = other;
	}
	if (j) {
		fn_close(archive_fd);
		fn_list_push_back(&j->waiters, &w->link);
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	j->u = u;
	j->req = *req;
	j->archive_fd = archive_fd;
	j->live = fstat(archive_fd, &st) == 0 && !S_ISREG(st.st_mode);
	j->making = (struct fn_making){.loop = u->cfg.loop, .stage = "unpack", .tree = j->req.tree, .roots_fd = u->roots_fd, .sock = -EBADF, .pidfd = -EBADF,
				       .limit_s = req->layer ? LAYER_TIME_LIMIT_S : TIME_LIMIT_S, .ended = on_ended, .arg = j};
	fn_list_init(&j->waiters);
	fn_list_push_back(&j->waiters, &w->link);
	fn_list_push_back(&u->jobs, &j->link);
	start_next(u);
}

void fn_unpacker_remove_tree(struct fn_unpacker *u, const char *tree, uint64_t request)
{
	struct fn_err err;
	char tmp[64];

	snprintf(tmp, sizeof(tmp), ".tmp-%" PRIu64, fn_unpacker_number(u));
	/* renamed first: a tree that is there is whole */
	if (renameat(u->roots_fd, tree, u->roots_fd, tmp) == 0) {
		remove_later(u, tmp, request);
	} else if (request) {
		fn_err_set(&err, errno, "remove", "%s", tree);
		u->removed(u->arg, request, err.code == ENOENT ? NULL : &err);
	}
}

void fn_unpacker_free(struct fn_unpacker *u)
{
	if (!u)
		return;
	if (u->remover >= 0) {
		end_remover(u);
		tell_removed(u);
	}
	fn_list_take_over(&u->going, &u->doomed);
	remove_all(u);
	tell_removed(u);
	fn_list_for_each_safe(l, &u->jobs)
	{
		struct job *j = fn_list_entry(l, struct job, link);

		fn_making_kill(&j->making);
		if (j->making.tmp[0])
			remove_below(u->roots_fd, j->making.tmp);
		job_free(j);
	}
	fn_close(u->roots_fd);
	free(u);
}

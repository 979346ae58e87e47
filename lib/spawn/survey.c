/* survey.c - see survey.h. Runs in fn-spawnd, and in a child of it that ends with the answer. */
#include "spawn/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/map.h"
#include "os/ns.h"
#include "sandbox/spec.h"
#include "spawn/merge.h"

struct survey {
	struct fn_list link;
	struct fn_loop *loop;
	fn_surveyed_fn fn;
	void *arg;
	uint64_t request, io;
	int fd, pidfd;
};

static void survey_free(struct survey *s)
{
	fn_loop_clear(s->loop, &s->io);
	fn_list_remove(&s->link);
	fn_close(s->fd);
	fn_close(s->pidfd);
	free(s);
}

static void finish(struct survey *s, const struct fn_err *err)
{
	fn_loop_clear(s->loop, &s->io);
	s->fn(s->arg, s->request, err, s->fd);
	survey_free(s);
}

/* --- in the child --- */
/* Adds up; -errno. linked: its files are those of other trees (merger.c), and its directories are what it has. */
static int walk(int dirfd, const char *name, bool linked, struct fn_map *seen, uint64_t *bytes)
{
	struct stat st;
	struct dirent *e;
	int fd, r = 0;
	DIR *d;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno; /* it is being removed */
	if (S_ISREG(st.st_mode) && !linked && (st.st_nlink == 1 || !fn_map_get_u64(seen, st.st_ino))) {
		*bytes += (uint64_t)st.st_size;
		return st.st_nlink == 1 ? 0 : fn_map_set_u64(seen, st.st_ino, seen, NULL);
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	*bytes += linked ? FN_MERGED_DIR_BYTES : 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fn_close(fd);
		return errno == ENOENT ? 0 : -errno;
	}
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = walk(fd, e->d_name, linked, seen, bytes);
	closedir(d);
	return r;
}

static _Noreturn void be_surveyor(int out, const char *trees_dir, bool measure)
{
	struct dirent *e;
	DIR *d;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || fn_fd_close_except(&out, 1) < 0 || !(d = opendir(trees_dir)))
		_exit(1);
	while ((e = readdir(d))) {
		struct fn_map *seen;
		uint64_t bytes = 0;

		if (!fn_tree_name_ok(e->d_name)) /* what is not whole, or no more */
			continue;
		if (fn_map_new(&seen) < 0 || (measure && walk(dirfd(d), e->d_name, strncmp(e->d_name, "root-", 5) == 0, seen, &bytes) < 0))
			_exit(1);
		fn_map_free(seen);
		if (dprintf(out, "%s %llu\n", e->d_name, (unsigned long long)bytes) < 0)
			_exit(1);
	}
	_exit(0);
}

/* --- in fnd --- */
bool fn_survey_next(const char **at, char name[FN_SURVEY_NAME_SIZE], uint64_t *ret_bytes)
{
	unsigned long long n;
	int used = 0;

	if (sscanf(*at, "%71s %llu%n", name, &n, &used) != 2) /* FN_SURVEY_NAME_SIZE - 1 */
		return false;
	*ret_bytes = n;
	*at += used;
	return true;
}

/* --- in fn-spawnd --- */
static void on_end(void *arg, int fd, uint32_t events)
{
	struct survey *s = arg;
	struct fn_err err = {0};
	siginfo_t si = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	if (si.si_code != CLD_EXITED || si.si_status != 0)
		fn_err_set(&err, EIO, "survey", "the trees could not be read");
	finish(s, err.code ? &err : NULL);
}

void fn_surveys_end(struct fn_list *surveys)
{
	fn_list_for_each_safe(l, surveys)
	{
		struct survey *s = fn_list_entry(l, struct survey, link);

		fn_pidfd_end(s->pidfd);
		survey_free(s);
	}
}

void fn_survey_start(struct fn_list *surveys, struct fn_loop *loop, const char *trees_dir, bool measure, fn_surveyed_fn fn, void *arg, uint64_t request)
{
	struct survey *s = calloc(1, sizeof(*s));
	struct fn_err err;
	pid_t pid = -1;

	if (!s)
		abort();
	*s = (struct survey){{0}, loop, fn, arg, request, 0, memfd_create("fn-survey", MFD_CLOEXEC), -EBADF};
	fn_list_push_back(surveys, &s->link);
	if (s->fd >= 0)
		pid = fork();
	if (pid == 0)
		be_surveyor(s->fd, trees_dir, measure);
	s->pidfd = pid < 0 ? -EBADF : fn_pidfd_open(pid);
	if (s->pidfd >= 0 && fn_loop_add_io(loop, s->pidfd, EPOLLIN, on_end, s, &s->io) == 0)
		return;
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED);
	}
	fn_err_set(&err, ENOMEM, "survey", NULL);
	finish(s, &err);
}

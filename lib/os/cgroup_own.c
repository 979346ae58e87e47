/* cgroup_own.c - see cgroup_own.h. Runs in fn-spawnd, at its start and end. */
#include "os/cgroup_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define LEAVE_TRIES 200
#define LEAVE_PAUSE_US 5000u

static int move(int own_fd, const char *procs, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return fn_file_write(own_fd, procs, text);
}

/* Moves all that a file lists; how many. */
static int move_listed(int list_dir, const char *list, int own_fd, const char *procs)
{
	char text[8192], *save = NULL;
	int n = 0;

	if (fn_file_read(list_dir, list, text, sizeof(text)) < 0)
		return 0;
	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		n += move(own_fd, procs, (pid_t)strtol(w, NULL, 10)) == 0;
	return n;
}

/* The master first: whom it forks from then on is born there, whom it has forked is among its children. */
int fn_cg_own_enter(int own_fd, const char *instance, struct fn_err *err)
{
	char dir[96], procs[128], children[64];
	pid_t master = getppid();
	int r;

	snprintf(dir, sizeof(dir), "%s" FN_CG_DAEMON, instance);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	if (mkdirat(own_fd, dir, 0755) < 0 && errno != EEXIST)
		return fn_err_set(err, errno, "cgroup mkdir", "%s", dir);
	r = master > 1 ? move(own_fd, procs, master) : 0; /* a debugger's, or it has ended meanwhile: then so shall we */
	if (r == 0)
		r = move(own_fd, procs, getpid());
	if (r < 0)
		return fn_err_set(err, r, "cgroup attach", "%s", dir);
	snprintf(children, sizeof(children), "/proc/%d/task/%d/children", (int)master, (int)master);
	(void)move_listed(AT_FDCWD, children, own_fd, procs);
	return 0;
}

static void leave(int own_fd, const char *dir)
{
	char procs[128];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	for (int i = 0; i < LEAVE_TRIES; i++) { /* who is forked between the list and the removal, or is about to be reaped, holds it up */
		(void)move_listed(own_fd, procs, own_fd, "cgroup.procs");
		if (unlinkat(own_fd, dir, AT_REMOVEDIR) == 0 || errno != EBUSY)
			return;
		usleep(LEAVE_PAUSE_US);
	}
}

void fn_cg_own_leave(int own_fd, const char *instance)
{
	char dir[96];

	snprintf(dir, sizeof(dir), "%s" FN_CG_DAEMON, instance);
	if (own_fd >= 0)
		leave(own_fd, dir);
}

void fn_cg_own_rise(int own_fd, const char *instance)
{
	if (own_fd >= 0)
		leave(own_fd, instance);
}

void fn_cg_own_remove(int own_fd, const char *name)
{
	for (int i = 0; unlinkat(own_fd, name, AT_REMOVEDIR) < 0 && errno == EBUSY && i < LEAVE_TRIES; i++)
		usleep(LEAVE_PAUSE_US);
}

void fn_cg_own_strip(const char *instance, char *path)
{
	char tail[96], *at;

	snprintf(tail, sizeof(tail), "/%s" FN_CG_DAEMON, instance);
	if (!fn_str_ends(path, tail))
		return;
	at = path + strlen(path) - strlen(tail);
	snprintf(at, 2, "%s", at == path ? "/" : "");
}

int fn_cg_own_sit(int own_fd, int group_fd)
{
	static const char *const copied[] = {"cpuset.cpus", "cpuset.mems"};

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
		char text[1024];

		if (fn_file_read(own_fd, copied[i], text, sizeof(text)) > 0 && fn_file_write(group_fd, copied[i], text) < 0)
			return -EIO;
	}
	return fn_file_write(group_fd, "cgroup.procs", "0");
}

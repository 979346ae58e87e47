/* cgroup_dead.c - see cgroup_dead.h. */
#include "os/cgroup_dead.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/cgroup_own.h"

#define NAME_LEN 16u /* fnd-0123456789ab */
#define HOLD_TRIES 100u

int fn_cg_hold(const char *path)
{
	for (unsigned i = 0; i < HOLD_TRIES; i++) {
		fn_auto_fd int fd = -EBADF;
		struct stat mine, there;

		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* it has just been swept: a dead run of ours had left it */
		if (fd < 0 || flock(fd, LOCK_SH) < 0 || fstat(fd, &mine) < 0)
			return -errno;
		if (stat(path, &there) == 0 && there.st_ino == mine.st_ino && there.st_dev == mine.st_dev)
			return fn_take_fd(&fd);
	}
	return -EAGAIN;
}

static DIR *open_list(int dir_fd, const char *name)
{
	fn_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d)
		(void)fn_take_fd(&fd);
	return d;
}

void fn_cg_sweep_below(int parent_fd, bool unified, int *count)
{
	DIR *d = open_list(parent_fd, ".");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[NAME_MAX + 32];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.kill", e->d_name);
		if (unified)
			(void)fn_file_write(parent_fd, path, "1");
		for (int i = 0; i < 2000; i++) { /* until the killed are gone */
			if (unlinkat(parent_fd, e->d_name, AT_REMOVEDIR) == 0) {
				++*count;
				break;
			}
			if (errno != EBUSY)
				break;
			usleep(1000);
		}
	}
	if (d)
		closedir(d);
}

/* fnd-0123456789ab, with or without .daemon; not our own. */
static bool is_other_s(const char *name, const char *instance)
{
	return strncmp(name, "fnd-", 4) == 0 && strspn(name + 4, "0123456789abcdef") == NAME_LEN - 4 && (!name[NAME_LEN] || strcmp(name + NAME_LEN, FN_CG_DAEMON) == 0) &&
	       strncmp(name, instance, NAME_LEN) != 0;
}

static bool has_processes(int dir_fd, const char *name)
{
	char path[NAME_MAX + 32], text[16];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	n = fn_file_read(dir_fd, path, text, sizeof(text));
	return n > 0 || (n < 0 && n != -ENOENT && n != -ENODEV); /* what cannot be read is somebody's */
}

static bool lives_in(int own_fd, const char *base)
{
	char daemon[NAME_LEN + sizeof(FN_CG_DAEMON)];
	struct dirent *e;
	bool lives;
	DIR *d;

	snprintf(daemon, sizeof(daemon), "%s" FN_CG_DAEMON, base);
	lives = has_processes(own_fd, daemon) || has_processes(own_fd, base);
	d = lives ? NULL : open_list(own_fd, base);
	while (d && !lives && (e = readdir(d)))
		lives = e->d_type == DT_DIR && e->d_name[0] != '.' && has_processes(dirfd(d), e->d_name);
	if (d)
		closedir(d);
	return lives;
}

/* Has some process its name among its arguments, as every fn-spawnd has? */
static bool is_named(const char *base)
{
	DIR *d = opendir("/proc");
	bool found = !d;
	struct dirent *e;

	while (d && !found && (e = readdir(d))) {
		char path[NAME_MAX + 16], text[4096];
		fn_auto_fd int fd = -EBADF;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : fn_fd_read_all(fd, text, sizeof(text));
		found = n > 0 && memmem(text, (size_t)n, base, strlen(base) + 1);
	}
	if (d)
		closedir(d);
	return found;
}

static bool bury(int own_fd, const char *base)
{
	char daemon[NAME_LEN + sizeof(FN_CG_DAEMON)];
	struct dirent *e;
	DIR *d = open_list(own_fd, base);
	bool gone;

	if (d && flock(dirfd(d), LOCK_EX | LOCK_NB) < 0) {
		closedir(d);
		return false;
	}
	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	snprintf(daemon, sizeof(daemon), "%s" FN_CG_DAEMON, base);
	gone = unlinkat(own_fd, daemon, AT_REMOVEDIR) == 0;
	gone = (d && unlinkat(own_fd, base, AT_REMOVEDIR) == 0) || gone;
	if (d)
		closedir(d);
	return gone;
}

unsigned fn_cg_dead_sweep(const int *own_fds, unsigned n, const char *instance)
{
	unsigned gone = 0;

	for (unsigned i = 0; i < n; i++) {
		DIR *d = own_fds[i] < 0 ? NULL : open_list(own_fds[i], ".");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			char base[NAME_LEN + 1];
			bool lives = false;

			if (e->d_type != DT_DIR || !is_other_s(e->d_name, instance))
				continue;
			snprintf(base, sizeof(base), "%s", e->d_name);
			for (unsigned k = 0; !lives && k < n; k++)
				lives = own_fds[k] >= 0 && lives_in(own_fds[k], base);
			gone += !lives && !is_named(base) && bury(own_fds[i], base);
		}
		if (d)
			closedir(d);
	}
	return gone;
}

/* state.c - see state.h. */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "children.h"
#include "image/digest.h"
#include "service/args.h"

#define LOCK_WAIT_S 20

/* A file, or a folder after all that is in it. Once a folder is whose it is to be, so is all in it: an end in between is made up for by the next start. A file with a second
 * name might be anybody's, and is left. */
static int give(int dir_fd, const char *name, uid_t uid, gid_t gid)
{
	fn_auto_fd int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	struct stat st;
	int in, r = 0;
	DIR *d;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		in = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (in < 0 || !(d = fdopendir(in))) {
			fn_close(in);
			return -errno;
		}
		while (r == 0 && (errno = 0, e = readdir(d)))
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				r = give(fd, e->d_name, uid, gid);
		closedir(d);
	} else if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		return 0;
	}
	if (r == 0 && (st.st_uid != uid || st.st_gid != gid) && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		r = -errno;
	return r;
}

static int make_dir(const char *state, const char *name, mode_t mode, uid_t uid, gid_t gid, struct fn_err *err)
{
	char path[PATH_MAX];
	struct stat st;
	bool is_new;
	int r = 0;

	snprintf(path, sizeof(path), "%s%s%s", state, *name ? "/" : "", name);
	is_new = mkdir(path, mode) == 0;
	if (!is_new && errno != EEXIST)
		return fn_err_set(err, errno, "state directory", "%.160s", path);
	if (!is_new && uid && stat(path, &st) == 0 && st.st_uid != uid) { /* another user than the last time */
		fn_log_info("%s: what is in it becomes uid %u's", path, (unsigned)uid);
		r = give(AT_FDCWD, path, uid, gid);
	}
	if (r < 0 || chown(path, uid, gid) < 0 || chmod(path, mode) < 0)
		return fn_err_set(err, r < 0 ? -r : errno, "state directory", "%.160s", path);
	return 0;
}

/* Ours, or one with nothing in it: another's would get our modes and owners. */
static bool is_ours(const char *real)
{
	static const char *const known[] = {"lock", "roots", "db"};
	bool empty = true;
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(real);

	while (d && (e = readdir(d)))
		empty = empty && (e->d_name[0] == '.' || strcmp(e->d_name, "lost+found") == 0);
	if (d)
		closedir(d);
	for (size_t i = 0; !empty && i < sizeof(known) / sizeof(known[0]); i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%s/%s", real, known[i]) < (int)sizeof(path) && lstat(path, &st) == 0 && (i ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)))
			return true;
	}
	return empty;
}

int fnd_state_find(char **dir, char instance[32], struct fn_err *err)
{
	char real[PATH_MAX], sha[FN_SHA256_HEX];
	int r = fn_mkdir_p(*dir, 0755);

	if (r < 0 || !realpath(*dir, real))
		return fn_err_set(err, r < 0 ? -r : errno, "state directory", "%.160s", *dir);
	if (!is_ours(real))
		return fn_err_set(err, EEXIST, "state directory", "%.120s has other things in it: take one that is empty, or does not exist", real);
	free(*dir);
	*dir = strdup(real);
	if (!*dir)
		return fn_err_set(err, ENOMEM, "state directory", NULL);
	fn_sha256_hex(real, strlen(real), sha);
	snprintf(instance, 32, "fnd-%.12s", sha);
	return make_dir(real, "", 0711, 0, 0, err);
}

int fnd_state_prepare(const char *dir, const struct fnd_child_about *about, struct fn_err *err)
{
	const struct {
		const char *name;
		mode_t mode;
		uid_t uid;
		gid_t gid;
	} folders[] = {{"roots", 0711, 0, 0}, {"images", 0755, about->uid, about->gid}, {"db", 0700, about->uid, about->gid},
		       {"blobs", 0700, about->uid, about->gid}, {"logs", 0750, about->uid, about->gid}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
		r = make_dir(dir, folders[i].name, folders[i].mode, folders[i].uid, folders[i].gid, err);
	return r;
}

int fnd_state_prepare_events(const char *dir, const struct fnd_child_about *about, struct fn_err *err)
{
	return make_dir(dir, FN_EVENTS_FOLDER, 0700, about->events_uid, about->events_gid, err);
}

int fnd_state_lock(const char *dir, struct fn_err *err)
{
	fn_auto_fd int fd = -EBADF;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fn_err_set(err, errno, "lock", "%.160s", path);
	for (int i = 0; i < LOCK_WAIT_S * 20; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fn_take_fd(&fd);
		if (errno != EWOULDBLOCK)
			return fn_err_set(err, errno, "lock", "%.160s", path);
		if (i == 10)
			fn_log_info("waiting for an earlier fnd to leave %s", dir);
		usleep(50000);
	}
	return fn_err_set(err, EBUSY, "lock", "another fnd uses %.140s", dir);
}

void fnd_raise_limits(void)
{
	struct rlimit want = {1048576, 1048576}, have;

	if (setrlimit(RLIMIT_NOFILE, &want) == 0 || getrlimit(RLIMIT_NOFILE, &have) < 0)
		return;
	have.rlim_cur = have.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &have);
}

/* A hang-up ends what was started from a terminal. A service has none, and is told by the same signal to read its configuration again. */
bool fnd_on_a_terminal(void)
{
	fn_auto_fd int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd >= 0;
}

int fnd_state_is_whole(const char *state_dir, struct fn_err *err)
{
	char path[4096];
	struct stat st;
	struct dirent *e;
	DIR *d;
	int r = 0;

	snprintf(path, sizeof(path), "%s/db/fnd.db-wal", state_dir);
	if (stat(path, &st) == 0 && st.st_size > 0)
		return 0;
	path[strlen(path) - strlen("-wal")] = '\0';
	if (stat(path, &st) == 0 ? st.st_size > 0 : errno != ENOENT)
		return 0;
	snprintf(path, sizeof(path), "%s/blobs", state_dir);
	d = opendir(path);
	while (r == 0 && d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = fn_err_set(err, ENODATA, "state", "%.100s: db/fnd.db is missing, blobs has packages: restore it, or remove blobs to begin anew",
				       state_dir);
	if (d)
		closedir(d);
	return r;
}

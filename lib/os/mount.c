/* mount.c - see mount.h. Used by fn-spawnd, its children between clone3 and exec, and fn-unpack: no malloc. */
#include "os/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static int fail(int fs, const char *fstype, struct fn_err *err)
{
	int code = errno;
	char log[160] = "";
	ssize_t n = fs >= 0 ? read(fs, log, sizeof(log) - 1) : -1;

	log[n > 0 ? n : 0] = '\0';
	return fn_err_set(err, code, "mount", "%s %s", fstype, log);
}

int fn_mount_new(const char *fstype, const char *const *options, uint64_t attr, struct fn_err *err)
{
	fn_auto_fd int fs = fsopen(fstype, FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return fail(-1, fstype, err);
	for (; options && options[0]; options += 2)
		if (fsconfig(fs, options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options[0], options[1], 0) < 0)
			return fail(fs, fstype, err);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(fs, fstype, err);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attr);
	return fd < 0 ? fail(fs, fstype, err) : fd;
}

int fn_mount_copy(int dirfd, const char *path, int recursive, struct fn_err *err)
{
	int fd = open_tree(dirfd, path,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));

	return fd < 0 ? fn_err_set(err, errno, "open_tree", "%s", path) : fd;
}

int fn_mount_set_attr(int mount_fd, uint64_t attr_set, struct fn_err *err)
{
	struct mount_attr a = {.attr_set = attr_set};

	return mount_setattr(mount_fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0 ? fn_err_set(err, errno, "mount_setattr", NULL) : 0;
}

int fn_mount_map_ids(int mount_fd, int user_ns, struct fn_err *err)
{
	struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_ns};

	return mount_setattr(mount_fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0 ? fn_err_set(err, errno, "mount_setattr", "idmap") : 0;
}

int fn_mount_attach(int mount_fd, int dirfd, const char *path, const char *step, struct fn_err *err)
{
	return move_mount(mount_fd, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? fn_err_set(err, errno, step, NULL) : 0;
}

int fn_mount_move(const char *from, int root_fd, const char *to, struct fn_err *err)
{
	return move_mount(AT_FDCWD, from, root_fd, to, 0) < 0 ? fn_err_set(err, errno, "mount", "move /%s", to) : 0;
}

int fn_mount_pivot(const char *new_root, struct fn_err *err)
{
	if (chdir(new_root) < 0)
		return fn_err_set(err, errno, "pivot_root", "chdir %s", new_root);
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return fn_err_set(err, errno, "pivot_root", "%s", new_root);
	/* old root now lies over the new one at "."; detach it */
	if (umount2(".", MNT_DETACH) < 0)
		return fn_err_set(err, errno, "pivot_root", "detach the old root");
	return chdir("/") < 0 ? fn_err_set(err, errno, "pivot_root", "chdir /") : 0;
}

int fn_mount_enter(int root_fd, struct fn_err *err)
{
	if (fchdir(root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return fn_err_set(err, errno, "enter root", NULL);
	return 0;
}

int fn_mount_new_proc_of(pid_t pid, uint64_t attr, struct fn_err *err)
{
	char ns[64];
	const char *options[] = {"pidns", ns, NULL, NULL};

	snprintf(ns, sizeof(ns), "/proc/%d/ns/pid", (int)pid);
	return fn_mount_new("proc", options, attr, err);
}

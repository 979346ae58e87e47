/* rootfs.c - see rootfs.h. */
#include "sandbox/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "os/mount.h"
#include "sandbox/proc.h"

#define TREES_MAX (FN_SPEC_LOWERS_MAX * FN_TREE_NAME_SIZE + sizeof(FN_ROOTFS_SKELETON))
#define KEY_MAX (FN_SPEC_OWNER_SIZE + TREES_MAX)

struct root {
	struct fn_list link; /* of fn_rootfs.used */
	char *key;
	unsigned number;
	int fd; /* O_PATH of the mounted overlay's root */
};

struct fn_rootfs {
	struct fn_map *roots; /* "owner/joined tree names" -> struct root */
	struct fn_list used;  /* the one asked for last is first */
	unsigned next;
	int own_ns, clone_ns;
	uint32_t fs_uid;
	bool bare;
};

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

static const struct {
	const char *name, *target;
} links[] = {{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}};

int fn_rootfs_new_tmp(uint64_t bytes, struct fn_err *err)
{
	char size[32];
	const char *options[] = {"mode", "1777", "size", size, NULL, NULL};

	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	return fn_mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
}

/* Device nodes work on a superblock made by real root, whatever user namespace sees it. */
int fn_rootfs_new_dev(const struct fn_rootfs *r, struct fn_err *err)
{
	static const char *const options[] = {"mode", "0755", "size", "64k", NULL, NULL};
	fn_auto_fd int fd = fn_mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (mknodat(fd, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0 || fchmodat(fd, nodes[i].name, 0666, 0) < 0 ||
		    fchownat(fd, nodes[i].name, r->fs_uid, r->fs_uid, AT_SYMLINK_NOFOLLOW) < 0)
			return fn_err_set(err, errno, "prepare /dev", "mknod %s", nodes[i].name);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i].target, fd, links[i].name) < 0)
			return fn_err_set(err, errno, "prepare /dev", "symlink %s", links[i].name);
	if (fchownat(fd, "", r->fs_uid, r->fs_uid, AT_EMPTY_PATH) < 0 || fn_mount_set_attr(fd, MOUNT_ATTR_RDONLY, err) < 0)
		return fn_err_set(err, errno, "prepare /dev", "read-only");
	return fn_take_fd(&fd);
}

static int make_skeleton(uint32_t fs_uid, struct fn_err *err)
{
	static const char *const dirs[] = {"", "/var", "/var/task", "/var/task/lib", "/var/lang", "/var/lang/lib", "/opt", "/opt/lib", "/opt/bin"};
	char path[64];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), FN_ROOTFS_SKELETON "%s", dirs[i]);
		if (mkdir(path, 0755) < 0 || lchown(path, fs_uid, fs_uid) < 0)
			return fn_err_set(err, errno, "enter namespace", "%s", path);
	}
	return 0;
}

static int make_dirs(const struct fn_rootfs *r, const char *below, const char *const *dirs, size_t n, struct fn_err *err)
{
	char path[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s%s", below, dirs[i]);
		if (mkdir(path, 0755) < 0 || lchown(path, r->fs_uid, r->fs_uid) < 0)
			return fn_err_set(err, errno, "enter namespace", "%s", path);
	}
	return 0;
}

static int make_own(const struct fn_rootfs *r, const char *own, const char *resolv_conf, struct fn_err *err)
{
	static const char *const dirs[] = {"", "/sys", "/etc"}, *const image_dirs[] = {"/proc", "/dev", "/tmp"};
	fn_auto_fd int fd = -EBADF;
	char file[64];
	int rc = make_dirs(r, own, dirs, sizeof(dirs) / sizeof(dirs[0]) - !resolv_conf, err);

	if (rc == 0 && fn_streq(own, FN_ROOTFS_OWN_IMAGE))
		rc = make_dirs(r, own, image_dirs, sizeof(image_dirs) / sizeof(image_dirs[0]), err);
	if (rc < 0 || !resolv_conf)
		return rc;
	snprintf(file, sizeof(file), "%s/etc/resolv.conf", own);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	rc = fd < 0 ? -errno : fn_fd_write_all(fd, resolv_conf, strlen(resolv_conf));
	if (rc == 0 && lchown(file, r->fs_uid, r->fs_uid) < 0)
		rc = -errno;
	return rc < 0 ? fn_err_set(err, rc, "prepare resolv.conf", NULL) : 0;
}

static int enter(struct fn_rootfs *r, const char *state_dir, struct fn_err *err)
{
	static const char *const options[] = {"mode", "0755", "size", "1m", NULL, NULL};
	static const char *const places[] = {"/proc", FN_ROOTFS_TREES, FN_ROOTFS_NEW, FN_ROOTFS_PROC, FN_ROOTFS_DEV, FN_ROOTFS_SYS, FN_ROOTFS_MOUNTED};
	fn_auto_fd int trees = -EBADF, base = -EBADF, proc = -EBADF, proc_of = -EBADF;
	struct fn_err none;
	char roots[4096];

	if (fn_str_format(roots, sizeof(roots), "%s/roots", state_dir) < 0)
		return fn_err_set(err, ENAMETOOLONG, "enter namespace", "%s", state_dir);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fn_err_set(err, errno, "enter namespace", "unshare");
	proc_of = fn_mount_new_proc_of(getpid(), 0, &none);
	trees = fn_mount_copy(AT_FDCWD, roots, 0, err);
	if (trees < 0)
		return trees;
	base = fn_mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	proc = base < 0 ? -EBADF : fn_mount_new("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	if (proc < 0)
		return -err->code;
	if (fn_mount_attach(base, AT_FDCWD, roots, "mount tmpfs", err) < 0 || fn_mount_pivot(roots, err) < 0)
		return -err->code;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (mkdir(places[i], 0755) < 0)
			return fn_err_set(err, errno, "enter namespace", "mkdir %s", places[i]);
	if (mkdir(FN_ROOTFS_NOWHERE, 0) < 0)
		return fn_err_set(err, errno, "enter namespace", FN_ROOTFS_NOWHERE);
	if (mknod(FN_ROOTFS_NOTHING, S_IFREG, 0) < 0)
		return fn_err_set(err, errno, "enter namespace", FN_ROOTFS_NOTHING);
	r->bare = proc_of >= 0;
	/* one without privileges over the host may mount a /proc where there is one already, and only there */
	if (!r->bare && fn_mount_attach(proc, AT_FDCWD, "/proc", "mount /proc", err) < 0)
		return -err->code;
	/* so much for the sandboxes to start from; the rest is ours alone */
	r->clone_ns = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (r->clone_ns < 0 || unshare(CLONE_NEWNS) < 0)
		return fn_err_set(err, errno, "enter namespace", "unshare");
	if (r->bare && fn_mount_attach(proc, AT_FDCWD, "/proc", "mount /proc", err) < 0)
		return -err->code;
	if (fn_proc_survey(proc, err) < 0)
		return -err->code;
	r->own_ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (r->own_ns < 0)
		return fn_err_set(err, errno, "enter namespace", "/proc/self/ns/mnt");
	if (make_skeleton(r->fs_uid, err) < 0)
		return -err->code;
	return fn_mount_attach(trees, AT_FDCWD, FN_ROOTFS_TREES, "mount the trees", err);
}

int fn_rootfs_enter(const char *state_dir, uint32_t fs_uid, const char *resolv_conf, int *ret_host_ns, struct fn_rootfs **ret, struct fn_err *err)
{
	fn_auto_fd int host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), dev = -EBADF;
	struct fn_rootfs *r;
	int rc;

	if (host < 0)
		return fn_err_set(err, errno, "enter namespace", "/proc/self/ns/mnt");
	r = calloc(1, sizeof(*r));
	if (!r || fn_map_new(&r->roots) < 0) {
		free(r);
		return fn_err_set(err, ENOMEM, "enter namespace", NULL);
	}
	fn_list_init(&r->used);
	r->fs_uid = fs_uid;
	rc = enter(r, state_dir, err);
	if (rc == 0 && (dev = fn_rootfs_new_dev(r, err)) < 0) /* may we at all? better known now than with the first function */
		rc = dev;
	if (rc == 0)
		rc = make_own(r, FN_ROOTFS_OWN, resolv_conf, err);
	if (rc == 0)
		rc = make_own(r, FN_ROOTFS_OWN_IMAGE, resolv_conf, err);
	if (rc < 0) {
		fn_map_free(r->roots);
		free(r);
		return rc;
	}
	*ret_host_ns = fn_take_fd(&host);
	*ret = r;
	return 0;
}

static void join_trees(const struct fn_spec *spec, char *text, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < spec->n_lowers; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ":" : "", spec->lowers[i]);
	if (spec->prestart)
		snprintf(text + n, size - n, ":" FN_ROOTFS_SKELETON);
}

/* At a directory of its own, whose path it writes to target (64 bytes). mount(2), not fsconfig: a string there is limited to 256 bytes.
 * Relative names keep the options within a page. */
static int mount_overlay(const char *own, const char *trees, unsigned number, char *target, struct fn_err *err)
{
	char options[TREES_MAX + 48];
	int rc = 0;

	snprintf(target, 64, FN_ROOTFS_MOUNTED "/%u", number);
	snprintf(options, sizeof(options), "lowerdir=%s:%s", own, trees);
	if (mkdir(target, 0755) < 0)
		return fn_err_set(err, errno, "prepare root", "mkdir");
	if (chdir(FN_ROOTFS_TREES) < 0)
		rc = fn_err_set(err, errno, "prepare root", "chdir");
	else if (mount("overlay", target, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0)
		rc = fn_err_kind(err, FN_ERR_TREES, fn_err_set(err, errno, "mount overlay", "%.150s", trees));
	if (chdir("/") < 0 && rc == 0)
		rc = fn_err_set(err, errno, "prepare root", "chdir");
	if (rc < 0)
		(void)rmdir(target);
	return rc;
}

static void unmount(const char *target)
{
	(void)umount2(target, MNT_DETACH);
	(void)rmdir(target);
}

static int prepare(struct fn_rootfs *r, const char *own, const char *key, struct root **ret, struct fn_err *err)
{
	char target[64];
	fn_auto_free struct root *root = calloc(1, sizeof(*root));
	fn_auto_free char *copy = strdup(key);
	int rc;

	if (!root || !copy)
		return fn_err_set(err, ENOMEM, "prepare root", NULL);
	root->number = r->next++;
	rc = mount_overlay(own, strchr(key, '/') + 1, root->number, target, err);
	if (rc < 0)
		return rc;
	root->fd = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = root->fd < 0 ? -errno : fn_map_set(r->roots, key, root, NULL);
	if (rc < 0) {
		fn_close(root->fd);
		unmount(target);
		return fn_err_set(err, rc, "prepare root", "open");
	}
	root->key = fn_take_ptr(copy);
	fn_list_push_front(&r->used, &root->link);
	*ret = fn_take_ptr(root);
	return 0;
}

/* A runtime that was started ahead keeps files of this root open, its own program at least: in a common overlay functions of all kinds
 * would share those inodes, and with them locks and inotify. What lies in memory is shared all the same: it belongs to the trees. */
static int prestart_root(struct fn_rootfs *r, const char *trees, struct fn_err *err)
{
	char target[64];
	int fd = mount_overlay(FN_ROOTFS_OWN, trees, r->next++, target, err);

	if (fd < 0)
		return fd;
	fd = fn_mount_copy(AT_FDCWD, target, 0, err);
	unmount(target);
	return fd;
}

static void forget(struct fn_rootfs *r, struct root *root)
{
	char target[64];

	fn_map_remove(r->roots, root->key);
	fn_list_remove(&root->link);
	snprintf(target, sizeof(target), FN_ROOTFS_MOUNTED "/%u", root->number);
	fn_close(root->fd);
	unmount(target);
	free(root->key);
	free(root);
}

/* Its trees have the names yet by which it was mounted: what somebody has deleted is an empty directory in it. */
static bool stands(const char *key)
{
	char path[sizeof(FN_ROOTFS_TREES) + FN_TREE_NAME_SIZE];
	const char *tree = strchr(key, '/') + 1;

	for (size_t n; *tree; tree += n + (tree[n] == ':')) {
		n = strcspn(tree, ":");
		snprintf(path, sizeof(path), FN_ROOTFS_TREES "/%.*s", (int)n, tree);
		if (access(path, F_OK) < 0)
			return false;
	}
	return true;
}

/* The one that all sandboxes of this owner with these trees have, mounted now if it is not yet. */
static int common_root(struct fn_rootfs *r, const struct fn_spec *spec, const char *trees, struct root **ret, struct fn_err *err)
{
	char key[KEY_MAX];
	struct fn_list *oldest;
	int rc;

	snprintf(key, sizeof(key), "%s/%s", spec->owner, trees);
	*ret = fn_map_get(r->roots, key);
	if (*ret && !stands(key)) {
		forget(r, *ret);
		*ret = NULL;
	}
	if (*ret) {
		fn_list_remove(&(*ret)->link);
		fn_list_push_front(&r->used, &(*ret)->link);
		return 0;
	}
	rc = prepare(r, spec->image ? FN_ROOTFS_OWN_IMAGE : FN_ROOTFS_OWN, key, ret, err);
	if (rc < 0)
		return rc;
	oldest = fn_list_last(&r->used);
	if (oldest && fn_map_count(r->roots) > FN_ROOTFS_KEPT)
		forget(r, fn_list_entry(oldest, struct root, link));
	return 0;
}

int fn_rootfs_get(struct fn_rootfs *r, const struct fn_spec *spec, struct fn_err *err)
{
	char trees[TREES_MAX];
	struct root *root;
	int rc;

	join_trees(spec, trees, sizeof(trees));
	if (spec->prestart)
		return prestart_root(r, trees, err);
	rc = common_root(r, spec, trees, &root, err);
	return rc < 0 ? rc : fn_mount_copy(root->fd, "", 0, err);
}

int fn_rootfs_expect(struct fn_rootfs *r, const struct fn_spec *spec, struct fn_err *err)
{
	char trees[TREES_MAX];
	struct root *root;

	if (spec->prestart)
		return fn_err_set(err, EINVAL, "prepare root", "nobody shares it");
	join_trees(spec, trees, sizeof(trees));
	return common_root(r, spec, trees, &root, err);
}

void fn_rootfs_forget_tree(struct fn_rootfs *r, const char *tree)
{
	struct root *root;
	size_t it = 0;

	while ((root = fn_map_next(r->roots, &it)))
		if (strstr(root->key, tree))
			forget(r, root);
}

int fn_rootfs_clone_begin(struct fn_rootfs *r) { return setns(r->clone_ns, CLONE_NEWNS) < 0 ? -errno : 0; }

void fn_rootfs_clone_end(struct fn_rootfs *r)
{
	if (setns(r->own_ns, CLONE_NEWNS) < 0)
		abort();
}

int fn_rootfs_copy_from(struct fn_rootfs *r, int mnt_ns, const char *path, struct fn_err *err)
{
	int fd;

	if (setns(mnt_ns, CLONE_NEWNS) < 0)
		return fn_err_set(err, errno, "mount namespace", NULL);
	fd = fn_mount_copy(AT_FDCWD, path, 0, err);
	fn_rootfs_clone_end(r); /* back */
	return fd;
}

void fn_rootfs_free(struct fn_rootfs *r)
{
	struct root *root;
	size_t it = 0;

	if (!r)
		return;
	while ((root = fn_map_next(r->roots, &it)))
		forget(r, root);
	fn_map_free(r->roots);
	fn_close(r->own_ns);
	fn_close(r->clone_ns);
	free(r);
}

bool fn_rootfs_bare(const struct fn_rootfs *r) { return r->bare; }

int fn_rootfs_new_proc(pid_t init, struct fn_err *err)
{
	return fn_mount_new_proc_of(init, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
}

size_t fn_rootfs_count(const struct fn_rootfs *r) { return fn_map_count(r->roots); }

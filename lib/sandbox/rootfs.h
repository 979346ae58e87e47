/*
 * rootfs.h - prepared roots: read-only overlays shared by the sandboxes of one function with the same trees. Runs in fn-spawnd, inside its own mount
 * namespace (fn_rootfs_enter), so that no mount ever shows on the host and all of them vanish with the process.
 */
#ifndef FN_SANDBOX_ROOTFS_H
#define FN_SANDBOX_ROOTFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "sandbox/spec.h"

#define FN_ROOTFS_KEPT 1024 /* prepared roots; beyond that the one not asked for the longest goes */

/* Where things are inside fn-spawnd's mount namespace. */
#define FN_ROOTFS_TREES "/roots"   /* bind of <state>/roots, read-write: trees are unpacked there */
#define FN_ROOTFS_NEW "/new"       /* where a sandbox's child puts its root before pivoting, if it must */
#define FN_ROOTFS_PROC "/newproc"  /* and its /proc, before there is a root */
#define FN_ROOTFS_DEV "/newdev"    /* and its /dev */
#define FN_ROOTFS_SYS "/newsys"    /* and its /sys */
#define FN_ROOTFS_MOUNTED "/mounted" /* the prepared overlays */
#define FN_ROOTFS_SKELETON "/skeleton" /* a lowest tree of empty directories, for runtimes started ahead: what the dynamic loader once found missing it never looks at again */
#define FN_ROOTFS_NOTHING "/nothing" /* a file that nobody but host root may open: lies over what is masked in /proc */
#define FN_ROOTFS_NOWHERE "/nowhere" /* and a directory */
#define FN_ROOTFS_OWN "/own"     /* a tree of our own on top of all others: a place for /sys and, with a network, /etc/resolv.conf */

#define FN_ROOTFS_OWN_IMAGE "/own-image" /* the same over a container image, which may lack /proc, /dev and /tmp, or have something else there */

struct fn_rootfs;

/* Unshares the mount namespace and pivots into a tmpfs with nothing but the above and /proc. *ret_host_ns: the namespace left, for
 * what must run there (fn-unpack needs the dynamic loader). resolv_conf: text of the sandboxes' /etc/resolv.conf, NULL = the image's;
 * it is a tree of the overlay rather than a mount, so that it costs a sandbox nothing and needs no file in the image to cover. */
int fn_rootfs_enter(const char *state_dir, uint32_t fs_uid, const char *resolv_conf, int *ret_host_ns, struct fn_rootfs **ret, struct fn_err *err);
/* A detached copy of the prepared root for this spec's owner and trees (prepared now if it is not yet); of a spec with `prestart` a root that
 * nobody shares. Another owner with the same trees has another root: through common inodes functions could lock each other out and see each
 * other open files. The caller owns the descriptor. */
int fn_rootfs_get(struct fn_rootfs *r, const struct fn_spec *spec, struct fn_err *err);
/* Prepares that root now, if it is not yet: one will be asked for. */
int fn_rootfs_expect(struct fn_rootfs *r, const struct fn_spec *spec, struct fn_err *err);
/* A /dev, not mounted yet, for one sandbox: through one that they shared, even through its /dev/null as their standard input, functions could
 * lock each other out, see each other open files, and pass each other messages. The caller owns the descriptor. */
int fn_rootfs_new_dev(const struct fn_rootfs *r, struct fn_err *err);
/* A /tmp in memory of this size, not mounted yet; the caller's. */
int fn_rootfs_new_tmp(uint64_t bytes, struct fn_err *err);
/* Whether the namespace that sandboxes are cloned from has nothing of the host in it, not even a /proc: then a sandbox need not pivot out of it
 * (fn_mount_enter()), and gets its /proc from here. So it is where one can make a /proc for another process (Linux >= 6.17). */
bool fn_rootfs_bare(const struct fn_rootfs *r);
/* The /proc of a sandbox whose init this is, not mounted yet. The caller owns the descriptor. */
int fn_rootfs_new_proc(pid_t init, struct fn_err *err);
/* Unmounts the prepared roots that hold this tree; sandboxes keep theirs. */
void fn_rootfs_forget_tree(struct fn_rootfs *r, const char *tree);
/* Sandboxes are cloned from a second mount namespace, which has no prepared root in it: a clone copies every mount of its maker's. Between
 * the two calls nothing but the clone; it aborts when there is no way back. */
int fn_rootfs_clone_begin(struct fn_rootfs *r);
void fn_rootfs_clone_end(struct fn_rootfs *r);
/* A detached copy of what is mounted at this path in a sandbox's mount namespace. The caller owns the descriptor. */
int fn_rootfs_copy_from(struct fn_rootfs *r, int mnt_ns, const char *path, struct fn_err *err);
/* The prepared roots; the namespaces themselves go with the process. NULL is fine. */
void fn_rootfs_free(struct fn_rootfs *r);
size_t fn_rootfs_count(const struct fn_rootfs *r);

#endif

/* mount.h - the file-descriptor mount API (fsopen, open_tree, move_mount), each call with an error that names its step. */
#ifndef FN_OS_MOUNT_H
#define FN_OS_MOUNT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* A detached mount of a new filesystem. options: NULL-terminated key, value, key, value ... (value NULL = flag). attr: MOUNT_ATTR_*.
 * Returns a descriptor or -errno; err->msg carries the kernel's own message where the filesystem gave one. */
int fn_mount_new(const char *fstype, const char *const *options, uint64_t attr, struct fn_err *err);
/* A detached copy of the mount at (dirfd, path); path "" means dirfd itself. recursive: with what is mounted below. */
int fn_mount_copy(int dirfd, const char *path, int recursive, struct fn_err *err);
/* Sets attributes (MOUNT_ATTR_RDONLY ...) on a mount. */
int fn_mount_set_attr(int mount_fd, uint64_t attr_set, struct fn_err *err);
/* Shows the files of a detached mount as those of other ids: whose they are in the user namespace that its file system was mounted from is, number for
 * number, who has them in this one. Once for a mount (Linux >= 5.12; tmpfs 6.3). */
int fn_mount_map_ids(int mount_fd, int user_ns, struct fn_err *err);
/* Attaches a detached mount. `step` names it in errors: "mount /tmp". */
int fn_mount_attach(int mount_fd, int dirfd, const char *path, const char *step, struct fn_err *err);
/* What is mounted at `from`, with all below it, goes to `to` below root_fd. */
int fn_mount_move(const char *from, int root_fd, const char *to, struct fn_err *err);
/* Makes the directory the root of this mount namespace and drops the old one. The kernel looks at every process of the host for it. */
int fn_mount_pivot(const char *new_root, struct fn_err *err);
/* Makes a mount that has been attached to "/" the root, for this process and who shares its fs_struct (CLONE_FS). The old root stays below,
 * out of everyone's reach: for one that has nothing in it. */
int fn_mount_enter(int root_fd, struct fn_err *err);
/* A /proc of another process' PID namespace, detached (Linux >= 6.17; before, EINVAL). */
int fn_mount_new_proc_of(pid_t pid, uint64_t attr, struct fn_err *err);

#endif

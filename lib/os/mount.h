/* mount.h - the file-descriptor mount API (fsopen, open_tree, move_mount), each call with an error that names its step. */
#ifndef FN_OS_MOUNT_H
#define FN_OS_MOUNT_H

#include <stdint.h>

#include "base/err.h"

/* A detached mount of a new filesystem. options: NULL-terminated key, value, key, value ... (value NULL = flag). attr: MOUNT_ATTR_*.
 * Returns a descriptor or -errno; err->msg carries the kernel's own message where the filesystem gave one. */
int fn_mount_new(const char *fstype, const char *const *options, uint64_t attr, struct fn_err *err);
/* A detached copy of the mount at (dirfd, path); path "" means dirfd itself. recursive: with what is mounted below. */
int fn_mount_copy(int dirfd, const char *path, int recursive, struct fn_err *err);
/* Sets attributes (MOUNT_ATTR_RDONLY ...) on a mount. */
int fn_mount_set_attr(int mount_fd, uint64_t attr_set, struct fn_err *err);
/* Attaches a detached mount. `step` names it in errors: "mount /tmp". */
int fn_mount_attach(int mount_fd, int dirfd, const char *path, const char *step, struct fn_err *err);
/* Makes the directory the root of this mount namespace and drops the old one. */
int fn_mount_pivot(const char *new_root, struct fn_err *err);

#endif

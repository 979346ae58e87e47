/* fd.h - descriptors: whole reads and writes, flags, small files, what stands beside the program. All return 0/count or -errno; EINTR is retried. */
#ifndef FN_BASE_FD_H
#define FN_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

int fn_fd_set_nonblock(int fd, bool on);
int fn_fd_set_cloexec(int fd, bool on);
/* Closes every descriptor but these n (sorts them; at most a few). stdio is closed too unless it is among them. */
int fn_fd_close_except(int *keep, size_t n);
int fn_fd_write_all(int fd, const void *data, size_t len); /* blocking descriptors */
ssize_t fn_fd_read_all(int fd, void *data, size_t len);    /* until len or EOF */

/* Reads a small file (sysfs, procfs, cgroupfs) into buf, NUL-terminated, trailing newline cut; length or -errno. dirfd AT_FDCWD allowed. */
ssize_t fn_file_read(int dirfd, const char *path, char *buf, size_t size);
int fn_file_write(int dirfd, const char *path, const char *text); /* one write(2), O_WRONLY, no create */
/* Writes a file durably: temporary name, fsync, rename, fsync of the directory. */
int fn_file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode);
/* The first of these places that access(2) allows for `mode`, as a path: places are relative to the directory of the running program; NULL ends
 * them. -errno with the last one in path. */
int fn_path_beside(const char *const *places, int mode, char *path, size_t size);
int fn_mkdir_p(const char *path, mode_t mode);

#endif

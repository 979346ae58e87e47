/* ns.h - clone3(2), id maps, pidfds. */
#ifndef FN_OS_NS_H
#define FN_OS_NS_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All seven namespaces of a sandbox. */
#define FN_NS_ALL (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* fork() by clone3: 0 in the child, its pid in the parent, or -errno. flags: CLONE_FS. */
pid_t fn_ns_fork(uint64_t flags);
/* Like fork(): 0 in the child, its pid in the parent, or -errno. cgroup_fd: the group the child is born in (CLONE_INTO_CGROUP), or
 * -EBADF. The caller must be single-threaded. */
pid_t fn_ns_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd);

/* A user namespace for fn_mount_map_ids() alone: n ids from `from` on are those from `to` on, `same` is itself. Its descriptor, or -errno. */
int fn_ns_shift(uint32_t same, uint32_t from, uint32_t to, uint32_t n);
/* Writes /proc/<pid>/{uid,gid}_map: inside 0 -> shared (one id), inside 1..65535 -> range+1.. */
int fn_ns_write_maps(pid_t pid, uint32_t shared_id, uint32_t range);

unsigned fn_ns_threads(void); /* of this process; 0 = /proc does not tell */

/* A socket for TCP in the network namespace of this process: unconnected, non-blocking, CLOEXEC. The caller must be single-threaded; it is back in its own
 * afterwards. */
int fn_ns_socket(pid_t pid);

int fn_pidfd_open(pid_t pid);
int fn_pidfd_kill(int pidfd, int signo);
void fn_pidfd_end(int pidfd); /* of a child: kills and reaps it; -EBADF is fine */

/* Where the kernel finds what /proc/<pid>/cmdline and environ show of a process: its arguments, and behind them its environment. */
struct fn_ns_title {
	char *args;
	size_t args_size, all_size;
};
/* Of this process, from what main() was given. */
struct fn_ns_title fn_ns_title_of(int argc, char **argv, char **env);
/* From now on `name` is all there is. No malloc. */
void fn_ns_title_set(const struct fn_ns_title *t, const char *name);

#endif

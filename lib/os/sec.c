/* sec.c - see sec.h. */
#include "os/sec.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/memfd.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

struct fn_seccomp {
	struct sock_fprog prog;
};

/* What ordinary programs, language runtimes and JITs use; checked against node, python, the JVM, Go and .NET start-up. Further down what
 * is allowed with some arguments. */
static const char *const function_calls[] = {
	"accept", "accept4", "access", "alarm", "arch_prctl", "bind", "brk", "capget", "chdir", "chmod", "chown",
	"clock_getres", "clock_gettime", "clock_nanosleep", "close", "close_range", "connect", "copy_file_range", "creat",
	"dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64",
	"fallocate", "fchdir", "fchmod", "fchmodat", "fchown", "fchownat", "fcntl", "fgetxattr", "flistxattr",
	"flock", "fork", "fstat", "fstatfs", "ftruncate", "futex", "futex_waitv", "futimesat", "getcpu", "getcwd",
	"getdents", "getdents64", "getegid", "geteuid", "getgid", "getgroups", "getitimer", "getpeername", "getpgid",
	"getpgrp", "getpid", "getppid", "getpriority", "getrandom", "getresgid", "getresuid", "getrlimit",
	"get_robust_list", "getrusage", "getsid", "getsockname", "getsockopt", "get_thread_area", "gettid",
	"gettimeofday", "getuid", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
	"ioctl", "ioprio_get", "kill", "lchown", "lgetxattr", "link", "linkat", "listen", "listxattr", "llistxattr", "lseek", "lstat",
	"madvise", "membarrier", "mincore", "mkdir", "mkdirat", "mlock", "mlock2", "mlockall",
	"mprotect", "mremap", "msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap",
	"nanosleep", "newfstatat", "open", "openat", "openat2", "pause", "pidfd_open", "pidfd_send_signal", "pipe", "pipe2",
	"pkey_alloc", "pkey_free", "pkey_mprotect", "poll", "ppoll", "pread64", "preadv", "preadv2",
	"pselect6", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "recvfrom",
	"recvmmsg", "recvmsg", "rename", "renameat", "renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction",
	"rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"rt_tgsigqueueinfo", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
	"sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "select", "semctl", "semget", "semop",
	"semtimedop", "sendfile", "sendmmsg", "sendmsg", "sendto", "setgid", "setgroups", "setitimer", "setpgid",
	"setpriority", "setregid", "setresgid", "setresuid", "setreuid", "set_robust_list", "setsid",
	"setsockopt", "set_tid_address", "setuid", "shmat", "shmctl", "shmdt", "shutdown", "sigaltstack",
	"signalfd", "signalfd4", "socketpair", "splice", "stat", "statfs", "statx", "symlink", "symlinkat",
	"sysinfo", "tee", "tgkill", "time", "timer_create", "timer_delete", "timer_getoverrun",
	"timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times", "tkill",
	"truncate", "umask", "uname", "unlink", "unlinkat", "utime", "utimensat", "utimes", "vfork", "vmsplice", "wait4",
	"waitid", "write", "writev",
};

static const char *const unpack_calls[] = {
	"brk", "chdir", "clock_gettime", "close", "exit", "exit_group", "fallocate", "fchdir", "fchmod", "fchmodat", "fcntl", "fstat",
	"fsync", "ftruncate", "futex", "getcwd", "getdents64", "getegid", "geteuid", "getgid", "getpid", "getrandom", "getuid",
	"linkat", "lseek", "madvise", "mkdirat", "mmap", "mprotect", "mremap", "munmap", "newfstatat", "openat", "openat2",
	"pread64", "read", "readlinkat", "renameat", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"symlinkat", "unlinkat", "utimensat", "write", "writev", "tgkill", "gettid", "sched_yield", "statx", "rseq", "prlimit64",
	"futimesat", "umask", "syncfs", "fsetxattr",
};

/* Files can be opened: there are a handful, read-only. bind: of a netlink socket, to nobody's address (getifaddrs()). */
static const char *const fetch_calls[] = {
	"bind", "brk", "clock_gettime", "clock_nanosleep", "close", "connect", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "exit",
	"exit_group", "fcntl", "fstat", "fstatfs", "ftruncate", "futex", "getdents64", "getegid", "geteuid", "getgid", "getpeername", "getpid", "getrandom",
	"getrusage", "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "ioctl", "lseek", "lstat", "madvise", "mmap", "mprotect", "mremap", "munmap",
	"nanosleep", "newfstatat", "open", "openat", "pipe2", "poll", "ppoll", "pread64", "read", "readlink", "readlinkat", "readv", "recvfrom", "recvmmsg", "recvmsg",
	"restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield", "select", "pselect6", "sendmmsg", "sendmsg", "sendto",
	"set_robust_list", "setsockopt", "shutdown", "sigaltstack", "stat", "statx", "sysinfo", "tgkill", "time", "uname", "write", "writev",
};

static int add_all(scmp_filter_ctx ctx, const char *const *list, size_t n, struct fn_err *err)
{
	for (size_t i = 0; i < n; i++) {
		int nr = seccomp_syscall_resolve_name(list[i]), r;

		if (nr == __NR_SCMP_ERROR)
			continue; /* this libseccomp does not know it yet: it stays refused */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		if (r < 0)
			return fn_err_set(err, r, "seccomp", "rule for %s", list[i]);
	}
	return 0;
}

static int export(scmp_filter_ctx ctx, struct fn_seccomp **ret, struct fn_err *err)
{
	fn_auto_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct fn_seccomp *s = calloc(1, sizeof(*s));
	struct stat st;
	int r;

	if (fd < 0 || !s) {
		free(s);
		return fn_err_set(err, ENOMEM, "seccomp", "memfd");
	}
	r = seccomp_export_bpf(ctx, fd);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && !(s->prog.filter = malloc((size_t)st.st_size)))
		r = -ENOMEM;
	if (r == 0 && pread(fd, s->prog.filter, (size_t)st.st_size, 0) != st.st_size)
		r = -EIO;
	if (r < 0) {
		fn_seccomp_free(s);
		return fn_err_set(err, r, "seccomp", "export");
	}
	s->prog.len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	*ret = s;
	return 0;
}

#define NS_FLAGS                                                                                                                  \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | 0x80 /* NEWTIME */)

/* A socket's type and protocol by their family. Not more: each is a piece of the host's kernel, and to ask for one that is not loaded has its
 * module loaded. Of netlink, what getifaddrs() asks. -1: any protocol. */
static int add_sockets(scmp_filter_ctx ctx)
{
	static const struct {
		int family, type, protocol;
	} sockets[] = {
		{AF_UNIX, SOCK_STREAM, -1}, {AF_UNIX, SOCK_DGRAM, -1}, {AF_UNIX, SOCK_SEQPACKET, -1},
		{AF_INET, SOCK_STREAM, 0}, {AF_INET, SOCK_STREAM, IPPROTO_TCP}, {AF_INET, SOCK_STREAM, IPPROTO_MPTCP},
		{AF_INET, SOCK_DGRAM, 0}, {AF_INET, SOCK_DGRAM, IPPROTO_UDP}, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
		{AF_INET6, SOCK_STREAM, 0}, {AF_INET6, SOCK_STREAM, IPPROTO_TCP}, {AF_INET6, SOCK_STREAM, IPPROTO_MPTCP},
		{AF_INET6, SOCK_DGRAM, 0}, {AF_INET6, SOCK_DGRAM, IPPROTO_UDP}, {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
		{AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}, {AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		const struct scmp_arg_cmp c[] = {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sockets[i].family, 0),
						 SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)sockets[i].type),
						 SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)sockets[i].protocol, 0)};

		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), sockets[i].protocol < 0 ? 2 : 3, c);
	}
	return r;
}

/* Huge pages of the host's pool are no memory that a sandbox's limit counts. */
static int add_mappings(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_HUGETLB, 0));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOMEM), SCMP_SYS(mmap), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_HUGETLB, MAP_HUGETLB));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(memfd_create), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, MFD_HUGETLB, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(shmget), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, SHM_HUGETLB, 0));
	return r;
}

/*
 * The limit of core files is 1 and stays it: then, and only then, no core goes to a program of the host's either, which core_pattern may
 * name, and which would run as the host's root, outside of the sandbox's groups, as often as a function likes to crash. core(5), kernel's
 * fs/coredump.c. Who sets the limit to 0 to have no cores is told that it is done. The resource is an `unsigned` to the kernel: compared so.
 */
static int add_limits(scmp_filter_ctx ctx)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < RLIM_NLIMITS; i++) {
		if (i == RLIMIT_CORE)
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setrlimit), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, i));
		if (r == 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, i));
	}
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), SCMP_SYS(setrlimit), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, RLIMIT_CORE));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, RLIMIT_CORE),
				     SCMP_A2(SCMP_CMP_EQ, 0, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), SCMP_SYS(prlimit64), 2, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, RLIMIT_CORE),
				     SCMP_A2(SCMP_CMP_NE, 0, 0));
	return r;
}

/* A FIFO is a file. Devices want a capability that nobody has here. */
static int add_fifos(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknod), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO));

	return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO));
}

/* Calls younger than Linux 6.1, the oldest that fnd runs on: programs try them (C libraries fchmodat2, 452) and do it the old way where the
 * kernel knows them not, but take a refusal for the last word. */
static int add_unknown(scmp_filter_ctx ctx)
{
	int r = 0;

	for (int nr = SYS_set_mempolicy_home_node + 1; r == 0 && nr < 512; nr++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	return r;
}

/* error 0: as done. */
static int answer(scmp_filter_ctx ctx, uint16_t error, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(error), calls[i], 0);
	return r;
}

/*
 * Nothing in a sandbox outlives it, and there is nobody to whom it would make a difference: answered as done. sync(2) is the whole host's, the databases' and
 * everybody else's /tmp included.
 */
static int add_syncs(scmp_filter_ctx ctx)
{
	static const int calls[] = {SCMP_SYS(sync), SCMP_SYS(syncfs), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range)};

	return answer(ctx, 0, calls, sizeof(calls) / sizeof(calls[0]));
}

/* As by a file system that has none: attributes take memory of the kernel that nobody counts. */
static int add_attributes(scmp_filter_ctx ctx)
{
	static const int calls[] = {SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr), SCMP_SYS(removexattr), SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr)};

	return answer(ctx, EOPNOTSUPP, calls, sizeof(calls) / sizeof(calls[0]));
}

/* All but PR_SCHED_CORE (62): a process with a cookie has the other threads of its core idle rather than run a neighbour. */
static int add_prctl(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_LT, PR_SCHED_CORE, 0));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SCHED_CORE + 1, 0));
	if (r == 0) /* 64 to 127 */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)63, 64));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_PTRACER, 0));
	return r;
}

int fn_seccomp_for_functions(struct fn_seccomp **ret, struct fn_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return fn_err_set(err, ENOMEM, "seccomp", NULL);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* binary tree: the list is long */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	r = add_all(ctx, function_calls, sizeof(function_calls) / sizeof(function_calls[0]), err);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, NS_FLAGS, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0) /* personality(PER_LINUX), (ADDR_NO_RANDOMIZE) stay refused but the query and the default are harmless */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, 0xffffffff, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, 0, 0));
	if (r == 0)
		r = add_sockets(ctx);
	if (r == 0)
		r = add_fifos(ctx);
	if (r == 0)
		r = add_unknown(ctx);
	if (r == 0)
		r = add_mappings(ctx);
	if (r == 0)
		r = add_limits(ctx);
	if (r == 0)
		r = add_prctl(ctx);
	if (r == 0)
		r = add_syncs(ctx);
	if (r == 0)
		r = add_attributes(ctx);
	if (r == 0)
		r = export(ctx, ret, err);
	else
		fn_err_set(err, r, "seccomp", "build the functions' filter");
	seccomp_release(ctx);
	return r;
}

int fn_seccomp_for_init(struct fn_seccomp **ret, struct fn_err *err)
{
	static const char *const calls[] = {"read", "write", "close", "prctl", "clock_gettime", "sendmsg", "wait4", "ppoll", "exit_group", "exit", "rt_sigreturn", "restart_syscall"};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return fn_err_set(err, ENOMEM, "seccomp", NULL);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	r = add_all(ctx, calls, sizeof(calls) / sizeof(calls[0]), err);
	if (r == 0)
		r = export(ctx, ret, err);
	seccomp_release(ctx);
	return r;
}

int fn_seccomp_for_unpack(struct fn_seccomp **ret, struct fn_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!ctx)
		return fn_err_set(err, ENOMEM, "seccomp", NULL);
	r = add_all(ctx, unpack_calls, sizeof(unpack_calls) / sizeof(unpack_calls[0]), err);
	if (r == 0)
		r = export(ctx, ret, err);
	seccomp_release(ctx);
	return r;
}

/* Streams and datagrams over IP, and what getaddrinfo() asks the kernel: not the sockets of this machine's other services. */
static int add_fetch_sockets(scmp_filter_ctx ctx)
{
	static const struct {
		int family, type;
	} sockets[] = {{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM}, {AF_INET6, SOCK_STREAM}, {AF_INET6, SOCK_DGRAM}, {AF_NETLINK, SOCK_RAW}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		const struct scmp_arg_cmp c[] = {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sockets[i].family, 0),
						 SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)sockets[i].type), SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE, 0)};

		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), sockets[i].family == AF_NETLINK ? 3 : 2, c);
	}
	if (r == 0) /* between threads of one process */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	return r;
}

int fn_seccomp_for_fetch(struct fn_seccomp **ret, struct fn_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return fn_err_set(err, ENOMEM, "seccomp", NULL);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	r = add_all(ctx, fetch_calls, sizeof(fetch_calls) / sizeof(fetch_calls[0]), err);
	if (r == 0) /* threads, no processes */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = add_fetch_sockets(ctx);
	if (r == 0)
		r = export(ctx, ret, err);
	else
		fn_err_set(err, r, "seccomp", "build fn-fetch's filter");
	seccomp_release(ctx);
	return r;
}

void fn_seccomp_free(struct fn_seccomp *s)
{
	if (!s)
		return;
	free(s->prog.filter);
	free(s);
}

int fn_seccomp_install(const struct fn_seccomp *s)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &s->prog) < 0 ? -errno : 0;
}

static bool bounding_dropped;

int fn_sec_drop_bounding(struct fn_err *err)
{
	int cap = 0;

	while (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
		cap++;
	if (errno != EINVAL || cap <= CAP_SETPCAP) /* EINVAL: beyond the last one */
		return fn_err_set(err, errno, "drop capabilities", "bounding set");
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	bounding_dropped = true;
	return 0;
}

int fn_sec_drop(uid_t uid, gid_t gid, struct fn_err *err)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};
	uid_t ru, eu, su;

	if (!bounding_dropped && fn_sec_drop_bounding(err) < 0)
		return -EPERM;
	/* raw calls: glibc's wrappers would signal threads, and we may be between clone3 and exec */
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return fn_err_set(err, errno, "setgroups", NULL);
	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return fn_err_set(err, errno, "setresgid", "%u", (unsigned)gid);
	if (syscall(SYS_setresuid, uid, uid, uid) < 0)
		return fn_err_set(err, errno, "setresuid", "%u", (unsigned)uid);
	if (syscall(SYS_capset, &h, d) < 0)
		return fn_err_set(err, errno, "capset", NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fn_err_set(err, errno, "no_new_privs", NULL);
	if (syscall(SYS_capget, &h, d) < 0 || d[0].effective | d[0].permitted | d[0].inheritable | d[1].effective | d[1].permitted)
		return fn_err_set(err, EPERM, "drop capabilities", "some are left");
	if (getresuid(&ru, &eu, &su) < 0 || ru != uid || eu != uid || su != uid)
		return fn_err_set(err, EPERM, "setresuid", "did not take");
	return 0;
}

int fn_sec_limit(uint64_t memory_bytes, uint64_t file_bytes, unsigned processes, unsigned cpu_s, struct fn_err *err)
{
	const struct {
		int resource;
		rlim_t value;
	} limits[] = {{RLIMIT_AS, memory_bytes}, {RLIMIT_FSIZE, file_bytes + 1}, {RLIMIT_NOFILE, 64}, {RLIMIT_CPU, cpu_s}, {RLIMIT_CORE, 0}, {RLIMIT_NPROC, processes}};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit l = {limits[i].value, limits[i].value};

#ifdef FN_ASAN
		if (limits[i].resource == RLIMIT_AS) /* the shadow memory needs terabytes of address space */
			continue;
#endif
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &l) < 0)
			return fn_err_set(err, errno, "confine", "rlimit");
	}
	return 0;
}

/*
 * fn-unpack - unpacks one untrusted archive and exits. Started by fn-spawnd as root with the archive on descriptor 3, an empty
 * directory (a detached mount) on 4 and a SEQPACKET socket for the result on 5; locks itself in (own namespaces, that directory as its root, an unprivileged
 * user, seccomp, rlimits) before it reads the first byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "image/unpack.h"
#include "os/mount.h"
#include "os/sec.h"

#define CPU_S 60         /* for what comes from a request */
#define LAYER_CPU_S 900  /* for a layer, which may have as much as an image */

static int confine(uint32_t uid, const struct fn_unpack_limits *limits, struct fn_err *err)
{
	struct fn_seccomp *filter = NULL;
	int dir, r;

	(void)syscall(SYS_close_range, 6, ~0u, 0);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fn_err_set(err, errno, "confine", "namespaces");
	r = fn_seccomp_for_unpack(&filter, err); /* while malloc and the loader may still do what they like */
	if (r < 0)
		return r;
	/* descriptor 4 is a detached copy of the mount, made by fn-spawnd: the directory itself is out of reach of our namespace */
	r = fn_mount_set_attr(FN_UNPACK_DIR_FD, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (r == 0)
		r = fn_mount_attach(FN_UNPACK_DIR_FD, AT_FDCWD, "/tmp", "confine", err);
	if (r < 0)
		return r;
	if (fchdir(FN_UNPACK_DIR_FD) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return fn_err_set(err, errno, "confine", "pivot_root");
	dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || dup2(dir, FN_UNPACK_DIR_FD) < 0)
		return fn_err_set(err, errno, "confine", "directory");
	close(dir);
	r = fn_sec_limit(1u << 30, limits->max_bytes, 0, limits->layer ? LAYER_CPU_S : CPU_S, err);
	if (r == 0)
		r = fn_sec_drop(uid, uid, err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) /* the change of ids has cleared it: the next fn-spawnd removes what this one writes */
		return fn_err_set(err, errno, "confine", "prctl");
	umask(022);
#ifdef FN_ASAN
	(void)filter; /* the sanitizer's own calls are not on the list */
	return 0;
#else
	r = fn_seccomp_install(filter);
	return r < 0 ? fn_err_set(err, r, "confine", "seccomp") : 0;
#endif
}

#ifdef FN_ASAN
/* The leak checker wants /proc, which is out of sight at the end, and would end it with a failure. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

int main(int argc, char **argv)
{
	static const struct option options[] = {{"uid", required_argument, NULL, 'u'},         {"max-bytes", required_argument, NULL, 'b'},
						{"max-entries", required_argument, NULL, 'e'}, {"prefix", required_argument, NULL, 'p'},
						{"trusted-image", no_argument, NULL, 't'},     {"sha256", required_argument, NULL, 's'},
						{"layer", no_argument, NULL, 'l'},             {NULL, 0, NULL, 0}};
	struct fn_unpack_limits limits = {0};
	struct fn_unpack_result res = {0};
	const char *prefix = "";
	int64_t v, uid = 0;
	char named;
	int c;

	setlocale(LC_CTYPE, "C.UTF-8"); /* names in archives are UTF-8 */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'u' && fn_str_to_i64(optarg, 65536, 4000000000, &v) == 0)
			uid = v;
		else if (c == 'b' && fn_str_to_i64(optarg, 1, INT64_MAX, &v) == 0)
			limits.max_bytes = (uint64_t)v;
		else if (c == 'e' && fn_str_to_i64(optarg, 1, INT32_MAX, &v) == 0)
			limits.max_entries = (uint32_t)v;
		else if (c == 'p')
			prefix = optarg;
		else if (c == 't')
			limits.trusted_image = true;
		else if (c == 'l')
			limits.layer = true;
		else if (c == 's')
			limits.sha256 = optarg;
		else
			return 2;
	}
	if (uid == 0 || limits.max_bytes == 0 || limits.max_entries == 0) {
		fprintf(stderr, "fn-unpack is started by fn-spawnd, not by hand.\n");
		return 2;
	}
	/* All data is on disk before fn-spawnd gives the tree its name: a tree that is there is whole, also after a power cut. Then the name goes there. */
	if (confine((uint32_t)uid, &limits, &res.err) == 0 &&
	    fn_unpack_archive(FN_UNPACK_ARCHIVE_FD, FN_UNPACK_DIR_FD, prefix, &limits, &res) == 0 && syncfs(FN_UNPACK_DIR_FD) < 0)
		fn_err_set(&res.err, errno, "unpack", "write to disk");
	if (write(FN_UNPACK_RESULT_FD, &res, sizeof(res)) != (ssize_t)sizeof(res))
		return 1;
	if (res.err.code)
		return 0;
	_exit(read(FN_UNPACK_RESULT_FD, &named, 1) == 1 && syncfs(FN_UNPACK_DIR_FD) == 0 ? 0 : 1); /* the status counts: no leak checker may change it, which finds no /proc here */
}

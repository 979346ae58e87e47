/*
 * helper.h - the programs that fn-spawnd starts for what comes from strangers, fn-unpack (unpacker.c) and fn-fetch (fetcher.c): how one begins and how it
 * has ended. They confine themselves.
 */
#ifndef FN_SPAWN_HELPER_H
#define FN_SPAWN_HELPER_H

#include <signal.h>

#include "base/err.h"

#define FN_HELPER_FD 3 /* the first of its descriptors */
#define FN_HELPER_FDS_MAX 4

struct fn_helper {
	const char *stage; /* "unpack", of fn-unpack: for errors */
	const char *path;  /* in the mount namespace host_ns_fd, where its loader and libraries are too */
	int host_ns_fd;
	char *const *argv;
	int fds[FN_HELPER_FDS_MAX]; /* what it has open, from FN_HELPER_FD on, and nothing else */
	unsigned n_fds;
};
/* Its pidfd, or -errno. It is killed when this process ends. */
int fn_helper_start(const struct fn_helper *h, struct fn_err *err);

/* Of one that has ended without having told how it went: late_s: it was killed after so many seconds; 0 = it was not. */
void fn_helper_fault(const char *stage, const siginfo_t *end, unsigned late_s, struct fn_err *err);

#endif

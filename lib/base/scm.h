/* scm.h - descriptors that go with what is sent on an AF_UNIX socket (SCM_RIGHTS, unix(7)). */
#ifndef FN_BASE_SCM_H
#define FN_BASE_SCM_H

#include <stddef.h>
#include <sys/socket.h>

#define FN_SCM_FDS_MAX 12

union fn_scm {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int) * FN_SCM_FDS_MAX)];
};

/* m, to be sent, takes n of them, FN_SCM_FDS_MAX at most; they stay the caller's. ctl is in use until it is sent. */
void fn_scm_put(struct msghdr *m, union fn_scm *ctl, const int *fds, size_t n);
/* m, to be received into, with MSG_CMSG_CLOEXEC, has room for them. */
void fn_scm_expect(struct msghdr *m, union fn_scm *ctl);
/* Those that have come with m: max at most are the caller's, the others are closed; of a message that was cut (MSG_TRUNC, MSG_CTRUNC), all. Returns how many. */
size_t fn_scm_take(struct msghdr *m, int *fds, size_t max);

#endif

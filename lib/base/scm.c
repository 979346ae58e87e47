/* scm.c - see scm.h. */
#include "base/scm.h"

#include <string.h>

#include "base/cleanup.h"

void fn_scm_put(struct msghdr *m, union fn_scm *ctl, const int *fds, size_t n)
{
	*ctl = (union fn_scm){0};
	ctl->align = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * n)};
	memcpy(CMSG_DATA(&ctl->align), fds, sizeof(int) * n);
	m->msg_control = ctl->buf;
	m->msg_controllen = CMSG_SPACE(sizeof(int) * n);
}

void fn_scm_expect(struct msghdr *m, union fn_scm *ctl)
{
	m->msg_control = ctl->buf;
	m->msg_controllen = sizeof(ctl->buf);
}

size_t fn_scm_take(struct msghdr *m, int *fds, size_t max)
{
	size_t got = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got < max && !(m->msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
				fds[got++] = one;
			else
				fn_close(one);
		}
	}
	return got;
}

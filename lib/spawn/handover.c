/*
 * handover.c - the descriptors that a new sandbox's init starts with.
 *
 * A child that got a copy of fn-spawnd's table would copy, and then close, what belongs to every other sandbox: milliseconds with a thousand
 * of them. So it shares the table (CLONE_FILES) until its first step, which leaves it with a copy of the lowest numbers alone
 * (close_range(2), CLOSE_RANGE_UNSHARE). What it needs lies at fixed low numbers, taken once, when fn-spawnd starts; they may change hands
 * again once init has said that it has gone (FN_SYNC_BORN) or is being killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "spawn/internal.h"

int fn_handover_open(struct fn_handover *h)
{
	h->nothing = eventfd(0, EFD_CLOEXEC);
	if (h->nothing < 0)
		return -errno;
	for (unsigned i = 0; i < FN_HANDOVER_N; i++) {
		h->fd[i] = fcntl(h->nothing, F_DUPFD_CLOEXEC, 3);
		if (h->fd[i] < 0)
			return -errno;
		if (h->fd[i] > h->last)
			h->last = h->fd[i];
	}
	return 0;
}

void fn_handover_close(struct fn_handover *h)
{
	for (unsigned i = 0; i < FN_HANDOVER_N; i++)
		fn_close(fn_take_fd(&h->fd[i]));
	fn_close(fn_take_fd(&h->nothing));
}

int fn_handover_put(struct fn_handover *h, unsigned which, int *fd)
{
	if (dup3(*fd, h->fd[which], O_CLOEXEC) < 0)
		return -errno;
	fn_close(fn_take_fd(fd));
	return h->fd[which];
}

void fn_handover_clear(struct fn_handover *h)
{
	for (unsigned i = 0; i < FN_HANDOVER_N; i++)
		(void)dup3(h->nothing, h->fd[i], O_CLOEXEC);
}

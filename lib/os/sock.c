/* sock.c - see sock.h. */
#include "os/sock.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "base/scm.h"

int fn_sock_pair(int type, int ret[2])
{
	int v[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, v) < 0)
		return -errno;
	ret[0] = v[0];
	ret[1] = v[1];
	return 0;
}

int fn_sock_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov};
	union fn_scm ctl;
	ssize_t n;

	if (n_fds > FN_SOCK_FDS_MAX)
		return -EINVAL;
	if (n_fds > 0)
		fn_scm_put(&msg, &ctl, fds, n_fds);
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

ssize_t fn_sock_recv(int fd, void *buf, size_t size, int *fds, size_t *n_fds)
{
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union fn_scm ctl;
	size_t got;
	ssize_t n;

	fn_scm_expect(&msg, &ctl);
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n_fds)
		*n_fds = 0;
	if (n < 0)
		return -errno;
	got = fn_scm_take(&msg, fds, fds ? FN_SOCK_FDS_MAX : 0);
	if (n_fds)
		*n_fds = got;
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

bool fn_sock_peer_is(int fd, uid_t uid)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof(peer) && (peer.uid == uid || peer.uid == 0);
}

bool fn_sock_peer_allowed(int fd, gid_t group)
{
	gid_t groups[NGROUPS_MAX];
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof(peer))
		return false;
	if (peer.uid == 0)
		return true;
	if (group == (gid_t)-1)
		return false;
	if (peer.gid == group)
		return true;
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

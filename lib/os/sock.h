/* sock.h - SEQPACKET sockets that carry descriptors (SCM_RIGHTS). */
#ifndef FN_OS_SOCK_H
#define FN_OS_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/scm.h"

#define FN_SOCK_FDS_MAX FN_SCM_FDS_MAX

int fn_sock_pair(int type, int ret[2]); /* AF_UNIX, CLOEXEC; type may carry SOCK_NONBLOCK */
/* One message with up to FN_SOCK_FDS_MAX descriptors (borrowed). -EAGAIN when the socket is full. */
int fn_sock_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds);
/* Receives one message. Returns its length, 0 on EOF, -EMSGSIZE when it was longer than size (it is lost, its descriptors closed). On return
 * *n_fds descriptors (CLOEXEC) are in fds; they are the caller's. */
ssize_t fn_sock_recv(int fd, void *buf, size_t size, int *fds, size_t *n_fds);

/* Is who has connected to this AF_UNIX socket root, or in the group (-1: root alone)? As it was then (SO_PEERCRED, SO_PEERGROUPS: unix(7)). */
bool fn_sock_peer_allowed(int fd, gid_t group);

/* Is it this user, or root? */
bool fn_sock_peer_is(int fd, uid_t uid);

#endif

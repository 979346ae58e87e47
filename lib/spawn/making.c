/* making.c - see making.h. Runs in fn-spawnd. */
#include "spawn/making.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/ns.h"
#include "os/sock.h"
#include "spawn/helper.h"

/* All is on disk: the tree gets its name, and the child is told to have that written. Or it has failed. */
static void on_told(void *arg, int fd, uint32_t events)
{
	struct fn_making *m = arg;

	(void)events;
	fn_loop_clear(m->loop, &m->sock_io);
	m->told = recv(fd, &m->result, sizeof(m->result), MSG_DONTWAIT) == (ssize_t)sizeof(m->result);
	if (!m->told || m->result.err.code)
		return;
	m->named = renameat(m->roots_fd, m->tmp, m->roots_fd, m->tree) == 0;
	if (m->named) {
		(void)send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT); /* one that has died is seen by its end */
	} else {
		fn_err_set(&m->result.err, errno, m->stage, "publish the tree");
		(void)shutdown(fd, SHUT_RDWR);
	}
}

/* What the child says is shown in logs, names of a stranger's files with it. */
static void seal(struct fn_err *err)
{
	err->stage[sizeof(err->stage) - 1] = err->msg[sizeof(err->msg) - 1] = '\0';
	for (char *p = err->msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static void on_end(void *arg, int fd, uint32_t events)
{
	struct fn_making *m = arg;
	struct fn_err err = {0};
	siginfo_t si = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	if (m->sock_io)
		on_told(m, m->sock, EPOLLIN);
	if (m->told && m->result.err.code) {
		err = m->result.err;
		seal(&err);
	} else if (!m->named || si.si_code != CLD_EXITED || si.si_status != 0) {
		fn_helper_fault(m->stage, &si, m->late ? m->limit_s : 0, &err);
	}
	if (err.code && m->named) /* the name may not be on disk: as if it had never had it */
		(void)renameat(m->roots_fd, m->tree, m->roots_fd, m->tmp);
	m->ended(m->arg, err.code ? &err : NULL);
}

static void on_late(void *arg)
{
	struct fn_making *m = arg;

	m->late = true;
	(void)fn_pidfd_kill(m->pidfd, SIGKILL);
}

int fn_making_begin(struct fn_making *m, uint64_t number, uint32_t uid, int *ret_sock, struct fn_err *err)
{
	int p[2];

	snprintf(m->tmp, sizeof(m->tmp), ".tmp-%" PRIu64, number);
	if (mkdirat(m->roots_fd, m->tmp, 0755) < 0 || fchownat(m->roots_fd, m->tmp, uid, uid, 0) < 0)
		return fn_err_set(err, errno, m->stage, "make a directory");
	if (fn_sock_pair(SOCK_SEQPACKET, p) < 0)
		return fn_err_set(err, errno, m->stage, "descriptors");
	m->sock = p[0];
	*ret_sock = p[1];
	return 0;
}

int fn_making_watch(struct fn_making *m, int pidfd, struct fn_err *err)
{
	m->pidfd = pidfd;
	if (fn_loop_add_io(m->loop, m->pidfd, EPOLLIN, on_end, m, &m->pidfd_io) == 0 && fn_loop_add_io(m->loop, m->sock, EPOLLIN, on_told, m, &m->sock_io) == 0 &&
	    fn_loop_add_timer(m->loop, fn_loop_now_us(m->loop) + m->limit_s * 1000000ull, on_late, m, &m->timer) == 0)
		return 0;
	fn_making_kill(m);
	return fn_err_set(err, ENOMEM, m->stage, NULL);
}

struct fn_proto_unpacked fn_making_result(const struct fn_making *m)
{
	struct fn_proto_unpacked res = {.bytes = m->result.bytes};

	memcpy(res.diff_id, m->result.diff_id, sizeof(res.diff_id) - 1);
	return res;
}

void fn_making_kill(struct fn_making *m) { fn_pidfd_end(m->pidfd); }

void fn_making_close(struct fn_making *m)
{
	fn_loop_clear(m->loop, &m->pidfd_io);
	fn_loop_clear(m->loop, &m->sock_io);
	fn_loop_clear(m->loop, &m->timer);
	fn_close(m->sock);
	fn_close(m->pidfd);
}

/* cleaner.c - see cleaner.h. */
#include "spawn/cleaner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/flows.h"
#include "os/sock.h"

struct fn_cleaner {
	pid_t pid;
	int fd;
};

/* --- the child --- */
static int clean(struct fn_net *net, const struct fn_subnet *subnet, const uint32_t *slots, size_t n, struct fn_err *err)
{
	static uint8_t addrs[65536 / 8]; /* a /16 is the largest subnet */

	for (size_t i = 0; i < n; i++) {
		uint32_t at = 2 + slots[i];

		fn_net_port_forget(net, slots[i]);
		addrs[at / 8] |= (uint8_t)(1u << at % 8);
	}
	n = (size_t)fn_flows_purge(subnet, addrs, err);
	for (size_t i = 0; i < sizeof(addrs); i++)
		addrs[i] = 0;
	return (int)n < 0 ? (int)n : 0;
}

static _Noreturn void run(int fd, struct fn_net *net, const struct fn_subnet *subnet)
{
	static uint32_t slots[FN_CLEANER_MOST];
	int keep[] = {fd, STDERR_FILENO};

	/* what fn-spawnd holds (the master's lock above all) is not held on to */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || fn_fd_close_except(keep, 2) < 0 || fn_net_reconnect(net) < 0)
		_exit(1);
	(void)setpriority(PRIO_PROCESS, 0, 19);
	for (;;) {
		struct fn_err err = {0};
		ssize_t n = recv(fd, slots, sizeof(slots), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		(void)clean(net, subnet, slots, (size_t)n / sizeof(slots[0]), &err);
		if (send(fd, &err, sizeof(err), MSG_NOSIGNAL) != (ssize_t)sizeof(err))
			_exit(0);
	}
}

/* --- fn-spawnd --- */
int fn_cleaner_open(struct fn_net *net, const struct fn_subnet *subnet, struct fn_cleaner **ret, struct fn_err *err)
{
	struct fn_cleaner *c = calloc(1, sizeof(*c));
	int pair[2], r = c ? fn_sock_pair(SOCK_SEQPACKET, pair) : -ENOMEM;

	if (r < 0) {
		free(c);
		return fn_err_set(err, r, "nat: cleaner", "socket");
	}
	c->pid = fork();
	if (c->pid == 0)
		run(pair[1], net, subnet);
	r = c->pid < 0 ? -errno : 0;
	fn_close(pair[1]);
	c->fd = pair[0];
	if (r < 0) {
		fn_cleaner_close(c);
		return fn_err_set(err, r, "nat: cleaner", "fork");
	}
	*ret = c;
	return 0;
}

void fn_cleaner_close(struct fn_cleaner *c)
{
	if (!c)
		return;
	fn_close(c->fd);
	if (c->pid > 0) { /* it may be in the middle of a walk, which nobody waits for any more */
		(void)kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(c);
}

int fn_cleaner_fd(const struct fn_cleaner *c) { return c->fd; }

int fn_cleaner_ask(struct fn_cleaner *c, const uint32_t *slots, size_t n)
{
	return send(c->fd, slots, n * sizeof(slots[0]), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int fn_cleaner_answer(struct fn_cleaner *c, struct fn_err *err)
{
	struct fn_err told;
	ssize_t n = recv(c->fd, &told, sizeof(told), MSG_DONTWAIT);

	if (n != (ssize_t)sizeof(told))
		return n < 0 && errno == EAGAIN ? -EAGAIN : fn_err_set(err, EPIPE, "nat: cleaner", "it has died");
	if (told.code)
		*err = told;
	return -told.code;
}

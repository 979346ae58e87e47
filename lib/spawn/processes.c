/* processes.c - what is done to the processes of a sandbox that runs, by fnd's order: the runtime is let go, one gets a signal, a socket is made in their
 * network. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/ns.h"
#include "os/sock.h"
#include "sandbox/sync.h"
#include "spawn/internal.h"

void fn_box_release(struct fn_box *b)
{
	struct fn_sync_msg m = {.type = FN_SYNC_RELEASE};
	struct iovec iov = {&m, sizeof(m)};

	if (b->state != FN_BOX_RUNNING || !b->held)
		return;
	b->held = false;
	(void)fn_sock_send(b->sync_fd, &iov, 1, NULL, 0); /* an init that has died is told of by its pidfd */
}

/* Is this process, by its number on the host, the child of `parent` that has the number `inside` in the sandbox? */
static bool is_it(pid_t pid, pid_t parent, pid_t inside)
{
	char path[64], text[4096];
	const char *p, *ns;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (fn_file_read(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	p = strstr(text, "\nPPid:\t");
	ns = strstr(text, "\nNSpid:\t"); /* as each namespace has it, the innermost last */
	if (!p || !ns || atoi(p + strlen("\nPPid:\t")) != parent)
		return false;
	ns += strlen("\nNSpid:\t");
	p = ns + strcspn(ns, "\n");
	while (p > ns && p[-1] != '\t')
		p--;
	return atoi(p) == inside;
}

/* -ESRCH: it has ended. The descriptor comes before the look: whoever has got the number since then is not meant. */
static int open_process(const struct fn_box *b, pid_t inside)
{
	char path[64], *text = NULL;
	size_t size = 0;
	int fd = -ESRCH;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)b->pid, (int)b->pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fd < 0 && getdelim(&text, &size, ' ', f) > 0) {
		pid_t pid = (pid_t)atoi(text);

		fd = pid > 0 ? fn_pidfd_open(pid) : -ESRCH;
		if (fd >= 0 && !is_it(pid, b->pid, inside)) {
			fn_close(fd);
			fd = -ESRCH;
		}
	}
	free(text);
	fclose(f);
	return fd;
}

void fn_box_signal(struct fn_box *b, unsigned process, int sig)
{
	fn_auto_fd int fd = -EBADF;

	if (b->state != FN_BOX_RUNNING || process >= FN_SPEC_PROCESSES_MAX || b->pids[process] <= 0 || sig < 1 || sig >= NSIG)
		return;
	fd = open_process(b, b->pids[process]);
	if (fd >= 0)
		(void)fn_pidfd_kill(fd, sig);
}

int fn_box_socket(const struct fn_box *b, struct fn_err *err)
{
	int fd = b->state == FN_BOX_RUNNING ? fn_ns_socket(b->pid) : -ESRCH;

	return fd < 0 ? fn_err_set(err, fd, "socket in a sandbox", NULL) : fd;
}

void fn_box_process_ended(struct fn_box *b, const struct fn_sync_msg *m)
{
	struct fn_proto_process p = {.process = m->process, .wait_status = m->wait_status, .err = m->err};

	if (m->process >= FN_SPEC_PROCESSES_MAX || b->pids[m->process] <= 0)
		return;
	b->pids[m->process] = 0;
	if (m->process == 0 && m->err.code == 0)
		b->exit.wait_status = m->wait_status;
	p.err.stage[sizeof(p.err.stage) - 1] = p.err.msg[sizeof(p.err.msg) - 1] = '\0';
	fn_spawn_reply(b->server, FN_PROTO_PROCESS, 0, b->id, &p, sizeof(p), NULL, 0);
}

/* reply.c - what fn-spawnd says to fnd. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "os/sock.h"
#include "spawn/internal.h"

struct out_msg {
	struct fn_list link;
	struct fn_proto_header head;
	size_t len, n_fds;
	int fds[FN_SOCK_FDS_MAX];
	char data[];
};

void fn_spawn_flush(struct fn_spawn_server *s)
{
	while (!fn_list_empty(&s->out)) {
		struct out_msg *m = fn_list_entry(fn_list_first(&s->out), struct out_msg, link);
		struct iovec iov[2] = {{&m->head, sizeof(m->head)}, {m->data, m->len}};

		if (s->cfg.sock >= 0 && fn_sock_send(s->cfg.sock, iov, 2, m->fds, m->n_fds) == -EAGAIN) {
			(void)fn_loop_mod_io(s->cfg.loop, s->io, EPOLLIN | EPOLLOUT);
			return;
		}
		for (size_t i = 0; i < m->n_fds; i++)
			fn_close(m->fds[i]);
		fn_list_remove(&m->link);
		free(m);
	}
	if (s->io)
		(void)fn_loop_mod_io(s->cfg.loop, s->io, EPOLLIN);
}

void fn_spawn_reply(struct fn_spawn_server *s, uint32_t type, uint64_t request, uint64_t id, const void *data, size_t len, const int *fds,
		    size_t n_fds)
{
	struct out_msg *m = malloc(sizeof(*m) + len);

	if (!m)
		abort(); /* an answer must not be lost: dying is noticed, silence is not */
	*m = (struct out_msg){.head = {FN_PROTO_VERSION, type, request, id, fn_clock_mono_us()}, .len = len, .n_fds = n_fds};
	memcpy(m->data, data ? data : "", len);
	for (size_t i = 0; i < n_fds; i++)
		m->fds[i] = fds[i];
	fn_list_push_back(&s->out, &m->link);
	fn_spawn_flush(s);
}

void fn_spawn_reply_err(struct fn_spawn_server *s, uint64_t request, const struct fn_err *err)
{
	fn_spawn_reply(s, FN_PROTO_FAILED, request, 0, err, sizeof(*err), NULL, 0);
}

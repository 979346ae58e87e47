/*
 * oom.c - a sandbox of which a process was killed for memory is as good as dead, and goes as a whole: what v2 does by itself (memory.oom.group), and we
 * where the controller is in v1.
 *
 * There the kernel tells a group of the end of its own memory, and of that of every group above: a limit of the service that fnd is, or of the
 * container in which it runs, must not end all sandboxes. Whom the kernel takes then is known a moment later.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "spawn/internal.h"

#define RECHECK_US 20000u
#define RECHECKS 10u

static void out_of_memory(struct fn_box *b)
{
	fn_oom_forget(b); /* the descriptor stays readable: fnd looks at it, too */
	b->out_of_memory = true; /* the kernel counts no kill when ours comes first */
	if (b->state == FN_BOX_RUNNING)
		b->server->hooks->end(b);
	else if (b->cgroup)
		(void)fn_cgroup_kill(b->cgroup); /* and its end is told with that cause */
}

static void on_recheck(void *arg)
{
	struct fn_box *b = arg;

	if (fn_cgroup_out_of_memory(b->cgroup))
		out_of_memory(b);
	else if (--b->oom_rechecks)
		(void)fn_loop_rearm_timer(b->server->cfg.loop, b->oom_timer, fn_loop_now_us(b->server->cfg.loop) + RECHECK_US);
}

static void on_oom(void *arg, int fd, uint32_t events)
{
	struct fn_box *b = arg;
	struct fn_loop *loop = b->server->cfg.loop;
	uint64_t at = fn_loop_now_us(loop) + RECHECK_US, count;
	int r;

	(void)events;
	if (fn_cgroup_out_of_memory(b->cgroup)) {
		out_of_memory(b);
		return;
	}
	(void)!read(fd, &count, sizeof(count));
	b->oom_rechecks = RECHECKS;
	r = b->oom_timer ? fn_loop_rearm_timer(loop, b->oom_timer, at) : fn_loop_add_timer(loop, at, on_recheck, b, &b->oom_timer);
	if (r < 0)
		out_of_memory(b); /* rather one too many */
}

int fn_oom_watch(struct fn_box *b)
{
	b->oom_fd = fn_cgroup_watch_oom(b->cgroup);
	return b->oom_fd < 0 ? 0 : fn_loop_add_io(b->server->cfg.loop, b->oom_fd, EPOLLIN, on_oom, b, &b->oom_io);
}

void fn_oom_forget(struct fn_box *b)
{
	fn_loop_clear(b->server->cfg.loop, &b->oom_io);
	fn_loop_clear(b->server->cfg.loop, &b->oom_timer);
}

/* box.c - one sandbox's life in fn-spawnd; the states are in internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "os/sock.h"
#include "sandbox/sync.h"
#include "spawn/internal.h"

#define RETRY_US 2000u
#define GRAVES_AT_ONCE 4u /* then requests have their turn */

static void set_state(struct fn_box *b, enum fn_box_state to)
{
	b->server->n_starting += (unsigned)(to == FN_BOX_STARTING) - (unsigned)(b->state == FN_BOX_STARTING);
	b->server->n_running += (unsigned)(to == FN_BOX_RUNNING) - (unsigned)(b->state == FN_BOX_RUNNING);
	if (to == FN_BOX_RUNNING && b->server->n_running == 1)
		fn_files_watch(b->server);
	b->server->n_initialising += (unsigned)(to == FN_BOX_RUNNING) - (unsigned)b->initialising;
	if (b->state == FN_BOX_STARTING || b->initialising)
		b->server->hooks->through(b->server);
	b->initialising = to == FN_BOX_RUNNING;
	b->state = to;
}

/* --- the end --- */
static void box_free(struct fn_box *b)
{
	struct fn_spawn_server *s = b->server;

	fn_loop_clear(s->cfg.loop, &b->timer);
	fn_loop_clear(s->cfg.loop, &b->pidfd_io);
	fn_loop_clear(s->cfg.loop, &b->sync_io);
	fn_oom_forget(b);
	fn_close(b->oom_fd);
	fn_close(b->pidfd);
	fn_close(b->sync_fd);
	fn_close(b->output_fd);
	fn_close(b->listen_fd);
	fn_close(b->platform_fd);
	fn_close(b->freeze_fd);
	fn_close(b->peak_fd);
	fn_close(b->stat_fd);
	fn_close(b->tmp_fd);
	fn_close(b->extensions_fd);
	fn_tmps_give(s->cfg.tmps, b->tmp);
	fn_slots_give(s->slots, b->slot);
	if (b->nat.iface)
		fn_nat_give(s->cfg.nat, b->nat_slot);
	fn_map_remove_u64(s->by_id, b->id);
	fn_list_remove(&b->link);
	fn_list_remove(&b->place);
	s->n_boxes--;
	free(b->kept);
	free(b);
	if (s->shutdown && s->n_boxes == 0)
		fn_loop_stop(s->cfg.loop);
}

/* Removes groups, a few at a time: off every path. They stay busy for a moment after the last process was reaped, its teardown being
 * asynchronous. */
static void on_graves(void *arg)
{
	struct fn_spawn_server *s = arg;
	unsigned n = GRAVES_AT_ONCE;
	bool busy = false;

	fn_list_for_each_safe(l, &s->graves)
	{
		struct fn_box *b = fn_list_entry(l, struct fn_box, place);

		if (n-- == 0)
			break;
		if (fn_cgroup_remove(b->cgroup) == -EBUSY) {
			(void)fn_cgroup_kill(b->cgroup);
			fn_list_remove(&b->place);
			fn_list_push_back(&s->graves, &b->place);
			busy = true;
			continue;
		}
		b->cgroup = NULL;
		box_free(b);
	}
	if (!fn_list_empty(&s->graves))
		(void)fn_loop_rearm_timer(s->cfg.loop, s->graves_timer, fn_loop_now_us(s->cfg.loop) + (busy || s->n_starting ? RETRY_US : 0));
}

static void bury(struct fn_box *b)
{
	struct fn_spawn_server *s = b->server;
	bool first = fn_list_empty(&s->graves);

	fn_loop_clear(s->cfg.loop, &b->timer);
	fn_list_push_back(&s->graves, &b->place);
	if (!s->graves_timer)
		(void)fn_loop_add_timer(s->cfg.loop, 0, on_graves, s, &s->graves_timer);
	else if (first)
		(void)fn_loop_rearm_timer(s->cfg.loop, s->graves_timer, 0);
}

static void box_reaped(struct fn_box *b)
{
	struct fn_cg_stats st = {0};

	b->reaped = true;
	fn_loop_clear(b->server->cfg.loop, &b->pidfd_io);
	fn_oom_forget(b); /* its removal would be told there, too */
	if (b->answered && b->cgroup) {
		(void)fn_cgroup_stats(b->cgroup, &st);
		b->exit.memory_peak = st.memory_peak;
		b->exit.memory_files = st.memory_files;
		b->exit.cpu_usage_us = st.cpu_usage_us;
		b->exit.oom = b->out_of_memory || st.oom_kills > 0;
	}
	if (b->answered)
		fn_spawn_reply(b->server, FN_PROTO_EXITED, 0, b->id, &b->exit, sizeof(b->exit), NULL, 0);
	bury(b);
}

void fn_box_end(struct fn_box *b)
{
	enum fn_box_state was = b->state;

	if (was == FN_BOX_ENDING)
		return;
	b->exit.tmp_kept = fn_kept_keep(b);
	set_state(b, FN_BOX_ENDING);
	fn_list_remove(&b->reclaim);
	fn_background_end(b); /* its processes need the CPU to end */
	b->server->hooks->ended(b, was);
	if (b->cgroup)
		(void)fn_cgroup_kill(b->cgroup);
	if (b->pidfd >= 0)
		(void)fn_pidfd_kill(b->pidfd, SIGKILL);
	else
		b->reaped = true;
	if (b->reaped)
		bury(b);
	else
		(void)fn_loop_rearm_timer(b->server->cfg.loop, b->timer, fn_loop_now_us(b->server->cfg.loop) + RETRY_US);
}

void fn_box_fail(struct fn_box *b, const struct fn_err *err)
{
	if (!b->answered && b->request) {
		fn_spawn_reply_err(b->server, b->request, err);
		b->request = 0;
	} else if (b->stock && b->state == FN_BOX_BUILDING) {
		b->server->hooks->failed(b, err);
	}
	fn_box_end(b);
}

static void on_pidfd(void *arg, int fd, uint32_t events);

static void on_timer(void *arg)
{
	struct fn_box *b = arg;
	const struct fn_err late = {.code = ETIMEDOUT, .stage = "start sandbox", .msg = "its set-up did not end within 30 s"};

	if (b->state == FN_BOX_STARTING || b->state == FN_BOX_BUILDING) {
		fn_box_fail(b, &late);
	} else if (b->state == FN_BOX_ENDING && !b->reaped) { /* what was forked while the group was being killed */
		if (b->cgroup)
			(void)fn_cgroup_kill(b->cgroup);
		(void)fn_loop_rearm_timer(b->server->cfg.loop, b->timer, fn_loop_now_us(b->server->cfg.loop) + 10ull * RETRY_US);
		if (!b->pidfd_io) /* it could not be watched */
			on_pidfd(b, b->pidfd, 0);
	}
}

static void on_sync(void *arg, int fd, uint32_t events);

static void order_another(struct fn_box *b)
{
	b->request = 0; /* it is not this box's to answer any more */
	b->server->hooks->order(b->server, &b->kept->head, b->kept->encoded, b->kept->len, FN_ORDER_FRESH);
}

static void on_pidfd(void *arg, int fd, uint32_t events)
{
	struct fn_box *b = arg;
	siginfo_t si = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	if (b->sync_io)
		on_sync(b, b->sync_fd, EPOLLIN); /* what init still said comes first */
	if (b->state == FN_BOX_STARTING) {
		struct fn_err err = {.code = ESRCH, .stage = "start sandbox", .msg = "its init died during set-up"};
		struct fn_cg_stats st = {0};

		if (b->out_of_memory || (b->cgroup && fn_cgroup_stats(b->cgroup, &st) == 0 && st.oom_kills > 0))
			fn_err_set(&err, ENOMEM, "start sandbox", "out of memory during set-up");
		else if (b->kept && !b->server->shutdown)
			order_another(b);
		fn_box_fail(b, &err);
	}
	fn_box_end(b);
	box_reaped(b);
}

/* --- the start --- */
/* Who they are. */
static void note_processes(struct fn_box *b, const struct fn_sync_msg *m)
{
	b->n_extensions = m->n_extensions < FN_EXTENSIONS_MAX ? m->n_extensions : FN_EXTENSIONS_MAX;
	b->held = b->n_extensions > 0;
	for (unsigned i = 0; i <= b->n_extensions; i++)
		b->pids[i] = m->pids[i];
	if (b->n_extensions == 0)
		fn_close(fn_take_fd(&b->extensions_fd));
}

/* names: of its extensions, as they come from there */
static void box_running(struct fn_box *b, const struct fn_sync_msg *m, const char *names, size_t names_len)
{
	char told[sizeof(struct fn_proto_spawned) + FN_BOX_NAMES_MAX];
	struct fn_proto_spawned p = {.init_pid = b->pid, .has_peak = b->peak_fd >= 0};
	int fds[FN_SOCK_FDS_MAX], oom;
	size_t n = 3;
	struct fn_err err;

	if (b->listen_fd < 0) {
		fn_err_set(&err, EIO, "start sandbox", "descriptors");
		fn_box_fail(b, &err);
		return;
	}
	b->timing.mounts_us += m->mounts_us;
	b->timing.exec_us = m->exec_us;
	b->timing.begun_us = m->begun_us;
	b->timing.prepared = b->prepared;
	b->timing.total_us = (uint32_t)(fn_clock_mono_us() - b->started_us);
	p.timing = b->timing;
	fds[0] = fn_take_fd(&b->listen_fd);
	fds[1] = fn_take_fd(&b->output_fd);
	fds[2] = fn_take_fd(&b->freeze_fd);
	if (b->peak_fd >= 0)
		fds[n++] = fn_take_fd(&b->peak_fd);
	oom = b->oom_fd >= 0 ? fcntl(b->oom_fd, F_DUPFD_CLOEXEC, 3) : -EBADF;
	p.has_oom = oom >= 0;
	if (oom >= 0)
		fds[n++] = oom;
	p.has_tmp = b->tmp_fd >= 0;
	if (b->tmp_fd >= 0)
		fds[n++] = fn_take_fd(&b->tmp_fd);
	p.has_stat = b->stat_fd >= 0;
	if (b->stat_fd >= 0)
		fds[n++] = fn_take_fd(&b->stat_fd);
	p.has_platform = b->platform_fd >= 0;
	if (b->platform_fd >= 0)
		fds[n++] = fn_take_fd(&b->platform_fd);
	note_processes(b, m);
	p.n_extensions = b->n_extensions;
	p.extensions_off = m->extensions_off;
	if (b->extensions_fd >= 0)
		fds[n++] = fn_take_fd(&b->extensions_fd);
	memcpy(told, &p, sizeof(p));
	memcpy(told + sizeof(p), names, names_len);
	set_state(b, FN_BOX_RUNNING);
	b->answered = true;
	free(fn_take_ptr(b->kept));
	(void)fn_loop_rearm_timer(b->server->cfg.loop, b->timer, UINT64_MAX);
	fn_spawn_reply(b->server, FN_PROTO_SPAWNED, b->request, b->id, told, sizeof(p) + names_len, fds, n);
	b->server->hooks->started(b);
}

static void box_ready(struct fn_box *b, const struct fn_sync_msg *m, int *fds, size_t *n_fds)
{
	if (*n_fds < 1 || *n_fds > 2 || b->listen_fd >= 0)
		return;
	b->listen_fd = fds[0];
	if (*n_fds == 2 && b->no_platform)
		fn_close(fds[1]);
	else if (*n_fds == 2)
		b->platform_fd = fds[1];
	*n_fds = 0;
	if (b->state == FN_BOX_BUILDING) { /* nobody waits for it: what it took is nobody's cold start */
		b->timing = (struct fn_sandbox_timing){0};
		set_state(b, FN_BOX_READY);
		(void)fn_loop_rearm_timer(b->server->cfg.loop, b->timer, UINT64_MAX);
		b->server->hooks->ready(b);
	} else if (b->state == FN_BOX_STARTING) {
		b->timing.cgroup_us += m->cgroup_us;
		b->timing.net_us += m->net_us;
		b->timing.mounts_us += m->mounts_us;
	}
}

static void on_sync(void *arg, int fd, uint32_t events)
{
	struct fn_box *b = arg;

	(void)events;
	for (;;) {
		int fds[FN_SOCK_FDS_MAX];
		size_t n_fds;
		struct {
			struct fn_sync_msg m;
			char names[FN_BOX_NAMES_MAX];
		} in;
		const struct fn_sync_msg *m = &in.m;
		ssize_t n = fn_sock_recv(fd, &in, sizeof(in), fds, &n_fds);

		if (n == -EAGAIN)
			return;
		if (n < (ssize_t)sizeof(in.m)) { /* EOF: the pidfd tells the rest */
			fn_loop_clear(b->server->cfg.loop, &b->sync_io);
			return;
		}
		if (m->type == FN_SYNC_READY)
			box_ready(b, m, fds, &n_fds);
		for (size_t i = 0; i < n_fds; i++)
			fn_close(fds[i]);
		if (m->type == FN_SYNC_RUNNING && b->state == FN_BOX_STARTING) {
			box_running(b, m, in.names, (size_t)n - sizeof(in.m));
		} else if (m->type == FN_SYNC_FAILED && b->state != FN_BOX_ENDING) {
			in.m.err.stage[sizeof(m->err.stage) - 1] = in.m.err.msg[sizeof(m->err.msg) - 1] = '\0';
			if (b->state == FN_BOX_STARTING && b->kept && !b->server->shutdown) /* its waiting process may have died: one made now tells */
				order_another(b);
			fn_box_fail(b, &m->err);
		} else if (m->type == FN_SYNC_EXIT && b->n_extensions > 0) {
			fn_box_process_ended(b, m);
		} else if (m->type == FN_SYNC_EXIT) {
			b->exit.wait_status = m->wait_status;
			fn_box_end(b);
		}
	}
}

/* tmp_fd: what it has at /tmp; -EBADF: what it has made itself. extensions_fd: what its extensions print to; -EBADF: it is to have none. */
static int send_order(struct fn_box *b, uint32_t type, const struct fn_box_order *o, int tmp_fd, int extensions_fd, struct fn_err *err)
{
	struct fn_sync_msg m = {.type = type};
	struct iovec iov[2] = {{&m, sizeof(m)}, {(void *)o->encoded, o->len}};
	int fds[3] = {o->root_fd}, n = 1, r;

	if (tmp_fd >= 0) {
		m.brings |= FN_SYNC_TMP;
		fds[n++] = tmp_fd;
	}
	if (extensions_fd >= 0) {
		m.brings |= FN_SYNC_EXTENSIONS;
		fds[n++] = extensions_fd;
	}
	r = fn_sock_send(b->sync_fd, iov, 2, fds, (size_t)n);
	return r < 0 ? fn_err_set(err, r, "order", NULL) : 0;
}

static int box_prestart(struct fn_box *b, struct fn_err *err)
{
	const struct fn_stock *k = b->stock;
	struct fn_box_order order = {.encoded = k->order, .len = k->order_len};
	fn_auto_fd int root = -EBADF;
	char *vec[FN_SPEC_VECTOR_MAX];
	struct fn_spec spec;
	int r = fn_spec_borrow(k->order, k->order_len, vec, &spec, err);

	if (r < 0)
		return r;
	order.root_fd = root = fn_rootfs_get(b->server->cfg.rootfs, &spec, err);
	return root < 0 ? root : send_order(b, FN_SYNC_PRESTART, &order, -EBADF, -EBADF, err);
}

static int box_build(struct fn_box *b, struct fn_err *err)
{
	struct fn_spawn_server *s = b->server;
	int r;

	if (s->cfg.nat && (r = fn_nat_take(s->cfg.nat, &b->nat_slot, &b->nat, err)) < 0)
		return r;
	r = fn_box_clone(b, err);
	if (r == 0 && fn_oom_watch(b) < 0)
		r = fn_err_set(err, ENOMEM, "cgroup open", "memory.oom_control");
	if (r == 0 && b->stock && b->stock->order)
		r = box_prestart(b, err);
	fn_handover_clear(&s->handover); /* after a failure, too: fn_box_end() kills who might still share them */
	if (r == 0)
		r = fn_loop_add_io(s->cfg.loop, b->sync_fd, EPOLLIN, on_sync, b, &b->sync_io);
	/* also after a failure: what was cloned wants to be reaped */
	if (b->pidfd >= 0 && fn_loop_add_io(s->cfg.loop, b->pidfd, EPOLLIN, on_pidfd, b, &b->pidfd_io) < 0)
		r = -ENOMEM;
	return r;
}

uint32_t fn_box_capacity(const struct fn_spawn_server *s)
{
	uint32_t uids = fn_slots_capacity(s->slots), addresses = s->cfg.nat ? fn_nat_capacity(s->cfg.nat) : uids;

	return uids < addresses ? uids : addresses;
}

uint32_t fn_box_unused(const struct fn_spawn_server *s)
{
	uint32_t uids = fn_slots_capacity(s->slots) - fn_slots_used(s->slots), addresses = s->cfg.nat ? fn_nat_unused(s->cfg.nat) : uids;

	return uids < addresses ? uids : addresses;
}

bool fn_box_expects(const struct fn_spawn_server *s, int lack)
{
	if (lack == EADDRNOTAVAIL)
		return fn_nat_expects(s->cfg.nat);
	fn_list_for_each(l, &s->boxes)
		if (fn_list_entry(l, struct fn_box, link)->state == FN_BOX_ENDING)
			return true;
	return false;
}

struct fn_box *fn_box_new(struct fn_spawn_server *s, struct fn_stock *stock, struct fn_err *err)
{
	struct fn_box *b = calloc(1, sizeof(*b));
	int r;

	if (!b || fn_slots_take(s->slots, &b->slot) < 0) {
		if (b)
			fn_err_set(err, EUSERS, "start sandbox", "all %u ranges of uids are in use; a larger \"uid_count\" has more", fn_slots_capacity(s->slots));
		else
			fn_err_set(err, ENOMEM, "start sandbox", NULL);
		free(b);
		if (stock)
			s->hooks->none(stock);
		return NULL;
	}
	b->server = s;
	b->stock = stock;
	b->id = ++s->next_id;
	b->pidfd = b->sync_fd = b->output_fd = b->listen_fd = b->platform_fd = b->freeze_fd = b->peak_fd = b->oom_fd = b->stat_fd = b->tmp_fd = b->extensions_fd = -EBADF;
	b->exit.wait_status = -1;
	b->started_us = fn_clock_mono_us();
	fn_list_push_back(&s->boxes, &b->link);
	s->n_boxes++;
	r = fn_map_set_u64(s->by_id, b->id, b, NULL);
	if (r == 0)
		r = fn_loop_add_timer(s->cfg.loop, fn_loop_now_us(s->cfg.loop) + FN_BOX_HANDSHAKE_US, on_timer, b, &b->timer);
	if (r == 0)
		r = box_build(b, err);
	if (r < 0) {
		if (err->code == 0)
			fn_err_set(err, r, "start sandbox", NULL);
		fn_box_end(b);
		return NULL;
	}
	return b;
}

int fn_box_order(struct fn_box *b, const struct fn_box_order *o, struct fn_err *err)
{
	struct fn_cg_limits limits = {o->spec->memory_bytes, o->spec->cpu_init_quota_us, o->spec->cpu_period_us, o->spec->pids_max};
	struct fn_spawn_server *s = b->server;
	fn_auto_fd int kept = -EBADF, extensions = -EBADF;
	uint64_t from = fn_clock_mono_us();
	int tmp_fd, r = fn_cgroup_set_limits(b->cgroup, &limits, err);

	if (r < 0)
		return r;
	b->timing.cgroup_us += (uint32_t)(fn_clock_mono_us() - from);
	r = kept = fn_kept_tmp(b, o->head->id, err);
	if (r < 0 && r != -ENOENT)
		return r;
	tmp_fd = kept >= 0 ? kept : o->tmp_fd;
	b->limits = limits;
	b->limits.cpu_quota_us = o->spec->cpu_quota_us;
	b->no_platform = !o->spec->platform;
	if (b->no_platform) /* before the function's first instruction: the port is its own */
		fn_close(fn_take_fd(&b->platform_fd));
	r = o->spec->extensions ? fn_box_pipe(b, &b->extensions_fd, &extensions, err) : 0;
	if (r == 0)
		r = send_order(b, FN_SYNC_ORDER, o, tmp_fd, extensions, err);
	if (r == 0 && b->nat.iface) /* while it mounts: before the function's first instruction */
		r = fn_nat_owner(s->cfg.nat, b->nat_slot, o->spec->owner, err);
	if (r < 0)
		return r;
	if (b->state == FN_BOX_READY)
		b->kept = fn_kept_order_new(o->head, o->encoded, o->len);
	b->tmp = o->tmp;
	b->tmp_fd = kept >= 0 && fn_tmps_on_disk(s->cfg.tmps) ? fn_take_fd(&kept) : o->tmp_fd;
	b->request = o->head->request;
	b->environment = o->head->id;
	b->started_us = o->from_us;
	b->timing.mounts_us += o->root_us;
	b->timing.queue_us = (uint32_t)(o->from_us - o->head->sent_us);
	set_state(b, FN_BOX_STARTING);
	(void)fn_loop_rearm_timer(s->cfg.loop, b->timer, fn_loop_now_us(s->cfg.loop) + FN_BOX_HANDSHAKE_US);
	return 0;
}

void fn_box_initialised(struct fn_box *b)
{
	struct fn_err err;
	char text[512];

	if (b->initialising) {
		b->initialising = false;
		b->server->n_initialising--;
		b->server->hooks->through(b->server);
	}
	b->server->hooks->initialised(b);
	if (b->state == FN_BOX_RUNNING && b->limits.cpu_quota_us && fn_cgroup_set_cpu(b->cgroup, &b->limits, &err) < 0) {
		fn_log_error("%s; the sandbox is ended", fn_err_format(&err, text, sizeof(text))); /* never more than it is entitled to */
		fn_box_end(b);
	}
}

/*
 * server.c - see server.h. A sandbox's life here:
 *   STARTING  cloned, handshake under way
 *   RUNNING   its runtime has been exec'ed, fnd holds its descriptors
 *   ENDING    killed or dead; waits for the reaping and for the kernel to let its groups go
 */
#include "spawn/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/map.h"
#include "os/ns.h"
#include "os/sock.h"
#include "sandbox/child.h"
#include "sandbox/sync.h"
#include "spawn/proto.h"

#define SLOTS_MAX 20000u
#define RETRY_US 2000u
#define HANDSHAKE_LIMIT_US 30000000u

enum box_state { STARTING, RUNNING, ENDING };

struct box {
	struct fn_spawn_server *server;
	struct fn_list link;
	enum box_state state;
	uint64_t id, request;
	uint32_t slot;
	pid_t pid;
	int pidfd, sync_fd, output_fd, listen_fd;
	uint64_t pidfd_io, sync_io, timer;
	struct fn_cgroup *cgroup;
	struct fn_sandbox_timing timing;
	struct fn_sandbox_exit exit;
	uint64_t started_us;
	bool reaped, answered;
};

struct fn_spawn_server {
	struct fn_spawn_server_config cfg;
	uint64_t io;
	uint64_t next_id;
	struct fn_list boxes;
	struct fn_map *by_id;
	unsigned n_boxes;
	uint8_t *slots; /* one byte each: in use */
	uint32_t slot_hint;
	int null_fd;
	bool shutdown;
	struct fn_list out; /* answers that wait for a full socket */
	struct fn_unpacker *unpacker;
	char *in;
};

struct out_msg {
	struct fn_list link;
	struct fn_proto_header head;
	size_t len, n_fds;
	int fds[FN_SOCK_FDS_MAX];
	char data[];
};

static void box_end(struct box *b);

/* --- answers --- */
static void flush(struct fn_spawn_server *s)
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

/* Takes the descriptors. */
static void reply(struct fn_spawn_server *s, uint32_t type, uint64_t request, uint64_t id, const void *data, size_t len, const int *fds,
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
	flush(s);
}

static void reply_err(struct fn_spawn_server *s, uint64_t request, const struct fn_err *err)
{
	reply(s, FN_PROTO_FAILED, request, 0, err, sizeof(*err), NULL, 0);
}

/* --- uid slots --- */
static int slot_take(struct fn_spawn_server *s, uint32_t *ret)
{
	for (uint32_t n = 0; n < SLOTS_MAX; n++) {
		uint32_t i = (s->slot_hint + n) % SLOTS_MAX;

		if (!s->slots[i]) {
			s->slots[i] = 1;
			s->slot_hint = i + 1; /* a range is not reused at once: a late file of its last owner stays foreign */
			*ret = i;
			return 0;
		}
	}
	return -EAGAIN;
}

static uint32_t slot_range(const struct fn_spawn_server *s, uint32_t slot) { return s->cfg.uid_base + 65536u * (slot + 1); }

/* --- the end of a sandbox --- */
static void box_free(struct box *b)
{
	struct fn_spawn_server *s = b->server;

	fn_loop_clear(s->cfg.loop, &b->timer);
	fn_loop_clear(s->cfg.loop, &b->pidfd_io);
	fn_loop_clear(s->cfg.loop, &b->sync_io);
	fn_close(b->pidfd);
	fn_close(b->sync_fd);
	fn_close(b->output_fd);
	fn_close(b->listen_fd);
	s->slots[b->slot] = 0;
	fn_map_remove_u64(s->by_id, b->id);
	fn_list_remove(&b->link);
	s->n_boxes--;
	free(b);
	if (s->shutdown && s->n_boxes == 0)
		fn_loop_stop(s->cfg.loop);
}

/* Groups stay busy for a moment after the last process was reaped (its teardown is asynchronous): off the path, by timer. */
static void on_remove(void *arg)
{
	struct box *b = arg;

	if (!b->reaped || fn_cgroup_remove(b->cgroup) == -EBUSY) {
		if (b->cgroup)
			(void)fn_cgroup_kill(b->cgroup);
		(void)fn_loop_rearm_timer(b->server->cfg.loop, b->timer, fn_loop_now_us(b->server->cfg.loop) + RETRY_US);
		return;
	}
	b->cgroup = NULL;
	box_free(b);
}

static void box_reaped(struct box *b)
{
	struct fn_cg_stats st = {0};

	b->reaped = true;
	fn_loop_clear(b->server->cfg.loop, &b->pidfd_io);
	if (b->cgroup) {
		(void)fn_cgroup_stats(b->cgroup, &st);
		b->exit.memory_peak = st.memory_peak;
		b->exit.cpu_usage_us = st.cpu_usage_us;
		b->exit.oom = st.oom_kills > 0;
	}
	if (b->answered)
		reply(b->server, FN_PROTO_EXITED, 0, b->id, &b->exit, sizeof(b->exit), NULL, 0);
	(void)fn_loop_rearm_timer(b->server->cfg.loop, b->timer, 0);
}

static void box_fail(struct box *b, const struct fn_err *err)
{
	if (!b->answered && b->state == STARTING) {
		reply_err(b->server, b->request, err);
		b->request = 0;
	}
	box_end(b);
}

static void on_timer(void *arg)
{
	struct box *b = arg;
	const struct fn_err late = {ETIMEDOUT, "start sandbox", "its set-up did not end within 30 s"};

	if (b->state == STARTING)
		box_fail(b, &late);
	else if (b->state == ENDING)
		on_remove(b);
}

static void box_end(struct box *b)
{
	if (b->state == ENDING)
		return;
	b->state = ENDING;
	if (b->cgroup)
		(void)fn_cgroup_kill(b->cgroup);
	if (b->pidfd >= 0)
		(void)fn_pidfd_kill(b->pidfd, SIGKILL);
	else
		b->reaped = true;
	(void)fn_loop_rearm_timer(b->server->cfg.loop, b->timer, fn_loop_now_us(b->server->cfg.loop) + (b->reaped ? 0 : RETRY_US));
}

static void on_sync(void *arg, int fd, uint32_t events);

static void on_pidfd(void *arg, int fd, uint32_t events)
{
	struct box *b = arg;
	siginfo_t si = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	if (b->sync_io)
		on_sync(b, b->sync_fd, EPOLLIN); /* what init still said comes first */
	if (b->state == STARTING) {
		struct fn_err err = {ESRCH, "start sandbox", "its init died during set-up"};
		struct fn_cg_stats st = {0};

		if (b->cgroup && fn_cgroup_stats(b->cgroup, &st) == 0 && st.oom_kills > 0)
			fn_err_set(&err, ENOMEM, "start sandbox", "out of memory during set-up");
		box_fail(b, &err);
	}
	box_end(b);
	box_reaped(b);
}

/* --- the start of a sandbox --- */
static void box_running(struct box *b, const struct fn_sync_msg *m)
{
	struct fn_spawn_server *s = b->server;
	struct fn_proto_spawned p = {.init_pid = b->pid};
	int fds[5], freeze, peak;
	struct fn_err err;

	freeze = fn_cgroup_open_freeze(b->cgroup);
	peak = fn_cgroup_open_peak(b->cgroup);
	fds[0] = fcntl(b->pidfd, F_DUPFD_CLOEXEC, 3);
	if (freeze < 0 || b->listen_fd < 0 || fds[0] < 0) {
		fn_close(freeze);
		fn_close(peak);
		fn_close(fds[0]);
		fn_err_set(&err, EIO, "start sandbox", "descriptors");
		box_fail(b, &err);
		return;
	}
	b->timing.net_us = m->net_us;
	b->timing.mounts_us = m->mounts_us;
	b->timing.exec_us = m->exec_us;
	b->timing.total_us = (uint32_t)(fn_clock_mono_us() - b->started_us);
	p.timing = b->timing;
	p.has_peak = peak >= 0;
	fds[1] = fn_take_fd(&b->listen_fd);
	fds[2] = fn_take_fd(&b->output_fd);
	fds[3] = freeze;
	fds[4] = peak;
	b->state = RUNNING;
	b->answered = true;
	(void)fn_loop_rearm_timer(s->cfg.loop, b->timer, UINT64_MAX);
	reply(s, FN_PROTO_SPAWNED, b->request, b->id, &p, sizeof(p), fds, peak >= 0 ? 5 : 4);
}

static void on_sync(void *arg, int fd, uint32_t events)
{
	struct box *b = arg;

	(void)events;
	for (;;) {
		int fds[FN_SOCK_FDS_MAX];
		size_t n_fds;
		struct fn_sync_msg m;
		ssize_t n = fn_sock_recv(fd, &m, sizeof(m), fds, &n_fds);

		if (n == -EAGAIN)
			return;
		if (n != (ssize_t)sizeof(m)) { /* EOF: the pidfd tells the rest */
			fn_loop_clear(b->server->cfg.loop, &b->sync_io);
			return;
		}
		if (m.type == FN_SYNC_LISTENER && n_fds == 1 && b->listen_fd < 0) {
			b->listen_fd = fds[0];
			n_fds = 0;
		}
		for (size_t i = 0; i < n_fds; i++)
			fn_close(fds[i]);
		if (m.type == FN_SYNC_RUNNING && b->state == STARTING) {
			box_running(b, &m);
		} else if (m.type == FN_SYNC_FAILED && b->state == STARTING) {
			m.err.stage[sizeof(m.err.stage) - 1] = m.err.msg[sizeof(m.err.msg) - 1] = '\0';
			box_fail(b, &m.err);
		} else if (m.type == FN_SYNC_EXIT) {
			b->exit.wait_status = m.wait_status;
			box_end(b);
		}
	}
}

static unsigned thread_count(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* clone3 and what must be done before the child may go on. */
static int box_clone(struct box *b, const struct fn_spec *spec, int root_fd, struct fn_err *err)
{
	struct fn_spawn_server *s = b->server;
	fn_auto_fd int out_w = -EBADF, child_sync = -EBADF;
	const struct fn_sync_msg go = {.type = FN_SYNC_GO};
	struct iovec iov = {.iov_base = (void *)&go, .iov_len = sizeof(go)};
	uint32_t range = slot_range(s, b->slot);
	uint64_t from;
	int pipe_fds[2], sync[2], r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return fn_err_set(err, errno, "output pipe", NULL);
	b->output_fd = pipe_fds[0];
	out_w = pipe_fds[1];
	/* owned by the runtime's user: /dev/stdout opens the pipe anew and is checked against its inode */
	if (fchown(out_w, range + FN_UID_RUNTIME, range + FN_UID_RUNTIME) < 0 || fn_fd_set_nonblock(b->output_fd, true) < 0)
		return fn_err_set(err, errno, "output pipe", "owner");
	r = fn_sock_pair(SOCK_SEQPACKET, sync);
	if (r < 0)
		return fn_err_set(err, r, "sync socket", NULL);
	b->sync_fd = sync[0];
	child_sync = sync[1];
	from = fn_clock_mono_us();
	b->pid = fn_ns_clone(FN_NS_ALL, fn_cgroup_clone_fd(b->cgroup), &b->pidfd);
	if (b->pid < 0) {
		b->pidfd = -EBADF;
		return fn_err_set(err, b->pid, "clone3", NULL);
	}
	if (b->pid == 0) {
		const struct fn_child c = {spec, s->cfg.seccomp, child_sync, root_fd, out_w, s->null_fd};

		fn_close(b->sync_fd);
		fn_child_main(&c);
	}
	b->timing.clone_us = (uint32_t)(fn_clock_mono_us() - from);
	r = fn_ns_write_maps(b->pid, s->cfg.uid_base, range);
	if (r < 0)
		return fn_err_set(err, r, "id maps", NULL);
	from = fn_clock_mono_us();
	r = fn_cgroup_attach_v1(b->cgroup, b->pid, err);
	b->timing.cgroup_us += (uint32_t)(fn_clock_mono_us() - from);
	if (r < 0)
		return r;
	r = fn_sock_send(b->sync_fd, &iov, 1, NULL, 0);
	if (r == 0)
		r = fn_fd_set_nonblock(b->sync_fd, true);
	return r < 0 ? fn_err_set(err, r, "sync socket", "go") : 0;
}

static int box_build(struct box *b, const struct fn_spec *spec, struct fn_err *err)
{
	struct fn_spawn_server *s = b->server;
	const struct fn_cg_limits limits = {spec->memory_bytes, spec->cpu_quota_us, spec->cpu_period_us, spec->pids_max};
	fn_auto_fd int root = -EBADF;
	char name[64];
	int r;

	root = fn_rootfs_get(s->cfg.rootfs, spec, err);
	b->timing.mounts_us = (uint32_t)(fn_clock_mono_us() - b->started_us);
	if (root < 0)
		return root;
	snprintf(name, sizeof(name), "%" PRIu64 "-%s", b->id, spec->name);
	b->timing.cgroup_us = 0;
	{
		uint64_t from = fn_clock_mono_us();

		r = fn_cgroup_create(s->cfg.cgroups, name, &limits, &b->cgroup, err);
		b->timing.cgroup_us = (uint32_t)(fn_clock_mono_us() - from);
	}
	if (r < 0)
		return r;
	r = box_clone(b, spec, root, err);
	if (r == 0)
		r = fn_loop_add_io(s->cfg.loop, b->sync_fd, EPOLLIN, on_sync, b, &b->sync_io);
	if (r == 0)
		r = fn_loop_add_io(s->cfg.loop, b->pidfd, EPOLLIN, on_pidfd, b, &b->pidfd_io);
	return r;
}

static void spawn(struct fn_spawn_server *s, const struct fn_proto_header *h, const void *data, size_t len)
{
	struct fn_spec spec;
	struct fn_err err = {0};
	struct box *b;
	int r = fn_spec_decode(data, len, &spec, &err);

	if (r == 0 && spec.net != FN_NET_LOOPBACK)
		r = fn_err_set(&err, EOPNOTSUPP, "network", "nat is not built yet");
	if (r < 0) {
		reply_err(s, h->request, &err);
		return;
	}
	b = calloc(1, sizeof(*b));
	if (!b || slot_take(s, &b->slot) < 0) {
		fn_err_set(&err, b ? EAGAIN : ENOMEM, "start sandbox", "no free uid range");
		reply_err(s, h->request, &err);
		free(b);
		fn_spec_clear(&spec);
		return;
	}
	b->server = s;
	b->id = ++s->next_id;
	b->request = h->request;
	b->pidfd = b->sync_fd = b->output_fd = b->listen_fd = -EBADF;
	b->exit.wait_status = -1;
	b->started_us = fn_clock_mono_us();
	b->timing.queue_us = (uint32_t)(b->started_us - h->sent_us);
	fn_list_push_back(&s->boxes, &b->link);
	s->n_boxes++;
	r = fn_map_set_u64(s->by_id, b->id, b, NULL);
	if (r == 0)
		r = fn_loop_add_timer(s->cfg.loop, fn_loop_now_us(s->cfg.loop) + HANDSHAKE_LIMIT_US, on_timer, b, &b->timer);
	if (r == 0)
		r = box_build(b, &spec, &err);
	if (r < 0) {
		if (err.code == 0)
			fn_err_set(&err, r, "start sandbox", NULL);
		if (b->pidfd >= 0 && !b->pidfd_io)
			(void)fn_loop_add_io(s->cfg.loop, b->pidfd, EPOLLIN, on_pidfd, b, &b->pidfd_io);
		box_fail(b, &err);
	}
	fn_spec_clear(&spec);
}

/* --- messages --- */
static void describe(struct fn_spawn_server *s, uint64_t request)
{
	char groups[512], text[1024];

	fn_cgroups_describe(s->cfg.cgroups, groups, sizeof(groups));
	snprintf(text, sizeof(text), "{\"cgroups\":\"%s\",\"sandboxes\":%u,\"prepared_roots\":%zu,\"threads\":%u}", groups, s->n_boxes,
		 fn_rootfs_count(s->cfg.rootfs), thread_count());
	reply(s, FN_PROTO_TEXT, request, 0, text, strlen(text), NULL, 0);
}

static void on_unpacked(void *arg, uint64_t request, const struct fn_err *err, uint64_t bytes)
{
	struct fn_spawn_server *s = arg;

	if (err)
		reply_err(s, request, err);
	else
		reply(s, FN_PROTO_UNPACKED, request, 0, &bytes, sizeof(bytes), NULL, 0);
}

static void on_message(struct fn_spawn_server *s, const struct fn_proto_header *h, const char *data, size_t len, int *fds, size_t n_fds)
{
	struct fn_err err;
	struct box *b;

	switch (h->type) {
	case FN_PROTO_SPAWN:
		spawn(s, h, data, len);
		break;
	case FN_PROTO_KILL:
		b = fn_map_get_u64(s->by_id, h->id);
		if (b)
			box_end(b);
		break;
	case FN_PROTO_UNPACK:
		if (len == sizeof(struct fn_proto_unpack) && n_fds == 1) {
			struct fn_proto_unpack m;

			memcpy(&m, data, sizeof(m));
			n_fds = 0;
			fn_unpacker_start(s->unpacker, h->request, &m, fds[0]);
		} else {
			fn_err_set(&err, EBADMSG, "unpack", "malformed request");
			reply_err(s, h->request, &err);
		}
		break;
	case FN_PROTO_REMOVE:
		if (len == FN_TREE_NAME_SIZE && memchr(data, '\0', len)) {
			fn_rootfs_forget_tree(s->cfg.rootfs, data);
			fn_unpacker_remove_tree(s->unpacker, data);
		}
		break;
	case FN_PROTO_DESCRIBE:
		describe(s, h->request);
		break;
	default:
		fn_err_set(&err, EBADMSG, "fn-spawnd", "unknown message %u", h->type);
		reply_err(s, h->request, &err);
	}
	for (size_t i = 0; i < n_fds; i++)
		fn_close(fds[i]);
}

static void on_sock(void *arg, int fd, uint32_t events)
{
	struct fn_spawn_server *s = arg;

	if (events & EPOLLOUT)
		flush(s);
	for (int round = 0; round < 16; round++) { /* then let handshakes have their turn */
		int fds[FN_SOCK_FDS_MAX];
		size_t n_fds;
		ssize_t n = fn_sock_recv(fd, s->in, FN_PROTO_MAX, fds, &n_fds);
		struct fn_proto_header h;

		if (n == -EAGAIN)
			return;
		if (n <= 0) { /* fnd is gone */
			fn_spawn_server_shutdown(s);
			return;
		}
		if ((size_t)n >= sizeof(h))
			memcpy(&h, s->in, sizeof(h));
		if ((size_t)n < sizeof(h) || h.version != FN_PROTO_VERSION) {
			for (size_t i = 0; i < n_fds; i++)
				fn_close(fds[i]);
			continue;
		}
		on_message(s, &h, s->in + sizeof(h), (size_t)n - sizeof(h), fds, n_fds);
	}
}

int fn_spawn_server_new(const struct fn_spawn_server_config *config, struct fn_spawn_server **ret, struct fn_err *err)
{
	struct fn_spawn_server *s = calloc(1, sizeof(*s));
	int r;

	if (thread_count() != 1)
		return fn_err_set(err, EINVAL, "fn-spawnd", "must be single-threaded before clone3");
	if (!s || !(s->slots = calloc(SLOTS_MAX, 1)) || !(s->in = malloc(FN_PROTO_MAX)) || fn_map_new(&s->by_id) < 0)
		return fn_err_set(err, ENOMEM, "fn-spawnd", NULL);
	s->cfg = *config;
	s->next_id = fn_clock_mono_us() / 1000 << 20; /* never an id that an earlier fn-spawnd gave */
	fn_list_init(&s->boxes);
	fn_list_init(&s->out);
	s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->null_fd < 0)
		return fn_err_set(err, errno, "fn-spawnd", "/dev/null");
	r = fn_unpacker_new(config, on_unpacked, s, &s->unpacker);
	if (r == 0)
		r = fn_fd_set_nonblock(s->cfg.sock, true);
	if (r == 0)
		r = fn_loop_add_io(s->cfg.loop, s->cfg.sock, EPOLLIN, on_sock, s, &s->io);
	if (r < 0)
		return fn_err_set(err, r, "fn-spawnd", "set-up");
	*ret = s;
	return 0;
}

void fn_spawn_server_shutdown(struct fn_spawn_server *s)
{
	if (s->shutdown)
		return;
	s->shutdown = true;
	fn_loop_clear(s->cfg.loop, &s->io);
	fn_close(fn_take_fd(&s->cfg.sock));
	fn_list_for_each(l, &s->boxes) box_end(fn_list_entry(l, struct box, link));
	if (s->n_boxes == 0)
		fn_loop_stop(s->cfg.loop);
}

void fn_spawn_server_free(struct fn_spawn_server *s)
{
	if (!s)
		return;
	fn_unpacker_free(s->unpacker);
	fn_map_free(s->by_id);
	fn_close(s->null_fd);
	free(s->slots);
	free(s->in);
	free(s);
}

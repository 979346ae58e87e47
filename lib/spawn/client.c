/* client.c - see client.h. Runs in fnd's worker. */
#include "spawn/client_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/map.h"
#include "image/fetch.h"
#include "os/sock.h"

#define SURVEY_MAX (64u << 20) /* bytes: of half a million trees */

struct outgoing {
	struct fn_list link;
	struct fn_proto_header head;
	char *data;
	size_t len;
	int fd;
};

struct fn_spawn_client {
	struct fn_loop *loop;
	const struct fn_spawn_client_ops *ops;
	void *arg;
	int sock;
	uint64_t io;
	uint64_t next_request;
	struct fn_map *pending; /* request -> struct fn_pending */
	struct fn_map *live;    /* sandbox id -> non-NULL */
	struct fn_list queue;   /* of struct outgoing, while the socket is full or fn-spawnd is being restarted */
	char *in;               /* FN_PROTO_MAX bytes */
};

static void on_io(void *arg, int fd, uint32_t events);

static void outgoing_free(struct outgoing *o)
{
	fn_list_remove(&o->link);
	fn_close(o->fd);
	free(o->data);
	free(o);
}

static int transmit(struct fn_spawn_client *c, struct fn_proto_header *head, const void *data, size_t len, int fd)
{
	struct iovec iov[2] = {{head, sizeof(*head)}, {(void *)data, len}};

	return fn_sock_send(c->sock, iov, len ? 2 : 1, &fd, fd >= 0 ? 1 : 0);
}

static int enqueue(struct fn_spawn_client *c, const struct fn_proto_header *head, const void *data, size_t len, int fd)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->fd = -EBADF;
	o->head = *head;
	o->len = len;
	o->data = malloc(len + 1);
	if (!o->data || (fd >= 0 && (o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)) {
		free(o->data);
		free(o);
		return -ENOMEM;
	}
	memcpy(o->data, data ? data : "", len);
	fn_list_push_back(&c->queue, &o->link);
	return c->sock < 0 ? 0 : fn_loop_mod_io(c->loop, c->io, EPOLLIN | EPOLLOUT);
}

static void mark_sent(struct fn_spawn_client *c, uint64_t request)
{
	struct fn_pending *p = fn_map_get_u64(c->pending, request);

	if (p)
		p->sent = true;
}

static int send_request(struct fn_spawn_client *c, uint32_t type, uint64_t request, uint64_t id, const void *data, size_t len, int fd)
{
	struct fn_proto_header head = {FN_PROTO_VERSION, type, request, id, fn_clock_mono_us()};
	int r;

	if (c->sock < 0 && request == 0) /* it is about something that went with the last one */
		return -ECONNRESET;
	if (c->sock < 0 || !fn_list_empty(&c->queue))
		return enqueue(c, &head, data, len, fd);
	r = transmit(c, &head, data, len, fd);
	if (r == 0)
		mark_sent(c, request);
	return r == -EAGAIN || r == -EPIPE || r == -ECONNRESET ? enqueue(c, &head, data, len, fd) : r;
}

struct fn_pending *fn_pending_add(struct fn_spawn_client *c, enum fn_pending_kind kind, void *arg)
{
	struct fn_pending *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->kind = kind;
	p->arg = arg;
	p->request = ++c->next_request;
	if (fn_map_set_u64(c->pending, p->request, p, NULL) < 0) {
		free(p);
		return NULL;
	}
	return p;
}

static void pending_drop(struct fn_spawn_client *c, struct fn_pending *p)
{
	fn_map_remove_u64(c->pending, p->request);
	free(p);
}

struct fn_pending *fn_pending_find(const struct fn_spawn_client *c, uint64_t request) { return fn_map_get_u64(c->pending, request); }

int fn_spawn_say(struct fn_spawn_client *c, uint32_t type, uint64_t id, const void *data, size_t len)
{
	return send_request(c, type, 0, id, data, len, -EBADF);
}

int fn_spawn_ask(struct fn_spawn_client *c, struct fn_pending *p, uint32_t type, uint64_t id, const void *data, size_t len, int fd)
{
	int r = send_request(c, type, p->request, id, data, len, fd);

	if (r < 0)
		pending_drop(c, p);
	return r;
}

static void answer(struct fn_spawn_client *c, struct fn_pending *p, const struct fn_err *err, struct fn_spawned *res, uint64_t bytes,
		   const char *text)
{
	struct fn_pending copy = *p;

	pending_drop(c, p);
	if (copy.cancelled)
		return;
	if (copy.kind == FN_PENDING_SPAWN)
		copy.fn.spawn(copy.arg, err, res);
	else if (copy.kind == FN_PENDING_UNPACK)
		copy.fn.unpack(copy.arg, err, bytes);
	else if (copy.kind == FN_PENDING_LAYER)
		copy.fn.layer(copy.arg, err, bytes, text);
	else if (copy.kind == FN_PENDING_REMOVE) {
		if (copy.fn.removed)
			copy.fn.removed(copy.arg, err);
	} else if (copy.kind == FN_PENDING_TEXT || copy.kind == FN_PENDING_SURVEY)
		copy.fn.text(copy.arg, err, text);
	else if (copy.kind == FN_PENDING_FETCH)
		copy.fn.fetched(copy.arg, err, NULL);
	else if (copy.kind == FN_PENDING_SOCKET)
		copy.fn.socket(copy.arg, err, -EBADF);
	else
		copy.fn.ready(copy.arg, copy.request);
}

int fn_spawn_client_new(struct fn_loop *loop, int sock, const struct fn_spawn_client_ops *ops, void *arg,
			struct fn_spawn_client **ret, struct fn_err *err)
{
	struct fn_spawn_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c || !(c->in = malloc(FN_PROTO_MAX + 1)) || fn_map_new(&c->pending) < 0 || fn_map_new(&c->live) < 0) {
		fn_close(sock);
		return fn_err_set(err, ENOMEM, "spawn client", NULL);
	}
	c->loop = loop;
	c->ops = ops;
	c->arg = arg;
	c->sock = -EBADF;
	fn_list_init(&c->queue);
	r = fn_spawn_client_reconnect(c, sock, err);
	if (r < 0) {
		fn_spawn_client_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void fn_spawn_client_free(struct fn_spawn_client *c)
{
	struct fn_pending *p;
	uint64_t *id;
	size_t it = 0;

	if (!c)
		return;
	fn_loop_clear(c->loop, &c->io);
	fn_close(c->sock);
	while (!fn_list_empty(&c->queue))
		outgoing_free(fn_list_entry(fn_list_first(&c->queue), struct outgoing, link));
	while ((p = fn_map_next(c->pending, &it)))
		free(p);
	fn_map_free(c->pending);
	for (it = 0; (id = fn_map_next(c->live, &it));) /* whose start was given up, and whose end nobody has waited for */
		free(id);
	fn_map_free(c->live);
	free(c->in);
	free(c);
}

static void lost(struct fn_spawn_client *c)
{
	const struct fn_err err = {.code = ECONNRESET, .stage = "fn-spawnd", .msg = "it ended while the request was under way"};
	const struct fn_sandbox_exit gone = {.wait_status = -1, .memory_peak = UINT64_MAX};
	struct fn_pending *p;
	uint64_t *id;
	size_t it;

	fn_loop_clear(c->loop, &c->io);
	fn_close(fn_take_fd(&c->sock));
	fn_list_for_each_safe(l, &c->queue)
	{
		struct outgoing *o = fn_list_entry(l, struct outgoing, link);

		if (o->head.request == 0)
			outgoing_free(o);
	}
	for (it = 0; (p = fn_map_next(c->pending, &it));)
		if (p->sent) {
			answer(c, p, &err, NULL, 0, NULL);
			it = 0; /* callbacks may have changed the table */
		}
	while (it = 0, (id = fn_map_next(c->live, &it))) {
		uint64_t v = *id;

		fn_map_remove_u64(c->live, v);
		free(id);
		c->ops->on_exit(c->arg, v, &gone);
	}
	c->ops->on_lost(c->arg);
}

int fn_spawn_client_reconnect(struct fn_spawn_client *c, int sock, struct fn_err *err)
{
	int r = fn_fd_set_nonblock(sock, true);

	if (c->sock >= 0) /* the news of the new one came before the old one's end was seen */
		lost(c);
	c->sock = sock;
	if (r == 0)
		r = fn_loop_add_io(c->loop, sock, fn_list_empty(&c->queue) ? EPOLLIN : EPOLLIN | EPOLLOUT, on_io, c, &c->io);
	return r < 0 ? fn_err_set(err, r, "spawn client", "watch") : 0;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fn_close(fds[i]);
}

static const struct fn_err malformed = {.code = EBADMSG, .stage = "fn-spawnd", .msg = "its answer is not one to this request"};
static const struct fn_err no_descriptors = {.code = EMFILE, .stage = "fn-spawnd", .msg = "fnd has too many files open to receive the environment's: raise the hard limit (LimitNOFILE, ulimit -Hn)"};

/* Of extensions, one behind the other. */
static bool take_names(struct fn_spawned *s, const struct fn_proto_spawned *m, const char *names, size_t len)
{
	if (m->n_extensions > FN_EXTENSIONS_MAX)
		return false;
	for (s->n_extensions = 0; s->n_extensions < m->n_extensions; s->n_extensions++) {
		const char *end = memchr(names, '\0', len);

		if (!end)
			return false;
		s->extensions[s->n_extensions] = names;
		len -= (size_t)(end + 1 - names);
		names = end + 1;
	}
	return len == 0;
}

static void on_spawned(struct fn_spawn_client *c, const struct fn_proto_header *h, const void *data, size_t len, int *fds, size_t n_fds)
{
	struct fn_pending *p = fn_map_get_u64(c->pending, h->request);
	struct fn_proto_spawned m;
	struct fn_spawned s = {.peak_fd = -EBADF, .oom_fd = -EBADF, .tmp_fd = -EBADF, .stat_fd = -EBADF, .platform_fd = -EBADF, .extensions_output_fd = -EBADF};
	size_t taken = 3, expected = 3;
	uint64_t *id;
	void *old = NULL;
	bool named;

	if (len < sizeof(m) || !(id = malloc(sizeof(*id)))) {
		close_all(fds, n_fds);
		if (p)
			answer(c, p, &malformed, NULL, 0, NULL);
		return;
	}
	memcpy(&m, data, sizeof(m));
	*id = h->id;
	if (fn_map_set_u64(c->live, h->id, id, &old) < 0)
		free(id);
	free(old);
	named = take_names(&s, &m, (const char *)data + sizeof(m), len - sizeof(m));
	expected += !!m.has_peak + !!m.has_oom + !!m.has_tmp + !!m.has_stat + !!m.has_platform + (m.n_extensions > 0);
	if (!p || p->cancelled || p->kind != FN_PENDING_SPAWN || n_fds < expected || !named) { /* fewer: the kernel had no numbers for them here; what was made must not stay */
		close_all(fds, n_fds);
		(void)fn_spawn_say(c, FN_PROTO_KILL, h->id, NULL, 0);
		if (p)
			answer(c, p, p->kind == FN_PENDING_SPAWN && named ? &no_descriptors : &malformed, NULL, 0, NULL);
		return;
	}
	s.id = h->id;
	s.listen_fd = fds[0];
	s.output_fd = fds[1];
	s.freeze_fd = fds[2];
	if (m.has_peak)
		s.peak_fd = fds[taken++];
	if (m.has_oom)
		s.oom_fd = fds[taken++];
	if (m.has_tmp)
		s.tmp_fd = fds[taken++];
	if (m.has_stat)
		s.stat_fd = fds[taken++];
	if (m.has_platform)
		s.platform_fd = fds[taken++];
	if (m.n_extensions)
		s.extensions_output_fd = fds[taken++];
	s.init_pid = m.init_pid;
	s.extensions_off = m.extensions_off;
	s.timing = m.timing;
	for (size_t i = taken; i < n_fds; i++)
		fn_close(fds[i]);
	answer(c, p, NULL, &s, 0, NULL);
}

static void on_surveyed(struct fn_spawn_client *c, struct fn_pending *p, int *fds, size_t n_fds)
{
	fn_auto_buf struct fn_buf text = {0};

	if (p && p->kind == FN_PENDING_SURVEY && n_fds == 1 && lseek(fds[0], 0, SEEK_SET) == 0 && fn_buf_read_fd(&text, fds[0], SURVEY_MAX) == 0)
		answer(c, p, NULL, NULL, 0, text.data ? text.data : "");
	else if (p)
		answer(c, p, &malformed, NULL, 0, NULL);
	close_all(fds, n_fds);
}

static void give_socket(struct fn_spawn_client *c, struct fn_pending *p, int fd)
{
	struct fn_pending copy = *p;

	pending_drop(c, p);
	if (copy.cancelled)
		fn_close(fd);
	else
		copy.fn.socket(copy.arg, NULL, fd);
}

static void on_fetched(struct fn_spawn_client *c, struct fn_pending *p, const void *data)
{
	struct fn_pending copy = *p;
	struct fn_fetch_result res;

	memcpy(&res, data, sizeof(res));
	fn_fetch_result_seal(&res);
	pending_drop(c, p);
	copy.fn.fetched(copy.arg, NULL, &res);
}

static void on_process(struct fn_spawn_client *c, uint64_t id, const void *data)
{
	struct fn_proto_process m;

	memcpy(&m, data, sizeof(m));
	m.err.stage[sizeof(m.err.stage) - 1] = m.err.msg[sizeof(m.err.msg) - 1] = '\0';
	if (m.process < FN_SPEC_PROCESSES_MAX && fn_map_get_u64(c->live, id) && c->ops->on_process)
		c->ops->on_process(c->arg, id, m.process, m.wait_status, m.err.code ? &m.err : NULL);
}

static void on_message(struct fn_spawn_client *c, const struct fn_proto_header *h, const char *data, size_t len, int *fds, size_t n_fds)
{
	struct fn_pending *p = h->request ? fn_map_get_u64(c->pending, h->request) : NULL;

	if (h->type == FN_PROTO_SPAWNED) {
		on_spawned(c, h, data, len, fds, n_fds);
		return;
	}
	if (h->type == FN_PROTO_SURVEYED) {
		on_surveyed(c, p, fds, n_fds);
		return;
	}
	if (h->type == FN_PROTO_SOCKET_MADE && p && p->kind == FN_PENDING_SOCKET && n_fds == 1) {
		give_socket(c, p, fds[0]);
		return;
	}
	close_all(fds, n_fds);
	if (h->type == FN_PROTO_PROCESS && len == sizeof(struct fn_proto_process)) {
		on_process(c, h->id, data);
		return;
	}
	if (h->type == FN_PROTO_EXITED && len == sizeof(struct fn_sandbox_exit)) {
		uint64_t *id = fn_map_remove_u64(c->live, h->id);
		struct fn_sandbox_exit e;

		free(id);
		memcpy(&e, data, sizeof(e));
		if (id)
			c->ops->on_exit(c->arg, h->id, &e);
	} else if (h->type == FN_PROTO_RECLAIMED && len == sizeof(uint64_t)) {
		uint64_t bytes;

		memcpy(&bytes, data, sizeof(bytes));
		if (c->ops->on_reclaimed)
			c->ops->on_reclaimed(c->arg, h->id, bytes);
	} else if (h->type == FN_PROTO_FAILED && p && len == sizeof(struct fn_err)) {
		struct fn_err e;

		memcpy(&e, data, sizeof(e));
		e.stage[sizeof(e.stage) - 1] = e.msg[sizeof(e.msg) - 1] = '\0';
		answer(c, p, &e, NULL, 0, NULL);
	} else if (h->type == FN_PROTO_UNPACKED && p && (p->kind == FN_PENDING_UNPACK || p->kind == FN_PENDING_LAYER) && len == sizeof(struct fn_proto_unpacked)) {
		struct fn_proto_unpacked u;

		memcpy(&u, data, sizeof(u));
		u.diff_id[sizeof(u.diff_id) - 1] = '\0';
		answer(c, p, NULL, NULL, u.bytes, u.diff_id);
	} else if (h->type == FN_PROTO_FETCHED && p && p->kind == FN_PENDING_FETCH && len == sizeof(struct fn_fetch_result)) {
		on_fetched(c, p, data);
	} else if (h->type == FN_PROTO_REMOVED && p && p->kind == FN_PENDING_REMOVE) {
		answer(c, p, NULL, NULL, 0, NULL);
	} else if (h->type == FN_PROTO_TEXT && p && p->kind == FN_PENDING_TEXT) {
		answer(c, p, NULL, NULL, 0, data);
	} else if (h->type == FN_PROTO_READY && p && p->kind == FN_PENDING_READY) {
		answer(c, p, NULL, NULL, 0, NULL);
	} else if (p) { /* whoever waits must not wait for ever */
		answer(c, p, &malformed, NULL, 0, NULL);
	}
}

static void flush(struct fn_spawn_client *c)
{
	while (!fn_list_empty(&c->queue)) {
		struct outgoing *o = fn_list_entry(fn_list_first(&c->queue), struct outgoing, link);

		if (transmit(c, &o->head, o->data, o->len, o->fd) < 0) /* full, or ended: then lost() comes next */
			return;
		mark_sent(c, o->head.request);
		outgoing_free(o);
	}
	(void)fn_loop_mod_io(c->loop, c->io, EPOLLIN);
}

static void on_io(void *arg, int fd, uint32_t events)
{
	struct fn_spawn_client *c = arg;

	if (events & EPOLLOUT)
		flush(c);
	for (;;) {
		int fds[FN_SOCK_FDS_MAX];
		size_t n_fds;
		ssize_t n = fn_sock_recv(fd, c->in, FN_PROTO_MAX, fds, &n_fds);
		struct fn_proto_header h;

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			lost(c);
			return;
		}
		if ((size_t)n < sizeof(h)) {
			close_all(fds, n_fds);
			continue;
		}
		memcpy(&h, c->in, sizeof(h));
		c->in[n] = '\0';
		on_message(c, &h, c->in + sizeof(h), (size_t)n - sizeof(h), fds, n_fds);
		if (c->sock != fd)
			return;
	}
}

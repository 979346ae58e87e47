/* inner_client.c - see inner_client.h. A connection has one call or rests; a call without a connection is in the queue. */
#include "web/inner_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "base/scm.h"
#include "web/address.h"

#define IN_SIZE 65536u

struct conn {
	struct fn_inner_client *client;
	struct fn_inner_call *call; /* NULL: it rests */
	struct fn_list link;        /* of those that rest */
	int fd;
	uint64_t io;
	bool writes;
	struct fn_h1 h;
};

struct fn_inner_call {
	struct fn_inner_client *client;
	struct fn_list link, all; /* the queue's; every call's */
	struct conn *conn;
	struct fn_buf head;
	const void *body;
	size_t len, at, body_max; /* at: so much is sent, of head and body */
	uint64_t until_us, connect_until_us;
	void (*done)(void *arg, struct fn_inner_answer *a);
	void *arg;
	bool gives; /* the socket `given` */
	int given;
	int failed; /* is told at the end of the round */
};

struct fn_inner_client {
	struct fn_inner_config cfg;
	struct sockaddr_un address;
	struct fn_list resting, queue, calls;
	unsigned n_conns, n_resting, n_queue, n_calls;
	uint64_t look;
	struct fn_deferred later;
	char in[IN_SIZE];
};

/* --- connections --- */
static void conn_free(struct conn *k)
{
	struct fn_inner_client *c = k->client;

	if (fn_list_linked(&k->link)) {
		fn_list_remove(&k->link);
		c->n_resting--;
	}
	fn_loop_clear(c->cfg.loop, &k->io);
	fn_close(k->fd);
	fn_h1_free(&k->h);
	c->n_conns--;
	free(k);
}

static void on_io(void *arg, int fd, uint32_t events);

static int conn_new(struct fn_inner_client *c, struct conn **ret)
{
	struct conn *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->client = c;
	c->n_conns++;
	fn_h1_init_response(&k->h);
	k->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = k->fd < 0 || connect(k->fd, (struct sockaddr *)&c->address, sizeof(c->address)) < 0 ? -errno : 0;
	if (r == 0)
		r = fn_loop_add_io(c->cfg.loop, k->fd, EPOLLIN, on_io, k, &k->io);
	if (r < 0)
		conn_free(k);
	else
		*ret = k;
	return r;
}

static void conn_rest(struct conn *k)
{
	struct fn_inner_client *c = k->client;

	k->call = NULL;
	if (c->n_resting >= c->cfg.keep) {
		conn_free(k);
		return;
	}
	fn_h1_reset(&k->h);
	fn_list_push_front(&c->resting, &k->link);
	c->n_resting++;
}

static struct conn *take_resting(struct fn_inner_client *c)
{
	struct fn_list *l = fn_list_first(&c->resting);
	struct conn *k = l ? fn_list_entry(l, struct conn, link) : NULL;

	if (k) {
		fn_list_remove(&k->link);
		c->n_resting--;
	}
	return k;
}

/* --- calls --- */
static void unqueue(struct fn_inner_call *call)
{
	if (!fn_list_linked(&call->link))
		return;
	fn_list_remove(&call->link);
	call->client->n_queue--;
}

static void call_free(struct fn_inner_call *call)
{
	struct fn_inner_client *c = call->client;

	unqueue(call);
	fn_list_remove(&call->all);
	c->n_calls--;
	fn_buf_free(&call->head);
	free(call);
}

static void fail(struct fn_inner_call *call, int error)
{
	struct fn_inner_answer a = {.error = error, .sent = call->at > 0};
	struct fn_inner_client *c = call->client;

	if (call->conn)
		conn_free(call->conn);
	if (!fn_list_empty(&c->queue))
		fn_loop_defer(c->cfg.loop, &c->later);
	call->conn = NULL;
	unqueue(call);
	call->done(call->arg, &a);
	call_free(call);
}

void fn_inner_cancel(struct fn_inner_call *call)
{
	struct fn_inner_client *c = call ? call->client : NULL;

	if (!call)
		return;
	if (call->conn) {
		conn_free(call->conn);
		if (!fn_list_empty(&c->queue))
			fn_loop_defer(c->cfg.loop, &c->later);
	}
	call_free(call);
}

/* 0: all of it, or what the socket takes now; -ESTALE: nothing, for the other end is closed. */
static int push(struct fn_inner_call *call)
{
	struct conn *k = call->conn;
	size_t whole = call->head.len + call->len;
	bool blocked = false;

	while (call->at < whole && !blocked) {
		struct iovec iov[2];
		struct msghdr m = {.msg_iov = iov};
		union fn_scm ctl;
		ssize_t n;

		if (call->at < call->head.len)
			iov[m.msg_iovlen++] = (struct iovec){call->head.data + call->at, call->head.len - call->at};
		if (call->len > 0) {
			size_t done = call->at > call->head.len ? call->at - call->head.len : 0;

			iov[m.msg_iovlen++] = (struct iovec){(char *)call->body + done, call->len - done};
		}
		if (call->gives && call->at == 0)
			fn_scm_put(&m, &ctl, &call->given, 1);
		n = sendmsg(k->fd, &m, MSG_NOSIGNAL);
		if (n >= 0)
			call->at += (size_t)n;
		else if (errno == EAGAIN)
			blocked = true;
		else if (errno != EINTR)
			return errno == EPIPE && call->at == 0 ? -ESTALE : -errno;
	}
	if (blocked == k->writes)
		return 0;
	k->writes = blocked;
	return fn_loop_mod_io(k->client->cfg.loop, k->io, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Nobody listens there now, who may soon. */
static bool may_come(int error) { return error == -ECONNREFUSED || error == -ENOENT || error == -EAGAIN; }

static void enqueue(struct fn_inner_call *call, bool first)
{
	struct fn_inner_client *c = call->client;

	if (first)
		fn_list_push_front(&c->queue, &call->link);
	else
		fn_list_push_back(&c->queue, &call->link);
	c->n_queue++;
}

/* Gives it a connection. -EBUSY: there is none to be had now, nor is it failed. */
static int start(struct fn_inner_call *call)
{
	struct fn_inner_client *c = call->client;
	int r;

	for (;;) {
		struct conn *k = take_resting(c);
		bool rested = k != NULL;

		if (!k && c->n_conns >= c->cfg.connections)
			return -EBUSY;
		if (!k && (r = conn_new(c, &k)) < 0)
			return may_come(r) && fn_loop_now_us(c->cfg.loop) < call->connect_until_us ? -EBUSY : r;
		k->call = call;
		call->conn = k;
		k->h.body_max = call->body_max;
		r = push(call);
		if (r == 0 || r != -ESTALE || !rested)
			return r == -ESTALE ? -EPIPE : r;
		call->conn = NULL;
		conn_free(k);
	}
}

/* The first of the queue, as long as there are connections. */
static void serve_queue(void *arg)
{
	struct fn_inner_client *c = arg;

	while (!fn_list_empty(&c->queue)) {
		struct fn_inner_call *call = fn_list_entry(fn_list_first(&c->queue), struct fn_inner_call, link);
		int r = call->failed;

		unqueue(call);
		if (r == 0)
			r = start(call);
		if (r == -EBUSY) {
			enqueue(call, true);
			return;
		}
		if (r < 0)
			fail(call, r);
	}
}

/* --- the answer --- */
static void answer(struct conn *k, bool clean)
{
	struct fn_inner_call *call = k->call;
	struct fn_inner_client *c = k->client;
	struct fn_h1 h = k->h;
	struct fn_inner_answer a = {.h = &h};

	k->h = (struct fn_h1){0};
	fn_h1_init_response(&k->h);
	call->conn = NULL;
	if (clean && !h.close && call->at == call->head.len + call->len)
		conn_rest(k);
	else
		conn_free(k);
	if (!fn_list_empty(&c->queue))
		fn_loop_defer(c->cfg.loop, &c->later);
	a.body = fn_buf_take(&h.body, &a.len);
	if (!a.body) {
		a = (struct fn_inner_answer){.error = -ENOMEM, .sent = true};
	}
	call->done(call->arg, &a);
	free(a.body);
	fn_h1_free(&h);
	call_free(call);
}

/* Feeds what has come. False: the connection is gone. */
static bool feed(struct conn *k, const char *data, size_t len)
{
	size_t at = 0, used;

	for (;;) {
		enum fn_h1_event e = fn_h1_feed(&k->h, data + at, len - at, &used);
		uint64_t left;

		at += used;
		switch (e) {
		case FN_H1_MORE:
			return true;
		case FN_H1_HEAD:
			left = fn_h1_body_left(&k->h);
			k->h.take = FN_H1_WHOLE;
			if (left == UINT64_MAX || left <= k->h.body_max)
				break;
			fail(k->call, -EFBIG);
			return false;
		case FN_H1_DONE:
			if (k->h.too_large)
				fail(k->call, -EFBIG);
			else
				answer(k, at == len);
			return false;
		default:
			fail(k->call, -EPROTO);
			return false;
		}
	}
}

static void receive(struct conn *k)
{
	struct fn_inner_client *c = k->client;
	size_t room = sizeof(c->in);
	char *direct = k->call ? fn_h1_body_space(&k->h, &room) : NULL;
	ssize_t n = recv(k->fd, direct ? direct : c->in, direct ? room : sizeof(c->in), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!k->call) /* closed while it rested, or it says what nobody has asked */
		conn_free(k);
	else if (n <= 0)
		fail(k->call, n < 0 ? -errno : -ECONNRESET);
	else if (direct) {
		fn_h1_body_got(&k->h, (size_t)n);
		(void)feed(k, NULL, 0);
	} else {
		(void)feed(k, c->in, (size_t)n);
	}
}

static void on_io(void *arg, int fd, uint32_t events)
{
	struct conn *k = arg;
	int r = 0;

	(void)fd;
	if (events & EPOLLOUT && k->call && (r = push(k->call)) < 0 && !(events & EPOLLIN)) { /* with EPOLLIN: it has been answered early */
		fail(k->call, r);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(k);
}

static struct fn_inner_call *first_late(const struct fn_inner_client *c, uint64_t now)
{
	fn_list_for_each(l, &c->calls)
		if (fn_list_entry(l, struct fn_inner_call, all)->until_us <= now)
			return fn_list_entry(l, struct fn_inner_call, all);
	return NULL;
}

static void on_look(void *arg)
{
	struct fn_inner_client *c = arg;
	uint64_t now = fn_loop_now_us(c->cfg.loop);

	for (struct fn_inner_call *late; (late = first_late(c, now));) /* done() may make and cancel calls */
		fail(late, -ETIMEDOUT);
	serve_queue(c);
	if (c->n_calls > 0)
		(void)fn_loop_rearm_timer(c->cfg.loop, c->look, now + FN_INNER_LOOK_US);
}

/* --- the caller's --- */
int fn_inner_send(struct fn_inner_client *c, const struct fn_inner_request *q, struct fn_inner_call **ret)
{
	struct fn_inner_call *call;
	uint64_t now = fn_loop_now_us(c->cfg.loop);
	int r;

	if (c->n_queue >= c->cfg.waiting)
		return -EAGAIN;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = (struct fn_inner_call){.client = c, .body = q->http.body, .len = q->http.body ? q->http.len : 0, .body_max = q->body_max, .done = q->done, .arg = q->arg, .gives = q->gives_client, .given = q->client,
				       .until_us = q->timeout_us ? now + q->timeout_us : UINT64_MAX, .connect_until_us = now + c->cfg.connect_us};
	if (fn_h1_request_head(&call->head, &q->http) < 0) {
		free(call);
		return -ENOMEM;
	}
	fn_list_push_back(&c->calls, &call->all);
	if (c->n_calls++ == 0)
		(void)fn_loop_rearm_timer(c->cfg.loop, c->look, now + FN_INNER_LOOK_US);
	r = fn_list_empty(&c->queue) ? start(call) : -EBUSY;
	if (r < 0) {
		call->failed = r == -EBUSY ? 0 : r;
		if (call->conn)
			conn_free(fn_take_ptr(call->conn));
		enqueue(call, false);
		if (call->failed)
			fn_loop_defer(c->cfg.loop, &c->later);
	}
	if (ret)
		*ret = call;
	return 0;
}

int fn_inner_client_new(const struct fn_inner_config *config, struct fn_inner_client **ret)
{
	struct fn_inner_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->cfg = *config;
	c->later = (struct fn_deferred){.fn = serve_queue, .arg = c};
	fn_list_init(&c->resting);
	fn_list_init(&c->queue);
	fn_list_init(&c->calls);
	r = fn_address_at(config->dir_fd, config->name, &c->address);
	if (r == 0)
		r = fn_loop_add_timer(config->loop, UINT64_MAX, on_look, c, &c->look);
	if (r < 0)
		free(c);
	else
		*ret = c;
	return r;
}

void fn_inner_client_free(struct fn_inner_client *c)
{
	if (!c)
		return;
	while (!fn_list_empty(&c->calls))
		fn_inner_cancel(fn_list_entry(fn_list_first(&c->calls), struct fn_inner_call, all));
	while (!fn_list_empty(&c->resting))
		conn_free(fn_list_entry(fn_list_first(&c->resting), struct conn, link));
	fn_deferred_cancel(&c->later);
	fn_loop_clear(c->cfg.loop, &c->look);
	free(c);
}

unsigned fn_inner_client_calls(const struct fn_inner_client *c) { return c->n_calls; }

/* h1conn.c - see h1conn.h: a connection, its requests, its end. Its answers: h1answer.c. */
#include "web/h1conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/scm.h"
#include "web/h1conn_internal.h"

#define REQUESTS_AT_ONCE 8u /* of a connection, of what it has pipelined: then the others have their turn */

static void work(struct fn_h1_conn *c, bool writable);
static void on_io(void *arg, int fd, uint32_t events);
static void on_later(void *arg) { work(arg, false); }

int fn_h1_server_new(struct fn_loop *loop, struct fn_h1_server **ret)
{
	struct fn_h1_server *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->date = (struct fn_h1_date){0};
	s->n_swallowing = 0;
	*ret = s;
	return 0;
}

void fn_h1_server_free(struct fn_h1_server *s) { free(s); }

static void conn_free(struct fn_h1_conn *c)
{
	fn_h1_free(&c->h);
	fn_buf_free(&c->rest);
	fn_buf_free(&c->out);
	free(c);
}

void fn_h1_conn_close(struct fn_h1_conn *c)
{
	if (!c || !c->ops)
		return;
	c->ops = NULL;
	fn_loop_clear(c->s->loop, &c->io);
	fn_deferred_cancel(&c->later);
	(void)fn_h1_ahead_end(c);
	fn_close(fn_take_fd(&c->fd));
	fn_close(fn_take_fd(&c->client));
	fn_h1_body_release(c);
	if (c->swallows)
		c->s->n_swallowing--;
	if (!c->busy)
		conn_free(c);
}

/* The peer has ended it, or is made to. */
static void lost(struct fn_h1_conn *c)
{
	const struct fn_h1_ops *ops = c->ops;
	bool busy = c->busy;

	if (!ops)
		return;
	c->busy = true; /* it is freed below, when its owner has forgotten it */
	fn_h1_conn_close(c);
	if (c->coming && ops->cut)
		ops->cut(c->arg, c);
	ops->closed(c->arg, c);
	c->busy = busy;
	if (!busy)
		conn_free(c);
}

int fn_h1_conn_new(struct fn_h1_server *s, int fd, const struct fn_h1_ops *ops, void *arg, struct fn_h1_conn **ret)
{
	struct fn_h1_conn *c = malloc(sizeof(*c));
	int r;

	if (!c) {
		fn_close(fd);
		return -ENOMEM;
	}
	memset(c, 0, sizeof(*c));
	c->s = s;
	c->ops = ops;
	c->arg = arg;
	c->fd = fd;
	c->later.fn = on_later;
	c->later.arg = c;
	c->file = c->client = -EBADF;
	fn_h1_init(&c->h);
	if (ops->head_max)
		c->h.line_max = c->h.head_max = ops->head_max;
	c->watched = EPOLLIN;
	r = fn_loop_add_io(s->loop, fd, EPOLLIN, on_io, c, &c->io);
	if (r < 0) {
		fn_close(fd);
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int fn_h1_conn_socket(const struct fn_h1_conn *c) { return c->fd; }
void fn_h1_conn_takes_client(struct fn_h1_conn *c) { c->takes_client = true; }

bool fn_h1_conn_sent(struct fn_h1_conn *c)
{
	fn_h1_conn_flush(c);
	return c->out.len == 0;
}

int fn_h1_conn_go_on(struct fn_h1_conn *c, const struct iovec *bytes, int n)
{
	int r = 0;

	for (int i = 0; i < n && r == 0; i++)
		r = fn_buf_add(&c->rest, bytes[i].iov_base, bytes[i].iov_len);
	if (r == 0)
		fn_loop_defer(c->s->loop, &c->later);
	return r;
}

/* 1: bytes are there, 0: none, -1: it has ended. */
static int look(const struct fn_h1_conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n > 0 ? 1 : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool fn_h1_conn_address(const struct fn_h1_conn *c, char *out, size_t size)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	return getpeername(c->fd, (struct sockaddr *)&a, &len) == 0 && (a.ss_family == AF_INET || a.ss_family == AF_INET6) &&
	       getnameinfo((struct sockaddr *)&a, len, out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) == 0;
}

bool fn_h1_conn_peer_gone(const struct fn_h1_conn *c)
{
	return !c->busy && look(c) < 0; /* busy: its request has just been read */
}

bool fn_h1_conn_unread(const struct fn_h1_conn *c) { return look(c) > 0; }

int fn_h1_conn_upgrade(struct fn_h1_conn *c, const char *protocol)
{
	char head[160];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %.64s\r\n\r\n", protocol);
	int fd, r = 0;

	fn_loop_clear(c->s->loop, &c->io);
	fd = fn_take_fd(&c->fd);
	fn_h1_conn_close(c);
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n)
		r = -EPIPE;
	if (r == 0)
		r = fn_fd_set_nonblock(fd, false);
	if (r == 0)
		return fd;
	fn_close(fd);
	return r;
}

void fn_h1_conn_whole(struct fn_h1_conn *c, bool on)
{
	c->whole = on;
	if (on && c->ended) { /* it is looked at once more */
		c->ended = false;
		fn_h1_set_state(c, c->state);
	}
}

/* cut_off: it ends in the middle. */
static void refuse(struct fn_h1_conn *c, unsigned status, bool cut_off)
{
	static const char *const runtimes[][2] = {{"{\"errorMessage\":\"", "\",\"errorType\":\"InvalidRequest\"}\n"},
						   {"{\"errorMessage\":\"", "\",\"errorType\":\"TruncatedHTTPRequest\"}\n"}};
	const char *const *around = c->ops->refusal[0] ? c->ops->refusal : runtimes[cut_off];
	char body[200];
	struct fn_h1_reply r = {.status = status, .content_type = "application/json", .body = body, .close = true};

	r.len = (size_t)snprintf(body, sizeof(body), "%.70s%s%.70s", around[0], fn_h1_reason(status), around[1]);
	if (c->coming && c->ops->cut)
		c->ops->cut(c->arg, c);
	if (c->ops)
		fn_h1_conn_reply(c, &r);
}

void fn_h1_conn_refuse(struct fn_h1_conn *c, unsigned status)
{
	if (c->state == FN_H1_READING || c->state == FN_H1_HANDLING)
		refuse(c, status, false);
}

enum fn_h1_phase fn_h1_conn_phase(const struct fn_h1_conn *c, uint64_t *ret_moved)
{
	*ret_moved = c->moved;
	switch (c->state) {
	case FN_H1_READING:
		if (c->paused)
			return FN_H1_OWNED;
		return fn_h1_head_known(&c->h) ? FN_H1_BODY_COMES : fn_h1_begun(&c->h) ? FN_H1_HEAD_COMES : FN_H1_IDLE;
	case FN_H1_HANDLING:
		return FN_H1_OWNED;
	case FN_H1_STREAMING:
		return c->blocked ? FN_H1_ANSWER_GOES : FN_H1_OWNED;
	case FN_H1_SENDING:
		return FN_H1_ANSWER_GOES;
	case FN_H1_DRAINING:
		break;
	}
	return FN_H1_ENDING;
}

/* --- requests --- */
void fn_h1_conn_pause(struct fn_h1_conn *c)
{
	if (c->state != FN_H1_READING || !c->coming)
		return;
	c->paused = true;
	fn_h1_set_state(c, c->state);
}

void fn_h1_conn_resume(struct fn_h1_conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	fn_h1_set_state(c, c->state);
	fn_loop_defer(c->s->loop, &c->later); /* what has come by now, not from here */
}

/* One without TCP_NODELAY sends the next piece when this one is acknowledged, else 40 ms later. Lasts until the next time. */
static void acknowledge(struct fn_h1_conn *c) { (void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int)); }

void fn_h1_conn_bound_input(struct fn_h1_conn *c, bool on)
{
	int half = FN_H1_RECEIVE_MAX / 2, none = 0; /* the kernel takes it twice; SO_BUF_LOCK: Linux 5.14 */

	c->prompt = on;
	if (on)
		acknowledge(c);
	if (on)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
	else
		(void)setsockopt(c->fd, SOL_SOCKET, SO_BUF_LOCK, &none, sizeof(none));
}

static void on_head(struct fn_h1_conn *c, const char *data, size_t ahead)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->ops->elsewhere && c->ops->elsewhere(c->arg, c, &c->h, data, ahead))
		return;
	c->h.body_max = c->ops->body_max(c->arg, c, &c->h, ahead);
	if (c->h.take == FN_H1_NOTHING && fn_h1_body_left(&c->h) > 0) {
		c->last = true;
		fn_h1_set_state(c, FN_H1_HANDLING);
		c->ops->request(c->arg, c, &c->h);
		return;
	}
	c->coming = c->h.take == FN_H1_PIECES || c->h.take == FN_H1_BOTH;
	if (c->h.expect && ahead == 0) /* a full buffer this early is a peer that is not worth waiting for: it fails */
		(void)!send(c->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL);
}

/* Parses; *used bytes of data are consumed. Ends when they are, the connection is in another state or paused, or it has had its turn: then it is
 * READING, and on_later() goes on with what is left. */
static void parse(struct fn_h1_conn *c, const char *data, size_t len, size_t *used)
{
	enum fn_h1_event e;
	unsigned done = 0;
	size_t n;

	*used = 0;
	while (c->ops && c->state == FN_H1_READING && !c->paused && done < REQUESTS_AT_ONCE) {
		e = fn_h1_feed(&c->h, data + *used, len - *used, &n);
		*used += n;
		switch (e) {
		case FN_H1_MORE:
			return;
		case FN_H1_HEAD:
			on_head(c, data + *used, len - *used);
			break;
		case FN_H1_PIECE:
			c->ops->piece(c->arg, c, c->h.piece, c->h.piece_len);
			break;
		case FN_H1_DONE:
			done++;
			c->coming = false;
			fn_h1_set_state(c, FN_H1_HANDLING);
			c->ops->request(c->arg, c, &c->h);
			break;
		case FN_H1_BAD:
			refuse(c, c->h.refusal, false);
			return;
		}
	}
}

/* What is not parsed yet goes on at the end of the round; what waits for its owner, or an answer, when that is there. */
static void go_on_later(struct fn_h1_conn *c)
{
	if (c->state == FN_H1_READING && !c->paused)
		fn_loop_defer(c->s->loop, &c->later);
}

static void parse_and_keep(struct fn_h1_conn *c, const char *data, size_t len)
{
	size_t used;

	parse(c, data, len, &used);
	if (!c->ops || used == len || c->state == FN_H1_DRAINING)
		return;
	if (fn_buf_add(&c->rest, data + used, len - used) < 0)
		lost(c);
	else
		go_on_later(c);
}

static void parse_rest(struct fn_h1_conn *c)
{
	size_t used;

	if (c->rest.len == 0 && !c->coming) /* coming: its end may be all that is to be told */
		return;
	parse(c, c->rest.len > 0 ? c->rest.data : "", c->rest.len, &used);
	if (!c->ops || c->state == FN_H1_DRAINING)
		return;
	fn_buf_consume(&c->rest, used);
	if (c->rest.len == 0)
		fn_buf_free(&c->rest);
	else
		go_on_later(c);
}

/* After the last answer: 0, or -errno when the connection is over. TCP throws away what MSG_TRUNC asks for, without a copy. */
static int swallow(struct fn_h1_conn *c)
{
	ssize_t n = recv(c->fd, c->s->in, sizeof(c->s->in), MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0 || (uint64_t)n > c->to_drain)
		return -ECONNRESET;
	c->moved += (uint64_t)n;
	c->to_drain -= (uint64_t)n;
	return 0;
}

/* With the descriptor that a request may bring. What is read at once reaches no further than the next one that does (unix(7)), and nothing is pipelined: it is this request's. */
static ssize_t receive(struct fn_h1_conn *c, char *to, size_t room)
{
	struct iovec iov = {to, room};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union fn_scm ctl;
	ssize_t n;
	int fd;

	if (!c->takes_client)
		return recv(c->fd, to, room, 0);
	fn_scm_expect(&m, &ctl);
	n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
	if (n >= 0 && fn_scm_take(&m, &fd, 1) == 1) {
		fn_close(c->client);
		c->client = fd;
	}
	return n;
}

/* 0, or -errno when the connection is over. */
static int take(struct fn_h1_conn *c)
{
	size_t space = sizeof(c->s->in);
	char *direct = fn_h1_body_space(&c->h, &space);
	ssize_t n = receive(c, direct ? direct : c->s->in, space < sizeof(c->s->in) ? space : sizeof(c->s->in));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0 && fn_h1_begun(&c->h)) {
		refuse(c, 400, true);
		return c->ops && c->state == FN_H1_DRAINING ? -ECONNRESET : 0;
	}
	if (n == 0)
		return -ECONNRESET;
	c->moved += (uint64_t)n;
	if (c->prompt)
		acknowledge(c);
	if (direct) {
		fn_h1_body_got(&c->h, (size_t)n);
		if (c->coming)
			c->ops->piece(c->arg, c, direct, (size_t)n);
		n = 0;
	}
	if (c->ops && c->state == FN_H1_READING)
		parse_and_keep(c, c->s->in, (size_t)n);
	return 0;
}

/* Does what the state asks for. */
static void work(struct fn_h1_conn *c, bool writable)
{
	c->busy = true;
	if (c->state == FN_H1_STREAMING)
		fn_h1_stream_push(c, writable);
	else if (c->state == FN_H1_SENDING && !fn_h1_join(c))
		fn_h1_push(c);
	if (c->ops && c->state == FN_H1_READING)
		parse_rest(c);
	if (c->ops && c->state == FN_H1_READING) /* the next request is not whole: its sender may wait for this answer */
		fn_h1_conn_flush(c);
	c->busy = false;
	if (!c->ops)
		conn_free(c);
}

/* While the owner is at work: either the peer has gone, or it pipelines, which is left for later. */
static void look_at_peer(struct fn_h1_conn *c, uint32_t events)
{
	int there = events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP) ? -1 : look(c);

	if (there < 0 && c->ops->half_close && !c->whole && !(events & (EPOLLERR | EPOLLHUP))) {
		c->ended = true; /* reading meets the end again once this and what has come by now is answered */
		fn_h1_set_state(c, c->state);
	} else if (there < 0) {
		lost(c);
	} else if (there > 0) {
		c->unread = true;
		fn_h1_set_state(c, c->state);
	}
}

static void read_on(struct fn_h1_conn *c)
{
	c->busy = true;
	if (c->rest.len > 0 && c->state == FN_H1_READING) /* that comes first */
		fn_loop_defer(c->s->loop, &c->later);
	else if ((c->state == FN_H1_DRAINING ? swallow(c) : take(c)) < 0)
		lost(c);
	c->busy = false;
	if (!c->ops)
		conn_free(c);
}

static void on_io(void *arg, int fd, uint32_t events)
{
	struct fn_h1_conn *c = arg;
	bool sends = c->state == FN_H1_SENDING || (c->state == FN_H1_STREAMING && c->blocked);

	(void)fd;
	if ((sends || c->paused) && events & (EPOLLERR | EPOLLHUP))
		lost(c);
	else if (sends)
		work(c, true);
	else if (c->state == FN_H1_HANDLING || c->state == FN_H1_STREAMING)
		look_at_peer(c, events);
	else if (!c->paused)
		read_on(c);
}

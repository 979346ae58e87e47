/*
 * h1conn.c - see h1conn.h. What a connection waits for is its state; set_state() alone turns that into what epoll watches, and does so only when
 * it changes: in the common course a connection is watched for reading from its first byte to its last and no epoll_ctl() happens.
 */
#include "web/h1conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define READ_MAX 65536u
#define FILE_PIECE (1u << 20)
#define REQUESTS_AT_ONCE 8u /* of a connection, of what it has pipelined: then the others have their turn */
#define DRAIN_MAX (1u << 20) /* swallowed after our last answer, so that the peer gets to read it before a reset */

struct fn_h1_server {
	struct fn_loop *loop;
	struct fn_h1_date date;
	char in[READ_MAX];
};

enum state {
	READING,  /* of a request */
	HANDLING, /* its owner has it */
	SENDING,  /* the answer is not all out */
	DRAINING, /* after the last answer: until the peer closes */
};

struct fn_h1_conn {
	struct fn_h1_server *s;
	const struct fn_h1_ops *ops; /* NULL once closed */
	void *arg;
	int fd;
	uint64_t io;
	uint32_t watched;
	enum state state;
	bool joins; /* the answer in `out` may wait for the next one */
	bool busy, last, unread, ended; /* busy: in one of our loops, which frees it if it is closed; last: close after this answer;
					   unread: bytes came while they could not be taken; ended: the peer will send no more */
	size_t drained;
	uint64_t moved;
	struct fn_h1 h;
	struct fn_buf rest; /* received, not parsed yet: pipelined */
	/* the answer */
	struct fn_buf out;
	size_t out_at;
	const char *body;
	size_t body_len;
	int file; /* the body, from file_at on; -EBADF = it is in memory */
	off_t file_at;
	void (*release)(void *arg);
	void *release_arg;
	struct fn_deferred later; /* sends, or parses what is in rest */
};

static void work(struct fn_h1_conn *c);
static void on_io(void *arg, int fd, uint32_t events);
static void on_later(void *arg) { work(arg); }

int fn_h1_server_new(struct fn_loop *loop, struct fn_h1_server **ret)
{
	struct fn_h1_server *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->date = (struct fn_h1_date){0};
	*ret = s;
	return 0;
}

void fn_h1_server_free(struct fn_h1_server *s) { free(s); }

/* --- states --- */
static void set_state(struct fn_h1_conn *c, enum state state)
{
	uint32_t want = 0;

	c->state = state;
	switch (state) {
	case READING:
	case DRAINING:
		want = EPOLLIN;
		break;
	case HANDLING: /* the end of the connection must be seen; bytes that come now would wake us again and again */
		want = c->ended ? 0 : !c->unread ? EPOLLIN : c->ops->half_close ? 0 : EPOLLRDHUP;
		break;
	case SENDING:
		want = EPOLLOUT;
		break;
	}
	if (want != c->watched && fn_loop_mod_io(c->s->loop, c->io, want) == 0)
		c->watched = want;
}

static void body_release(struct fn_h1_conn *c)
{
	void (*release)(void *arg) = fn_take_ptr(c->release);

	c->body = NULL;
	c->body_len = 0;
	fn_close(fn_take_fd(&c->file));
	if (release)
		release(c->release_arg);
}

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
	fn_close(fn_take_fd(&c->fd));
	body_release(c);
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
	c->file = -EBADF;
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

/* 1: bytes are there, 0: none, -1: it has ended. */
static int look(const struct fn_h1_conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n > 0 ? 1 : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool fn_h1_conn_peer_gone(const struct fn_h1_conn *c)
{
	return !c->busy && look(c) < 0; /* busy: its request has just been read */
}

/* --- answers --- */
static void answered(struct fn_h1_conn *c)
{
	body_release(c);
	fn_buf_free(&c->out);
	c->out_at = 0;
	if (c->ops->answered)
		c->ops->answered(c->arg, c);
	if (c->last) {
		(void)shutdown(c->fd, SHUT_WR);
		fn_buf_free(&c->rest);
		set_state(c, DRAINING);
		return;
	}
	fn_h1_reset(&c->h);
	c->unread = false;
	set_state(c, READING);
	if (c->rest.len > 0) /* not from here: whoever replies is in the middle of something */
		fn_loop_defer(c->s->loop, &c->later);
}

/* -errno when the connection has failed. */
static int send_parts(struct fn_h1_conn *c, struct iovec *iov, int n, int flags, size_t *ret_sent)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	ssize_t sent;

	do
		sent = sendmsg(c->fd, &m, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);
	*ret_sent = sent > 0 ? (size_t)sent : 0;
	c->moved += *ret_sent;
	return sent < 0 && errno != EAGAIN ? -errno : 0;
}

/* A piece of the file; the next when the peer has taken it, and the others have had their turn. */
static int send_file(struct fn_h1_conn *c)
{
	ssize_t n = sendfile(c->fd, c->file, &c->file_at, c->body_len < FILE_PIECE ? c->body_len : FILE_PIECE);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0) /* it has become shorter: the answer cannot be what was announced */
		return -EIO;
	c->body_len -= (size_t)n;
	c->moved += (uint64_t)n;
	return 0;
}

/* Sends what is left of the answer. */
static int push(struct fn_h1_conn *c)
{
	struct iovec iov[2] = {{c->out.data ? c->out.data + c->out_at : NULL, c->out.len - c->out_at}, {(void *)c->body, c->file < 0 ? c->body_len : 0}};
	size_t sent = 0, head = iov[0].iov_len;
	int r = 0;

	if (head + iov[1].iov_len > 0)
		r = send_parts(c, iov, iov[1].iov_len > 0 ? 2 : 1, c->file >= 0 && c->body_len > 0 ? MSG_MORE : 0, &sent);
	if (r < 0)
		return r;
	if (sent < head) {
		c->out_at += sent;
	} else {
		c->out_at += head;
		if (sent > head) {
			c->body += sent - head;
			c->body_len -= sent - head;
		}
		if (c->file >= 0 && c->body_len > 0 && (r = send_file(c)) < 0)
			return r;
		if (c->body_len == 0) {
			answered(c);
			return 0;
		}
	}
	set_state(c, SENDING);
	return 0;
}

static void fail(struct fn_h1_conn *c)
{
	(void)shutdown(c->fd, SHUT_RDWR); /* the loop will see it end: whoever replies must not be called back */
	c->last = true;
	answered(c);
}

/* The whole answer is in out (+ body); a failure shows when the loop next looks at the connection. */
static void push_or_fail(struct fn_h1_conn *c)
{
	if (push(c) < 0)
		fail(c);
}

/* What is left is kept; a connection that has failed fails again, seen then. */
static void keep_and_push(struct fn_h1_conn *c, const struct fn_h1_reply *r, const char *head, size_t n, size_t sent)
{
	size_t body_sent = sent > n ? sent - n : 0;
	bool kept = sent >= n || fn_buf_add(&c->out, head + sent, n - sent) == 0;

	if (body_sent > 0) {
		c->body += body_sent;
		c->body_len -= body_sent;
	}
	if (kept && !r->release && c->file < 0 && c->body_len > 0) {
		kept = fn_buf_add(&c->out, c->body, c->body_len) == 0;
		c->body_len = 0;
	}
	if (!kept) {
		fail(c);
	} else if (r->later) {
		c->state = SENDING;
		fn_loop_defer(c->s->loop, &c->later);
	} else {
		push_or_fail(c);
	}
}

void fn_h1_conn_reply(struct fn_h1_conn *c, const struct fn_h1_reply *r)
{
	bool no_body = !fn_h1_has_body(r->status) || strcmp(fn_h1_method(&c->h), "HEAD") == 0;
	size_t size = fn_h1_head_size(r), n, sent = 0;
	char small[1024], *head = size <= sizeof(small) ? small : malloc(size);
	struct iovec iov[2];

	c->last = c->last || c->h.close || r->close;
	c->joins = r->later && r->joins && !c->last;
	c->release = r->release;
	c->release_arg = r->release_arg;
	c->body = r->body;
	c->body_len = no_body ? 0 : r->len;
	if (r->from_file) {
		c->file = r->file;
		c->file_at = 0;
	}
	if (!head) {
		fail(c);
		return;
	}
	n = fn_h1_put_head(r, c->last, &c->s->date, head, size);
	iov[0] = (struct iovec){head, n};
	iov[1] = (struct iovec){(void *)r->body, c->body_len};
	if (c->out.len == 0 && !r->later && !r->from_file && send_parts(c, iov, c->body_len > 0 ? 2 : 1, 0, &sent) == 0 && sent == n + c->body_len)
		answered(c);
	else
		keep_and_push(c, r, head, n, sent);
	if (head != small)
		free(head);
}

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

static void refuse(struct fn_h1_conn *c, unsigned status)
{
	static const char *const runtimes[2] = {"{\"errorMessage\":\"", "\",\"errorType\":\"InvalidRequest\"}\n"};
	const char *const *around = c->ops->refusal[0] ? c->ops->refusal : runtimes;
	char body[200];
	struct fn_h1_reply r = {.status = status, .content_type = "application/json", .body = body, .close = true};

	r.len = (size_t)snprintf(body, sizeof(body), "%.70s%s%.70s", around[0], fn_h1_reason(status), around[1]);
	fn_h1_conn_reply(c, &r);
}

void fn_h1_conn_refuse(struct fn_h1_conn *c, unsigned status)
{
	if (c->state == READING || c->state == HANDLING)
		refuse(c, status);
}

enum fn_h1_phase fn_h1_conn_phase(const struct fn_h1_conn *c, uint64_t *ret_moved)
{
	*ret_moved = c->moved;
	switch (c->state) {
	case READING:
		return fn_h1_head_known(&c->h) ? FN_H1_BODY_COMES : fn_h1_begun(&c->h) ? FN_H1_HEAD_COMES : FN_H1_IDLE;
	case HANDLING:
		return FN_H1_OWNED;
	case SENDING:
		return FN_H1_ANSWER_GOES;
	case DRAINING:
		break;
	}
	return FN_H1_ENDING;
}

/* --- requests --- */
/* Parses; *used bytes of data are consumed. Ends when they are, the connection is in another state, or it has had its turn: then it is READING,
 * and on_later() goes on with what is left. */
static void parse(struct fn_h1_conn *c, const char *data, size_t len, size_t *used)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	enum fn_h1_event e;
	unsigned done = 0;
	size_t n;

	*used = 0;
	while (c->ops && c->state == READING && done < REQUESTS_AT_ONCE) {
		e = fn_h1_feed(&c->h, data + *used, len - *used, &n);
		*used += n;
		switch (e) {
		case FN_H1_MORE:
			return;
		case FN_H1_HEAD:
			c->h.body_max = c->ops->body_max(c->arg, c, &c->h);
			if (c->h.expect && *used == len) /* a full buffer this early is a peer that is not worth waiting for: it fails */
				(void)!send(c->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL);
			break;
		case FN_H1_DONE:
			done++;
			set_state(c, HANDLING);
			c->ops->request(c->arg, c, &c->h);
			break;
		case FN_H1_BAD:
			refuse(c, c->h.refusal);
			return;
		}
	}
}

static void parse_and_keep(struct fn_h1_conn *c, const char *data, size_t len)
{
	size_t used;

	parse(c, data, len, &used);
	if (!c->ops || used == len || c->state == DRAINING)
		return;
	if (fn_buf_add(&c->rest, data + used, len - used) < 0)
		lost(c);
	else if (c->state == READING)
		fn_loop_defer(c->s->loop, &c->later);
}

static void parse_rest(struct fn_h1_conn *c)
{
	size_t used;

	if (c->rest.len == 0)
		return;
	parse(c, c->rest.data, c->rest.len, &used);
	if (!c->ops || c->state == DRAINING)
		return;
	fn_buf_consume(&c->rest, used);
	if (c->rest.len == 0)
		fn_buf_free(&c->rest);
	else if (c->state == READING)
		fn_loop_defer(c->s->loop, &c->later);
}

/* 0, or -errno when the connection is over. */
static int take(struct fn_h1_conn *c)
{
	size_t space = READ_MAX;
	char *direct = c->state == READING ? fn_h1_body_space(&c->h, &space) : NULL;
	ssize_t n = recv(c->fd, direct ? direct : c->s->in, space, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0 && c->state == READING && fn_h1_begun(&c->h)) {
		refuse(c, 400); /* a request that ends in the middle */
		return c->ops && c->state == DRAINING ? -ECONNRESET : 0;
	}
	if (n == 0)
		return -ECONNRESET;
	c->moved += (uint64_t)n;
	if (c->state == DRAINING) {
		c->drained += (size_t)n;
		return c->drained > DRAIN_MAX ? -ECONNRESET : 0;
	}
	if (direct) {
		fn_h1_body_got(&c->h, (size_t)n);
		n = 0;
	}
	parse_and_keep(c, c->s->in, (size_t)n);
	return 0;
}

void fn_h1_conn_flush(struct fn_h1_conn *c)
{
	struct iovec iov;
	size_t sent;

	if (!c || c->out.len == 0 || (c->state != HANDLING && c->state != READING))
		return;
	iov = (struct iovec){c->out.data + c->out_at, c->out.len - c->out_at};
	(void)send_parts(c, &iov, 1, 0, &sent); /* what is left, or fails, does so with the next answer */
	c->out_at += sent;
	if (c->out_at == c->out.len) {
		fn_buf_free(&c->out);
		c->out_at = 0;
	}
}

/* Lets the answer wait, if there is something to wait for. */
static bool join(struct fn_h1_conn *c)
{
	if (!c->joins || c->rest.len == 0)
		return false;
	c->joins = false;
	body_release(c);
	fn_h1_reset(&c->h);
	c->unread = false;
	set_state(c, READING);
	return true;
}

/* Does what the state asks for. */
static void work(struct fn_h1_conn *c)
{
	c->busy = true;
	if (c->state == SENDING && !join(c))
		push_or_fail(c);
	if (c->ops && c->state == READING)
		parse_rest(c);
	if (c->ops && c->state == READING) /* the next request is not whole: its sender may wait for this answer */
		fn_h1_conn_flush(c);
	c->busy = false;
	if (!c->ops)
		conn_free(c);
}

static void on_io(void *arg, int fd, uint32_t events)
{
	struct fn_h1_conn *c = arg;

	(void)fd;
	if (c->state == SENDING) {
		if (events & (EPOLLERR | EPOLLHUP))
			lost(c);
		else if (events & EPOLLOUT)
			work(c);
		return;
	}
	if (c->state == HANDLING) { /* either the peer has gone, or it pipelines, which is left for later */
		int there = events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP) ? -1 : look(c);

		if (there < 0 && c->ops->half_close && !(events & (EPOLLERR | EPOLLHUP))) {
			c->ended = true; /* reading meets the end again once this and what has come by now is answered */
			set_state(c, HANDLING);
		} else if (there < 0) {
			lost(c);
		} else if (there > 0) {
			c->unread = true;
			set_state(c, HANDLING);
		}
		return;
	}
	c->busy = true;
	if (c->rest.len == 0 || c->state == DRAINING) {
		if (take(c) < 0)
			lost(c);
	} else { /* that comes first */
		fn_loop_defer(c->s->loop, &c->later);
	}
	c->busy = false;
	if (!c->ops)
		conn_free(c);
}

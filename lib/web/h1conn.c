/*
 * h1conn.c - see h1conn.h. What a connection waits for is its state; set_state() alone turns that into what epoll watches, and does so only when
 * it changes: in the common course a connection is watched for reading from its first byte to its last and no epoll_ctl() happens.
 */
#include "web/h1conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

#define READ_MAX 65536u
#define DRAIN_MAX (1u << 20) /* swallowed after our last answer, so that the peer gets to read it before a reset */

struct fn_h1_server {
	struct fn_loop *loop;
	time_t date_s;
	char date[40]; /* "Date: ...\r\n" */
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
	bool busy, last, unread; /* busy: in one of our loops, which frees it if it is closed; last: close after this answer;
				    unread: bytes came while they could not be taken */
	size_t drained;
	struct fn_h1 h;
	struct fn_buf rest; /* received, not parsed yet: pipelined */
	/* the answer */
	struct fn_buf out;
	size_t out_at;
	const char *body;
	size_t body_len;
	void (*release)(void *arg);
	void *release_arg;
	struct fn_deferred later; /* sends, or parses what is in rest */
};

static void work(struct fn_h1_conn *c);
static void on_io(void *arg, int fd, uint32_t events);
static void on_later(void *arg) { work(arg); }

static const char *reason(unsigned status)
{
	switch (status) {
	case 200: return "OK";
	case 202: return "Accepted";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 417: return "Expectation Failed";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Unknown";
	}
}

int fn_h1_server_new(struct fn_loop *loop, struct fn_h1_server **ret)
{
	struct fn_h1_server *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->date_s = -1;
	*ret = s;
	return 0;
}

void fn_h1_server_free(struct fn_h1_server *s) { free(s); }

static const char *date_of(struct fn_h1_server *s)
{
	time_t now = (time_t)(fn_clock_real_us() / 1000000u);
	struct tm tm;

	if (now != s->date_s) {
		s->date_s = now;
		strftime(s->date, sizeof(s->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &tm));
	}
	return s->date;
}

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
		want = c->unread ? EPOLLRDHUP : EPOLLIN;
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
	fn_h1_init(&c->h);
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
static int send_parts(struct fn_h1_conn *c, struct iovec *iov, int n, size_t *ret_sent)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	ssize_t sent;

	do
		sent = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	*ret_sent = sent > 0 ? (size_t)sent : 0;
	return sent < 0 && errno != EAGAIN ? -errno : 0;
}

/* Sends what is left of the answer. */
static int push(struct fn_h1_conn *c)
{
	struct iovec iov[2] = {{c->out.data + c->out_at, c->out.len - c->out_at}, {(void *)c->body, c->body_len}};
	size_t sent, head = iov[0].iov_len;
	int r = send_parts(c, iov, c->body_len > 0 ? 2 : 1, &sent);

	if (r < 0)
		return r;
	if (sent < head) {
		c->out_at += sent;
	} else {
		c->out_at += head;
		c->body += sent - head;
		c->body_len -= sent - head;
		if (c->body_len == 0) {
			answered(c);
			return 0;
		}
	}
	set_state(c, SENDING);
	return 0;
}

/* The whole answer is in out (+ body); a failure shows when the loop next looks at the connection. */
static void push_or_fail(struct fn_h1_conn *c)
{
	if (push(c) < 0) {
		(void)shutdown(c->fd, SHUT_RDWR); /* the loop will see it end: whoever replies must not be called back */
		c->last = true;
		answered(c);
	}
}

static void put(char **at, const char *end, const char *s, size_t n)
{
	if ((size_t)(end - *at) >= n) { /* the caller has made room */
		memcpy(*at, s, n);
		*at += n;
	}
}

static void put_field(char **at, char *end, const char *name, const char *value)
{
	put(at, end, name, strlen(name));
	put(at, end, ": ", 2);
	for (const char *v = value; *v; v++) {
		put(at, end, (unsigned char)*v < ' ' || *v == 0x7f ? " " : v, 1);
	}
	put(at, end, "\r\n", 2);
}

static size_t head_size(const struct fn_h1_reply *r)
{
	size_t n = 256 + (r->content_type ? strlen(r->content_type) : 0);

	for (size_t i = 0; i < r->n_headers; i++)
		n += strlen(r->headers[i].name) + strlen(r->headers[i].value) + 4;
	return n;
}

static void put_number(char **at, char *end, uint64_t n)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	put(at, end, p, (size_t)(digits + sizeof(digits) - p));
}

static size_t put_head(struct fn_h1_conn *c, const struct fn_h1_reply *r, char *to, size_t size)
{
	char *at = to, *end = to + size;
	const char *date = date_of(c->s);

	put(&at, end, "HTTP/1.1 ", 9);
	put_number(&at, end, r->status);
	put(&at, end, " ", 1);
	put(&at, end, reason(r->status), strlen(reason(r->status)));
	put(&at, end, "\r\n", 2);
	put(&at, end, date, strlen(date));
	if (r->content_type)
		put_field(&at, end, "Content-Type", r->content_type);
	for (size_t i = 0; i < r->n_headers; i++)
		put_field(&at, end, r->headers[i].name, r->headers[i].value);
	if (c->last)
		put_field(&at, end, "Connection", "close");
	put(&at, end, "Content-Length: ", 16);
	put_number(&at, end, r->len);
	put(&at, end, "\r\n\r\n", 4);
	return (size_t)(at - to);
}

void fn_h1_conn_reply(struct fn_h1_conn *c, const struct fn_h1_reply *r)
{
	bool head_only = strcmp(fn_h1_method(&c->h), "HEAD") == 0;
	size_t size = head_size(r), n, sent = 0, len = head_only ? 0 : r->len;
	char small[1024], *head = size <= sizeof(small) ? small : malloc(size);
	struct iovec iov[2];

	c->last = c->last || c->h.close;
	c->release = r->release;
	c->release_arg = r->release_arg;
	if (!head) {
		c->last = true;
		(void)shutdown(c->fd, SHUT_RDWR);
		answered(c);
		return;
	}
	n = put_head(c, r, head, size);
	iov[0] = (struct iovec){head, n};
	iov[1] = (struct iovec){(void *)r->body, len};
	if (!r->later && send_parts(c, iov, len > 0 ? 2 : 1, &sent) == 0 && sent == n + len) {
		answered(c);
	} else { /* what is left is kept; a connection that has failed fails again, seen then */
		size_t body_sent = sent > n ? sent - n : 0;
		bool kept = sent >= n || fn_buf_add(&c->out, head + sent, n - sent) == 0;

		c->body = (const char *)r->body + body_sent;
		c->body_len = len - body_sent;
		if (kept && !r->release && c->body_len > 0) {
			kept = fn_buf_add(&c->out, c->body, c->body_len) == 0;
			c->body_len = 0;
		}
		if (!kept) {
			(void)shutdown(c->fd, SHUT_RDWR);
			c->last = true;
			answered(c);
		} else if (r->later) {
			c->state = SENDING;
			fn_loop_defer(c->s->loop, &c->later);
		} else {
			push_or_fail(c);
		}
	}
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
	char body[160];
	struct fn_h1_reply r = {.status = status, .content_type = "application/json", .body = body};

	c->last = true;
	r.len = (size_t)snprintf(body, sizeof(body), "{\"errorMessage\":\"%s\",\"errorType\":\"InvalidRequest\"}\n", reason(status));
	fn_h1_conn_reply(c, &r);
}

/* --- requests --- */
/* Parses; *used bytes of data are consumed. Ends when they are, or the connection is in another state. */
static void parse(struct fn_h1_conn *c, const char *data, size_t len, size_t *used)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	enum fn_h1_event e;
	size_t n;

	*used = 0;
	while (c->ops && c->state == READING) {
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
	if (c->ops && used < len && c->state != DRAINING && fn_buf_add(&c->rest, data + used, len - used) < 0)
		lost(c);
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

/* Does what the state asks for. */
static void work(struct fn_h1_conn *c)
{
	c->busy = true;
	if (c->state == SENDING)
		push_or_fail(c);
	if (c->ops && c->state == READING)
		parse_rest(c);
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

		if (there < 0) {
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
	} else {
		parse_rest(c);
	}
	c->busy = false;
	if (!c->ops)
		conn_free(c);
}

/*
 * h1answer.c - see h1answer.h. What a connection waits for is its state; fn_h1_set_state() alone turns that into what epoll watches, and does so only
 * when it changes: in the common course a connection is watched for reading from its first byte to its last and no epoll_ctl() happens.
 */
#include "web/h1answer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "web/h1conn_internal.h"

#define FILE_PIECE (1u << 20)
#define UNSENT_MAX 65536
/* Swallowed after our last answer, so that the peer gets to read it before a reset. Who is told before its body has come may send as much as it has
 * announced, as long as few do. */
#define DRAIN_MAX (1u << 20)
#define SWALLOW_MAX (80u << 20)
#define SWALLOWING_MAX 8u

/* --- states --- */
void fn_h1_set_state(struct fn_h1_conn *c, enum fn_h1_state state)
{
	uint32_t want = 0;

	c->state = state;
	switch (state) {
	case FN_H1_READING:
		want = c->paused ? 0 : EPOLLIN;
		break;
	case FN_H1_DRAINING:
		want = EPOLLIN;
		break;
	case FN_H1_STREAMING:
	case FN_H1_HANDLING: /* the end of the connection must be seen; bytes that come now would wake us again and again */
		want = c->ended ? 0 : !c->unread ? EPOLLIN : c->ops->half_close && !c->whole ? 0 : EPOLLRDHUP;
		if (state == FN_H1_STREAMING && c->blocked)
			want = EPOLLOUT;
		break;
	case FN_H1_SENDING:
		want = EPOLLOUT;
		break;
	}
	if (want != c->watched && fn_loop_mod_io(c->s->loop, c->io, want) == 0)
		c->watched = want;
}

void fn_h1_body_release(struct fn_h1_conn *c)
{
	void (*release)(void *arg) = fn_take_ptr(c->release);

	c->body = NULL;
	c->body_len = 0;
	fn_close(fn_take_fd(&c->file));
	if (release)
		release(c->release_arg);
}

/* What the kernel keeps unsent, and unacknowledged. An AF_UNIX socket knows the first of them alone. */
static void bound_sending(struct fn_h1_conn *c)
{
	int half = FN_H1_SEND_MAX / 2, unsent = UNSENT_MAX; /* the kernel takes it twice */

	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	c->bounded = true;
}

/* The next answer may have as much as the kernel likes. SO_BUF_LOCK: Linux 5.14. */
static void unbound_sending(struct fn_h1_conn *c)
{
	int none = 0;

	(void)setsockopt(c->fd, SOL_SOCKET, SO_BUF_LOCK, &none, sizeof(none));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &none, sizeof(none));
	c->bounded = false;
}

static void forget_out(struct fn_h1_conn *c)
{
	fn_buf_free(&c->out);
	c->out_at = 0;
}

static void answered(struct fn_h1_conn *c)
{
	fn_h1_body_release(c);
	forget_out(c);
	fn_close(fn_take_fd(&c->client));
	c->blocked = c->mute = c->chunked = false;
	if (c->bounded && !c->last)
		unbound_sending(c);
	if (c->ops->answered)
		c->ops->answered(c->arg, c);
	if (c->last) {
		uint64_t left = fn_h1_body_left(&c->h);

		(void)shutdown(c->fd, SHUT_WR);
		fn_buf_free(&c->rest);
		c->to_drain = DRAIN_MAX;
		if (left > DRAIN_MAX && left <= SWALLOW_MAX && c->s->n_swallowing < SWALLOWING_MAX) {
			c->to_drain = left;
			c->swallows = true;
			c->s->n_swallowing++;
		}
		fn_h1_set_state(c, FN_H1_DRAINING);
		return;
	}
	fn_h1_reset(&c->h);
	c->unread = false;
	fn_h1_set_state(c, FN_H1_READING);
	if (c->rest.len > 0) /* not from here: whoever replies is in the middle of something */
		fn_loop_defer(c->s->loop, &c->later);
}

/* --- sending; -errno when the connection has failed --- */
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
	fn_h1_set_state(c, FN_H1_SENDING);
	return 0;
}

static void fail(struct fn_h1_conn *c)
{
	(void)shutdown(c->fd, SHUT_RDWR); /* the loop will see it end: whoever replies must not be called back */
	c->last = true;
	answered(c);
}

void fn_h1_push(struct fn_h1_conn *c)
{
	if (push(c) < 0)
		fail(c);
}

/* --- at once --- */
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
		c->state = FN_H1_SENDING;
		fn_loop_defer(c->s->loop, &c->later);
	} else {
		fn_h1_push(c);
	}
}

/* Whoever answers a request that has not wholly come does not hear the rest of it. */
static void take_leave(struct fn_h1_conn *c, const struct fn_h1_reply *r)
{
	c->last = c->last || c->h.close || r->close || c->state == FN_H1_READING;
	c->coming = c->paused = false;
}

void fn_h1_conn_reply(struct fn_h1_conn *c, const struct fn_h1_reply *r)
{
	bool no_body = !fn_h1_has_body(r->status) || strcmp(fn_h1_method(&c->h), "HEAD") == 0;
	size_t size = fn_h1_head_size(r), n, sent = 0;
	char small[1024], *head = size <= sizeof(small) ? small : malloc(size);
	struct iovec iov[2];

	take_leave(c, r);
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
	n = fn_h1_put_head(r, FN_H1_LENGTH, c->last, &c->s->date, head, size);
	iov[0] = (struct iovec){head, n};
	iov[1] = (struct iovec){(void *)r->body, c->body_len};
	if (c->out.len == 0 && !r->later && !r->from_file && send_parts(c, iov, c->body_len > 0 ? 2 : 1, 0, &sent) == 0 && sent == n + c->body_len)
		answered(c);
	else
		keep_and_push(c, r, head, n, sent);
	if (head != small)
		free(head);
}

/* --- by another thread --- */
enum { AHEAD_OPEN, AHEAD_SENDING, AHEAD_SENT, AHEAD_OVER };

/* It can be one send(), and another answer may follow. */
static bool is_simple(const struct fn_h1_conn *c) { return c->state == FN_H1_HANDLING && !c->last && !c->h.close && c->out.len == 0; }

int fn_h1_conn_client(const struct fn_h1_conn *c)
{
	return is_simple(c) && !c->h.http10 && strcmp(fn_h1_method(&c->h), "HEAD") != 0 ? c->fd : -EBUSY;
}

bool fn_h1_ahead(struct fn_h1_conn *c, const struct fn_h1_reply *r, struct fn_h1_ahead *a)
{
	static const char answered[] = "HTTP/1.1 200 OK\r\n" FN_H1_ANSWERED ": 1\r\nContent-Length: 0\r\n\r\n";

	if (!is_simple(c) || r->close || fn_h1_head_size(r) > sizeof(a->bytes))
		return false;
	a->fd = c->fd;
	a->client = c->client;
	a->len = fn_h1_put_head(r, FN_H1_LENGTH, false, &c->s->date, a->bytes, sizeof(a->bytes));
	a->notice = c->client < 0 ? NULL : answered;
	atomic_init(&a->state, AHEAD_OPEN);
	c->ahead = a;
	return true;
}

/* All, or nothing and false. A peer that does not read its answers is one no more. */
static bool send_whole(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	do
		n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0 && (size_t)n < len)
		(void)shutdown(fd, SHUT_RDWR);
	return n > 0;
}

void fn_h1_ahead_send(struct fn_h1_ahead *a)
{
	int open = AHEAD_OPEN;
	bool sent;

	if (!atomic_compare_exchange_strong(&a->state, &open, AHEAD_SENDING)) /* the connection has gone */
		return;
	sent = send_whole(a->notice ? a->client : a->fd, a->bytes, a->len);
	if (sent && a->notice && !send_whole(a->fd, a->notice, strlen(a->notice)))
		(void)shutdown(a->fd, SHUT_RDWR); /* who gave the client must not answer, too */
	atomic_store(&a->state, sent ? AHEAD_SENT : AHEAD_OVER);
}

bool fn_h1_ahead_end(struct fn_h1_conn *c)
{
	struct fn_h1_ahead *a = fn_take_ptr(c->ahead);
	int open = AHEAD_OPEN;

	if (!a || atomic_compare_exchange_strong(&a->state, &open, AHEAD_OVER))
		return false;
	while (atomic_load(&a->state) == AHEAD_SENDING) /* some microseconds: it waits for nothing */
		(void)sched_yield();
	if (atomic_load(&a->state) != AHEAD_SENT)
		return false;
	c->moved += a->len;
	return true;
}

void fn_h1_conn_replied(struct fn_h1_conn *c, bool last)
{
	c->last = c->last || last;
	c->coming = c->paused = false;
	answered(c);
}

void fn_h1_conn_flush(struct fn_h1_conn *c)
{
	struct iovec iov;
	size_t sent;

	if (!c || c->out.len == 0 || (c->state != FN_H1_HANDLING && c->state != FN_H1_READING))
		return;
	iov = (struct iovec){c->out.data + c->out_at, c->out.len - c->out_at};
	(void)send_parts(c, &iov, 1, 0, &sent); /* what is left, or fails, does so with the next answer */
	c->out_at += sent;
	if (c->out_at == c->out.len)
		forget_out(c);
}

bool fn_h1_join(struct fn_h1_conn *c)
{
	if (!c->joins || c->rest.len == 0)
		return false;
	c->joins = false;
	fn_h1_body_release(c);
	fn_h1_reset(&c->h);
	c->unread = false;
	fn_h1_set_state(c, FN_H1_READING);
	return true;
}

/* --- in pieces --- */
/* The loop will see the connection end; what is written until then is nobody's. */
static void break_off(struct fn_h1_conn *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
	c->broken = true;
	c->blocked = false;
	forget_out(c);
}

/* Sends what waits and then these parts, if the peer takes it; keeps what is left. */
static void put(struct fn_h1_conn *c, const struct iovec *parts, int n)
{
	size_t waiting = c->out.len - c->out_at, sent = 0;
	struct iovec iov[FN_H1_PARTS_MAX + 3];
	int k = 0;

	if (waiting > 0)
		iov[k++] = (struct iovec){c->out.data + c->out_at, waiting};
	for (int i = 0; i < n; i++)
		iov[k++] = parts[i];
	if (!c->blocked && send_parts(c, iov, k, 0, &sent) < 0) {
		break_off(c);
		return;
	}
	if (sent < waiting) {
		c->out_at += sent;
		sent = 0;
	} else {
		sent -= waiting;
		fn_buf_reset(&c->out);
		c->out_at = 0;
	}
	for (int i = 0; i < n; i++) {
		size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;

		sent -= skip;
		if (fn_buf_add(&c->out, (const char *)parts[i].iov_base + skip, parts[i].iov_len - skip) < 0) {
			break_off(c);
			return;
		}
	}
	c->blocked = c->out.len > c->out_at;
	fn_h1_set_state(c, FN_H1_STREAMING);
}

void fn_h1_conn_begin(struct fn_h1_conn *c, const struct fn_h1_reply *r)
{
	size_t size = fn_h1_head_size(r);

	take_leave(c, r);
	c->last = c->last || c->h.http10;
	c->chunked = !c->h.http10;
	c->mute = !fn_h1_has_body(r->status) || strcmp(fn_h1_method(&c->h), "HEAD") == 0;
	c->broken = false;
	bound_sending(c);
	fn_h1_set_state(c, FN_H1_STREAMING);
	if (fn_buf_reserve(&c->out, size) < 0) {
		break_off(c);
		return;
	}
	c->out.len += fn_h1_put_head(r, c->chunked ? FN_H1_CHUNKED : FN_H1_UNTIL_CLOSE, c->last, &c->s->date, c->out.data + c->out.len, size);
}

bool fn_h1_conn_write_parts(struct fn_h1_conn *c, const struct iovec *parts, int n)
{
	char size[24];
	struct iovec all[FN_H1_PARTS_MAX + 2];
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		all[i + 1] = parts[i];
		len += parts[i].iov_len;
	}
	if (c->broken || c->mute || len == 0)
		return false;
	if (c->chunked) {
		all[0] = (struct iovec){size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", len)};
		all[n + 1] = (struct iovec){(void *)"\r\n", 2};
		put(c, all, n + 2);
	} else {
		put(c, all + 1, n);
	}
	return c->blocked;
}

bool fn_h1_conn_write(struct fn_h1_conn *c, const void *data, size_t len)
{
	return fn_h1_conn_write_parts(c, &(struct iovec){(void *)data, len}, 1);
}

static int add_trailers(struct fn_h1_conn *c, const struct fn_h1_header *trailers, size_t n)
{
	int r = fn_buf_add_str(&c->out, "0\r\n");

	for (size_t i = 0; i < n && r == 0; i++) {
		size_t at = c->out.len;

		r = fn_buf_addf(&c->out, "%s: %s", trailers[i].name, trailers[i].value);
		for (; r == 0 && at < c->out.len; at++)
			if ((unsigned char)c->out.data[at] < ' ' || c->out.data[at] == 0x7f)
				c->out.data[at] = ' ';
		if (r == 0)
			r = fn_buf_add_str(&c->out, "\r\n");
	}
	return r == 0 ? fn_buf_add_str(&c->out, "\r\n") : r;
}

void fn_h1_conn_end(struct fn_h1_conn *c, const struct fn_h1_header *trailers, size_t n)
{
	fn_deferred_cancel(&c->later);
	if (c->broken || (c->chunked && !c->mute && add_trailers(c, trailers, n) < 0)) {
		fail(c);
		return;
	}
	if (c->blocked)
		fn_h1_set_state(c, FN_H1_SENDING);
	else
		fn_h1_push(c);
}

void fn_h1_conn_fail(struct fn_h1_conn *c)
{
	fn_deferred_cancel(&c->later);
	fail(c);
}

void fn_h1_stream_push(struct fn_h1_conn *c, bool writable)
{
	bool blocked = c->blocked;

	if (c->broken || c->out.len == c->out_at || (blocked && !writable))
		return;
	c->blocked = false;
	put(c, NULL, 0);
	if (blocked && !c->blocked && !c->broken)
		c->ops->drained(c->arg, c);
}

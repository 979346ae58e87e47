/* h1client.c - see h1client.h. */
#include "web/h1client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "web/address.h"

#define KEEP_MAX 1024u

struct fn_h1_client {
	struct sockaddr_un address;
	pthread_mutex_t lock;
	unsigned keep, n;
	struct resting {
		int fd;
		char *in; /* its buffer, too */
	} resting[]; /* the last one rested the shortest */
};

int fn_h1_client_new(int dir_fd, const char *name, unsigned keep, struct fn_h1_client **ret)
{
	struct fn_h1_client *c;

	if (keep > KEEP_MAX)
		keep = KEEP_MAX;
	c = calloc(1, sizeof(*c) + keep * sizeof(c->resting[0]));
	if (!c)
		return -ENOMEM;
	c->keep = keep;
	if (fn_address_at(dir_fd, name, &c->address) < 0 || pthread_mutex_init(&c->lock, NULL)) {
		free(c);
		return -EINVAL;
	}
	*ret = c;
	return 0;
}

static void drop(struct resting *r)
{
	fn_close(fn_take_fd(&r->fd));
	free(fn_take_ptr(r->in));
}

void fn_h1_client_free(struct fn_h1_client *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n; i++)
		drop(&c->resting[i]);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* --- connections --- */
static bool take_rested(struct fn_h1_client *c, struct resting *ret)
{
	bool found;

	pthread_mutex_lock(&c->lock);
	found = c->n > 0;
	if (found)
		*ret = c->resting[--c->n];
	pthread_mutex_unlock(&c->lock);
	return found;
}

static int connect_new(struct fn_h1_client *c, struct resting *ret)
{
	struct resting r = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), malloc(FN_H1_CLIENT_PIECE)};
	int e = r.fd < 0 ? errno : !r.in ? ENOMEM : 0;

	while (!e && connect(r.fd, (struct sockaddr *)&c->address, sizeof(c->address)) < 0)
		if (errno != EINTR)
			e = errno;
	if (e)
		drop(&r);
	else
		*ret = r;
	return -e;
}

static void leave(struct fn_h1_client *c, struct resting *r)
{
	pthread_mutex_lock(&c->lock);
	if (c->n < c->keep) {
		c->resting[c->n++] = *r;
		r->fd = -EBADF;
		r->in = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	drop(r);
}

/* --- sending --- */
int fn_h1_request_head(struct fn_buf *b, const struct fn_h1_request *r)
{
	int e = fn_buf_addf(b, "%s %s HTTP/1.1\r\nHost: fnd\r\n", r->method, r->target);

	for (size_t i = 0; e == 0 && i < r->n_headers; i++) {
		size_t at = b->len;

		e = fn_buf_addf(b, "%s: %s", r->headers[i].name, r->headers[i].value);
		for (; e == 0 && at < b->len; at++)
			if ((unsigned char)b->data[at] < ' ' || b->data[at] == 0x7f)
				b->data[at] = ' ';
		if (e == 0)
			e = fn_buf_add_str(b, "\r\n");
	}
	if (e == 0 && (r->body || fn_streq(r->method, "POST")))
		e = fn_buf_addf(b, "Content-Length: %zu\r\n", r->body ? r->len : 0);
	return e == 0 ? fn_buf_add_str(b, "\r\n") : e;
}

/* -ESTALE: nothing has been sent, for the other end is closed. */
static int send_all(int fd, struct iovec *iov, size_t n)
{
	bool begun = false;

	while (n > 0) {
		struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EPIPE && !begun ? -ESTALE : -errno;
		begun = true;
		while (n > 0 && (size_t)sent >= iov->iov_len) {
			sent -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

/* --- the answer --- */
static ssize_t receive_to(int fd, char *to, size_t room)
{
	ssize_t n;

	do
		n = recv(fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n > 0 ? n : -ECONNRESET;
}

static int receive(struct fn_h1_exchange *x)
{
	ssize_t n = receive_to(x->fd, x->in, FN_H1_CLIENT_PIECE);

	if (n < 0)
		return (int)n;
	x->at = 0;
	x->end = (size_t)n;
	return 0;
}

/* Until something is to be told. */
static enum fn_h1_event next(struct fn_h1_exchange *x, int *ret_error)
{
	for (;;) {
		size_t used;
		enum fn_h1_event e = fn_h1_feed(&x->h, x->in + x->at, x->end - x->at, &used);

		x->at += used;
		if (e != FN_H1_MORE)
			return e;
		if ((*ret_error = receive(x)) < 0)
			return FN_H1_BAD;
	}
}

/* The server may refuse a body it has not read: its answer is there then, though not all could be sent. */
static bool answered_early(int sent, int fd)
{
	char byte;

	return (sent == -EPIPE || sent == -ECONNRESET) && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* By a connection that has rested, if one still stands: what has been closed meanwhile takes nothing (unix(7): EPIPE at once). */
static int send_request(struct fn_h1_client *c, const struct fn_buf *head, const struct fn_h1_request *r, struct resting *ret)
{
	for (;;) {
		struct iovec iov[2] = {{head->data, head->len}, {(void *)r->body, r->body ? r->len : 0}};
		bool rested = take_rested(c, ret);
		int e = rested ? 0 : connect_new(c, ret);

		if (e == 0)
			e = send_all(ret->fd, iov, iov[1].iov_len > 0 ? 2 : 1);
		if (e == 0 || (e != -ESTALE && answered_early(e, ret->fd)))
			return 0;
		drop(ret);
		if (e != -ESTALE || !rested)
			return e == -ESTALE ? -EPIPE : e;
	}
}

int fn_h1_exchange_begin(struct fn_h1_exchange *x, struct fn_h1_client *c, const struct fn_h1_request *r, size_t body_max)
{
	fn_auto_buf struct fn_buf head = {0};
	struct resting conn = {-EBADF, NULL};
	int e = fn_h1_request_head(&head, r);

	*x = (struct fn_h1_exchange){.client = c, .fd = -EBADF};
	fn_h1_init_response(&x->h);
	x->h.body_max = body_max;
	if (e == 0)
		e = send_request(c, &head, r, &conn);
	if (e < 0)
		return e;
	x->fd = conn.fd;
	x->in = conn.in;
	x->open = true;
	return next(x, &e) == FN_H1_HEAD ? 0 : e < 0 ? e : -EPROTO;
}

int fn_h1_exchange_read(struct fn_h1_exchange *x, const char **ret_data, size_t *ret_len)
{
	int e = 0;

	x->h.take = FN_H1_PIECES;
	x->h.body_max = SIZE_MAX;
	switch (x->whole ? FN_H1_DONE : next(x, &e)) {
	case FN_H1_PIECE:
		*ret_data = x->h.piece;
		*ret_len = x->h.piece_len;
		return 1;
	case FN_H1_DONE:
		x->whole = true;
		return 0;
	default:
		x->open = false;
		return e < 0 ? e : -EPROTO;
	}
}

/* Of known length it goes to where it is to be, without a copy. */
static int receive_body(struct fn_h1_exchange *x)
{
	size_t room;
	char *to = fn_h1_body_space(&x->h, &room);
	ssize_t n;

	if (!to)
		return receive(x);
	n = receive_to(x->fd, to, room);
	if (n < 0)
		return (int)n;
	fn_h1_body_got(&x->h, (size_t)n);
	return 0;
}

int fn_h1_exchange_read_all(struct fn_h1_exchange *x)
{
	uint64_t left = fn_h1_body_left(&x->h);

	x->h.take = FN_H1_WHOLE;
	if (left != UINT64_MAX && left > x->h.body_max)
		return -EFBIG;
	while (!x->whole) {
		size_t used;
		enum fn_h1_event event = fn_h1_feed(&x->h, x->in + x->at, x->end - x->at, &used);
		int e = 0;

		x->at += used;
		if (x->h.too_large)
			e = -EFBIG;
		else if (event == FN_H1_BAD)
			e = -EPROTO;
		else if (event == FN_H1_MORE)
			e = receive_body(x);
		if (e < 0) {
			x->open = false;
			return e;
		}
		x->whole = event == FN_H1_DONE;
	}
	return 0;
}

void fn_h1_exchange_end(struct fn_h1_exchange *x)
{
	struct resting conn = {x->fd, x->in};

	if (!x->client)
		return;
	if (x->open && x->whole && !x->h.close && x->at == x->end)
		leave(x->client, &conn);
	else
		drop(&conn);
	fn_h1_free(&x->h);
	*x = (struct fn_h1_exchange){.fd = -EBADF};
}

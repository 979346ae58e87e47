/* delivery.c - see delivery.h. */
#include "runtime/delivery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "runtime/answer.h"

#define REST_OF_ANSWER_US 250000u

enum state {
	REST,       /* nothing to send; a connection may be kept */
	DUE,        /* an attempt is to begin when it is not paused any more */
	SOCKET,     /* asked for */
	CONNECTING,
	SENDING,
	ANSWER,     /* sent; HTTP alone */
	BACKOFF,    /* an attempt has failed, another follows */
};

struct fn_delivery {
	struct fn_loop *loop;
	const struct fn_delivery_ops *ops;
	void *arg;
	enum state state;
	bool paused, connected;
	const struct fn_subscription *sub;
	char head[FN_SUBSCRIPTION_PATH_MAX + 256];
	size_t head_len, sent; /* sent: of head and body together */
	const char *body;
	size_t len;
	unsigned attempts;
	int fd;
	uint64_t io, timer, request;
	struct fn_answer answer;
};

static void disconnect(struct fn_delivery *d)
{
	fn_loop_clear(d->loop, &d->io);
	fn_close(fn_take_fd(&d->fd));
	d->connected = false;
}

static void arm(struct fn_delivery *d, uint64_t in_us)
{
	(void)fn_loop_rearm_timer(d->loop, d->timer, in_us == UINT64_MAX ? UINT64_MAX : fn_loop_now_us(d->loop) + in_us);
}

static void done(struct fn_delivery *d, int result)
{
	d->state = REST;
	d->body = NULL;
	arm(d, UINT64_MAX);
	d->ops->done(d->arg, result);
}

/* Lines that have gone wholly are not sent again. */
static void keep_rest(struct fn_delivery *d)
{
	const char *nl = d->sub->tcp && d->sent > 0 ? memrchr(d->body, '\n', d->sent) : NULL;
	size_t whole = nl ? (size_t)(nl + 1 - d->body) : 0;

	d->body += whole;
	d->len -= whole;
	d->sent = 0;
}

static void failed(struct fn_delivery *d, int result)
{
	keep_rest(d);
	disconnect(d);
	if (++d->attempts >= FN_DELIVERY_ATTEMPTS) {
		done(d, result);
		return;
	}
	d->state = BACKOFF;
	arm(d, d->paused ? UINT64_MAX : FN_DELIVERY_FIRST_US << (d->attempts - 1));
}

static void on_io(void *arg, int fd, uint32_t events);

/* What it waits for. -errno: it cannot be watched. */
static int watch(struct fn_delivery *d)
{
	uint32_t events = d->state == CONNECTING ? EPOLLOUT : d->state == SENDING ? EPOLLIN | EPOLLOUT : EPOLLIN;

	if (d->paused)
		return 0;
	return d->io ? fn_loop_mod_io(d->loop, d->io, events) : fn_loop_add_io(d->loop, d->fd, events, on_io, d, &d->io);
}

static void begin_sending(struct fn_delivery *d)
{
	d->state = SENDING;
	d->sent = 0;
	fn_answer_reset(&d->answer);
	d->connected = true;
	arm(d, FN_DELIVERY_PATIENCE_US);
	if (watch(d) < 0)
		failed(d, -ENOMEM);
}

/* What cannot be delivered yet waits; the body counts from its first byte that is to go. */
static void send_some(struct fn_delivery *d)
{
	while (d->sent < d->head_len + d->len) {
		bool in_head = d->sent < d->head_len;
		const char *from = in_head ? d->head + d->sent : d->body + (d->sent - d->head_len);
		size_t left = in_head ? d->head_len - d->sent : d->head_len + d->len - d->sent;
		ssize_t n = send(d->fd, from, left, MSG_NOSIGNAL | (in_head ? MSG_MORE : 0));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			failed(d, -errno);
			return;
		}
		d->sent += (size_t)n;
		arm(d, FN_DELIVERY_PATIENCE_US);
	}
	d->state = ANSWER;
	(void)watch(d);
	if (d->sub->tcp)
		done(d, 0);
}

static void on_answer(struct fn_delivery *d)
{
	unsigned status = d->answer.status;

	if (!d->answer.ended || !d->answer.reusable || d->state == SENDING) /* it answers before it has heard all */
		disconnect(d);
	if (status >= 400)
		failed(d, (int)status);
	else
		done(d, 0);
}

static void receive(struct fn_delivery *d)
{
	char buf[4096];
	ssize_t n = recv(d->fd, buf, sizeof(buf), 0);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (d->state == REST) { /* it has closed, or says what nobody has asked for */
		disconnect(d);
	} else if (n <= 0 && d->answer.status >= 200) {
		on_answer(d);
	} else if (n <= 0) {
		failed(d, n == 0 ? -ECONNRESET : -errno);
	} else if (!d->sub->tcp) {
		r = fn_answer_feed(&d->answer, buf, (size_t)n);
		if (r < 0)
			failed(d, -EBADMSG);
		else if (r > 0 && d->answer.ended)
			on_answer(d);
		else if (r > 0) /* an end in the middle of its words would be an error to the server */
			arm(d, REST_OF_ANSWER_US);
	}
}

static void on_io(void *arg, int fd, uint32_t events)
{
	struct fn_delivery *d = arg;
	int error = 0;
	socklen_t size = sizeof(error);

	if (d->state == CONNECTING) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
			failed(d, error ? -error : -errno);
		else
			begin_sending(d);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		receive(d);
		if (d->fd != fd) /* no longer the one that has been told of */
			return;
	}
	if ((events & EPOLLOUT) && d->state == SENDING)
		send_some(d);
}

static void connect_it(struct fn_delivery *d)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(d->sub->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	(void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(d->fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS) {
		failed(d, -errno);
		return;
	}
	d->state = CONNECTING;
	arm(d, FN_DELIVERY_PATIENCE_US);
	if (watch(d) < 0)
		failed(d, -ENOMEM);
}

void fn_delivery_socket(struct fn_delivery *d, int err, int fd)
{
	d->request = 0;
	if (fd < 0) {
		failed(d, err ? err : -EIO);
		return;
	}
	d->fd = fd;
	if (d->paused)
		d->state = DUE;
	else
		connect_it(d);
}

static void attempt(struct fn_delivery *d)
{
	int r;

	if (d->paused) {
		d->state = DUE;
	} else if (d->connected) {
		begin_sending(d);
	} else if (d->fd >= 0) {
		connect_it(d);
	} else {
		d->state = SOCKET;
		arm(d, FN_DELIVERY_PATIENCE_US);
		r = d->ops->socket(d->arg, d, &d->request);
		if (r < 0)
			failed(d, r);
	}
}

static void on_timer(void *arg)
{
	struct fn_delivery *d = arg;

	if (d->state == BACKOFF) {
		attempt(d);
	} else if (d->state == ANSWER && d->answer.status >= 200) {
		on_answer(d);
	} else if (d->state == SOCKET || d->state == CONNECTING || d->state == SENDING || d->state == ANSWER) {
		if (d->request)
			d->ops->cancel(d->arg, d->request);
		d->request = 0;
		failed(d, -ETIMEDOUT);
	}
}

void fn_delivery_send(struct fn_delivery *d, const struct fn_subscription *sub, const char *body, size_t len)
{
	int n = 0;

	d->sub = sub;
	d->body = body;
	d->len = len;
	d->sent = 0; /* else a failure before its first byte would take the last one's for its own (keep_rest()) */
	d->attempts = 0;
	if (!sub->tcp)
		n = snprintf(d->head, sizeof(d->head), "%s %s HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			     sub->put ? "PUT" : "POST", sub->path, sub->host, sub->port, len);
	d->head_len = (size_t)n;
	attempt(d);
}

void fn_delivery_pause(struct fn_delivery *d)
{
	d->paused = true;
	arm(d, UINT64_MAX);
	fn_loop_clear(d->loop, &d->io);
}

void fn_delivery_resume(struct fn_delivery *d)
{
	if (!d->paused)
		return;
	d->paused = false;
	if (d->fd >= 0 && d->state != DUE && watch(d) < 0)
		disconnect(d);
	if (d->state == DUE)
		attempt(d);
	else if (d->state == BACKOFF)
		arm(d, FN_DELIVERY_FIRST_US);
	else if (d->state != REST)
		arm(d, FN_DELIVERY_PATIENCE_US);
}

void fn_delivery_lost(struct fn_delivery *d)
{
	if (d->request)
		d->ops->cancel(d->arg, d->request);
	d->request = 0;
	if (d->state != REST) {
		if (d->state == SENDING)
			keep_rest(d);
		d->state = DUE;
		d->attempts = 0;
	}
	disconnect(d);
	fn_delivery_pause(d);
}

int fn_delivery_new(struct fn_loop *loop, const struct fn_delivery_ops *ops, void *arg, struct fn_delivery **ret)
{
	struct fn_delivery *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->loop = loop;
	d->ops = ops;
	d->arg = arg;
	d->fd = -EBADF;
	r = fn_loop_add_timer(loop, UINT64_MAX, on_timer, d, &d->timer);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void fn_delivery_free(struct fn_delivery *d)
{
	if (!d)
		return;
	if (d->request)
		d->ops->cancel(d->arg, d->request);
	disconnect(d);
	fn_loop_clear(d->loop, &d->timer);
	free(d);
}

/* handover.c - see handover.h. */
#include "service/handover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "model/limits.h"
#include "os/sock.h"
#include "service/signed.h"
#include "web/origin.h"

#define BYTES_MAX (112u << 10) /* a head, and what can have come behind it in one reading */
#define HOSTS_MAX 256
#define IN_A_ROUND 64u
#define SMALL (256u << 10)

/* --- whether --- */
/* The bound of its body; 0 = it is none of SQS. */
static size_t body_max(const struct fn_aws_head *h, const struct fn_aws_operation **ret)
{
	const struct fn_aws_operation *o;

	*ret = NULL;
	if (fn_aws_protocol_of(h) == FN_AWS_QUERY)
		return fn_aws_service_of(h) == FN_AWS_SQS ? FN_LIMIT_SQS_REQUEST_BYTES : 0;
	o = h->target ? fn_aws_route_target(h->target) : NULL;
	if (!o || o->service != FN_AWS_SQS)
		return 0;
	*ret = o;
	return o->op == FN_AWS_Sqs_SendMessage || o->op == FN_AWS_Sqs_SendMessageBatch ? FN_LIMIT_SQS_REQUEST_BYTES : SMALL;
}

bool fn_direct_fits(const struct fn_http_req *req, const struct fn_direct_rules *rules, struct fn_direct *ret)
{
	struct fn_aws_head h = {.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req)};
	fn_auto_buf struct fn_buf why = {0};

	if (fn_aws_path_is_rest(h.path) || !fn_streq(h.method, "POST"))
		return false;
	h.target = fn_http_req_header(req, "X-Amz-Target");
	h.content_type = fn_http_req_header(req, "Content-Type");
	h.authorization = fn_http_req_header(req, "Authorization");
	ret->body_max = body_max(&h, &ret->operation);
	if (ret->body_max == 0 || fn_http_req_body_left(req) > ret->body_max)
		return false;
	if (!rules->is_signed)
		return !fn_origin_fault(req, rules->hosts, rules->n_hosts);
	return h.authorization && !fn_http_req_header(req, FN_SIGNED_TOKEN) && !fn_signed_read(req, &ret->signature, &why) && !ret->signature.in_query &&
	       fn_signed_good(req, &ret->signature, rules->region, fn_aws_service(FN_AWS_SQS)->name, &why);
}

/* --- messages: this, and bytes --- */
struct head {
	enum kind { HELLO = 0x666e6401, CONNECTION, BACK, LAST } kind;
	bool flag;               /* HELLO: requests are signed; else: it came by TLS */
	char from[INET6_ADDRSTRLEN];
	uint64_t peer;
	struct fn_grant grant;
};

struct fn_handover {
	struct fn_loop *loop;
	int fd;
	uint64_t io;
	const struct fn_handover_ops *ops; /* NULL once freed */
	void *arg;
	bool busy;
	struct {
		struct head head;
		char bytes[BYTES_MAX + 1]; /* the last is never one of a message */
	} in;
};

static size_t cut(char *text, size_t len, char **ret)
{
	size_t n = 0;

	for (char *end = text + len; text < end && n < HOSTS_MAX; text += strlen(text) + 1)
		ret[n++] = text;
	return n;
}

/* Has it been said as we say it? Texts end. */
static bool sound(struct fn_handover *h, size_t n, size_t n_fds)
{
	struct head *m = &h->in.head;

	if (n < offsetof(typeof(h->in), bytes) || m->kind < HELLO || m->kind > LAST || n_fds != (m->kind == CONNECTION || m->kind == BACK))
		return false;
	m->from[sizeof(m->from) - 1] = m->grant.key_id[sizeof(m->grant.key_id) - 1] = m->grant.date[sizeof(m->grant.date) - 1] = '\0';
	h->in.bytes[n - offsetof(typeof(h->in), bytes)] = '\0';
	return true;
}

static void told(struct fn_handover *h, size_t n, int fd)
{
	struct head *m = &h->in.head;
	size_t len = n - offsetof(typeof(h->in), bytes);
	struct fn_http_handed what = {.peer = m->peer, .from = m->from, .secure = m->flag, .bytes = {{h->in.bytes, len}}};
	char *hosts[HOSTS_MAX];

	if (m->kind == HELLO)
		h->ops->hello(h->arg, m->flag, hosts, cut(h->in.bytes, len, hosts));
	else if (m->kind == LAST && h->ops->last)
		h->ops->last(h->arg);
	else if (m->kind != LAST)
		h->ops->came(h->arg, fd, &what, m->kind == CONNECTION ? &m->grant : NULL);
}

static void on_io(void *arg, int fd, uint32_t events)
{
	struct fn_handover *h = arg;
	int fds[FN_SOCK_FDS_MAX];
	size_t n_fds;
	ssize_t n = 1;

	(void)events;
	h->busy = true;
	for (unsigned i = 0; h->ops && i < IN_A_ROUND; i++) {
		n = fn_sock_recv(fd, &h->in, offsetof(typeof(h->in), bytes) + BYTES_MAX, fds, &n_fds);
		if (n == -EAGAIN || n == 0 || (n < 0 && n != -EMSGSIZE))
			break;
		if (n > 0 && sound(h, (size_t)n, n_fds))
			told(h, (size_t)n, n_fds ? fds[0] : -EBADF);
		else
			for (size_t k = 0; k < n_fds; k++)
				fn_close(fds[k]);
	}
	explicit_bzero(&h->in.head.grant, sizeof(h->in.head.grant));
	h->busy = false;
	if (!h->ops)
		free(h);
	else if (n == 0 || (n < 0 && n != -EAGAIN && n != -EMSGSIZE))
		h->ops->lost(h->arg);
}

int fn_handover_new(struct fn_loop *loop, int fd, const struct fn_handover_ops *ops, void *arg, struct fn_handover **ret)
{
	struct fn_handover *h = malloc(sizeof(*h));
	int r = h ? fn_loop_add_io(loop, fd, EPOLLIN, on_io, h, &h->io) : -ENOMEM;

	if (r < 0) {
		free(h);
		fn_close(fd);
		return r;
	}
	h->loop = loop;
	h->fd = fd;
	h->ops = ops;
	h->arg = arg;
	h->busy = false;
	*ret = h;
	return 0;
}

void fn_handover_free(struct fn_handover *h)
{
	if (!h || !h->ops)
		return;
	h->ops = NULL;
	fn_loop_clear(h->loop, &h->io);
	fn_close(fn_take_fd(&h->fd));
	if (!h->busy)
		free(h);
}

int fn_handover_hello(struct fn_handover *h, bool is_signed, char *const *hosts, size_t n_hosts)
{
	struct head m = {.kind = HELLO, .flag = is_signed};
	fn_auto_buf struct fn_buf text = {0};
	int r = 0;

	for (size_t i = 0; i < n_hosts && r == 0; i++)
		r = fn_buf_add(&text, hosts[i], strlen(hosts[i]) + 1);
	if (r == 0 && (n_hosts > HOSTS_MAX || text.len > BYTES_MAX))
		r = -EMSGSIZE;
	return r < 0 ? r : fn_sock_send(h->fd, (struct iovec[]){{&m, sizeof(m)}, {text.data, text.len}}, 2, NULL, 0);
}

int fn_handover_last(struct fn_handover *h)
{
	struct head m = {.kind = LAST};

	return fn_sock_send(h->fd, &(struct iovec){&m, sizeof(m)}, 1, NULL, 0);
}

int fn_handover_send(struct fn_handover *h, int fd, const struct fn_http_handed *what, const struct fn_grant *grant)
{
	struct head m = {.kind = grant ? CONNECTION : BACK, .flag = what->secure, .peer = what->peer};
	struct iovec iov[3] = {{&m, sizeof(m)}, what->bytes[0], what->bytes[1]};
	int r;

	if (what->bytes[0].iov_len + what->bytes[1].iov_len > BYTES_MAX)
		return -EMSGSIZE;
	(void)fn_str_format(m.from, sizeof(m.from), "%s", what->from);
	if (grant)
		m.grant = *grant;
	r = fn_sock_send(h->fd, iov, 3, &fd, 1);
	explicit_bzero(&m.grant, sizeof(m.grant));
	return r;
}

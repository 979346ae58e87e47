/*
 * httpd.c - see httpd.h. A struct fn_http_req is a connection and the request it has at the time, one after the other: in the common course a
 * request allocates nothing here. It outlives its connection while its handler has it.
 */
#include "web/httpd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "web/crowd.h"
#include "web/h1conn.h"

#define REPLY_HEADERS_MAX 24
#define HEAD_MAX 32768u
#define ACCEPTS 64            /* in one round: those who are connected have their turn */
#define ACCEPT_PAUSE_US 100000u /* when there is no descriptor or memory for another connection */
#define STALL_S 30u
#define STALL_BYTES 16384u
#define LINGER_US 5000000u    /* for the peer to close after the last answer */
#define LOOK_MAX_US 5000000u  /* between two looks for connections that stall */
#define SLOW_HEAD_US 1000000u /* who is crowded out though it has begun a request */
#define CROWD_SHARE 64u       /* of those that rest so many parts go at once: a look at all of them is not for one */
#define TEXTS_KEEP 1024u      /* memory kept between requests */

struct fn_httpd {
	struct fn_loop *loop;
	struct fn_httpd_config cfg;
	struct fn_h1_server *server;
	struct fn_list conns;
	unsigned n_conns, active;
	uint64_t io, look, resume; /* the listening socket; timers */
	uint64_t idle_us, stall_us, look_us;
	bool paused, closing;
};

struct header {
	size_t name, value; /* offsets in the request's texts */
};

struct fn_http_req {
	struct fn_httpd *h;
	struct fn_list link;
	struct fn_h1_conn *c; /* NULL: it has gone, and the handler still owes its reply */
	struct fn_h1 *h1;
	struct fn_h1 kept; /* what h1 points to then */
	size_t query;      /* where it begins in the target */
	enum { NONE, DELIVERED, REPLIED } state;
	/* the last look: since when it has been where it is */
	enum fn_h1_phase phase;
	uint64_t served, seen_served, seen_moved, since_us;
	uint64_t peer, rests_us; /* since when: the last answer, or the beginning */
	/* reply */
	struct header headers[REPLY_HEADERS_MAX];
	size_t n_headers;
	struct fn_buf texts;
	char **decoded; /* query values handed out */
	size_t n_decoded;
};

static void forget_request(struct fn_http_req *r)
{
	for (size_t i = 0; i < r->n_decoded; i++)
		free(r->decoded[i]);
	free(fn_take_ptr(r->decoded));
	r->n_decoded = r->n_headers = 0;
	if (r->texts.cap > TEXTS_KEEP)
		fn_buf_free(&r->texts);
	r->texts.len = 0;
	r->state = NONE;
}

static void req_free(struct fn_http_req *r)
{
	forget_request(r);
	fn_buf_free(&r->texts);
	fn_h1_free(&r->kept);
	free(r);
}

/* --- requests --- */
static size_t on_body_max(void *arg, struct fn_h1_conn *c, const struct fn_h1 *h1)
{
	struct fn_http_req *r = arg;
	char *target = (char *)fn_h1_target(h1), *q = strchr(target, '?');

	(void)c;
	r->h1 = (struct fn_h1 *)h1;
	r->query = q ? (size_t)(q - target) + 1 : strlen(target);
	if (q)
		*q = '\0';
	return r->h->cfg.ops->body_max ? r->h->cfg.ops->body_max(r->h->cfg.arg, r) : r->h->cfg.body_max;
}

static unsigned count_hosts(const struct fn_h1 *h1)
{
	const char *name, *value;
	unsigned at = 0, n = 0;

	while (fn_h1_next_header(h1, &at, &name, &value))
		n += strcasecmp(name, "Host") == 0;
	return n;
}

static void on_request(void *arg, struct fn_h1_conn *c, struct fn_h1 *h1)
{
	struct fn_http_req *r = arg;
	unsigned hosts = count_hosts(h1);

	r->served++;
	if (hosts > 1 || (hosts == 0 && !h1->http10)) { /* RFC 9112, 3.2 */
		fn_h1_conn_refuse(c, 400);
		return;
	}
	r->state = DELIVERED;
	r->h->active++;
	r->h->cfg.ops->request(r->h->cfg.arg, r);
}

static void on_answered(void *arg, struct fn_h1_conn *c)
{
	struct fn_http_req *r = arg;

	(void)c;
	if (r->state != REPLIED) /* a refusal */
		return;
	r->h->active--;
	r->rests_us = fn_loop_now_us(r->h->loop);
	forget_request(r);
}

/* --- connections --- */
static void resume(struct fn_httpd *h)
{
	if (h->paused && h->io && fn_loop_mod_io(h->loop, h->io, EPOLLIN) == 0)
		h->paused = false;
}

static void pause_accepting(struct fn_httpd *h)
{
	if (!h->paused && fn_loop_mod_io(h->loop, h->io, 0) == 0)
		h->paused = true;
	if (h->paused)
		(void)fn_loop_rearm_timer(h->loop, h->resume, fn_loop_now_us(h->loop) + ACCEPT_PAUSE_US);
}

static void forget_conn(struct fn_http_req *r)
{
	fn_list_remove(&r->link);
	r->h->n_conns--;
}

static void remember_conn(struct fn_httpd *h, struct fn_http_req *r)
{
	r->h = h;
	fn_list_push_back(&h->conns, &r->link);
	if (h->n_conns++ == 0)
		(void)fn_loop_rearm_timer(h->loop, h->look, fn_loop_now_us(h->loop) + h->look_us);
}

static void on_closed(void *arg, struct fn_h1_conn *c)
{
	struct fn_http_req *r = arg;
	struct fn_httpd *h = r->h;

	(void)c;
	forget_conn(r);
	if (h->n_conns < h->cfg.conn_max)
		resume(h);
	if (r->state != NONE)
		h->active--;
	if (r->state != DELIVERED) {
		req_free(r);
		return;
	}
	r->kept = *r->h1; /* its strings and its body stay what they are until the reply */
	r->h1->text = r->h1->body = (struct fn_buf){0};
	r->h1 = &r->kept;
	r->c = NULL;
}

static void drop(struct fn_http_req *r)
{
	struct fn_h1_conn *c = r->c;

	on_closed(r, c);
	fn_h1_conn_close(c);
}

static const struct fn_h1_ops conn_ops = {
	.body_max = on_body_max, .request = on_request, .closed = on_closed, .answered = on_answered, .half_close = true, .head_max = HEAD_MAX,
	.refusal = {"{\"Type\":\"User\",\"message\":\"", "\"}"}};

/* Ends some of the connections that are in this phase, and have been since `before` or longer: false = there is none. */
static bool crowd_out(struct fn_httpd *h, enum fn_h1_phase phase, uint64_t before)
{
	struct fn_crowd_one *v = malloc((h->n_conns + 1) * sizeof(*v));
	uint64_t moved;
	size_t n = 0, most;

	if (!v)
		return false;
	fn_list_for_each(l, &h->conns)
	{
		struct fn_http_req *r = fn_list_entry(l, struct fn_http_req, link);

		if (r->state == NONE && r->rests_us <= before && fn_h1_conn_phase(r->c, &moved) == phase)
			v[n++] = (struct fn_crowd_one){.peer = r->peer, .since_us = r->rests_us, .who = r};
	}
	fn_crowd_sort(v, n);
	most = n / CROWD_SHARE + 1;
	for (size_t i = 0; i < n && i < most; i++)
		drop(v[i].who);
	free(v);
	return n > 0;
}

static bool make_room(struct fn_httpd *h)
{
	uint64_t now = fn_loop_now_us(h->loop);

	return crowd_out(h, FN_H1_IDLE, now) || (now > SLOW_HEAD_US && crowd_out(h, FN_H1_HEAD_COMES, now - SLOW_HEAD_US));
}

static int add(struct fn_httpd *h, int fd, uint64_t peer)
{
	struct fn_http_req *r = h->n_conns < h->cfg.conn_max ? calloc(1, sizeof(*r)) : NULL;
	int ret;

	if (!r) {
		fn_close(fd);
		return h->n_conns < h->cfg.conn_max ? -ENOMEM : -ENOBUFS;
	}
	r->since_us = r->rests_us = fn_loop_now_us(h->loop);
	r->peer = peer;
	ret = fn_h1_conn_new(h->server, fd, &conn_ops, r, &r->c);
	if (ret < 0) {
		free(r);
		return ret;
	}
	remember_conn(h, r);
	return 0;
}

static void on_accept(void *arg, int fd, uint32_t events)
{
	struct fn_httpd *h = arg;

	(void)events;
	if (h->n_conns >= h->cfg.conn_max && !make_room(h)) {
		pause_accepting(h);
		return;
	}
	for (int i = 0; i < ACCEPTS && h->n_conns < h->cfg.conn_max; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int c = accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

		if (c >= 0) {
			(void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			(void)add(h, c, fn_crowd_peer(&from));
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) { /* EMFILE and its like: it would be ready again and again */
			pause_accepting(h);
			return;
		}
	}
}

static void on_resume(void *arg) { resume(arg); } /* should it still be too early, on_accept() finds out: only it knows that somebody waits */

/* Ends a connection that has been waited for too long. */
static void judge(struct fn_http_req *r, uint64_t now)
{
	struct fn_httpd *h = r->h;
	uint64_t moved, limit;
	enum fn_h1_phase phase = fn_h1_conn_phase(r->c, &moved);
	bool counts = phase == FN_H1_BODY_COMES || phase == FN_H1_ANSWER_GOES;

	if (phase != r->phase || r->served != r->seen_served || (counts && moved - r->seen_moved >= STALL_BYTES)) {
		r->phase = phase;
		r->seen_served = r->served;
		r->seen_moved = moved;
		r->since_us = now;
	}
	limit = phase == FN_H1_IDLE ? h->idle_us : phase == FN_H1_ENDING && h->stall_us > LINGER_US ? LINGER_US : h->stall_us;
	if (phase == FN_H1_OWNED || limit == 0 || now - r->since_us < limit)
		return;
	if (phase == FN_H1_HEAD_COMES || phase == FN_H1_BODY_COMES)
		fn_h1_conn_refuse(r->c, 408);
	else
		drop(r);
}

static void on_look(void *arg)
{
	struct fn_httpd *h = arg;
	uint64_t now = fn_loop_now_us(h->loop);

	fn_list_for_each_safe(l, &h->conns)
		judge(fn_list_entry(l, struct fn_http_req, link), now);
	if (h->n_conns > 0)
		(void)fn_loop_rearm_timer(h->loop, h->look, now + h->look_us);
}

static int start(struct fn_httpd *h)
{
	int r = fn_h1_server_new(h->loop, &h->server);

	if (r == 0)
		r = fn_loop_add_timer(h->loop, UINT64_MAX, on_look, h, &h->look);
	if (r == 0)
		r = fn_loop_add_timer(h->loop, UINT64_MAX, on_resume, h, &h->resume);
	if (r == 0 && h->cfg.listen_fd >= 0)
		r = fn_loop_add_io(h->loop, h->cfg.listen_fd, EPOLLIN, on_accept, h, &h->io);
	return r;
}

int fn_httpd_new(struct fn_loop *loop, const struct fn_httpd_config *config, struct fn_httpd **ret, struct fn_err *err)
{
	struct fn_httpd *h = calloc(1, sizeof(*h));
	uint64_t least;
	int r;

	if (!h)
		return fn_err_set(err, ENOMEM, "http server", NULL);
	h->loop = loop;
	h->cfg = *config;
	fn_list_init(&h->conns);
	h->idle_us = config->idle_timeout_s * UINT64_C(1000000);
	h->stall_us = (config->stall_timeout_s ? config->stall_timeout_s : STALL_S) * UINT64_C(1000000);
	least = h->idle_us && h->idle_us < h->stall_us ? h->idle_us : h->stall_us;
	h->look_us = least / 4 < LOOK_MAX_US ? least / 4 : LOOK_MAX_US;
	r = start(h);
	if (r < 0) {
		h->cfg.listen_fd = -EBADF; /* it stays the caller's */
		fn_httpd_free(h);
		return fn_err_set(err, r, "http server", "event loop");
	}
	*ret = h;
	return 0;
}

void fn_httpd_quiesce(struct fn_httpd *h)
{
	fn_loop_clear(h->loop, &h->io);
	fn_close(fn_take_fd(&h->cfg.listen_fd));
	h->closing = true;
}

unsigned fn_httpd_active(const struct fn_httpd *h) { return h->active; }

void fn_httpd_free(struct fn_httpd *h)
{
	if (!h)
		return;
	fn_httpd_quiesce(h);
	fn_loop_clear(h->loop, &h->look);
	fn_loop_clear(h->loop, &h->resume);
	fn_list_for_each_safe(l, &h->conns)
		drop(fn_list_entry(l, struct fn_http_req, link));
	fn_h1_server_free(h->server);
	free(h);
}

int fn_httpd_add_conn(struct fn_httpd *h, int fd)
{
	int r = fn_fd_set_nonblock(fd, true);

	if (r < 0) {
		fn_close(fd);
		return r;
	}
	return add(h, fd, 0);
}

/* --- the request --- */
const char *fn_http_req_method(const struct fn_http_req *r) { return fn_h1_method(r->h1); }
const char *fn_http_req_path(const struct fn_http_req *r) { return fn_h1_target(r->h1); }
const char *fn_http_req_raw_query(const struct fn_http_req *r) { return fn_h1_target(r->h1) + r->query; }
const char *fn_http_req_header(const struct fn_http_req *r, const char *name) { return fn_h1_header(r->h1, name); }
bool fn_http_req_too_large(const struct fn_http_req *r) { return r->h1->too_large; }

const char *fn_http_req_query(const struct fn_http_req *req, const char *name)
{
	struct fn_http_req *r = (struct fn_http_req *)req; /* decoded copies are kept with the request */
	size_t n = strlen(name);

	for (const char *p = fn_http_req_raw_query(r); *p;) {
		size_t len = strcspn(p, "&"), key = strcspn(p, "=&");

		if (key == n && memcmp(p, name, n) == 0) {
			size_t skip = key < len ? key + 1 : key;
			char *v = strndup(p + skip, len - skip), **list;

			if (!v)
				return NULL;
			for (char *q = v; *q; q++)
				if (*q == '+')
					*q = ' ';
			list = realloc(r->decoded, (r->n_decoded + 1) * sizeof(*list));
			if (!list || fn_url_decode(v, strlen(v)) < 0) {
				if (list)
					r->decoded = list;
				free(v);
				return NULL;
			}
			r->decoded = list;
			list[r->n_decoded++] = v;
			return v;
		}
		p += len + (p[len] == '&');
	}
	return NULL;
}

void fn_http_req_each_header(const struct fn_http_req *r, bool (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	const char *name, *value;
	unsigned at = 0;

	while (fn_h1_next_header(r->h1, &at, &name, &value) && fn(arg, name, value))
		;
}

void fn_http_req_body(const struct fn_http_req *r, const char **ret_data, size_t *ret_len)
{
	*ret_data = r->h1->body.data ? r->h1->body.data : "";
	*ret_len = r->h1->body.len;
}

char *fn_http_req_take_body(struct fn_http_req *r, size_t *ret_len) { return fn_buf_take(&r->h1->body, ret_len); }

/* --- the reply --- */
int fn_http_req_add_header(struct fn_http_req *r, const char *name, const char *value)
{
	size_t n = strlen(name) + 1, m = strlen(value) + 1;
	struct header *h = &r->headers[r->n_headers];

	if (r->n_headers == REPLY_HEADERS_MAX)
		return -ENOBUFS;
	if ((r->texts.cap == 0 && fn_buf_reserve(&r->texts, 500) < 0) || fn_buf_reserve(&r->texts, n + m) < 0)
		return -ENOMEM;
	h->name = r->texts.len;
	h->value = h->name + n;
	(void)fn_buf_add(&r->texts, name, n);
	(void)fn_buf_add(&r->texts, value, m);
	r->n_headers++;
	return 0;
}

static void reply(struct fn_http_req *r, struct fn_h1_reply *reply)
{
	struct fn_h1_header headers[REPLY_HEADERS_MAX];

	if (!r->c) {
		if (reply->release)
			reply->release(reply->release_arg);
		if (reply->from_file)
			fn_close(reply->file);
		req_free(r);
		return;
	}
	for (size_t i = 0; i < r->n_headers; i++)
		headers[i] = (struct fn_h1_header){r->texts.data + r->headers[i].name, r->texts.data + r->headers[i].value};
	reply->headers = headers;
	reply->n_headers = r->n_headers;
	reply->close = r->h->closing;
	r->state = REPLIED;
	fn_h1_conn_reply(r->c, reply);
}

void fn_http_reply(struct fn_http_req *r, unsigned status, const char *content_type, const void *body, size_t len)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type, .body = body ? body : "", .len = len};

	reply(r, &p);
}

void fn_http_reply_owned(struct fn_http_req *r, unsigned status, const char *content_type, const void *body, size_t len,
			 void (*release)(void *arg), void *release_arg)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type, .body = body, .len = len, .release = release, .release_arg = release_arg};

	reply(r, &p);
}

void fn_http_reply_fd(struct fn_http_req *r, unsigned status, const char *content_type, int fd, uint64_t size)
{
	struct fn_h1_reply p = {.status = status, .content_type = content_type, .len = size, .from_file = true, .file = fd};

	reply(r, &p);
}

/*
 * httpd.c - see httpd.h: connections, and what their requests go through before and after the handler. A struct fn_http_req is a connection and the request it has at the time, one after the other: in the common course a
 * request allocates nothing here. It outlives its connection while its handler has it.
 */
#include "web/httpd.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "web/crowd.h"
#include "web/httpd_internal.h"

#define ACCEPTS 64            /* in one round: those who are connected have their turn */
#define ACCEPT_PAUSE_US 100000u /* when there is no descriptor or memory for another connection */
#define STALL_S 30u
#define STALL_BYTES 16384u
#define LINGER_US 5000000u    /* for the peer to close after the last answer */
#define LOOK_MAX_US 5000000u  /* between two looks for connections that stall */
#define SLOW_HEAD_US 1000000u /* who is crowded out though it has begun a request */
#define CROWD_SHARE 64u       /* of those that rest so many parts go at once: a look at all of them is not for one */

/* --- requests --- */
/* Bytes that are not here yet count while they are under way: false = there are too many. */
static bool count(struct fn_http_req *r, size_t max)
{
	uint64_t left = fn_h1_body_left(r->h1), n = left < max ? left : max;

	r->account = r->h1->take == FN_H1_PIECES ? r->h->cfg.streamed : r->h->cfg.kept;
	if (!r->account || n == 0)
		return true;
	if (!fn_bodies_take(r->account, r->peer, n))
		return false;
	r->counted = n;
	return true;
}

/* The head is there: the target is cut in path and query. */
static bool on_elsewhere(void *arg, struct fn_h1_conn *c, struct fn_h1 *h1, const char *ahead, size_t n)
{
	struct fn_http_req *r = arg;
	char *target = (char *)fn_h1_target(h1), *q = strchr(target, '?');

	(void)c;
	r->h1 = h1;
	r->query = q ? (size_t)(q - target) + 1 : strlen(target);
	if (q)
		*q = '\0';
	if (!r->h->cfg.ops->elsewhere)
		return false;
	r->ahead = ahead;
	r->n_ahead = n;
	return r->h->cfg.ops->elsewhere(r->h->cfg.arg, r);
}

static size_t on_body_max(void *arg, struct fn_h1_conn *c, struct fn_h1 *h1, size_t ahead)
{
	struct fn_http_req *r = arg;
	uint64_t left = fn_h1_body_left(h1);
	size_t max;

	(void)c;
	r->here = left <= ahead;
	max = r->h->cfg.ops->body_max ? r->h->cfg.ops->body_max(r->h->cfg.arg, r) : r->h->cfg.body_max;
	if (h1->take != FN_H1_NOTHING && left != UINT64_MAX && left > max) {
		h1->too_large = true;
		h1->take = FN_H1_NOTHING;
	} else if (h1->take != FN_H1_NOTHING && !r->here && !count(r, max)) {
		r->crowded = true;
		h1->take = FN_H1_NOTHING;
	}
	if (h1->take == FN_H1_PIECES || h1->take == FN_H1_BOTH)
		r->state = FN_HTTP_COMING;
	return max;
}

static void on_piece(void *arg, struct fn_h1_conn *c, const char *data, size_t len)
{
	struct fn_http_req *r = arg;

	(void)c;
	r->h->cfg.ops->piece(r->h->cfg.arg, r, data, len);
}

static void on_cut(void *arg, struct fn_h1_conn *c)
{
	struct fn_http_req *r = arg;

	(void)c;
	if (r->state != FN_HTTP_COMING)
		return;
	r->state = FN_HTTP_NONE;
	r->h->cfg.ops->cut(r->h->cfg.arg, r);
}

static void on_drained(void *arg, struct fn_h1_conn *c)
{
	struct fn_http_req *r = arg;

	(void)c;
	r->waits = false;
	if (r->drained)
		r->drained(r->drained_arg);
	else
		r->h->cfg.ops->drained(r->h->cfg.arg, r);
}

static unsigned count_hosts(const struct fn_h1 *h1)
{
	const char *name, *value;
	unsigned at = 0, n = 0;

	while (fn_h1_next_header(h1, &at, &name, &value))
		n += strcasecmp(name, "Host") == 0;
	return n;
}

void fn_http_req_deliver(struct fn_http_req *r)
{
	r->state = FN_HTTP_DELIVERED;
	r->shared->active++;
	r->h->cfg.ops->request(r->h->cfg.arg, r);
}

static void on_request(void *arg, struct fn_h1_conn *c, struct fn_h1 *h1)
{
	struct fn_http_req *r = arg;
	unsigned hosts = count_hosts(h1);

	r->served++;
	if (hosts > 1 || (hosts == 0 && !h1->http10)) { /* RFC 9112, 3.2 */
		on_cut(r, c);
		fn_h1_conn_refuse(c, 400);
		return;
	}
	if (h1->take != FN_H1_PIECES) /* what counts is on its way */
		fn_http_req_uncount(r);
	if (r->party && r->party->holds) {
		r->state = FN_HTTP_HELD;
		fn_list_push_back(&r->party->held, &r->held);
	} else {
		fn_http_req_deliver(r);
	}
}

static void on_answered(void *arg, struct fn_h1_conn *c)
{
	struct fn_http_req *r = arg;

	(void)c;
	if (r->state == FN_HTTP_REPLIED) { /* else it is a refusal of ours */
		r->shared->active--;
		r->rests_us = fn_loop_now_us(r->h->loop);
	}
	fn_http_req_forget(r);
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

void fn_http_req_leave(struct fn_http_req *r)
{
	fn_list_remove(&r->link);
	if (--r->h->n_conns < r->h->cfg.conn_max)
		resume(r->h);
	if (!r->party)
		return;
	fn_list_remove(&r->of_party);
	fn_list_remove(&r->held);
	r->party->n_conns--;
	if (r->party->left)
		r->party->left(r->party);
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

	(void)c;
	fn_http_req_leave(r);
	on_cut(r, c);
	if (r->state == FN_HTTP_HELD)
		r->state = FN_HTTP_NONE;
	if (r->state != FN_HTTP_NONE)
		r->shared->active--;
	if (r->state != FN_HTTP_DELIVERED && r->state != FN_HTTP_STREAMING) {
		fn_http_req_free(r);
		return;
	}
	r->kept = *r->h1; /* its strings and its body stay what they are until the reply */
	r->h1->text = r->h1->body = (struct fn_buf){0};
	r->h1 = &r->kept;
	r->c = NULL;
	if (r->gone) {
		void (*gone)(void *arg) = r->gone;

		r->gone = NULL;
		gone(r->gone_arg);
		return;
	}
	if (r->waits)
		on_drained(r, c);
}

void fn_http_req_drop(struct fn_http_req *r)
{
	struct fn_h1_conn *c = r->c;

	on_closed(r, c);
	fn_h1_conn_close(c);
}

static const struct fn_h1_ops conn_ops = {
	.elsewhere = on_elsewhere, .body_max = on_body_max, .request = on_request, .closed = on_closed, .answered = on_answered, .piece = on_piece,
	.cut = on_cut, .drained = on_drained, .half_close = true, .head_max = FN_HTTPD_HEAD_MAX,
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

		if (r->state == FN_HTTP_NONE && r->rests_us <= before && fn_h1_conn_phase(r->c, &moved) == phase)
			v[n++] = (struct fn_crowd_one){.peer = r->peer, .since_us = r->rests_us, .who = r};
	}
	fn_crowd_sort(v, n);
	most = n / CROWD_SHARE + 1;
	for (size_t i = 0; i < n && i < most; i++)
		fn_http_req_drop(v[i].who);
	free(v);
	return n > 0;
}

bool fn_httpd_make_room(struct fn_httpd *h)
{
	uint64_t now = fn_loop_now_us(h->loop);

	return h->n_conns < h->cfg.conn_max || crowd_out(h, FN_H1_IDLE, now) || (now > SLOW_HEAD_US && crowd_out(h, FN_H1_HEAD_COMES, now - SLOW_HEAD_US));
}

int fn_httpd_add(struct fn_httpd *h, int fd, uint64_t peer, struct fn_http_party *party, struct fn_http_req **ret_req)
{
	struct fn_http_req *r = h->n_conns < h->cfg.conn_max ? calloc(1, sizeof(*r)) : NULL;
	int ret;

	if (!r) {
		fn_close(fd);
		return h->n_conns < h->cfg.conn_max ? -ENOMEM : -ENOBUFS;
	}
	r->since_us = r->rests_us = fn_loop_now_us(h->loop);
	r->peer = peer;
	r->role = h->cfg.role;
	r->shared = &h->shared;
	ret = fn_h1_conn_new(h->server, fd, &conn_ops, r, &r->c);
	if (ret < 0) {
		free(r);
		return ret;
	}
	if (h->cfg.takes_clients)
		fn_h1_conn_takes_client(r->c);
	remember_conn(h, r);
	if (party) {
		r->party = party;
		party->refs++;
		party->n_conns++;
		fn_list_push_back(&party->conns, &r->of_party);
	}
	if (ret_req)
		*ret_req = r;
	return 0;
}

static void on_accept(void *arg, int fd, uint32_t events)
{
	struct fn_httpd *h = arg;

	(void)events;
	if (!fn_httpd_make_room(h)) {
		pause_accepting(h);
		return;
	}
	for (int i = 0; i < ACCEPTS && h->n_conns < h->cfg.conn_max; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int c = accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

		if (c >= 0 && h->cfg.admit && !h->cfg.admit(h->cfg.admit_arg, c)) {
			fn_close(c);
		} else if (c >= 0) {
			(void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			(void)fn_httpd_add(h, c, fn_crowd_peer(&from), NULL, NULL);
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
		fn_http_req_drop(r);
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
	h->shared.closing = true;
}

static bool waits_for_request(const struct fn_http_req *r)
{
	uint64_t moved;
	enum fn_h1_phase phase = fn_h1_conn_phase(r->c, &moved);

	return r->state == FN_HTTP_NONE && (phase == FN_H1_IDLE || phase == FN_H1_HEAD_COMES);
}

/* Its head has come, and the rest is on its way, or waits for its party. */
static bool is_coming(const struct fn_http_req *r)
{
	uint64_t moved;

	return r->state == FN_HTTP_COMING || r->state == FN_HTTP_HELD || (r->state == FN_HTTP_NONE && fn_h1_conn_phase(r->c, &moved) == FN_H1_BODY_COMES);
}

static void end_conns(struct fn_httpd *h, bool coming)
{
	fn_list_for_each_safe(l, &h->conns)
	{
		struct fn_http_req *r = fn_list_entry(l, struct fn_http_req, link);

		if (waits_for_request(r) || (coming && is_coming(r)))
			fn_http_req_drop(r);
	}
}

void fn_httpd_last(struct fn_httpd *h)
{
	fn_list_for_each(l, &h->conns) fn_list_entry(l, struct fn_http_req, link)->last = true;
}

void fn_httpd_let_go(struct fn_httpd *h)
{
	fn_httpd_last(h);
	end_conns(h, false);
}

/* Some of it came within the last `us`, as far as that was looked at. */
static bool comes_on(struct fn_http_req *r, uint64_t now, uint64_t us)
{
	uint64_t moved;

	(void)fn_h1_conn_phase(r->c, &moved);
	if (r->expected_us == 0 || moved != r->expected_moved) {
		r->expected_moved = moved;
		r->expected_us = now;
	}
	return now - r->expected_us < us;
}

bool fn_httpd_expects(struct fn_httpd *h, uint64_t us, uint64_t rest_us)
{
	uint64_t now = fn_loop_now_us(h->loop);
	bool any = false;

	fn_list_for_each(l, &h->conns) /* each is looked at, each time */
	{
		struct fn_http_req *r = fn_list_entry(l, struct fn_http_req, link);

		if (is_coming(r) ? comes_on(r, now, rest_us) : now - r->rests_us < us && waits_for_request(r))
			any = true;
	}
	return any;
}

void fn_httpd_hang_up(struct fn_httpd *h) { end_conns(h, true); }

unsigned fn_httpd_active(const struct fn_httpd *h) { return h->shared.active; }

void fn_httpd_free(struct fn_httpd *h)
{
	if (!h)
		return;
	fn_httpd_quiesce(h);
	fn_loop_clear(h->loop, &h->look);
	fn_loop_clear(h->loop, &h->resume);
	fn_list_for_each_safe(l, &h->conns)
		fn_http_req_drop(fn_list_entry(l, struct fn_http_req, link));
	fn_h1_server_free(h->server);
	free(h);
}

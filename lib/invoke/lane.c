/* lane.c - a lane, in its own thread: lanes.h. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "invoke/internal.h"
#include "invoke/invoker.h"
#include "web/h1conn.h"

#define GRACE_US 100000u /* until an idle environment goes back, at most: only there can it make room for another */
#define ROUTES_MAX 1024u /* they are copies: beyond that all are dropped, and fetched again */

static void to_main(struct fn_lane *l, struct message *m) { fn_outbox_post(&l->out, l->lanes->in, m); }

/* --- what goes back --- */
static void on_give_back(void *arg, struct fn_worker *w)
{
	struct fn_lane *l = arg;
	struct message *m = fn_message_new(WORK, l);
	struct fn_invocation *i = fn_worker_invocation(w);

	m->worker = w;
	if (i) {
		m->req = ticket_of(i)->req;
		fn_ticket_leave(ticket_of(i), true);
	}
	to_main(l, m);
}

static void on_pass_on(void *arg, struct fn_invocation *i)
{
	struct fn_lane *l = arg;
	struct message *m = fn_message_new(WORK, l);

	m->inv = i;
	m->req = ticket_of(i)->req;
	fn_ticket_leave(ticket_of(i), true);
	to_main(l, m);
}

static const struct fn_pool_borrower_ops borrower_ops = {on_give_back, on_pass_on};

void fn_lane_pass(struct fn_lane *l, struct fn_http_req *req)
{
	struct message *m = fn_message_new(WORK, l);

	m->req = req;
	to_main(l, m);
}

bool fn_lane_place(struct fn_lane *l, struct fn_invocation *i)
{
	uint64_t now = fn_loop_now_us(l->loop), main;
	unsigned to;

	l->requests++;
	if (fn_share_count(&l->share, now)) {
		main = l->lanes->requests;
		fn_share_window(&l->share, now, fn_clock_thread_us(), &main, fn_httpd_lively(l->httpd));
	}
	if (l->share.due == 0 || !fn_share_due(&l->share, &to) || !fn_pool_give_back_one(l->pool, i->function))
		return false;
	fn_share_given(&l->share);
	on_pass_on(l, fn_invocation_ref(i));
	return true;
}

/* --- logs and counts: before whoever they are about is seen in the main loop --- */
static void on_logs(void *arg, const char *function, struct fn_buf *text)
{
	struct fn_lane *l = arg;
	struct message *m = fn_message_new(LOGS, l);

	m->name = strdup(function);
	m->text = *text;
	*text = (struct fn_buf){0};
	to_main(l, m);
}

static void send_counts(struct fn_lane *l)
{
	static const struct fn_load_counts none;
	struct fn_load *load;
	size_t it = 0;

	while ((load = fn_load_next(l->invoker->loads, &it))) {
		if (memcmp(&load->n, &none, sizeof(none)) != 0) {
			struct message *m = fn_message_new(COUNTS, l);

			m->name = strdup(load->function);
			m->counts = load->n;
			load->n = none;
			to_main(l, m);
		}
		if (load->running == 0)
			fn_load_forget(l->invoker->loads, load->function);
	}
}

static void before_sending(void *arg)
{
	struct fn_lane *l = arg;

	fn_logs_flush(l->logs);
	send_counts(l);
}

/* --- messages --- */
static void forget_routes(struct fn_lane *l)
{
	struct fn_route_copy *c;
	size_t it = 0;

	while ((c = fn_map_next(l->routes, &it))) {
		fn_map_remove(l->routes, fn_route_copy_key(c));
		fn_route_copy_free(c);
	}
}

static void learn(struct fn_lane *l, struct message *m)
{
	void *old = NULL;

	if (!m->route)
		return;
	if (fn_map_count(l->routes) >= ROUTES_MAX)
		forget_routes(l);
	if (fn_map_set(l->routes, fn_route_copy_key(m->route), m->route, &old) < 0)
		old = m->route;
	fn_route_copy_free(old);
}

static void on_work(struct fn_lane *l, struct message *m)
{
	struct fn_load *load = fn_load_get(l->invoker->loads, m->inv->function->name);
	struct fn_load_part *part = NULL;

	learn(l, m);
	fn_http_req_attach(m->req, l->httpd);
	l->requests++;
	if (!load)
		abort(); /* no memory */
	(void)fn_load_admit(l->invoker->loads, load, m->inv->function->version, &part); /* it is admitted: only counted */
	fn_ticket_enter(ticket_of(m->inv), l->invoker, load, part);
	fn_pool_borrow(l->pool, m->worker, m->inv);
}

static void on_drain(struct fn_lane *l)
{
	struct fn_http_req *req;

	fn_pool_give_back_all(l->pool); /* what waits for them is passed on */
	fn_outbox_send(&l->out);
	while ((req = fn_httpd_any(l->httpd))) {
		fn_lane_pass(l, req);
		fn_outbox_send(&l->out);
	}
	to_main(l, fn_message_new(ENDED, l));
	fn_outbox_send(&l->out);
	fn_loop_stop(l->loop);
}

static void on_message(void *arg, struct fn_list *link)
{
	struct fn_lane *l = arg;
	struct message *m = fn_list_entry(link, struct message, link), *reply;

	switch (m->kind) {
	case WORK:
		on_work(l, m);
		break;
	case RECALL:
		reply = fn_message_new(SETTLED, l);
		reply->more = fn_pool_give_back_spare(l->pool, m->name, m->version, m->most) == m->most;
		reply->recall = m->recall;
		to_main(l, reply);
		break;
	case RECALL_ONE:
		fn_pool_give_back(l->pool, m->sandbox);
		break;
	case DRAIN:
		on_drain(l);
		break;
	default:
		break;
	}
	fn_message_free(m);
}

/* --- routes --- */
struct fn_function *fn_lane_route(struct fn_lane *l, const char *name, const char *qualifier)
{
	char key[FN_ROUTE_KEY_SIZE];
	struct fn_route_copy *c = fn_map_get(l->routes, fn_route_key(name, qualifier, key));
	struct fn_function *f = c ? fn_route_copied(c) : NULL;

	if (c && !f) {
		fn_map_remove(l->routes, key);
		fn_route_copy_free(c);
	}
	return f;
}

/* --- making --- */
struct fn_invoker *fn_lane_invoker(struct fn_lane *l) { return l->invoker; }

int fn_lane_make(struct fn_lane *l, struct fn_lanes *ls)
{
	uint64_t grace = ls->cfg.freeze_grace_us;
	struct fn_pool_config pool = {.borrower = &borrower_ops, .borrower_arg = l, .freeze_grace_us = grace < GRACE_US ? grace : GRACE_US};
	struct fn_err err;
	int r;

	l->lanes = ls;
	r = fn_loop_new(&l->loop);
	if (r == 0)
		r = fn_mailbox_new(l->loop, on_message, l, &l->in);
	if (r == 0)
		r = fn_h1_server_new(l->loop, &l->rt_server);
	if (r == 0)
		r = fn_logs_new_relay(l->loop, on_logs, l, &l->logs);
	if (r == 0)
		r = fn_map_new(&l->routes);
	if (r < 0)
		return r;
	pool.loop = l->loop;
	pool.rt_server = l->rt_server;
	pool.logs = l->logs;
	r = fn_pool_new(&pool, &l->pool, &err);
	if (r == 0)
		r = fn_invoker_new(l->pool, UINT32_MAX, &l->invoker);
	if (r < 0)
		return r;
	l->invoker->lane = l;
	fn_outbox_init(&l->out, l->loop, before_sending, l);
	fn_share_init(&l->share, 1, ls->cfg.least_percent);
	return 0;
}

void fn_lane_free(struct fn_lane *l)
{
	if (!l->loop)
		return;
	if (l->routes)
		forget_routes(l);
	fn_map_free(l->routes);
	fn_mailbox_free(l->in);
	fn_httpd_free(l->httpd);
	fn_invoker_free(l->invoker);
	fn_pool_free(l->pool);
	fn_h1_server_free(l->rt_server);
	fn_logs_free(l->logs);
	fn_loop_free(l->loop);
}

static void *run(void *arg)
{
	struct fn_lane *l = arg;
	int r = fn_loop_run(l->loop);

	if (r < 0) { /* with its connections and environments unreachable nothing can be answered for */
		fn_log_error("an event loop has failed: %s", strerror(-r));
		abort();
	}
	return NULL;
}

int fn_lane_start(struct fn_lane *l, const struct fn_httpd_config *http, struct fn_err *err)
{
	sigset_t all, before;
	int r = fn_httpd_new(l->loop, http, &l->httpd, err);

	if (r < 0)
		return r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return fn_err_set(err, r, "event loops", "thread");
	l->started = true;
	return 0;
}

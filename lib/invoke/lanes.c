/* lanes.c - the main loop's side of lanes.h: who is handed over, what has come back, what is asked for. */
#include "invoke/lanes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "invoke/internal.h"

#define PARKED_RECALL 16u /* units of concurrency asked back for an invocation that finds none, and those that come right behind it */

/* An environment in a lane, and the unit of concurrency that it holds. */
struct lease {
	struct fn_lane *lane;
	struct fn_load *load;
	struct fn_load_part *part;
};

/* What serves nothing in lanes is asked back. */
struct recall {
	struct fn_list link;
	enum { FOR_POOL, FOR_PARKED, FOR_CALLER } why;
	char *function, *version; /* NULL = all */
	unsigned pending;         /* lanes that have not answered */
	bool more;                /* one that has may have more */
	struct fn_list parked;    /* FOR_PARKED: invocations that wait for it, in the order of their coming */
	void (*fn)(void *arg);    /* FOR_CALLER */
	void *arg;
};

/* --- handing over --- */
static bool is_due(struct fn_lanes *ls, unsigned *ret_to)
{
	uint64_t now = fn_loop_now_us(ls->cfg.loop), requests[FN_SHARE_LOOPS_MAX];

	ls->requests++;
	if (fn_share_count(&ls->share, now)) {
		for (unsigned i = 0; i < ls->n; i++)
			requests[i] = ls->lane[i].requests;
		fn_share_window(&ls->share, now, fn_clock_thread_us(), requests, fn_httpd_lively(ls->httpd));
	}
	return fn_share_due(&ls->share, ret_to);
}

bool fn_lanes_place(struct fn_lanes *ls, struct fn_invocation *i, const char *qualifier)
{
	struct ticket *t = ticket_of(i);
	struct fn_worker *w;
	struct lease *lease;
	struct message *m;
	unsigned to;

	if (!ls->httpd || ls->draining || !is_due(ls, &to))
		return false;
	lease = malloc(sizeof(*lease));
	w = lease ? fn_pool_lend(ls->cfg.pool, i, lease) : NULL;
	if (!w) {
		free(lease);
		return false;
	}
	*lease = (struct lease){&ls->lane[to], t->load, t->part};
	fn_ticket_leave(t, false);
	ls->lane[to].n_leases++;
	m = fn_message_new(WORK, &ls->lane[to]);
	m->req = t->req;
	m->inv = fn_invocation_ref(i);
	m->worker = w;
	m->route = fn_route_copy_new(ls->cfg.store, i->function->name, qualifier);
	fn_outbox_post(&ls->out, ls->lane[to].in, m);
	fn_share_given(&ls->share);
	return true;
}

/* --- asking back --- */
/* NULL: no lane has anything, or everything is on its way already. */
static struct recall *recall(struct fn_lanes *ls, int why, const char *function, const char *version, unsigned most)
{
	struct recall *r;
	unsigned n = 0;

	for (unsigned i = 0; i < ls->n && !ls->draining; i++)
		n += ls->lane[i].n_leases > 0;
	if (n == 0)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		abort(); /* whoever waits for it would do so forever */
	*r = (struct recall){.why = why, .function = fn_strdup_opt(function), .version = fn_strdup_opt(version), .pending = n};
	fn_list_init(&r->parked);
	fn_list_push_back(&ls->recalls, &r->link);
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->lane[i].n_leases > 0) {
			struct message *m = fn_message_new(RECALL, &ls->lane[i]);

			m->name = fn_strdup_opt(function);
			m->version = fn_strdup_opt(version);
			m->most = most;
			m->recall = r;
			fn_outbox_post(&ls->out, ls->lane[i].in, m);
		}
	return r;
}

void fn_lanes_settle(struct fn_lanes *ls, void (*fn)(void *arg), void *arg)
{
	struct recall *r = ls ? recall(ls, FOR_CALLER, NULL, NULL, 0) : NULL;

	if (!r) {
		fn(arg);
		return;
	}
	r->fn = fn;
	r->arg = arg;
}

bool fn_lanes_park(struct fn_lanes *ls, struct fn_invocation *i, bool of_function)
{
	const char *function = of_function ? i->function->name : NULL;
	struct recall *r = NULL;

	fn_list_for_each(l, &ls->recalls)
	{
		struct recall *other = fn_list_entry(l, struct recall, link);

		if (other->why == FOR_PARKED && !function == !other->function && (!function || fn_streq(function, other->function)))
			r = other;
	}
	if (!r)
		r = recall(ls, FOR_PARKED, function, NULL, PARKED_RECALL);
	if (r)
		fn_list_push_back(&r->parked, &fn_invocation_ref(i)->link);
	return r != NULL;
}

static void on_recall_spare(void *arg, const struct fn_function *f, unsigned most)
{
	struct fn_lanes *ls = arg;

	(void)recall(ls, FOR_POOL, f->name, f->version, most); /* draining: everything comes, then ENDED */
}

static void on_recall(void *arg, struct fn_worker *w)
{
	struct fn_lanes *ls = arg;
	struct lease *lease = fn_worker_lease(w);
	struct message *m;

	if (ls->draining)
		return;
	m = fn_message_new(RECALL_ONE, lease->lane);
	m->sandbox = fn_worker_sandbox(w);
	fn_outbox_post(&ls->out, lease->lane->in, m);
}

static const struct fn_pool_lender_ops lender_ops = {on_recall, on_recall_spare};

/* --- what has come back --- */
/* Its function may have been changed since; then the new one is as right. */
static void admit_here(struct fn_lanes *ls, struct fn_invocation *i, bool settled)
{
	struct fn_function *now = fn_store_serving(ls->cfg.store, fn_store_get(ls->cfg.store, i->function->name, i->function->version));

	if (!now) {
		struct fn_err gone;

		fn_err_set(&gone, ENOENT, FN_INVOKE_DELETED, "%s", i->invoked_arn);
		fn_invocation_fail(i, &gone);
	} else {
		if (now != i->function) {
			fn_function_unref(i->function);
			i->function = fn_function_ref(now);
		}
		fn_invoke_admit(ls->cfg.invoker, i, NULL, settled);
	}
	fn_invocation_unref(i);
}

static void on_recalled(struct fn_lanes *ls, struct recall *r, bool more)
{
	struct fn_list *l;

	r->more = r->more || more;
	if (--r->pending > 0)
		return;
	fn_list_remove(&r->link);
	if (r->why == FOR_POOL)
		fn_pool_recalled(ls->cfg.pool, r->function, r->version, r->more);
	else if (r->why == FOR_CALLER)
		r->fn(r->arg);
	while ((l = fn_list_first(&r->parked))) {
		fn_list_remove(l);
		admit_here(ls, fn_list_entry(l, struct fn_invocation, link), !r->more); /* more of them may have come than were asked for */
	}
	free(r->function);
	free(r->version);
	free(r);
}

static void on_worker(struct fn_lanes *ls, struct message *m)
{
	struct lease *lease = fn_worker_lease(m->worker);
	struct fn_invocation *i = fn_worker_invocation(m->worker);

	lease->lane->n_leases--;
	if (i) /* what the lease held is the invocation's now */
		fn_ticket_enter(ticket_of(i), ls->cfg.invoker, lease->load, lease->part);
	else
		fn_load_done(ls->cfg.invoker->loads, lease->load, lease->part);
	free(lease);
	fn_pool_take_back(ls->cfg.pool, m->worker);
}

static void on_work(struct fn_lanes *ls, struct message *m)
{
	if (m->req)
		fn_http_req_attach(m->req, ls->httpd);
	if (m->worker)
		on_worker(ls, m);
	else if (m->inv)
		admit_here(ls, m->inv, false);
	else if (fn_http_req_delivered(m->req))
		fn_http_req_deliver(m->req);
}

static void on_counts(struct fn_lanes *ls, const struct message *m)
{
	struct fn_load *load = fn_load_find(ls->cfg.invoker->loads, m->name);

	if (load)
		fn_load_add(load, &m->counts);
}

static void on_message(void *arg, struct fn_list *link)
{
	struct fn_lanes *ls = arg;
	struct message *m = fn_list_entry(link, struct message, link);

	switch (m->kind) {
	case WORK:
		on_work(ls, m);
		break;
	case LOGS:
		if (fn_store_get(ls->cfg.store, m->name, NULL)) /* else its log has been removed with it */
			fn_logs_add(ls->cfg.logs, m->name, m->text.data, m->text.len);
		break;
	case COUNTS:
		on_counts(ls, m);
		break;
	case SETTLED:
		on_recalled(ls, m->recall, m->more);
		break;
	case ENDED:
		m->lane->ended = true;
		if (fn_lanes_drained(ls))
			fn_pool_recalled(ls->cfg.pool, NULL, NULL, false);
		break;
	default:
		break;
	}
	fn_message_free(m);
}

int fn_lanes_metrics(const struct fn_lanes *ls, struct fn_buf *out)
{
	int r = fn_buf_addf(out, "# HELP fnd_loop_invocations_total Invocations that came to an event loop; 0 is the first.\n"
				 "# TYPE fnd_loop_invocations_total counter\nfnd_loop_invocations_total{loop=\"0\"} %llu\n",
			    (unsigned long long)ls->requests);

	for (unsigned i = 0; i < ls->n && r == 0; i++)
		r = fn_buf_addf(out, "fnd_loop_invocations_total{loop=\"%u\"} %llu\n", i + 1, (unsigned long long)ls->lane[i].requests);
	return r;
}

/* --- beginning and end --- */
int fn_lanes_new(const struct fn_lanes_config *config, struct fn_lanes **ret, struct fn_err *err)
{
	struct fn_lanes *ls = calloc(1, sizeof(*ls) + config->n * sizeof(ls->lane[0]));
	int r;

	if (!ls)
		return fn_err_set(err, ENOMEM, "event loops", NULL);
	ls->cfg = *config;
	ls->n = config->n;
	fn_list_init(&ls->recalls);
	fn_outbox_init(&ls->out, config->loop, NULL, NULL);
	fn_share_init(&ls->share, config->n, config->least_percent);
	r = fn_mailbox_new(config->loop, on_message, ls, &ls->in);
	for (unsigned i = 0; i < config->n && r == 0; i++)
		r = fn_lane_make(&ls->lane[i], ls);
	if (r < 0) {
		fn_lanes_free(ls);
		return fn_err_set(err, r, "event loops", NULL);
	}
	fn_pool_set_lender(config->pool, &lender_ops, ls);
	config->invoker->lanes = ls;
	*ret = ls;
	return 0;
}

unsigned fn_lanes_count(const struct fn_lanes *ls) { return ls->n; }
struct fn_lane *fn_lanes_at(struct fn_lanes *ls, unsigned i) { return &ls->lane[i]; }

int fn_lanes_start(struct fn_lanes *ls, struct fn_httpd *main, const struct fn_httpd_config *http, void *const *handlers, struct fn_err *err)
{
	struct fn_httpd_config c = *http;
	int r = 0;

	c.listen_fd = -EBADF;
	c.main = main;
	for (unsigned i = 0; i < ls->n && r == 0; i++) {
		c.arg = handlers[i];
		r = fn_lane_start(&ls->lane[i], &c, err);
	}
	if (r == 0)
		ls->httpd = main;
	return r;
}

void fn_lanes_drain(struct fn_lanes *ls)
{
	for (unsigned i = 0; i < ls->n && !ls->draining; i++)
		if (ls->lane[i].started)
			fn_outbox_post(&ls->out, ls->lane[i].in, fn_message_new(DRAIN, &ls->lane[i]));
	ls->draining = true;
}

bool fn_lanes_drained(const struct fn_lanes *ls)
{
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->lane[i].started && !ls->lane[i].ended)
			return false;
	return true;
}

void fn_lanes_free(struct fn_lanes *ls)
{
	if (!ls)
		return;
	fn_lanes_drain(ls);
	fn_outbox_send(&ls->out);
	for (unsigned i = 0; i < ls->n; i++) {
		if (ls->lane[i].started)
			pthread_join(ls->lane[i].thread, NULL);
		fn_lane_free(&ls->lane[i]);
	}
	fn_mailbox_free(ls->in);
	free(ls);
}

/*
 * pool.c - see pool.h. A worker's state changes only in set_state(), which keeps the counters; what may follow what is in one table.
 */
#include "pool/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "pool/policy.h"
#include "pool/worker.h"

#define PATIENCE_US 3000u
#define DRAIN_US 2000u

#define TO(s) (1u << FN_WORKER_##s)
static const unsigned may_follow[FN_WORKER_STATES] = {
	[FN_WORKER_SPAWNING] = TO(INIT) | TO(ENDING),
	[FN_WORKER_INIT] = TO(IDLE) | TO(ENDING),
	[FN_WORKER_IDLE] = TO(BUSY) | TO(ENDING),
	[FN_WORKER_BUSY] = TO(FINISHING) | TO(ENDING),
	[FN_WORKER_FINISHING] = TO(IDLE) | TO(ENDING),
	[FN_WORKER_ENDING] = 0,
};

static void dispatch(struct fn_group *g);
static void finish_dead(struct fn_worker *w);

static uint64_t now_us(const struct fn_pool *p) { return fn_loop_now_us(p->cfg.loop); }
static struct fn_worker *worker_of(struct fn_list *l) { return fn_list_entry(l, struct fn_worker, link); }

static void set_state(struct fn_worker *w, enum fn_worker_state to)
{
	if (!(may_follow[w->state] & (1u << to))) {
		fn_log_error("environment of %s: state %d cannot follow %d", w->group->function->name, to, w->state);
		abort();
	}
	w->group->count[w->state]--;
	w->group->count[to]++;
	w->state = to;
	if (to == FN_WORKER_IDLE) { /* most recently used first */
		fn_list_remove(&w->link);
		fn_list_push_front(&w->group->workers, &w->link);
	}
}

static void arm(struct fn_worker *w, uint64_t at) { (void)fn_loop_rearm_timer(w->group->pool->cfg.loop, w->timer, at); }

static uint64_t cost_of(const struct fn_worker *w)
{
	return fn_policy_cost(w->memory_peak, (uint64_t)w->group->function->memory_mb << 20);
}

static void set_peak(struct fn_worker *w, uint64_t before)
{
	w->group->pool->memory_used += cost_of(w) - before;
}

/* --- groups --- */
static struct fn_group *group_get(struct fn_pool *p, struct fn_function *f)
{
	char key[256];
	struct fn_group *g;

	snprintf(key, sizeof(key), "%s:%s:%" PRIu64, f->name, f->version, f->generation);
	g = fn_map_get(p->groups, key);
	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g || !(g->key = strdup(key)) || fn_map_set(p->groups, key, g, NULL) < 0) {
		free(g);
		return NULL;
	}
	g->pool = p;
	g->function = fn_function_ref(f);
	fn_list_init(&g->workers);
	fn_list_init(&g->waiting);
	fn_pool_prestart(p, f);
	return g;
}

static void group_release(struct fn_group *g)
{
	if (!g->retired || !fn_list_empty(&g->workers) || !fn_list_empty(&g->waiting))
		return;
	fn_map_remove(g->pool->groups, g->key);
	fn_loop_clear(g->pool->cfg.loop, &g->patience);
	fn_function_unref(g->function);
	free(g->key);
	free(g);
}

static void wait_in(struct fn_group *g, struct fn_invocation *inv)
{
	fn_list_push_back(&g->waiting, &inv->link);
	g->n_waiting++;
}

static struct fn_invocation *wait_out(struct fn_group *g)
{
	struct fn_list *l = fn_list_first(&g->waiting);

	if (!l)
		return NULL;
	fn_list_remove(l);
	g->n_waiting--;
	return fn_list_entry(l, struct fn_invocation, link);
}

/* END and REPORT, if they are due. */
static void report(void *arg)
{
	struct fn_worker *w = arg;
	struct fn_invocation *inv = fn_take_ptr(w->report.inv);
	uint64_t before = cost_of(w);

	if (!inv)
		return;
	fn_deferred_cancel(&w->report.later);
	fn_worker_read_output(w);
	fn_worker_flush_output(w);
	fn_worker_report(w, inv, w->report.end_us, w->report.status);
	set_peak(w, before);
	fn_invocation_unref(inv);
}

/* --- the end of an environment --- */
static void worker_end(struct fn_worker *w)
{
	if (w->state == FN_WORKER_ENDING)
		return;
	if (w->state == FN_WORKER_SPAWNING && w->request)
		fn_spawn_cancel(w->group->pool->spawn, w->request);
	set_state(w, FN_WORKER_ENDING);
	if (w->sandbox && !w->gone)
		fn_spawn_kill(w->group->pool->spawn, w->sandbox);
	else /* there is no exit to wait for */
		arm(w, 0);
}

static void worker_free(struct fn_worker *w)
{
	struct fn_group *g = w->group;
	struct fn_pool *p = g->pool;

	report(w);
	p->memory_used -= cost_of(w);
	if (w->sandbox)
		fn_map_remove_u64(p->sandboxes, w->sandbox);
	fn_loop_clear(p->cfg.loop, &w->output_io);
	fn_loop_clear(p->cfg.loop, &w->timer);
	fn_rt_close(w->rt);
	fn_close(w->output_fd);
	fn_close(w->freeze_fd);
	fn_close(w->peak_fd);
	fn_buf_free(&w->line);
	free(w->init_error);
	g->count[w->state]--;
	fn_list_remove(&w->link);
	p->workers--;
	free(w);
	if (!fn_list_empty(&g->waiting))
		dispatch(g);
	else
		group_release(g);
}

/* --- freezing --- */
static void freeze(struct fn_worker *w, bool on)
{
	if (w->frozen == on || w->freeze_fd < 0)
		return;
	if (pwrite(w->freeze_fd, on ? "1" : "0", 1, 0) == 1)
		w->frozen = on;
	else if (!on)
		fn_log_warn("cannot thaw an environment of %s: %s", w->group->function->name, strerror(errno));
}

/* --- serving --- */
static void serve(struct fn_worker *w, struct fn_invocation *inv)
{
	uint64_t limit = (uint64_t)w->group->function->timeout_s * 1000000u;
	bool bound = w->inv == inv;
	int r;

	report(w);
	freeze(w, false);
	if (!fn_rt_waiting(w->rt) && !bound) { /* it died while it was idle: the event has not been seen by anyone, another may have it */
		fn_list_push_front(&w->group->waiting, &inv->link);
		w->group->n_waiting++;
		worker_end(w);
		return;
	}
	if (!bound) {
		w->inv = inv;
		w->delivered_us = fn_clock_mono_us();
		inv->deadline_real_ms = (fn_clock_real_us() + limit) / 1000;
		fn_worker_log(w, "START RequestId: %s Version: %s\n", inv->id, w->group->function->version);
	}
	set_state(w, FN_WORKER_BUSY);
	arm(w, w->delivered_us + limit);
	r = fn_rt_deliver(w->rt, inv);
	if (r < 0) { /* its connection died between `next` and now */
		fn_log_warn("environment of %s: %s", w->group->function->name, strerror(-r));
		worker_end(w);
	}
}

static void became_idle(struct fn_worker *w)
{
	struct fn_group *g = w->group;
	struct fn_invocation *inv;

	set_state(w, FN_WORKER_IDLE);
	if (w->inv) { /* a repeated init, within an invocation that is under way already */
		serve(w, w->inv);
		return;
	}
	inv = wait_out(g);
	if (inv) {
		serve(w, inv);
		return;
	}
	if (g->retired) {
		worker_end(w);
		return;
	}
	w->idle_since_us = now_us(g->pool);
	arm(w, w->idle_since_us + g->pool->cfg.freeze_grace_us);
}

/* The invocation is over; the environment goes on (or is about to be ended by the caller). */
static void finish(struct fn_worker *w, enum fn_inv_outcome outcome, char *result, size_t len, const char *status)
{
	struct fn_invocation *inv = w->inv;

	w->report.inv = fn_invocation_ref(inv);
	w->report.end_us = fn_clock_mono_us();
	snprintf(w->report.status, sizeof(w->report.status), "%s", status);
	if (inv->want_tail) /* which must hold them; who does not want it need not wait for them */
		report(w);
	else
		fn_loop_defer(w->group->pool->cfg.loop, &w->report.later);
	w->inv = NULL;
	fn_invocation_complete(inv, outcome, result, len);
	fn_invocation_unref(inv);
}

/* --- the Runtime API's calls --- */
static void on_next(void *arg)
{
	struct fn_worker *w = arg;

	if (w->state == FN_WORKER_INIT) {
		w->ready_us = fn_clock_mono_us();
		fn_spawn_initialised(w->group->pool->spawn, w->sandbox);
		became_idle(w);
	} else if (w->state == FN_WORKER_FINISHING) {
		became_idle(w);
	}
}

static void on_response(void *arg, char *body, size_t len, const char *content_type)
{
	struct fn_worker *w = arg;

	if (w->state != FN_WORKER_BUSY || !w->inv) {
		free(body);
		return;
	}
	if (content_type[0] && strcmp(content_type, "application/json") != 0)
		w->inv->result_type = strdup(content_type);
	set_state(w, FN_WORKER_FINISHING);
	finish(w, FN_INV_RESPONSE, body, len, "");
}

static void on_error(void *arg, char *body, size_t len, const char *error_type)
{
	struct fn_worker *w = arg;
	char status[160];

	if (w->state != FN_WORKER_BUSY || !w->inv) {
		free(body);
		return;
	}
	snprintf(status, sizeof(status), "Status: error\tError Type: %s\t", error_type[0] ? error_type : "Function.Unknown");
	set_state(w, FN_WORKER_FINISHING);
	finish(w, FN_INV_FUNCTION_ERROR, body, len, status);
}

static void on_too_large(void *arg)
{
	struct fn_worker *w = arg;
	char *text = strdup("{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (6291556 bytes).\","
			    "\"errorType\":\"Function.ResponseSizeTooLarge\"}");

	if (w->state != FN_WORKER_BUSY || !w->inv) {
		free(text);
		return;
	}
	set_state(w, FN_WORKER_FINISHING);
	finish(w, FN_INV_FUNCTION_ERROR, text, text ? strlen(text) : 0, "Status: error\tError Type: Function.ResponseSizeTooLarge\t");
}

static void on_init_error(void *arg, char *body, size_t len, const char *error_type)
{
	struct fn_worker *w = arg;

	free(w->init_error);
	w->init_error = body;
	w->init_error_len = len;
	snprintf(w->error_type, sizeof(w->error_type), "%s", error_type);
	/* the runtime is to exit now; if it does not, it is made to */
	arm(w, now_us(w->group->pool) + 100000u);
}

static const struct fn_rt_ops rt_ops = {on_next, on_response, on_error, on_too_large, on_init_error};

/* --- starting --- */
static void on_output(void *arg, int fd, uint32_t events)
{
	struct fn_worker *w = arg;

	(void)fd;
	fn_worker_read_output(w);
	if ((events & EPOLLHUP) && !(events & EPOLLIN))
		fn_loop_clear(w->group->pool->cfg.loop, &w->output_io);
}

static void on_spawned(void *arg, const struct fn_err *err, struct fn_spawned *res)
{
	struct fn_worker *w = arg;
	struct fn_group *g = w->group;
	struct fn_pool *p = g->pool;

	w->request = 0;
	if (err) {
		struct fn_invocation *inv = w->inv ? fn_take_ptr(w->inv) : wait_out(g);
		char text[512];

		if (err->code == ENOENT && fn_streq(err->stage, "bootstrap") && inv) {
			char msg[512], list[256] = "";
			const struct fn_runtime *rt = fn_runtimes_find(p->cfg.runtimes, g->function->runtime);
			size_t len = 0;
			char *json;

			for (char **e = rt ? rt->exec_candidates : NULL; e && *e; e++)
				snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", list[0] ? " " : "", *e);
			snprintf(msg, sizeof(msg), "Couldn't find valid bootstrap(s): [%s]", list);
			json = fn_error_json("Runtime.InvalidEntrypoint", inv->id, msg, &len);
			fn_invocation_complete(inv, FN_INV_FUNCTION_ERROR, json, len);
		} else {
			fn_log_error("cannot start an environment of %s: %s", g->function->name, fn_err_format(err, text, sizeof(text)));
			if (inv)
				fn_invocation_fail(inv, err);
		}
		fn_invocation_unref(inv);
		w->gone = true;
		worker_end(w);
		return;
	}
	w->sandbox = res->id;
	w->output_fd = res->output_fd;
	w->freeze_fd = res->freeze_fd;
	w->peak_fd = res->peak_fd;
	w->timing = res->timing;
	w->spawned_us = fn_clock_mono_us();
	set_state(w, FN_WORKER_INIT);
	if (fn_map_set_u64(p->sandboxes, w->sandbox, w, NULL) < 0 ||
	    fn_rt_new(p->cfg.loop, p->cfg.rt_server, res->listen_fd, &rt_ops, w, &w->rt) < 0 ||
	    fn_loop_add_io(p->cfg.loop, w->output_fd, EPOLLIN, on_output, w, &w->output_io) < 0) {
		worker_end(w);
		return;
	}
	if (!w->inv) /* a repeated init is under the function's own timeout, armed already */
		arm(w, now_us(p) + p->cfg.init_timeout_us);
}

/* --- deadlines --- */
static void invocation_timed_out(struct fn_worker *w)
{
	char stamp[32], msg[128], *json;
	size_t len = 0;

	w->timed_out = true;
	snprintf(msg, sizeof(msg), "Task timed out after %d.00 seconds", w->group->function->timeout_s);
	fn_worker_read_output(w);
	fn_worker_flush_output(w);
	fn_worker_log(w, "%s %s %s\n\n", fn_clock_format_rfc3339(fn_clock_real_us(), stamp, sizeof(stamp)), w->inv->id, msg);
	json = fn_error_json("Sandbox.Timedout", w->inv->id, msg, &len);
	finish(w, FN_INV_FUNCTION_ERROR, json, len, "Status: timeout\t");
	worker_end(w);
}

static void on_timer(void *arg)
{
	struct fn_worker *w = arg;
	struct fn_pool *p = w->group->pool;

	switch (w->state) {
	case FN_WORKER_SPAWNING:
	case FN_WORKER_INIT:
		if (w->inv && !w->init_error) {
			invocation_timed_out(w);
		} else { /* also a runtime that has posted its init's error, and then does not exit */
			w->timed_out = !w->init_error;
			worker_end(w);
		}
		break;
	case FN_WORKER_BUSY:
		if (w->gone)
			worker_end(w);
		else
			invocation_timed_out(w);
		break;
	case FN_WORKER_FINISHING: /* it never came back for more */
		worker_end(w);
		break;
	case FN_WORKER_IDLE:
		if (!w->frozen && now_us(p) < w->idle_since_us + p->cfg.idle_timeout_us) {
			freeze(w, true);
			arm(w, w->idle_since_us + p->cfg.idle_timeout_us);
		} else {
			worker_end(w);
		}
		break;
	case FN_WORKER_ENDING:
		finish_dead(w);
		break;
	case FN_WORKER_STATES:
		break;
	}
}

static struct fn_worker *start_worker(struct fn_group *g, struct fn_invocation *bound)
{
	struct fn_pool *p = g->pool;
	struct fn_worker *w = calloc(1, sizeof(*w));
	struct fn_spec spec = {0};
	struct fn_err err = {0};
	int r;

	if (!w)
		return NULL;
	w->group = g;
	w->report.later = (struct fn_deferred){.fn = report, .arg = w};
	w->output_fd = w->freeze_fd = w->peak_fd = -EBADF;
	w->exit.wait_status = -1;
	w->first = true;
	w->asked_us = fn_clock_mono_us();
	if (fn_loop_add_timer(p->cfg.loop, UINT64_MAX, on_timer, w, &w->timer) < 0) {
		free(w);
		return NULL;
	}
	fn_list_push_back(&g->workers, &w->link);
	g->count[FN_WORKER_SPAWNING]++;
	p->workers++;
	p->memory_used += cost_of(w);
	if (bound) {
		w->inv = bound;
		w->delivered_us = w->asked_us;
		bound->deadline_real_ms = (fn_clock_real_us() + (uint64_t)g->function->timeout_s * 1000000u) / 1000;
		arm(w, w->delivered_us + (uint64_t)g->function->timeout_s * 1000000u);
		fn_worker_log(w, "START RequestId: %s Version: %s\n", bound->id, g->function->version);
	}
	r = fn_worker_spec(w, &spec, &err);
	if (r == 0) {
		const struct fn_runtime *rt = fn_runtimes_find(p->cfg.runtimes, g->function->runtime);

		fn_worker_log(w, "INIT_START Runtime Version: %s\n", rt->version);
		r = p->spawn ? fn_spawn_start(p->spawn, &spec, on_spawned, w, &w->request) : -ECONNRESET;
		if (r < 0)
			fn_err_set(&err, r, "fn-spawnd", "it is restarting; try again");
	}
	fn_spec_clear(&spec);
	if (r < 0)
		on_spawned(w, &err, NULL);
	return w;
}

/* The least valuable idle environment of all: the one unused for the longest. */
static bool evict_one(struct fn_pool *p)
{
	struct fn_worker *victim = NULL;
	struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		fn_list_for_each(l, &g->workers)
		{
			struct fn_worker *w = worker_of(l);

			if (w->state == FN_WORKER_IDLE && (!victim || w->idle_since_us < victim->idle_since_us))
				victim = w;
		}
	if (victim)
		worker_end(victim);
	return victim != NULL;
}

static void on_patience(void *arg) { dispatch(arg); }

/* Serves or starts for what waits. */
static void dispatch(struct fn_group *g)
{
	struct fn_pool *p = g->pool;
	unsigned starts, finishing = g->count[FN_WORKER_FINISHING];
	bool patient;

	while (g->count[FN_WORKER_IDLE] > 0 && !fn_list_empty(&g->waiting)) {
		struct fn_worker *idle = NULL;

		fn_list_for_each(l, &g->workers)
		{
			if (worker_of(l)->state == FN_WORKER_IDLE) {
				idle = worker_of(l);
				break;
			}
		}
		serve(idle, wait_out(g));
	}
	if (g->n_waiting == 0)
		return;
	if (finishing > 0 && g->patience_until_us == 0) {
		g->patience_until_us = now_us(p) + PATIENCE_US;
		if (!g->patience)
			(void)fn_loop_add_timer(p->cfg.loop, g->patience_until_us, on_patience, g, &g->patience);
		else
			(void)fn_loop_rearm_timer(p->cfg.loop, g->patience, g->patience_until_us);
	}
	patient = now_us(p) < g->patience_until_us;
	if (!patient)
		g->patience_until_us = 0;
	starts = fn_policy_starts(g->n_waiting, g->count[FN_WORKER_SPAWNING] + g->count[FN_WORKER_INIT], finishing, patient);
	while (starts-- > 0) {
		if (fn_policy_must_evict(p->memory_used, 32u << 20, p->cfg.memory_budget))
			(void)evict_one(p);
		start_worker(g, NULL);
	}
}

void fn_pool_run(struct fn_pool *p, struct fn_invocation *inv)
{
	const struct fn_err down = {ESHUTDOWN, "invoke", "fnd is shutting down"};
	struct fn_group *g = p->shutdown ? NULL : group_get(p, inv->function);

	if (!g) {
		fn_invocation_fail(inv, &down);
		return;
	}
	wait_in(g, fn_invocation_ref(inv));
	dispatch(g);
}

/* --- death --- */
void fn_pool_on_exit(struct fn_pool *p, uint64_t sandbox, const struct fn_sandbox_exit *info)
{
	struct fn_worker *w = fn_map_get_u64(p->sandboxes, sandbox);

	if (!w)
		return;
	w->exit = *info;
	w->gone = true;
	if (info->memory_peak != UINT64_MAX && info->memory_peak > w->memory_peak) {
		uint64_t before = cost_of(w);

		w->memory_peak = info->memory_peak;
		set_peak(w, before);
	}
	/* A response that was posted before the death may still lie in the socket: let the loop read it before we judge. */
	if (w->state == FN_WORKER_ENDING)
		arm(w, 0);
	else if (w->state == FN_WORKER_BUSY)
		arm(w, now_us(p) + DRAIN_US);
	else
		worker_end(w);
}

static void init_report(struct fn_worker *w, const char *phase)
{
	char status[160];

	if (w->timed_out)
		snprintf(status, sizeof(status), "timeout");
	else
		snprintf(status, sizeof(status), "error\tError Type: %s", w->error_type[0] ? w->error_type : "Runtime.ExitError");
	fn_worker_log(w, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s\n",
		      (double)(fn_clock_mono_us() - (w->spawned_us ? w->spawned_us : w->asked_us)) / 1000.0, phase, status);
}

/* What the caller sees of a runtime that has ended. */
static char *death_json(struct fn_worker *w, size_t *len, char *status, size_t size)
{
	char words[64], msg[160];
	const char *w1, *type = w->exit.oom ? "Runtime.OutOfMemory" : "Runtime.ExitError";

	if (w->init_error) {
		char *body = fn_take_ptr(w->init_error);

		*len = w->init_error_len;
		snprintf(status, size, "Status: error\tError Type: %s\t", w->error_type);
		return body;
	}
	w1 = w->exit.oom ? "signal: killed" : fn_exit_words(w->exit.wait_status, words, sizeof(words));
	if (w1)
		snprintf(msg, sizeof(msg), "Runtime exited with error: %s", w1);
	else
		snprintf(msg, sizeof(msg), "Runtime exited without providing a reason");
	fn_worker_log(w, "RequestId: %s Error: %s\n%s\n", w->inv->id, msg, type);
	snprintf(status, size, "Status: error\tError Type: %s\t", type);
	return fn_error_json(type, w->inv->id, msg, len);
}

/* The environment is gone for good: whoever it owed an answer gets one, then it is freed. */
static void finish_dead(struct fn_worker *w)
{
	struct fn_group *g = w->group;
	const struct fn_err lost = {ECONNRESET, "fn-spawnd", "it ended and took the execution environment with it; try again"};
	bool in_init = w->ready_us == 0 && w->spawned_us != 0;
	bool helper_lost = w->gone && w->exit.wait_status == -1 && !w->exit.oom && w->exit.memory_peak == UINT64_MAX;
	char status[160] = "", *json;
	size_t len = 0;

	fn_worker_read_output(w);
	fn_worker_flush_output(w);
	if (in_init && !g->pool->shutdown && (w->timed_out || w->gone) && !(g->retired && !w->inv))
		init_report(w, w->inv ? "invoke" : "init");
	if (w->inv && (helper_lost || g->pool->shutdown)) {
		fn_invocation_fail(w->inv, &lost);
		fn_invocation_unref(fn_take_ptr(w->inv));
	} else if (w->inv) {
		json = death_json(w, &len, status, sizeof(status));
		finish(w, FN_INV_FUNCTION_ERROR, json, len, status);
	} else if (in_init && (w->timed_out || w->gone) && !g->pool->shutdown) {
		struct fn_invocation *inv = wait_out(g);

		if (inv && helper_lost) {
			fn_invocation_fail(inv, &lost);
			fn_invocation_unref(inv);
		} else if (inv) { /* as Lambda does: init once more, within the invocation */
			inv->init_failed = true;
			start_worker(g, inv);
		}
	}
	worker_free(w);
}

/* --- the whole --- */
int fn_pool_new(const struct fn_pool_config *config, struct fn_pool **ret, struct fn_err *err)
{
	struct fn_pool *p = calloc(1, sizeof(*p));

	if (!p || fn_map_new(&p->groups) < 0 || fn_map_new(&p->sandboxes) < 0)
		return fn_err_set(err, ENOMEM, "pool", NULL);
	p->cfg = *config;
	*ret = p;
	return 0;
}

void fn_pool_set_spawn(struct fn_pool *p, struct fn_spawn_client *spawn) { p->spawn = spawn; }

void fn_pool_free(struct fn_pool *p)
{
	struct fn_group *g;
	size_t it;

	if (!p)
		return;
	while (it = 0, (g = fn_map_next(p->groups, &it))) {
		while (!fn_list_empty(&g->workers)) {
			struct fn_worker *w = worker_of(fn_list_first(&g->workers));

			if (w->inv)
				fn_invocation_unref(fn_take_ptr(w->inv));
			worker_free(w);
			if (!fn_map_get(p->groups, g->key))
				break;
		}
		if (fn_map_get(p->groups, g->key)) {
			g->retired = true;
			group_release(g);
		}
	}
	fn_map_free(p->groups);
	fn_map_free(p->sandboxes);
	free(p);
}

void fn_pool_retire(struct fn_pool *p, const char *name, const char *version, uint64_t keep)
{
	struct fn_group *g, *next;
	size_t it = 0;

	for (g = fn_map_next(p->groups, &it); g; g = next) {
		next = fn_map_next(p->groups, &it);
		if (!fn_streq(g->function->name, name) || (version && !fn_streq(g->function->version, version)) ||
		    g->function->generation == keep)
			continue;
		g->retired = true;
		fn_list_for_each_safe(l, &g->workers)
		{
			if (worker_of(l)->state == FN_WORKER_IDLE)
				worker_end(worker_of(l));
		}
		group_release(g);
	}
}

void fn_pool_shutdown(struct fn_pool *p)
{
	const struct fn_err down = {ESHUTDOWN, "invoke", "fnd is shutting down"};
	struct fn_group *g;
	size_t it = 0;

	p->shutdown = true;
	while ((g = fn_map_next(p->groups, &it))) {
		struct fn_invocation *inv;

		while ((inv = wait_out(g))) {
			fn_invocation_fail(inv, &down);
			fn_invocation_unref(inv);
		}
		fn_list_for_each_safe(l, &g->workers) worker_end(worker_of(l));
	}
}

unsigned fn_pool_workers(const struct fn_pool *p) { return p->workers; }

bool fn_pool_uses_code(struct fn_pool *p, const char *code_sha256)
{
	struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		if ((!fn_list_empty(&g->workers) || !fn_list_empty(&g->waiting)) && fn_streq(g->function->code_sha256, code_sha256))
			return true;
	return false;
}

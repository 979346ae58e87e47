/*
 * worker.c - an environment from its first `next` to its end. Its state changes only in fn_worker_set_state(), which keeps the counters;
 * what may follow what is in one table.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "pool/policy.h"
#include "pool/worker.h"

#define TO(s) (1u << FN_WORKER_##s)
static const unsigned may_follow[FN_WORKER_STATES] = {
	[FN_WORKER_SPAWNING] = TO(INIT) | TO(ENDING),
	[FN_WORKER_INIT] = TO(IDLE) | TO(ENDING),
	[FN_WORKER_IDLE] = TO(BUSY) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_WORKER_BUSY] = TO(FINISHING) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_WORKER_FINISHING] = TO(IDLE) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_WORKER_RESETTING] = TO(RESET) | TO(ENDING),
	[FN_WORKER_RESET] = TO(SPAWNING) | TO(ENDING),
	[FN_WORKER_ENDING] = 0,
};

void fn_worker_set_state(struct fn_worker *w, enum fn_worker_state to)
{
	if (!(may_follow[w->state] & (1u << to))) {
		fn_log_error("environment of %s: state %d cannot follow %d", w->group->function->name, to, w->state);
		abort();
	}
	w->group->count[w->state]--;
	w->group->count[to]++;
	if (w->bound && to != FN_WORKER_INIT) {
		w->bound = false;
		w->group->n_bound--;
	}
	w->state = to;
	if (to == FN_WORKER_IDLE) { /* most recently used first */
		fn_list_remove(&w->link);
		fn_list_push_front(&w->group->workers, &w->link);
	}
}

void fn_worker_arm(struct fn_worker *w, uint64_t at)
{
	w->due_us = at;
	(void)fn_loop_rearm_timer(w->group->pool->cfg.loop, w->timer, at);
}

uint64_t fn_worker_cost(const struct fn_worker *w)
{
	return fn_policy_cost(w->resident ? w->resident : w->memory_peak, (uint64_t)w->group->function->memory_mb << 20);
}

void fn_worker_set_peak(struct fn_worker *w, uint64_t before)
{
	w->group->pool->memory_used += fn_worker_cost(w) - before;
	w->group->memory_seen = w->memory_peak;
}

/* --- the end of an environment --- */
uint64_t fn_worker_until(const struct fn_worker *w)
{
	uint64_t until = w->reason == FN_PROVISIONED ? FN_KEEP_NEVER : fn_keep_until(&w->group->pool->keep, &w->group->keep, &w->keep);

	return until < w->until_us ? until : w->until_us;
}

void fn_worker_end(struct fn_worker *w)
{
	if (w->state == FN_WORKER_ENDING)
		return;
	fn_list_remove(&w->role.link);
	fn_list_remove(&w->code);
	if (w->state == FN_WORKER_SPAWNING && w->request)
		fn_spawn_cancel(w->group->pool->spawn, w->request);
	fn_worker_set_state(w, FN_WORKER_ENDING);
	w->ending_cost = fn_worker_cost(w);
	w->group->pool->memory_ending += w->ending_cost;
	if (w->sandbox && !w->gone)
		fn_spawn_kill(w->group->pool->spawn, w->sandbox);
	else /* there is no exit to wait for */
		fn_worker_arm(w, 0);
}

void fn_worker_drop_sandbox(struct fn_worker *w)
{
	struct fn_pool *p = w->group->pool;
	int *const fds[] = {&w->output_fd, &w->freeze_fd, &w->peak_fd, &w->stat_fd, &w->tmp_fd, &w->oom_fd};

	if (w->sandbox)
		fn_map_remove_u64(p->sandboxes, w->sandbox);
	w->sandbox = 0;
	fn_loop_clear(p->cfg.loop, &w->output_io);
	fn_list_remove(&w->paused);
	fn_rt_close(fn_take_ptr(w->rt));
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fn_close(fn_take_fd(fds[i]));
	free(fn_take_ptr(w->init_error));
}

void fn_worker_free(struct fn_worker *w)
{
	struct fn_group *g = w->group;
	struct fn_pool *p = g->pool;

	fn_worker_write_report(w);
	fn_worker_snapshot_forget(w);
	fn_list_remove(&w->role.link);
	fn_list_remove(&w->code);
	p->memory_used -= fn_worker_cost(w);
	p->memory_ending -= w->ending_cost;
	if (w->tmp_kept && p->spawn)
		fn_spawn_forget(p->spawn, w->environment);
	fn_credentials_clear(&w->credentials);
	fn_worker_drop_sandbox(w);
	fn_loop_clear(p->cfg.loop, &w->timer);
	fn_buf_free(&w->line);
	g->count[w->state]--;
	fn_list_remove(&w->link);
	p->workers--;
	if (fn_list_empty(&g->workers))
		fn_keep_emptied(&p->keep, &g->keep, w->evicted);
	free(w);
	if (g->floor > 0)
		fn_group_provision(g);
	if (!fn_list_empty(&g->waiting))
		fn_group_dispatch(g);
	else
		fn_group_release(g);
}

/* --- freezing --- */
static bool freeze(struct fn_worker *w, bool on)
{
	if (w->frozen == on || w->freeze_fd < 0)
		return true;
	if (pwrite(w->freeze_fd, on ? "1" : "0", 1, 0) == 1)
		w->frozen = on;
	else if (!on)
		fn_log_warn("cannot thaw an environment of %s, which is ended: %s", w->group->function->name, strerror(errno));
	return w->frozen == on;
}

/* --- serving --- */
void fn_worker_serve(struct fn_worker *w, struct fn_invocation *inv)
{
	uint64_t limit = fn_worker_timeout_us(w);
	bool bound = w->inv == inv, awake;
	int r;

	fn_worker_write_report(w);
	awake = freeze(w, false);
	w->reclaiming = false;
	if (w->resident) { /* it will fetch its pages back */
		uint64_t cost = fn_worker_cost(w);

		w->resident = 0;
		w->group->pool->memory_used += fn_worker_cost(w) - cost;
	}
	if ((!awake || !fn_rt_waiting(w->rt)) && !bound) { /* it died while it was idle, or would sleep on: the event has not been seen by anyone, another may have it */
		fn_list_push_front(&w->group->waiting, &inv->link);
		w->group->n_waiting++;
		fn_worker_end_sandbox(w);
		return;
	}
	if (!bound) {
		inv->cold = w->first && inv->arrived_us < w->ready_us;
		inv->provisioned = w->reason == FN_PROVISIONED;
		inv->spilled = !inv->provisioned && w->group->floor > 0;
		w->inv = inv;
		w->started = false;
		w->delivered_us = fn_clock_mono_us();
		inv->deadline_real_ms = (fn_clock_real_us() + limit) / 1000;
	}
	fn_report_start(w);
	fn_worker_set_state(w, FN_WORKER_BUSY);
	fn_worker_arm(w, w->delivered_us + limit);
	r = fn_rt_deliver(w->rt, inv);
	if (r < 0) { /* its connection died between `next` and now */
		fn_log_warn("environment of %s: %s", w->group->function->name, strerror(-r));
		fn_worker_end(w);
	}
}

/* What an environment does next that has become idle: it serves what waits, or ends; false: neither. */
static bool go_on(struct fn_worker *w)
{
	struct fn_invocation *inv;

	if (w->surplus || (!w->first && fn_pool_now_us(w->group->pool) >= w->until_us)) {
		fn_worker_end(w);
		return true;
	}
	inv = fn_group_wait_out(w->group);
	if (inv)
		fn_worker_serve(w, inv);
	else if (w->group->retired)
		fn_worker_end(w);
	else
		return false;
	return true;
}

static void became_idle(struct fn_worker *w)
{
	struct fn_group *g = w->group;

	if (w->gone) { /* it died right after it had asked: nothing more is to be given to it */
		fn_worker_end(w);
		return;
	}
	fn_worker_set_state(w, FN_WORKER_IDLE);
	if (w->inv) { /* a repeated init, within an invocation that is under way already */
		fn_worker_serve(w, w->inv);
		return;
	}
	if (go_on(w))
		return;
	fn_keep_idle(&g->pool->keep, &w->keep, fn_pool_now_us(g->pool), w->first && !w->report.inv); /* its first report may be due still */
	fn_worker_arm(w, w->keep.idle_since + g->pool->cfg.freeze_grace_us);
}

void fn_worker_write_report(void *arg)
{
	struct fn_worker *w = arg;
	struct fn_invocation *inv = fn_take_ptr(w->report.inv);
	uint64_t before = fn_worker_cost(w);

	if (!inv)
		return;
	fn_deferred_cancel(&w->report.later);
	fn_worker_read_output(w);
	fn_worker_flush_output(w);
	fn_report_end(w, inv);
	fn_worker_set_peak(w, before);
	fn_invocation_unref(inv);
}

void fn_worker_finish(struct fn_worker *w, enum fn_inv_outcome outcome, char *result, size_t len, const char *status)
{
	struct fn_invocation *inv = w->inv;

	w->report.inv = fn_invocation_ref(inv);
	w->report.end_us = fn_clock_mono_us();
	w->report.produced = len;
	snprintf(w->report.status, sizeof(w->report.status), "%s", status);
	if (inv->want_tail) /* which must hold them; who does not want it need not wait for them */
		fn_worker_write_report(w);
	else
		fn_loop_defer(w->group->pool->cfg.loop, &w->report.later);
	w->inv = NULL;
	fn_invocation_complete(inv, outcome, result, len);
	fn_invocation_unref(inv);
	fn_group_done(w->group);
}

/* --- the Runtime API's calls --- */
/* As fn-spawnd judges it (spawn/oom.c): the event tells of the ends of outer groups' memory, too. */
static bool out_of_memory(const struct fn_worker *w)
{
	const uint64_t limit = (uint64_t)w->group->function->memory_mb << 20;
	struct pollfd p = {.fd = w->oom_fd, .events = POLLIN};
	char peak[32] = "";

	if (w->oom_fd < 0 || poll(&p, 1, 0) != 1)
		return false;
	return w->peak_fd < 0 || pread(w->peak_fd, peak, sizeof(peak) - 1, 0) <= 0 || strtoull(peak, NULL, 10) >= limit - limit / 64;
}

/* Whether its answer counts: not when one of its processes was killed for memory, the end of them all being under way. */
static bool may_answer(const struct fn_worker *w) { return w->state == FN_WORKER_BUSY && w->inv && !out_of_memory(w); }

static void on_next(void *arg)
{
	struct fn_worker *w = arg;

	if (w->reason == FN_FOR_SNAPSHOT) {
		fn_worker_on_snapshot_refused(w, "the runtime takes no snapshots");
	} else if (w->state == FN_WORKER_INIT) {
		w->ready_us = fn_clock_mono_us();
		fn_report_init(w, w->ready_us - (w->restored ? w->asked_us : w->spawned_us), "");
		fn_keep_started(&w->group->pool->keep, &w->group->keep, w->ready_us - w->asked_us);
		fn_spawn_initialised(w->group->pool->spawn, w->sandbox);
		became_idle(w);
		if (w->reason == FN_PROVISIONED)
			fn_group_provisioned(w->group);
	} else if (w->state == FN_WORKER_FINISHING) {
		w->group->settle_us = fn_policy_settle_us(w->group->settle_us, fn_clock_mono_us() - w->report.end_us);
		became_idle(w);
	}
}

static void on_response(void *arg, char *body, size_t len, const char *content_type)
{
	struct fn_worker *w = arg;

	if (!may_answer(w)) {
		free(body);
		return;
	}
	if (content_type[0] && strcmp(content_type, "application/json") != 0)
		w->inv->result_type = strdup(content_type);
	fn_worker_set_state(w, FN_WORKER_FINISHING);
	fn_worker_finish(w, FN_INV_RESPONSE, body, len, "");
}

static void on_error(void *arg, char *body, size_t len, const char *error_type)
{
	struct fn_worker *w = arg;

	(void)error_type; /* the caller has it; to the platform an invocation whose handler has failed has run well */
	if (!may_answer(w)) {
		free(body);
		return;
	}
	fn_worker_set_state(w, FN_WORKER_FINISHING);
	fn_worker_finish(w, FN_INV_FUNCTION_ERROR, body, len, "");
}

static void on_too_large(void *arg)
{
	struct fn_worker *w = arg;
	char *text = strdup("{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (6291556 bytes).\","
			    "\"errorType\":\"Function.ResponseSizeTooLarge\"}");

	if (!may_answer(w)) {
		free(text);
		return;
	}
	fn_worker_set_state(w, FN_WORKER_FINISHING);
	fn_worker_finish(w, FN_INV_FUNCTION_ERROR, text, text ? strlen(text) : 0, "Function.ResponseSizeTooLarge");
}

static void on_init_error(void *arg, char *body, size_t len, const char *error_type)
{
	struct fn_worker *w = arg;

	free(w->init_error);
	w->init_error = body;
	w->init_error_len = len;
	fn_report_error_type(error_type, w->error_type, sizeof(w->error_type));
	/* the runtime is to exit now; if it does not, it is made to */
	fn_worker_arm(w, fn_pool_now_us(w->group->pool) + 100000u);
}

static void on_unruly(void *arg)
{
	struct fn_worker *w = arg;

	fn_log_warn("an environment of %s is ended: it sends wrong requests to its Runtime API without end", w->group->function->name);
	fn_report_fault(w, "The runtime sends wrong requests to the Runtime API without end: its environment is ended", "Runtime.ExitError");
	fn_worker_end(w);
}

const struct fn_rt_ops fn_worker_rt_ops = {on_next, on_response, on_error, on_too_large, on_init_error,
					   fn_worker_on_snapshot, fn_worker_on_snapshot_refused, on_init_error, on_unruly};

/* --- deadlines --- */
static void invocation_timed_out(struct fn_worker *w)
{
	char msg[128], *json;
	size_t len = 0;

	w->timed_out = true;
	snprintf(msg, sizeof(msg), "Task timed out after %d.00 seconds", w->group->function->timeout_s);
	fn_worker_read_output(w);
	fn_worker_flush_output(w);
	if (w->state == FN_WORKER_INIT)
		fn_worker_init_failed(w);
	fn_report_start(w);
	fn_report_timeout(w, msg);
	json = fn_error_json("Sandbox.Timedout", w->inv->id, msg, &len);
	fn_worker_end_sandbox(w);
	fn_worker_finish(w, FN_INV_FUNCTION_ERROR, json, len, FN_TIMED_OUT);
}

void fn_worker_on_timer(void *arg)
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
			fn_worker_end(w);
		}
		break;
	case FN_WORKER_BUSY:
		if (!w->gone)
			invocation_timed_out(w);
		else if (fn_rt_unread(w->rt) && fn_pool_now_us(p) < w->delivered_us + fn_worker_timeout_us(w))
			fn_worker_arm(w, fn_pool_now_us(p) + FN_WORKER_DRAIN_US); /* a large result takes several turns of the loop */
		else if (fn_worker_outlives(w))
			fn_worker_reset(w);
		else
			fn_worker_end(w);
		break;
	case FN_WORKER_RESETTING: /* its exit does not come */
		fn_worker_end(w);
		if (!fn_list_empty(&w->group->waiting))
			fn_group_dispatch(w->group);
		break;
	case FN_WORKER_RESET:
		if (fn_pool_now_us(p) >= fn_worker_until(w))
			fn_worker_end(w);
		else
			fn_worker_arm(w, fn_worker_until(w));
		break;
	case FN_WORKER_FINISHING: /* it never came back for more */
		fn_worker_end_sandbox(w);
		break;
	case FN_WORKER_IDLE:
		if (fn_pool_now_us(p) >= fn_worker_until(w)) {
			fn_worker_end(w);
		} else {
			fn_rt_flush(w->rt);
			(void)freeze(w, true);
			fn_worker_arm(w, fn_worker_until(w));
		}
		break;
	case FN_WORKER_ENDING:
		fn_worker_finish_dead(w);
		break;
	case FN_WORKER_STATES:
		break;
	}
}

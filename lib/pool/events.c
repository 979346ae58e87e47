/* events.c - what environments tell the pool, and what follows from it. */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "pool/group.h"
#include "pool/policy.h"

static void on_state(struct fn_env *e, enum fn_env_state from)
{
	struct fn_member *m = fn_member_of_env(e);
	struct fn_group *g = m->group;

	g->count[from]--;
	g->count[e->state]++;
	if (m->bound && e->state != FN_ENV_INIT && e->state != FN_ENV_SPAWNING) {
		m->bound = false;
		g->n_bound--;
	}
	if (e->state == FN_ENV_IDLE) { /* most recently used first */
		fn_list_remove(&m->link);
		fn_list_push_front(&g->members, &m->link);
	} else if (fn_env_is_ending(e) && m->ending_cost == 0) {
		fn_member_weigh_ending(m);
	}
}

static void on_ready(struct fn_env *e, uint64_t took_us)
{
	struct fn_group *g = fn_member_of_env(e)->group;

	const struct fn_backend_watcher *w = &g->pool->backend.watcher;

	if (e->reason == FN_ENV_FOR_TRIAL)
		return;
	fn_keep_started(&g->pool->keep, &g->keep, took_us);
	if (!e->archived && !e->restored && w->started && w->started(w->arg, g->version.function, e->ready_us - e->spawned_us))
		fn_env_ask_loaded(e);
	if (e->reason == FN_ENV_PROVISIONED)
		fn_group_provisioned(g);
}

static bool on_idle(struct fn_env *e)
{
	struct fn_member *m = fn_member_of_env(e);
	struct fn_group *g = m->group;
	struct fn_invocation *inv;

	if (m->surplus || fn_env_expired(e) || fn_env_stale(e)) {
		fn_env_end(e);
		return true;
	}
	inv = fn_group_wait_out(g);
	if (inv) {
		fn_member_serve(m, inv);
		return true;
	}
	if (g->retired) {
		fn_env_end(e);
		return true;
	}
	fn_keep_idle(&g->pool->keep, &m->keep, fn_pool_now_us(g->pool), e->first && !e->report.inv); /* its first report may be due still */
	if (g->tenant)
		fn_pool_bound_tenants(g->pool);
	return fn_env_is_ending(e); /* it may have been the one that had to go */
}

static uint64_t until(const struct fn_env *e)
{
	const struct fn_member *m = fn_member_of_env(e);
	uint64_t at = e->reason == FN_ENV_PROVISIONED ? FN_KEEP_NEVER : fn_keep_until(&m->group->pool->keep, &m->group->keep, &m->keep);

	return at < e->until_us ? at : e->until_us;
}

static bool stays(const struct fn_env *e)
{
	const struct fn_member *m = fn_member_of_env(e);

	return !m->surplus && !m->group->retired;
}

static void on_over(struct fn_env *e) { fn_group_done(fn_member_of_env(e)->group); }

static void on_settled(struct fn_env *e, uint64_t us)
{
	struct fn_group *g = fn_member_of_env(e)->group;

	g->settle_us = fn_policy_settle_us(g->settle_us, us);
}

static void on_loaded(struct fn_env *e, const char *names, size_t len)
{
	const struct fn_group *g = fn_member_of_env(e)->group;
	const struct fn_backend_watcher *w = &g->pool->backend.watcher;

	if (w->loaded)
		w->loaded(w->arg, g->version.function, &(struct fn_backend_loaded){names, len});
}

static void on_memory(struct fn_env *e)
{
	struct fn_member *m = fn_member_of_env(e);

	if (e->memory_peak)
		m->group->memory_seen = e->memory_peak;
	else /* another sandbox is to come */
		m->resident = 0;
	fn_member_weigh(m);
}

/* A provisioned one does not wait for an invocation. */
static void on_reset(struct fn_env *e)
{
	struct fn_member *m = fn_member_of_env(e);
	struct fn_group *g = m->group;

	if (e->state == FN_ENV_RESET) {
		m->reclaiming = false;
		fn_keep_idle(&g->pool->keep, &m->keep, fn_pool_now_us(g->pool), false);
		fn_env_rearm(e);
	}
	if (e->state == FN_ENV_RESET && e->reason == FN_ENV_PROVISIONED)
		fn_member_begin_again(m, NULL);
	else if (!fn_list_empty(&g->waiting))
		fn_group_dispatch(g);
}

static void on_refused(struct fn_env *e, const struct fn_err *err)
{
	struct fn_group *g = fn_member_of_env(e)->group;
	struct fn_invocation *inv = e->inv ? fn_take_ptr(e->inv) : fn_group_wait_out(g);
	char text[512];

	fn_group_fail_one(g, inv, err);
	if (e->reason == FN_ENV_PROVISIONED)
		fn_group_provision_failed(g, err->code == ECONNRESET ? NULL : fn_err_format(err, text, sizeof(text)));
}

/* Its process has ended, or not come on: perhaps it is the function's own doing, but the next start can do without the archive. */
static void archive_failed(struct fn_group *g, const struct fn_env *e)
{
	const struct fn_backend_watcher *w = &g->pool->backend.watcher;
	char words[64], why[128];
	const char *how = fn_env_how_ended(e, words, sizeof(words));

	snprintf(why, sizeof(why), "a start from it failed: %s", e->timed_out ? "it took too long" : how ? how : "exit status 0");
	fn_archive_off(&g->pool->env, g->version.function, why);
	if (w->archive_failed)
		w->archive_failed(w->arg, g->version.function);
}

/* It had begun to initialise and has not come to its end: who waits for it is answered, or gets another. */
static void init_failed(struct fn_group *g, const struct fn_env *e, bool lost)
{
	static const struct fn_err gone = {.code = ECONNRESET, .stage = "fn-spawnd", .msg = "it ended and took the execution environment with it; try again"};
	static const struct fn_err no_memory = {.code = ENOMEM, .stage = "start an environment", .msg = ""};
	struct fn_invocation *inv;

	if ((e->restored || (e->as_restored && fn_streq(e->error_type, "Runtime.AfterRestoreError"))) && !lost) {
		fn_group_restore_failed(g, e);
		return;
	}
	if (e->archived && !e->init_error && !lost)
		archive_failed(g, e);
	inv = fn_group_wait_out(g);
	if (lost) {
		fn_group_fail_one(g, inv, &gone);
	} else if (inv) { /* as Lambda does: init once more, within the invocation */
		inv->init_failed = true;
		if (!fn_member_start(g, inv, FN_ENV_FOR_INVOCATION, NULL))
			fn_group_fail_one(g, inv, &no_memory);
	}
}

static void on_ended(struct fn_env *e, const struct fn_env_end *how)
{
	struct fn_member *m = fn_member_of_env(e);
	struct fn_group *g = m->group;

	if (how->in_init && how->failed && e->reason == FN_ENV_PROVISIONED)
		fn_group_provision_failed(g, how->lost ? NULL : "FUNCTION_ERROR_INIT_FAILURE");
	if (how->in_init && how->failed && !how->answered && !e->snapshot && !g->pool->env.shutdown)
		init_failed(g, e, how->lost);
	fn_member_free(m);
	if (g->floor > 0)
		fn_group_provision(g);
	if (!fn_list_empty(&g->waiting))
		fn_group_dispatch(g);
	else
		fn_group_release(g);
}

const struct fn_env_ops fn_pool_env_ops = {
	.on_state = on_state, .on_ready = on_ready, .on_idle = on_idle, .until = until, .stays = stays, .on_over = on_over, .on_settled = on_settled,
	.on_loaded = on_loaded, .on_memory = on_memory, .on_reset = on_reset, .on_refused = on_refused, .on_ended = on_ended,
};

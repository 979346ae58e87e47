/* dispatch.c - what waits meets what idles: who serves next, when another is started, and which are made before they are asked for. */
#include <errno.h>

#include "pool/group.h"
#include "pool/policy.h"

void fn_group_refuse_one(struct fn_group *g, struct fn_invocation *inv, enum fn_refusal why, const struct fn_err *err)
{
	if (!inv)
		return;
	fn_invocation_refuse(inv, why, err);
	fn_invocation_unref(inv);
	fn_group_done(g);
}

void fn_group_fail_one(struct fn_group *g, struct fn_invocation *inv, const struct fn_err *err)
{
	fn_group_refuse_one(g, inv, fn_policy_lacks_room(err->code) ? FN_REFUSAL_MACHINE : FN_REFUSAL_PLATFORM, err);
}

/* --- made ahead --- */
static void on_prewarm(void *arg)
{
	struct fn_group *g = arg;

	if (g->keep.running > 0 || !fn_list_empty(&g->members) || g->retired || g->pool->env.shutdown || fn_group_lacks_room(g))
		return;
	fn_member_start(g, NULL, FN_ENV_FOR_LATER, NULL);
}

void fn_group_done(struct fn_group *g)
{
	struct fn_pool *p = g->pool;
	uint64_t at;

	fn_keep_done(&p->keep, &g->keep, fn_pool_now_us(p));
	at = fn_keep_prewarm(&p->keep, &g->keep);
	if (at == FN_KEEP_NEVER || g->retired)
		return;
	if (!g->prewarm)
		(void)fn_loop_add_timer(p->env.cfg.loop, at, on_prewarm, g, &g->prewarm);
	else
		(void)fn_loop_rearm_timer(p->env.cfg.loop, g->prewarm, at);
	fn_list_for_each(l, &g->members) fn_env_rearm(&fn_member_of(l)->env); /* the spare ones have their ends from when it was busy */
}

/* An idle environment to serve next: provisioned ones first, then the one that was used last. NULL = there is none. */
static struct fn_member *idle_one(struct fn_group *g)
{
	struct fn_member *idle = NULL;

	if (g->count[FN_ENV_IDLE] == 0)
		return NULL;
	fn_list_for_each(l, &g->members)
	{
		struct fn_member *m = fn_member_of(l);

		if (m->env.state == FN_ENV_IDLE && (!idle || m->env.reason == FN_ENV_PROVISIONED)) {
			idle = m;
			if (g->floor == 0 || m->env.reason == FN_ENV_PROVISIONED)
				break;
		}
	}
	return idle;
}

static void on_patience(void *arg) { fn_group_dispatch(arg); }

/* One that was reset, for the first that waits. */
static void begin_again(struct fn_group *g)
{
	fn_list_for_each(l, &g->members)
	{
		if (fn_member_of(l)->env.state == FN_ENV_RESET) {
			fn_member_begin_again(fn_member_of(l), fn_group_wait_out(g));
			return;
		}
	}
}

/* For n that wait. */
static void start_for_waiting(struct fn_group *g, unsigned n)
{
	static const struct fn_err no_memory = {.code = ENOMEM, .stage = "start an environment", .msg = ""};

	while (n-- > 0 && g->n_waiting > 0) {
		if (g->count[FN_ENV_RESET] > 0) {
			begin_again(g);
			continue;
		}
		(void)fn_group_make_room(g);
		if (!fn_member_start(g, NULL, FN_ENV_FOR_INVOCATION, NULL))
			fn_group_fail_one(g, fn_group_wait_out(g), &no_memory);
	}
}

void fn_group_dispatch(struct fn_group *g)
{
	struct fn_pool *p = g->pool;
	unsigned starts, starting = g->count[FN_ENV_SPAWNING] + g->count[FN_ENV_INIT] - g->n_bound, finishing = g->count[FN_ENV_FINISHING];
	bool patient;

	while (g->count[FN_ENV_IDLE] > 0 && !fn_list_empty(&g->waiting)) {
		struct fn_member *m = idle_one(g);

		if (fn_env_stale(&m->env)) /* a runtime's update: another begins in its place, with the new image */
			fn_env_end(&m->env);
		else
			fn_member_serve(m, fn_group_wait_out(g));
	}
	if (g->n_waiting == 0 || p->env.shutdown)
		return;
	if (finishing > 0 && g->patience_until_us == 0) {
		g->patience_until_us = fn_pool_now_us(p) + fn_policy_patience_us(g->settle_us, (uint64_t)g->keep.cost_us);
		if (!g->patience)
			(void)fn_loop_add_timer(p->env.cfg.loop, g->patience_until_us, on_patience, g, &g->patience);
		else
			(void)fn_loop_rearm_timer(p->env.cfg.loop, g->patience, g->patience_until_us);
	}
	patient = fn_pool_now_us(p) < g->patience_until_us;
	if (!patient)
		g->patience_until_us = 0;
	starts = fn_policy_starts(g->n_waiting, starting + g->count[FN_ENV_RESETTING], finishing, patient); /* one that is reset is there in a moment */
	start_for_waiting(g, starts);
}

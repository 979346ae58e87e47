/*
 * reset.c - an environment outlives its sandboxes. After a time-out or a crash of its runtime its sandbox ends, and it stays without one until the
 * next invocation, which then waits for the init of another: AWS's "suppressed init" (Lambda Developer Guide, "lambda-runtime-environment",
 * failures during the Invoke phase). The log has an INIT_START; that invocation's Duration and time-out include the init, and its REPORT has no Init
 * Duration. Provisioned environments do not wait for an invocation.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "pool/worker.h"

#define RESET_US 1000000u /* within which a sandbox that is killed has ended */

/* Not one that has begun from a snapshot: another such begins sooner than its own plain init would end. */
bool fn_worker_outlives(const struct fn_worker *w)
{
	const struct fn_group *g = w->group;

	if (!w->ready_us || w->state == FN_WORKER_INIT || w->restored || w->reason == FN_FOR_SNAPSHOT || w->surplus)
		return false;
	if (g->retired || g->pool->shutdown || fn_pool_now_us(g->pool) >= w->until_us)
		return false;
	return !w->gone || (w->exit.tmp_kept && !w->exit.oom);
}

void fn_worker_end_sandbox(struct fn_worker *w)
{
	if (!fn_worker_outlives(w) || w->gone) {
		fn_worker_end(w);
		return;
	}
	fn_worker_set_state(w, FN_WORKER_RESETTING);
	fn_spawn_reset(w->group->pool->spawn, w->sandbox);
	fn_worker_arm(w, fn_pool_now_us(w->group->pool) + RESET_US);
}

/* And all that was true of it. */
static void drop_sandbox(struct fn_worker *w)
{
	struct fn_pool *p = w->group->pool;
	uint64_t cost = fn_worker_cost(w);

	fn_worker_drop_sandbox(w);
	w->frozen = w->timed_out = w->gone = w->reclaiming = w->init_reported = w->code_tried = false;
	w->exit = (struct fn_sandbox_exit){.wait_status = -1};
	w->error_type[0] = w->entry_error[0] = '\0';
	w->memory_peak = w->resident = 0;
	p->memory_used += fn_worker_cost(w) - cost;
	w->ready_us = w->spawned_us = w->peak_read_us = 0;
	w->dropped.mid_line = false;
}

void fn_worker_reset(struct fn_worker *w)
{
	struct fn_group *g = w->group;

	fn_worker_read_output(w);
	fn_worker_flush_output(w);
	if (w->inv)
		fn_worker_answer_dead(w);
	fn_worker_write_report(w);
	drop_sandbox(w);
	fn_worker_set_state(w, FN_WORKER_RESET);
	fn_keep_idle(&g->pool->keep, &w->keep, fn_pool_now_us(g->pool), false);
	fn_worker_arm(w, fn_worker_until(w));
	if (w->reason == FN_PROVISIONED)
		fn_worker_begin_again(w, NULL);
	else if (!fn_list_empty(&g->waiting))
		fn_group_dispatch(g);
}

void fn_worker_bind(struct fn_worker *w, struct fn_invocation *inv)
{
	const struct fn_group *g = w->group;
	uint64_t limit = fn_worker_timeout_us(w);

	w->inv = inv;
	w->bound = true;
	w->group->n_bound++;
	w->started = false;
	inv->cold = true;
	inv->spilled = g->floor > 0;
	w->delivered_us = w->asked_us;
	inv->deadline_real_ms = (fn_clock_real_us() + limit) / 1000;
	fn_worker_arm(w, w->delivered_us + limit);
}

void fn_worker_begin_again(struct fn_worker *w, struct fn_invocation *bound)
{
	fn_worker_set_state(w, FN_WORKER_SPAWNING);
	w->first = true;
	w->asked_us = fn_clock_mono_us();
	fn_worker_arm(w, UINT64_MAX);
	if (bound)
		fn_worker_bind(w, bound);
	fn_worker_launch(w);
}

/* What was kept has gone with it. */
void fn_pool_on_lost(struct fn_pool *p)
{
	struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		fn_list_for_each(l, &g->workers)
		{
			struct fn_worker *w = fn_worker_of(l);

			w->tmp_kept = false;
			if (w->state == FN_WORKER_RESET)
				fn_worker_end(w); /* frees it later */
		}
}

/* lend.c - see lend.h. Whoever has an environment touches all of it but `lent`, which is the lender's. */
#include "pool/lend.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "base/str.h"
#include "pool/policy.h"
#include "pool/worker.h"

/* Out of the loop, and of the group that it is in. */
static void detach(struct fn_worker *w)
{
	struct fn_loop *loop = w->group->pool->cfg.loop;

	fn_worker_write_report(w);
	fn_deferred_cancel(&w->leave);
	fn_loop_clear(loop, &w->output_io);
	fn_list_remove(&w->paused);
	fn_loop_clear(loop, &w->timer);
	fn_rt_detach(w->rt);
	w->group->count[w->state]--;
	fn_list_remove(&w->link);
}

static int attach(struct fn_worker *w, struct fn_group *g)
{
	const struct fn_pool_config *cfg = &g->pool->cfg;
	int r;

	w->group = g;
	g->count[w->state]++;
	if (w->state == FN_WORKER_IDLE)
		fn_list_push_front(&g->workers, &w->link);
	else
		fn_list_push_back(&g->workers, &w->link);
	if (fn_loop_add_timer(cfg->loop, w->due_us, fn_worker_on_timer, w, &w->timer) < 0)
		abort(); /* no memory */
	r = fn_rt_attach(w->rt, cfg->loop, cfg->rt_server);
	return r < 0 ? r : fn_loop_add_io(cfg->loop, w->output_fd, EPOLLIN, fn_worker_on_output, w, &w->output_io);
}

/* --- the lender --- */
void fn_pool_set_lender(struct fn_pool *p, const struct fn_pool_lender_ops *ops, void *arg)
{
	p->lender = ops;
	p->lender_arg = arg;
}

struct fn_worker *fn_pool_lend(struct fn_pool *p, struct fn_invocation *inv, void *lease)
{
	struct fn_group *g = fn_group_find(p, inv->function);
	struct fn_worker *w = g && !g->retired && !p->shutdown ? fn_group_idle(g) : NULL;

	if (!w || (g->floor > 0 && w->reason != FN_PROVISIONED)) /* whether a provisioned one is free is known here alone */
		return NULL;
	if (!fn_group_may_print(g)) /* elsewhere it would begin anew */
		return NULL;
	fn_keep_arrived(&p->keep, &g->keep, fn_pool_now_us(p));
	detach(w);
	w->lent.home = g;
	w->lent.lease = lease;
	w->lent.cost = fn_worker_cost(w);
	w->lent.floor = g->floor;
	w->lent.gone = false;
	fn_list_push_back(&p->lent, &w->lent.link);
	g->n_lent++;
	return w;
}

void fn_pool_take_back(struct fn_pool *p, struct fn_worker *w)
{
	struct fn_group *g = w->lent.home;
	int r;

	w->lent.home = NULL;
	fn_list_remove(&w->lent.link);
	g->n_lent--;
	fn_group_printed(g, w->printed);
	r = attach(w, g);
	p->memory_used += fn_worker_cost(w) - w->lent.cost;
	if (w->memory_peak > 0)
		g->memory_seen = w->memory_peak;
	w->keep.clock = p->keep.clock;
	if (!w->inv)
		fn_group_done(g);
	if (w->lent.gone && w->state == FN_WORKER_ENDING) {
		w->exit = w->lent.exit;
		w->gone = true;
	}
	if (w->state == FN_WORKER_ENDING)
		fn_worker_end_now(w);
	else if (w->lent.gone)
		fn_pool_on_exit(p, w->sandbox, &w->lent.exit);
	else if (r < 0 || p->shutdown)
		fn_worker_end(w);
	else if (w->state == FN_WORKER_IDLE && !fn_worker_go_on(w)) /* it has been idle for a while */
		fn_worker_arm(w, w->keep.idle_since + p->cfg.freeze_grace_us);
}

void fn_pool_weigh_lent(struct fn_pool *p)
{
	fn_list_for_each(l, &p->lent)
	{
		struct fn_worker *w = fn_list_entry(l, struct fn_worker, lent.link);
		uint64_t cost = fn_policy_cost(__atomic_load_n(&w->memory_peak, __ATOMIC_RELAXED), (uint64_t)w->lent.home->function->memory_mb << 20);

		p->memory_used += cost - w->lent.cost;
		w->lent.cost = cost;
	}
}

unsigned fn_pool_lent_spare(const struct fn_pool *p, const char *function)
{
	unsigned n = 0;

	fn_list_for_each(l, (struct fn_list *)&p->lent)
	{
		struct fn_worker *w = fn_list_entry(l, struct fn_worker, lent.link);

		n += fn_streq(w->lent.home->function->name, function) && __atomic_load_n(&w->state, __ATOMIC_RELAXED) != FN_WORKER_BUSY;
	}
	return n;
}

void *fn_worker_lease(const struct fn_worker *w) { return w->lent.lease; }
uint64_t fn_worker_sandbox(const struct fn_worker *w) { return w->sandbox; }
struct fn_invocation *fn_worker_invocation(const struct fn_worker *w) { return w->inv; }

/* --- the borrower --- */
void fn_pool_borrow(struct fn_pool *p, struct fn_worker *w, struct fn_invocation *inv)
{
	struct fn_group *g = fn_group_get(p, inv->function);

	if (!g || fn_map_set_u64(p->sandboxes, w->sandbox, w, NULL) < 0)
		abort(); /* no memory */
	g->floor = w->lent.floor;
	w->printed = 0;
	p->workers++;
	p->memory_used += fn_worker_cost(w);
	if (attach(w, g) == 0) {
		fn_worker_serve(w, inv);
		return;
	}
	fn_worker_end(w);
	p->cfg.borrower->pass_on(p->cfg.borrower_arg, inv);
}

void fn_worker_leave(void *arg)
{
	struct fn_worker *w = arg;
	struct fn_group *g = w->group;
	struct fn_pool *p = g->pool;

	detach(w);
	fn_map_remove_u64(p->sandboxes, w->sandbox);
	p->workers--;
	p->memory_used -= fn_worker_cost(w);
	w->group = NULL;
	p->cfg.borrower->give_back(p->cfg.borrower_arg, w);
	if (!fn_list_empty(&g->waiting))
		fn_group_dispatch(g);
	fn_group_release(g);
}

void fn_pool_give_back(struct fn_pool *p, uint64_t sandbox)
{
	struct fn_worker *w = fn_map_get_u64(p->sandboxes, sandbox);

	if (w)
		fn_worker_leave(w);
}

bool fn_pool_give_back_one(struct fn_pool *p, struct fn_function *f)
{
	struct fn_group *g = fn_group_find(p, f);
	struct fn_worker *w = g ? fn_group_idle(g) : NULL;

	if (w)
		fn_worker_leave(w);
	return w != NULL;
}

unsigned fn_pool_give_back_spare(struct fn_pool *p, const char *function, const char *version, unsigned most)
{
	struct fn_worker *w;
	unsigned n = 0;
	size_t it = 0;

	while (n < most && (w = fn_map_next(p->sandboxes, &it))) {
		const struct fn_function *f = w->group->function;

		if (w->inv || (function && !fn_streq(f->name, function)) || (version && !fn_streq(f->version, version)))
			continue;
		fn_worker_leave(w);
		n++;
	}
	return n;
}

void fn_pool_give_back_all(struct fn_pool *p)
{
	struct fn_worker *w;
	size_t it = 0;

	while ((w = fn_map_next(p->sandboxes, &it)))
		fn_worker_leave(w);
}

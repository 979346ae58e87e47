/* provision.c - provisioned concurrency in the pool: a group's floor of environments that are there before they are asked for. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/str.h"
#include "pool/policy.h"
#include "pool/group.h"

#define AT_ONCE 16u /* starts of a group: others want to start too */

static bool alive(const struct fn_member *m) { return m->env.reason == FN_ENV_PROVISIONED && !m->surplus && !fn_env_is_ending(&m->env); }
static bool starting(const struct fn_member *m)
{
	return m->env.state == FN_ENV_SPAWNING || m->env.state == FN_ENV_INIT || m->env.state == FN_ENV_STOPPING || m->env.state == FN_ENV_RESETTING || m->env.state == FN_ENV_RESET;
}

static void on_timer(void *arg) { fn_group_provision(arg); }

static void again_at(struct fn_group *g, uint64_t at)
{
	if (!g->provision)
		(void)fn_loop_add_timer(g->pool->env.cfg.loop, at, on_timer, g, &g->provision);
	else
		(void)fn_loop_rearm_timer(g->pool->env.cfg.loop, g->provision, at);
}

/* The most recently used idle ones stay; what is busy ends after its invocation. */
static void let_go(struct fn_group *g, unsigned surplus)
{
	for (int idle = 1; idle >= 0; idle--)
		for (struct fn_list *l = g->members.prev, *prev; l != &g->members && surplus > 0; l = prev) {
			struct fn_member *m = fn_member_of(l);

			prev = l->prev;
			if (!alive(m) || (m->env.state == FN_ENV_IDLE) != idle)
				continue;
			surplus--;
			m->surplus = true;
			if (idle)
				fn_env_end(&m->env);
		}
}

static void count(const struct fn_group *g, unsigned *ret_have, unsigned *ret_under_way)
{
	*ret_under_way = 0;
	*ret_have = 0;
	fn_list_for_each(l, &g->members)
	{
		*ret_have += alive(fn_member_of(l));
		*ret_under_way += alive(fn_member_of(l)) && starting(fn_member_of(l));
	}
}

void fn_group_provision(struct fn_group *g)
{
	unsigned have, under_way, starts;

	if (g->retired || g->pool->env.shutdown)
		return;
	count(g, &have, &under_way);
	if (have > g->floor)
		let_go(g, have - g->floor);
	if (have - under_way >= g->floor)
		g->floor_reached = true;
	starts = fn_policy_provision_starts(g->floor, have, under_way, AT_ONCE);
	if (starts > 0 && g->provision_at_us > fn_pool_now_us(g->pool)) {
		again_at(g, g->provision_at_us);
		return;
	}
	while (starts-- > 0) {
		if (!fn_group_make_room(g)) {
			fn_group_provision_failed(g, "there is not enough memory (memory_budget_mb) for more environments");
			return;
		}
		if (!fn_member_start(g, NULL, FN_ENV_PROVISIONED, NULL) || g->floor_failures > 0)
			return;
	}
}

void fn_group_provisioned(struct fn_group *g)
{
	g->floor_failures = 0;
	g->floor_reason[0] = '\0';
	again_at(g, 0); /* the next; not from within the start of one */
}

void fn_group_provision_failed(struct fn_group *g, const char *why)
{
	uint64_t delay = why ? fn_policy_retry_us(g->floor_failures) : 500000u; /* NULL: fn-spawnd is being restarted */

	if (g->provision_at_us > fn_pool_now_us(g->pool)) /* another that was started at the same time */
		return;
	if (why) {
		g->floor_failures++;
		snprintf(g->floor_reason, sizeof(g->floor_reason), "%s", why);
		if (g->floor_failures == 1)
			fn_log_warn("provisioned concurrency of %s:%s: %s", g->version.function->name, g->version.function->version, why);
	}
	g->provision_at_us = fn_pool_now_us(g->pool) + delay;
	again_at(g, g->provision_at_us);
}

int fn_pool_provision(struct fn_pool *p, struct fn_function *f, unsigned n)
{
	struct fn_group *g = n > 0 ? fn_group_get(p, f, NULL) : fn_group_find(p, f, NULL);

	if (!g)
		return n > 0 ? -ENOMEM : 0;
	if (g->floor != n) {
		g->floor = n;
		g->floor_reached = false;
	}
	g->floor_failures = 0;
	g->floor_reason[0] = '\0';
	g->provision_at_us = 0;
	again_at(g, 0);
	return 0;
}

void fn_pool_provisioned(struct fn_pool *p, const struct fn_function *f, struct fn_backend_provisioned *ret)
{
	struct fn_group *g = fn_group_find(p, f, NULL);
	unsigned have, under_way;

	*ret = (struct fn_backend_provisioned){0};
	if (!g)
		return;
	ret->wanted = g->floor;
	ret->reached = g->floor_reached;
	snprintf(ret->failure, sizeof(ret->failure), "%s", g->floor_reason);
	count(g, &have, &under_way);
	ret->ready = have - under_way;
	fn_list_for_each(l, &g->members) ret->busy += alive(fn_member_of(l)) && fn_member_of(l)->env.state == FN_ENV_BUSY;
}

unsigned fn_pool_provisioned_busy(struct fn_pool *p, const char *function)
{
	struct fn_group *g;
	unsigned n = 0;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		if (g->floor > 0 && fn_streq(g->version.function->name, function))
			fn_list_for_each(l, &g->members) n += alive(fn_member_of(l)) && fn_member_of(l)->env.state == FN_ENV_BUSY;
	return n;
}

/* budget.c - memory: what environments weigh, and who gives way to another. */
#include "base/log.h"
#include "pool/group.h"
#include "pool/policy.h"

#define RECLAIM_AT_ONCE 4u

void fn_member_weigh(struct fn_member *m)
{
	uint64_t cost = fn_policy_cost(m->resident ? m->resident : m->env.memory_peak, (uint64_t)m->group->version.function->memory_mb << 20);

	m->group->pool->memory_used += cost - m->cost;
	if (m->group->tenant)
		m->group->pool->memory_tenants += cost - m->cost;
	m->cost = cost;
}

void fn_member_weigh_ending(struct fn_member *m)
{
	m->ending_cost = m->cost;
	m->group->pool->memory_ending += m->ending_cost;
}

/* Of all that are idle; tenants: of functions that have some; reclaimable: of those that are frozen and still have their page cache, as far as we know. */
static struct fn_member *least_valuable(struct fn_pool *p, bool reclaimable, bool tenants, double *ret_value)
{
	struct fn_member *found = NULL;
	struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		fn_list_for_each(l, &g->members)
		{
			struct fn_member *m = fn_member_of(l);
			double value;

			if ((tenants && !g->tenant) || (m->env.state != FN_ENV_IDLE && (reclaimable || m->env.state != FN_ENV_RESET)) || (!reclaimable && m->env.reason == FN_ENV_PROVISIONED) ||
			    (reclaimable && (!m->env.frozen || m->reclaiming)))
				continue;
			value = fn_keep_value(&p->keep, &g->keep, &m->keep, m->cost);
			if (!found || value < *ret_value) {
				found = m;
				*ret_value = value;
			}
		}
	return found;
}

/* Ends the idle environment of least value. */
static bool evict_one(struct fn_pool *p, bool tenants)
{
	double least;
	struct fn_member *victim = least_valuable(p, false, tenants, &least);

	if (!victim)
		return false;
	fn_keep_evicted(&p->keep, least);
	victim->evicted = true;
	fn_env_end(&victim->env);
	return true;
}

static uint64_t next_cost(const struct fn_group *g)
{
	return fn_policy_cost(g->memory_seen, (uint64_t)g->version.function->memory_mb << 20);
}

bool fn_group_lacks_room(const struct fn_group *g)
{
	const struct fn_pool *p = g->pool;

	return fn_policy_must_evict(p->memory_used - p->memory_ending, next_cost(g), p->memory_budget);
}

/* First, and in time, idle ones lose what the kernel can do without; then they end. */
bool fn_group_make_room(struct fn_group *g)
{
	struct fn_pool *p = g->pool;
	double value;

	if (fn_policy_should_reclaim(p->memory_used - p->memory_ending, next_cost(g), p->memory_budget)) {
		for (unsigned i = 0; i < RECLAIM_AT_ONCE; i++) {
			struct fn_member *m = least_valuable(p, true, false, &value);

			if (!m)
				break;
			m->reclaiming = true;
			fn_spawn_reclaim(p->env.spawn, m->env.sandbox);
		}
	}
	while (fn_group_lacks_room(g))
		if (!evict_one(p, false))
			return false;
	return true;
}

void fn_pool_bound_tenants(struct fn_pool *p)
{
	if (p->memory_budget && p->memory_tenants > p->memory_budget / 2)
		(void)evict_one(p, true);
}

void fn_pool_on_reclaimed(struct fn_pool *p, uint64_t sandbox, uint64_t bytes)
{
	struct fn_env *e = fn_env_by_sandbox(&p->env, sandbox);
	struct fn_member *m = e ? fn_member_of_env(e) : NULL;

	if (!m || e->state != FN_ENV_IDLE || !m->reclaiming || bytes == 0)
		return;
	m->resident = bytes;
	fn_member_weigh(m);
	fn_log_debug("an environment of %s holds %llu KB after its page cache was taken back", m->group->version.function->name,
		     (unsigned long long)bytes >> 10);
}

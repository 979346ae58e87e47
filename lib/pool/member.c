/* member.c - an environment joins its group, works in it, leaves it. */
#include <stdlib.h>

#include "env/snapshot.h"
#include "pool/group.h"

static void count_bound(struct fn_member *m, struct fn_invocation *inv)
{
	m->bound = true;
	m->group->n_bound++;
	inv->spilled = m->group->floor > 0;
}

struct fn_member *fn_member_start(struct fn_group *g, struct fn_invocation *bound, enum fn_env_reason reason, struct fn_snapshot *snapshot)
{
	struct fn_member *m = calloc(1, sizeof(*m));

	if (!m || fn_env_init(&m->env, &g->version, reason) < 0) {
		free(m);
		return NULL;
	}
	m->group = g;
	if (snapshot)
		fn_snapshot_attach(snapshot, &m->env);
	fn_list_push_back(&g->members, &m->link);
	g->count[m->env.state]++;
	g->pool->members++;
	fn_member_weigh(m);
	if (bound) {
		count_bound(m, bound);
		fn_env_bind(&m->env, bound);
	}
	fn_env_launch(&m->env);
	return m;
}

void fn_member_begin_again(struct fn_member *m, struct fn_invocation *bound)
{
	if (bound)
		count_bound(m, bound);
	fn_env_begin_again(&m->env, bound);
}

void fn_member_serve(struct fn_member *m, struct fn_invocation *inv)
{
	struct fn_group *g = m->group;

	m->reclaiming = false;
	if (m->resident) { /* it will fetch its pages back */
		m->resident = 0;
		fn_member_weigh(m);
	}
	inv->spilled = m->env.reason != FN_ENV_PROVISIONED && g->floor > 0;
	if (!fn_env_serve(&m->env, inv))
		fn_group_wait_first(g, inv);
}

void fn_member_free(struct fn_member *m)
{
	struct fn_group *g = m->group;
	struct fn_pool *p = g->pool;

	fn_env_clear(&m->env);
	p->memory_used -= m->cost;
	if (g->tenant)
		p->memory_tenants -= m->cost;
	p->memory_ending -= m->ending_cost;
	g->count[m->env.state]--;
	if (m->bound)
		g->n_bound--;
	fn_list_remove(&m->link);
	p->members--;
	if (fn_list_empty(&g->members))
		fn_keep_emptied(&p->keep, &g->keep, m->evicted);
	free(m);
}

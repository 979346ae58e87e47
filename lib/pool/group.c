/* group.c - groups: one for a function version and generation, the queue of what waits in it, and what is learnt of a function. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "pool/group.h"

/* What was learnt of a function outlives a change of its code or configuration. */
struct memory {
	char *name, *key; /* name:version */
	struct fn_keep_function keep;
	uint64_t memory_seen;
};

static void memory_free(struct fn_pool *p, struct memory *m)
{
	fn_map_remove(p->memories, m->key);
	free(m->name);
	free(m->key);
	free(m);
}

void fn_group_remember(const struct fn_group *g)
{
	struct fn_pool *p = g->pool;
	char key[256];
	struct memory *m;

	snprintf(key, sizeof(key), "%s:%s", g->version.function->name, g->version.function->version);
	m = fn_map_get(p->memories, key);
	if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m || !(m->name = strdup(g->version.function->name)) || !(m->key = strdup(key)) || fn_map_set(p->memories, key, m, NULL) < 0) {
			if (m) {
				free(m->name);
				free(m->key);
			}
			free(m);
			return;
		}
	}
	m->keep = g->keep;
	m->keep.running = 0;
	m->memory_seen = g->memory_seen;
}

static void recall(struct fn_pool *p, struct fn_group *g, const struct fn_function *f)
{
	char key[256];
	struct memory *m;

	snprintf(key, sizeof(key), "%s:%s", f->name, f->version);
	m = fn_map_get(p->memories, key);
	if (!m)
		return;
	g->keep = m->keep;
	g->memory_seen = m->memory_seen;
	memory_free(p, m);
}

void fn_pool_forget(struct fn_pool *p, const char *name) /* NULL = everything */
{
	struct memory *m;
	size_t it = 0;

	while ((m = fn_map_next(p->memories, &it)))
		if (!name || fn_streq(m->name, name))
			memory_free(p, m);
}

#define KEY_MAX 600 /* a tenant's name has 256 bytes */

static const char *group_key(const struct fn_function *f, const char *tenant, char key[KEY_MAX])
{
	snprintf(key, KEY_MAX, "%s:%s:%" PRIu64 "%s%s", f->name, f->version, f->generation, tenant ? ":" : "", tenant ? tenant : "");
	return key;
}

struct fn_group *fn_group_find(struct fn_pool *p, const struct fn_function *f, const char *tenant)
{
	char key[KEY_MAX];

	return fn_map_get(p->groups, group_key(f, tenant, key));
}

struct fn_group *fn_group_get(struct fn_pool *p, struct fn_function *f, const char *tenant)
{
	char key[KEY_MAX];
	struct fn_group *g = fn_group_find(p, f, tenant);

	if (g)
		return g;
	group_key(f, tenant, key);
	g = calloc(1, sizeof(*g));
	if (!g || !(g->key = strdup(key)) || fn_map_set(p->groups, key, g, NULL) < 0) {
		free(g);
		return NULL;
	}
	if (!tenant)
		recall(p, g, f);
	g->tenant = tenant != NULL;
	g->pool = p;
	fn_env_version_init(&g->version, &p->env, f);
	fn_list_init(&g->members);
	fn_list_init(&g->waiting);
	fn_env_prestart(&p->env, f);
	return g;
}

void fn_group_release(struct fn_group *g)
{
	if ((!g->retired && !g->tenant) || !fn_list_empty(&g->members) || !fn_list_empty(&g->waiting))
		return;
	fn_map_remove(g->pool->groups, g->key);
	fn_loop_clear(g->pool->env.cfg.loop, &g->patience);
	fn_loop_clear(g->pool->env.cfg.loop, &g->prewarm);
	fn_loop_clear(g->pool->env.cfg.loop, &g->provision);
	fn_env_version_clear(&g->version);
	free(g->key);
	free(g);
}

void fn_group_wait_in(struct fn_group *g, struct fn_invocation *inv)
{
	fn_list_push_back(&g->waiting, &inv->link);
	g->n_waiting++;
}

void fn_group_wait_first(struct fn_group *g, struct fn_invocation *inv)
{
	fn_list_push_front(&g->waiting, &inv->link);
	g->n_waiting++;
}

struct fn_invocation *fn_group_wait_out(struct fn_group *g)
{
	struct fn_list *l = fn_list_first(&g->waiting);

	if (!l)
		return NULL;
	fn_list_remove(l);
	if (--g->n_waiting == 0)
		g->patience_until_us = 0; /* who waits next has its own */
	return fn_list_entry(l, struct fn_invocation, link);
}

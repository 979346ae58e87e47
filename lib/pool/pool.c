/*
 * pool.c - see pool.h: groups, and what an invocation waits for. An environment's own life is in worker.c and life.c.
 */
#include "pool/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "pool/code.h"
#include "pool/policy.h"
#include "pool/worker.h"

#define RECLAIM_AT_ONCE 4u

/* --- groups --- */
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

static void remember(struct fn_pool *p, const struct fn_group *g)
{
	char key[256];
	struct memory *m;

	snprintf(key, sizeof(key), "%s:%s", g->function->name, g->function->version);
	m = fn_map_get(p->memories, key);
	if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m || !(m->name = strdup(g->function->name)) || !(m->key = strdup(key)) || fn_map_set(p->memories, key, m, NULL) < 0) {
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

static void forget(struct fn_pool *p, const char *name) /* NULL = everything */
{
	struct memory *m;
	size_t it = 0;

	while ((m = fn_map_next(p->memories, &it)))
		if (!name || fn_streq(m->name, name))
			memory_free(p, m);
}

static const char *group_key(const struct fn_function *f, char *key, size_t size)
{
	snprintf(key, size, "%s:%s:%" PRIu64, f->name, f->version, f->generation);
	return key;
}

struct fn_group *fn_group_find(struct fn_pool *p, const struct fn_function *f)
{
	char key[256];

	return fn_map_get(p->groups, group_key(f, key, sizeof(key)));
}

static enum fn_level level_of(const char *name)
{
	enum fn_level level = name ? fn_level_parse(name, strlen(name)) : FN_LEVEL_NONE;

	return level == FN_LEVEL_NONE ? FN_LEVEL_INFO : level;
}

struct fn_group *fn_group_get(struct fn_pool *p, struct fn_function *f)
{
	char key[256];
	struct fn_group *g = fn_group_find(p, f);

	if (g)
		return g;
	group_key(f, key, sizeof(key));
	g = calloc(1, sizeof(*g));
	if (!g || !(g->key = strdup(key)) || fn_map_set(p->groups, key, g, NULL) < 0) {
		free(g);
		return NULL;
	}
	recall(p, g, f);
	g->pool = p;
	if (fn_streq(f->log_format, "JSON")) {
		g->json = true;
		g->app_level = level_of(f->app_log_level);
		g->system_level = level_of(f->system_log_level);
	}
	g->function = fn_function_ref(f);
	fn_list_init(&g->workers);
	fn_list_init(&g->waiting);
	fn_pool_prestart(p, f);
	return g;
}

void fn_group_release(struct fn_group *g)
{
	if (!g->retired || !fn_list_empty(&g->workers) || !fn_list_empty(&g->waiting))
		return;
	fn_map_remove(g->pool->groups, g->key);
	fn_loop_clear(g->pool->cfg.loop, &g->patience);
	fn_loop_clear(g->pool->cfg.loop, &g->prewarm);
	fn_loop_clear(g->pool->cfg.loop, &g->provision);
	fn_function_unref(g->function);
	free(g->key);
	free(g);
}

void fn_group_wait_in(struct fn_group *g, struct fn_invocation *inv)
{
	fn_list_push_back(&g->waiting, &inv->link);
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

void fn_group_fail_one(struct fn_group *g, struct fn_invocation *inv, const struct fn_err *err)
{
	if (!inv)
		return;
	fn_invocation_fail(inv, err);
	fn_invocation_unref(inv);
	fn_group_done(g);
}

/* Of all that are idle; reclaimable: of those that are frozen and still have their page cache, as far as we know. */
static struct fn_worker *least_valuable(struct fn_pool *p, bool reclaimable, double *ret_value)
{
	struct fn_worker *found = NULL;
	struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		fn_list_for_each(l, &g->workers)
		{
			struct fn_worker *w = fn_worker_of(l);
			double value;

			if ((w->state != FN_WORKER_IDLE && (reclaimable || w->state != FN_WORKER_RESET)) || (!reclaimable && w->reason == FN_PROVISIONED) ||
			    (reclaimable && (!w->frozen || w->reclaiming)))
				continue;
			value = fn_keep_value(&p->keep, &g->keep, &w->keep, fn_worker_cost(w));
			if (!found || value < *ret_value) {
				found = w;
				*ret_value = value;
			}
		}
	return found;
}

/* Ends the idle environment of least value. */
static bool evict_one(struct fn_pool *p)
{
	double least;
	struct fn_worker *victim = least_valuable(p, false, &least);

	if (!victim)
		return false;
	fn_keep_evicted(&p->keep, least);
	victim->evicted = true;
	fn_worker_end(victim);
	return true;
}

static uint64_t next_cost(const struct fn_group *g)
{
	return fn_policy_cost(g->memory_seen, (uint64_t)g->function->memory_mb << 20);
}

static bool lacks_room(const struct fn_group *g)
{
	const struct fn_pool *p = g->pool;

	return fn_policy_must_evict(p->memory_used - p->memory_ending, next_cost(g), p->cfg.memory_budget);
}

/* First, and in time, idle ones lose what the kernel can do without; then they end. */
bool fn_group_make_room(struct fn_group *g)
{
	struct fn_pool *p = g->pool;
	double value;

	if (fn_policy_should_reclaim(p->memory_used - p->memory_ending, next_cost(g), p->cfg.memory_budget)) {
		for (unsigned i = 0; i < RECLAIM_AT_ONCE; i++) {
			struct fn_worker *w = least_valuable(p, true, &value);

			if (!w)
				break;
			w->reclaiming = true;
			fn_spawn_reclaim(p->spawn, w->sandbox);
		}
	}
	while (lacks_room(g))
		if (!evict_one(p))
			return false;
	return true;
}

void fn_pool_on_reclaimed(struct fn_pool *p, uint64_t sandbox, uint64_t bytes)
{
	struct fn_worker *w = fn_map_get_u64(p->sandboxes, sandbox);
	uint64_t before;

	if (!w || w->state != FN_WORKER_IDLE || !w->reclaiming || bytes == 0)
		return;
	before = fn_worker_cost(w);
	w->resident = bytes;
	p->memory_used += fn_worker_cost(w) - before;
	fn_log_debug("an environment of %s holds %llu KB after its page cache was taken back", w->group->function->name,
		     (unsigned long long)bytes >> 10);
}

/* --- made ahead --- */
static void on_prewarm(void *arg)
{
	struct fn_group *g = arg;

	if (g->keep.running > 0 || !fn_list_empty(&g->workers) || g->retired || g->pool->shutdown || lacks_room(g))
		return;
	fn_worker_start(g, NULL, FN_FOR_LATER);
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
		(void)fn_loop_add_timer(p->cfg.loop, at, on_prewarm, g, &g->prewarm);
	else
		(void)fn_loop_rearm_timer(p->cfg.loop, g->prewarm, at);
	fn_list_for_each(l, &g->workers) /* the spare ones have their ends from when it was busy */
	{
		struct fn_worker *w = fn_worker_of(l);

		if ((w->state == FN_WORKER_IDLE && w->frozen) || w->state == FN_WORKER_RESET)
			fn_worker_arm(w, fn_worker_until(w));
	}
}

struct fn_worker *fn_group_idle(struct fn_group *g)
{
	struct fn_worker *idle = NULL;

	if (g->count[FN_WORKER_IDLE] == 0)
		return NULL;
	fn_list_for_each(l, &g->workers)
	{
		struct fn_worker *w = fn_worker_of(l);

		if (w->state == FN_WORKER_IDLE && (!idle || w->reason == FN_PROVISIONED)) {
			idle = w;
			if (g->floor == 0 || w->reason == FN_PROVISIONED)
				break;
		}
	}
	return idle;
}

static void on_patience(void *arg) { fn_group_dispatch(arg); }

/* One that was reset, for the first that waits. */
static void begin_again(struct fn_group *g)
{
	fn_list_for_each(l, &g->workers)
	{
		if (fn_worker_of(l)->state == FN_WORKER_RESET) {
			fn_worker_begin_again(fn_worker_of(l), fn_group_wait_out(g));
			return;
		}
	}
}

/* For n that wait. */
static void start_for_waiting(struct fn_group *g, unsigned n)
{
	static const struct fn_err no_memory = {ENOMEM, "start an environment", ""};

	while (n-- > 0 && g->n_waiting > 0) {
		if (g->count[FN_WORKER_RESET] > 0) {
			begin_again(g);
			continue;
		}
		(void)fn_group_make_room(g);
		if (!fn_worker_start(g, NULL, FN_FOR_INVOCATION))
			fn_group_fail_one(g, fn_group_wait_out(g), &no_memory);
	}
}

void fn_group_dispatch(struct fn_group *g)
{
	struct fn_pool *p = g->pool;
	unsigned starts, starting = g->count[FN_WORKER_SPAWNING] + g->count[FN_WORKER_INIT] - g->n_bound, finishing = g->count[FN_WORKER_FINISHING];
	bool patient;

	while (g->count[FN_WORKER_IDLE] > 0 && !fn_list_empty(&g->waiting))
		fn_worker_serve(fn_group_idle(g), fn_group_wait_out(g));
	if (g->n_waiting == 0 || p->shutdown)
		return;
	if (finishing > 0 && g->patience_until_us == 0) {
		g->patience_until_us = fn_pool_now_us(p) + fn_policy_patience_us(g->settle_us);
		if (!g->patience)
			(void)fn_loop_add_timer(p->cfg.loop, g->patience_until_us, on_patience, g, &g->patience);
		else
			(void)fn_loop_rearm_timer(p->cfg.loop, g->patience, g->patience_until_us);
	}
	patient = fn_pool_now_us(p) < g->patience_until_us;
	if (!patient)
		g->patience_until_us = 0;
	starts = fn_policy_starts(g->n_waiting, starting + g->count[FN_WORKER_RESETTING], finishing, patient); /* one that is reset is there in a moment */
	start_for_waiting(g, starts);
}

void fn_pool_run(struct fn_pool *p, struct fn_invocation *inv)
{
	const struct fn_err down = {ESHUTDOWN, "invoke", "fnd is shutting down"};
	struct fn_group *g = p->shutdown ? NULL : fn_group_get(p, inv->function);

	if (!g) {
		fn_invocation_fail(inv, &down);
		return;
	}
	fn_keep_arrived(&p->keep, &g->keep, fn_pool_now_us(p));
	fn_group_wait_in(g, fn_invocation_ref(inv));
	fn_group_dispatch(g);
}

/* --- the whole --- */
int fn_pool_new(const struct fn_pool_config *config, struct fn_pool **ret, struct fn_err *err)
{
	struct fn_pool *p = calloc(1, sizeof(*p));

	if (!p || fn_map_new(&p->groups) < 0 || fn_map_new(&p->memories) < 0 || fn_map_new(&p->sandboxes) < 0)
		return fn_err_set(err, ENOMEM, "pool", NULL);
	p->cfg = *config;
	fn_list_init(&p->snapshots);
	fn_list_init(&p->restoring);
	fn_list_init(&p->paused);
	fn_keep_init(&p->keep, &config->keep);
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
	p->shutdown = true; /* nothing is started any more for what is freed */
	while (it = 0, (g = fn_map_next(p->groups, &it))) {
		while (!fn_list_empty(&g->workers)) {
			struct fn_worker *w = fn_worker_of(fn_list_first(&g->workers));

			if (w->inv)
				fn_invocation_unref(fn_take_ptr(w->inv));
			fn_worker_free(w);
			if (!fn_map_get(p->groups, g->key))
				break;
		}
		if (fn_map_get(p->groups, g->key)) {
			g->retired = true;
			fn_group_release(g);
		}
	}
	fn_snapshots_drop(p);
	fn_code_forget(p);
	forget(p, NULL);
	fn_loop_clear(p->cfg.loop, &p->resume);
	fn_map_free(p->memories);
	fn_map_free(p->groups);
	fn_map_free(p->sandboxes);
	free(p);
}

void fn_pool_retire(struct fn_pool *p, const char *name, const char *version, uint64_t keep)
{
	struct fn_group *g, *next;
	size_t it = 0;

	if (keep == 0 && !version)
		forget(p, name);
	for (g = fn_map_next(p->groups, &it); g; g = next) {
		next = fn_map_next(p->groups, &it);
		if (!fn_streq(g->function->name, name) || (version && !fn_streq(g->function->version, version)) ||
		    g->function->generation == keep)
			continue;
		if (keep > 0 && !g->retired)
			remember(p, g);
		g->retired = true;
		fn_list_for_each_safe(l, &g->workers)
		{
			if (fn_worker_of(l)->state == FN_WORKER_IDLE || fn_worker_of(l)->state == FN_WORKER_RESET)
				fn_worker_end(fn_worker_of(l));
		}
		fn_group_release(g);
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

		while ((inv = fn_group_wait_out(g))) {
			fn_invocation_fail(inv, &down);
			fn_invocation_unref(inv);
		}
		fn_list_for_each_safe(l, &g->workers) fn_worker_end(fn_worker_of(l));
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

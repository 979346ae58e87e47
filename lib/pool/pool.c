/* pool.c - see pool.h. */
#include "pool/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "pool/group.h"

void fn_pool_run(struct fn_pool *p, struct fn_invocation *inv)
{
	const struct fn_err down = {.code = ESHUTDOWN, .stage = "invoke", .msg = "fnd is shutting down"};
	struct fn_group *g = p->env.shutdown ? NULL : fn_group_get(p, inv->function, inv->tenant_id);

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

	if (!p || fn_map_new(&p->groups) < 0 || fn_map_new(&p->memories) < 0 || fn_env_host_init(&p->env, &config->env, &fn_pool_env_ops) < 0)
		return fn_err_set(err, ENOMEM, "pool", NULL);
	p->memory_budget = config->memory_budget;
	fn_keep_init(&p->keep, &config->keep);
	*ret = p;
	return 0;
}

void fn_pool_set_spawn(struct fn_pool *p, struct fn_spawn_client *spawn) { p->env.spawn = spawn; }

void fn_pool_free(struct fn_pool *p)
{
	struct fn_group *g;
	size_t it;

	if (!p)
		return;
	p->env.shutdown = true; /* nothing is started any more for what is freed */
	while (it = 0, (g = fn_map_next(p->groups, &it))) {
		while (!fn_list_empty(&g->members)) {
			struct fn_member *m = fn_member_of(fn_list_first(&g->members));

			if (m->env.inv)
				fn_invocation_unref(fn_take_ptr(m->env.inv));
			fn_member_free(m);
		}
		g->retired = true;
		fn_group_release(g);
	}
	fn_env_host_clear(&p->env);
	fn_pool_forget(p, NULL);
	fn_map_free(p->memories);
	fn_map_free(p->groups);
	free(p);
}

void fn_pool_retire(struct fn_pool *p, const char *name, const char *version, uint64_t keep)
{
	struct fn_group *g, *next;
	size_t it = 0;

	if (keep == 0 && !version)
		fn_pool_forget(p, name);
	for (g = fn_map_next(p->groups, &it); g; g = next) {
		next = fn_map_next(p->groups, &it);
		if (!fn_streq(g->version.function->name, name) || (version && !fn_streq(g->version.function->version, version)) ||
		    g->version.function->generation == keep)
			continue;
		if (keep > 0 && !g->retired && !g->tenant)
			fn_group_remember(g);
		g->retired = true;
		fn_list_for_each_safe(l, &g->members)
		{
			if (fn_member_of(l)->env.state == FN_ENV_IDLE || fn_member_of(l)->env.state == FN_ENV_RESET)
				fn_env_end(&fn_member_of(l)->env);
		}
		fn_group_release(g);
	}
}

void fn_pool_shutdown(struct fn_pool *p)
{
	const struct fn_err down = {.code = ESHUTDOWN, .stage = "invoke", .msg = "fnd is shutting down"};
	struct fn_group *g;
	size_t it = 0;

	p->env.shutdown = true;
	while ((g = fn_map_next(p->groups, &it))) {
		struct fn_invocation *inv;

		while ((inv = fn_group_wait_out(g))) {
			fn_invocation_fail(inv, &down);
			fn_invocation_unref(inv);
		}
		fn_list_for_each_safe(l, &g->members) fn_env_end(&fn_member_of(l)->env);
	}
}

unsigned fn_pool_workers(const struct fn_pool *p) { return p->members; }

bool fn_pool_uses_code(struct fn_pool *p, const char *code_sha256)
{
	struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		if ((!fn_list_empty(&g->members) || !fn_list_empty(&g->waiting)) && fn_function_needs(g->version.function, code_sha256))
			return true;
	return false;
}

void fn_pool_on_exit(struct fn_pool *p, uint64_t sandbox, const struct fn_sandbox_exit *info) { fn_env_host_on_exit(&p->env, sandbox, info); }

void fn_pool_on_process(struct fn_pool *p, uint64_t sandbox, unsigned process, int wait_status, const struct fn_err *err)
{
	fn_env_host_on_process(&p->env, sandbox, process, wait_status, err);
}

void fn_pool_on_lost(struct fn_pool *p)
{
	struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(p->groups, &it)))
		fn_list_for_each(l, &g->members) fn_env_on_lost(&fn_member_of(l)->env);
}

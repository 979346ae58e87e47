/* prestart.c - runtimes that are started before anyone asks for them. */
#include <errno.h>

#include "env/env.h"
#include "env/spec.h"
#include "model/limits.h"

/* None holds before the order: then the function's do. */
static void any_limits(struct fn_spec *s)
{
	s->memory_bytes = 1u << 30;
	s->cpu_quota_us = s->cpu_init_quota_us = FN_SPEC_CPU_INIT_US;
	s->tmp_bytes = 1u << 20;
}

/* The runtime by itself, or what begins from snapshots of it: to be started ahead. */
static int prestart_spec(const struct fn_env_config *cfg, const struct fn_runtime *rt, int memory_mb, bool restore, struct fn_spec *s)
{
	struct fn_strings env = {0}, argv = {0}, exec = {0};

	fn_spec_basics(s, cfg, rt);
	fn_variables_common(&env, rt);
	fn_variables_set(&env, FN_PRESTART_ENV, "%d", FN_PRESTART_FD);
	if (!restore) /* which makes a place of its own */
		fn_variables_set(&env, FN_PRESTART_ROOM, "%0*d", FN_PRESTART_ROOM_SIZE, 0);
	if (rt->prestart_by_memory)
		fn_variables_set(&env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "%d", memory_mb);
	fn_spec_command(rt, restore, &argv, &exec);
	any_limits(s);
	fn_spec_name_kind(s, rt, memory_mb, restore);
	s->prestart = true;
	s->argv = argv.v;
	s->envp = env.v;
	s->exec_candidates = exec.v;
	return env.failed || argv.failed || exec.failed ? -ENOMEM : 0;
}

/* The number that fn is called with later, 0 = it is not. */
static uint64_t prestart(struct fn_env_host *h, const struct fn_runtime *rt, int memory_mb, bool restore, fn_spawn_ready_fn fn, void *arg)
{
	uint64_t request = 0;
	struct fn_spec s = {0};
	int r = prestart_spec(&h->cfg, rt, memory_mb, restore, &s);

	if (r == 0) /* should it fail or be lost, starts are only slower */
		r = fn_spawn_prestart(h->spawn, &s, fn, arg, &request);
	fn_spec_clear(&s);
	return r == 0 ? request : 0;
}

static const struct fn_runtime *prestarted_runtime(struct fn_env_host *h, const struct fn_function *f)
{
	const struct fn_runtime *rt = f->runtime && h->spawn ? fn_runtimes_of(h->cfg.runtimes, f) : NULL;

	return rt && rt->installed ? rt : NULL;
}

/* Those of the usual size there are always. */
static void expect_tmp(struct fn_env_host *h, const struct fn_function *f)
{
	if (h->spawn && f->ephemeral_mb > FN_LIMIT_TMP_MIN)
		fn_spawn_expect_tmp(h->spawn, (uint64_t)f->ephemeral_mb << 20);
}

void fn_env_expect_root(struct fn_env_host *h, const struct fn_function *f)
{
	const struct fn_runtime *rt = prestarted_runtime(h, f);
	struct fn_strings env = {0}, argv = {0}, exec = {0};
	bool restore = rt && fn_spec_restores(&h->cfg, f, rt);
	struct fn_spec s = {0};

	if (!rt)
		return;
	fn_spec_basics(&s, &h->cfg, rt);
	fn_spec_trees(&s, f, restore ? f->snapshot_tree : NULL);
	any_limits(&s);
	fn_spec_command(rt, restore, &argv, &exec);
	fn_variables_common(&env, rt);
	s.argv = argv.v;
	s.envp = env.v;
	s.exec_candidates = exec.v;
	if (!env.failed && !argv.failed && !exec.failed)
		fn_spawn_expect_root(h->spawn, &s);
	fn_spec_clear(&s);
}

void fn_env_prestart(struct fn_env_host *h, const struct fn_function *f)
{
	const struct fn_runtime *rt = prestarted_runtime(h, f);

	expect_tmp(h, f);
	if (!rt)
		return;
	if (rt->prestart_unless)
		prestart(h, rt, f->memory_mb, false, NULL, NULL);
	if (f->snapshot_tree && rt->restore)
		prestart(h, rt, f->memory_mb, true, NULL, NULL);
}

uint64_t fn_env_await(struct fn_env_host *h, const struct fn_function *f, fn_spawn_ready_fn fn, void *arg)
{
	const struct fn_runtime *rt = prestarted_runtime(h, f);

	expect_tmp(h, f);
	fn_env_expect_root(h, f);
	if (!rt || !rt->prestart_unless || fn_runtime_prestart_obstacle(rt, f->env, f->n_env))
		return 0;
	return prestart(h, rt, f->memory_mb, false, fn, arg);
}

/* spec.c - from a function version to the sandbox it needs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "model/limits.h"
#include "pool/environment.h"
#include "pool/policy.h"
#include "pool/worker.h"

#define CPU_PERIOD_US 20000u /* short: a small function's quota comes in small helpings instead of 90 ms pauses */

static void environment(const struct fn_worker *w, const struct fn_runtime *rt, const char *region, const struct fn_credentials *c, struct fn_strings *ret)
{
	const struct fn_environment e = {
		.function = w->group->function, .runtime = rt, .region = region, .log_stream = w->log_stream, .credentials = c,
		.initialization = w->reason == FN_PROVISIONED ? "provisioned-concurrency" : w->reason == FN_FOR_SNAPSHOT || w->restored ? "snap-start" : "on-demand",
	};

	fn_environment_make(&e, ret);
}

static void name_log_stream(struct fn_worker *w)
{
	time_t t = time(NULL);
	char hex[33];
	struct tm tm;

	gmtime_r(&t, &tm);
	fn_id_hex(hex, 32);
	snprintf(w->log_stream, sizeof(w->log_stream), "%04d/%02d/%02d/[%s]%s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 w->group->function->version, hex);
}

/* Named after the image too: with another one it is another kind. */
static void name_kind(struct fn_spec *s, const struct fn_runtime *rt, int memory_mb, bool restore)
{
	const char *image = rt->n_layers ? rt->layers[0] + strlen("img-") : "";

	if (restore)
		snprintf(s->kind, sizeof(s->kind), "snap-%.11s-%.12s", rt->name, image);
	else if (rt->prestart_by_memory)
		snprintf(s->kind, sizeof(s->kind), "%.11s-%.12s-%d", rt->name, image, memory_mb);
	else
		snprintf(s->kind, sizeof(s->kind), "%.11s-%.12s", rt->name, image);
}

/* What all sandboxes of a runtime have in common; lowers: its base image. */
static void basics(struct fn_spec *s, const struct fn_pool_config *cfg, const struct fn_runtime *rt)
{
	snprintf(s->name, sizeof(s->name), FN_SANDBOX_HOSTNAME);
	s->cpu_period_us = CPU_PERIOD_US;
	s->pids_max = 1024;
	s->nofile = 1024;
	s->net = cfg->net;
	snprintf(s->cwd, sizeof(s->cwd), "/var/task");
	for (unsigned i = 0; i < rt->n_layers; i++)
		snprintf(s->lowers[s->n_lowers++], FN_TREE_NAME_SIZE, "%s", rt->layers[i]);
}

static void command(const struct fn_runtime *rt, bool restore, struct fn_strings *argv, struct fn_strings *exec)
{
	if (restore) {
		fn_strings_add(exec, "%s", rt->restore[0]);
		for (char **a = rt->restore; *a; a++)
			fn_strings_add(argv, "%s", *a);
		return;
	}
	for (char **e = rt->exec_candidates; *e; e++)
		fn_strings_add(exec, "%s", *e);
	fn_strings_add(argv, "bootstrap");
}

/* The runtime by itself, or what begins from snapshots of it: to be started ahead. */
static int prestart_spec(const struct fn_pool_config *cfg, const struct fn_runtime *rt, int memory_mb, bool restore, struct fn_spec *s)
{
	struct fn_strings env = {0}, argv = {0}, exec = {0};

	basics(s, cfg, rt);
	fn_environment_common(&env, rt);
	fn_environment_set(&env, FN_PRESTART_ENV, "%d", FN_PRESTART_FD);
	if (!restore) /* which makes a place of its own */
		fn_environment_set(&env, FN_PRESTART_ROOM, "%0*d", FN_PRESTART_ROOM_SIZE, 0);
	if (rt->prestart_by_memory)
		fn_environment_set(&env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "%d", memory_mb);
	command(rt, restore, &argv, &exec);
	s->memory_bytes = 1u << 30; /* neither holds before the order: then the function's do */
	s->cpu_quota_us = s->cpu_init_quota_us = CPU_PERIOD_US;
	s->tmp_bytes = 1u << 20;
	name_kind(s, rt, memory_mb, restore);
	s->prestart = true;
	s->argv = argv.v;
	s->envp = env.v;
	s->exec_candidates = exec.v;
	return env.failed || argv.failed || exec.failed ? -ENOMEM : 0;
}

/* The number that fn is called with later, 0 = it is not. */
static uint64_t prestart(struct fn_pool *p, const struct fn_runtime *rt, int memory_mb, bool restore, fn_spawn_ready_fn fn, void *arg)
{
	uint64_t request = 0;
	struct fn_spec s = {0};
	int r = prestart_spec(&p->cfg, rt, memory_mb, restore, &s);

	if (r == 0) /* should it fail or be lost, starts are only slower */
		r = fn_spawn_prestart(p->spawn, &s, fn, arg, &request);
	fn_spec_clear(&s);
	return r == 0 ? request : 0;
}

static const struct fn_runtime *prestarted_runtime(struct fn_pool *p, const struct fn_function *f)
{
	const struct fn_runtime *rt = f->runtime && p->spawn ? fn_runtimes_find(p->cfg.runtimes, f->runtime) : NULL;

	return rt && rt->installed ? rt : NULL;
}

/* Those of the usual size there are always. */
static void expect_tmp(struct fn_pool *p, const struct fn_function *f)
{
	if (p->spawn && f->ephemeral_mb > FN_LIMIT_TMP_MIN)
		fn_spawn_expect_tmp(p->spawn, (uint64_t)f->ephemeral_mb << 20);
}

void fn_pool_prestart(struct fn_pool *p, const struct fn_function *f)
{
	const struct fn_runtime *rt = prestarted_runtime(p, f);

	expect_tmp(p, f);
	if (!rt)
		return;
	if (rt->prestart_unless)
		prestart(p, rt, f->memory_mb, false, NULL, NULL);
	if (f->snapshot_tree && rt->restore)
		prestart(p, rt, f->memory_mb, true, NULL, NULL);
}

uint64_t fn_pool_await(struct fn_pool *p, const struct fn_function *f, fn_spawn_ready_fn fn, void *arg)
{
	const struct fn_runtime *rt = prestarted_runtime(p, f);

	expect_tmp(p, f);
	if (!rt || !rt->prestart_unless || fn_runtime_prestart_obstacle(rt, f->env, f->n_env))
		return 0;
	return prestart(p, rt, f->memory_mb, false, fn, arg);
}

/* Begins from its version's snapshot, if there is one and it fits; if not though it might, w->plain says so. */
static bool may_restore(struct fn_worker *w, const struct fn_runtime *rt)
{
	const struct fn_function *f = w->group->function;
	char host[FN_SNAPSHOT_HOST_SIZE];

	if (!f->snapshot_tree || !rt->restore || w->reason == FN_FOR_SNAPSHOT || w->inv)
		return false;
	if (w->group->snapshot_broken[0]) {
		snprintf(w->plain, sizeof(w->plain), "no snapshot: it failed");
		return false;
	}
	fn_pool_snapshot_host(w->group->pool, f, host);
	if (!fn_streq(host, f->snapshot_host)) {
		snprintf(w->plain, sizeof(w->plain), "no snapshot: it is of another host or base image");
		return false;
	}
	return true;
}

/* On top of those there are. */
static void push_lower(struct fn_spec *s, const char *tree)
{
	memmove(s->lowers + 1, s->lowers, s->n_lowers * FN_TREE_NAME_SIZE);
	s->n_lowers++;
	snprintf(s->lowers[0], FN_TREE_NAME_SIZE, "%s", tree);
}

int fn_worker_spec(struct fn_worker *w, const struct fn_credentials *credentials, struct fn_spec *ret, struct fn_err *err)
{
	const struct fn_pool_config *cfg = &w->group->pool->cfg;
	const struct fn_function *f = w->group->function;
	const struct fn_runtime *rt = fn_runtimes_find(cfg->runtimes, f->runtime);
	struct fn_strings env = {0}, argv = {0}, exec = {0};
	char code[FN_TREE_NAME_SIZE];
	struct fn_spec s = {0};

	if (!rt || !rt->installed)
		return fn_err_set(err, ENOENT, "runtime", "the base image of %s is not installed", f->runtime);
	if (!w->log_stream[0])
		name_log_stream(w);
	w->plain[0] = '\0';
	w->restored = may_restore(w, rt);
	environment(w, rt, cfg->region, credentials, &env);
	command(rt, w->restored, &argv, &exec);
	basics(&s, cfg, rt);
	snprintf(s.owner, sizeof(s.owner), "%s", f->name);
	if (rt->prestart_unless && !w->restored && w->reason != FN_FOR_SNAPSHOT) {
		const char *obstacle = fn_runtime_prestart_obstacle(rt, f->env, f->n_env);

		if (obstacle)
			snprintf(w->plain, sizeof(w->plain), "runtime not ahead because of %s", obstacle);
		else
			name_kind(&s, rt, f->memory_mb, false);
	} else if (w->restored) {
		name_kind(&s, rt, f->memory_mb, true);
	}
	s.memory_bytes = (uint64_t)f->memory_mb << 20;
	s.cpu_quota_us = fn_policy_cpu_quota_us(f->memory_mb, CPU_PERIOD_US);
	/* a repeated init is within an invocation, which has no more than what it pays for */
	s.cpu_init_quota_us = w->inv || s.cpu_quota_us > CPU_PERIOD_US ? s.cpu_quota_us : CPU_PERIOD_US;
	s.tmp_bytes = (uint64_t)f->ephemeral_mb << 20;
	if (w->restored)
		push_lower(&s, f->snapshot_tree);
	snprintf(code, sizeof(code), "code-%s", f->code_sha256);
	push_lower(&s, code);
	s.argv = argv.v;
	s.envp = env.v;
	s.exec_candidates = exec.v;
	if (env.failed || argv.failed || exec.failed) {
		fn_spec_clear(&s);
		return fn_err_set(err, ENOMEM, "runtime", NULL);
	}
	*ret = s;
	return 0;
}

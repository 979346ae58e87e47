/* backend.c - the pool as lib/invoke knows it: model/backend.h. */
#include "env/snapshot.h"
#include "pool/group.h"

static struct fn_pool *pool_of(struct fn_backend *b) { return (struct fn_pool *)((char *)b - offsetof(struct fn_pool, backend)); }

static void submit(struct fn_backend *b, struct fn_invocation *inv) { fn_pool_run(pool_of(b), inv); }

static void expect(struct fn_backend *b, const struct fn_function *f) { fn_env_prestart(&pool_of(b)->env, f); }

static uint64_t await(struct fn_backend *b, const struct fn_function *f, void (*fn)(void *arg, uint64_t number), void *arg)
{
	return fn_env_await(&pool_of(b)->env, f, fn, arg);
}

static void retire(struct fn_backend *b, const char *name, const char *version, uint64_t keep) { fn_pool_retire(pool_of(b), name, version, keep); }

static int provision(struct fn_backend *b, struct fn_function *f, unsigned n) { return fn_pool_provision(pool_of(b), f, n); }

static void provisioned(struct fn_backend *b, const struct fn_function *f, struct fn_backend_provisioned *ret) { fn_pool_provisioned(pool_of(b), f, ret); }

static unsigned provisioned_busy(struct fn_backend *b, const char *function) { return fn_pool_provisioned_busy(pool_of(b), function); }

static void environments(struct fn_backend *b, void (*fn)(void *arg, const char *function, const struct fn_backend_environments *n), void *arg)
{
	const struct fn_group *g;
	size_t it = 0;

	while ((g = fn_map_next(pool_of(b)->groups, &it))) {
		const unsigned *c = g->count;

		fn(arg, g->version.function->name, &(struct fn_backend_environments){.starting = c[FN_ENV_SPAWNING] + c[FN_ENV_INIT] + c[FN_ENV_RESETTING],
			.idle = c[FN_ENV_IDLE] + c[FN_ENV_RESET], .busy = c[FN_ENV_BUSY], .finishing = c[FN_ENV_FINISHING]});
	}
}

static int snapshot(struct fn_backend *b, const struct fn_function *f, const char *tree, const struct fn_backend_loaded *loaded, fn_snapshot_fn fn, void *arg)
{
	return fn_pool_snapshot(pool_of(b), f, tree, loaded, fn, arg);
}

static int trial(struct fn_backend *b, const struct fn_function *f, fn_snapshot_fn fn, void *arg) { return fn_pool_trial(pool_of(b), f, fn, arg); }

static void snapshot_host(struct fn_backend *b, const struct fn_function *f, char ret[FN_SNAPSHOT_HOST_SIZE])
{
	fn_snapshot_host(pool_of(b)->env.cfg.runtimes, f, ret);
}

static bool archive_name(struct fn_backend *b, const struct fn_function *f, char ret[FN_BACKEND_TREE_SIZE])
{
	return fn_archive_name(pool_of(b)->env.cfg.runtimes, f, ret);
}

static void archive_off(struct fn_backend *b, const struct fn_function *f, const char *why) { fn_archive_off(&pool_of(b)->env, f, why); }

static bool archive_is_off(struct fn_backend *b, const char *tree) { return fn_archive_why_off(&pool_of(b)->env, tree, fn_loop_now_us(pool_of(b)->env.cfg.loop)) != NULL; }

static void renew(struct fn_backend *b, struct fn_function *f) { fn_pool_renew(pool_of(b), f); }

static bool uses_code(struct fn_backend *b, const char *code_sha256) { return fn_pool_uses_code(pool_of(b), code_sha256); }

static const struct fn_backend_ops ops = {
	.submit = submit,
	.expect = expect,
	.await = await,
	.retire = retire,
	.provision = provision,
	.provisioned = provisioned,
	.provisioned_busy = provisioned_busy,
	.environments = environments,
	.snapshot = snapshot,
	.trial = trial,
	.snapshot_host = snapshot_host,
	.archive_name = archive_name,
	.archive_off = archive_off,
	.archive_is_off = archive_is_off,
	.renew = renew,
	.uses_code = uses_code,
};

struct fn_backend *fn_pool_backend(struct fn_pool *p)
{
	p->backend.ops = &ops;
	return &p->backend;
}

/* snapshot.c - SnapStart in the pool: versions that get a snapshot, and what becomes of invocations where one fails. */
#include <errno.h>
#include <stdio.h>

#include "env/snapshot.h"
#include "pool/group.h"

/* In a group of its own, of which nothing is left when it is done. */
static int start(struct fn_pool *p, const struct fn_function *f, enum fn_env_reason reason, const char *tree, const struct fn_backend_loaded *loaded, fn_snapshot_fn fn, void *arg)
{
	static uint64_t generation = UINT64_MAX;
	struct fn_function *own = fn_function_clone(f);
	struct fn_snapshot *s;
	struct fn_group *g;

	if (!own)
		return -ENOMEM;
	own->generation = generation--;
	g = fn_group_get(p, own, NULL);
	fn_function_unref(own);
	if (!g)
		return -ENOMEM;
	g->retired = true;
	s = fn_snapshot_new(&p->env, f, tree, fn, arg);
	(void)fn_group_make_room(g);
	if (s && (!loaded || fn_snapshot_expect_loaded(s, loaded->names, loaded->len) == 0) && fn_member_start(g, NULL, reason, s))
		return 0;
	if (s)
		fn_snapshot_release(s);
	fn_group_release(g);
	return -ENOMEM;
}

int fn_pool_snapshot(struct fn_pool *p, const struct fn_function *f, const char *tree, const struct fn_backend_loaded *loaded, fn_snapshot_fn fn, void *arg)
{
	return start(p, f, FN_ENV_FOR_SNAPSHOT, tree, loaded, fn, arg);
}

int fn_pool_trial(struct fn_pool *p, const struct fn_function *f, fn_snapshot_fn fn, void *arg)
{
	return start(p, f, FN_ENV_FOR_TRIAL, FN_SNAPSHOT_TRIAL, NULL, fn, arg);
}

void fn_pool_renew(struct fn_pool *p, struct fn_function *f)
{
	struct fn_group *g = fn_group_find(p, f, NULL);

	fn_env_expect_root(&p->env, f);
	if (!g)
		return;
	(void)fn_function_ref(f);
	fn_function_unref(g->version.function);
	g->version.function = f;
	g->version.snapshot_broken[0] = '\0';
}

/* What waits is started for again when the environment that could not be is freed. */
void fn_group_restore_failed(struct fn_group *g, const struct fn_env *e)
{
	struct fn_env_version *v = &g->version;
	struct fn_err err = {0};
	char words[64];
	enum fn_refusal why = FN_REFUSAL_NONE;
	const char *how;

	if (e->init_error) {
		why = FN_REFUSAL_SNAPSTART;
		fn_err_set(&err, EPROTO, "SnapStart", "The afterRestore() runtime hook encountered an error. For more information, check the function's log.");
	} else if (e->timed_out) {
		why = FN_REFUSAL_SNAPSTART_TIMEOUT;
		fn_err_set(&err, ETIME, "SnapStart", "The runtime could not be restored from its snapshot within the timeout limit.");
	}
	if (why != FN_REFUSAL_NONE) {
		fn_group_refuse_one(g, fn_group_wait_out(g), why, &err);
		return;
	}
	how = fn_env_how_ended(e, words, sizeof(words));
	if (!v->snapshot_broken[0])
		snprintf(v->snapshot_broken, sizeof(v->snapshot_broken), "%s", how ? how : "exit status 0");
	fn_snapshot_broken(v, "a process made from it failed");
}

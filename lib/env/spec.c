/* spec.c - from a function version to the sandbox it needs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "env/image.h"
#include "env/variables.h"
#include "env/internal.h"
#include "env/snapshot.h"
#include "env/spec.h"

#define ARCHIVE_MEMORY_MB 512u /* more than the function's own: what has been loaded is gathered, and written, beside it */

uint32_t fn_spec_cpu_quota_us(int memory_mb, uint32_t period_us)
{
	return (uint32_t)((uint64_t)memory_mb * period_us / 1769u);
}

static void environment(const struct fn_env *e, const struct fn_runtime *rt, const char *region, const struct fn_credentials *c, struct fn_strings *ret)
{
	const struct fn_variables v = {
		.function = e->version->function, .runtime = rt, .region = region, .log_stream = e->log_stream, .credentials = c,
		.initialization = fn_report_init_type(e),
		.platform = fn_platform_wanted(e->version->function) ? e->host->cfg.platform : NULL,
		.role = fn_roles_find(e->host->cfg.roles, e->version->function->role),
	};

	fn_variables_make(&v, ret);
}

/* Named after the image too: with another one it is another kind. */
void fn_spec_name_kind(struct fn_spec *s, const struct fn_runtime *rt, int memory_mb, bool restore)
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
void fn_spec_basics(struct fn_spec *s, const struct fn_env_config *cfg, const struct fn_runtime *rt)
{
	snprintf(s->name, sizeof(s->name), FN_SANDBOX_HOSTNAME);
	s->cpu_period_us = FN_SPEC_CPU_PERIOD_US;
	s->pids_max = 1024;
	s->nofile = 1024;
	s->net = cfg->net;
	s->image = rt->foreign;
	snprintf(s->cwd, sizeof(s->cwd), "/var/task");
	for (unsigned i = 0; i < rt->n_layers; i++)
		snprintf(s->lowers[s->n_lowers++], FN_TREE_NAME_SIZE, "%s", rt->layers[i]);
}

void fn_spec_command(const struct fn_runtime *rt, bool restore, struct fn_strings *argv, struct fn_strings *exec)
{
	if (restore) {
		fn_strings_add(exec, "%s", rt->restore[0]);
		for (char **a = rt->restore; *a; a++)
			fn_strings_add(argv, "%s", *a);
		return;
	}
	for (char **c = rt->exec_candidates; *c; c++)
		fn_strings_add(exec, "%s", *c);
	fn_strings_add(argv, "bootstrap");
}

static bool is_of_this_host(const struct fn_env_config *cfg, const struct fn_function *f)
{
	char host[FN_SNAPSHOT_HOST_SIZE];

	fn_snapshot_host(cfg->runtimes, f, host);
	return fn_streq(host, f->snapshot_host);
}

bool fn_spec_restores(const struct fn_env_config *cfg, const struct fn_function *f, const struct fn_runtime *rt)
{
	return f->snapshot_tree && rt->restore && is_of_this_host(cfg, f);
}

/* Begins plainly where a restore was found to take longer: by a runtime, of this very image, that can be told so. */
static bool in_place_of_restore(const struct fn_env *e, const struct fn_runtime *rt)
{
	const struct fn_function *f = e->version->function;

	return f->snapshot_plain && rt->restore && e->reason != FN_ENV_FOR_SNAPSHOT && is_of_this_host(&e->host->cfg, f);
}

/* Begins from its version's snapshot, if there is one and it fits; if not though it might, e->plain says so. */
static bool may_restore(struct fn_env *e, const struct fn_runtime *rt)
{
	const struct fn_function *f = e->version->function;

	if (!f->snapshot_tree || f->snapshot_plain || !rt->restore || e->reason == FN_ENV_FOR_SNAPSHOT || e->inv)
		return false;
	if (e->version->snapshot_broken[0]) {
		snprintf(e->plain, sizeof(e->plain), "no snapshot: it failed");
		return false;
	}
	if (!fn_spec_restores(&e->host->cfg, f, rt)) {
		snprintf(e->plain, sizeof(e->plain), "no snapshot: it is of another host or base image");
		return false;
	}
	return true;
}

/* Begins from an archive of its own classes, if there is one that makes it sooner; that is of no use to a runtime that has been started ahead. */
static bool may_use_archive(struct fn_env *e, char tree[FN_TREE_NAME_SIZE])
{
	const struct fn_env_config *cfg = &e->host->cfg;
	struct fn_env_version *v = e->version;
	const char *why;

	if (e->snapshot || !cfg->store || !fn_archive_name(cfg->runtimes, v->function, tree))
		return false;
	why = fn_archive_why_off(e->host, tree, fn_env_now_us(e));
	if (why)
		snprintf(e->plain, sizeof(e->plain), "no class archive: %.100s", why);
	return !why && fn_store_tree_ready(cfg->store, tree) && fn_archive_sooner(&v->starts);
}

/* On top of those there are. */
static void push_lower(struct fn_spec *s, const char *tree)
{
	memmove(s->lowers + 1, s->lowers, s->n_lowers * FN_TREE_NAME_SIZE);
	s->n_lowers++;
	snprintf(s->lowers[0], FN_TREE_NAME_SIZE, "%s", tree);
}

/* Two layers may have the same content: overlayfs takes a tree once, and the later place is the one that counts. */
static bool comes_again(const struct fn_function *f, size_t i)
{
	for (size_t j = i + 1; j < f->n_layers; j++)
		if (fn_streq(f->layers[j].sha256, f->layers[i].sha256))
			return true;
	return false;
}

void fn_spec_trees(struct fn_spec *s, const struct fn_function *f, const char *from)
{
	char tree[FN_TREE_NAME_SIZE];

	for (size_t i = 0; i < f->n_layers; i++) {
		if (comes_again(f, i))
			continue;
		snprintf(tree, sizeof(tree), "layer-%s", f->layers[i].sha256);
		push_lower(s, tree);
	}
	if (from)
		push_lower(s, from);
	snprintf(tree, sizeof(tree), "code-%s", f->code_sha256);
	push_lower(s, f->image ? f->image->root : tree);
	snprintf(s->owner, sizeof(s->owner), "%s", f->name);
	s->image |= f->image != NULL;
}

int fn_env_spec(struct fn_env *e, const struct fn_credentials *credentials, struct fn_spec *ret, struct fn_err *err)
{
	const struct fn_env_config *cfg = &e->host->cfg;
	const struct fn_function *f = e->version->function;
	const struct fn_runtime *rt = fn_runtimes_of(cfg->runtimes, f);
	struct fn_strings env = {0}, argv = {0}, exec = {0};
	char archive[FN_TREE_NAME_SIZE], how[400];
	struct fn_spec s = {0};

	if (!rt || !rt->installed)
		return fn_err_set(err, ENOENT, "runtime", "%s", rt ? fn_runtime_missing(rt, how, sizeof(how)) : "nothing is known of it any more");
	e->runtimes_seen = fn_runtimes_generation(cfg->runtimes);
	memcpy(e->runtime_version, rt->version_id, sizeof(e->runtime_version));
	if (!e->log_stream[0])
		fn_env_name_log_stream(e);
	e->plain[0] = '\0';
	e->restored = may_restore(e, rt);
	e->as_restored = in_place_of_restore(e, rt);
	e->snap_start |= e->restored || e->as_restored;
	if (e->as_restored)
		snprintf(e->plain, sizeof(e->plain), "plainly, %s", f->snapshot_plain);
	e->archived = may_use_archive(e, archive);
	environment(e, rt, cfg->region, credentials, &env);
	if (e->makes_archive)
		fn_variables_set(&env, FN_ARCHIVE_TRAIN, "make");
	if (e->snap_start && !e->restored)
		fn_variables_set(&env, FN_SNAPSHOT_PLAIN, "plain");
	fn_spec_basics(&s, cfg, rt);
	if (f->image)
		fn_image_handler(&env, f);
	if (f->image)
		fn_image_command(f, &env, &argv, &exec, s.cwd);
	else
		fn_spec_command(rt, e->restored, &argv, &exec);
	if (rt->prestart_unless && !e->restored && !e->archived && e->reason != FN_ENV_FOR_SNAPSHOT) {
		const char *obstacle = fn_runtime_prestart_obstacle(rt, f->env, f->n_env);

		if (obstacle)
			snprintf(e->plain + strlen(e->plain), sizeof(e->plain) - strlen(e->plain), "%sruntime not ahead because of %s", e->plain[0] ? ", " : "", obstacle);
		else
			fn_spec_name_kind(&s, rt, f->memory_mb, false);
	} else if (e->restored) {
		fn_spec_name_kind(&s, rt, f->memory_mb, true);
	}
	s.memory_bytes = ((uint64_t)f->memory_mb + (e->makes_archive ? ARCHIVE_MEMORY_MB : 0)) << 20;
	s.cpu_quota_us = fn_spec_cpu_quota_us(f->memory_mb, FN_SPEC_CPU_PERIOD_US);
	/* a repeated init is within an invocation, which has no more than what it pays for */
	s.cpu_init_quota_us = e->inv || s.cpu_quota_us > FN_SPEC_CPU_INIT_US ? s.cpu_quota_us : FN_SPEC_CPU_INIT_US;
	s.tmp_bytes = (uint64_t)f->ephemeral_mb << 20;
	s.platform = cfg->platform && fn_platform_wanted(f);
	s.extensions = (f->n_layers > 0 || f->image) && !e->makes_archive; /* nothing else brings files to /opt */
	fn_spec_trees(&s, f, e->restored ? f->snapshot_tree : e->archived ? archive : NULL);
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

bool fn_env_stale(struct fn_env *e)
{
	const struct fn_runtimes *rs = e->host->cfg.runtimes;
	const struct fn_runtime *rt;

	if (e->runtimes_seen == fn_runtimes_generation(rs))
		return false;
	rt = fn_runtimes_of(rs, e->version->function);
	if (rt && rt->installed && !fn_streq(rt->version_id, e->runtime_version))
		return true;
	e->runtimes_seen = fn_runtimes_generation(rs);
	return false;
}

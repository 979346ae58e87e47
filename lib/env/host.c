/* host.c - what environments share: all of them, and those of one version. */
#include <string.h>

#include "base/str.h"
#include "env/internal.h"

int fn_env_host_init(struct fn_env_host *h, const struct fn_env_config *config, const struct fn_env_ops *ops)
{
	*h = (struct fn_env_host){.cfg = *config, .ops = ops, .telemetry = {.loop = config->loop}};
	fn_list_init(&h->snapshots);
	fn_list_init(&h->restoring);
	fn_list_init(&h->paused);
	return fn_map_new(&h->sandboxes);
}

void fn_env_host_clear(struct fn_env_host *h)
{
	fn_snapshots_drop(h);
	fn_archive_clear(h);
	fn_code_forget(h);
	fn_loop_clear(h->cfg.loop, &h->resume);
	fn_map_free(h->sandboxes);
}

struct fn_env *fn_env_by_sandbox(struct fn_env_host *h, uint64_t sandbox) { return fn_map_get_u64(h->sandboxes, sandbox); }

static enum fn_level level_of(const char *name)
{
	enum fn_level level = name ? fn_level_parse(name, strlen(name)) : FN_LEVEL_NONE;

	return level == FN_LEVEL_NONE ? FN_LEVEL_INFO : level;
}

void fn_env_version_init(struct fn_env_version *v, struct fn_env_host *host, struct fn_function *f)
{
	*v = (struct fn_env_version){.host = host, .function = fn_function_ref(f), .json = f->json_log};
	if (v->json) {
		v->app_level = level_of(f->app_log_level);
		v->system_level = level_of(f->system_log_level);
	}
}

void fn_env_version_clear(struct fn_env_version *v) { fn_function_unref(v->function); }

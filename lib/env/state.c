/* state.c - an environment's states: what may follow what, in one table, and the one setter. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "env/internal.h"

#define TO(s) (1u << FN_ENV_##s)
static const unsigned may_follow[FN_ENV_STATES] = {
	[FN_ENV_SPAWNING] = TO(INIT) | TO(ENDING),
	[FN_ENV_INIT] = TO(IDLE) | TO(STOPPING) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_ENV_IDLE] = TO(BUSY) | TO(STOPPING) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_ENV_BUSY] = TO(FINISHING) | TO(STOPPING) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_ENV_FINISHING] = TO(IDLE) | TO(STOPPING) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_ENV_STOPPING] = TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_ENV_RESETTING] = TO(RESET) | TO(ENDING),
	[FN_ENV_RESET] = TO(SPAWNING) | TO(ENDING),
	[FN_ENV_ENDING] = 0,
};

bool fn_env_may_follow(enum fn_env_state from, enum fn_env_state to) { return may_follow[from] & (1u << to); }

void fn_env_set_state(struct fn_env *e, enum fn_env_state to)
{
	enum fn_env_state from = e->state;

	if (!fn_env_may_follow(from, to)) {
		fn_log_error("environment of %s: state %d cannot follow %d", e->version->function->name, to, from);
		abort();
	}
	e->state = to;
	if (from == FN_ENV_BUSY && e->lasts) {
		e->lasts = false;
		fn_spawn_long(e->host->spawn, e->sandbox, false);
	}
	e->host->ops->on_state(e, from);
}

void fn_env_arm(struct fn_env *e, uint64_t at)
{
	(void)fn_loop_rearm_timer(e->host->cfg.loop, e->timer, at);
}

bool fn_env_expired(const struct fn_env *e) { return !e->first && fn_env_now_us(e) >= e->until_us; }

void fn_env_rearm(struct fn_env *e)
{
	if ((e->state == FN_ENV_IDLE && e->frozen) || e->state == FN_ENV_RESET)
		fn_env_arm(e, e->host->ops->until(e));
}

bool fn_env_is_ending(const struct fn_env *e) { return e->state == FN_ENV_ENDING || (e->state == FN_ENV_STOPPING && !e->stop.then_reset); }
bool fn_env_failed(const struct fn_env *e) { return e->fault.type[0] || (e->n_processes > 0 && !e->processes[0].alive); }

bool fn_env_freeze(struct fn_env *e, bool on)
{
	if (e->frozen == on || e->freeze_fd < 0)
		return true;
	if (on)
		fn_telemetry_pause(e->telemetry);
	if (pwrite(e->freeze_fd, on ? "1" : "0", 1, 0) == 1)
		e->frozen = on;
	else if (!on)
		fn_log_warn("cannot thaw an environment of %s, which is ended: %s", e->version->function->name, strerror(errno));
	fn_platform_freeze(e->platform, e->frozen);
	if (!e->frozen)
		fn_telemetry_resume(e->telemetry);
	return e->frozen == on;
}

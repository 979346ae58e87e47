/* state.c - an environment's states: what may follow what, in one table, and the one setter. */
#include <stdlib.h>

#include "base/log.h"
#include "env/internal.h"

#define TO(s) (1u << FN_ENV_##s)
static const unsigned may_follow[FN_ENV_STATES] = {
	[FN_ENV_SPAWNING] = TO(INIT) | TO(ENDING),
	[FN_ENV_INIT] = TO(IDLE) | TO(ENDING),
	[FN_ENV_IDLE] = TO(BUSY) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_ENV_BUSY] = TO(FINISHING) | TO(RESETTING) | TO(RESET) | TO(ENDING),
	[FN_ENV_FINISHING] = TO(IDLE) | TO(RESETTING) | TO(RESET) | TO(ENDING),
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
	e->host->ops->on_state(e, from);
}

void fn_env_arm(struct fn_env *e, uint64_t at)
{
	e->due_us = at;
	(void)fn_loop_rearm_timer(e->host->cfg.loop, e->timer, at);
}

bool fn_env_expired(const struct fn_env *e) { return !e->first && fn_env_now_us(e) >= e->until_us; }

void fn_env_rearm(struct fn_env *e)
{
	if ((e->state == FN_ENV_IDLE && e->frozen) || e->state == FN_ENV_RESET)
		fn_env_arm(e, e->host->ops->until(e));
}

/*
 * end.c - an environment or its sandbox is ended. It outlives its sandboxes: after a time-out or a crash of its runtime its sandbox ends, and it stays
 * without one until the next invocation, which then waits for the init of another: AWS's "suppressed init" (Lambda Developer Guide,
 * "lambda-runtime-environment", failures during the Invoke phase). The log has an INIT_START; that invocation's Duration and time-out include the init,
 * and its REPORT has no Init Duration.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "env/internal.h"

#define RESET_US 1000000u /* within which a sandbox that is killed has ended */

void fn_env_end(struct fn_env *e)
{
	if (e->state == FN_ENV_ENDING)
		return;
	fn_list_remove(&e->role.link);
	fn_list_remove(&e->code.link);
	if (e->state == FN_ENV_SPAWNING && e->request)
		fn_spawn_cancel(e->host->spawn, e->request);
	fn_env_set_state(e, FN_ENV_ENDING);
	if (e->sandbox && !e->gone)
		fn_spawn_kill(e->host->spawn, e->sandbox);
	else /* there is no exit to wait for */
		fn_env_arm(e, 0);
}

/* Not one that has begun from a snapshot: another such begins sooner than its own plain init would end. */
bool fn_env_outlives(const struct fn_env *e)
{
	if (!e->ready_us || e->state == FN_ENV_INIT || e->restored || e->reason == FN_ENV_FOR_SNAPSHOT)
		return false;
	if (!e->host->ops->stays(e) || e->host->shutdown || fn_env_now_us(e) >= e->until_us)
		return false;
	return !e->gone || (e->exit.tmp_kept && !e->exit.oom);
}

void fn_env_end_sandbox(struct fn_env *e)
{
	if (!fn_env_outlives(e) || e->gone) {
		fn_env_end(e);
		return;
	}
	fn_env_set_state(e, FN_ENV_RESETTING);
	fn_spawn_reset(e->host->spawn, e->sandbox);
	fn_env_arm(e, fn_env_now_us(e) + RESET_US);
}

void fn_env_drop_sandbox(struct fn_env *e)
{
	struct fn_env_host *h = e->host;
	int *const fds[] = {&e->output_fd, &e->freeze_fd, &e->peak_fd, &e->stat_fd, &e->tmp_fd, &e->oom_fd};

	if (e->sandbox)
		fn_map_remove_u64(h->sandboxes, e->sandbox);
	e->sandbox = 0;
	fn_loop_clear(h->cfg.loop, &e->output_io);
	fn_list_remove(&e->paused);
	fn_rt_close(fn_take_ptr(e->rt));
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fn_close(fn_take_fd(fds[i]));
	free(fn_take_ptr(e->init_error));
}

const char *fn_env_how_ended(const struct fn_env *e, char *words, size_t size)
{
	return e->exit.oom ? "out of memory" : fn_exit_words(e->exit.wait_status, words, size);
}

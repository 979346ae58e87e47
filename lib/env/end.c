/*
 * end.c - an environment or its sandbox is ended, by way of the SHUTDOWN phase where extensions have registered. It outlives its sandboxes: after a time-out or a crash of its runtime its sandbox ends, and it stays
 * without one until the next invocation, which then waits for the init of another: AWS's "suppressed init" (Lambda Developer Guide,
 * "lambda-runtime-environment", failures during the Invoke phase). The log has an INIT_START; that invocation's Duration and time-out include the init,
 * and its REPORT has no Init Duration.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "env/internal.h"

/* The SHUTDOWN phase, as Lambda has it (Developer Guide, "lambda-runtime-environment" and "runtimes-extensions-api"): all of it with external
 * extensions, and what the runtime has of that; all with internal ones alone, which are the runtime's process. */
#define STOP_EXTERNAL_US 2000000u
#define STOP_RUNTIME_US 300000u
#define STOP_INTERNAL_US 500000u
/* After a thaw: threads that were stopped where a system call ended go on to where they wait, and a signal finds them there. One that comes just before
 * Python blocks in a read is not handled until that has ended. */
#define STOP_THAW_US 10000u
#define RESET_US 1000000u /* within which a sandbox that is killed has ended */

void fn_env_kill(struct fn_env *e)
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

/* An init that has failed is repeated once, within the invocation that waits for it (Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle"). */
static bool may_init_again(const struct fn_env *e)
{
	return e->spawned_us && !e->bound && e->reason == FN_ENV_FOR_INVOCATION && !e->restored && !e->as_restored && !e->archived;
}

bool fn_env_outlives(const struct fn_env *e)
{
	if (e->snapshot || (!e->ready_us && !may_init_again(e)))
		return false;
	if (!e->host->ops->stays(e) || e->host->shutdown || fn_env_now_us(e) >= e->until_us)
		return false;
	return !e->gone || (e->exit.tmp_kept && !e->exit.oom);
}

static void kill_sandbox(struct fn_env *e)
{
	fn_env_set_state(e, FN_ENV_RESETTING);
	fn_spawn_reset(e->host->spawn, e->sandbox);
	fn_env_arm(e, fn_env_now_us(e) + RESET_US);
}

/* --- the SHUTDOWN phase --- */
static void stop_ends(struct fn_env *e)
{
	if (e->stop.then_reset && fn_env_outlives(e) && !e->gone)
		kill_sandbox(e);
	else
		fn_env_kill(e);
}

static const char *stop_reason(const struct fn_env *e)
{
	if (e->timed_out)
		return "timeout";
	return fn_env_failed(e) || e->init_error ? "failure" : "spindown";
}

/* The runtime has ended, or had its time: external extensions that want to know are told, the others end with it. */
static void stop_extensions(struct fn_env *e)
{
	struct fn_ext *x = fn_rt_extensions(e->rt);
	uint64_t now = fn_clock_mono_us(); /* not the loop's: what is told is when they are killed, however long this round has taken */
	uint64_t left_us = e->stop.until_us > now ? e->stop.until_us - now : 0;
	unsigned waited_for = 0;

	e->stop.runtime_done = true;
	e->stop.term_us = 0;
	fn_env_read_output(e);
	fn_telemetry_flush(e->telemetry);
	if (e->n_processes > 0 && e->processes[0].alive)
		fn_spawn_signal(e->host->spawn, e->sandbox, 0, SIGKILL);
	for (unsigned i = 0; i < fn_ext_count(x); i++) {
		struct fn_ext_info info;
		bool told;

		fn_ext_info(x, i, &info);
		if (info.process == 0 || info.process >= e->n_processes || !e->processes[info.process].alive)
			continue;
		told = info.events & FN_EXT_SHUTDOWN && info.state >= FN_EXT_REGISTERED && info.state <= FN_EXT_RUNNING;
		if (!told)
			fn_spawn_signal(e->host->spawn, e->sandbox, info.process, SIGKILL);
		waited_for += told;
	}
	if (waited_for == 0) {
		stop_ends(e);
		return;
	}
	fn_ext_shutdown(x, e->stop.reason, (fn_clock_real_us() + left_us) / 1000);
	fn_env_arm(e, e->stop.until_us);
}

static void stop_runtime(struct fn_env *e)
{
	uint64_t now = e->stop.term_us;

	e->stop.term_us = 0;
	fn_spawn_signal(e->host->spawn, e->sandbox, 0, SIGTERM);
	fn_env_arm(e, fn_ext_external(fn_rt_extensions(e->rt)) > 0 ? now + STOP_RUNTIME_US : e->stop.until_us);
}

/* Without a registration nobody is given any time. */
static bool begin_stop(struct fn_env *e, bool then_reset)
{
	const struct fn_ext *x = fn_rt_extensions(e->rt);
	bool external = fn_ext_external(x) > 0, was_frozen = e->frozen;
	uint64_t now = fn_env_now_us(e) + (was_frozen ? STOP_THAW_US : 0);

	if (fn_ext_count(x) == 0 || e->gone || !e->sandbox || !fn_env_may_follow(e->state, FN_ENV_STOPPING) || !fn_env_freeze(e, false))
		return false;
	e->stop.reason = stop_reason(e);
	e->stop.then_reset = then_reset;
	e->stop.runtime_done = false;
	e->stop.until_us = now + (external ? STOP_EXTERNAL_US : STOP_INTERNAL_US);
	fn_env_set_state(e, FN_ENV_STOPPING);
	fn_telemetry_flush(e->telemetry);
	e->stop.term_us = now;
	if (!e->released || (e->n_processes > 0 && !e->processes[0].alive))
		stop_extensions(e);
	else if (was_frozen)
		fn_env_arm(e, now);
	else
		stop_runtime(e);
	return true;
}

void fn_env_stop_step(struct fn_env *e)
{
	if (!e->stop.runtime_done && !e->processes[0].alive) {
		stop_extensions(e);
		return;
	}
	for (unsigned i = 0; i < e->n_processes; i++)
		if (e->processes[i].alive)
			return;
	stop_ends(e);
}

void fn_env_stop_timer(struct fn_env *e)
{
	if (e->stop.term_us)
		stop_runtime(e);
	else if (!e->stop.runtime_done)
		stop_extensions(e);
	else
		stop_ends(e);
}

void fn_env_end(struct fn_env *e)
{
	if (e->state == FN_ENV_STOPPING && e->stop.then_reset) { /* it goes with its sandbox now */
		e->stop.then_reset = false;
		e->host->ops->on_state(e, FN_ENV_STOPPING);
	} else if (e->state != FN_ENV_STOPPING && !begin_stop(e, false)) {
		fn_env_kill(e);
	}
}

void fn_env_end_sandbox(struct fn_env *e)
{
	if (!fn_env_outlives(e) || e->gone)
		fn_env_end(e);
	else if (!begin_stop(e, true))
		kill_sandbox(e);
}

void fn_env_drop_sandbox(struct fn_env *e)
{
	struct fn_env_host *h = e->host;
	int *const fds[] = {&e->freeze_fd, &e->peak_fd, &e->stat_fd, &e->tmp_fd, &e->oom_fd};

	if (e->sandbox)
		fn_map_remove_u64(h->sandboxes, e->sandbox);
	fn_telemetry_lost(e->telemetry);
	e->sandbox = 0;
	fn_output_close(&e->output);
	fn_output_close(&e->extensions_output);
	fn_rt_close(fn_take_ptr(e->rt));
	fn_platform_end(fn_take_ptr(e->platform));
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fn_close(fn_take_fd(fds[i]));
	free(fn_take_ptr(e->init_error));
}

const char *fn_env_how_ended(const struct fn_env *e, char *words, size_t size)
{
	return e->exit.oom ? "out of memory" : fn_exit_words(e->exit.wait_status, words, size);
}

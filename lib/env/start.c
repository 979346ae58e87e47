/* start.c - how an environment comes into being, gets another sandbox, and is found to have lost one. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "env/code.h"
#include "env/internal.h"
#include "env/snapshot.h"

#define TRIAL_US 2000000u /* its version waits for it */
#define RESTORE_US 10000000u /* Lambda: 10 s, after-restore hooks included */
#define ARCHIVE_INITS 6u /* so many times the limit of an init has a run that makes an archive of classes: it initialises, ends, and writes that */
#define PROVISIONED_INIT_US 130000000u /* Lambda: 130 s, or the function's timeout if that is longer */

/* --- starting --- */
/* Whoever waits for it is answered; the start is not tried again. */
static void not_spawned(struct fn_env *e, const struct fn_err *err)
{
	char text[512];

	fn_log_error("cannot start an environment of %s: %s", e->version->function->name, fn_err_format(err, text, sizeof(text)));
	e->host->ops->on_refused(e, err);
	fn_env_snapshot_dead(e, err);
}

/* Their runtime is held until they have registered. */
static bool begin_extensions(struct fn_env *e, const struct fn_spawned *res)
{
	if (res->extensions_off)
		fn_rt_refuse_extensions(e->rt);
	if (res->n_extensions == 0) {
		fn_close(res->extensions_output_fd);
		return true;
	}
	e->n_processes = 1 + res->n_extensions;
	for (unsigned i = 0; i < e->n_processes; i++)
		e->processes[i] = (struct fn_process){.alive = true};
	return fn_output_open(&e->extensions_output, e, res->extensions_output_fd) == 0 && fn_rt_expect_extensions(e->rt, res->extensions, res->n_extensions) == 0;
}

/* Sandboxes that were made ahead bring the socket for any function; a function that wants none has none (spec.platform). */
static int open_platform(struct fn_env *e, int listen_fd)
{
	if (listen_fd >= 0 && e->host->cfg.platform)
		return fn_platform_new(e, listen_fd, &e->platform);
	fn_close(listen_fd);
	return 0;
}

static void on_spawned(void *arg, const struct fn_err *err, struct fn_spawned *res)
{
	struct fn_env *e = arg;
	struct fn_env_host *h = e->host;

	e->request = 0;
	if (err && e->archived && fn_code_lost(err)) { /* of all its trees, the one that it can do without */
		fn_archive_off(h, e->version->function, "it has gone");
		e->start_told = true;
		fn_env_launch(e);
		return;
	}
	if (err && fn_code_lost(err) && !e->code_tried && !e->version->function->image) {
		e->code_tried = true;
		if (fn_code_restore(h, e->version->function, &e->code) == 0)
			return;
	}
	if (err && e->restored && err->code == ENOENT) { /* its image has gone, or what maps it: another starts plainly */
		fn_err_format(err, e->version->snapshot_broken, sizeof(e->version->snapshot_broken));
		fn_snapshot_broken(e->version, "it cannot be begun from");
		e->gone = true;
		fn_env_end(e);
		return;
	}
	if (err) {
		if (!e->restored && (fn_env_fault_entry(e, err) || fn_env_fault_launch(e, err))) { /* an init that has failed: fn_env_finish_dead() goes on */
			e->spawned_us = e->asked_us;
		} else {
			not_spawned(e, err);
		}
		e->gone = true;
		fn_env_end(e);
		return;
	}
	e->sandbox = res->id;
	e->freeze_fd = res->freeze_fd;
	e->peak_fd = res->peak_fd;
	e->stat_fd = res->stat_fd;
	fn_memory_begin(e, res->tmp_fd);
	e->oom_fd = res->oom_fd;
	e->timing = res->timing;
	e->spawned_us = res->timing.begun_us;
	fn_env_set_state(e, FN_ENV_INIT);
	e->released = res->n_extensions == 0;
	fn_telemetry_begin(e->telemetry);
	if (open_platform(e, res->platform_fd) < 0 || fn_output_open(&e->output, e, res->output_fd) < 0 || fn_map_set_u64(h->sandboxes, e->sandbox, e, NULL) < 0 ||
	    fn_rt_new(h->cfg.loop, h->cfg.rt_server, res->listen_fd, &fn_env_rt_ops, e, &e->rt) < 0 || !begin_extensions(e, res)) {
		fn_env_kill(e);
		return;
	}
	if (e->reason == FN_ENV_FOR_SNAPSHOT && e->n_processes > 0)
		fn_env_on_snapshot_refused(e, "it has extensions, whose processes are not part of an image");
	if (e->state != FN_ENV_INIT)
		return;
	if (!e->inv) { /* a repeated init is under the function's own timeout, armed already */
		uint64_t limit = h->cfg.init_timeout_us;

		if (e->reason == FN_ENV_FOR_TRIAL) {
			limit = TRIAL_US;
		} else if (e->restored) {
			limit = RESTORE_US;
		} else if (e->makes_archive) { /* others wait for their turn, and nobody for this one */
			limit *= ARCHIVE_INITS;
		} else if (e->reason == FN_ENV_PROVISIONED || e->reason == FN_ENV_FOR_SNAPSHOT) {
			uint64_t own = fn_env_timeout_us(e);

			limit = own > PROVISIONED_INIT_US ? own : PROVISIONED_INIT_US;
		}
		fn_env_arm(e, fn_env_now_us(e) + limit);
	}
}

/* Provisioned environments that got the same credentials do not all end with them in the same moment. */
static void spread_end(struct fn_env *e, uint64_t expires_us)
{
	uint64_t until_us = fn_clock_real_us() + (e->until_us - fn_clock_mono_us());
	uint32_t random;

	if (e->reason != FN_ENV_PROVISIONED || e->until_us == UINT64_MAX)
		return;
	fn_id_random(&random, sizeof(random));
	e->until_us += fn_credentials_spread_us(until_us, expires_us, random);
}

/* With the credentials of its role; they may have to be waited for. */
void fn_env_launch(struct fn_env *e)
{
	struct fn_env_host *h = e->host;
	const struct fn_function *f = e->version->function;
	struct fn_spec spec = {0};
	struct fn_err err = {0};
	int r = e->credentials.access_key_id ? 0 : fn_roles_get(h->cfg.roles, f->role, &e->credentials, &e->until_us, &e->role, &err);

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		fn_report_no_credentials(e, &err);
	if (r == 0 && !e->log_stream[0])
		spread_end(e, e->credentials.expires_us);
	if (r == 0)
		r = fn_env_spec(e, &e->credentials, &spec, &err);
	if (r == 0) {
		if (spec.extensions)
			fn_env_telemetry_want(e);
		if (!e->code_tried && !e->start_told)
			fn_report_init_start(e, fn_runtimes_of(h->cfg.runtimes, f));
		r = h->spawn ? fn_spawn_start(h->spawn, &spec, e->environment, on_spawned, e, &e->request) : -ECONNRESET;
		if (r < 0)
			fn_err_set(&err, r, "fn-spawnd", "it is restarting; try again");
	}
	fn_spec_clear(&spec);
	if (r < 0)
		on_spawned(e, &err, NULL);
}

static void on_code(void *arg, const struct fn_err *err)
{
	struct fn_env *e = arg;

	if (err)
		on_spawned(e, err, NULL);
	else
		fn_env_launch(e);
}

static void on_role(void *arg, const struct fn_err *err)
{
	if (err) {
		fn_report_no_credentials(arg, err);
		on_spawned(arg, err, NULL);
	} else {
		fn_env_launch(arg);
	}
}

int fn_env_init(struct fn_env *e, struct fn_env_version *v, enum fn_env_reason reason)
{
	struct fn_env_host *h = v->host;

	*e = (struct fn_env){
		.host = h, .version = v, .state = FN_ENV_SPAWNING, .reason = reason, .first = true, .until_us = UINT64_MAX,
		.report.later = {.fn = fn_env_write_report, .arg = e},
		.role = {.fn = on_role, .arg = e},
		.code = {.fn = on_code, .arg = e},
		.output.fd = -EBADF, .extensions_output.fd = -EBADF, .freeze_fd = -EBADF, .peak_fd = -EBADF, .stat_fd = -EBADF, .tmp_fd = -EBADF, .oom_fd = -EBADF,
		.exit.wait_status = -1,
		.environment = h->environments + 1,
		.asked_us = fn_clock_mono_us(),
	};
	if (fn_loop_add_timer(h->cfg.loop, UINT64_MAX, fn_env_on_timer, e, &e->timer) < 0)
		return -ENOMEM;
	h->environments++;
	return 0;
}

void fn_env_clear(struct fn_env *e)
{
	struct fn_env_host *h = e->host;

	fn_env_write_report(e);
	fn_env_snapshot_forget(e);
	fn_list_remove(&e->role.link);
	fn_list_remove(&e->code.link);
	if (e->tmp_kept && h->spawn)
		fn_spawn_forget(h->spawn, e->environment);
	fn_credentials_clear(&e->credentials);
	fn_env_drop_sandbox(e);
	fn_telemetry_free(e->telemetry);
	fn_loop_clear(h->cfg.loop, &e->timer);
	fn_buf_free(&e->output.line);
	fn_buf_free(&e->extensions_output.line);
	fn_log_stream_close(e->log);
}

/* --- again --- */
void fn_env_bind(struct fn_env *e, struct fn_invocation *inv)
{
	uint64_t limit = fn_env_timeout_us(e);

	e->inv = inv;
	e->bound = true;
	e->started = false;
	inv->cold = true;
	e->delivered_us = e->asked_us;
	inv->deadline_real_ms = (fn_clock_real_us() + limit) / 1000;
	fn_env_arm(e, e->delivered_us + limit);
}

void fn_env_begin_again(struct fn_env *e, struct fn_invocation *bound)
{
	fn_env_set_state(e, FN_ENV_SPAWNING);
	e->first = true;
	e->asked_us = fn_clock_mono_us();
	fn_env_arm(e, UINT64_MAX);
	if (bound)
		fn_env_bind(e, bound);
	fn_env_launch(e);
}

void fn_env_on_lost(struct fn_env *e)
{
	e->tmp_kept = false;
	if (e->state == FN_ENV_RESET)
		fn_env_end(e); /* on_ended() follows later */
}

/* --- and gone --- */
void fn_env_host_on_exit(struct fn_env_host *h, uint64_t sandbox, const struct fn_sandbox_exit *info)
{
	struct fn_env *e = fn_env_by_sandbox(h, sandbox);

	if (!e)
		return;
	e->exit = *info;
	e->gone = true;
	if (info->memory_peak != UINT64_MAX && fn_memory_ended(e, info))
		e->host->ops->on_memory(e);
	/* A response that was posted before the death may still lie in the socket: let the loop read it before we judge. */
	e->tmp_kept = info->tmp_kept || e->tmp_kept;
	for (unsigned i = 0; i < e->n_processes; i++)
		e->processes[i].alive = false;
	if (e->state == FN_ENV_ENDING)
		fn_env_arm(e, 0);
	else if (e->state == FN_ENV_BUSY)
		fn_env_arm(e, fn_env_now_us(e) + FN_ENV_DRAIN_US);
	else if (e->state == FN_ENV_INIT && fn_env_outlives(e))
		fn_env_arm(e, 0); /* the error of an init may lie there, too */
	else if (fn_env_outlives(e) && !fn_env_is_ending(e))
		fn_env_reset(e);
	else
		fn_env_kill(e);
}

/* One of several. What it has posted before may still lie in the socket: let the loop read it before we judge (serve.c). */
void fn_env_host_on_process(struct fn_env_host *h, uint64_t sandbox, unsigned process, int wait_status, const struct fn_err *err)
{
	struct fn_env *e = fn_env_by_sandbox(h, sandbox);
	struct fn_ext *x = e ? fn_rt_extensions(e->rt) : NULL;
	char text[512];

	if (!e || process >= e->n_processes)
		return;
	e->processes[process] = (struct fn_process){.wait_status = wait_status};
	if (process > 0 && x)
		fn_ext_exited(x, process, wait_status == 0);
	if (e->state == FN_ENV_STOPPING) {
		fn_env_stop_step(e);
		return;
	}
	fn_memory_process_ended(e);
	if (process > 0)
		fn_env_fault_process(e, process);
	else if (err && !fn_env_fault_entry(e, err))
		fn_env_fault(e, FN_FAULT_PLATFORM, "Sandbox.Failure", fn_err_format(err, text, sizeof(text)));
	else
		e->exit.wait_status = wait_status;
	if (e->state == FN_ENV_INIT || e->state == FN_ENV_BUSY || e->state == FN_ENV_FINISHING || e->state == FN_ENV_IDLE)
		fn_env_arm(e, fn_env_now_us(e) + FN_ENV_DRAIN_US);
}

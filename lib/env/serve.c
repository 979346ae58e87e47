/* serve.c - an environment at work: what its owner gives it, what its runtime says, and what its deadlines mean. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "env/internal.h"

#define TRUNCATED_US 100000u   /* from the end of a response in its midst to its being judged */
#define LATE_US 20000u		 /* and after that, for what has come meanwhile */
#define STREAM_DRAIN_US 20000u /* as FN_ENV_DRAIN_US */
#define ERROR_EXIT_US 100000u  /* for who has reported an error to exit */
#define LONG_US 100000u        /* an invocation has gone on for long: who calls in the middle of something is through with it */
#define TOO_LARGE "Function.ResponseSizeTooLarge"

/* By when its function has to be done with the invocation. */
static uint64_t deadline(const struct fn_env *e) { return e->delivered_us + fn_env_timeout_us(e); }

/* --- serving --- */
static void hand_out(struct fn_env *e)
{
	int r;

	fn_report_start(e);
	e->truncated = false;
	e->report.begun_us = 0;
	fn_env_set_state(e, FN_ENV_BUSY);
	e->lasts = false;
	fn_env_arm(e, deadline(e) < e->delivered_us + LONG_US ? deadline(e) : e->delivered_us + LONG_US);
	e->at_next = false;
	fn_platform_begin(e->platform, e->inv->trace_id);
	r = fn_rt_deliver(e->rt, e->inv);
	if (r == 0 && fn_rt_extensions(e->rt))
		fn_ext_invoke(fn_rt_extensions(e->rt), e->inv);
	if (r < 0) { /* its connection died between `next` and now */
		fn_log_warn("environment of %s: %s", e->version->function->name, strerror(-r));
		fn_env_end(e);
	}
}

bool fn_env_serve(struct fn_env *e, struct fn_invocation *inv)
{
	bool awake;

	fn_env_write_report(e);
	awake = fn_env_freeze(e, false);
	if (!awake || fn_env_failed(e) || !fn_rt_waiting(e->rt)) { /* it died while it was idle, or would sleep on */
		fn_env_end_sandbox(e);
		return false;
	}
	inv->cold = e->first && inv->arrived_us < e->ready_us;
	inv->provisioned = e->reason == FN_ENV_PROVISIONED;
	e->inv = inv;
	e->started = false;
	e->delivered_us = fn_clock_mono_us();
	inv->deadline_real_ms = (fn_clock_real_us() + fn_env_timeout_us(e)) / 1000;
	hand_out(e);
	return true;
}

static void became_idle(struct fn_env *e)
{
	if (e->gone || fn_env_failed(e)) { /* it died right after it had asked: nothing more is to be given to it */
		fn_env_end(e);
		return;
	}
	fn_env_set_state(e, FN_ENV_IDLE);
	if (e->inv) /* a repeated init, within an invocation that is under way already */
		hand_out(e);
	else if (!e->host->ops->on_idle(e))
		fn_env_arm(e, fn_env_now_us(e) + e->host->cfg.freeze_grace_us);
}

/* --- the Runtime API's calls --- */
/* As fn-spawnd judges it (spawn/oom.c): the event tells of the ends of outer groups' memory, too. */
static bool out_of_memory(const struct fn_env *e)
{
	const uint64_t limit = (uint64_t)e->version->function->memory_mb << 20;
	struct pollfd p = {.fd = e->oom_fd, .events = POLLIN};
	char peak[32] = "";

	if (e->oom_fd < 0 || poll(&p, 1, 0) != 1)
		return false;
	return e->peak_fd < 0 || pread(e->peak_fd, peak, sizeof(peak) - 1, 0) <= 0 || strtoull(peak, NULL, 10) >= limit - limit / 64;
}

/* Whether its answer counts: not when one of its processes was killed for memory, the end of them all being under way. */
static bool may_answer(const struct fn_env *e) { return e->state == FN_ENV_BUSY && e->inv && !out_of_memory(e); }

static bool on_begin(void *arg)
{
	struct fn_env *e = arg;

	e->report.begun_us = fn_clock_mono_us();
	return may_answer(e);
}

/* What the runtime has posted is no answer. */
static void finish_without(struct fn_env *e, const char *type, const char *message)
{
	const struct fn_env_status status = fn_status_error(type);
	size_t len = 0;
	char *json = e->inv->begun ? NULL : fn_error_json(type, e->inv->id, message, &len);

	fn_env_name_error(e, type);
	fn_env_set_state(e, FN_ENV_FINISHING);
	fn_env_arm(e, deadline(e));
	fn_env_finish(e, FN_INV_FUNCTION_ERROR, json, len, &status);
}

static void finish_truncated(struct fn_env *e) { finish_without(e, FN_TRUNCATED, "HTTP request detected as truncated"); }

/* Where we have come late ourselves, its exit may lie there unread: that is read first. The end of one that was killed for memory comes for certain. */
static void judge_truncated(struct fn_env *e)
{
	if (!e->truncated_late) {
		e->truncated_late = true;
		fn_env_arm(e, fn_env_now_us(e) + LATE_US);
	} else if (out_of_memory(e)) {
		fn_env_arm(e, deadline(e));
	} else {
		finish_truncated(e);
	}
}

/* If its process is ending, its exit says more, and comes in a moment. */
static void on_truncated(void *arg)
{
	struct fn_env *e = arg;

	if (e->state != FN_ENV_BUSY || !e->inv)
		return;
	e->truncated = true;
	e->truncated_late = false;
	if (!e->gone && !fn_env_failed(e) && fn_env_now_us(e) + TRUNCATED_US < deadline(e))
		fn_env_arm(e, fn_env_now_us(e) + TRUNCATED_US);
}

static void note_start(struct fn_env *e, uint64_t init_us)
{
	struct fn_archive_starts *s = &e->version->starts;

	if (e->archived) {
		s->own++;
		s->own_us = s->own_us && s->own_us < init_us ? s->own_us : init_us;
	} else if (e->timing.prepared == FN_PREPARED_RUNTIME) {
		s->ahead_us = s->ahead_us && s->ahead_us < init_us ? s->ahead_us : init_us;
	}
}

/* Its init ends, or it is done with its invocation, when its runtime and the extensions that it is about have asked for more. */
static void at_rest(struct fn_env *e)
{
	const struct fn_ext *x = fn_rt_extensions(e->rt);

	if (!e->at_next || fn_env_failed(e))
		return;
	if (e->state == FN_ENV_INIT && fn_ext_ready(x, 0)) {
		e->ready_us = fn_clock_mono_us();
		fn_report_init(e, e->ready_us - (e->restored || e->as_restored ? e->asked_us : e->spawned_us), &fn_status_success);
		fn_report_extensions(e);
		fn_env_telemetry_initialised(e);
		fn_spawn_initialised(e->host->spawn, e->sandbox);
		note_start(e, e->ready_us - e->spawned_us);
		e->host->ops->on_ready(e, e->ready_us - e->asked_us);
		if (e->reason == FN_ENV_FOR_TRIAL)
			fn_env_trial_done(e, e->ready_us - e->asked_us);
		became_idle(e);
	} else if (e->state == FN_ENV_FINISHING && fn_ext_ready(x, FN_EXT_INVOKE)) {
		if (!e->told_loaded)
			e->host->ops->on_settled(e, fn_clock_mono_us() - e->report.end_us);
		e->told_loaded = false;
		fn_env_release_report(e, NULL);
		became_idle(e);
	}
}

static void on_next(void *arg)
{
	struct fn_env *e = arg;

	e->at_next = true;
	if (e->state == FN_ENV_BUSY && e->truncated) /* it is not */
		finish_truncated(e);
	if (e->report.held) {
		e->report.runtime_done_us = fn_clock_mono_us();
		if (e->telemetry) { /* behind what it has printed */
			fn_env_read_output(e);
			fn_report_runtime_done(e);
		}
	}
	if (e->state == FN_ENV_INIT && e->telemetry)
		fn_report_init_done(e, &fn_status_success);
	if (e->reason == FN_ENV_FOR_SNAPSHOT)
		fn_env_not_kept(e);
	else
		at_rest(e);
}

/* --- the Extensions API's --- */
static void on_describe(void *arg, struct fn_ext_function *ret)
{
	struct fn_env *e = arg;
	const struct fn_function *f = e->version->function;

	fn_env_telemetry_want(e);
	*ret = (struct fn_ext_function){f->name, f->version, f->handler ? f->handler : "", e->host->cfg.account_id};
}

static void on_registered(void *arg)
{
	struct fn_env *e = arg;

	if (e->state != FN_ENV_INIT || e->released)
		return;
	e->released = true;
	fn_spawn_release(e->host->spawn, e->sandbox);
}

static void on_extension_ready(void *arg) { at_rest(arg); }

/* It is to exit now, as a runtime whose init has failed; if it does not, what it is at has failed all the same. */
static void on_extension_error(void *arg, bool init)
{
	struct fn_env *e = arg;

	if (e->state != FN_ENV_INIT && e->state != FN_ENV_BUSY && e->state != FN_ENV_FINISHING && e->state != FN_ENV_IDLE)
		return;
	fn_env_fault(e, init ? FN_FAULT_SAID_IN_INIT : FN_FAULT_SAID_AT_EXIT, init ? "Extension.InitError" : "Extension.ExitError", "the extension has reported an error");
	fn_env_arm(e, fn_env_now_us(e) + ERROR_EXIT_US);
}

static const struct fn_ext_ops ext_ops = {on_describe, on_registered, on_extension_ready, on_extension_error};

/* --- what the runtime posts --- */
static void on_response(void *arg, char *body, size_t len, const char *content_type)
{
	struct fn_env *e = arg;

	if (!may_answer(e)) {
		free(body);
		return;
	}
	if (content_type[0] && strcmp(content_type, "application/json") != 0)
		e->inv->result_type = strdup(content_type);
	fn_env_set_state(e, FN_ENV_FINISHING);
	fn_env_finish(e, FN_INV_RESPONSE, body, len, &fn_status_success);
}

static void on_error(void *arg, char *body, size_t len, const char *error_type)
{
	struct fn_env *e = arg;

	if (!may_answer(e)) {
		free(body);
		return;
	}
	fn_env_name_error(e, error_type); /* the caller's; to the platform an invocation whose handler has failed has run well */
	fn_env_set_state(e, FN_ENV_FINISHING);
	fn_env_finish(e, FN_INV_FUNCTION_ERROR, body, len, &fn_status_success);
}

static void on_too_large(void *arg)
{
	const struct fn_env_status status = fn_status_error(TOO_LARGE);
	struct fn_env *e = arg;
	char *text;

	if (!may_answer(e))
		return;
	if (asprintf(&text, "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (%u bytes).\",\"errorType\":\"%s\"}",
		     e->inv->begun && e->inv->streaming ? FN_STREAM_MAX : FN_RESPONSE_MAX, TOO_LARGE) < 0)
		text = NULL;
	fn_env_name_error(e, TOO_LARGE);
	fn_env_set_state(e, FN_ENV_FINISHING);
	fn_env_finish(e, FN_INV_FUNCTION_ERROR, text, text ? strlen(text) : 0, &status);
}

static void on_invalid_mode(void *arg)
{
	struct fn_env *e = arg;

	if (may_answer(e))
		finish_without(e, "Runtime.InvalidResponseModeHeader", "Invalid function response mode");
}

static void on_init_error(void *arg, char *body, size_t len, const char *error_type)
{
	struct fn_env *e = arg;

	free(e->init_error);
	e->init_error = body;
	e->init_error_len = len;
	fn_report_error_type(error_type, e->error_type, sizeof(e->error_type));
	/* the runtime is to exit now; if it does not, it is made to */
	fn_env_arm(e, fn_env_now_us(e) + ERROR_EXIT_US);
}

static void on_unruly(void *arg)
{
	struct fn_env *e = arg;

	fn_log_warn("an environment of %s is ended: it sends wrong requests to its Runtime API without end", e->version->function->name);
	fn_report_fault(e, "The runtime sends wrong requests to the Runtime API without end: its environment is ended", "Runtime.ExitError");
	fn_env_end(e);
}

void fn_env_ask_loaded(struct fn_env *e) { fn_rt_ask_loaded(e->rt); }

static void on_loaded(void *arg, const char *names, size_t len)
{
	struct fn_env *e = arg;

	e->told_loaded = true; /* which it does not do every time */
	e->host->ops->on_loaded(e, names, len);
}

const struct fn_rt_ops fn_env_rt_ops = {on_next, on_response, on_error, on_too_large, on_init_error,
					   fn_env_on_snapshot, fn_env_on_snapshot_refused, fn_env_on_restore_next, on_init_error, on_unruly, on_begin, on_truncated, on_invalid_mode, &ext_ops, fn_env_on_subscribe,
					   on_loaded, fn_env_loaded};

/* --- deadlines --- */
static void invocation_timed_out(struct fn_env *e)
{
	char msg[128], *json;
	size_t len = 0;

	e->timed_out = true;
	snprintf(msg, sizeof(msg), "Task timed out after %d.00 seconds", e->version->function->timeout_s);
	fn_env_flush_output(e);
	if (e->state == FN_ENV_INIT)
		fn_env_init_failed(e);
	fn_report_start(e);
	fn_report_timeout(e, msg);
	json = fn_error_json("Sandbox.Timedout", e->inv->id, msg, &len);
	fn_env_name_error(e, "Sandbox.Timedout");
	fn_env_end_sandbox(e);
	fn_env_finish(e, FN_INV_FUNCTION_ERROR, json, len, &fn_status_timeout);
}

/* Ended before its init was over: with extensions its processes have some time more, which is not part of that. */
static void init_ends(struct fn_env *e)
{
	if (fn_ext_count(fn_rt_extensions(e->rt)) > 0 && !e->host->shutdown)
		fn_env_init_failed(e);
	fn_env_end_sandbox(e);
}

/* One of several processes has ended, or is about to, and what it sent before has been read. */
static void failed(struct fn_env *e)
{
	const struct fn_env_status status = fn_status_fault(e, "Runtime.ExitError");

	if (e->state == FN_ENV_BUSY && fn_rt_unread(e->rt) && fn_env_now_us(e) < deadline(e)) {
		fn_env_arm(e, fn_env_now_us(e) + (e->inv->begun ? STREAM_DRAIN_US : FN_ENV_DRAIN_US));
		return;
	}
	fn_env_flush_output(e);
	if (e->state == FN_ENV_INIT) {
		fn_env_init_failed(e);
	} else if (e->state == FN_ENV_FINISHING || e->state == FN_ENV_IDLE) { /* whatever it was, its caller has an answer */
		if (e->fault.type[0])
			fn_report_fault(e, e->fault.message, e->fault.type);
		fn_env_release_report(e, &status);
	}
	fn_env_end_sandbox(e);
	if (e->inv)
		fn_env_answer_dead(e);
}

static void never_came_back(struct fn_env *e)
{
	char msg[128];

	if (e->report.held) { /* the response stands; its time is over */
		e->timed_out = true;
		snprintf(msg, sizeof(msg), "Task timed out after %d.00 seconds", e->version->function->timeout_s);
		fn_env_flush_output(e);
		fn_report_timeout(e, msg);
		fn_env_release_report(e, &fn_status_timeout);
	}
	fn_env_end_sandbox(e);
}

static void goes_on(struct fn_env *e)
{
	e->lasts = true;
	fn_spawn_long(e->host->spawn, e->sandbox, true);
	fn_env_arm(e, deadline(e));
}

void fn_env_on_timer(void *arg)
{
	struct fn_env *e = arg;

	switch (e->state) {
	case FN_ENV_SPAWNING:
	case FN_ENV_INIT:
		if (e->gone && fn_env_outlives(e)) {
			fn_env_reset(e);
		} else if (fn_env_failed(e)) {
			failed(e);
		} else if (e->inv && !e->init_error) {
			invocation_timed_out(e);
		} else { /* also a runtime that has posted its init's error, and then does not exit */
			e->timed_out = !e->init_error;
			init_ends(e);
		}
		break;
	case FN_ENV_BUSY:
		if (!e->gone && fn_env_failed(e))
			failed(e);
		else if (!e->gone && e->truncated && fn_env_now_us(e) < deadline(e))
			judge_truncated(e);
		else if (!e->gone && fn_env_now_us(e) < deadline(e))
			goes_on(e);
		else if (!e->gone)
			invocation_timed_out(e);
		else if (fn_rt_unread(e->rt) && fn_env_now_us(e) < deadline(e)) /* a large result takes several turns of the loop; or it waits for its caller to take it */
			fn_env_arm(e, fn_env_now_us(e) + (e->inv->begun ? STREAM_DRAIN_US : FN_ENV_DRAIN_US));
		else if (fn_env_outlives(e))
			fn_env_reset(e);
		else
			fn_env_end(e);
		break;
	case FN_ENV_RESETTING: /* its exit does not come */
		fn_env_kill(e);
		e->host->ops->on_reset(e);
		break;
	case FN_ENV_RESET:
		if (fn_env_now_us(e) >= e->host->ops->until(e))
			fn_env_end(e);
		else
			fn_env_arm(e, e->host->ops->until(e));
		break;
	case FN_ENV_FINISHING: /* it never came back for more; or an extension did not, or has ended */
		if (fn_env_failed(e))
			failed(e);
		else if (fn_env_now_us(e) < deadline(e)) /* it was to be seen whether it takes long, and had answered by then */
			fn_env_arm(e, deadline(e));
		else
			never_came_back(e);
		break;
	case FN_ENV_STOPPING:
		fn_env_stop_timer(e);
		break;
	case FN_ENV_IDLE:
		if (fn_env_failed(e)) {
			failed(e);
		} else if (fn_env_now_us(e) >= e->host->ops->until(e)) {
			fn_env_end(e);
		} else {
			fn_rt_flush(e->rt);
			(void)fn_env_freeze(e, true);
			fn_env_arm(e, e->host->ops->until(e));
		}
		break;
	case FN_ENV_ENDING: /* what was due by the state before is not its exit, which tells its owner what has become of it */
		if (!e->sandbox || e->gone)
			fn_env_finish_dead(e);
		break;
	case FN_ENV_STATES:
		break;
	}
}

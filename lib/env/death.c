/* death.c - what the end of its runtime means to an environment, and to whom it owes an answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "env/internal.h"

/* Of a runtime that has ended by itself. */
static const char *exit_type(const struct fn_env *e)
{
	return e->fault.type[0] ? e->fault.type : e->exit.oom ? "Runtime.OutOfMemory" : "Runtime.ExitError";
}

void fn_env_init_failed(struct fn_env *e)
{
	uint64_t from = e->restored || e->as_restored || !e->spawned_us ? e->asked_us : e->spawned_us;
	const struct fn_env_status status = e->timed_out ? fn_status_timeout : fn_status_fault(e, e->error_type[0] ? e->error_type : exit_type(e));

	if (e->init_reported)
		return;
	e->init_reported = true;
	fn_report_init(e, fn_clock_mono_us() - from, &status);
	fn_report_extensions(e);
}

/* What the caller sees of a runtime that has ended; *ret_type: what REPORT says. */
static char *death_json(struct fn_env *e, size_t *len, const char **ret_type)
{
	char words[64], msg[300];
	const char *w1;

	if (e->init_error && !e->fault.type[0]) {
		*len = e->init_error_len;
		*ret_type = e->error_type;
		return fn_take_ptr(e->init_error);
	}
	*ret_type = exit_type(e);
	if (e->fault.type[0]) {
		snprintf(msg, sizeof(msg), "%s", e->fault.message);
	} else {
		w1 = e->exit.oom ? "signal: killed" : fn_exit_words(e->exit.wait_status, words, sizeof(words));
		if (e->exit.files_open)
			snprintf(msg, sizeof(msg), "Runtime exited with error: signal: killed, for more than %u open files in all", e->exit.files_open);
		else if (e->exit.tmp_mb)
			snprintf(msg, sizeof(msg), "Runtime exited with error: signal: killed, for %u MB in /tmp when all functions' disk space was used up", e->exit.tmp_mb);
		else if (w1)
			snprintf(msg, sizeof(msg), "Runtime exited with error: %s", w1);
		else
			snprintf(msg, sizeof(msg), "Runtime exited without providing a reason");
	}
	fn_report_fault(e, msg, *ret_type);
	return fn_error_json(*ret_type, e->inv->id, msg, len);
}

void fn_env_answer_dead(struct fn_env *e)
{
	struct fn_env_status status;
	const char *type;
	size_t len = 0;
	char *json;

	fn_report_start(e);
	json = death_json(e, &len, &type);
	fn_env_name_error(e, FN_TRUNCATED);
	if (e->inv->begun) { /* so it is on Lambda: no more than that */
		free(fn_take_ptr(json));
		len = 0;
	}
	status = fn_status_fault(e, type);
	fn_env_finish(e, FN_INV_FUNCTION_ERROR, json, len, &status);
}

static void fail(struct fn_env *e, const struct fn_err *err)
{
	struct fn_invocation *inv = fn_take_ptr(e->inv);

	fn_invocation_fail(inv, err);
	fn_invocation_unref(inv);
	e->host->ops->on_over(e);
}

void fn_env_finish_dead(struct fn_env *e)
{
	const struct fn_err lost = {.code = ECONNRESET, .stage = "fn-spawnd", .msg = "it ended and took the execution environment with it; try again"};
	struct fn_env_end how = {.lost = fn_env_lost(e), .in_init = e->ready_us == 0 && e->spawned_us != 0, .failed = e->timed_out || e->gone,
				 .answered = e->bound};
	const struct fn_env_ops *ops = e->host->ops;

	fn_env_flush_output(e);
	if (how.in_init && how.failed && (e->snapshot || (!e->host->shutdown && (e->inv || ops->stays(e)))))
		fn_env_init_failed(e);
	if (e->snapshot)
		fn_env_snapshot_dead(e, NULL);
	else if (e->inv && (how.lost || e->host->shutdown))
		fail(e, &lost);
	else if (e->inv)
		fn_env_answer_dead(e);
	ops->on_ended(e, &how);
}

/* And all that was true of it. */
static void forget_sandbox(struct fn_env *e)
{
	fn_env_drop_sandbox(e);
	e->frozen = e->timed_out = e->gone = e->init_reported = e->code_tried = e->start_told = false;
	e->exit = (struct fn_sandbox_exit){.wait_status = -1};
	e->error_type[0] = e->fault.type[0] = '\0';
	e->n_processes = 0;
	e->bound = e->released = e->at_next = e->extensions_told = false;
	e->memory_peak = 0;
	e->ready_us = e->spawned_us = e->peak_read_us = 0;
	e->host->ops->on_memory(e);
}

void fn_env_reset(struct fn_env *e)
{
	fn_env_flush_output(e);
	if (!e->ready_us)
		fn_env_init_failed(e);
	if (e->inv)
		fn_env_answer_dead(e);
	fn_env_write_report(e);
	forget_sandbox(e);
	fn_env_set_state(e, FN_ENV_RESET);
	e->host->ops->on_reset(e);
}

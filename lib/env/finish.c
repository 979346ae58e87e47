/* finish.c - the end of an invocation: its caller is answered, then it is reported. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "env/internal.h"

void fn_env_write_report(void *arg)
{
	struct fn_env *e = arg;

	if (!e->report.inv)
		return;
	fn_deferred_cancel(&e->report.later);
	e->report.held = false;
	fn_env_flush_output(e);
	fn_report_end(e, e->report.inv);
	e->host->ops->on_memory(e);
	fn_invocation_unref(fn_take_ptr(e->report.inv)); /* till here it is whose events these are */
}

void fn_env_name_error(struct fn_env *e, const char *type)
{
	if (e->inv->begun)
		fn_set_string(&e->inv->error_type, type);
}

void fn_env_finish(struct fn_env *e, enum fn_inv_outcome outcome, char *result, size_t len, const struct fn_env_status *status)
{
	struct fn_invocation *inv = e->inv;

	e->report.inv = fn_invocation_ref(inv);
	e->report.end_us = fn_clock_mono_us();
	e->report.produced = len;
	e->report.responded_us = status->how == FN_STATUS_SUCCESS ? e->report.end_us : 0;
	e->report.done_told = false;
	e->report.status = *status;
	e->report.overhead_us = 0;
	e->report.held = e->state == FN_ENV_FINISHING && fn_ext_subscribed(fn_rt_extensions(e->rt), FN_EXT_INVOKE);
	if (e->report.held) { /* the caller does not wait for extensions, nor for what is reported with them */
		fn_env_flush_output(e);
	} else if (inv->want_tail) { /* which must hold them; who does not want it need not wait for them */
		fn_env_write_report(e);
	} else {
		fn_loop_defer(e->host->cfg.loop, &e->report.later);
	}
	e->inv = NULL;
	fn_invocation_complete(inv, outcome, result, len);
	fn_invocation_unref(inv);
	e->host->ops->on_over(e);
}

void fn_env_release_report(struct fn_env *e, const struct fn_env_status *status)
{
	if (!e->report.inv || !e->report.held)
		return;
	e->report.held = false;
	e->report.end_us = fn_clock_mono_us();
	if (e->at_next)
		e->report.overhead_us = e->report.end_us - e->report.runtime_done_us;
	if (status)
		e->report.status = *status;
	fn_loop_defer(e->host->cfg.loop, &e->report.later);
}

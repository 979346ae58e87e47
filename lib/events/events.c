/* events.c - see events.h: which operation is whose. */
#include "events/events.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "events/accept.h"
#include "events/admin.h"
#include "events/attempt.h"
#include "events/config_ops.h"
#include "events/configs.h"
#include "events/metrics.h"
#include "events/outgoing.h"
#include "events/tail.h"
#include "model/inner.h"

static void serve(void *arg, struct fn_service_call *call)
{
	struct fn_events *e = arg;

	if (fn_streq(call->operation, "Invoke") || fn_streq(call->operation, "InvokeAsync"))
		fn_event_accept(e, call);
	else if (fn_streq(call->operation, FN_INNER_METRICS))
		fn_event_metrics(e, call);
	else if (fn_streq(call->operation, FN_INNER_FORGET))
		fn_event_config_forget(e, call);
	else if (!fn_event_admin_serve(e, call) && !fn_event_config_serve(e, call) && !fn_mappings_serve(e->mappings, call) && !fn_tail_serve(e->journal, call))
		fn_service_reply_error(call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement %s yet", call->operation);
}

static void drain(void *arg)
{
	struct fn_events *e = arg;

	fn_lanes_drain(e);
	fn_outgoing_drain(e);
	fn_mappings_drain(e->mappings);
	fn_journal_drain(e->journal);
}

static bool busy(void *arg)
{
	const struct fn_events *e = arg;

	return e->in_flight > 0 || e->settling > 0 || fn_outgoing_busy(e) || fn_mappings_busy(e->mappings);
}

static uint64_t seconds(json_t *v) { return (uint64_t)(json_number_value(v) * 1e6); }

static void configure(struct fn_events *e)
{
	json_t *c = e->env->config, *delays = json_object_get(c, "retry_delays_s"), *backoff = json_object_get(c, "backoff_s");
	double share = json_number_value(json_object_get(c, "async_share"));

	for (size_t i = 0; i < 2; i++) {
		e->delay_us[i] = seconds(json_array_get(delays, i));
		e->backoff_us[i] = seconds(json_array_get(backoff, i));
	}
	e->idempotency_us = seconds(json_object_get(c, "idempotency_s"));
	fn_share_init(&e->share, e->env->loop, share > 0 ? share : 0.5, (unsigned)e->env->account_concurrency);
}

int fn_events_open(const struct fn_service_env *env, struct fn_service *ret, struct fn_err *err)
{
	struct fn_events *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return fn_err_set(err, ENOMEM, "events", NULL);
	e->env = env;
	e->run = fn_event_run;
	configure(e);
	r = fn_event_configs_open(e, err);
	if (r == 0)
		r = fn_lanes_open(e, err);
	if (r == 0 && (r = fn_event_admin_open(e)) < 0)
		fn_err_set(err, r, "events", NULL);
	if (r == 0)
		r = fn_endpoints_new(env, &e->endpoints, err);
	if (r == 0)
		r = fn_outgoing_open(e, err);
	if (r == 0 && (r = fn_journal_new(env->loop, &e->journal)) < 0)
		fn_err_set(err, r, "events", NULL);
	if (r == 0)
		r = fn_mappings_open(env, e->endpoints, e->journal, &e->share, &e->mappings, err);
	if (r < 0) {
		fn_events_close(e);
		return r;
	}
	*ret = (struct fn_service){.name = "lambda", .serve = serve, .drain = drain, .busy = busy, .arg = e};
	return 0;
}

void fn_events_close(void *arg)
{
	struct fn_events *e = arg;

	fn_event_admin_close(e);
	fn_outgoing_close(e);
	fn_mappings_close(e->mappings);
	fn_journal_free(e->journal);
	fn_endpoints_free(e->endpoints);
	fn_lanes_close(e);
	fn_share_close(&e->share);
	fn_event_configs_close(e);
	free(e);
}

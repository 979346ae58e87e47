/* mapping_run.c - a mapping's poller is made, stopped and made anew, and its state says which. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "events/mapping_internal.h"
#include "events/source_local.h"
#include "events/source_remote.h"
#include "service/fnd.h"

#define SETTLES_US 2000000u /* a queue that cannot be reached leaves a mapping that is Enabled, and has a problem */
#define AGAIN_US 1000000u
#define SPARE_S 30u /* how much longer than window and time-out messages are hidden */

int fn_mapping_look(struct fn_mappings *all, const char *arn, void (*done)(void *arg, const struct fn_source_about *about, const struct fn_err *err), void *arg)
{
	const struct fn_endpoint *endpoint = fn_endpoint(all->endpoints, "sqs");
	struct fn_source_about about;
	struct fn_err err;

	if (fn_source_local_look(all->env, arn, &about) == 0) {
		done(arg, &about, NULL);
		return 0;
	}
	if (endpoint)
		return fn_source_remote_look(endpoint, arn, done, arg);
	fn_err_set(&err, ENOENT, "ReceiveMessage",
		   "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.");
	done(arg, NULL, &err);
	return 0;
}

static void settle(struct fn_mapping *m);

static void on_settle(void *arg) { settle(arg); }

static void on_timer(void *arg)
{
	struct fn_mapping *m = arg;

	if (m->enabled && !m->deleted && !m->poller)
		fn_mapping_run(m);
	else
		settle(m);
}

static void arm(struct fn_mapping *m, uint64_t us)
{
	struct fn_loop *loop = m->all->env->loop;

	if (!m->timer && fn_loop_add_timer(loop, UINT64_MAX, on_timer, m, &m->timer) < 0)
		return;
	(void)fn_loop_rearm_timer(loop, m->timer, fn_loop_now_us(loop) + us);
}

/* From within the poller: it may not be freed there. */
static void on_changed(void *arg)
{
	struct fn_mapping *m = arg;

	m->settle = (struct fn_deferred){.link = m->settle.link, .fn = on_settle, .arg = m};
	fn_loop_defer(m->all->env->loop, &m->settle);
}

static int open_source(struct fn_mapping *m, const struct fn_source_events *events, struct fn_source **ret)
{
	const struct fn_endpoint *endpoint = fn_endpoint(m->all->endpoints, "sqs");
	struct fn_source_about about;

	if (endpoint && fn_source_local_look(m->all->env, m->source, &about) < 0)
		return fn_source_remote_new(m->all->env->loop, endpoint, m->source, events, ret);
	return fn_source_local_new(m->all->env, m->source, events, ret);
}

static int start(struct fn_mapping *m, uint64_t hide_us)
{
	struct fn_poller_config config = {.function = m->function, .name = m->uuid, .batch_size = fn_mapping_batch_size(m->settings),
					  .window_us = (uint64_t)fn_mapping_window_s(m->settings) * 1000000u, .hide_us = hide_us, .least = fn_mapping_concurrency_least(m->settings), .most = fn_mapping_concurrency(m->settings),
					  .report_failures = fn_mapping_reports_failures(m->settings), .fifo = fn_source_is_fifo(m->source), .counts = &m->counts, .changed = on_changed, .arg = m};
	struct fn_source_events events;
	struct fn_source *source;
	int r = fn_event_filter_compile(json_object_get(m->settings, "FilterCriteria"), "body", &m->filter);

	config.filter = m->filter;
	if (r == 0)
		r = fn_poller_new(&m->all->pollers, &config, &m->poller);
	if (r < 0)
		return r;
	if (!m->judged || !m->may)
		fn_poller_bar(m->poller, ""); /* until it is known */
	fn_poller_events(m->poller, &events);
	r = open_source(m, &events, &source);
	if (r == 0) {
		fn_poller_start(m->poller, source);
		fn_mapping_judge(m);
	}
	return r;
}

static void end_poller(struct fn_mapping *m)
{
	fn_poller_free(m->poller);
	fn_event_filter_free(m->filter);
	m->poller = NULL;
	m->filter = NULL;
}

static void start_or_again(struct fn_mapping *m, uint64_t hide_us)
{
	int r = start(m, hide_us);

	if (r < 0) {
		fn_log_warn("mapping %s: %s, tried again", m->uuid, fn_errno_name(r));
		end_poller(m);
		arm(m, AGAIN_US);
		return;
	}
	settle(m);
	if (m->state != FN_MAPPING_ENABLED)
		arm(m, SETTLES_US);
}

/* With a window: messages are hidden until the function may have had all its time. */
static void on_looked(void *arg, const struct fn_source_about *about, const struct fn_err *err)
{
	struct fn_mapping *m = arg;
	uint64_t needs = (uint64_t)fn_mapping_window_s(m->settings) * 1000000u + m->timeout_us;

	m->looking = false;
	if (m->poller || !m->enabled || m->deleted || m->all->draining)
		settle(m);
	else if (err && err->code != ENOENT)
		arm(m, AGAIN_US);
	else
		start_or_again(m, !err && needs > about->visibility_us ? needs + SPARE_S * 1000000u : 0);
}

static void on_function(void *arg, struct fn_inner_answer *a)
{
	struct fn_mapping *m = arg;
	json_t *o = a->error ? NULL : json_loadb(a->body, a->len, 0, NULL);

	m->lookup = NULL;
	m->timeout_us = (uint64_t)json_integer_value(json_object_get(o, "Timeout")) * 1000000u;
	json_decref(o);
	if (a->error) {
		arm(m, AGAIN_US);
		return;
	}
	m->looking = true; /* it is not freed before on_looked() */
	if (fn_mapping_look(m->all, m->source, on_looked, m) < 0) {
		m->looking = false;
		arm(m, AGAIN_US);
	}
}

void fn_mapping_run(struct fn_mapping *m)
{
	m->since_us = fn_loop_now_us(m->all->env->loop);
	if (m->all->draining || m->lookup || m->looking)
		return;
	if (m->poller) {
		m->again = true;
		fn_poller_stop(m->poller);
		return;
	}
	if (!m->enabled || m->deleted) {
		settle(m);
		return;
	}
	if (fn_mapping_window_s(m->settings) == 0)
		start_or_again(m, 0);
	else if (fn_fnd_function(m->all->env->fnd, m->function, on_function, m, &m->lookup) < 0)
		arm(m, AGAIN_US);
}

/* At once, whatever runs. */
static void halt(struct fn_mapping *m)
{
	struct fn_loop *loop = m->all->env->loop;

	fn_deferred_cancel(&m->settle);
	fn_inner_cancel(m->lookup);
	m->lookup = NULL;
	fn_loop_clear(loop, &m->timer);
	end_poller(m);
}

void fn_mapping_free(struct fn_mapping *m)
{
	if (!m)
		return;
	if (fn_list_linked(&m->link)) {
		fn_list_remove(&m->link);
		(void)fn_map_remove(m->all->by_uuid, m->uuid);
		m->all->n--;
	}
	halt(m);
	free(m->function);
	free(m->source);
	json_decref(m->settings);
	json_decref(m->tags);
	free(m);
}

static void settle(struct fn_mapping *m)
{
	uint64_t now = fn_loop_now_us(m->all->env->loop);

	if (m->all->draining)
		return;
	if (m->poller && (m->again || !m->enabled || m->deleted) && fn_poller_stopped(m->poller)) {
		m->again = false;
		end_poller(m);
		if (m->enabled && !m->deleted) {
			fn_mapping_run(m);
			return;
		}
	}
	if (!m->poller && m->deleted && !m->lookup && !m->looking && !m->changing)
		fn_mapping_free(m);
	else if (!m->poller && !m->enabled && !m->deleted)
		m->state = FN_MAPPING_DISABLED;
	else if (m->poller && !m->again && m->enabled && !m->deleted && (fn_poller_works(m->poller) || now >= m->since_us + SETTLES_US))
		m->state = FN_MAPPING_ENABLED;
}

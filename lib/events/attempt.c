/* attempt.c - see attempt.h. */
#include "events/attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "events/configs.h"
#include "events/deliver.h"
#include "events/journal.h"
#include "events/record.h"
#include "model/arn.h"
#include "model/inner.h"
#include "model/lineage.h"
#include "service/fnd.h"
#include "web/json_load.h"
#include "web/json_scan.h"

#define TIMEOUT_US (UINT64_C(1000) * 1000000) /* a function's 900 s, and its beginning */
#define NOTE_RESPONSE_MAX 3000u              /* what is kept of a response from one attempt to the next */
#define MESSAGE_MAX 1024u
#define AGAIN_US 1000000u                    /* when an outcome could not be written, or whom to tell could not be found out */

/* An event's end, on its way to the disk. */
struct outcome {
	struct fn_queue_change change;
	struct fn_queue_step steps[3]; /* the event's own, a destination's, a dead letter's */
	struct fn_delivery_memory memory[3];
	struct fn_event *ev;
	struct fn_events *e;
	enum fn_condition condition;
	char *note;
	uint64_t timer;
	char *to, *dead_letter_arn;    /* a destination, a dead-letter target; NULL = none */
	bool may[2];                   /* the function's role may send there */
};

/* --- notes: {"t": when it was accepted, "n": attempts that ran, "e": errors of the function, "v": version, "r": response, "m": what went wrong, "c": why it was given up} --- */
static unsigned noted(const struct fn_event *ev, const char *key) { return (unsigned)json_integer_value(json_object_get(ev->note, key)); }

static void note(struct fn_event *ev, const char *key, json_t *value)
{
	if (!ev->note)
		ev->note = json_pack("{sI}", "t", (json_int_t)ev->accepted_us);
	json_object_set_new(ev->note, key, value);
}

/* "errorMessage" of what the function has answered. */
static json_t *message_of(const struct fn_event *ev)
{
	const char *text;
	size_t len;
	json_t *m = NULL;

	if (ev->response && fn_json_value(ev->response, ev->response_len, "errorMessage", &text, &len) && *text == '"')
		m = fn_json_load(text, len, JSON_DECODE_ANY);
	if (json_is_string(m) && json_string_length(m) > MESSAGE_MAX) {
		fn_auto_buf struct fn_buf cut = {0};

		(void)fn_buf_add_utf8(&cut, json_string_value(m), MESSAGE_MAX);
		json_decref(m);
		m = json_string(cut.data ? cut.data : "");
	}
	return m ? m : json_string("");
}

static void note_attempt(struct fn_event *ev)
{
	note(ev, "n", json_integer(noted(ev, "n") + 1));
	if (!ev->failed)
		return;
	note(ev, "e", json_integer(noted(ev, "e") + 1));
	note(ev, "m", message_of(ev));
	note(ev, "v", json_string(ev->version));
	if (ev->response_len <= NOTE_RESPONSE_MAX)
		note(ev, "r", json_stringn(ev->response ? ev->response : "", ev->response_len));
	else
		json_object_del(ev->note, "r");
}

/* --- outcomes --- */
static void outcome_free(struct outcome *o)
{
	fn_lanes_settled(o->e);
	fn_loop_clear(o->e->env->loop, &o->timer);
	for (size_t i = 0; i < 3; i++)
		fn_delivery_free(&o->memory[i]);
	fn_event_free(o->ev);
	free(o->note);
	free(o->to);
	free(o->dead_letter_arn);
	free(o);
}

static struct outcome *outcome_new(struct fn_event *ev)
{
	struct outcome *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->ev = ev;
	o->e = ev->lane->e;
	o->e->settling++;
	return o;
}

static void later(struct outcome *o, void (*fn)(void *arg))
{
	fn_loop_clear(o->e->env->loop, &o->timer);
	if (o->e->draining) { /* the next process runs it once more */
		outcome_free(o);
		return;
	}
	if (fn_loop_add_timer(o->e->env->loop, fn_loop_now_us(o->e->env->loop) + AGAIN_US, fn, o, &o->timer) < 0)
		abort();
}

static void write_again(void *arg);

static void on_written(struct fn_queue_change *c, const struct fn_err *err)
{
	struct outcome *o = fn_list_entry(c, struct outcome, change);

	if (err && err->code != ENOENT && !o->e->draining) { /* the disk is full, say: what has been done stays to be said */
		later(o, write_again);
		return;
	}
	outcome_free(o);
}

static void write_outcome(struct outcome *o)
{
	o->change.steps = o->steps;
	o->change.lazy = o->change.n == 1; /* an end that nobody is told of; done once more, should it be lost */
	o->change.done = on_written;
	fn_queue_change(o->e->env->queues, &o->change);
}

static void write_again(void *arg)
{
	struct outcome *o = arg;

	fn_loop_clear(o->e->env->loop, &o->timer);
	write_outcome(o);
}

static void settle_again(struct fn_event *ev, uint64_t at_us)
{
	struct outcome *o = outcome_new(ev);

	o->note = ev->note ? json_dumps(ev->note, JSON_COMPACT) : NULL;
	o->steps[0] = (struct fn_queue_step){.what = FN_QUEUE_AGAIN, .queue = ev->lane->queue, .id = ev->id, .receives = ev->receives, .at_us = at_us, .note = o->note,
					     .note_len = o->note ? strlen(o->note) : 0};
	o->change.n = 1;
	write_outcome(o);
}

/* --- the end --- */
static void function_arn(const struct fn_event *ev, char *out, size_t size)
{
	const struct fn_service_env *env = ev->lane->e->env;

	fn_arn_format(out, size, env->region, env->account_id, ev->lane->function, ev->lane->qualifier[0] ? ev->lane->qualifier : "$LATEST");
}

static int add_delivery(struct outcome *o, const struct fn_delivery *d)
{
	unsigned n = o->change.n;
	int r = o->may[d->dead_letter] ? fn_delivery_step(o->e, d, &o->steps[n], &o->memory[n]) : -EACCES;

	if (r == 0)
		o->change.n++;
	else if (r == -EACCES) {
		fn_log_warn("request %s of %s: what came of it is not delivered to %s: the function's role may not %s", o->ev->request_id, o->ev->lane->name, d->arn, fn_delivery_action(d->arn));
		fn_journal_add(o->e->journal, "destination", d->arn, o->ev->lane->name, "refused", 1, 0, "the function's role does not have the permission");
	} else
		fn_log_warn("request %s of %s: what came of it cannot be delivered to %s", o->ev->request_id, o->ev->lane->name, d->arn);
	return r;
}

static int record(struct outcome *o, const char *arn, size_t most, struct fn_buf *b)
{
	const struct fn_event *ev = o->ev;
	const char *kept = json_string_value(json_object_get(ev->note, "r")), *version = ev->version[0] ? ev->version : json_string_value(json_object_get(ev->note, "v"));
	const struct fn_invocation_record r = {
		.now_us = fn_clock_real_us(), .request_id = ev->request_id, .function_arn = arn, .condition = o->condition, .invokes = noted(ev, "n"),
		.request = ev->body, .request_len = ev->len, .version = version, .failed = ev->version[0] ? ev->failed : true,
		.response = ev->version[0] ? ev->response : kept, .response_len = ev->version[0] ? ev->response_len : kept ? strlen(kept) : 0};

	return fn_record_add(b, &r, most);
}

/* It is done; or kept for `fnctl async`. */
static void put_away(struct outcome *o)
{
	struct fn_event *ev = o->ev;
	struct fn_queue *failed = o->condition == FN_CONDITION_SUCCESS ? NULL : fn_lane_failed(ev->lane);
	struct fn_queue_counts kept = {0};

	o->steps[0] = (struct fn_queue_step){.what = FN_QUEUE_DONE, .queue = ev->lane->queue, .id = ev->id, .receives = ev->receives};
	o->change.n = 1;
	if (failed)
		fn_queue_count(failed, &kept);
	if (!failed || kept.ready + kept.leased + kept.delayed >= FN_FAILED_MAX)
		return;
	note(ev, "c", json_string(fn_condition_name(o->condition)));
	o->note = json_dumps(ev->note, JSON_COMPACT);
	o->steps[0].what = FN_QUEUE_DEAD;
	o->steps[0].to = failed;
	o->steps[0].note = o->note;
	o->steps[0].note_len = o->note ? strlen(o->note) : 0;
}

/* An event that was stopped as a loop's has not run; a function that would be stopped as well is not told of it, or records went round for ever. */
static bool goes_round(const struct outcome *o)
{
	const struct fn_lane *to = noted(o->ev, "n") == 0 && o->condition == FN_CONDITION_RETRIES_EXHAUSTED ? fn_lane_of(o->e, o->to) : NULL;

	if (!to || fn_lineage_count(o->ev->trace, to->function) < FN_LINEAGE_MOST)
		return false;
	fn_log_warn("request %s of %s was stopped as a loop's; %s is not told of it, being of the loop", o->ev->request_id, o->ev->lane->name, o->to);
	return true;
}

static void finish(struct outcome *o)
{
	const struct fn_event *ev = o->ev;
	bool success = o->condition == FN_CONDITION_SUCCESS;
	const char *to = o->to, *message = json_string_value(json_object_get(ev->note, "m"));
	fn_auto_buf struct fn_buf text = {0}, chain = {0};
	struct fn_delivery d = {.arn = to, .trace = ev->trace, .success = success, .request_id = ev->request_id};
	char arn[400];

	if ((to || o->dead_letter_arn) && noted(ev, "n") > 0) { /* what comes of it is its function's in the chain */
		if (fn_lineage_add(ev->trace, ev->lane->function, &chain) < 0)
			abort();
		d.trace = chain.data;
	}
	function_arn(ev, arn, sizeof(arn));
	d.function_arn = arn;
	put_away(o);
	if (to && goes_round(o))
		ev->lane->n.delivery_failures++;
	else if (to && record(o, arn, fn_delivery_most(to), &text) == 0) {
		d.body = text.data;
		d.len = text.len;
		ev->lane->n.delivery_failures += add_delivery(o, &d) < 0;
	}
	if (o->dead_letter_arn) {
		d.arn = o->dead_letter_arn;
		d.dead_letter = true;
		d.body = ev->len ? ev->body : "{}";
		d.len = ev->len ? ev->len : 2;
		d.message = message ? message : "";
		ev->lane->n.dead_letter_errors += add_delivery(o, &d) < 0;
	}
	write_outcome(o);
}

/* --- may the function's role send it there? --- */
static void ask_again(void *arg);

static void on_rights(void *arg, const bool *may)
{
	struct outcome *o = arg;

	if (!may) {
		later(o, ask_again);
		return;
	}
	memcpy(o->may, may, sizeof(o->may));
	finish(o);
}

static void ask(struct outcome *o)
{
	if (fn_delivery_may(o->e, o->ev->lane->name, (const char *const[]){o->to, o->dead_letter_arn}, on_rights, o) < 0)
		later(o, ask_again);
}

static void ask_again(void *arg)
{
	struct outcome *o = arg;

	fn_loop_clear(o->e->env->loop, &o->timer);
	ask(o);
}

static void look_up(void *arg);

static void on_function(void *arg, struct fn_inner_answer *a)
{
	struct outcome *o = arg;
	json_t *f = NULL;
	const char *target;

	if (a->error || (a->h->status != 200 && a->h->status != 404)) {
		later(o, look_up);
		return;
	}
	if (a->h->status == 200)
		f = json_loadb(a->body, a->len, 0, NULL);
	target = json_string_value(json_object_get(f, "DeadLetterTargetArn"));
	o->dead_letter_arn = target ? strdup(target) : NULL;
	json_decref(f);
	ask(o);
}

/* Is there a dead-letter target? fnd knows. */
static void look_up(void *arg)
{
	struct outcome *o = arg;

	fn_loop_clear(o->e->env->loop, &o->timer);
	if (fn_fnd_function(o->e->env->fnd, o->ev->lane->name, on_function, o, NULL) < 0)
		later(o, look_up);
}

static void end(struct fn_event *ev, enum fn_condition condition)
{
	const struct fn_event_config *c = fn_event_config_get(ev->lane->e, ev->lane->function, ev->lane->qualifier);
	struct outcome *o = outcome_new(ev);

	o->condition = condition;
	o->to = c ? fn_strdup_opt(condition == FN_CONDITION_SUCCESS ? c->on_success : c->on_failure) : NULL;
	fn_journal_add(o->e->journal, "async", ev->request_id, ev->lane->name, fn_condition_name(condition), 1, fn_clock_real_us() - ev->accepted_us,
		       json_string_value(json_object_get(ev->note, "m")));
	if (condition == FN_CONDITION_SUCCESS) {
		ev->lane->n.succeeded++;
		ask(o);
		return;
	}
	ev->lane->n.dropped++;
	look_up(o);
}

static void lose(struct fn_event *ev)
{
	struct outcome *o = outcome_new(ev);

	ev->lane->n.dropped++;
	fn_log_info("request %s: there is no function %s any more; its event is dropped", ev->request_id, ev->lane->name);
	o->steps[0] = (struct fn_queue_step){.what = FN_QUEUE_DONE, .queue = ev->lane->queue, .id = ev->id, .receives = ev->receives};
	o->change.n = 1;
	write_outcome(o);
}

/* --- attempts --- */
static enum fn_attempt classify(const struct fn_inner_answer *a)
{
	const char *refusal, *type;

	if (a->error)
		return FN_ATTEMPT_SYSTEM;
	refusal = fn_h1_header(a->h, FN_INNER_REFUSAL);
	type = fn_h1_header(a->h, "x-amzn-ErrorType");
	if (a->h->status == 200)
		return fn_h1_header(a->h, "X-Amz-Function-Error") ? FN_ATTEMPT_ERROR : FN_ATTEMPT_SUCCESS;
	if (fn_streq(refusal, "off"))
		return FN_ATTEMPT_OFF;
	if (a->h->status == 429)
		return FN_ATTEMPT_THROTTLED;
	if (a->h->status == 404)
		return FN_ATTEMPT_GONE;
	return fn_streq(type, "RecursiveInvocationException") ? FN_ATTEMPT_RECURSIVE : FN_ATTEMPT_SYSTEM;
}

static struct fn_retry_policy policy_of(const struct fn_event *ev)
{
	const struct fn_events *e = ev->lane->e;
	const struct fn_event_config *c = fn_event_config_get(e, ev->lane->function, ev->lane->qualifier);

	return (struct fn_retry_policy){.retries = c && c->retries >= 0 ? (unsigned)c->retries : FN_RETRIES_MAX,
					.age_us = (uint64_t)(c && c->age_s >= 0 ? c->age_s : FN_EVENT_AGE_MAX_S) * 1000000u, .delay_us = {e->delay_us[0], e->delay_us[1]}};
}

static void take_result(struct fn_event *ev, struct fn_inner_answer *a, bool failed)
{
	const char *version = fn_h1_header(a->h, "X-Amz-Executed-Version");

	ev->response = fn_take_ptr(a->body);
	ev->response_len = a->len;
	ev->failed = failed;
	snprintf(ev->version, sizeof(ev->version), "%s", version ? version : "$LATEST");
	note_attempt(ev);
}

static void judge(struct fn_event *ev, enum fn_attempt what)
{
	const struct fn_retry_policy policy = policy_of(ev);
	struct fn_decision d = fn_retry_decide(&policy, what, noted(ev, "e"), ev->accepted_us, fn_clock_real_us());
	bool ran = what == FN_ATTEMPT_SUCCESS || what == FN_ATTEMPT_ERROR;

	switch (d.fate) {
	case FN_FATE_RUN:
		break;
	case FN_FATE_WAIT:
		fn_lane_return(ev);
		break;
	case FN_FATE_AGAIN:
		fn_lane_release(ev, ran);
		settle_again(ev, d.at_us);
		break;
	case FN_FATE_END:
		fn_lane_release(ev, ran);
		end(ev, d.condition);
		break;
	case FN_FATE_LOST:
		fn_lane_release(ev, ran);
		lose(ev);
		break;
	}
}

static void on_answer(void *arg, struct fn_inner_answer *a)
{
	struct fn_event *ev = arg;
	enum fn_attempt what = classify(a);

	ev->call = NULL;
	if (!a->error)
		fn_share_learn(&ev->lane->e->share, &ev->lane->claim, fn_h1_header(a->h, FN_INNER_CONCURRENCY));
	ev->lane->n.throttled += what == FN_ATTEMPT_THROTTLED;
	ev->lane->n.errors += what == FN_ATTEMPT_ERROR;
	if (what == FN_ATTEMPT_SUCCESS || what == FN_ATTEMPT_ERROR)
		take_result(ev, a, what == FN_ATTEMPT_ERROR);
	judge(ev, what);
}

void fn_event_run(struct fn_event *ev)
{
	const struct fn_retry_policy policy = policy_of(ev);
	uint64_t now = fn_clock_real_us();
	const struct fn_fnd_invocation i = {.name = ev->lane->name, .request_id = ev->request_id, .trace_id = ev->trace, .tenant_id = ev->tenant, .payload = ev->len ? ev->body : NULL,
					    .len = ev->len, .timeout_us = TIMEOUT_US, .done = on_answer, .arg = ev};

	if (fn_retry_decide(&policy, FN_ATTEMPT_NONE, 0, ev->accepted_us, now).fate != FN_FATE_RUN) {
		judge(ev, FN_ATTEMPT_NONE);
		return;
	}
	if (!ev->note)
		fn_lane_waited(ev->lane, now > ev->accepted_us ? now - ev->accepted_us : 0);
	if (fn_fnd_invoke(ev->lane->e->env->fnd, &i, &ev->call) < 0)
		judge(ev, FN_ATTEMPT_SYSTEM);
}

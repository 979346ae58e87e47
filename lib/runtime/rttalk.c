/* rttalk.c - see rtapi_internal.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/rtapi_internal.h"

/* What gets a runtime nowhere (wrong requests, connections without a request, pings) has a budget. Beyond it answers come late; one that goes on
 * and on with what is wrong is ended. */
#define IDLE_TALK_RATE 10u
#define IDLE_TALK_BURST 100u
#define PACE_US 20000u
#define WRONG_MAX 500u

static const char *const state_names[] = {"RuntimeStarted", "RuntimeReady", "RuntimeRunning", "RuntimeInvocationResponse",
					  "RuntimeInitError", "RuntimeSnapshot"};

struct fn_rt_conn *fn_rt_slot(struct fn_rt *rt, const struct fn_h1_conn *c)
{
	for (unsigned i = 0; i < fn_rt_places(rt); i++)
		if (rt->conns[i].c == c)
			return &rt->conns[i];
	return NULL;
}

void fn_rt_useful(struct fn_rt *rt, const struct fn_h1_conn *c)
{
	struct fn_rt_conn *slot = fn_rt_slot(rt, c);

	if (slot)
		slot->useful = true;
}

bool fn_rt_may_talk(struct fn_rt *rt, bool wrong)
{
	if (fn_bucket_fill(&rt->idle_talk, fn_loop_now_us(rt->loop), IDLE_TALK_RATE, IDLE_TALK_BURST) == IDLE_TALK_BURST)
		rt->wrong = 0;
	if (fn_bucket_take(&rt->idle_talk, 1))
		return true;
	if (wrong && ++rt->wrong == WRONG_MAX && rt->ops->on_unruly)
		rt->ops->on_unruly(rt->arg);
	return false;
}

static void answer_held(void *arg)
{
	struct fn_rt *rt = arg;

	fn_loop_clear(rt->loop, &rt->pace);
	for (unsigned i = 0; i < fn_rt_places(rt); i++) {
		fn_auto_free struct fn_rt_held *h = fn_take_ptr(rt->conns[i].held);

		if (h)
			fn_h1_conn_reply(rt->conns[i].c, &(struct fn_h1_reply){.status = h->status, .content_type = h->type, .body = h->body, .len = h->len});
	}
}

void fn_rt_talk(struct fn_rt *rt, struct fn_h1_conn *c, const struct fn_h1_reply *reply, bool wrong)
{
	struct fn_rt_conn *slot = fn_rt_slot(rt, c);
	struct fn_rt_held *h = NULL;

	if (!fn_rt_may_talk(rt, wrong) && slot)
		h = malloc(sizeof(*h) + reply->len);
	if (h && !rt->pace && fn_loop_add_timer(rt->loop, fn_loop_now_us(rt->loop) + PACE_US, answer_held, rt, &rt->pace) < 0)
		free(fn_take_ptr(h));
	if (!h) {
		fn_h1_conn_reply(c, reply);
		return;
	}
	*h = (struct fn_rt_held){.status = reply->status, .type = reply->content_type, .len = reply->len};
	memcpy(h->body, reply->body, reply->len);
	slot->held = h;
}

void fn_rt_reply_error(struct fn_rt *rt, struct fn_h1_conn *c, unsigned status, const char *type, const char *message)
{
	char body[512];
	struct fn_h1_reply r = {.status = status, .content_type = "application/json", .body = body};

	r.len = (size_t)snprintf(body, sizeof(body), "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type);
	fn_rt_talk(rt, c, &r, true);
}

void fn_rt_reply_state(struct fn_rt *rt, struct fn_h1_conn *c, const char *to)
{
	char text[256];

	snprintf(text, sizeof(text), "State transition from %s to %s failed for runtime. Error: State transition is not allowed",
		 state_names[rt->state], to);
	fn_rt_reply_error(rt, c, 403, "InvalidStateTransition", text);
}

/* Whoever waits for the function's answer is served before the runtime that gave it. One that has sent its `next` along gets this with the event. */
void fn_rt_reply_ok(struct fn_rt *rt, struct fn_h1_conn *c)
{
	static const char ok[] = "{\"status\":\"OK\"}\n";
	static const struct fn_h1_reply r = {.status = 202, .content_type = "application/json", .body = ok, .len = sizeof(ok) - 1, .later = true,
					     .joins = true};

	fn_rt_useful(rt, c);
	fn_h1_conn_reply(c, &r);
}

/* lane.c - see lane.h. */
#include "events/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "model/arn.h"

#define HELD_MAX 32u
#define HELD_BYTES (2u << 20)
#define SETTLING_MAX 10000u /* outcomes that the disk has not taken: nothing begins beyond */
#define WINDOW_FIRST 16u
#define LEASE_US (UINT64_C(24) * 3600 * 1000000) /* the process that has leased it ends sooner, and then it is ready again */

static void lease_more(struct fn_lane *l);

const uint64_t fn_lane_ages_us[FN_LANE_AGES] = {10000, 100000, 1000000, 10000000, 60000000, 600000000, UINT64_C(3600000000), UINT64_C(21600000000)};

void fn_lane_waited(struct fn_lane *l, uint64_t us)
{
	l->n.age_us += us;
	for (size_t i = 0; i < FN_LANE_AGES; i++)
		l->n.ages[i] += us <= fn_lane_ages_us[i];
	l->n.ages[FN_LANE_AGES]++;
}

/* --- events --- */
void fn_event_free(struct fn_event *ev)
{
	free(ev->trace);
	free(ev->tenant);
	free(ev->body);
	free(ev->response);
	json_decref(ev->note);
	free(ev);
}

/* meta: the trace header, a line feed, the tenant. */
static int read_meta(struct fn_event *ev, const char *meta, size_t len)
{
	const char *lf = len ? memchr(meta, '\n', len) : NULL;
	size_t n = lf ? (size_t)(lf - meta) : len;

	if (n > 0 && !(ev->trace = strndup(meta, n)))
		return -ENOMEM;
	if (lf && n + 1 < len && !(ev->tenant = strndup(lf + 1, len - n - 1)))
		return -ENOMEM;
	return 0;
}

static struct fn_event *copy_event(struct fn_lane *l, const struct fn_queue_message *m)
{
	struct fn_event *ev = calloc(1, sizeof(*ev));

	if (!ev || !(ev->body = malloc(m->body_len + 1)) || read_meta(ev, m->meta, m->meta_len) < 0)
		abort(); /* out of memory: what is leased is ready again with the next process */
	ev->lane = l;
	ev->id = m->id;
	ev->receives = m->receives;
	ev->accepted_us = m->sent_us;
	memcpy(ev->uid, m->uid, sizeof(ev->uid));
	fn_id_uuid_format(m->uid, ev->request_id);
	if (m->body_len > 0)
		memcpy(ev->body, m->body, m->body_len);
	ev->body[m->body_len] = '\0';
	ev->len = m->body_len;
	if (m->note_len > 0)
		ev->note = json_loadb(m->note, m->note_len, 0, NULL);
	if (ev->note && (uint64_t)json_integer_value(json_object_get(ev->note, "t")) != ev->accepted_us) { /* it has been put back: a beginning */
		json_decref(ev->note);
		ev->note = NULL;
	}
	return ev;
}

/* --- who begins --- */
static void want(struct fn_lane *l)
{
	if (l->n_held > 0 && l->in_flight < l->window && !l->rest_timer && !l->e->draining)
		fn_share_want(&l->e->share, &l->claim);
	else
		fn_share_unwant(&l->claim);
}

static void on_turn(struct fn_claim *c)
{
	struct fn_lane *l = fn_list_entry(c, struct fn_lane, claim);
	struct fn_events *e = l->e;
	struct fn_event *ev;

	if (l->n_held == 0 || e->draining)
		return;
	if (e->settling >= SETTLING_MAX) {
		l->halted = e->halted = true;
		return;
	}
	ev = fn_list_entry(fn_list_first(&l->held), struct fn_event, link);
	fn_list_remove(&ev->link);
	fn_share_take(&e->share, &l->claim, &ev->counted);
	l->n_held--;
	l->in_flight++;
	e->in_flight++;
	fn_list_push_back(&e->running, &ev->link);
	want(l);
	lease_more(l);
	e->run(ev);
}

void fn_lanes_settled(struct fn_events *e)
{
	struct fn_lane *l;
	size_t it = 0;

	e->settling--;
	if (!e->halted || e->settling > SETTLING_MAX / 2 || e->draining)
		return;
	e->halted = false;
	while ((l = fn_map_next(e->lanes, &it)))
		if (l->halted) {
			l->halted = false;
			want(l);
		}
}

static void hold(struct fn_event *ev, bool first)
{
	struct fn_lane *l = ev->lane;

	if (first)
		fn_list_push_front(&l->held, &ev->link);
	else
		fn_list_push_back(&l->held, &ev->link);
	l->n_held++;
}

/* --- leases --- */
static void rest(struct fn_lane *l, uint64_t us);

static void on_leased(struct fn_queue_lease *q, const struct fn_err *err)
{
	struct fn_lane *l = fn_list_entry(q, struct fn_lane, lease);

	l->leasing = false;
	if (l->e->draining || (err && (err->code == ECANCELED || err->code == ENOENT)))
		return;
	if (err) { /* the disk; later */
		rest(l, l->e->backoff_us[0]);
		return;
	}
	for (unsigned i = 0; i < q->n_messages; i++)
		hold(copy_event(l, &q->messages[i]), false);
	if (l->rest_timer) /* it has begun to rest meanwhile */
		rest(l, 0);
	want(l);
	lease_more(l);
}

static void lease_more(struct fn_lane *l)
{
	struct fn_events *e = l->e;
	unsigned busy = l->in_flight + l->n_held, room = l->window > busy ? l->window - busy : 0;

	if (l->leasing || l->rest_timer || e->draining || room == 0 || l->n_held >= HELD_MAX || (l->n_held > 0 && fn_share_room(&e->share, &l->claim) == 0))
		return;
	l->leasing = true;
	l->lease = (struct fn_queue_lease){.n = room < HELD_MAX ? room : HELD_MAX, .bytes = HELD_BYTES, .for_us = LEASE_US, .wait_until_us = UINT64_MAX, .early = true, .done = on_leased};
	fn_queue_lease(l->queue, &l->lease);
}

/* --- resting --- */
struct put_back {
	struct fn_queue_change change;
	struct fn_events *e;
	struct fn_queue_step steps[];
};

static void on_back(struct fn_queue_change *c, const struct fn_err *err)
{
	struct put_back *b = fn_list_entry(c, struct put_back, change);

	if (err)
		fn_log_warn("asynchronous invocations: %s; they go on after the next start", err->msg);
	fn_lanes_settled(b->e);
	free(b);
}

/* What is held is due when the rest is over; nothing of it stays in memory. */
static void put_back(struct fn_lane *l, uint64_t at_us)
{
	struct put_back *b = calloc(1, sizeof(*b) + l->n_held * sizeof(b->steps[0]));

	if (!b)
		abort();
	b->e = l->e;
	b->change = (struct fn_queue_change){.steps = b->steps, .done = on_back};
	while (!fn_list_empty(&l->held)) {
		struct fn_event *ev = fn_list_entry(fn_list_first(&l->held), struct fn_event, link);

		fn_list_remove(&ev->link);
		b->steps[b->change.n++] = (struct fn_queue_step){.what = FN_QUEUE_AGAIN, .queue = l->queue, .id = ev->id, .receives = ev->receives, .at_us = at_us};
		fn_event_free(ev);
	}
	l->n_held = 0;
	l->e->settling++;
	fn_queue_change(l->e->env->queues, &b->change);
}

static void on_rested(void *arg)
{
	struct fn_lane *l = arg;

	fn_loop_clear(l->e->env->loop, &l->rest_timer);
	lease_more(l);
}

/* us 0: as long as it rests already. */
static void rest(struct fn_lane *l, uint64_t us)
{
	struct fn_loop *loop = l->e->env->loop;

	if (l->leasing && fn_queue_lease_cancel(&l->lease))
		l->leasing = false;
	if (l->n_held > 0)
		put_back(l, fn_clock_real_us() + (us ? us : l->backoff_us));
	fn_share_unwant(&l->claim);
	if (us == 0)
		return;
	fn_loop_clear(loop, &l->rest_timer);
	if (fn_loop_add_timer(loop, fn_loop_now_us(loop) + us, on_rested, l, &l->rest_timer) < 0)
		abort();
}

/* --- what comes of attempts --- */
void fn_lane_release(struct fn_event *ev, bool ran)
{
	struct fn_lane *l = ev->lane;
	struct fn_events *e = l->e;

	fn_list_remove(&ev->link);
	l->in_flight--;
	e->in_flight--;
	fn_share_give(&e->share, &l->claim, ev->counted);
	if (ran) {
		l->backoff_us = 0;
		if (l->window < fn_share_most(&e->share, &l->claim))
			l->window++;
	}
	want(l);
	lease_more(l);
}

void fn_lane_return(struct fn_event *ev)
{
	struct fn_lane *l = ev->lane;
	struct fn_events *e = l->e;

	fn_list_remove(&ev->link);
	l->in_flight--;
	e->in_flight--;
	fn_share_give(&e->share, &l->claim, ev->counted);
	l->window = l->in_flight > 1 ? l->in_flight : 1;
	hold(ev, true);
	if (l->in_flight > 0 || l->rest_timer || e->draining) {
		if (l->rest_timer)
			rest(l, 0);
		want(l);
		return;
	}
	l->backoff_us = fn_pause_next(l->backoff_us, e->backoff_us[0], e->backoff_us[1]);
	rest(l, l->backoff_us);
}

/* --- all of them --- */
struct fn_lane *fn_lane_get(struct fn_events *e, const char *name)
{
	struct fn_lane *l = fn_map_get(e->lanes, name);
	char queue[FN_LANE_NAME_MAX + sizeof(FN_LANE_PREFIX)];
	const char *colon = strchr(name, ':');
	size_t n = colon ? (size_t)(colon - name) : strlen(name);

	if (l)
		return l;
	if (fn_str_format(queue, sizeof(queue), FN_LANE_PREFIX "%s", name) < 0 || !(l = calloc(1, sizeof(*l))))
		return NULL;
	l->e = e;
	l->claim.turn = on_turn;
	l->window = WINDOW_FIRST < e->share.most ? WINDOW_FIRST : e->share.most;
	fn_list_init(&l->held);
	snprintf(l->function, sizeof(l->function), "%.*s", (int)n, name);
	snprintf(l->qualifier, sizeof(l->qualifier), "%s", colon ? colon + 1 : "");
	l->name = strdup(name);
	l->queue = fn_queue_get(e->env->queues, queue, FN_QUEUE_RELEASE);
	if (!l->name || !l->queue || fn_map_set(e->lanes, name, l, NULL) < 0) {
		free(l->name);
		free(l);
		return NULL;
	}
	lease_more(l);
	return l;
}

struct fn_lane *fn_lane_of(struct fn_events *e, const char *arn)
{
	const char *name = arn ? strstr(arn, ":function:") : NULL;
	char text[FN_LANE_NAME_MAX];

	if (!name || fn_str_format(text, sizeof(text), "%s", name + strlen(":function:")) < 0)
		return NULL;
	if (fn_str_ends(text, ":$LATEST"))
		text[strlen(text) - strlen(":$LATEST")] = '\0';
	return fn_lane_get(e, text);
}

struct fn_queue *fn_lane_failed(struct fn_lane *l)
{
	char name[FN_LANE_NAME_MAX + sizeof(FN_FAILED_PREFIX)];

	if (!l->failed && fn_str_format(name, sizeof(name), FN_FAILED_PREFIX "%s", l->name) == 0)
		l->failed = fn_queue_get(l->e->env->queues, name, 0);
	return l->failed;
}

int fn_lanes_open(struct fn_events *e, struct fn_err *err)
{
	struct fn_queue *q;
	size_t it = 0;
	int r = fn_map_new(&e->lanes);

	fn_list_init(&e->running);
	while (r == 0 && (q = fn_queue_next(e->env->queues, &it)))
		if (fn_str_starts(fn_queue_name(q), FN_LANE_PREFIX) && !fn_lane_get(e, fn_queue_name(q) + strlen(FN_LANE_PREFIX)))
			r = -ENOMEM;
	return r < 0 ? fn_err_set(err, r, "asynchronous invocations", NULL) : 0;
}

void fn_lanes_drain(struct fn_events *e)
{
	struct fn_lane *l;
	size_t it = 0;

	e->draining = true;
	while (e->lanes && (l = fn_map_next(e->lanes, &it))) {
		if (l->leasing && fn_queue_lease_cancel(&l->lease))
			l->leasing = false;
		fn_share_unwant(&l->claim);
	}
}

void fn_lanes_close(struct fn_events *e)
{
	struct fn_lane *l;
	size_t it = 0;

	while (e->lanes && !fn_list_empty(&e->running)) {
		struct fn_event *ev = fn_list_entry(fn_list_first(&e->running), struct fn_event, link);

		fn_inner_cancel(ev->call);
		fn_list_remove(&ev->link);
		fn_event_free(ev);
	}
	while (e->lanes && (l = fn_map_next(e->lanes, &it))) {
		while (!fn_list_empty(&l->held)) {
			struct fn_event *ev = fn_list_entry(fn_list_first(&l->held), struct fn_event, link);

			fn_list_remove(&ev->link);
			fn_event_free(ev);
		}
		fn_loop_clear(e->env->loop, &l->rest_timer);
		fn_share_unwant(&l->claim);
		free(l->name);
		free(l);
	}
	fn_map_free(e->lanes);
}

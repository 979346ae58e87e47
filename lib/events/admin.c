/* admin.c - see admin.h. */
#include "events/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/route.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "events/lane.h"

#define PAGE 100u
#define MOVE_AT_ONCE 500u
#define LOOK_US (UINT64_C(600) * 1000000)

/* --- status --- */
static bool is_known(const struct fn_events *e, const char *name)
{
	char queue[FN_LANE_NAME_MAX + sizeof(FN_LANE_PREFIX)];

	return fn_map_get(e->lanes, name) || (fn_str_format(queue, sizeof(queue), FN_LANE_PREFIX "%s", name) == 0 && fn_queue_find(e->env->queues, queue));
}

static void status(struct fn_events *e, struct fn_service_call *call)
{
	json_t *list = json_array();
	struct fn_lane *l;
	size_t it = 0;

	while ((l = fn_map_next(e->lanes, &it))) {
		struct fn_queue *failed = fn_lane_failed(l);
		struct fn_queue_counts c, f = {0};

		fn_queue_count(l->queue, &c);
		if (failed)
			fn_queue_count(failed, &f);
		json_array_append_new(list, json_pack("{ss,sI,sI,sI,sI,sI,sI,sI,sI,sI,sI,sI,sb}", "Function", l->name, "Waiting", (json_int_t)(c.ready + l->n_held), "Due", (json_int_t)c.delayed,
						      "Running", (json_int_t)l->in_flight, "Failed", (json_int_t)(f.ready + f.delayed + f.leased), "Received", (json_int_t)l->n.received, "Succeeded",
						      (json_int_t)l->n.succeeded, "Errors", (json_int_t)l->n.errors, "Throttled", (json_int_t)l->n.throttled, "Dropped", (json_int_t)l->n.dropped,
						      "DeadLetterErrors", (json_int_t)l->n.dead_letter_errors, "DeliveryFailures", (json_int_t)l->n.delivery_failures, "Rests", l->rest_timer != 0));
	}
	fn_service_reply_json(call, 200, json_pack("{so,sI,sI}", "Functions", list, "Slots", (json_int_t)e->share.most, "Running", (json_int_t)e->in_flight));
}

/* --- lists --- */
struct listing {
	struct fn_queue_list list;
	struct fn_events *e;
	struct fn_service_call call;
	json_t *events;
	uint8_t uid[16];
	bool one, failed;
};

static json_t *payload(const void *body, size_t len)
{
	json_t *o = len ? json_loadb(body, len, JSON_DECODE_ANY, NULL) : json_object();

	return o ? o : json_stringn_nocheck(body, len);
}

static json_t *event_json(const struct listing *l, const struct fn_queue_message *m)
{
	static const char *const states[] = {"waiting", "due later", "running"};
	json_t *note = m->note_len ? json_loadb(m->note, m->note_len, 0, NULL) : NULL, *o;
	char id[FN_UUID_SIZE], at[32];

	fn_id_uuid_format(m->uid, id);
	o = json_pack("{ss,ss,ss,sI,sI,sI}", "RequestId", id, "State", l->failed ? "failed" : states[m->state], "Accepted", fn_clock_format_rfc3339(m->sent_us, at, sizeof(at)),
		      "Bytes", (json_int_t)m->body_len, "Invokes", json_integer_value(json_object_get(note, "n")), "Errors", json_integer_value(json_object_get(note, "e")));
	if (!l->failed && m->state == FN_QUEUE_DELAYED)
		json_object_set_new(o, "Due", json_string(fn_clock_format_rfc3339(m->until_us, at, sizeof(at))));
	if (json_object_get(note, "m"))
		json_object_set(o, "Message", json_object_get(note, "m"));
	if (json_object_get(note, "c"))
		json_object_set(o, "Condition", json_object_get(note, "c"));
	if (l->one)
		json_object_set_new(o, "Payload", payload(m->body, m->body_len));
	if (l->one && json_object_get(note, "r"))
		json_object_set(o, "Response", json_object_get(note, "r"));
	json_decref(note);
	return o;
}

static void listing_free(struct listing *l)
{
	json_decref(l->events);
	free(l);
}

static void on_page(struct fn_queue_list *q, const struct fn_err *err)
{
	struct listing *l = fn_list_entry(q, struct listing, list);
	bool more = q->n_messages == q->n;
	char marker[80];
	json_t *o;

	if (err) {
		fn_service_reply_failed(&l->call, err);
		listing_free(l);
		return;
	}
	for (unsigned i = 0; i < q->n_messages; i++)
		if (!l->one || memcmp(q->messages[i].uid, l->uid, sizeof(l->uid)) == 0)
			json_array_append_new(l->events, event_json(l, &q->messages[i]));
	if (l->one && more && json_array_size(l->events) == 0) { /* on to the next page */
		fn_queue_list(&l->list);
		return;
	}
	if (l->one && json_array_size(l->events) == 0) {
		fn_service_reply_error(&l->call, &FN_E_NOT_FOUND, "There is no such event.");
		listing_free(l);
		return;
	}
	o = json_pack("{sO}", "Events", l->events);
	if (more && !l->one) {
		snprintf(marker, sizeof(marker), "%llu-%llu-%llu", (unsigned long long)q->cursor.state, (unsigned long long)q->cursor.ord, (unsigned long long)q->cursor.id);
		json_object_set_new(o, "NextMarker", json_string(marker));
	}
	fn_service_reply_json(&l->call, 200, o);
	listing_free(l);
}

static void list(struct fn_events *e, struct fn_service_call *call, struct fn_lane *lane)
{
	const char *marker = fn_http_req_query(call->req, "Marker"), *id = fn_http_req_query(call->req, "Id");
	struct listing *l;
	unsigned long long state, ord, at;
	uint8_t uid[16];

	if (!fn_str_empty(id) && fn_id_uuid_parse(id, uid) < 0) {
		fn_service_reply_error(call, &FN_E_NOT_FOUND, "There is no such event.");
		return;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->e = e;
	l->call = *call;
	l->events = json_array();
	l->failed = fn_http_req_query(call->req, "Failed") != NULL;
	l->one = !fn_str_empty(id);
	if (l->one)
		memcpy(l->uid, uid, sizeof(l->uid));
	l->list = (struct fn_queue_list){.queue = l->failed ? fn_lane_failed(lane) : lane->queue, .n = PAGE, .done = on_page};
	if (!fn_str_empty(marker) && sscanf(marker, "%llu-%llu-%llu", &state, &ord, &at) == 3)
		l->list.cursor = (struct fn_queue_cursor){state, ord, at};
	fn_queue_list(&l->list);
}

/* --- put back --- */
struct moving {
	struct fn_queue_move move;
	struct fn_service_call call;
	json_int_t moved;
};

static void on_moved(struct fn_queue_move *q, const struct fn_err *err)
{
	struct moving *m = fn_list_entry(q, struct moving, move);

	m->moved += err ? 0 : q->moved;
	if (!err && q->moved == q->n) {
		fn_queue_move(&m->move);
		return;
	}
	if (err)
		fn_service_reply_failed(&m->call, err);
	else
		fn_service_reply_json(&m->call, 200, json_pack("{sI}", "Moved", m->moved));
	free(m);
}

static void replay(struct fn_service_call *call, struct fn_lane *lane)
{
	struct moving *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->call = *call;
	m->move = (struct fn_queue_move){.from = fn_lane_failed(lane), .to = lane->queue, .n = MOVE_AT_ONCE, .done = on_moved};
	fn_queue_move(&m->move);
}

/* --- thrown away --- */
static void on_purged(void *arg, const struct fn_err *err)
{
	struct fn_service_call *call = arg;

	if (err)
		fn_service_reply_failed(call, err);
	else
		fn_service_reply_json(call, 200, json_object());
	free(call);
}

static void purge(struct fn_service_call *call, struct fn_lane *lane)
{
	struct fn_service_call *copy = malloc(sizeof(*copy));

	if (!copy)
		abort();
	*copy = *call;
	fn_queue_purge(fn_http_req_query(call->req, "Failed") ? fn_lane_failed(lane) : lane->queue, on_purged, copy);
}

bool fn_event_admin_serve(struct fn_events *e, struct fn_service_call *call)
{
	fn_auto_buf struct fn_buf name = {0};
	struct fn_aws_labels labels = {0};
	struct fn_lane *lane;

	if (!fn_str_starts(call->operation, "_Async"))
		return false;
	if (fn_streq(call->operation, "_Async")) {
		status(e, call);
		return true;
	}
	(void)fn_aws_route(fn_http_req_method(call->req), fn_http_req_path(call->req), fn_http_req_raw_query(call->req), &labels);
	if (labels.n > 0 && fn_aws_decode(&name, labels.at[0].text, labels.at[0].len, false) == 0 && fn_str_ends(name.data, ":$LATEST"))
		name.data[name.len - strlen(":$LATEST")] = '\0';
	lane = name.data && is_known(e, name.data) ? fn_lane_get(e, name.data) : NULL;
	if (!lane)
		fn_service_reply_error(call, &FN_E_NOT_FOUND, "%s has had no event.", name.data ? name.data : "It");
	else if (!fn_lane_failed(lane))
		fn_service_reply_error(call, &FN_E_UNAVAILABLE, "out of memory");
	else if (fn_streq(call->operation, "_AsyncReplay"))
		replay(call, lane);
	else if (fn_streq(call->operation, "_AsyncPurge"))
		purge(call, lane);
	else
		list(e, call, lane);
	return true;
}

/* --- what is old --- */
static void on_trimmed(struct fn_queue_trim *t, const struct fn_err *err)
{
	if (!err && t->more)
		fn_queue_trim(t);
	else
		free(t);
}

static void look(void *arg)
{
	struct fn_events *e = arg;
	uint64_t now = fn_clock_real_us();
	struct fn_lane *l;
	size_t it = 0;

	while (!e->draining && (l = fn_map_next(e->lanes, &it))) {
		struct fn_queue *failed = fn_lane_failed(l);
		struct fn_queue_trim *t;
		struct fn_queue_counts c = {0};

		if (failed)
			fn_queue_count(failed, &c);
		t = c.ready > 0 ? calloc(1, sizeof(*t)) : NULL;
		if (!t)
			continue;
		*t = (struct fn_queue_trim){.queue = failed, .oldest_us = now - FN_FAILED_US, .done = on_trimmed};
		fn_queue_trim(t);
	}
	(void)fn_loop_rearm_timer(e->env->loop, e->trim_timer, fn_loop_now_us(e->env->loop) + LOOK_US);
}

int fn_event_admin_open(struct fn_events *e) { return fn_loop_add_timer(e->env->loop, fn_loop_now_us(e->env->loop) + LOOK_US, look, e, &e->trim_timer); }
void fn_event_admin_close(struct fn_events *e) { fn_loop_clear(e->env->loop, &e->trim_timer); }

/* outgoing.c - see outgoing.h: when what is sent. messages.c: how. */
#include "events/outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "events/endpoints.h"
#include "events/journal.h"
#include "events/lane.h"
#include "events/messages.h"

#define AT_ONCE 8u
#define LEASE_US (UINT64_C(24) * 3600 * 1000000)
#define AGE_US (UINT64_C(6) * 3600 * 1000000)
#define ANSWER_MAX 65536u

struct target {
	struct fn_events *e;
	struct fn_queue *queue;
	struct fn_queue_lease lease;
	struct fn_list sending;
	unsigned n;
	bool leasing;
	char arn[];
};

struct fn_outgoing {
	struct fn_map *targets; /* by ARN */
	unsigned settling;
};

struct sending {
	struct target *t;
	struct fn_list link;
	uint64_t id, sent_us;
	uint32_t receives;
	json_t *about; /* what fn_outgoing_step() has written */
	char *body;
	size_t len;
	struct fn_outbound_call *call;
	struct fn_queue_change change;
	struct fn_queue_step step;
};

static void lease_more(struct target *t);

static void sending_free(struct sending *s)
{
	json_decref(s->about);
	free(s->body);
	free(s);
}

/* --- what comes of it --- */
static void on_settled(struct fn_queue_change *c, const struct fn_err *err)
{
	struct sending *s = fn_list_entry(c, struct sending, change);

	if (err) /* after the next start it is sent once more */
		fn_log_warn("destination %s: %s", s->t->arn, err->msg);
	s->t->e->outgoing->settling--;
	sending_free(s);
}

static void settle(struct sending *s, bool again)
{
	struct target *t = s->t;
	uint64_t pause = UINT64_C(1000000) << (s->receives < 9 ? s->receives : 9);

	fn_list_remove(&s->link);
	t->n--;
	s->step = (struct fn_queue_step){.what = again ? FN_QUEUE_AGAIN : FN_QUEUE_DONE, .queue = t->queue, .id = s->id, .receives = s->receives};
	if (again)
		s->step.at_us = fn_clock_real_us() + (pause < 300000000u ? pause : 300000000u);
	s->change = (struct fn_queue_change){.steps = &s->step, .n = 1, .done = on_settled};
	t->e->outgoing->settling++;
	fn_queue_change(t->e->env->queues, &s->change);
	lease_more(t);
}

/* It will never be taken. */
static void drop(struct sending *s, unsigned status, const char *why)
{
	struct target *t = s->t;
	const char *function = json_string_value(json_object_get(s->about, "function"));
	struct fn_lane *lane = fn_lane_of(t->e, function);

	fn_log_warn("destination %s does not take what came of %s: HTTP %u %.200s", t->arn, function ? function : "?", status, why);
	if (lane)
		++*(json_is_true(json_object_get(s->about, "dead")) ? &lane->n.dead_letter_errors : &lane->n.delivery_failures);
	fn_journal_add(t->e->journal, "destination", t->arn, function ? function : "", "refused", 1, fn_clock_real_us() - s->sent_us, NULL);
	settle(s, false);
}

static void on_answer(void *arg, const struct fn_outbound_answer *a)
{
	struct sending *s = arg;
	const char *function = json_string_value(json_object_get(s->about, "function"));
	bool passes = a->status == 0 || a->status == 408 || a->status == 429 || a->status >= 500, old = fn_clock_real_us() > s->sent_us + AGE_US;

	s->call = NULL;
	if (a->status >= 200 && a->status < 300 && fn_message_taken(s->t->arn, a->body, a->len)) {
		fn_journal_add(s->t->e->journal, "destination", s->t->arn, function ? function : "", "delivered", 1, fn_clock_real_us() - s->sent_us, NULL);
		settle(s, false);
	} else if (passes && !old) {
		settle(s, true);
	} else {
		drop(s, a->status, a->len ? a->body : "");
	}
}

static int post(struct sending *s, const struct fn_endpoint *p, const struct fn_message *msg)
{
	const struct fn_endpoint_request q = {.method = msg->method, .path = msg->path.data, .target = msg->target, .content_type = msg->content_type, .body = msg->body.data, .len = msg->body.len,
					      .body_max = ANSWER_MAX, .done = on_answer, .arg = s};

	return fn_endpoint_send(p, &q, &s->call);
}

static void begin(struct target *t, const struct fn_queue_message *m)
{
	struct sending *s = calloc(1, sizeof(*s));
	struct fn_message msg = {0};
	const struct fn_endpoint *p = fn_endpoint(t->e->endpoints, fn_message_service(t->arn));
	bool never = false;
	int r = -ENOENT;

	if (!s || !(s->body = malloc(m->body_len + 1)))
		abort();
	s->t = t;
	s->id = m->id;
	s->receives = m->receives;
	s->sent_us = m->sent_us;
	memcpy(s->body, m->body_len ? m->body : "", m->body_len);
	s->body[m->body_len] = '\0';
	s->len = m->body_len;
	s->about = json_loadb(m->meta_len ? m->meta : "", m->meta_len, 0, NULL);
	fn_list_push_back(&t->sending, &s->link);
	t->n++;
	if (p) {
		r = fn_message_make(t->arn, fn_endpoint_url(p), s->about, s->body, s->len, s->sent_us, &msg);
		never = r == -EINVAL;
	}
	if (r == 0)
		r = post(s, p, &msg);
	fn_message_free(&msg);
	if (never)
		drop(s, 0, "no request can be made of it");
	else if (r < 0)
		settle(s, true); /* the configuration may name a server again */
}

/* --- leases --- */
static void on_leased(struct fn_queue_lease *q, const struct fn_err *err)
{
	struct target *t = fn_list_entry(q, struct target, lease);
	bool go_on = !err && !t->e->draining;

	for (unsigned i = 0; go_on && i < q->n_messages; i++)
		begin(t, &q->messages[i]);
	t->leasing = false; /* not before: what could not be sent asks for more, and the lease is in use */
	if (go_on)
		lease_more(t);
}

static void lease_more(struct target *t)
{
	if (t->leasing || t->n >= AT_ONCE || t->e->draining)
		return;
	t->leasing = true;
	t->lease = (struct fn_queue_lease){.n = AT_ONCE - t->n, .bytes = 4u << 20, .for_us = LEASE_US, .wait_until_us = UINT64_MAX, .early = true, .done = on_leased};
	fn_queue_lease(t->queue, &t->lease);
}

static struct target *target_of(struct fn_events *e, const char *arn)
{
	struct target *t = fn_map_get(e->outgoing->targets, arn);
	char name[512];

	if (t || fn_str_format(name, sizeof(name), FN_OUTGOING_PREFIX "%s", arn) < 0)
		return t;
	t = calloc(1, sizeof(*t) + strlen(arn) + 1);
	if (!t)
		return NULL;
	t->e = e;
	strcpy(t->arn, arn);
	fn_list_init(&t->sending);
	t->queue = fn_queue_get(e->env->queues, name, FN_QUEUE_RELEASE);
	if (!t->queue || fn_map_set(e->outgoing->targets, arn, t, NULL) < 0) {
		free(t);
		return NULL;
	}
	lease_more(t);
	return t;
}

int fn_outgoing_step(struct fn_events *e, const struct fn_delivery *d, struct fn_queue_step *step, struct fn_delivery_memory *m)
{
	const char *service = fn_message_service(d->arn);
	struct target *t;
	json_t *about;
	int r = -ENOMEM;

	if (!service || fn_str_ends(d->arn, ".fifo") || !fn_endpoint(e->endpoints, service) || !(t = target_of(e, d->arn)))
		return -EINVAL;
	about = json_pack("{ss,sb,sb,ss*,ss*,ss*}", "function", d->function_arn, "success", (int)d->success, "dead", (int)d->dead_letter, "id", d->request_id, "message", d->message, "trace",
			  d->trace);
	if (about) {
		char *text = json_dumps(about, JSON_COMPACT);

		r = text ? fn_buf_add_str(&m->meta, text) : -ENOMEM;
		free(text);
		json_decref(about);
	}
	if (r == 0)
		r = fn_buf_add(&m->body, d->body, d->len);
	*step = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = t->queue, .sent_us = fn_clock_real_us(), .meta = m->meta.data, .meta_len = m->meta.len, .body = m->body.data,
				       .body_len = m->body.len};
	fn_id_random(step->uid, sizeof(step->uid));
	return r;
}

/* --- all of them --- */
int fn_outgoing_open(struct fn_events *e, struct fn_err *err)
{
	struct fn_queue *q;
	size_t it = 0;
	int r;

	e->outgoing = calloc(1, sizeof(*e->outgoing));
	r = e->outgoing ? fn_map_new(&e->outgoing->targets) : -ENOMEM;
	while (r == 0 && (q = fn_queue_next(e->env->queues, &it)))
		if (fn_str_starts(fn_queue_name(q), FN_OUTGOING_PREFIX) && !target_of(e, fn_queue_name(q) + strlen(FN_OUTGOING_PREFIX)))
			r = -ENOMEM;
	return r < 0 ? fn_err_set(err, r, "destinations", NULL) : 0;
}

void fn_outgoing_drain(struct fn_events *e)
{
	struct target *t;
	size_t it = 0;

	while (e->outgoing && (t = fn_map_next(e->outgoing->targets, &it)))
		if (t->leasing && fn_queue_lease_cancel(&t->lease))
			t->leasing = false;
}

bool fn_outgoing_busy(const struct fn_events *e)
{
	struct target *t;
	size_t it = 0;
	bool busy = e->outgoing->settling > 0;

	while ((t = fn_map_next(e->outgoing->targets, &it)))
		busy = busy || t->n > 0;
	return busy;
}

void fn_outgoing_close(struct fn_events *e)
{
	struct target *t;
	size_t it = 0;

	if (!e->outgoing)
		return;
	while (e->outgoing->targets && (t = fn_map_next(e->outgoing->targets, &it))) {
		while (!fn_list_empty(&t->sending)) {
			struct sending *s = fn_list_entry(fn_list_first(&t->sending), struct sending, link);

			fn_outbound_cancel(s->call);
			fn_list_remove(&s->link);
			sending_free(s);
		}
		free(t);
	}
	fn_map_free(e->outgoing->targets);
	free(e->outgoing);
	e->outgoing = NULL;
}

/* source_local.c - see source_local.h. */
#include "events/source_local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "queue/queue.h"
#include "sqs/sqs.h"

#define LEASE_BYTES (24u << 20) /* of one lease */
#define HIDE_US (30u * 1000000u) /* where the queue hides nothing at all: all would come again at once */

struct local {
	struct fn_source base;
	const struct fn_service_env *env;
	char *arn;
	struct fn_queue_lease lease;
	bool leasing, gone; /* gone: nobody wants it any more, but the lease is under way */
	bool waiting;        /* for the timer, before it is tried again */
	unsigned wanted;
	uint64_t hide_us, timer;
};

int fn_source_local_look(const struct fn_service_env *env, const char *queue_arn, struct fn_source_about *ret)
{
	struct fn_sqs_facts facts;
	int r = fn_sqs_find(env->sqs, queue_arn, &facts);

	if (r == 0)
		*ret = (struct fn_source_about){.visibility_us = facts.visibility_us, .fifo = facts.fifo};
	return r;
}

static void later(struct local *s)
{
	s->waiting = true;
	(void)fn_loop_rearm_timer(s->env->loop, s->timer, fn_loop_now_us(s->env->loop) + fn_source_pause(&s->base));
}

static void failed(struct local *s, int error)
{
	char what[160];

	later(s);
	snprintf(what, sizeof(what), "PROBLEM: %s", error == ENOENT ? "The specified queue does not exist." : fn_errno_name(error));
	fn_source_tell(&s->base, what);
}

static void local_free(struct fn_source *base);

/* Times of the queue's are of the other clock: how long it is hidden from now on. */
static uint64_t hidden_until(const struct local *s, const struct fn_queue_message *m)
{
	uint64_t real = fn_clock_real_us();

	return fn_loop_now_us(s->env->loop) + (m->until_us > real ? m->until_us - real : 0);
}

static void on_lease(struct fn_queue_lease *l, const struct fn_err *err)
{
	struct local *s = (struct local *)((char *)l - offsetof(struct local, lease));
	struct fn_list list;

	s->leasing = false;
	if (s->gone) {
		local_free(&s->base);
		return;
	}
	if (err) {
		if (err->code != ECANCELED)
			failed(s, err->code);
		return;
	}
	s->base.pause_us = 0;
	fn_source_tell(&s->base, NULL);
	if (l->n_messages == 0) { /* there are as many in flight as a queue may have */
		later(s);
		return;
	}
	fn_list_init(&list);
	for (unsigned i = 0; i < l->n_messages; i++) {
		struct fn_source_message *m = calloc(1, sizeof(*m));

		if (m)
			m->record = fn_sqs_record(s->env->sqs, s->arn, &l->messages[i]);
		if (!m || !m->record) {
			free(m);
			continue;
		}
		m->until_us = hidden_until(s, &l->messages[i]);
		m->lease = l->messages[i].id;
		m->receives = l->messages[i].receives;
		fn_list_push_back(&list, &m->link);
	}
	s->base.events.messages(s->base.events.arg, &list); /* which says anew what it wants */
}

static void go_on(struct local *s)
{
	struct fn_sqs_facts facts;
	int r;

	if (s->wanted == 0 || s->leasing || s->waiting)
		return;
	r = fn_sqs_find(s->env->sqs, s->arn, &facts);
	if (r == 0) {
		s->lease = (struct fn_queue_lease){.n = s->wanted, .bytes = LEASE_BYTES, .for_us = s->hide_us ? s->hide_us : facts.visibility_us ? facts.visibility_us : HIDE_US, .wait_until_us = UINT64_MAX, .early = true, .done = on_lease};
		r = fn_sqs_lease(s->env->sqs, s->arn, &s->lease);
	}
	if (r < 0) {
		failed(s, -r);
		return;
	}
	s->leasing = true;
	fn_source_tell(&s->base, NULL);
}

static void on_timer(void *arg)
{
	struct local *s = arg;

	s->waiting = false;
	go_on(s);
}

static void want(struct fn_source *base, unsigned n, uint64_t hide_us)
{
	struct local *s = (struct local *)base;

	s->wanted = n;
	s->hide_us = hide_us;
	if (n == 0 && s->leasing && fn_queue_lease_cancel(&s->lease))
		s->leasing = false;
	if (n > 0 && !s->base.said && !s->waiting) { /* what there is to tell at once comes from the loop */
		s->waiting = true;
		(void)fn_loop_rearm_timer(s->env->loop, s->timer, fn_loop_now_us(s->env->loop));
	}
	go_on(s);
}

/* --- removal: one change of the database for all of them --- */
struct removal {
	struct fn_queue_change c;
	struct fn_source_removal *r;
	struct fn_loop *loop;
	uint64_t timer; /* of one that could not begin */
	struct fn_queue_step steps[];
};

static void on_changed(struct fn_queue_change *c, const struct fn_err *err)
{
	struct removal *x = (struct removal *)c;
	struct fn_source_removal *r = x->r;

	r->done(r, err);
	free(x);
}

static void on_refused(void *arg)
{
	struct removal *x = arg;
	struct fn_source_removal *r = x->r;
	struct fn_err err;

	fn_err_set(&err, ENOENT, "delete messages", "the queue is gone");
	fn_loop_clear(x->loop, &x->timer);
	free(x);
	r->done(r, &err);
}

static void remove_all(struct fn_source *base, struct fn_source_removal *r)
{
	struct local *s = (struct local *)base;
	struct removal *x = calloc(1, sizeof(*x) + r->n * sizeof(x->steps[0]));
	struct fn_sqs_facts facts;

	if (!x)
		abort(); /* as a loop that has no memory for a timer */
	x->r = r;
	x->loop = s->env->loop;
	if (fn_sqs_find(s->env->sqs, s->arn, &facts) < 0) {
		if (fn_loop_add_timer(x->loop, 0, on_refused, x, &x->timer) < 0)
			abort();
		return;
	}
	for (unsigned i = 0; i < r->n; i++)
		x->steps[i] = (struct fn_queue_step){.what = FN_QUEUE_DONE, .queue = facts.queue, .id = r->messages[i]->lease, .receives = r->messages[i]->receives, .strict = r->strict};
	x->c = (struct fn_queue_change){.steps = x->steps, .n = r->n, .done = on_changed};
	fn_queue_change(s->env->queues, &x->c);
}

static void local_free(struct fn_source *base)
{
	struct local *s = (struct local *)base;

	fn_loop_clear(s->env->loop, &s->timer);
	if (s->leasing && !fn_queue_lease_cancel(&s->lease)) {
		s->gone = true;
		return;
	}
	free(s->arn);
	free(s);
}

static const struct fn_source_ops ops = {want, remove_all, local_free};

int fn_source_local_new(const struct fn_service_env *env, const char *queue_arn, const struct fn_source_events *events, struct fn_source **ret)
{
	struct local *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct local){.base = {.ops = &ops, .events = *events}, .env = env, .arn = strdup(queue_arn)};
	if (!s->arn || fn_loop_add_timer(env->loop, UINT64_MAX, on_timer, s, &s->timer) < 0) {
		free(s->arn);
		free(s);
		return -ENOMEM;
	}
	*ret = &s->base;
	return 0;
}

/* deliver.c - see deliver.h. */
#include "events/deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "events/lane.h"
#include "events/outgoing.h"
#include "model/arn.h"
#include "model/limits.h"
#include "service/rights.h"
#include "sqs/sqs.h"

#define SNS_MAX (256u << 10)

void fn_delivery_free(struct fn_delivery_memory *m)
{
	fn_buf_free(&m->body);
	fn_buf_free(&m->meta);
	free(m->of_sqs);
	m->of_sqs = NULL;
}

const char *fn_delivery_action(const char *arn)
{
	static const struct {
		const char *service, *action;
	} of[] = {{"sqs", "sqs:SendMessage"}, {"sns", "sns:Publish"}, {"lambda", "lambda:InvokeFunction"}, {"events", "events:PutEvents"}, {"s3", "s3:PutObject"}};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (fn_arn_of(arn, of[i].service))
			return of[i].action;
	return ":"; /* nobody may */
}

struct asking {
	struct fn_events *e;
	const char *arns[2];
	void (*done)(void *arg, const bool *may);
	void *arg;
};

static void on_rights(void *arg, const struct fn_iam_asker *who)
{
	struct asking *a = arg;
	bool may[2] = {true, true};
	size_t at = 0;

	for (size_t i = 0; who && i < 2; i++)
		if (a->arns[i])
			may[i] = fn_sqs_may(a->e->env->sqs, &who[at++], fn_delivery_action(a->arns[i]), a->arns[i]);
	a->done(a->arg, who ? may : NULL);
	free(a);
}

int fn_delivery_may(struct fn_events *e, const char *function, const char *const arns[2], void (*done)(void *arg, const bool *may), void *arg)
{
	struct fn_rights_ask list[2];
	struct asking *a;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < 2; i++)
		if (arns[i])
			list[n++] = (struct fn_rights_ask){function, fn_delivery_action(arns[i]), arns[i]};
	if (n == 0 || !fn_rights_judged(e->env->rights)) {
		done(arg, (const bool[]){true, true});
		return 0;
	}
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = (struct asking){e, {arns[0], arns[1]}, done, arg};
	r = fn_rights_ask(e->env->rights, list, n, on_rights, a);
	if (r < 0)
		free(a);
	return r;
}

size_t fn_delivery_most(const char *arn) { return fn_arn_of(arn, "sns") ? SNS_MAX : FN_LIMIT_EVENT_BYTES; }

/* As an event of that function's. */
static int to_function(struct fn_events *e, const struct fn_delivery *d, struct fn_queue_step *step, struct fn_delivery_memory *m)
{
	struct fn_lane *lane = fn_lane_of(e, d->arn);

	if (!lane)
		return -EINVAL;
	if (fn_buf_add(&m->body, d->body, d->len) < 0 || fn_buf_add_str(&m->meta, d->trace ? d->trace : "") < 0)
		return -ENOMEM;
	*step = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = lane->queue, .sent_us = fn_clock_real_us(), .meta = m->meta.data, .meta_len = m->meta.len, .body = m->body.data,
				       .body_len = m->body.len};
	fn_id_uuid_bytes(step->uid);
	lane->n.received++;
	return 0;
}

/* A queue of ours. -ENOENT: there is none of that name. */
static int to_queue(struct fn_events *e, const struct fn_delivery *d, struct fn_queue_step *step, struct fn_delivery_memory *m)
{
	struct fn_sqs_attribute a[3] = {{"RequestID", "String", d->request_id}, {"ErrorCode", "Number", "200"}, {"ErrorMessage", "String", d->message}};
	struct fn_sqs_message message = {.len = d->len, .attributes = a, .n_attributes = !d->dead_letter ? 0 : fn_str_empty(d->message) ? 2 : 3, .trace_id = d->trace, .sender = "lambda.amazonaws.com"};
	char why[FN_SQS_WHY_MAX] = "";
	int r;

	if (fn_buf_add(&m->body, d->body, d->len) < 0)
		return -ENOMEM;
	message.body = m->body.data;
	r = fn_sqs_step(e->env->sqs, d->arn, &message, step, &m->of_sqs, why);
	if (r == -EINVAL)
		fn_log_warn("%s does not take what came of %s: %s", d->arn, d->function_arn, why);
	return r;
}

int fn_delivery_step(struct fn_events *e, const struct fn_delivery *d, struct fn_queue_step *step, struct fn_delivery_memory *m)
{
	char prefix[160];

	snprintf(prefix, sizeof(prefix), "arn:aws:lambda:%s:%s:function:", e->env->region, e->env->account_id);
	if (fn_str_starts(d->arn, prefix) && !d->dead_letter)
		return to_function(e, d, step, m);
	if (fn_arn_of(d->arn, "sqs") && !fn_str_ends(d->arn, ".fifo")) {
		int r = to_queue(e, d, step, m);

		if (r != -ENOENT)
			return r;
		fn_buf_free(&m->body);
	}
	return fn_outgoing_step(e, d, step, m);
}

/* send.c - SendMessage and SendMessageBatch: answered when they are on disk. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sqs/batch.h"
#include "sqs/message.h"

struct sending {
	struct fn_queue_change c;
	struct fn_sqs_call *call;
	struct fn_queue_step steps[FN_SQS_ENTRIES_MAX];
	struct fn_sqs_sending m[FN_SQS_ENTRIES_MAX];
	unsigned entry[FN_SQS_ENTRIES_MAX]; /* which of the request's a step is */
	struct fn_sqs_batch batch;
};

static void free_sending(void *state)
{
	struct sending *x = state;

	for (unsigned i = 0; i < x->c.n; i++)
		fn_sqs_sending_free(&x->m[i]);
	fn_sqs_batch_free(&x->batch);
	free(x);
}

static struct sending *begin(struct fn_sqs_call *call)
{
	struct sending *x = calloc(1, sizeof(*x));

	if (!x) {
		fn_sqs_fail(call, &FN_SQS_UNAVAILABLE, "Try again.");
		return NULL;
	}
	x->call = call;
	x->c.steps = x->steps;
	call->state = x;
	call->free_state = free_sending;
	return x;
}

static json_t *result(const struct fn_sqs_sending *m, const struct fn_queue_step *s, bool fifo)
{
	char id[FN_UUID_SIZE], text[24];
	json_t *out = json_object();

	fn_id_uuid_format(s->uid, id);
	(void)json_object_set_new(out, "MessageId", json_string(id));
	(void)json_object_set_new(out, "MD5OfMessageBody", json_string(m->md5));
	if (m->md5_attributes[0])
		(void)json_object_set_new(out, "MD5OfMessageAttributes", json_string(m->md5_attributes));
	if (m->md5_system[0])
		(void)json_object_set_new(out, "MD5OfMessageSystemAttributes", json_string(m->md5_system));
	if (fifo) {
		snprintf(text, sizeof(text), "%020" PRIu64, s->pos);
		(void)json_object_set_new(out, "SequenceNumber", json_string(text));
	}
	return out;
}

static void on_sent(struct fn_queue_change *c, const struct fn_err *err)
{
	struct sending *x = fn_list_entry(c, struct sending, c);
	struct fn_sqs_call *call = x->call;

	call->sqs->busy--;
	if (err)
		fn_sqs_failed(call, err);
	else
		fn_sqs_reply(call, result(&x->m[0], &x->steps[0], call->queue->settings.fifo));
}

void fn_sqs_h_send(struct fn_sqs_call *call)
{
	struct fn_sqs_problem p;
	struct sending *x = begin(call);

	if (!x)
		return;
	if (fn_sqs_judge(call->queue, call->in, false, call->bodies ? &call->bodies->of[0] : NULL, call->user_id, call->trace_id, &x->m[0], &p) < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	x->steps[0] = x->m[0].step;
	x->c.n = 1;
	x->c.done = on_sent;
	call->sqs->busy++;
	fn_queue_change(call->sqs->queues, &x->c);
}

static void on_batch_sent(struct fn_queue_change *c, const struct fn_err *err)
{
	struct sending *x = fn_list_entry(c, struct sending, c);
	struct fn_sqs_call *call = x->call;

	call->sqs->busy--;
	if (err) {
		fn_sqs_failed(call, err);
		return;
	}
	for (unsigned i = 0; i < x->c.n; i++)
		fn_sqs_batch_done(&x->batch, x->entry[i], result(&x->m[i], &x->steps[i], call->queue->settings.fifo));
	fn_sqs_batch_reply(&x->batch, call);
}

void fn_sqs_h_send_batch(struct fn_sqs_call *call)
{
	struct sending *x = begin(call);
	struct fn_sqs_problem p;
	size_t total = 0;

	if (!x)
		return;
	if (fn_sqs_batch_begin(&x->batch, call->in, &p) < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	for (unsigned i = 0; i < x->batch.n; i++) {
		const json_t *e = fn_sqs_batch_entry(&x->batch, i);

		if (fn_sqs_judge(call->queue, e, true, call->bodies ? &call->bodies->of[i] : NULL, call->user_id, call->trace_id, &x->m[x->c.n], &p) == 0) {
			total += x->m[x->c.n].size;
			x->steps[x->c.n] = x->m[x->c.n].step;
			x->entry[x->c.n++] = i;
		} else if (p.error == &FN_SQS_MISSING_IN_ENTRY) {
			fn_sqs_fail_with(call, &p);
			return;
		} else {
			total += fn_sqs_size(e);
			fn_sqs_batch_failed(&x->batch, i, &p);
		}
	}
	if (total > 1048576) {
		fn_sqs_fail(call, &FN_SQS_BATCH_TOO_LONG, "Batch requests cannot be longer than 1048576 bytes. You have sent %zu bytes.", total);
		return;
	}
	x->c.done = on_batch_sent;
	call->sqs->busy++;
	fn_queue_change(call->sqs->queues, &x->c);
}

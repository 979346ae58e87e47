/* settle.c - DeleteMessage and ChangeMessageVisibility, alone and in batches: one or ten steps of one change. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sqs/batch.h"
#include "sqs/receipt.h"

struct settling {
	struct fn_queue_change c;
	struct fn_sqs_call *call;
	struct fn_queue_step steps[FN_SQS_ENTRIES_MAX];
	unsigned entry[FN_SQS_ENTRIES_MAX];
	struct fn_sqs_batch batch;
	bool visibility, one;
};

static void free_settling(void *state)
{
	struct settling *x = state;

	fn_sqs_batch_free(&x->batch);
	free(x);
}

/* A step of what was asked. */
static int step(const struct settling *x, const json_t *in, struct fn_queue_step *s, struct fn_sqs_problem *p)
{
	const struct fn_sqs_queue *q = x->call->queue;
	const char *receipt = fn_sqs_text(in, "ReceiptHandle");
	int64_t for_s = -1;

	if (fn_str_empty(receipt))
		return fn_sqs_wrong(p, &FN_SQS_MISSING, "The request must contain the parameter ReceiptHandle.");
	*s = (struct fn_queue_step){.what = x->visibility ? FN_QUEUE_EXTEND : FN_QUEUE_DONE, .queue = q->queue, .strict = q->settings.fifo,
				    .most_us = FN_SQS_VISIBILITY_MAX_S * 1000000ull};
	if (x->visibility) {
		if (fn_sqs_bounded(in, "VisibilityTimeout", 0, FN_SQS_VISIBILITY_MAX_S, "Must be >= 0 and <= 43200, if provided.", &for_s, p) < 0)
			return -1;
		if (for_s < 0)
			return fn_sqs_wrong(p, &FN_SQS_MISSING, "The request must contain the parameter VisibilityTimeout.");
		s->at_us = for_s ? fn_clock_real_us() + (uint64_t)for_s * 1000000u : 0;
	}
	if (fn_sqs_receipt_read(q->name, receipt, &s->id, &s->receives) < 0)
		return fn_sqs_wrong(p, &FN_SQS_BAD_HANDLE, "The input receipt handle \"%.400s\" is not a valid receipt handle.", receipt);
	return 0;
}

/* What a step has come to. 0: well. */
static int judge(const struct settling *x, const json_t *in, const struct fn_queue_step *s, struct fn_sqs_problem *p)
{
	const char *receipt = fn_sqs_text(in, "ReceiptHandle");
	char value[24];

	if (s->result == 0 || (s->result == -ENOENT && !x->visibility)) /* deleted once or twice, or received again since: it is not told */
		return 0;
	if (s->result == -ESTALE && !x->call->queue->settings.fifo) /* visible again already: nothing happens */
		return 0;
	if (s->result == -ESTALE)
		fn_sqs_bad_value(p, "ReceiptHandle", receipt, "The receipt handle has expired.");
	else if (s->result == -ERANGE) {
		snprintf(value, sizeof(value), "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(in, "VisibilityTimeout")));
		fn_sqs_bad_value(p, "VisibilityTimeout", value, "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]");
	} else
		fn_sqs_bad_value(p, "ReceiptHandle", receipt, "Message does not exist or is not available for visibility timeout change.");
	return -1;
}

static void on_settled(struct fn_queue_change *c, const struct fn_err *err)
{
	struct settling *x = fn_list_entry(c, struct settling, c);
	struct fn_sqs_call *call = x->call;
	struct fn_sqs_problem p;

	call->sqs->busy--;
	if (err) {
		fn_sqs_failed(call, err);
		return;
	}
	if (x->one) {
		if (judge(x, call->in, &x->steps[0], &p) < 0)
			fn_sqs_fail_with(call, &p);
		else
			fn_sqs_reply(call, NULL);
		return;
	}
	for (unsigned i = 0; i < c->n; i++) {
		if (judge(x, fn_sqs_batch_entry(&x->batch, x->entry[i]), &x->steps[i], &p) < 0)
			fn_sqs_batch_failed(&x->batch, x->entry[i], &p);
		else
			fn_sqs_batch_done(&x->batch, x->entry[i], NULL);
	}
	fn_sqs_batch_reply(&x->batch, call);
}

static void settle(struct fn_sqs_call *call, bool visibility, bool one)
{
	struct settling *x = calloc(1, sizeof(*x));
	struct fn_sqs_problem p;
	int r = 0;

	if (!x) {
		fn_sqs_fail(call, &FN_SQS_UNAVAILABLE, "Try again.");
		return;
	}
	*x = (struct settling){.c = {.steps = x->steps, .done = on_settled}, .call = call, .visibility = visibility, .one = one};
	call->state = x;
	call->free_state = free_settling;
	if (one) {
		r = step(x, call->in, &x->steps[0], &p);
		x->c.n = 1;
	} else {
		r = fn_sqs_batch_begin(&x->batch, call->in, &p);
	}
	if (r < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	for (unsigned i = 0; i < x->batch.n; i++) {
		if (step(x, fn_sqs_batch_entry(&x->batch, i), &x->steps[x->c.n], &p) == 0)
			x->entry[x->c.n++] = i;
		else
			fn_sqs_batch_failed(&x->batch, i, &p);
	}
	call->sqs->busy++;
	fn_queue_change(call->sqs->queues, &x->c);
}

void fn_sqs_h_delete(struct fn_sqs_call *call) { settle(call, false, true); }
void fn_sqs_h_delete_batch(struct fn_sqs_call *call) { settle(call, false, false); }
void fn_sqs_h_visibility(struct fn_sqs_call *call) { settle(call, true, true); }
void fn_sqs_h_visibility_batch(struct fn_sqs_call *call) { settle(call, true, false); }

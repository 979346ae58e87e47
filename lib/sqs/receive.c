/* receive.c - ReceiveMessage: a lease, which may wait. */
#include "sqs/receive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sqs/message.h"
#include "sqs/receipt.h"

#define IN_FLIGHT_MOST 120000
#define IN_FLIGHT_MOST_FIFO 20000
#define ATTEMPT_US (300u * 1000000ull)

struct receiving {
	struct fn_queue_lease l;
	struct fn_sqs_call *call;
	const json_t *attributes, *names, *older; /* MessageAttributeNames, MessageSystemAttributeNames, AttributeNames */
};

static const char *const system_names[] = {"All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SequenceNumber", "MessageDeduplicationId",
					   "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn", NULL};

void fn_sqs_lease_settings(struct fn_sqs_queue *q, struct fn_queue_lease *l)
{
	uint64_t now_us = fn_clock_real_us(), kept_us = (uint64_t)q->settings.retention_s * 1000000u;
	struct fn_sqs_queue *dead = q->settings.dead ? fn_sqs_queue_named(q->sqs, q->settings.dead) : NULL;

	l->oldest_us = now_us > kept_us ? now_us - kept_us : 0;
	l->most_receives = dead ? q->settings.most_receives : 0; /* a target that is gone: they stay */
	l->dead = dead ? dead->queue : NULL;
	l->most_leased = q->settings.fifo ? IN_FLIGHT_MOST_FIFO : IN_FLIGHT_MOST;
}

/* --- what is answered --- */
static bool wants(const json_t *names, const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)names, i, v)
		if (fn_streq(json_string_value(v), "All") || fn_streq(json_string_value(v), name))
			return true;
	return false;
}

static void add(json_t *out, const json_t *names, const char *name, const char *value)
{
	if (value && (!names || wants(names, name)))
		(void)json_object_set_new(out, name, json_string(value));
}

static const char *number(char buf[24], uint64_t n)
{
	snprintf(buf, 24, "%" PRIu64, n);
	return buf;
}

json_t *fn_sqs_system_attributes(const struct fn_sqs *sqs, const struct fn_queue_message *m, const json_t *meta, const json_t *names, bool fifo)
{
	json_t *out = json_object();
	char text[24], arn[256];

	add(out, names, "SenderId", fn_sqs_text(meta, "s"));
	add(out, names, "SentTimestamp", number(text, m->sent_us / 1000));
	add(out, names, "ApproximateReceiveCount", number(text, m->receives));
	add(out, names, "ApproximateFirstReceiveTimestamp", number(text, m->first_us / 1000));
	add(out, names, "MessageGroupId", fn_sqs_text(meta, "g"));
	add(out, names, "MessageDeduplicationId", fn_sqs_text(meta, "d"));
	add(out, names, "AWSTraceHeader", fn_sqs_text(meta, "t"));
	if (fifo) {
		snprintf(text, sizeof(text), "%020" PRIu64, m->pos);
		add(out, names, "SequenceNumber", text);
	}
	if (m->source && fn_str_starts(m->source, FN_SQS_PREFIX) && fn_sqs_arn(sqs, m->source + strlen(FN_SQS_PREFIX), arn, sizeof(arn)) == 0)
		add(out, names, "DeadLetterQueueSourceArn", arn);
	return out;
}

static json_t *message(const struct receiving *x, const struct fn_queue_message *m)
{
	const struct fn_sqs_queue *q = x->call->queue;
	json_t *meta = json_loadb(m->meta, m->meta_len, 0, NULL), *out = json_object(), *some = NULL;
	char id[FN_UUID_SIZE], md5[FN_SQS_MD5_SIZE], receipt[FN_SQS_RECEIPT_SIZE];
	json_t *system = json_object();

	fn_id_uuid_format(m->uid, id);
	fn_sqs_body_md5(m, meta, md5);
	fn_sqs_receipt_make(q->name, m->id, m->receives, receipt);
	(void)json_object_set_new(out, "MessageId", json_string(id));
	(void)json_object_set_new(out, "ReceiptHandle", json_string(receipt));
	(void)json_object_set_new(out, "MD5OfBody", json_string(md5));
	(void)json_object_set_new(out, "Body", json_stringn(m->body, m->body_len));
	if (x->names || x->older) {
		json_decref(system);
		system = fn_sqs_system_attributes(x->call->sqs, m, meta, x->names ? x->names : x->older, q->settings.fifo);
		if (x->names && x->older) {
			json_t *more = fn_sqs_system_attributes(x->call->sqs, m, meta, x->older, q->settings.fifo);

			(void)json_object_update(system, more);
			json_decref(more);
		}
	}
	if (json_object_size(system))
		(void)json_object_set(out, "Attributes", system);
	json_decref(system);
	if (x->attributes && fn_sqs_attributes_md5(json_object_get(meta, "a"), x->attributes, md5, &some) == 0 && some) {
		(void)json_object_set_new(out, "MD5OfMessageAttributes", json_string(md5));
		(void)json_object_set_new(out, "MessageAttributes", some);
	}
	json_decref(meta);
	return out;
}

static void on_leased(struct fn_queue_lease *l, const struct fn_err *err)
{
	struct receiving *x = fn_list_entry(l, struct receiving, l);
	struct fn_sqs_call *call = x->call;
	json_t *out, *messages;

	fn_list_remove(&call->link);
	call->cancel = NULL;
	if (err && err->code != ECANCELED) { /* the process ends: nothing came */
		fn_sqs_failed(call, err);
		return;
	}
	if (l->limited && !call->queue->settings.fifo) {
		fn_sqs_fail(call, &FN_SQS_OVER_LIMIT, "Too many messages in flight for queue %s.", call->queue->name);
		return;
	}
	out = json_object();
	messages = json_array();
	for (unsigned i = 0; i < l->n_messages; i++)
		(void)json_array_append_new(messages, message(x, &l->messages[i]));
	if (l->n_messages)
		(void)json_object_set(out, "Messages", messages);
	json_decref(messages);
	fn_sqs_reply(call, out);
}

static bool cancel(struct fn_sqs_call *call)
{
	struct receiving *x = call->state;

	return fn_queue_lease_cancel(&x->l);
}

static void lease(struct receiving *x)
{
	struct fn_sqs_call *call = x->call;

	call->cancel = cancel;
	fn_list_push_back(&call->sqs->polls, &call->link);
	fn_queue_lease(call->queue->queue, &x->l);
}

static int check_names(const json_t *names, struct fn_sqs_problem *p)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)names, i, v)
	{
		const char *name = json_string_value(v);
		int k = 0;

		while (system_names[k] && !fn_streq(system_names[k], name))
			k++;
		if (!system_names[k])
			return fn_sqs_wrong(p, &FN_SQS_BAD_ATTRIBUTE, "Unknown Attribute %.100s.", name ? name : "");
	}
	return 0;
}

void fn_sqs_h_receive(struct fn_sqs_call *call)
{
	struct receiving *x = calloc(1, sizeof(*x));
	const struct fn_sqs_settings *s = &call->queue->settings;
	int64_t n = 1, hidden_s = s->visibility_s, wait_s = s->wait_s;
	struct fn_sqs_problem p;
	const char *attempt;

	if (!x) {
		fn_sqs_fail(call, &FN_SQS_UNAVAILABLE, "Try again.");
		return;
	}
	call->state = x;
	call->free_state = free;
	x->call = call;
	x->names = json_object_get(call->in, "MessageSystemAttributeNames");
	x->older = json_object_get(call->in, "AttributeNames");
	x->attributes = json_object_get(call->in, "MessageAttributeNames");
	attempt = fn_sqs_text(call->in, "ReceiveRequestAttemptId");
	if (fn_sqs_bounded(call->in, "MaxNumberOfMessages", 1, FN_SQS_ENTRIES_MAX, "Must be between 1 and 10, if provided.", &n, &p) < 0 ||
	    fn_sqs_bounded(call->in, "WaitTimeSeconds", 0, 20, "Must be >= 0 and <= 20, if provided.", &wait_s, &p) < 0 ||
	    fn_sqs_bounded(call->in, "VisibilityTimeout", 0, FN_SQS_VISIBILITY_MAX_S, "Must be >= 0 and <= 43200, if provided.", &hidden_s, &p) < 0 || check_names(x->names, &p) < 0 ||
	    check_names(x->older, &p) < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	if (attempt && !s->fifo) {
		fn_sqs_bad_value(&p, "ReceiveRequestAttemptId", attempt, "The request include parameter that is not valid for this queue type.");
		fn_sqs_fail_with(call, &p);
		return;
	}
	if (attempt && !fn_sqs_printable(attempt)) {
		fn_sqs_bad_value(&p, "ReceiveRequestAttemptId", attempt, "ReceiveRequestAttemptId " FN_SQS_PRINTABLE);
		fn_sqs_fail_with(call, &p);
		return;
	}
	x->l = (struct fn_queue_lease){.n = (unsigned)n, .for_us = (uint64_t)hidden_s * 1000000u, .attempt = attempt, .attempt_us = ATTEMPT_US, .done = on_leased};
	if (wait_s && !call->sqs->draining)
		x->l.wait_until_us = fn_clock_mono_us() + (uint64_t)wait_s * 1000000u;
	x->l.early = !s->fifo; /* who has a group's first message is its only holder, over a power cut too */
	fn_sqs_lease_settings(call->queue, &x->l);
	lease(x);
}

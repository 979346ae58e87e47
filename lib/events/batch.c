/* batch.c - a batch runs: the call, what its answer says of each message, the next try. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "events/poller_internal.h"
#include "events/sqs_record.h"
#include "model/inner.h"

#define RETRY_FIRST_US 100000u
#define RETRY_MOST_US 5000000u
#define SPARE_US 500000u /* a batch is not begun anew when its messages are seen again so soon */

const char *fn_poller_group(const struct fn_poller *p, const struct fn_source_message *m)
{
	return p->config.fifo ? fn_record_attribute(m->record, "MessageGroupId") : NULL;
}

static void set_groups(struct fn_batch *b, bool running)
{
	for (unsigned i = 0; i < b->n; i++) {
		const char *group = fn_poller_group(b->p, b->messages[i]);

		if (group && running)
			(void)fn_map_set(b->p->groups, group, b, NULL);
		else if (group)
			(void)fn_map_remove(b->p->groups, group);
	}
}

/* Those that are left in it come again. */
static void release(struct fn_batch *b)
{
	struct fn_poller *p = b->p;

	fn_list_remove(&b->link);
	fn_loop_clear(p->all->loop, &b->timer);
	p->running--;
	fn_share_give(p->all->share, &p->claim, b->counted);
	p->all->bytes -= b->len;
	free(b->payload);
	free(b);
}

void fn_batch_free(struct fn_batch *b)
{
	fn_inner_cancel(b->call);
	for (unsigned i = 0; i < b->n; i++)
		fn_source_message_free(b->messages[i]);
	free(b->messages);
	release(b);
}

static void tell(struct fn_batch *b, const char *outcome, const char *detail)
{
	struct fn_poller *p = b->p;

	fn_journal_add(p->all->journal, "mapping", p->config.name, p->config.function, outcome, b->n, fn_loop_now_us(p->all->loop) - b->began_us, detail);
}

/* It is over; failed[]: which come again. */
static void end(struct fn_batch *b, const struct fn_batch_item *items)
{
	struct fn_poller *p = b->p;
	struct fn_source_message **messages = b->messages;
	unsigned n = b->n, n_done = 0;

	set_groups(b, false);
	p->ops->drop_groups(p, items, n);
	for (unsigned i = 0; i < n; i++)
		if (items[i].failed)
			fn_source_message_free(messages[i]);
		else
			messages[n_done++] = messages[i];
	release(b);
	p->ops->remove(p, messages, n_done);
	p->ops->go_on(p);
}

static struct fn_batch_item *items_of(const struct fn_batch *b, bool failed)
{
	struct fn_batch_item *items = calloc(b->n, sizeof(*items));

	for (unsigned i = 0; items && i < b->n; i++)
		items[i] = (struct fn_batch_item){.id = json_string_value(json_object_get(b->messages[i]->record, "messageId")), .group = fn_poller_group(b->p, b->messages[i]), .failed = failed};
	return items;
}

static void end_all(struct fn_batch *b, bool failed)
{
	struct fn_batch_item *items = items_of(b, failed);

	if (items)
		end(b, items);
	else /* no memory: they come again */
		fn_batch_free(b);
	free(items);
}

static void fail(struct fn_batch *b, const char *outcome, const char *detail)
{
	struct fn_poller *p = b->p;

	p->config.counts->failed += b->n;
	fn_scale_failed(&p->scale);
	tell(b, outcome, detail);
	p->ops->result(p, "PROBLEM: Function call failed");
	end_all(b, true);
}

static void succeed(struct fn_batch *b, const char *payload, size_t len)
{
	struct fn_poller *p = b->p;
	struct fn_batch_item *items = items_of(b, false);
	unsigned failed = 0;
	char detail[64];

	if (!items) {
		fail(b, "error", "out of memory");
		return;
	}
	fn_batch_judge(payload, len, p->config.report_failures, items, b->n);
	for (unsigned i = 0; i < b->n; i++)
		failed += items[i].failed;
	snprintf(detail, sizeof(detail), "%u of %u come again", failed, b->n);
	tell(b, failed == 0 ? "success" : failed == b->n ? "error" : "partial", failed ? detail : NULL);
	p->config.counts->failed += failed;
	if (failed == b->n)
		fn_scale_failed(&p->scale);
	else
		fn_scale_succeeded(&p->scale);
	p->ops->result(p, "OK");
	end(b, items);
	free(items);
}

static void invoke(struct fn_batch *b);

static void on_retry(void *arg) { invoke(arg); }

/* Throttled, or a fault of ours: again, as long as nobody else sees the messages. */
static void again(struct fn_batch *b, const char *outcome, const char *detail)
{
	struct fn_poller *p = b->p;
	uint64_t now = fn_loop_now_us(p->all->loop), pause = RETRY_FIRST_US << (b->tries < 6 ? b->tries : 6);
	uint16_t jitter;

	fn_id_random(&jitter, sizeof(jitter));
	pause = (pause < RETRY_MOST_US ? pause : RETRY_MOST_US) * (512u + jitter % 512u) / 1024u;
	fn_scale_throttled(&p->scale, p->running);
	if (b->tries++ == 0)
		tell(b, outcome, detail);
	if (p->stopping || now + pause + SPARE_US >= b->until_us || (!b->timer && fn_loop_add_timer(p->all->loop, UINT64_MAX, on_retry, b, &b->timer) < 0))
		fail(b, outcome, "the messages are seen again");
	else
		(void)fn_loop_rearm_timer(p->all->loop, b->timer, now + pause);
}

static void on_answer(void *arg, struct fn_inner_answer *a)
{
	struct fn_batch *b = arg;
	unsigned status = a->error ? 503 : a->h->status;
	char detail[160];

	b->call = NULL;
	if (!a->error)
		fn_share_learn(b->p->all->share, &b->p->claim, fn_h1_header(a->h, FN_INNER_CONCURRENCY));
	snprintf(detail, sizeof(detail), "%u %.140s", status, a->error ? "no answer" : a->body);
	if (status == 200) {
		if (fn_h1_header(a->h, "X-Amz-Function-Error"))
			fail(b, "error", a->body);
		else
			succeed(b, a->body, a->len);
	} else if (status == 404) {
		b->p->ops->function_absent(b->p);
		fail(b, "no function", detail);
	} else if (status == 429 || status >= 500) {
		again(b, status == 429 ? "throttled" : "unavailable", detail);
	} else {
		fail(b, "refused", detail);
	}
}

/* The trace with the longest lineage: fnd counts from there. */
static const char *trace_of(const struct fn_batch *b)
{
	const char *best = NULL;
	size_t most = 0;

	for (unsigned i = 0; i < b->n; i++) {
		const char *trace = fn_record_attribute(b->messages[i]->record, "AWSTraceHeader"), *lineage = trace ? strstr(trace, "Lineage=") : NULL;
		size_t n = lineage ? strlen(lineage) : 0;

		if (trace && strlen(trace) <= 600 && (!best || n > most)) {
			best = trace;
			most = n;
		}
	}
	return best;
}

static void invoke(struct fn_batch *b)
{
	struct fn_poller *p = b->p;

	p->config.counts->invoked += b->n;
	if (fn_fnd_invoke(p->all->fnd, &(struct fn_fnd_invocation){.name = p->config.function, .request_id = b->id, .trace_id = trace_of(b), .payload = b->payload, .len = b->len, .done = on_answer, .arg = b},
			  &b->call) < 0)
		again(b, "unavailable", "too many calls wait");
}

static bool build(struct fn_batch *b, size_t bytes)
{
	char *to = b->payload = malloc(bytes + sizeof("{\"Records\":[]}"));

	if (!to)
		return false;
	to = stpcpy(to, "{\"Records\":[");
	for (unsigned i = 0; i < b->n; i++) {
		if (i > 0)
			*to++ = ',';
		to = mempcpy(to, b->messages[i]->text, b->messages[i]->len);
		free(fn_take_ptr(b->messages[i]->text));
		if (b->messages[i]->until_us < b->until_us)
			b->until_us = b->messages[i]->until_us;
	}
	to = stpcpy(to, "]}");
	b->len = (size_t)(to - b->payload);
	return true;
}

void fn_batch_start(struct fn_poller *p, struct fn_source_message **messages, unsigned n, size_t bytes)
{
	struct fn_batch *b = calloc(1, sizeof(*b));

	if (!b || (*b = (struct fn_batch){.p = p, .messages = messages, .n = n, .until_us = UINT64_MAX, .began_us = fn_loop_now_us(p->all->loop)}, !build(b, bytes))) {
		for (unsigned i = 0; i < n; i++)
			fn_source_message_free(messages[i]);
		free(messages);
		free(b);
		return;
	}
	fn_id_uuid(b->id);
	p->running++;
	fn_share_take(p->all->share, &p->claim, &b->counted);
	p->all->bytes += b->len;
	fn_list_push_back(&p->batches, &b->link);
	set_groups(b, true);
	invoke(b);
}

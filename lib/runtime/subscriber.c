/* subscriber.c - one subscriber of an environment's telemetry: its events, in its schema, and the batches that they go out in. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "runtime/telemetry_internal.h"
#include "web/json_load.h"
#include "web/json_scan.h"

#define SLOW "Some logs were dropped because the downstream consumer is slower than the logs production rate"

/* --- batches --- */
static bool full(const struct fn_subscriber *s) { return s->gathers.items >= s->sub.max_items || s->gathers.bytes >= s->sub.max_bytes; }

static void drop(struct fn_subscriber *s, size_t bytes, size_t records, const char *reason)
{
	s->dropped.bytes += bytes;
	s->dropped.records += records;
	snprintf(s->dropped.reason, sizeof(s->dropped.reason), "%s", reason);
}

static void clear(struct fn_subscriber *s, struct batch *b)
{
	s->t->host->bytes -= b->bytes;
	fn_buf_free(&b->text);
	*b = (struct batch){0};
}

static void send_batch(struct fn_subscriber *s)
{
	if (s->flight.items > 0 || s->gathers.items == 0)
		return;
	(void)fn_loop_rearm_timer(s->t->host->loop, s->timer, UINT64_MAX);
	if (!s->sub.tcp && fn_buf_add(&s->gathers.text, "]", 1) < 0) {
		drop(s, s->gathers.bytes, s->gathers.items, SLOW);
		clear(s, &s->gathers);
		return;
	}
	s->flight = s->gathers;
	s->gathers = (struct batch){0};
	fn_delivery_send(s->delivery, &s->sub, s->flight.text.data, s->flight.text.len);
}

static void add(struct fn_subscriber *s, const char *event, size_t len)
{
	struct batch *b = &s->gathers;
	bool first = b->items == 0;
	uint64_t now = fn_loop_now_us(s->t->host->loop);

	if (full(s) || s->t->host->bytes + len > FN_TELEMETRY_BYTES_MAX || fn_buf_reserve(&b->text, len + 2) < 0) {
		drop(s, len, 1, SLOW);
		return;
	}
	if (!s->sub.tcp)
		(void)fn_buf_add(&b->text, first ? "[" : ",", 1);
	(void)fn_buf_add(&b->text, event, len);
	if (s->sub.tcp)
		(void)fn_buf_add(&b->text, "\n", 1);
	b->items++;
	b->bytes += len;
	s->t->host->bytes += len;
	if (first) {
		s->since_us = now;
		if (!s->t->paused)
			(void)fn_loop_rearm_timer(s->t->host->loop, s->timer, now + s->sub.timeout_us);
	}
	if (full(s))
		send_batch(s);
}

/* record: JSON */
static void tell(struct fn_subscriber *s, uint64_t real_us, const char *type, const char *record, size_t len)
{
	struct fn_buf *b = &s->t->scratch[1];
	char stamp[32];

	fn_buf_reset(b);
	if (fn_buf_addf(b, "{\"time\":\"%s\",\"type\":\"%s\",\"record\":", fn_clock_format_rfc3339(real_us, stamp, sizeof(stamp)), type) < 0 ||
	    fn_buf_add(b, record, len) < 0 || fn_buf_add(b, "}", 1) < 0)
		drop(s, len, 1, SLOW);
	else
		add(s, b->data, b->len);
}

static void tell_event(struct fn_subscriber *s, uint64_t real_us, enum fn_platform_event what, const char *record) { tell(s, real_us, fn_platform_event_name(what), record, strlen(record)); }

static void tell_dropped(struct fn_subscriber *s)
{
	char record[256];

	if (s->dropped.records == 0 || full(s))
		return;
	snprintf(record, sizeof(record), "{\"droppedBytes\":%" PRIu64 ",\"droppedRecords\":%" PRIu64 ",\"reason\":\"%s\"}", s->dropped.bytes,
		     s->dropped.records, s->dropped.reason);
	s->dropped.bytes = s->dropped.records = 0;
	if (s->sub.kinds & FN_TELEMETRY_PLATFORM)
		tell_event(s, fn_clock_real_us(), FN_PLATFORM_LOGS_DROPPED, record);
}

static bool due(const struct fn_subscriber *s)
{
	return s->gathers.items > 0 && (s->flush || full(s) || fn_loop_now_us(s->t->host->loop) >= s->since_us + s->sub.timeout_us);
}

static void on_timer(void *arg)
{
	struct fn_subscriber *s = arg;

	if (!s->t->paused)
		send_batch(s);
}

static void on_done(void *arg, int result)
{
	struct fn_subscriber *s = arg;

	if (result != 0) {
		char why[128];

		if (result > 0)
			snprintf(why, sizeof(why), "could not send events: it was answered with status %d", result);
		else
			snprintf(why, sizeof(why), "could not send events: %s", fn_errno_name(result));
		drop(s, s->flight.bytes, s->flight.items, why);
	}
	clear(s, &s->flight);
	if (due(s))
		send_batch(s);
	else if (s->gathers.items == 0)
		s->flush = false;
	tell_dropped(s);
}

/* --- what each is told --- */
/* These members of a record alone. NULL on no memory, or if it is none. */
static char *pick(const char *record, const char *const *members)
{
	json_t *from = fn_json_load(record, strlen(record), 0), *to = json_object();
	char *text = NULL;

	for (; json_is_object(from) && *members; members++)
		if (json_object_get(from, *members))
			(void)json_object_set(to, *members, json_object_get(from, *members));
	if (from && to)
		text = json_dumps(to, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(from);
	json_decref(to);
	return text;
}

static void tell_picked(struct fn_subscriber *s, uint64_t real_us, enum fn_platform_event what, const char *record, const char *const *members)
{
	fn_auto_free char *part = pick(record, members);

	if (part)
		tell_event(s, real_us, what, part);
}

/* The Logs API's events are fewer, and of some there is less. */
static void tell_logs(struct fn_subscriber *s, uint64_t real_us, enum fn_platform_event what, const char *record)
{
	static const char *const id[] = {"requestId", NULL}, *const done[] = {"requestId", "status", NULL}, *const report[] = {"requestId", "metrics", NULL};

	switch (what) {
	case FN_PLATFORM_START:
		tell_picked(s, real_us, what, record, id);
		break;
	case FN_PLATFORM_RUNTIME_DONE:
		if (s->sub.schema == FN_SCHEMA_2021_03_18)
			tell_picked(s, real_us, what, record, done);
		break;
	case FN_PLATFORM_REPORT:
		tell_picked(s, real_us, FN_PLATFORM_END, record, id);
		tell_picked(s, real_us, what, record, report);
		break;
	case FN_PLATFORM_FAULT:
	case FN_PLATFORM_EXTENSION:
	case FN_PLATFORM_LOGS_DROPPED:
	case FN_PLATFORM_LOGS_SUBSCRIPTION:
		tell_event(s, real_us, what, record);
		break;
	default:
		break;
	}
}

void fn_subscriber_event(struct fn_subscriber *s, uint64_t real_us, enum fn_platform_event what, const char *record)
{
	if (!(s->sub.kinds & FN_TELEMETRY_PLATFORM))
		return;
	if (s->sub.api == FN_API_LOGS)
		tell_logs(s, real_us, what, record);
	else if (what != FN_PLATFORM_LOGS_SUBSCRIPTION)
		tell_event(s, real_us, what, record);
}

static bool is_object(const char *line, size_t len) { return len > 0 && line[0] == '{' && fn_json_valid(line, len, NULL); }

/* A string, or an object as it was printed. */
void fn_subscriber_line(struct fn_subscriber *s, uint64_t real_us, enum fn_telemetry_kind kind, const char *line, size_t len)
{
	struct fn_buf *clean = &s->t->scratch[0];
	fn_auto_free char *quoted = NULL;
	json_t *string;

	if (!(s->sub.kinds & kind))
		return;
	if (s->t->json && s->sub.schema >= FN_SCHEMA_2022_12_13 && is_object(line, len)) {
		tell(s, real_us, fn_telemetry_kind_name(kind), line, len);
		return;
	}
	fn_buf_reset(clean);
	if (fn_buf_add_utf8(clean, line, len) == 0) {
		string = json_stringn(clean->len ? clean->data : "", clean->len);
		quoted = string ? json_dumps(string, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
		json_decref(string);
	}
	if (quoted)
		tell(s, real_us, fn_telemetry_kind_name(kind), quoted, strlen(quoted));
	else
		drop(s, len, 1, SLOW);
}

/* --- its life --- */
static int on_socket(void *arg, struct fn_delivery *d, uint64_t *ret_request)
{
	struct fn_subscriber *s = arg;

	return s->t->ops->socket(s->t->arg, d, ret_request);
}

static void on_cancel(void *arg, uint64_t request)
{
	struct fn_subscriber *s = arg;

	s->t->ops->cancel(s->t->arg, request);
}

static const struct fn_delivery_ops delivery_ops = {on_socket, on_cancel, on_done};

void fn_subscriber_free(struct fn_subscriber *s)
{
	if (!s)
		return;
	fn_delivery_free(s->delivery);
	fn_loop_clear(s->t->host->loop, &s->timer);
	clear(s, &s->gathers);
	clear(s, &s->flight);
	free(s->name);
	free(s);
}

struct fn_subscriber *fn_subscriber_new(struct fn_telemetry *t, const char *name, const struct fn_subscription *sub)
{
	struct fn_subscriber *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->t = t;
	s->sub = *sub;
	s->name = strdup(name);
	if (!s->name || fn_delivery_new(t->host->loop, &delivery_ops, s, &s->delivery) < 0 ||
	    fn_loop_add_timer(t->host->loop, UINT64_MAX, on_timer, s, &s->timer) < 0) {
		fn_subscriber_free(s);
		return NULL;
	}
	return s;
}

int fn_subscriber_move(struct fn_subscriber *s, const struct fn_subscription *sub)
{
	struct fn_delivery *d;
	bool same = s->sub.tcp == sub->tcp;

	if (fn_delivery_new(s->t->host->loop, &delivery_ops, s, &d) < 0)
		return -ENOMEM;
	fn_delivery_free(s->delivery);
	s->delivery = d;
	s->sub = *sub;
	if (!same) {
		drop(s, s->gathers.bytes + s->flight.bytes, s->gathers.items + s->flight.items, SLOW);
		clear(s, &s->gathers);
		clear(s, &s->flight);
	}
	if (s->flight.items > 0)
		fn_delivery_send(d, &s->sub, s->flight.text.data, s->flight.text.len);
	return 0;
}

void fn_subscriber_resume(struct fn_subscriber *s)
{
	fn_delivery_resume(s->delivery);
	if (due(s))
		send_batch(s);
	else if (s->gathers.items > 0)
		(void)fn_loop_rearm_timer(s->t->host->loop, s->timer, s->since_us + s->sub.timeout_us);
}

void fn_subscriber_flush(struct fn_subscriber *s)
{
	s->flush = s->flight.items > 0 || s->gathers.items > 0;
	send_batch(s);
}

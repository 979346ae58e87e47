/* cw_events.c - PutLogEvents, GetLogEvents, FilterLogEvents. In the logs' thread (cloudwatch.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloudwatch.h"
#include "base/str.h"
#include "logs/search.h"
#include "web/json_text.h"

#define HOUR_MS 3600000
#define DAY_MS (24 * HOUR_MS)
#define BATCH_MAX 1048576 /* bytes, with EACH for an event */
#define EACH 26
#define PAGE 10000
#define PAGE_BYTES (1u << 20)
#define BUDGET_US 500000u /* then a page ends as it is, with a token: others wait meanwhile */

/* --- PutLogEvents --- */
struct batch {
	const json_t *events;
	size_t first, end;   /* of those that are taken */
	size_t too_old, expired; /* how many at the beginning; `end` on: too new */
};

static int64_t time_of(const json_t *event) { return json_integer_value(json_object_get(event, "timestamp")); }
static size_t size_of(const json_t *event) { return json_string_length(json_object_get(event, "message")) + EACH; }

/* What makes the batch one that is not taken at all. */
static bool batch_holds(struct fn_cw *w, const json_t *events)
{
	int64_t last = 0;
	size_t total = 0, i;
	json_t *e;

	json_array_foreach((json_t *)events, i, e) {
		if (size_of(e) > BATCH_MAX) {
			fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Log event too large: %zu bytes exceeds limit of %d", size_of(e), BATCH_MAX);
			return false;
		}
		if (i > 0 && time_of(e) < last) {
			fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Log events in a single PutLogEvents request must be in chronological order.");
			return false;
		}
		last = time_of(e);
		total += size_of(e);
	}
	if (total > BATCH_MAX)
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Upload too large: %zu bytes exceeds limit of %d", total, BATCH_MAX);
	else if (last - time_of(json_array_get(events, 0)) > DAY_MS)
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
	return !w->error;
}

static void sort_out(const struct fn_cw *w, const struct fn_log_group *g, struct batch *b)
{
	int64_t kept_from = fn_log_kept_from(g, w->now_ms);
	size_t i;
	json_t *e;

	b->end = json_array_size(b->events);
	json_array_foreach((json_t *)b->events, i, e) {
		if (time_of(e) < w->now_ms - 14 * (int64_t)DAY_MS)
			b->too_old = i + 1;
		else if (time_of(e) < kept_from)
			b->expired = i + 1;
		else if (time_of(e) > w->now_ms + 2 * HOUR_MS && i < b->end)
			b->end = i;
	}
	b->first = b->too_old > b->expired ? b->too_old : b->expired;
}

static struct fn_log_event event_of(const json_t *events, size_t i)
{
	const json_t *e = json_array_get(events, i), *text = json_object_get(e, "message");

	return (struct fn_log_event){.time_ms = time_of(e), .kind = FN_LOG_PUT, .text = json_string_value(text), .len = json_string_length(text)};
}

static int store_batch(struct fn_cw *w, struct fn_log_group *g, const char *stream, const struct batch *b)
{
	int r = 0, ended;

	for (size_t i = b->first; r == 0 && i < b->end; i++) {
		const struct fn_log_event event = event_of(b->events, i);

		r = fn_log_store_add(w->store, g, stream, &event);
	}
	ended = fn_log_store_end(w->store, g, w->now_ms);
	r = r < 0 ? r : ended;
	return r < 0 ? r : fn_log_store_sync(w->store, g);
}

/* For live tails, on the loop. */
static void tell(struct fn_cw *w)
{
	const json_t *events = json_object_get(w->call.in, "logEvents");

	for (size_t i = w->first; i < w->end && fn_logs_tapped(w->call.api->cfg.logs); i++) {
		const struct fn_log_event event = event_of(events, i);

		fn_logs_tell(w->call.api->cfg.logs, fn_cw_string(w, "logGroupName"), fn_cw_string(w, "logStreamName"), &event);
	}
}

static void add_rejected(struct fn_cw *w, const struct batch *b)
{
	const char *between = "";

	if (b->first == 0 && b->end == json_array_size(b->events))
		return;
	(void)fn_buf_add_str(&w->body, ",\"rejectedLogEventsInfo\":{");
	if (b->end < json_array_size(b->events)) {
		(void)fn_buf_addf(&w->body, "\"tooNewLogEventStartIndex\":%zu", b->end);
		between = ",";
	}
	if (b->too_old) {
		(void)fn_buf_addf(&w->body, "%s\"tooOldLogEventEndIndex\":%zu", between, b->too_old);
		between = ",";
	}
	if (b->expired)
		(void)fn_buf_addf(&w->body, "%s\"expiredLogEventEndIndex\":%zu", between, b->expired);
	(void)fn_buf_add_str(&w->body, "}");
}

void fn_cw_put_events(struct fn_cw *w)
{
	const char *stream = fn_cw_string(w, "logStreamName");
	struct batch b = {.events = json_object_get(w->call.in, "logEvents")};
	struct fn_log_group *g = fn_cw_group(w);
	int r;

	if (!g || !batch_holds(w, b.events))
		return;
	if (!fn_log_store_stream(w->store, g, stream)) {
		fn_cw_no_stream(w);
		return;
	}
	sort_out(w, g, &b);
	r = store_batch(w, g, stream, &b);
	if (r < 0) {
		fn_cw_errno(w, r);
		return;
	}
	w->told = tell;
	w->first = b.first;
	w->end = b.end;
	(void)fn_buf_addf(&w->body, "{\"nextSequenceToken\":\"%056" PRId64 "\"", w->now_ms);
	add_rejected(w, &b);
	if (json_object_get(w->call.in, "entity")) /* the way to say that the events are taken, and this is not */
		(void)fn_buf_add_str(&w->body, ",\"rejectedEntityInfo\":{\"errorType\":\"UnsupportedLogGroupType\"}");
	(void)fn_buf_add_str(&w->body, "}");
}

/* --- tokens: a direction, and a key's 56 digits --- */
static void add_token(struct fn_buf *b, char direction, struct fn_log_key k)
{
	int64_t time_ms = k.time_ms < 0 ? 0 : k.time_ms;

	(void)fn_buf_addf(b, "\"%c/%036" PRId64 "%020" PRIu64 "/s\"", direction, time_ms, k.at);
}

static bool read_token(struct fn_cw *w, struct fn_log_key *ret, char *ret_direction)
{
	const char *token = fn_cw_string(w, "nextToken");
	char number[40];
	int64_t at;

	if (!token)
		return false;
	if ((token[0] == 'f' || token[0] == 'b') && token[1] == '/' && strspn(token + 2, "0123456789") == 56 && (fn_streq(token + 58, "") || fn_streq(token + 58, "/s")) &&
	    strspn(token + 2, "0") >= 17) {
		memcpy(number, token + 2, 36);
		number[36] = '\0';
		if (fn_str_to_i64(number + 17, 0, INT64_MAX, &ret->time_ms) == 0) {
			memcpy(number, token + 38, 20);
			number[20] = '\0';
			ret->at = fn_streq(number, "18446744073709551615") ? UINT64_MAX : fn_str_to_i64(number, 0, INT64_MAX, &at) == 0 ? (uint64_t)at : 0;
			*ret_direction = token[0];
			return true;
		}
	}
	fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "The specified nextToken is invalid.");
	return false;
}

static void add_message(struct fn_buf *b, struct fn_log_found *e)
{
	fn_str_lines(e->text, e->len);
	(void)fn_json_add_string(b, e->text, e->len);
}

static void query_of(const struct fn_cw *w, struct fn_log_query *q)
{
	*q = (struct fn_log_query){.from_ms = fn_cw_number(w, "startTime", 0), .until_ms = fn_cw_number(w, "endTime", INT64_MAX),
				   .limit = (size_t)fn_cw_number(w, "limit", PAGE), .bytes_max = PAGE_BYTES, .budget_us = BUDGET_US, .now_ms = w->now_ms};
}

/* --- GetLogEvents --- */
void fn_cw_get_events(struct fn_cw *w)
{
	const char *stream = fn_cw_string(w, "logStreamName");
	struct fn_log_group *g = fn_cw_group(w);
	struct fn_log_key behind, before;
	struct fn_log_page page;
	struct fn_log_query q;
	char direction = json_is_true(json_object_get(w->call.in, "startFromHead")) ? 'f' : 'b';
	int r;

	if (!g)
		return;
	query_of(w, &q);
	q.has_after = read_token(w, &q.after, &direction);
	if (w->error)
		return;
	if (!fn_log_store_stream(w->store, g, stream)) {
		fn_cw_no_stream(w);
		return;
	}
	q.streams = &stream;
	q.n_streams = 1;
	q.backwards = direction == 'b';
	r = fn_log_search(w->store, g, &q, &page);
	if (r < 0) {
		fn_cw_errno(w, r);
		return;
	}
	(void)fn_buf_add_str(&w->body, "{\"events\":[");
	for (size_t i = 0; i < page.n; i++) {
		(void)fn_buf_addf(&w->body, "%s{\"timestamp\":%" PRId64 ",\"message\":", i ? "," : "", page.events[i].key.time_ms);
		add_message(&w->body, &page.events[i]);
		(void)fn_buf_addf(&w->body, ",\"ingestionTime\":%" PRId64 "}", page.events[i].written_ms);
	}
	if (!q.has_after && page.n == 0 && !page.more)
		q.after = (struct fn_log_key){.time_ms = q.from_ms};
	behind = before = q.after;
	if (q.backwards) /* an empty page lies beyond that event: whoever turns round there has it again */
		behind.at -= behind.at > 0;
	else
		before.at += before.at < UINT64_MAX;
	(void)fn_buf_add_str(&w->body, "],\"nextForwardToken\":");
	add_token(&w->body, 'f', page.n ? page.events[page.n - 1].key : page.more && !q.backwards ? page.next : behind);
	(void)fn_buf_add_str(&w->body, ",\"nextBackwardToken\":");
	add_token(&w->body, 'b', page.n ? page.events[0].key : page.more && q.backwards ? page.next : before);
	(void)fn_buf_add_str(&w->body, "}");
	fn_log_page_clear(&page);
}

/* --- FilterLogEvents --- */
/* 56 digits, one for each event of a group, for ever: as AWS's they go up with time. */
static void add_found(struct fn_buf *b, struct fn_log_found *e)
{
	(void)fn_buf_add_str(b, "{\"logStreamName\":");
	(void)fn_json_add_string(b, e->stream, strlen(e->stream));
	(void)fn_buf_addf(b, ",\"timestamp\":%" PRId64 ",\"message\":", e->key.time_ms);
	add_message(b, e);
	(void)fn_buf_addf(b, ",\"ingestionTime\":%" PRId64 ",\"eventId\":\"%036" PRId64 "%020" PRIu64 "\"}", e->written_ms, e->key.time_ms, e->key.at);
}

static void filter(struct fn_cw *w, struct fn_log_group *g, const struct fn_log_query *q)
{
	struct fn_log_page page;
	int r = fn_log_search(w->store, g, q, &page);

	if (r < 0) {
		fn_cw_errno(w, r);
		return;
	}
	(void)fn_buf_add_str(&w->body, "{\"events\":[");
	for (size_t i = 0; i < page.n; i++) {
		(void)fn_buf_add_str(&w->body, i ? "," : "");
		add_found(&w->body, &page.events[q->backwards ? page.n - 1 - i : i]);
	}
	(void)fn_buf_add_str(&w->body, "],\"searchedLogStreams\":[]");
	if (page.more) {
		(void)fn_buf_add_str(&w->body, ",\"nextToken\":");
		add_token(&w->body, q->backwards ? 'b' : 'f', page.next);
	}
	(void)fn_buf_add_str(&w->body, "}");
	fn_log_page_clear(&page);
}

/* The names that are asked for; false: one is not there. */
static bool take_names(struct fn_cw *w, struct fn_log_group *g, const json_t *list, const char **names)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)list, i, v) {
		names[i] = json_string_value(v);
		if (!fn_log_store_stream(w->store, g, names[i])) {
			fn_cw_no_stream(w);
			return false;
		}
	}
	return true;
}

void fn_cw_filter_events(struct fn_cw *w)
{
	const json_t *streams = json_object_get(w->call.in, "logStreamNames");
	const char *pattern = fn_cw_string(w, "filterPattern"), *names[100];
	struct fn_log_filter *f = NULL;
	struct fn_log_group *g = fn_cw_group(w);
	char direction = json_is_false(json_object_get(w->call.in, "startFromHead")) ? 'b' : 'f';
	struct fn_log_query q;
	int r;

	if (!g)
		return;
	query_of(w, &q);
	q.has_after = read_token(w, &q.after, &direction);
	q.backwards = direction == 'b';
	q.until_ms += q.until_ms < INT64_MAX; /* endTime is in it */
	q.prefix = fn_cw_string(w, "logStreamNamePrefix");
	if (w->error)
		return;
	if (streams && q.prefix) {
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
		return;
	}
	if (!take_names(w, g, streams, names))
		return;
	q.streams = names;
	q.n_streams = json_array_size(streams);
	r = pattern ? fn_log_filter_parse(pattern, &f) : 0;
	q.filter = f;
	if (r == -EINVAL)
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Invalid filter pattern");
	else if (r < 0)
		fn_cw_errno(w, r);
	else
		filter(w, g, &q);
	fn_log_filter_free(f);
}

/*
 * live_tail.c - StartLiveTail: the events of up to ten log groups as they come, in an event stream, each second what came in it (CloudWatch Logs API
 * Reference, "StartLiveTail"). The loop copies those of the session's streams; the filter's look at them, milliseconds for a megabyte of JSON, and their
 * writing down is a job of the logs' thread. Nothing is read from the disk.
 *
 * A session keeps UPDATE_MAX events at most: what is beyond is left out, and said to be ("sampled"); so is what comes while its client takes nothing, and
 * beyond what the thread gets through. It ends after SESSION_US, when its client has gone, or with fnd.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "api/cloudwatch.h"
#include "aws/eventstream.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "logs/filter.h"
#include "web/json_text.h"

#define SESSIONS_MAX 15
#define GROUPS_MAX 10
#define UPDATE_MAX 500
#define UPDATE_BYTES (4u << 20)
#define UPDATE_US 1000000u
#define GATHER_MAX (2u << 20)  /* bytes that wait for the thread */
#define LOOK_FROM (256u << 10) /* so many do not wait for the second's end */
#define SESSION_US (3 * 3600 * (uint64_t)1000000u)
#define JSON_1_1 "application/x-amz-json-1.1"

struct session {
	struct fn_list link;
	struct fn_log_tap tap;
	struct fn_call call;      /* its `in` is the session's */
	char groups[GROUPS_MAX][FN_LOG_GROUP_NAME_MAX + 1];
	size_t n_groups;
	struct fn_log_filter *filter;
	struct fn_buf gathered;
	bool dropped, waits;      /* dropped: not all is gathered; waits: the client takes nothing */
	bool looks, due, over;    /* looks: the job is under way; due: an update is sent behind it; over: the session has ended before it */
	uint64_t timer, until_us;
	/* while it looks the thread's */
	struct fn_log_job job;
	struct fn_buf looked_at;
	struct fn_buf results;    /* of the next update: a JSON array's elements */
	unsigned n_results;
	bool sampled;
};

/* Before an event's stream and text, in what is gathered. */
struct waiting {
	int64_t time_ms;
	uint64_t ingested_ms;
	size_t stream_len, len;
	const char *group; /* the session's own */
};

static void write_event(struct session *s, const struct fn_event *e, const char *payload, size_t len)
{
	s->waits = fn_http_reply_write_parts(s->call.req, (struct iovec[]){{(void *)e->head, e->head_len}, {(void *)payload, len}, {(void *)e->tail, sizeof(e->tail)}}, 3);
}

static void say(struct session *s, const char *type, const char *payload, size_t len)
{
	struct fn_event e;

	if (fn_event_make(&e, type, type[0] == 'i' ? JSON_1_1 : "application/json", payload, len) == 0)
		write_event(s, &e, payload, len);
}

static void on_room(void *arg)
{
	struct session *s = arg;

	s->waits = false;
}

static void session_free(struct session *s)
{
	fn_log_filter_free(s->filter);
	fn_buf_free(&s->gathered);
	fn_buf_free(&s->looked_at);
	fn_buf_free(&s->results);
	json_decref(s->call.in);
	free(s);
}

static void forget(struct session *s)
{
	fn_list_remove(&s->link);
	fn_logs_untap(&s->tap);
	fn_loop_clear(s->call.api->cfg.loop, &s->timer);
	s->over = true;
	if (!s->looks)
		session_free(s);
}

static void end(struct session *s)
{
	fn_http_reply_end(s->call.req, NULL, 0);
	forget(s);
}

static bool among(const json_t *names, const char *stream, bool prefixes)
{
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)names, i, v)
		if (prefixes ? fn_str_starts(stream, json_string_value(v)) : strcmp(stream, json_string_value(v)) == 0)
			return true;
	return false;
}

/* The session's name of the group; NULL: the event is not for it. */
static const char *wanted(const struct session *s, const char *group, const char *stream)
{
	const json_t *names = json_object_get(s->call.in, "logStreamNames"), *prefixes = json_object_get(s->call.in, "logStreamNamePrefixes");

	for (size_t i = 0; i < s->n_groups; i++)
		if (strcmp(s->groups[i], group) == 0)
			return (!names || among(names, stream, false)) && (!prefixes || among(prefixes, stream, true)) ? s->groups[i] : NULL;
	return NULL;
}

/* --- in the logs' thread --- */
static void add_result(struct session *s, const struct waiting *w, const char *stream, char *text)
{
	struct fn_buf *b = &s->results;

	if (s->n_results == UPDATE_MAX || b->len + w->len > UPDATE_BYTES) {
		s->sampled = true;
		return;
	}
	(void)fn_buf_add_str(b, s->n_results++ ? ",{\"logStreamName\":" : "{\"logStreamName\":");
	(void)fn_json_add_string(b, stream, w->stream_len);
	(void)fn_buf_addf(b, ",\"logGroupIdentifier\":\"%s:%s\",\"message\":", s->call.api->cfg.account_id, w->group);
	fn_str_lines(text, w->len);
	(void)fn_json_add_string(b, text, w->len);
	(void)fn_buf_addf(b, ",\"timestamp\":%" PRId64 ",\"ingestionTime\":%" PRIu64 "}", w->time_ms, w->ingested_ms);
}

static void look(struct fn_log_job *j, struct fn_log_store *store)
{
	struct session *s = fn_list_entry(j, struct session, job);
	struct waiting w;

	(void)store;
	for (size_t at = 0; at < s->looked_at.len && !(s->n_results == UPDATE_MAX && s->sampled); at += sizeof(w) + w.stream_len + w.len) {
		char *stream = s->looked_at.data + at + sizeof(w), *text;

		memcpy(&w, s->looked_at.data + at, sizeof(w));
		text = stream + w.stream_len;
		if (fn_log_filter_matches(s->filter, text, w.len))
			add_result(s, &w, stream, text);
	}
}

/* --- on the loop --- */
static void looked(struct fn_log_job *j);

static void begin_look(struct session *s)
{
	struct fn_buf empty = s->looked_at;

	if (s->looks || s->gathered.len == 0)
		return;
	s->looked_at = s->gathered;
	s->gathered = empty;
	s->looks = true;
	s->job = (struct fn_log_job){.run = look, .done = looked};
	fn_logs_post(s->call.api->cfg.logs, &s->job);
}

static void on_event(struct fn_log_tap *t, const char *group, const char *stream, const struct fn_log_event *e)
{
	struct session *s = fn_list_entry(t, struct session, tap);
	struct waiting w = {.time_ms = e->time_ms, .ingested_ms = fn_clock_real_us() / 1000, .stream_len = strlen(stream), .len = e->len};
	size_t before = s->gathered.len;

	w.group = wanted(s, group, stream);
	if (!w.group)
		return;
	if (before + sizeof(w) + w.stream_len + e->len > GATHER_MAX) {
		s->dropped = true;
		return;
	}
	if (fn_buf_add(&s->gathered, &w, sizeof(w)) < 0 || fn_buf_add(&s->gathered, stream, w.stream_len) < 0 || fn_buf_add(&s->gathered, e->text, e->len) < 0) {
		s->gathered.len = before;
		s->dropped = true;
	}
	if (s->gathered.len >= LOOK_FROM)
		begin_look(s);
}

static void update(struct session *s)
{
	fn_auto_buf struct fn_buf b = {0};

	if (s->waits)
		return;
	(void)fn_buf_addf(&b, "{\"sessionMetadata\":{\"sampled\":%s},\"sessionResults\":[", s->sampled || s->dropped ? "true" : "false");
	(void)fn_buf_add(&b, s->results.data ? s->results.data : "", s->results.len);
	(void)fn_buf_add_str(&b, "]}");
	fn_buf_reset(&s->results);
	s->n_results = 0;
	s->sampled = s->dropped = false;
	say(s, "sessionUpdate", b.data, b.len);
}

static void looked(struct fn_log_job *j)
{
	struct session *s = fn_list_entry(j, struct session, job);

	s->looks = false;
	if (s->over) {
		session_free(s);
		return;
	}
	fn_buf_free(&s->looked_at);
	if (s->due)
		update(s);
	s->due = false;
	if (s->gathered.len >= LOOK_FROM)
		begin_look(s);
}

static void on_second(void *arg)
{
	static const char over[] = "{\"message\":\"The session has been open for three hours.\"}";
	struct session *s = arg;
	uint64_t now = fn_loop_now_us(s->call.api->cfg.loop);
	struct fn_event e;

	if (fn_http_req_gone(s->call.req) || s->call.api->draining) {
		end(s);
	} else if (now >= s->until_us) {
		if (fn_event_make_exception(&e, "SessionTimeoutException", "application/json", over, strlen(over)) == 0)
			write_event(s, &e, over, strlen(over));
		end(s);
	} else {
		begin_look(s);
		s->due = s->looks;
		if (!s->due)
			update(s);
		(void)fn_loop_rearm_timer(s->call.api->cfg.loop, s->timer, now + UPDATE_US);
	}
}

/* Whoever takes nothing would keep the process. */
void fn_live_tails_end(struct fn_api *api)
{
	fn_list_for_each_safe(l, &api->live_tails)
	{
		struct session *s = fn_list_entry(l, struct session, link);

		if (!s->waits) {
			end(s);
			continue;
		}
		fn_http_reply_fail(s->call.req);
		forget(s);
	}
}

static void start(struct session *s)
{
	static const char *const echoed[] = {"logGroupIdentifiers", "logStreamNames", "logStreamNamePrefixes", "logEventFilterPattern"};
	char id[FN_UUID_SIZE], *text;
	json_t *o;

	fn_id_uuid(id);
	o = json_pack("{ssss}", "requestId", s->call.request_id, "sessionId", id);
	for (size_t i = 0; i < sizeof(echoed) / sizeof(echoed[0]); i++)
		if (json_object_get(s->call.in, echoed[i]))
			json_object_set(o, echoed[i], json_object_get(s->call.in, echoed[i]));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	(void)fn_http_req_add_header(s->call.req, "x-amzn-RequestId", s->call.request_id);
	fn_http_reply_begin(s->call.req, 200, FN_EVENT_STREAM_TYPE);
	fn_http_reply_on_drained(s->call.req, on_room, s);
	say(s, "initial-response", "{}", 2);
	if (text)
		say(s, "sessionStart", text, strlen(text));
	free(text);
	s->tap.event = on_event;
	fn_logs_tap(s->call.api->cfg.logs, &s->tap);
	fn_list_push_back(&s->call.api->live_tails, &s->link);
}

static unsigned count(struct fn_api *api)
{
	unsigned n = 0;

	fn_list_for_each(l, &api->live_tails) n++;
	return n;
}

/* On the loop: its groups are there. Takes the request from w. */
static void begin(struct fn_cw *w)
{
	struct fn_api *api = w->call.api;
	const json_t *identifiers = json_object_get(w->call.in, "logGroupIdentifiers"), *v;
	const char *pattern = fn_cw_string(w, "logEventFilterPattern");
	struct session *s;
	size_t i;
	int r;

	if (count(api) >= SESSIONS_MAX) {
		fn_reply_error(&w->call, &FN_E_LOGS_LIMIT, "There are %d live tail sessions, as many as there can be.", SESSIONS_MAX);
		return;
	}
	s = calloc(1, sizeof(*s));
	r = !s ? -ENOMEM : pattern ? fn_log_filter_parse(pattern, &s->filter) : 0;
	if (r < 0) {
		fn_reply_error(&w->call, r == -EINVAL ? &FN_E_LOGS_PARAMETER : &FN_E_SERVICE, r == -EINVAL ? "Invalid filter pattern" : "out of memory");
		free(s);
		return;
	}
	s->call = w->call;
	json_array_foreach((json_t *)identifiers, i, v)
		(void)fn_cw_group_name(&api->cfg, json_string_value(v), s->groups[s->n_groups++], sizeof(s->groups[0]));
	s->until_us = fn_loop_now_us(api->cfg.loop) + SESSION_US;
	if (fn_loop_add_timer(api->cfg.loop, fn_loop_now_us(api->cfg.loop) + UPDATE_US, on_second, s, &s->timer) < 0) {
		fn_reply_error(&w->call, &FN_E_SERVICE, "out of memory");
		fn_log_filter_free(s->filter);
		free(s);
		return;
	}
	w->call.in = NULL;
	start(s);
}

/* In the logs' thread. */
void fn_cw_live_tail(struct fn_cw *w)
{
	const json_t *identifiers = json_object_get(w->call.in, "logGroupIdentifiers"), *v;
	size_t i;

	w->answer = begin;
	if (json_object_get(w->call.in, "logStreamNames") && json_object_get(w->call.in, "logStreamNamePrefixes"))
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.");
	else if (json_array_size(identifiers) > 1 && (json_object_get(w->call.in, "logStreamNames") || json_object_get(w->call.in, "logStreamNamePrefixes")))
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Log streams can be named for one log group only.");
	json_array_foreach((json_t *)identifiers, i, v)
		if (!w->error)
			(void)fn_cw_named_group(w, json_string_value(v));
}

/* cw_streams.c - CloudWatch Logs' operations on log streams. In the logs' thread (cloudwatch.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloudwatch.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "web/json_text.h"

#define PAGE 50 /* and the most that may be asked for */

void fn_cw_create_stream(struct fn_cw *w)
{
	struct fn_log_group *g = fn_cw_group(w);
	int r = g ? fn_log_store_create_stream(w->store, g, fn_cw_string(w, "logStreamName"), w->now_ms) : 0;

	if (r == -EEXIST)
		fn_cw_fail(w, &FN_E_LOGS_EXISTS, "The specified log stream already exists");
	else
		fn_cw_errno(w, r);
}

void fn_cw_delete_stream(struct fn_cw *w)
{
	struct fn_log_group *g = fn_cw_unprotected_group(w);
	int r = g ? fn_log_store_delete_stream(w->store, g, fn_cw_string(w, "logStreamName")) : 0;

	if (r == -ENOENT)
		fn_cw_no_stream(w);
	else
		fn_cw_errno(w, r);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct fn_log_stream_info *const *)a)->name, (*(const struct fn_log_stream_info *const *)b)->name);
}

/* Those without events are before all others. */
static int64_t last_of(const struct fn_log_stream_info *s) { return s->first_ms > s->last_ms ? 0 : s->last_ms; }

static int by_last(const void *a, const void *b)
{
	int64_t x = last_of(*(const struct fn_log_stream_info *const *)a), y = last_of(*(const struct fn_log_stream_info *const *)b);

	return x != y ? (x < y ? -1 : 1) : by_name(a, b);
}

static void add_stream(struct fn_cw *w, const char *group, const struct fn_log_stream_info *s)
{
	const struct fn_api_config *cfg = &w->call.api->cfg;
	fn_auto_buf struct fn_buf arn = {0};
	struct fn_buf *b = &w->body;

	(void)fn_buf_add_str(b, "{\"logStreamName\":");
	(void)fn_json_add_string(b, s->name, strlen(s->name));
	(void)fn_buf_addf(b, ",\"creationTime\":%" PRId64 ",", s->created_ms);
	if (s->first_ms <= s->last_ms)
		(void)fn_buf_addf(b, "\"firstEventTimestamp\":%" PRId64 ",\"lastEventTimestamp\":%" PRId64 ",\"lastIngestionTime\":%" PRId64
				     ",\"uploadSequenceToken\":\"%056" PRId64 "\",", s->first_ms, s->last_ms, s->last_written_ms, s->last_written_ms);
	(void)fn_buf_addf(&arn, "arn:aws:logs:%s:%s:log-group:%s:log-stream:%s", cfg->region, cfg->account_id, group, s->name);
	(void)fn_buf_add_str(b, "\"arn\":");
	(void)fn_json_add_string(b, arn.data ? arn.data : "", arn.len);
	(void)fn_buf_add_str(b, ",\"storedBytes\":0}");
}

/* A token is the last event's time of the stream that was the last, and its name. */
static bool read_token(struct fn_cw *w, struct fn_log_stream_info *at)
{
	const char *token = fn_cw_string(w, "nextToken"), *slash = token ? strchr(token, '/') : NULL;
	char number[24];

	if (!token)
		return false;
	if (!slash || fn_str_format(number, sizeof(number), "%.*s", (int)(slash - token), token) < 0 || fn_str_to_i64(number, 0, INT64_MAX, &at->last_ms) < 0) {
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "The specified nextToken is invalid.");
		return false;
	}
	at->name = (char *)slash + 1;
	return true;
}

struct listing {
	int (*order)(const void *, const void *);
	bool descending;
	const char *prefix;
	const struct fn_log_stream_info *after; /* NULL = from the beginning */
};

static int compare(const struct listing *l, const struct fn_log_stream_info *a, const struct fn_log_stream_info *b)
{
	int c = l->order(&a, &b);

	return l->descending ? -c : c;
}

/* The first `most` of them: all are looked at, and no more are put in order than are listed. */
static size_t choose(const struct listing *l, const struct fn_log_stream_info *const *all, size_t n, const struct fn_log_stream_info **first, size_t most)
{
	size_t chosen = 0, at;

	for (size_t i = 0; i < n; i++) {
		const struct fn_log_stream_info *s = all[i];

		if ((l->prefix && !fn_str_starts(s->name, l->prefix)) || (l->after && compare(l, s, l->after) <= 0))
			continue;
		if (chosen == most && compare(l, s, first[most - 1]) >= 0)
			continue;
		for (at = chosen < most ? chosen++ : most - 1; at > 0 && compare(l, s, first[at - 1]) < 0; at--)
			first[at] = first[at - 1];
		first[at] = s;
	}
	return chosen;
}

static void add_token(struct fn_cw *w, const struct fn_log_stream_info *last)
{
	fn_auto_buf struct fn_buf token = {0};

	(void)fn_buf_addf(&token, "%" PRId64 "/%s", last_of(last), last->name);
	(void)fn_buf_add_str(&w->body, ",\"nextToken\":");
	(void)fn_json_add_string(&w->body, token.data ? token.data : "", token.len);
}

static void list(struct fn_cw *w, struct fn_log_group *g, int (*order)(const void *, const void *), bool descending)
{
	struct fn_log_stream_info at = {0};
	struct listing l = {.order = order, .descending = descending, .prefix = fn_cw_string(w, "logStreamNamePrefix"), .after = read_token(w, &at) ? &at : NULL};
	const struct fn_log_stream_info *first[PAGE + 1];
	size_t n, listed, asked = (size_t)fn_cw_number(w, "limit", PAGE), limit = asked < PAGE ? asked : PAGE;
	fn_auto_free const struct fn_log_stream_info **all = NULL;

	if (w->error)
		return;
	all = fn_log_store_streams(w->store, g, &n);
	if (!all) {
		fn_cw_errno(w, -ENOMEM);
		return;
	}
	listed = choose(&l, all, n, first, limit + 1);
	(void)fn_buf_add_str(&w->body, "{\"logStreams\":[");
	for (size_t i = 0; i < listed && i < limit; i++) {
		(void)fn_buf_add_str(&w->body, i ? "," : "");
		add_stream(w, g->name, first[i]);
	}
	(void)fn_buf_add_str(&w->body, "]");
	if (listed > limit)
		add_token(w, first[limit - 1]);
	(void)fn_buf_add_str(&w->body, "}");
}

void fn_cw_describe_streams(struct fn_cw *w)
{
	bool by_time = fn_streq(fn_cw_string(w, "orderBy"), "LastEventTime");
	struct fn_log_group *g = fn_cw_group(w);

	if (!g)
		return;
	if (by_time && fn_cw_string(w, "logStreamNamePrefix"))
		fn_cw_fail(w, &FN_E_LOGS_PARAMETER, "Cannot order by LastEventTime with a logStreamNamePrefix.");
	else
		list(w, g, by_time ? by_last : by_name, json_is_true(json_object_get(w->call.in, "descending")));
}

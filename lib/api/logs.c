/* logs.c - GET /_fnd/logs/<function>?cursor=&max=&wait= : the log of a function, in its group, from a position on, for fnctl, as lines that begin with their time.
 * With wait, an answer without lines is held back until there are some or the time is over. The store is read in the logs' thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "logs/search.h"
#include "web/json_text.h"

#define MAX_DEFAULT (1u << 20)
#define LOOK_EVERY_US 100000u
#define WAIT_MAX_S 60

struct reading {
	struct fn_log_job job;
	struct fn_list link;  /* of those that wait */
	struct fn_call call;
	char group[FN_LOG_GROUP_NAME_MAX + 1], function[FN_NAME_MAX + 6];
	uint64_t cursor, until_us;
	size_t max;
	bool news;            /* something has come since it was read */
	bool reading;         /* the thread has it */
	/* what the thread has found */
	struct fn_buf text;
	uint64_t next;
	int result;
};

/* --- in the thread --- */
/* An event is a line: what ends lines in it becomes a carriage return, which fnctl shows as a line's end. */
static bool add_line(void *arg, const struct fn_log_read *e)
{
	struct reading *w = arg;
	char stamp[32];
	size_t len = e->len, at;

	while (len > 0 && e->text[len - 1] == '\n')
		len--;
	if (w->text.len > 0 && w->text.len + 26 + len > w->max)
		return false;
	fn_clock_format_rfc3339((uint64_t)e->time_ms * 1000u, stamp, sizeof(stamp));
	at = w->text.len + strlen(stamp) + 1;
	if (fn_buf_addf(&w->text, "%s ", stamp) < 0 || fn_buf_add(&w->text, e->text, len) < 0 || fn_buf_add(&w->text, "\n", 1) < 0)
		return false;
	for (char *nl = w->text.data + at; (nl = memchr(nl, '\n', (size_t)(w->text.data + w->text.len - 1 - nl))); nl++)
		*nl = '\r';
	return true;
}

static void read_group(struct fn_log_job *j, struct fn_log_store *s)
{
	struct reading *w = fn_list_entry(j, struct reading, job);
	struct fn_log_group *g;

	fn_log_store_take_over(s, w->group);
	g = fn_log_store_group(s, w->group);
	w->next = 0;
	w->result = 0;
	if (!g)
		return;
	if (w->cursor == UINT64_MAX)
		w->result = fn_log_store_end_position(s, g, &w->next);
	else
		w->result = fn_log_follow(s, g, w->function, w->cursor, add_line, w, &w->next);
}

/* --- on the loop --- */
static void answer(struct reading *w)
{
	fn_auto_buf struct fn_buf body = {0};
	char *text;
	size_t len = 0;

	if (w->result < 0) {
		fn_reply_error(&w->call, &FN_E_SERVICE, "read logs: %s", strerror(-w->result));
	} else {
		(void)fn_buf_addf(&body, "{\"Cursor\":%" PRIu64 ",\"Text\":", w->next);
		(void)fn_json_add_string(&body, w->text.data ? w->text.data : "", w->text.len);
		(void)fn_buf_add_str(&body, "}");
		text = fn_buf_take(&body, &len);
		fn_reply_text(&w->call, 200, "application/json", text, len);
	}
	if (fn_list_linked(&w->link)) {
		fn_list_remove(&w->link);
		if (fn_list_empty(&w->call.api->log_waits))
			fn_logs_untap(&w->call.api->log_tap);
	}
	fn_buf_free(&w->text);
	free(w);
}

static void on_read(struct fn_log_job *j)
{
	struct reading *w = fn_list_entry(j, struct reading, job);
	struct fn_api *api = w->call.api;

	w->reading = false;
	w->cursor = w->next;
	if (w->text.len > 0 || w->result < 0 || w->until_us <= fn_loop_now_us(api->cfg.loop) || api->draining)
		answer(w);
}

static void begin_reading(struct reading *w)
{
	w->news = false;
	w->reading = true;
	fn_logs_post(w->call.api->cfg.logs, &w->job);
}

/* It is told of what comes from before it is read for the first time. */
static void begin_waiting(struct reading *w)
{
	struct fn_api *api = w->call.api;

	if (fn_list_empty(&api->log_waits)) {
		fn_logs_tap(api->cfg.logs, &api->log_tap);
		(void)fn_loop_rearm_timer(api->cfg.loop, api->logs_timer, fn_loop_now_us(api->cfg.loop) + LOOK_EVERY_US);
	}
	fn_list_push_back(&api->log_waits, &w->link);
}

static void on_timer(void *arg)
{
	struct fn_api *api = arg;
	uint64_t now = fn_loop_now_us(api->cfg.loop);

	fn_list_for_each_safe(l, &api->log_waits)
	{
		struct reading *w = fn_list_entry(l, struct reading, link);

		if (!w->reading && (w->news || w->until_us <= now || api->draining))
			begin_reading(w);
	}
	if (!fn_list_empty(&api->log_waits))
		(void)fn_loop_rearm_timer(api->cfg.loop, api->logs_timer, now + LOOK_EVERY_US);
}

static void on_event(struct fn_log_tap *t, const char *group, const char *stream, const struct fn_log_event *e)
{
	struct fn_api *api = fn_list_entry(t, struct fn_api, log_tap);

	(void)stream;
	(void)e;
	fn_list_for_each(l, &api->log_waits)
	{
		struct reading *w = fn_list_entry(l, struct reading, link);

		w->news = w->news || strcmp(w->group, group) == 0;
	}
}

int fn_log_waits_open(struct fn_api *api)
{
	fn_list_init(&api->log_waits);
	api->log_tap.event = on_event;
	return fn_loop_add_timer(api->cfg.loop, UINT64_MAX, on_timer, api, &api->logs_timer);
}

void fn_log_waits_end(struct fn_api *api)
{
	api->draining = true;
	on_timer(api);
}

void fn_h_logs(struct fn_call *call)
{
	const char *cursor = fn_http_req_query(call->req, "cursor"), *max = fn_http_req_query(call->req, "max"),
		   *wait = fn_http_req_query(call->req, "wait");
	int64_t at = 0, n = MAX_DEFAULT, s = 0;
	const struct fn_function *f;
	struct reading *w;
	struct fn_name name;

	f = fn_call_latest(call, &name); /* one log for all versions */
	if (!f)
		return;
	if ((cursor && !fn_streq(cursor, "oldest") && !fn_streq(cursor, "end") && fn_str_to_i64(cursor, 0, INT64_MAX, &at) < 0) ||
	    (max && fn_str_to_i64(max, 1, 8 << 20, &n) < 0) || (wait && fn_str_to_i64(wait, 0, WAIT_MAX_S, &s) < 0)) {
		fn_reply_error(call, &FN_E_VALIDATION, "cursor is a number, \"oldest\" or \"end\"; max 1..8388608 bytes; wait 0..%d seconds", WAIT_MAX_S);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	w->job = (struct fn_log_job){.run = read_group, .done = on_read};
	w->call = fn_call_keep(call, false);
	snprintf(w->group, sizeof(w->group), "%s", f->log_group);
	snprintf(w->function, sizeof(w->function), "%s", f->name);
	w->cursor = fn_streq(cursor, "end") ? UINT64_MAX : (uint64_t)at;
	w->max = (size_t)n;
	w->until_us = fn_loop_now_us(call->api->cfg.loop) + (uint64_t)s * 1000000u;
	if (s > 0)
		begin_waiting(w);
	begin_reading(w);
}

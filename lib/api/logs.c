/* logs.c - GET /_fnd/logs/<function>?cursor=&max=&wait= : a function's log from a position on, for fnctl. With wait, an answer without lines is
 * held back until there are some or the time is over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/cleanup.h"
#include "base/str.h"

#define MAX_DEFAULT (1u << 20)
#define LOOK_EVERY_US 100000u
#define WAIT_MAX_S 60

struct waiting {
	struct fn_list link;
	struct fn_call call;
	char function[FN_NAME_MAX + 6];
	uint64_t cursor, until_us;
	size_t max;
};

/* Functions may print any bytes; JSON is UTF-8. */
static json_t *text_json(const char *data, size_t len)
{
	struct fn_buf b = {0};
	json_t *s;

	(void)fn_buf_add_utf8(&b, data, len);
	s = json_stringn(b.data ? b.data : "", b.len);
	fn_buf_free(&b);
	return s;
}

/* Replies; false = nothing to say yet. */
static bool answer(struct fn_call *call, const char *function, uint64_t cursor, size_t max, bool may_wait, uint64_t *ret_cursor)
{
	fn_auto_buf struct fn_buf out = {0};
	uint64_t next = 0;
	int r = fn_logs_read(call->api->cfg.logs, function, cursor, max, &out, &next);

	if (r < 0 && r != -ENOENT) {
		fn_reply_error(call, &FN_E_SERVICE, "read logs: %s", strerror(-r));
		return true;
	}
	if (r == -ENOENT)
		next = 0;
	*ret_cursor = next;
	if (out.len == 0 && may_wait)
		return false;
	fn_reply_json(call, 200, json_pack("{sI,so}", "Cursor", (json_int_t)next, "Text", text_json(out.data, out.len)));
	return true;
}

static void on_timer(void *arg)
{
	struct fn_api *api = arg;
	uint64_t now = fn_loop_now_us(api->cfg.loop), cursor;

	fn_list_for_each_safe(l, &api->log_waits)
	{
		struct waiting *w = fn_list_entry(l, struct waiting, link);

		if (answer(&w->call, w->function, w->cursor, w->max, now < w->until_us, &cursor)) {
			fn_list_remove(l);
			free(w);
		}
	}
	if (!fn_list_empty(&api->log_waits))
		(void)fn_loop_rearm_timer(api->cfg.loop, api->logs_timer, now + LOOK_EVERY_US);
}

int fn_log_waits_open(struct fn_api *api)
{
	fn_list_init(&api->log_waits);
	return fn_loop_add_timer(api->cfg.loop, UINT64_MAX, on_timer, api, &api->logs_timer);
}

void fn_log_waits_end(struct fn_api *api)
{
	api->draining = true;
	fn_list_for_each(l, &api->log_waits) fn_list_entry(l, struct waiting, link)->until_us = 0;
	on_timer(api);
}

void fn_h_logs(struct fn_call *call)
{
	const char *cursor = fn_http_req_query(call->req, "cursor"), *max = fn_http_req_query(call->req, "max"),
		   *wait = fn_http_req_query(call->req, "wait");
	int64_t at = 0, n = MAX_DEFAULT, s = 0;
	struct waiting *w;
	struct fn_name name;
	uint64_t from, next;

	if (!fn_call_latest(call, &name)) /* one log for all versions */
		return;
	if ((cursor && !fn_streq(cursor, "oldest") && !fn_streq(cursor, "end") && fn_str_to_i64(cursor, 0, INT64_MAX, &at) < 0) ||
	    (max && fn_str_to_i64(max, 1, 8 << 20, &n) < 0) || (wait && fn_str_to_i64(wait, 0, WAIT_MAX_S, &s) < 0)) {
		fn_reply_error(call, &FN_E_VALIDATION, "cursor is a number, \"oldest\" or \"end\"; max 1..8388608 bytes; wait 0..%d seconds", WAIT_MAX_S);
		return;
	}
	from = fn_streq(cursor, "end") ? UINT64_MAX : (uint64_t)at;
	if (answer(call, name.name, from, (size_t)n, s > 0 && !call->api->draining, &next))
		return;
	w = calloc(1, sizeof(*w));
	if (!w) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	w->call = *call;
	snprintf(w->function, sizeof(w->function), "%s", name.name);
	w->cursor = next;
	w->max = (size_t)n;
	w->until_us = fn_loop_now_us(call->api->cfg.loop) + (uint64_t)s * 1000000u;
	if (fn_list_empty(&call->api->log_waits))
		(void)fn_loop_rearm_timer(call->api->cfg.loop, call->api->logs_timer, fn_loop_now_us(call->api->cfg.loop) + LOOK_EVERY_US);
	fn_list_push_back(&call->api->log_waits, &w->link);
}

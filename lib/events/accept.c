/* accept.c - see accept.h. fnd has judged the request: who it is from, that the function exists, that the payload is JSON and not too large. */
#include "events/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "events/lane.h"
#include "model/inner.h"

#define META_MAX 1024u

struct accepting {
	struct fn_queue_change change;
	struct fn_queue_step step;
	struct fn_service_call call;
	struct fn_lane *lane;
	char meta[META_MAX];
};

static void on_written(struct fn_queue_change *c, const struct fn_err *err)
{
	struct accepting *a = fn_list_entry(c, struct accepting, change);

	if (err) {
		fn_service_reply_failed(&a->call, err);
	} else {
		a->lane->n.received++;
		fn_service_reply_empty(&a->call, 202);
	}
	free(a);
}

/* What comes behind ":function:", without a qualifier that says nothing. */
static struct fn_lane *lane_of(struct fn_events *e, const char *arn)
{
	const char *name = arn ? strstr(arn, ":function:") : NULL;
	char text[FN_LANE_NAME_MAX];

	if (!name || fn_str_format(text, sizeof(text), "%s", name + strlen(":function:")) < 0)
		return NULL;
	if (fn_str_ends(text, ":$LATEST"))
		text[strlen(text) - strlen(":$LATEST")] = '\0';
	return fn_lane_get(e, text);
}

/* One trace for all attempts. */
static int make_meta(struct accepting *a)
{
	const char *trace = fn_http_req_header(a->call.req, "X-Amzn-Trace-Id"), *tenant = fn_http_req_header(a->call.req, "X-Amz-Tenant-Id");
	char root[25], parent[17], made[96];

	if (!trace) {
		fn_id_hex(root, 24);
		fn_id_hex(parent, 16);
		snprintf(made, sizeof(made), "Root=1-%08llx-%s;Parent=%s;Sampled=0", (unsigned long long)(fn_clock_real_us() / 1000000u), root, parent);
		trace = made;
	}
	return fn_str_format(a->meta, sizeof(a->meta), "%s%s%s", trace, tenant ? "\n" : "", tenant ? tenant : "");
}

static void uid_of(const char *uuid, uint8_t uid[16])
{
	char hex[33];
	size_t n = 0;

	for (; *uuid && n < 32; uuid++)
		if (*uuid != '-')
			hex[n++] = *uuid;
	(void)fn_hex_decode(hex, 32, uid);
}

void fn_event_accept(struct fn_events *e, struct fn_service_call *call)
{
	struct fn_lane *lane = lane_of(e, fn_http_req_header(call->req, FN_INNER_FUNCTION));
	struct accepting *a = lane ? calloc(1, sizeof(*a)) : NULL;
	const char *body;
	size_t len;

	if (!a) {
		fn_service_reply_error(call, &FN_E_UNAVAILABLE, "out of memory");
		return;
	}
	a->call = *call;
	a->lane = lane;
	if (make_meta(a) < 0) {
		fn_service_reply_error(call, &FN_E_INVALID_CONTENT, "X-Amzn-Trace-Id is too long");
		free(a);
		return;
	}
	fn_http_req_body(call->req, &body, &len);
	a->step = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = lane->queue, .sent_us = fn_clock_real_us(), .meta = a->meta, .meta_len = strlen(a->meta), .body = body, .body_len = len};
	uid_of(call->request_id, a->step.uid);
	a->change = (struct fn_queue_change){.steps = &a->step, .n = 1, .done = on_written};
	fn_queue_change(e->env->queues, &a->change);
}

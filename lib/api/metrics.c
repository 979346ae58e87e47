/* metrics.c - GET /_fnd/metrics: what this process counts, and behind it what fn-events does, where it answers. Prometheus text exposition format 0.0.4. */
#include <stdlib.h>

#include "api/internal.h"
#include "model/inner.h"

#define PATIENCE_US 2000000u
#define THEIRS_MAX (8u << 20)

struct metrics {
	struct fn_http_req *req;
	struct fn_buf out;
};

static void reply(struct metrics *m)
{
	size_t len;
	char *text = fn_buf_take(&m->out, &len);

	fn_http_reply_owned(m->req, 200, "text/plain; version=0.0.4", text ? text : "", text ? len : 0, free, text);
	free(m);
}

static void on_theirs(void *arg, struct fn_inner_answer *a)
{
	struct metrics *m = arg;

	if (!a->error && a->h->status == 200)
		(void)fn_buf_add(&m->out, a->body, a->len);
	reply(m);
}

void fn_h_metrics(struct fn_call *call)
{
	static const struct fn_h1_header headers[] = {{FN_INNER_SERVICE, "lambda"}, {FN_INNER_OPERATION, FN_INNER_METRICS}};
	struct metrics *m = calloc(1, sizeof(*m));
	const struct fn_inner_request q = {.http = {.method = "GET", .target = "/", .headers = headers, .n_headers = 2}, .body_max = THEIRS_MAX, .timeout_us = PATIENCE_US, .done = on_theirs,
					   .arg = m};
	struct fn_inner_call *inner;

	if (!m || fn_invoker_metrics(call->api->cfg.invoker, &m->out) < 0) {
		if (m)
			fn_buf_free(&m->out);
		free(m);
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	m->req = call->req;
	if (!call->api->cfg.events || fn_inner_send(call->api->cfg.events, &q, &inner) < 0)
		reply(m);
}

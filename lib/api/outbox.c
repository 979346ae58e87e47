/* outbox.c - what fn-events must follow is told to it, one after the other, until each is acknowledged: store/outbox.h. */
#include "store/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "model/inner.h"

#define AGAIN_US 1000000u
#define TIMEOUT_US 10000000u

struct fn_outbox {
	struct fn_api *api;
	bool busy, more; /* more: something has come while it was busy */
	int64_t id;
	char *body;
	struct fn_inner_call *call;
	uint64_t timer;
};

static void look(void *arg);

static void later(struct fn_outbox *o)
{
	struct fn_loop *loop = o->api->cfg.loop;

	o->busy = false;
	fn_loop_clear(loop, &o->timer);
	(void)fn_loop_add_timer(loop, fn_loop_now_us(loop) + AGAIN_US, look, o, &o->timer);
}

static void on_taken(void *arg, const struct fn_err *err)
{
	struct fn_outbox *o = arg;

	if (err) {
		later(o);
		return;
	}
	o->busy = false;
	look(o);
}

static void on_answer(void *arg, struct fn_inner_answer *a)
{
	struct fn_outbox *o = arg;

	o->call = NULL;
	free(o->body);
	o->body = NULL;
	if (a->error || a->h->status != 200 || fn_store_outbox_take(o->api->cfg.store, o->id, on_taken, o) < 0)
		later(o);
}

static void on_first(void *arg, const struct fn_outbox_item *item, const struct fn_err *err)
{
	static const struct fn_h1_header headers[] = {{"Content-Type", "application/json"}, {FN_INNER_SERVICE, "lambda"}, {FN_INNER_OPERATION, FN_INNER_FORGET}};
	struct fn_outbox *o = arg;
	struct fn_inner_request q = {.http = {.method = "POST", .target = "/", .headers = headers, .n_headers = 3}, .body_max = 65536, .timeout_us = TIMEOUT_US, .done = on_answer, .arg = o};
	json_t *body;

	if (err) {
		later(o);
		return;
	}
	if (!item) {
		o->busy = false;
		if (o->more)
			look(o);
		return;
	}
	o->id = item->id;
	body = json_pack("{ss,ss,sI}", "FunctionName", item->function, "Qualifier", item->qualifier, "At", (json_int_t)item->at_us);
	o->body = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	q.http.body = o->body;
	q.http.len = o->body ? strlen(o->body) : 0;
	if (!o->body || fn_inner_send(o->api->cfg.events, &q, &o->call) < 0) {
		free(o->body);
		o->body = NULL;
		later(o);
	}
}

static void look(void *arg)
{
	struct fn_outbox *o = arg;

	fn_loop_clear(o->api->cfg.loop, &o->timer);
	o->more = o->busy;
	if (o->busy)
		return;
	o->busy = true;
	if (fn_store_outbox_first(o->api->cfg.store, on_first, o) < 0)
		later(o);
}

int fn_outbox_open(struct fn_api *api)
{
	struct fn_outbox *o = api->cfg.events ? calloc(1, sizeof(*o)) : NULL;

	if (!o)
		return api->cfg.events ? -ENOMEM : 0;
	o->api = api;
	api->outbox = o;
	fn_store_outbox_on(api->cfg.store, look, o);
	look(o);
	return 0;
}

void fn_outbox_close(struct fn_api *api)
{
	struct fn_outbox *o = api->outbox;

	if (!o)
		return;
	fn_store_outbox_on(api->cfg.store, NULL, NULL);
	fn_inner_cancel(o->call);
	fn_loop_clear(api->cfg.loop, &o->timer);
	free(o->body);
	free(o);
	api->outbox = NULL;
}

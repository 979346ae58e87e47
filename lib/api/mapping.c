/* mapping.c - see mapping.h. */
#include "api/mapping.h"

#include <stdlib.h>

#include "api/caller.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/inner.h"

#define ANSWER_MAX 4096
#define PATIENCE_US 10000000u

struct asked {
	struct fn_list link;
	struct fn_call call; /* for a refusal */
	struct fn_inner_call *inner;
	void (*again)(void *arg, struct fn_http_req *req);
	bool known;
	char function[300]; /* as fn-events has it, with its qualifier; "" = there is no such mapping */
};

static struct asked *of(struct fn_api *api, const struct fn_http_req *req)
{
	fn_list_for_each(l, &api->mappings_asked) {
		struct asked *a = fn_list_entry(l, struct asked, link);

		if (a->call.req == req)
			return a;
	}
	return NULL;
}

static bool is_by_uuid(const struct fn_call *call)
{
	enum fn_aws_op op = fn_aws_op_of(call->operation);

	return op == FN_AWS_GetEventSourceMapping || op == FN_AWS_UpdateEventSourceMapping || op == FN_AWS_DeleteEventSourceMapping;
}

static void forget(struct asked *a)
{
	fn_list_remove(&a->link);
	free(a);
}

static void refuse(struct fn_call *call) { fn_reply_error(call, &FN_E_UNAVAILABLE, "fn-events, which serves this, does not answer. Try again."); }

static void on_answer(void *arg, struct fn_inner_answer *got)
{
	struct asked *a = arg;
	json_auto_t *o = !got->error && got->h->status == 200 ? json_loadb(got->body, got->len, 0, NULL) : NULL;
	const char *function = json_string_value(json_object_get(o, "Function"));

	a->known = true;
	fn_http_req_on_gone(a->call.req, NULL, NULL);
	if (function && fn_str_format(a->function, sizeof(a->function), "%s", function) == 0)
		a->again(a->call.api, a->call.req);
	else
		refuse(&a->call);
	forget(a);
}

static void on_gone(void *arg)
{
	struct asked *a = arg;

	fn_inner_cancel(a->inner);
	refuse(&a->call); /* to nobody */
	forget(a);
}

static int ask(struct asked *a)
{
	static const struct fn_h1_header headers[] = {{FN_INNER_SERVICE, "lambda"}, {FN_INNER_OPERATION, FN_INNER_MAPPED}};
	const struct fn_inner_request q = {.http = {.method = "GET", .target = fn_http_req_path(a->call.req), .headers = headers, .n_headers = 2}, .body_max = ANSWER_MAX, .timeout_us = PATIENCE_US,
					   .done = on_answer, .arg = a};

	return fn_inner_send(a->call.api->cfg.events, &q, &a->inner);
}

bool fn_mapping_waits(struct fn_call *call, void (*again)(void *arg, struct fn_http_req *req))
{
	struct asked *a;

	if (!is_by_uuid(call) || !call->caller || call->caller->unjudged)
		return false;
	a = of(call->api, call->req);
	if (a && a->known) {
		call->mapping_function = a->function;
		return false;
	}
	a = call->api->cfg.events ? calloc(1, sizeof(*a)) : NULL;
	if (!a) {
		refuse(call);
		return true;
	}
	a->call = fn_call_keep(call, false);
	a->again = again;
	fn_list_push_back(&call->api->mappings_asked, &a->link);
	if (ask(a) < 0) {
		forget(a);
		refuse(call);
		return true;
	}
	fn_http_req_on_gone(call->req, on_gone, a);
	return true;
}

void fn_mapping_asked_end(struct fn_api *api)
{
	while (!fn_list_empty(&api->mappings_asked)) {
		struct asked *a = fn_list_entry(fn_list_first(&api->mappings_asked), struct asked, link);

		fn_http_req_on_gone(a->call.req, NULL, NULL);
		on_gone(a);
	}
}

/* recursion.c - see recursion.h. */
#include "api/recursion.h"

#include "api/change.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "env/platform.h"
#include "invoke/invoke.h"
#include "model/lineage.h"
#include "store/recursion.h"

int fn_call_trace(const struct fn_call *call, struct fn_buf *ret)
{
	const char *sent = fn_http_req_header(call->req, "X-Amzn-Trace-Id");
	const struct fn_platform *p = fn_platform_of(call->req);

	if (p)
		return fn_lineage_of_call(sent, fn_platform_trace(p), fn_platform_function(p)->name, ret);
	fn_buf_reset(ret);
	return sent ? fn_buf_add_str(ret, sent) : 0;
}

bool fn_call_chain(struct fn_call *call, const struct fn_function *f, struct fn_buf *ret)
{
	fn_auto_buf struct fn_buf trace = {0};

	if (fn_call_trace(call, &trace) < 0)
		abort();
	if (!fn_lineage_in(trace.data)) { /* the first of a chain: as it was sent */
		*ret = trace;
		trace = (struct fn_buf){0};
		return true;
	}
	if (fn_lineage_add(trace.data, f->name, ret) < 0)
		abort();
	if (fn_lineage_count(ret->data, f->name) <= FN_LINEAGE_MOST || fn_store_may_recurse(call->api->cfg.store, f->name))
		return true;
	fn_invoker_recursive(call->api->cfg.invoker, f->name);
	fn_reply_error(call, &FN_E_RECURSIVE,
		       "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and stopped your function's invocation.");
	return false;
}

static void reply(struct fn_call *call, const char *function)
{
	fn_reply_json(call, 200, json_pack("{ss}", "RecursiveLoop", fn_store_may_recurse(call->api->cfg.store, function) ? "Allow" : "Terminate"));
}

static void stored(struct fn_change *c) { reply(&c->call, c->n.name); }

void fn_h_get_recursion(struct fn_call *call)
{
	struct fn_name n;

	if (fn_call_latest(call, &n))
		reply(call, n.name);
}

void fn_h_put_recursion(struct fn_call *call)
{
	bool may = fn_streq(json_string_value(json_object_get(call->in, "RecursiveLoop")), "Allow");
	struct fn_change *c;
	struct fn_name n;
	struct fn_err err;

	if (!fn_call_latest(call, &n) || !(c = fn_change_new(call, n.name, NULL, stored)))
		return;
	fn_change_begun(c, fn_store_set_may_recurse(call->api->cfg.store, n.name, may, fn_change_done, c, &err), &err);
}

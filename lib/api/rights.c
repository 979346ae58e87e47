/* rights.c - see rights.h. */
#include "api/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/caller.h"
#include "api/context.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "invoke/router.h"
#include "model/inner.h"
#include "store/policies.h"

#define GATHER_US 50000u /* changes come in numbers: they are told of together */

/* Who the role of f is, and what is said of it. */
static enum fn_iam_identity says(struct fn_call *call, const struct fn_function *f, const char *action, const char *resource, struct fn_caller *c)
{
	struct fn_context x = {.call = call, .caller = c};
	struct fn_iam_request r = {action, resource, &c->who, fn_context_of(&x)};
	struct fn_name n;

	fn_caller_of_role(call->api, f->role ? f->role : "", f->name, c);
	if (!fn_str_starts(action, "lambda:") || fn_name_parse(resource, &n) < 0)
		return fn_caller_says(call->api, c, &r);
	return fn_caller_judge(call->api, c, fn_store_policy_document(call->api->cfg.store, n.name, n.qualifier), false, &r) == FN_IAM_ALLOWED ? FN_IAM_IDENTITY_ALLOW : FN_IAM_IDENTITY_DENY;
}

bool fn_role_says(struct fn_call *call, const struct fn_function *f, const char *action, const char *resource)
{
	struct fn_caller c;

	return says(call, f, action, resource, &c) == FN_IAM_IDENTITY_ALLOW;
}

/* --- rights --- */
static json_t *right(struct fn_call *call, const json_t *ask)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const char *function = json_string_value(json_object_get(ask, "Function")), *action = json_string_value(json_object_get(ask, "Action")),
		   *resource = json_string_value(json_object_get(ask, "Resource"));
	const struct fn_function *f = NULL;
	struct fn_caller c;
	struct fn_name n;
	enum fn_iam_identity what;
	fn_auto_free char *context = NULL;
	char root[64];

	if (!function || !action || !resource)
		return json_pack("{ss,ss,ss}", "Principal", "", "Identity", "deny", "Context", "");
	if (fn_name_parse(function, &n) == 0)
		f = fn_route(cfg->store, n.name, n.qualifier);
	if (!f || cfg->n_credentials == 0) {
		snprintf(root, sizeof(root), "arn:aws:iam::%s:root", cfg->account_id);
		return json_pack("{ss,ss,ss}", "Principal", root, "Identity", "allow", "Context", "");
	}
	what = says(call, f, action, resource, &c);
	call->caller = &c;
	context = fn_call_context(call);
	call->caller = NULL;
	return json_pack("{ss,ss,ss}", "Principal", c.who.arn, "Identity", fn_iam_identity_word(context ? what : FN_IAM_IDENTITY_DENY), "Context", context ? context : "");
}

void fn_rights_answer(struct fn_call *call)
{
	json_t *in, *list, *out = json_array(), *ask;
	const char *body;
	size_t len, i;

	fn_http_req_body(call->req, &body, &len);
	in = len ? json_loadb(body, len, 0, NULL) : NULL;
	list = json_object_get(in, "Ask");
	json_array_foreach(list, i, ask)
		if (i < FN_INNER_RIGHTS_MAX)
			json_array_append_new(out, right(call, ask));
	json_decref(in);
	fn_reply_json(call, 200, json_pack("{so}", "Rights", out));
}

/* --- changes --- */
struct waiter {
	struct fn_list link;
	struct fn_call call;
};

static void generation(const struct fn_api *api, char *out, size_t size)
{
	snprintf(out, size, "%016llx-%llu", (unsigned long long)api->instance, (unsigned long long)fn_store_changes(api->cfg.store));
}

static void tell(struct fn_call *call)
{
	char now[64];

	generation(call->api, now, sizeof(now));
	fn_reply_json(call, 200, json_pack("{ss,sb}", "Generation", now, "Judged", call->api->cfg.n_credentials > 0));
}

static void tell_all(struct fn_api *api)
{
	fn_loop_clear(api->cfg.loop, &api->changes_timer);
	while (!fn_list_empty(&api->changes)) {
		struct waiter *w = fn_list_entry(fn_list_first(&api->changes), struct waiter, link);

		fn_list_remove(&w->link);
		fn_http_req_on_gone(w->call.req, NULL, NULL);
		tell(&w->call);
		free(w);
	}
}

static void on_timer(void *arg) { tell_all(arg); }

static void on_change(void *arg)
{
	struct fn_api *api = arg;

	if (!fn_list_empty(&api->changes) && !api->changes_timer)
		(void)fn_loop_add_timer(api->cfg.loop, fn_loop_now_us(api->cfg.loop) + GATHER_US, on_timer, api, &api->changes_timer);
}

static void on_gone(void *arg)
{
	struct waiter *w = arg;

	fn_list_remove(&w->link);
	fn_reply_empty(&w->call, 200); /* to nobody */
	free(w);
}

void fn_changes_answer(struct fn_call *call)
{
	const char *since = fn_http_req_query(call->req, "Since");
	struct waiter *w;
	char now[64];

	generation(call->api, now, sizeof(now));
	w = fn_streq(since, now) && !call->api->draining ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		tell(call);
		return;
	}
	w->call = fn_call_keep(call, false);
	fn_list_push_back(&call->api->changes, &w->link);
	fn_store_on_change(call->api->cfg.store, on_change, call->api);
	fn_http_req_on_gone(call->req, on_gone, w);
}

void fn_changes_end(struct fn_api *api)
{
	fn_store_on_change(api->cfg.store, NULL, NULL);
	tell_all(api);
}

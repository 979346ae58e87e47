/* settling.c - see settling.h. */
#include "api/settling.h"

#include <stdlib.h>
#include <string.h>

#include "api/uploads.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

/* Long enough for a client that sends a second update at once to be told of the first, and for whoever looks to see it. */
#define CREATE_US 50000u
#define UPDATE_US 500000u
#define AGAIN_US 1000000u /* after a write that failed */

struct settling {
	struct fn_list link;
	uint64_t due_us;
	uint64_t awaits; /* the number of what is being prepared for its first environment; 0 = nothing, or it is ready */
	char name[144];
};

struct held {
	struct fn_list link;
	struct fn_call call;
	char name[144];
};

static struct settling *find(struct fn_api *api, const char *name)
{
	fn_list_for_each(l, &api->settling)
		if (fn_streq(fn_list_entry(l, struct settling, link)->name, name))
			return fn_list_entry(l, struct settling, link);
	return NULL;
}

/* Those that wait for this function (NULL = for whichever) go on; why: they are refused with that. */
static void release(struct fn_api *api, const char *name, const char *why)
{
	fn_list_for_each_safe(l, &api->held)
	{
		struct held *h = fn_list_entry(l, struct held, link);

		if (name && !fn_streq(h->name, name))
			continue;
		fn_list_remove(l);
		if (why)
			fn_reply_error(&h->call, &FN_E_SERVICE, "%s", why);
		else
			fn_h_invoke(&h->call);
		free(h);
	}
}

/* Is in force what is stored? Then it gets a revision of its own, as the service gives it. */
static int settle_one(struct fn_api *api, const struct fn_function *now)
{
	struct fn_function *f = now && fn_function_settling(now) ? fn_function_clone(now) : NULL;
	struct fn_err err;
	char text[512];
	int r;

	if (!f)
		return 0;
	fn_function_settle(f);
	fn_id_uuid(f->revision_id);
	r = fn_store_update(api->cfg.store, f, &err);
	if (r < 0)
		fn_log_error("%s:%s is not in force yet: %s", f->name, f->version, fn_err_format(&err, text, sizeof(text)));
	fn_function_unref(f);
	return r;
}

static int settle(struct fn_api *api, const char *name)
{
	const struct fn_api_config *cfg = &api->cfg;
	struct fn_function *latest = fn_store_get(cfg->store, name, NULL);
	char code[65] = "";
	int r;

	if (!latest)
		return 0;
	memcpy(code, fn_store_serving(cfg->store, latest)->code_sha256, sizeof(code));
	r = settle_one(api, fn_store_last_version(cfg->store, name));
	if (r == 0)
		r = settle_one(api, latest);
	if (r < 0)
		return r;
	latest = fn_store_get(cfg->store, name, NULL);
	fn_invoker_retire(cfg->invoker, name, latest->version, latest->generation);
	fn_upload_forget(api, code);
	return 0;
}

static void arm(struct fn_api *api)
{
	uint64_t first = UINT64_MAX;

	fn_list_for_each(l, &api->settling)
	{
		const struct settling *s = fn_list_entry(l, struct settling, link);

		if (!s->awaits && s->due_us < first)
			first = s->due_us;
	}
	(void)fn_loop_rearm_timer(api->cfg.loop, api->settling_timer, first);
}

static void on_timer(void *arg)
{
	struct fn_api *api = arg;
	uint64_t now = fn_loop_now_us(api->cfg.loop);

	fn_list_for_each_safe(l, &api->settling)
	{
		struct settling *s = fn_list_entry(l, struct settling, link);

		if (s->due_us > now || s->awaits)
			continue;
		if (settle(api, s->name) < 0) { /* nobody waits for a disk */
			release(api, s->name, "The function is not Active yet: that could not be stored.");
			s->due_us = now + AGAIN_US;
			continue;
		}
		fn_list_remove(l);
		release(api, s->name, NULL);
		free(s);
	}
	arm(api);
}

static void on_prepared(void *arg, uint64_t number)
{
	struct fn_api *api = arg;

	fn_list_for_each(l, &api->settling)
	{
		struct settling *s = fn_list_entry(l, struct settling, link);

		if (s->awaits == number)
			s->awaits = 0;
	}
	arm(api);
}

void fn_settling_begin(struct fn_api *api, const char *name, bool created)
{
	const struct fn_function *latest = fn_store_get(api->cfg.store, name, NULL);
	struct settling *s = find(api, name);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			abort();
		(void)fn_str_format(s->name, sizeof(s->name), "%s", name);
		fn_list_push_back(&api->settling, &s->link);
	}
	s->due_us = api->draining ? 0 : fn_loop_now_us(api->cfg.loop) + (created ? CREATE_US : UPDATE_US);
	s->awaits = latest && !api->draining ? fn_invoker_await(api->cfg.invoker, latest, on_prepared, api) : 0;
	if (latest && !s->awaits)
		fn_invoker_expect(api->cfg.invoker, latest);
	arm(api);
}

void fn_settling_forget(struct fn_api *api, const char *name)
{
	struct settling *s = find(api, name);

	if (!s)
		return;
	fn_list_remove(&s->link);
	release(api, name, NULL);
	free(s);
}

void fn_settling_hold(struct fn_call *call, const char *name)
{
	struct settling *s = find(call->api, name);
	struct held *h = s ? calloc(1, sizeof(*h)) : NULL;

	if (!h) {
		fn_reply_error(call, &FN_E_CONFLICT,
			       "The operation cannot be performed at this time. The function is currently in the following state: Pending");
		return;
	}
	h->call = *call;
	(void)fn_str_format(h->name, sizeof(h->name), "%s", name);
	fn_list_push_back(&call->api->held, &h->link);
	s->awaits = 0; /* a slow first invocation is better than one that waits for what would make it quick */
	arm(call->api);
}

int fn_settling_open(struct fn_api *api)
{
	fn_list_init(&api->settling);
	fn_list_init(&api->held);
	return fn_loop_add_timer(api->cfg.loop, UINT64_MAX, on_timer, api, &api->settling_timer);
}

void fn_settling_end(struct fn_api *api)
{
	fn_list_for_each(l, &api->settling)
	{
		struct settling *s = fn_list_entry(l, struct settling, link);

		s->due_us = s->awaits = 0;
	}
	on_timer(api);
}

void fn_settling_close(struct fn_api *api)
{
	release(api, NULL, "fnd is ending");
	fn_loop_clear(api->cfg.loop, &api->settling_timer);
	fn_list_for_each_safe(l, &api->settling)
	{
		fn_list_remove(l);
		free(fn_list_entry(l, struct settling, link));
	}
}

/* settling.c - see settling.h. */
#include "api/settling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/containers.h"
#include "api/uploads.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/pulls.h"

/* Long enough for a client that sends a second update at once to be told of the first, and for whoever looks to see it. */
#define CREATE_US 50000u
#define UPDATE_US 500000u
#define AGAIN_US 1000000u /* after a write that failed */

struct settling {
	struct fn_list link;
	struct fn_api *api;
	uint64_t due_us;
	uint64_t awaits; /* the number of what is being prepared for its first environment; 0 = nothing, or it is ready */
	bool pulling;    /* its image is being fetched: nothing else lets it be in force */
	struct fn_err failed; /* why it cannot be had; code 0 = it can, as far as is known */
	bool storing;    /* it is due: its being in force is being stored, or waits for its turn */
	struct fn_store_turn turn;
	struct fn_function *served; /* until then; owned */
	char name[FN_NAME_MAX + 6];
};

struct held {
	struct fn_list link;
	struct fn_call call;
	fn_handler handler;
	char name[FN_NAME_MAX + 6];
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
			h->handler(&h->call);
		free(h);
	}
}

static void arm(struct fn_api *api)
{
	uint64_t first = UINT64_MAX;

	fn_list_for_each(l, &api->settling)
	{
		const struct settling *s = fn_list_entry(l, struct settling, link);

		if (!s->awaits && !s->pulling && !s->storing && s->due_us < first)
			first = s->due_us;
	}
	(void)fn_loop_rearm_timer(api->cfg.loop, api->settling_timer, first);
}

static void end(struct settling *s)
{
	fn_list_remove(&s->link);
	fn_list_remove(&s->turn.link);
	fn_function_unref(s->served);
	free(s);
}

static void on_stored(void *arg, const struct fn_err *err)
{
	struct settling *s = arg;
	struct fn_api *api = s->api;
	const struct fn_api_config *cfg = &api->cfg;
	struct fn_function *latest;
	char text[512];
	bool image;

	s->storing = false;
	if (err) {
		fn_log_error("%s is not in force yet: %s", s->name, fn_err_format(err, text, sizeof(text)));
		s->due_us = fn_loop_now_us(cfg->loop) + AGAIN_US;
		arm(api);
		release(api, s->name, "The function is not Active yet: that could not be stored."); /* nobody waits for a disk */
		return;
	}
	latest = fn_store_get(cfg->store, s->name, NULL);
	if (latest) {
		fn_invoker_retire(cfg->invoker, s->name, latest->version, latest->generation);
		if (s->served)
			fn_upload_forget_all(api, s->served);
	}
	image = latest && latest->image;
	release(api, s->name, NULL);
	end(s);
	if (image) /* a version that was published with it may have waited for that; the look goes through all versions */
		fn_snapshots_look(cfg->snapshots);
}

/* As it is when it is in force, or never will be, with a revision of its own, as the service gives it; NULL: it is so already, or waits for its snapshot, which wants an image, too. */
static struct fn_function *settled(const struct settling *s, const struct fn_function *now)
{
	bool settles = now && (fn_function_settling(now) || (s->failed.code && now->image && now->state == FN_STATE_PENDING));
	struct fn_function *f = settles ? fn_function_clone(now) : NULL;

	if (!f)
		return NULL;
	if (s->failed.code)
		fn_function_fail(f, fn_container_reason_code(&s->failed), s->failed.msg);
	else
		fn_function_settle(f);
	fn_id_uuid(f->revision_id);
	return f;
}

static void settle(void *arg)
{
	struct settling *s = arg;
	struct fn_store *store = s->api->cfg.store;
	struct fn_function *now = fn_store_get(store, s->name, NULL), *latest = settled(s, now), *version;
	struct fn_err err;
	int r;

	version = settled(s, fn_store_last_version(store, s->name));
	fn_function_unref(fn_take_ptr(s->served));
	if (now)
		s->served = fn_function_ref(fn_store_serving(store, now));
	if (latest && version)
		r = fn_store_update_both(store, latest, version, on_stored, s, &err);
	else if (latest || version)
		r = fn_store_update(store, latest ? latest : version, on_stored, s, &err);
	else
		r = 1;
	fn_function_unref(latest);
	fn_function_unref(version);
	if (r != 0)
		on_stored(s, r < 0 ? &err : NULL);
}

static void on_timer(void *arg)
{
	struct fn_api *api = arg;
	uint64_t now = fn_loop_now_us(api->cfg.loop);

	fn_list_for_each_safe(l, &api->settling)
	{
		struct settling *s = fn_list_entry(l, struct settling, link);

		if (s->due_us > now || s->awaits || s->pulling || s->storing)
			continue;
		s->storing = true;
		s->turn = (struct fn_store_turn){.function = s->name, .fn = settle, .arg = s};
		fn_store_wait(api->cfg.store, &s->turn);
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

/* --- images --- */
/* What was asked for when a function became unsettled; by name and generation, for it may have gone, or become another, since. */
struct pulling {
	struct fn_api *api;
	uint64_t generation;
	char name[FN_NAME_MAX + 6];
};

static void pull(struct settling *s, const struct fn_function *latest);

static void on_pulled(void *arg, const struct fn_err *err)
{
	struct pulling *p = arg;
	struct fn_api *api = p->api;
	struct settling *s = find(api, p->name);
	const struct fn_function *latest = fn_store_get(api->cfg.store, p->name, NULL);
	bool mine = s && s->pulling && latest && latest->image && latest->generation == p->generation;

	free(p);
	if (!mine)
		return;
	if (err && err->code == ECONNRESET && !api->draining) { /* fn-spawnd has ended: the next one goes on */
		pull(s, latest);
		return;
	}
	s->pulling = false;
	if (err)
		s->failed = *err;
	arm(api);
}

static void pull(struct settling *s, const struct fn_function *latest)
{
	struct pulling *p = calloc(1, sizeof(*p));
	struct fn_oci_ref ref;
	bool anywhere = fn_oci_ref_parse(latest->image_uri, &ref) == 0;

	if (!p)
		abort();
	p->api = s->api;
	p->generation = latest->generation;
	snprintf(p->name, sizeof(p->name), "%s", s->name);
	s->pulling = true;
	fn_pulls_get(s->api->cfg.pulls, latest->image, anywhere ? &ref : NULL, on_pulled, p);
}

void fn_settling_begin(struct fn_api *api, const char *name, bool created)
{
	const struct fn_function *latest = fn_store_get(api->cfg.store, name, NULL);
	struct settling *s = find(api, name);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			abort();
		s->api = api;
		(void)fn_str_format(s->name, sizeof(s->name), "%s", name);
		fn_list_push_back(&api->settling, &s->link);
	}
	fn_list_remove(&s->turn.link); /* what it waited to store is the past */
	s->storing = s->pulling = false;
	s->failed = (struct fn_err){0};
	s->due_us = api->draining ? 0 : fn_loop_now_us(api->cfg.loop) + (created ? CREATE_US : UPDATE_US);
	s->awaits = latest && !api->draining ? fn_invoker_await(api->cfg.invoker, latest, on_prepared, api) : 0;
	if (latest && !s->awaits)
		fn_invoker_expect(api->cfg.invoker, latest);
	if (latest && latest->image)
		pull(s, latest);
	arm(api);
}

void fn_settling_resume(struct fn_api *api)
{
	struct fn_function *page[64];
	const char *after = NULL;
	size_t n;

	while ((n = fn_store_list(api->cfg.store, after, page, 64)) > 0) {
		for (size_t i = 0; i < n; i++)
			if (page[i]->image && fn_function_settling(page[i]))
				fn_settling_begin(api, page[i]->name, page[i]->state == FN_STATE_PENDING);
		after = page[n - 1]->name;
	}
}

void fn_settling_forget(struct fn_api *api, const char *name)
{
	struct settling *s = find(api, name);

	if (!s)
		return;
	end(s);
	release(api, name, NULL);
}

void fn_settling_hold(struct fn_call *call, const char *name, fn_handler handler)
{
	struct settling *s = find(call->api, name);
	struct held *h = s && !s->pulling ? calloc(1, sizeof(*h)) : NULL; /* a large image takes minutes: nobody waits for so long */

	if (!h) {
		fn_reply_error(call, &FN_E_CONFLICT,
			       "The operation cannot be performed at this time. The function is currently in the following state: Pending");
		return;
	}
	h->call = fn_call_keep(call, false);
	h->handler = handler;
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

		s->due_us = s->awaits = 0; /* what is being fetched is fetched by the next one */
	}
	on_timer(api);
}

void fn_settling_close(struct fn_api *api)
{
	release(api, NULL, "fnd is ending");
	fn_loop_clear(api->cfg.loop, &api->settling_timer);
	fn_list_for_each_safe(l, &api->settling) end(fn_list_entry(l, struct settling, link));
}

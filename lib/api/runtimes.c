/* runtimes.c - which runtimes there are, from where, how large and used by how many; one installed, one removed. For `fnctl runtime`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/str.h"

/* --- used by --- */
/* Versions of functions that have a runtime of this image; names: the first few of them, "a:1, b:$LATEST". */
static unsigned users_of(struct fn_api *api, const char *image, char *names, size_t size)
{
	struct fn_function *page[FN_PAGE_MAX];
	const char *name = NULL, *version = NULL;
	unsigned n = 0;
	size_t got;

	if (size)
		names[0] = '\0';
	while ((got = fn_store_list_versions(api->cfg.store, NULL, name, version, page, FN_PAGE_MAX)) > 0) {
		for (size_t i = 0; i < got; i++) {
			const struct fn_runtime *rt = page[i]->runtime ? fn_runtimes_find(api->cfg.runtimes, page[i]->runtime) : NULL;
			size_t used = size ? strlen(names) : 0;

			if (!rt || !fn_streq(rt->image, image))
				continue;
			if (n++ < 5 && size)
				snprintf(names + used, size - used, "%s%s:%s", used ? ", " : "", page[i]->name, page[i]->version);
		}
		name = page[got - 1]->name;
		version = page[got - 1]->version;
	}
	return n;
}

/* --- list --- */
static json_t *text_or_null(const char *s) { return s && *s ? json_string(s) : json_null(); }

/* The other runtimes that its image serves: they come and go with it. */
static json_t *beside(struct fn_runtimes *rs, const struct fn_runtime *rt)
{
	json_t *names = json_array();

	for (size_t i = 0; i < fn_runtimes_count(rs); i++) {
		const struct fn_runtime *other = fn_runtimes_at(rs, i);

		if (fn_streq(other->image, rt->image) && !fn_streq(other->name, rt->name))
			json_array_append_new(names, json_string(other->name));
	}
	return names;
}

static json_t *runtime_json(struct fn_api *api, const struct fn_runtime *rt)
{
	json_int_t own = 0, shared = 0;
	char arn[160];

	for (unsigned i = 0; i < rt->n_layers; i++) {
		const struct fn_tree *t = fn_store_tree(api->cfg.store, rt->layers[i]);
		json_t *images = fn_images_with(api->cfg.images, rt->layers[i]);

		*(json_array_size(images) > 1 ? &shared : &own) += t ? t->bytes : 0;
	}
	fn_runtime_version_arn(rt, api->cfg.region, arn, sizeof(arn));
	return json_pack("{ss,ss,so,sb,sb,so,so,so,so,so,sb,sb,sI,sI,si}", "Runtime", rt->name, "Image", rt->image, "Beside", beside(api->cfg.runtimes, rt), "Installed", (int)rt->installed, "Installing",
			 (int)fn_images_coming(api->cfg.images, rt->image), "Version",
			 text_or_null(rt->about.version), "Source", text_or_null(rt->foreign ? "a container image" : rt->about.source), "Note", text_or_null(rt->about.note), "Deprecated",
			 text_or_null(fn_runtime_deprecated_days(rt, fn_clock_real_us()) >= 0 ? rt->deprecated : NULL), "RuntimeVersionArn", text_or_null(rt->installed ? arn : NULL), "StartedAhead",
			 (int)(rt->prestart_unless != NULL), "SnapStart", (int)(rt->restore != NULL), "OwnBytes", own, "SharedBytes", shared, "Functions",
			 (int)users_of(api, rt->image, NULL, 0));
}

static void reply_list(struct fn_call *call)
{
	struct fn_runtimes *rs = call->api->cfg.runtimes;
	json_t *list = json_array();

	for (size_t i = 0; i < fn_runtimes_count(rs); i++)
		json_array_append_new(list, runtime_json(call->api, fn_runtimes_at(rs, i)));
	fn_reply_json(call, 200, json_pack("{so}", "Runtimes", list));
}

void fn_h_runtimes(struct fn_call *call) { reply_list(call); }

/* --- that are being installed --- */
struct fn_awaiting {
	struct fn_list link; /* of the API's */
	struct fn_images_wait wait;
	struct fn_call call;
	fn_handler again;
};

static void end_awaiting(struct fn_awaiting *a)
{
	fn_list_remove(&a->link);
	fn_list_remove(&a->wait.link);
	json_decref(a->call.in);
	free(a);
}

static void on_there(void *arg)
{
	struct fn_awaiting *a = arg;
	struct fn_name n;

	/* others may have begun to change the function meanwhile */
	if (fn_name_parse(a->call.params[0], &n) < 0 || fn_change_turn(&a->call, n.name, a->again))
		a->again(&a->call);
	end_awaiting(a);
}

bool fn_runtime_awaited(struct fn_call *call, fn_handler again)
{
	const char *name = json_string_value(json_object_get(call->in, "Runtime"));
	const struct fn_runtime *rt = name ? fn_runtimes_find(call->api->cfg.runtimes, name) : NULL;
	struct fn_awaiting *a;

	if (!rt || rt->installed || !fn_images_coming(call->api->cfg.images, rt->image))
		return true;
	a = calloc(1, sizeof(*a));
	if (!a) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return false;
	}
	a->call = fn_call_keep(call, true);
	a->again = again;
	a->wait.fn = on_there;
	a->wait.arg = a;
	fn_list_push_back(&call->api->awaiting, &a->link);
	(void)fn_images_await(call->api->cfg.images, rt->image, &a->wait);
	return false;
}

void fn_runtimes_awaited_close(struct fn_api *api)
{
	fn_list_for_each_safe(l, &api->awaiting) end_awaiting(fn_list_entry(l, struct fn_awaiting, link));
}

/* --- one more, one less --- */
struct change {
	struct fn_call call;
	char runtime[64];
	bool added;
};

static void on_changed(void *arg, const struct fn_err *err, unsigned installed)
{
	struct change *c = arg;
	const struct fn_runtime *rt = fn_runtimes_find(c->call.api->cfg.runtimes, c->runtime);
	char text[512];

	(void)installed;
	if (rt && c->added && !rt->installed && err)
		fn_reply_error(&c->call, &FN_E_SERVICE, "%s", fn_err_format(err, text, sizeof(text)));
	else if (rt && c->added && !rt->installed)
		fn_reply_error(&c->call, &FN_E_NOT_FOUND, "%s", fn_runtime_missing(rt, text, sizeof(text)));
	else if (rt && !c->added && rt->installed)
		fn_reply_error(&c->call, &FN_E_SERVICE, "%s", err ? fn_err_format(err, text, sizeof(text)) : "it is still there");
	else if (rt)
		fn_reply_json(&c->call, 200, runtime_json(c->call.api, rt));
	else
		fn_reply_empty(&c->call, 204);
	fn_snapshots_look(c->call.api->cfg.snapshots); /* those of another base image are made anew */
	free(c);
}

static const struct fn_runtime *known(struct fn_call *call, const char *name)
{
	const struct fn_runtime *rt = fn_runtimes_find(call->api->cfg.runtimes, name ? name : "");

	if (!rt)
		fn_reply_error(call, &FN_E_NOT_FOUND, "There is no runtime %s. `fnctl runtime list` shows those there are.", name ? name : "without a name");
	return rt;
}

static void change(struct fn_call *call, const struct fn_runtime *rt, bool add)
{
	struct change *c = malloc(sizeof(*c));
	int r;

	if (!c) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	c->call = fn_call_keep(call, false);
	c->added = add;
	snprintf(c->runtime, sizeof(c->runtime), "%s", rt->name);
	r = fn_images_change(call->api->cfg.images, rt->image, add, on_changed, c);
	if (r < 0) {
		free(c);
		fn_reply_error(call, &FN_E_CONFLICT, "Too many ask for base images; try again in a moment.");
	}
}

void fn_h_add_runtime(struct fn_call *call)
{
	const struct fn_runtime *rt = known(call, json_string_value(json_object_get(call->in, "Name")));

	if (rt)
		change(call, rt, true);
}

void fn_h_remove_runtime(struct fn_call *call)
{
	const struct fn_runtime *rt = known(call, call->params[0]);
	char names[400];
	unsigned n;

	if (!rt)
		return;
	n = users_of(call->api, rt->image, names, sizeof(names));
	if (n > 0)
		fn_reply_error(call, &FN_E_CONFLICT, "The image of %s is what %u version%s of functions run%s on: %s%s", rt->name, n, n == 1 ? "" : "s", n == 1 ? "s" : "",
			       names, n > 5 ? ", ..." : "");
	else if (rt->foreign)
		fn_h_runtime_image_remove(call);
	else if (!rt->installed)
		fn_reply_error(call, &FN_E_NOT_FOUND, "%s is not installed. `fnctl runtime list` shows which are.", rt->name);
	else
		change(call, rt, false);
}

/* tags.c - TagResource, UntagResource, ListTags. */
#include "api/tags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/internal.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

static void unref(struct fn_function **f) { fn_function_unref(*f); }

static json_t *tags_of(const struct fn_function *f)
{
	json_t *o = f->tags_json ? json_loads(f->tags_json, 0, NULL) : NULL;

	return o ? o : json_object();
}

static void set_tags(struct fn_function *f, json_t *tags)
{
	free(f->tags_json);
	f->tags_json = json_object_size(tags) ? json_dumps(tags, JSON_COMPACT) : NULL;
}

bool fn_tags_apply(struct fn_call *call, struct fn_function *f)
{
	json_t *tags = json_object_get(call->in, "Tags"), *v;
	json_auto_t *all = tags_of(f);
	const char *k;

	json_object_foreach(tags, k, v) {
		if (strncasecmp(k, "aws:", 4) == 0) {
			fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Tag %s: keys that begin with aws: are the system's", k);
			return false;
		}
		json_object_set(all, k, v);
	}
	if (json_object_size(all) > FN_LIMIT_TAGS) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Number of tags exceeds resource tag limit.");
		return false;
	}
	set_tags(f, all);
	return true;
}

/* The kinds of resources that have tags on AWS, and not here. */
static void reply_absent(struct fn_call *call, const char *arn)
{
	static const struct {
		const char *type, *said;
	} kinds[] = {{":layer:", "Layer"}, {":code-signing-config:", "Code signing config"},
		     {":capacity-provider:", "Capacity provider"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(arn, kinds[i].type))
			fn_reply_error(call, &FN_E_NOT_FOUND, "%s not found: %s", kinds[i].said, arn);
}

/* The function that the path names; NULL after having replied. */
static struct fn_function *tagged(struct fn_call *call)
{
	const char *arn = call->params[0];
	struct fn_function *f;
	struct fn_name n;

	if (strstr(arn, ":event-source-mapping:")) {
		fn_h_proxy(call); /* fn-events has them, and their tags */
		return NULL;
	}
	if (!strstr(arn, ":function:")) {
		reply_absent(call, arn);
		return NULL;
	}
	if (!fn_call_name(call, &n))
		return NULL;
	if (n.qualifier[0]) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Tags on function aliases and versions are not supported. Please specify a function ARN.");
		return NULL;
	}
	f = fn_store_get(call->api->cfg.store, n.name, NULL);
	if (!f)
		fn_reply_absent(call, n.name, NULL);
	return f;
}

void fn_h_list_tags(struct fn_call *call)
{
	struct fn_function *f = tagged(call);

	if (f)
		fn_reply_json(call, 200, json_pack("{so}", "Tags", tags_of(f)));
}

static void tags_stored(struct fn_change *c) { fn_reply_empty(&c->call, 204); }

/* Tags are no configuration: environments go on. The function has a new revision all the same. */
static void store(struct fn_call *call, struct fn_function *f)
{
	struct fn_change *c = fn_change_new(call, f->name, NULL, tags_stored);
	struct fn_err err;

	if (!c)
		return;
	fn_id_uuid(f->revision_id);
	fn_change_begun(c, fn_store_update(call->api->cfg.store, f, fn_change_done, c, &err), &err);
}

void fn_h_tag(struct fn_call *call)
{
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now;

	if (json_object_size(json_object_get(call->in, "Tags")) == 0) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "An error occurred and the request cannot be processed.");
		return;
	}
	now = tagged(call);
	if (!now)
		return;
	f = fn_function_clone(now);
	if (!f)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	else if (fn_tags_apply(call, f))
		store(call, f);
}

void fn_h_untag(struct fn_call *call)
{
	struct fn_function *now = tagged(call);
	fn_auto(unref) struct fn_function *f = now ? fn_function_clone(now) : NULL;
	const char *query = fn_http_req_raw_query(call->req);
	json_auto_t *tags = NULL;
	fn_auto_buf struct fn_buf key = {0};

	if (!now)
		return;
	if (!f) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	tags = tags_of(f);
	for (unsigned nth = 0; fn_aws_query(query, "tagKeys", nth, &key) == 0; nth++, fn_buf_reset(&key))
		json_object_del(tags, key.data ? key.data : "");
	set_tags(f, tags);
	store(call, f);
}

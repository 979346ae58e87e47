/* tags.c - TagResource, UntagResource, ListTags. */
#include "api/tags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/configuration.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

static void unref(struct fn_function **f) { fn_function_unref(*f); }
static void decref(json_t **j) { json_decref(*j); }

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

bool fn_tags_apply(struct fn_call *call, json_t *tags, struct fn_function *f)
{
	fn_auto(decref) json_t *all = tags_of(f);
	json_t *v;
	const char *k;

	if (!tags || json_is_null(tags))
		return true;
	if (!json_is_object(tags)) {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "Tags must be an object of strings");
		return false;
	}
	json_object_foreach(tags, k, v) {
		if (!json_is_string(v) || !*k || strlen(k) > 128 || json_string_length(v) > 256) {
			fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Tag %s: keys have 1 to 128 characters, values are strings of at most 256", k);
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

static struct fn_function *tagged(struct fn_call *call)
{
	struct fn_name n;
	struct fn_function *f = fn_call_function(call, &n);

	if (f && n.qualifier[0]) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Tags on function aliases and versions are not supported. Please specify a function ARN.");
		return NULL;
	}
	return f;
}

void fn_h_list_tags(struct fn_call *call)
{
	struct fn_function *f = tagged(call);

	if (f)
		fn_reply_json(call, 200, json_pack("{so}", "Tags", tags_of(f)));
}

/* Tags are no configuration: environments go on. */
static void store(struct fn_call *call, struct fn_function *f)
{
	struct fn_err err;
	char text[512];

	if (fn_store_update(call->api->cfg.store, f, &err) < 0)
		fn_reply_error(call, &FN_E_SERVICE, "%s", fn_err_format(&err, text, sizeof(text)));
	else
		fn_reply_empty(call, 204);
}

void fn_h_tag(struct fn_call *call)
{
	fn_auto(decref) json_t *in = NULL;
	fn_auto(unref) struct fn_function *f = NULL;
	struct fn_function *now = tagged(call);

	if (!now || !(in = fn_call_json(call)))
		return;
	f = fn_function_clone(now);
	if (f && fn_tags_apply(call, json_object_get(in, "Tags"), f))
		store(call, f);
}

/* ?tagKeys=a&tagKeys=b */
void fn_h_untag(struct fn_call *call)
{
	fn_auto(decref) json_t *tags = NULL;
	fn_auto(unref) struct fn_function *f = NULL;
	fn_auto_free char *query = strdup(fn_http_req_raw_query(call->req));
	struct fn_function *now = tagged(call);
	char *save = NULL;

	if (!now || !query)
		return;
	f = fn_function_clone(now);
	tags = tags_of(now);
	for (char *p = strtok_r(query, "&", &save); p; p = strtok_r(NULL, "&", &save))
		if (fn_str_starts(p, "tagKeys=")) {
			p += 8;
			for (char *c = p; *c; c++)
				if (*c == '+')
					*c = ' ';
			if (fn_url_decode(p, strlen(p)) >= 0)
				json_object_del(tags, p);
		}
	if (f) {
		set_tags(f, tags);
		store(call, f);
	}
}

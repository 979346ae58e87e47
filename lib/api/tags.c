/* tags.c - TagResource, UntagResource, ListTags. */
#include "api/tags.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
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

static const char *tag_fault(const char *key, json_t *value)
{
	if (!*key || strlen(key) > 128)
		return "keys have 1 to 128 characters";
	if (strncasecmp(key, "aws:", 4) == 0)
		return "keys that begin with aws: are the system's";
	if (!json_is_string(value) || json_string_length(value) > 256)
		return "values are strings of at most 256 characters";
	return NULL;
}

bool fn_tags_apply(struct fn_call *call, json_t *tags, struct fn_function *f)
{
	fn_auto(decref) json_t *all = tags_of(f);
	const char *k, *fault;
	json_t *v;

	if (!tags || json_is_null(tags))
		return true;
	if (!json_is_object(tags)) {
		fn_reply_error(call, &FN_E_INVALID_CONTENT, "Tags must be an object of strings");
		return false;
	}
	json_object_foreach(tags, k, v) {
		fault = tag_fault(k, v);
		if (fault) {
			fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Tag %s: %s", k, fault);
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

/* As the service prints it, and the same for regcomp(). */
#define RESOURCE(DIGIT)                                                                                                          \
	"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-" DIGIT "{1}:" DIGIT "{12}:"                  \
	"(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|"     \
	"event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)"

static bool is_resource(const char *text)
{
	static const char loose[] = "^" RESOURCE("[0-9]") "$";
	char strict[sizeof(loose)], *to = strict;
	regex_t re;
	bool is;

	for (const char *p = loose; *p; p++) /* "9-_]" is a range to regcomp() */
		if (strncmp(p, "9-_]", 4) == 0) {
			to = stpcpy(to, "9_-]");
			p += 3;
		} else {
			*to++ = *p;
		}
	*to = '\0';
	if (regcomp(&re, strict, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	is = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return is;
}

/* The kinds of resources that have tags on AWS, and not here. */
static void reply_absent(struct fn_call *call, const char *arn)
{
	static const struct {
		const char *type, *said;
	} kinds[] = {{":layer:", "Layer"}, {":code-signing-config:", "Code signing config"}, {":event-source-mapping:", "Event source mapping"},
		     {":capacity-provider:", "Capacity provider"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(arn, kinds[i].type))
			fn_reply_error(call, &FN_E_NOT_FOUND, "%s not found: %s", kinds[i].said, arn);
}

/* The function that the path names; missing: a member that is not there (NULL = none). NULL after having replied. */
static struct fn_function *tagged(struct fn_call *call, const char *missing)
{
	const char *arn = call->params[0];
	struct fn_checks c = {0};
	struct fn_function *f;
	struct fn_name n;

	if (!is_resource(arn))
		fn_check_fail(&c, arn, "resource", "Member must satisfy regular expression pattern: " RESOURCE("\\d"));
	if (missing)
		fn_check_fail(&c, NULL, missing, "Member must not be null");
	if (!fn_checks_pass(&c, call))
		return NULL;
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
		fn_call_not_found(call, n.name, NULL);
	return f;
}

void fn_h_list_tags(struct fn_call *call)
{
	struct fn_function *f = tagged(call, NULL);

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
	fn_auto(decref) json_t *in = fn_call_json(call);
	fn_auto(unref) struct fn_function *f = NULL;
	json_t *tags = json_object_get(in, "Tags");
	struct fn_function *now;

	if (!in || !(now = tagged(call, !tags || json_is_null(tags) ? "tags" : NULL)))
		return;
	if (json_is_object(tags) && json_object_size(tags) == 0) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "An error occurred and the request cannot be processed.");
		return;
	}
	f = fn_function_clone(now);
	if (!f)
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	else if (fn_tags_apply(call, tags, f))
		store(call, f);
}

/* ?tagKeys=a&tagKeys=b: an array of them; NULL: there is none. */
static json_t *keys_of(struct fn_call *call)
{
	fn_auto_free char *query = strdup(fn_http_req_raw_query(call->req));
	json_t *keys = NULL;
	char *save = NULL;

	for (char *p = query ? strtok_r(query, "&", &save) : NULL; p; p = strtok_r(NULL, "&", &save)) {
		if (!fn_str_starts(p, "tagKeys="))
			continue;
		p += strlen("tagKeys=");
		for (char *c = p; *c; c++)
			if (*c == '+')
				*c = ' ';
		if (!keys)
			keys = json_array();
		if (fn_url_decode(p, strlen(p)) >= 0)
			json_array_append_new(keys, json_string(p));
	}
	return keys;
}

void fn_h_untag(struct fn_call *call)
{
	fn_auto(decref) json_t *tags = NULL, *keys = keys_of(call);
	struct fn_function *now = tagged(call, keys ? NULL : "tagKeys");
	fn_auto(unref) struct fn_function *f = now ? fn_function_clone(now) : NULL;
	json_t *key;
	size_t i;

	if (!now)
		return;
	if (!f) {
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	tags = tags_of(f);
	json_array_foreach(keys, i, key)
		json_object_del(tags, json_string_value(key));
	set_tags(f, tags);
	store(call, f);
}

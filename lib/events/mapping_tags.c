/* mapping_tags.c - tags of mappings. */
#include <string.h>
#include <strings.h>

#include "aws/route.h"
#include "base/str.h"
#include "events/mapping_internal.h"

#define TAGS_MAX 50

struct tagging {
	struct fn_service_call call;
	struct fn_mapping *m;
	json_t *before;
};

static struct fn_mapping *tagged(struct fn_mappings *all, const struct fn_service_call *call)
{
	const char *path = fn_http_req_path(call->req), *at = strstr(path, "/tags/");
	fn_auto_buf struct fn_buf arn = {0};
	const char *uuid = NULL;
	struct fn_mapping *m;

	if (at && fn_aws_decode(&arn, at + 6, strlen(at + 6), false) == 0 && arn.data)
		uuid = strstr(arn.data, ":event-source-mapping:");
	m = uuid ? fn_mapping_find(all, uuid + strlen(":event-source-mapping:")) : NULL;
	if (!m)
		fn_service_reply_error(call, &FN_E_NOT_FOUND, "Event source mapping not found: %s", arn.data ? arn.data : "");
	return m;
}

bool fn_mapping_tags_ok(const struct fn_service_call *call, const json_t *tags)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)tags, key, v)
		if (strncasecmp(key, "aws:", 4) == 0) {
			fn_service_reply_error(call, &FN_E_INVALID_PARAMETER, "Tag %s: keys that begin with aws: are the system's", key);
			return false;
		}
	if (json_object_size(tags) > TAGS_MAX) {
		fn_service_reply_error(call, &FN_E_INVALID_PARAMETER, "Number of tags exceeds resource tag limit.");
		return false;
	}
	return true;
}

void fn_mapping_h_list_tags(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct fn_mapping *m = tagged(all, call);

	if (m)
		fn_service_reply_json(call, 200, json_pack("{sO}", "Tags", m->tags));
}

static void on_stored(void *arg, const struct fn_err *err)
{
	struct tagging *t = arg;

	t->m->changing = false;
	t->m->all->operations--;
	if (err) {
		json_decref(t->m->tags);
		t->m->tags = t->before;
		fn_service_reply_failed(&t->call, err);
	} else {
		json_decref(t->before);
		fn_service_reply_empty(&t->call, 204);
	}
	free(t);
}

static void store(struct fn_mapping *m, const struct fn_service_call *call, json_t *tags)
{
	struct tagging *t = tags ? calloc(1, sizeof(*t)) : NULL;

	if (!t || m->changing || m->deleted) { /* deleted: what would be written would be there again */
		fn_service_reply_error(call, t ? &FN_E_CONFLICT : &FN_E_SERVICE, t ? "The mapping is being changed. Try again." : "out of memory");
		json_decref(tags);
		free(t);
		return;
	}
	*t = (struct tagging){*call, m, m->tags};
	m->tags = tags;
	m->changing = true;
	m->all->operations++;
	fn_mapping_store(m, false, on_stored, t);
}

void fn_mapping_h_tag(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct fn_mapping *m = tagged(all, call);
	const char *data;
	size_t len;
	json_t *in, *tags;

	if (!m)
		return;
	fn_http_req_body(call->req, &data, &len);
	in = json_loadb(data, len, 0, NULL);
	tags = json_copy(m->tags);
	if (tags && json_object_update(tags, json_object_get(in, "Tags")) == 0 && !fn_mapping_tags_ok(call, tags))
		json_decref(tags);
	else
		store(m, call, tags);
	json_decref(in);
}

void fn_mapping_h_untag(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct fn_mapping *m = tagged(all, call);
	const char *query = fn_http_req_raw_query(call->req);
	json_t *tags = m ? json_copy(m->tags) : NULL;
	fn_auto_buf struct fn_buf key = {0};

	if (!m)
		return;
	for (unsigned i = 0; fn_aws_query(query, "tagKeys", i, &key) == 0; i++) {
		json_object_del(tags, key.data ? key.data : "");
		fn_buf_reset(&key);
	}
	store(m, call, tags);
}

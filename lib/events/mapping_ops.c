/* mapping_ops.c - the operations. Function and queue are looked for before anything is written; it is answered when it is on disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/route.h"
#include "base/clock.h"
#include "base/str.h"
#include "events/mapping_internal.h"
#include "model/arn.h"
#include "model/inner.h"
#include "service/fnd.h"

#define PAGE 100u

static const struct fn_aws_error IN_USE = {.name = "ResourceInUseException", .status = 400, .body = FN_BODY_UPPER};

/* An operation that looks and writes. Its mapping: one that is made (reserved), or one that is there (changing). */
struct op {
	struct fn_service_call call;
	struct fn_mappings *all;
	struct fn_mapping *m;
	bool creates;
	/* of an update: what will be */
	char *function;
	json_t *settings;
	bool enabled;
	uint64_t timeout_s;
};

static void op_free(struct op *o)
{
	o->all->operations--;
	free(o->function);
	json_decref(o->settings);
	free(o);
}

/* It has been refused. */
static void give_up(struct op *o)
{
	if (o->creates)
		fn_mapping_free(o->m);
	else if (o->m)
		o->m->changing = false;
	op_free(o);
}

static struct op *op_new(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct op *o = calloc(1, sizeof(*o));

	if (!o) {
		fn_service_reply_error(call, &FN_E_SERVICE, "out of memory");
		return NULL;
	}
	o->call = *call;
	o->all = all;
	all->operations++;
	return o;
}

static json_t *body_of(const struct fn_service_call *call)
{
	const char *data;
	size_t len;
	json_t *o, *v;
	const char *key;
	void *next;

	fn_http_req_body(call->req, &data, &len);
	o = len ? json_loadb(data, len, 0, NULL) : NULL;
	if (!json_is_object(o)) { /* fnd has seen that it is one */
		json_decref(o);
		o = json_object();
	}
	json_object_foreach_safe(o, next, key, v)
		if (json_is_null(v))
			json_object_del(o, key);
	return o;
}

/* The last segment of the path, decoded. */
static void label_of(const struct fn_service_call *call, char *to, size_t size)
{
	const char *path = fn_http_req_path(call->req), *end = path + strlen(path), *at;
	fn_auto_buf struct fn_buf b = {0};

	while (end > path && end[-1] == '/')
		end--;
	for (at = end; at > path && at[-1] != '/';)
		at--;
	*to = '\0';
	if (fn_aws_decode(&b, at, (size_t)(end - at), false) == 0 && b.len < size && b.data)
		memcpy(to, b.data, b.len + 1);
}

static struct fn_mapping *named(struct fn_mappings *all, const struct fn_service_call *call)
{
	const char *judged;
	char uuid[64];
	struct fn_mapping *m;

	label_of(call, uuid, sizeof(uuid));
	m = fn_mapping_find(all, uuid);
	if (!m) {
		fn_service_reply_error(call, &FN_E_NOT_FOUND, "The resource you requested does not exist.");
		return NULL;
	}
	judged = fn_http_req_header(call->req, FN_INNER_JUDGED);
	if (judged && !fn_streq(judged, m->function)) { /* it has been given to another meanwhile */
		fn_service_reply_error(call, &FN_E_UNAVAILABLE, "The event source mapping has just been changed. Try again.");
		return NULL;
	}
	return m;
}

void fn_mapping_h_mapped(struct fn_mappings *all, const struct fn_service_call *call)
{
	char uuid[64];
	const struct fn_mapping *m;

	label_of(call, uuid, sizeof(uuid));
	m = fn_mapping_find(all, uuid);
	fn_service_reply_json(call, 200, json_pack("{ss}", "Function", m ? m->function : ""));
}

/* "NAME" or "NAME:QUALIFIER"; NULL after a reply. */
static char *function_of(const struct op *o, const char *text)
{
	enum fn_name_place place = FN_NAME_OTHER_ACCOUNT;
	struct fn_name n;
	char *name = NULL, why[160];

	if (!fn_str_empty(text) && fn_name_parse(text, &n) == 0)
		place = fn_name_place(&n, NULL, o->all->env->region, o->all->env->account_id, why, sizeof(why));
	if (place == FN_NAME_OTHER_REGION)
		fn_service_reply_error(&o->call, &FN_E_NOT_FOUND, "%s", why);
	else if (place != FN_NAME_HERE)
		fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "Function does not exist");
	else if (asprintf(&name, "%s%s%s", n.name, n.qualifier[0] ? ":" : "", n.qualifier) < 0)
		fn_service_reply_error(&o->call, &FN_E_SERVICE, "out of memory");
	return name;
}

/* Is there another of this queue and function? Then it has been replied. */
static bool is_duplicate(const struct op *o, const char *function)
{
	fn_list_for_each(l, &o->all->list) {
		const struct fn_mapping *m = fn_list_entry(l, struct fn_mapping, link);
		size_t name = strcspn(function, ":");

		if (m != o->m && !m->deleted && fn_streq(m->source, o->m->source) && fn_streq(m->function, function)) {
			fn_service_reply_error(&o->call, &FN_E_CONFLICT,
					       "An event source mapping with SQS arn (\" %s \") and function (\" %.*s \") already exists. Please update or delete the existing mapping with UUID %s", m->source,
					       (int)name, function, m->uuid);
			return true;
		}
	}
	return false;
}

/* --- on disk --- */
/* What is, and what will be; once more: as before. */
static void exchange(struct op *o)
{
	struct fn_mapping *m = o->m;
	char *function = m->function;
	json_t *settings = m->settings;
	bool enabled = m->enabled;

	m->function = o->function;
	m->settings = o->settings;
	m->enabled = o->enabled;
	o->function = function;
	o->settings = settings;
	o->enabled = enabled;
}

static void on_stored(void *arg, const struct fn_err *err)
{
	struct op *o = arg;
	struct fn_mapping *m = o->m;

	if (err) {
		if (!o->creates) {
			exchange(o);
			m->state = m->enabled ? FN_MAPPING_ENABLED : FN_MAPPING_DISABLED;
		}
		fn_service_reply_failed(&o->call, err);
		give_up(o);
		return;
	}
	m->reserved = m->changing = false;
	fn_service_reply_json(&o->call, 202, fn_mapping_json(m));
	fn_mapping_run(m);
	op_free(o);
}

static void store(struct op *o)
{
	struct fn_mapping *m = o->m;

	if (!o->creates) {
		exchange(o);
		m->state = m->enabled == o->enabled ? FN_MAPPING_UPDATING : m->enabled ? FN_MAPPING_ENABLING : FN_MAPPING_DISABLING;
	}
	m->modified_us = fn_clock_real_us();
	fn_mapping_store(m, false, on_stored, o);
}

/* --- what must be there --- */
static void on_judged(void *arg, const char *action, bool asked)
{
	struct op *o = arg;

	if (!asked)
		fn_service_reply_error(&o->call, &FN_E_UNAVAILABLE, "The function's role cannot be looked up now. Try again.");
	else if (action)
		fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "The function execution role does not have permissions to call %s on SQS", action);
	if (!asked || action) {
		give_up(o);
		return;
	}
	if (o->creates)
		o->m->judged = o->m->may = true;
	store(o);
}

static void on_looked(void *arg, const struct fn_source_about *about, const struct fn_err *err)
{
	struct op *o = arg;

	if (err) {
		if (err->code == ENOENT || err->code == EACCES)
			fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "%s", err->msg);
		else
			fn_service_reply_error(&o->call, &FN_E_UNAVAILABLE, "%s", err->msg);
		give_up(o);
	} else if (o->timeout_s * 1000000u > about->visibility_us) {
		fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "Queue visibility timeout: %u seconds is less than Function timeout: %u seconds", (unsigned)(about->visibility_us / 1000000u),
				       (unsigned)o->timeout_s);
		give_up(o);
	} else if (fn_mapping_may(o->all, o->creates ? o->m->function : o->function, o->m->source, on_judged, o) < 0) {
		fn_service_reply_error(&o->call, &FN_E_SERVICE, "out of memory");
		give_up(o);
	}
}

static void on_function(void *arg, struct fn_inner_answer *a)
{
	struct op *o = arg;
	json_t *f = a->error || a->h->status != 200 ? NULL : json_loadb(a->body, a->len, 0, NULL);

	o->timeout_s = (uint64_t)json_integer_value(json_object_get(f, "StoredTimeout")); /* as GetFunctionConfiguration shows it, also before it is in force */
	if (f) {
		json_decref(f);
		if (fn_mapping_look(o->all, o->m->source, on_looked, o) == 0)
			return;
		fn_service_reply_error(&o->call, &FN_E_SERVICE, "out of memory");
	} else if (!a->error && a->h->status == 404) {
		fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "Function does not exist");
	} else {
		fn_service_reply_error(&o->call, &FN_E_UNAVAILABLE, "The function cannot be looked up now. Try again.");
	}
	give_up(o);
}

static void look(struct op *o, const char *function)
{
	if (fn_fnd_function(o->all->env->fnd, function, on_function, o, NULL) < 0) {
		fn_service_reply_error(&o->call, &FN_E_UNAVAILABLE, "The function cannot be looked up now. Try again.");
		give_up(o);
	}
}

/* --- Create --- */
static bool source_ok(const struct op *o, const json_t *in)
{
	const char *arn = json_string_value(json_object_get(in, "EventSourceArn")), *title = "";

	if (!arn && json_object_size(json_object_get(in, "SelfManagedEventSource")) > 0) {
		fn_service_reply_error(&o->call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement mappings of a self-managed Apache Kafka yet: of Amazon SQS queues only");
		return false;
	}
	switch (arn ? fn_source_kind_of(arn, &title) : FN_SOURCE_NONE) {
	case FN_SOURCE_SQS:
		return true;
	case FN_SOURCE_UNBUILT:
		fn_service_reply_error(&o->call, &FN_E_NOT_IMPLEMENTED, "fnd does not implement mappings of %s yet: of Amazon SQS queues only", title);
		return false;
	case FN_SOURCE_NONE:
		break;
	}
	fn_service_reply_error(&o->call, &FN_E_INVALID_PARAMETER, "Unrecognized event source.");
	return false;
}

static bool settings_ok(const struct op *o, const json_t *in, const char *source, const json_t *old, json_t **ret)
{
	fn_auto_buf struct fn_buf why = {0};
	int r = fn_mapping_settings(in, old, fn_source_is_fifo(source), ret, &why);

	if (r < 0)
		fn_service_reply_error(&o->call, r == -EINVAL ? &FN_E_INVALID_PARAMETER : r == -ENOSYS ? &FN_E_NOT_IMPLEMENTED : &FN_E_SERVICE, "%s", why.data ? why.data : "out of memory");
	return r == 0;
}

static struct fn_mapping *make(struct op *o, const json_t *in)
{
	const json_t *enabled = json_object_get(in, "Enabled"), *tags = json_object_get(in, "Tags");
	struct fn_mapping *m;
	char uuid[FN_UUID_SIZE];

	if (!source_ok(o, in))
		return NULL;
	if (tags && !fn_mapping_tags_ok(&o->call, tags))
		return NULL;
	fn_id_uuid(uuid);
	m = fn_mapping_new(o->all, uuid);
	if (!m) {
		fn_service_reply_error(&o->call, &FN_E_SERVICE, "out of memory");
		return NULL;
	}
	m->reserved = true;
	m->enabled = !json_is_false(enabled);
	m->state = m->enabled ? FN_MAPPING_CREATING : FN_MAPPING_DISABLED;
	m->tags = tags ? json_deep_copy(tags) : json_object();
	m->source = strdup(json_string_value(json_object_get(in, "EventSourceArn")));
	if (!m->source || !m->tags)
		fn_service_reply_error(&o->call, &FN_E_SERVICE, "out of memory");
	else if (settings_ok(o, in, m->source, NULL, &m->settings))
		m->function = function_of(o, json_string_value(json_object_get(in, "FunctionName")));
	if (m->function)
		return m;
	fn_mapping_free(m);
	return NULL;
}

void fn_mapping_h_create(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct op *o = op_new(all, call);
	json_t *in = body_of(call);

	if (o) {
		o->creates = true;
		o->m = make(o, in);
		if (!o->m) {
			op_free(o);
		} else if (is_duplicate(o, o->m->function)) {
			give_up(o);
		} else if (fn_mapping_add(o->m) < 0) {
			fn_service_reply_error(call, &FN_E_SERVICE, "out of memory");
			give_up(o);
		} else {
			look(o, o->m->function);
		}
	}
	json_decref(in);
}

/* --- Get, Update, Delete --- */
void fn_mapping_h_get(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct fn_mapping *m = named(all, call);

	if (m)
		fn_service_reply_json(call, 200, fn_mapping_json(m));
}

/* A change is refused while one before it has not come to its end. */
static bool in_use(const struct fn_mapping *m, const struct fn_service_call *call, const char *what)
{
	bool is = m->changing || (m->state != FN_MAPPING_ENABLED && m->state != FN_MAPPING_DISABLED);

	if (is)
		fn_service_reply_error(call, &IN_USE, "Cannot %s the event source mapping because it is in use.", what);
	return is;
}

void fn_mapping_h_update(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct fn_mapping *m = named(all, call);
	struct op *o = m && !in_use(m, call, "update") ? op_new(all, call) : NULL;
	const char *function;
	json_t *in;

	if (!o)
		return;
	in = body_of(call);
	o->m = m;
	m->changing = true;
	function = json_string_value(json_object_get(in, "FunctionName"));
	o->enabled = json_is_boolean(json_object_get(in, "Enabled")) ? json_is_true(json_object_get(in, "Enabled")) : m->enabled;
	if (settings_ok(o, in, m->source, m->settings, &o->settings))
		o->function = function ? function_of(o, function) : strdup(m->function);
	if (!o->function || is_duplicate(o, o->function))
		give_up(o);
	else if (function || o->enabled)
		look(o, o->function);
	else
		store(o);
	json_decref(in);
}

static void on_deleted(void *arg, const struct fn_err *err)
{
	struct op *o = arg;
	struct fn_mapping *m = o->m;

	m->changing = false;
	if (err) {
		m->state = m->enabled ? FN_MAPPING_ENABLED : FN_MAPPING_DISABLED;
		fn_service_reply_failed(&o->call, err);
	} else {
		m->deleted = true;
		fn_service_reply_json(&o->call, 202, fn_mapping_json(m));
		fn_mapping_run(m); /* may end it */
	}
	op_free(o);
}

void fn_mapping_h_delete(struct fn_mappings *all, const struct fn_service_call *call)
{
	struct fn_mapping *m = named(all, call);
	struct op *o = m && !in_use(m, call, "delete") ? op_new(all, call) : NULL;

	if (!o)
		return;
	o->m = m;
	m->changing = true;
	m->state = FN_MAPPING_DELETING;
	m->modified_us = fn_clock_real_us();
	fn_mapping_store(m, true, on_deleted, o);
}

/* --- List --- */
static bool wanted(const struct fn_mapping *m, const char *source, const char *function)
{
	return !m->reserved && (!source || fn_streq(m->source, source)) && (!function || fn_streq(m->function, function));
}

static const struct fn_list *start_of(struct fn_mappings *all, const char *marker)
{
	const struct fn_mapping *m = marker ? fn_mapping_find(all, marker) : NULL;

	return m ? &m->link : &all->list;
}

void fn_mapping_h_list(struct fn_mappings *all, const struct fn_service_call *call)
{
	const char *source = fn_http_req_query(call->req, "EventSourceArn"), *name = fn_http_req_query(call->req, "FunctionName"), *marker = fn_http_req_query(call->req, "Marker"),
		   *items = fn_http_req_query(call->req, "MaxItems");
	struct op o = {.call = *call, .all = all};
	int64_t most = PAGE;
	const struct fn_mapping *last = NULL;
	json_t *list, *answer;
	char *function = NULL;

	if (!fn_str_empty(name) && !(function = function_of(&o, name)))
		return;
	if (!fn_str_empty(marker) && !fn_mapping_find(all, marker)) {
		fn_service_reply_error(call, &FN_E_INVALID_PARAMETER, "Invalid marker");
		free(function);
		return;
	}
	if (items)
		(void)fn_str_to_i64(items, 1, PAGE, &most);
	list = json_array();
	answer = json_pack("{so}", "EventSourceMappings", list);
	for (const struct fn_list *l = start_of(all, marker)->next; l != &all->list; l = l->next) {
		const struct fn_mapping *m = fn_list_entry(l, struct fn_mapping, link);

		if (!wanted(m, fn_str_empty(source) ? NULL : source, function))
			continue;
		if (json_array_size(list) == (size_t)most) {
			json_object_set_new(answer, "NextMarker", json_string(last->uuid));
			break;
		}
		json_array_append_new(list, fn_mapping_json(m));
		last = m;
	}
	free(function);
	fn_service_reply_json(call, 200, answer);
}

/* queues.c - the operations on queues as such. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sqs/internal.h"

#define TAGS_MAX 50
#define PAGE_MAX 1000

/* --- create --- */
static int check_name(const char *name, bool fifo, struct fn_sqs_problem *p)
{
	size_t len = name ? strlen(name) : 0, stem = fn_str_ends(name ? name : "", ".fifo") ? len - 5 : len;
	bool is = len >= 1 && len <= 80 && stem >= 1 && (stem != len) == fifo;

	if (!name)
		return fn_sqs_wrong(p, &FN_SQS_MISSING, "The request must contain the parameter QueueName.");
	for (size_t i = 0; i < stem; i++)
		is = is && (isalnum((unsigned char)name[i]) || name[i] == '-' || name[i] == '_');
	if (is)
		return 0;
	if (fifo && stem == len)
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.");
	return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
}

static json_t *url_answer(struct fn_sqs_call *call, const char *name)
{
	fn_auto_free char *url = fn_sqs_url(call, name);

	return url ? json_pack("{s:s}", "QueueUrl", url) : NULL;
}

/* The one of this name that there is must have what is asked for. */
static int same(const struct fn_sqs_queue *q, const json_t *attributes, struct fn_sqs_problem *p)
{
	const json_t *had = json_object_get(q->next ? q->next : q->config, "Attributes");
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)attributes, name, v)
		if (!json_equal(json_object_get(had, name), v))
			return fn_sqs_wrong(p, &FN_SQS_EXISTS, "A queue already exists with the same name and a different value for attribute %s", name);
	return 0;
}

static bool deleted_recently(struct fn_sqs *sqs, const char *name)
{
	uint64_t *when = fn_map_get(sqs->deleted, name);

	if (!when)
		return false;
	if (fn_clock_mono_us() - *when < sqs->delete_wait_s * 1000000ull)
		return true;
	free(fn_map_remove(sqs->deleted, name));
	return false;
}

static int check_tags(const json_t *tags, size_t had, struct fn_sqs_problem *p)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)tags, key, v)
	{
		const char *text = json_string_value(v);

		if (!*key || fn_sqs_characters(key) > 128 || !text || fn_sqs_characters(text) > 256)
			return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Tag keys must be between 1 and 128 characters in length, values at most 256.");
		if (strncasecmp(key, "aws:", 4) == 0)
			return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Tag keys must not begin with aws:, which is reserved.");
	}
	return had + json_object_size(tags) > TAGS_MAX ? fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Too many tags added for queue.") : 0;
}

void fn_sqs_h_create(struct fn_sqs_call *call)
{
	const char *name = fn_sqs_text(call->in, "QueueName");
	const json_t *given = json_object_get(call->in, "Attributes"), *tags = json_object_get(call->in, "tags");
	const char *kind = fn_sqs_text(given, "FifoQueue");
	bool fifo = kind && strcasecmp(kind, "true") == 0;
	struct fn_sqs_problem p;
	struct fn_sqs_queue *q;
	json_t *attributes, *config;
	int64_t now_s = (int64_t)(fn_clock_real_us() / 1000000);

	if (check_name(name, fifo, &p) < 0 || check_tags(tags, 0, &p) < 0 || fn_sqs_attributes_check(call->sqs, name, fifo, given, NULL, &attributes, &p) < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	q = fn_map_get(call->sqs->by_name, name);
	if (q) { /* told when that one is on disk */
		if (same(q, attributes, &p) < 0)
			fn_sqs_fail_with(call, &p);
		else if (q->made)
			fn_sqs_reply(call, url_answer(call, name));
		else
			fn_sqs_store(call, q, fn_sqs_config_copy(q), url_answer(call, name));
		json_decref(attributes);
		return;
	}
	if (deleted_recently(call->sqs, name)) {
		json_decref(attributes);
		fn_sqs_fail(call, &FN_SQS_DELETED_RECENTLY, "You must wait %u seconds after deleting a queue before you can create another with the same name.",
			    call->sqs->delete_wait_s);
		return;
	}
	fn_sqs_attributes_defaults(attributes, fifo);
	config = json_pack("{s:o, s:o, s:I, s:I}", "Attributes", attributes, "Tags", tags ? json_deep_copy(tags) : json_object(), "Created", (json_int_t)now_s,
			   "Modified", (json_int_t)now_s);
	q = config ? fn_sqs_queue_new(call->sqs, name, json_deep_copy(config)) : NULL;
	if (!q) {
		json_decref(config);
		fn_sqs_fail(call, &FN_SQS_UNAVAILABLE, "Try again.");
		return;
	}
	fn_sqs_store(call, q, config, url_answer(call, name));
}

/* --- look-ups --- */
void fn_sqs_h_url(struct fn_sqs_call *call)
{
	const char *name = fn_sqs_text(call->in, "QueueName"), *owner = fn_sqs_text(call->in, "QueueOwnerAWSAccountId");

	if (!name)
		fn_sqs_fail(call, &FN_SQS_MISSING, "The request must contain the parameter QueueName.");
	else if (!fn_sqs_queue_named(call->sqs, name) || (owner && strcmp(owner, call->sqs->account_id) != 0))
		fn_sqs_fail(call, &FN_SQS_NO_QUEUE, "The specified queue does not exist.");
	else
		fn_sqs_reply(call, url_answer(call, name));
}

static int by_name(const void *a, const void *b) { return strcmp((*(struct fn_sqs_queue *const *)a)->name, (*(struct fn_sqs_queue *const *)b)->name); }

static int token_name(const char *token, char ret[81], struct fn_sqs_problem *p)
{
	fn_auto_free uint8_t *name = NULL;
	size_t len = 0;

	if (!token || !*token)
		return 0;
	if (fn_base64_decode(token, strlen(token), &name, &len) < 0 || len > 80)
		return fn_sqs_wrong(p, &FN_SQS_BAD_VALUE, "Invalid or expired next token.");
	memcpy(ret, name, len);
	ret[len] = '\0';
	return 0;
}

/* A page of those that `is` says yes to, under the member's name; the token is the last one's name, in base64. */
static void list(struct fn_sqs_call *call, const char *member, bool (*is)(struct fn_sqs_call *call, const struct fn_sqs_queue *q))
{
	const char *token = fn_sqs_text(call->in, "NextToken");
	fn_auto_free struct fn_sqs_queue **v = malloc((fn_map_count(call->sqs->by_name) + 1) * sizeof(struct fn_sqs_queue *));
	char after[81] = "";
	json_t *urls = json_array(), *out = json_object();
	size_t n = 0, it = 0, i = 0;
	struct fn_sqs_queue *q, *last = NULL;
	int64_t max = PAGE_MAX;
	bool paged = fn_sqs_number(call->in, "MaxResults", &max);
	struct fn_sqs_problem p;

	if (fn_sqs_bounded(call->in, "MaxResults", 1, PAGE_MAX, "MaxResults must be an integer between 1 and 1000.", &max, &p) < 0 ||
	    token_name(token, after, &p) < 0) {
		json_decref(urls);
		json_decref(out);
		fn_sqs_fail_with(call, &p);
		return;
	}
	while (v && (q = fn_map_next(call->sqs->by_name, &it)))
		if (q->made && is(call, q))
			v[n++] = q;
	if (v)
		qsort(v, n, sizeof(struct fn_sqs_queue *), by_name);
	for (; i < n && (int64_t)json_array_size(urls) < max; i++) {
		fn_auto_free char *url = NULL;

		if (strcmp(v[i]->name, after) <= 0)
			continue;
		url = fn_sqs_url(call, v[i]->name);
		(void)json_array_append_new(urls, json_string(url ? url : ""));
		last = v[i];
	}
	if (paged && i < n && last) {
		fn_auto_free char *next = NULL;

		if (fn_base64_encode(last->name, strlen(last->name), &next) == 0)
			(void)json_object_set_new(out, "NextToken", json_string(next));
	}
	if (json_array_size(urls) > 0 || strcmp(member, "queueUrls") == 0)
		(void)json_object_set(out, member, urls);
	json_decref(urls);
	fn_sqs_reply(call, out);
}

static bool has_prefix(struct fn_sqs_call *call, const struct fn_sqs_queue *q)
{
	const char *prefix = fn_sqs_text(call->in, "QueueNamePrefix");

	return !prefix || fn_str_starts(q->name, prefix);
}

static bool is_source(struct fn_sqs_call *call, const struct fn_sqs_queue *q) { return fn_streq(q->settings.dead, call->queue->name); }

void fn_sqs_h_list(struct fn_sqs_call *call) { list(call, "QueueUrls", has_prefix); }
void fn_sqs_h_sources(struct fn_sqs_call *call) { list(call, "queueUrls", is_source); }

void fn_sqs_h_get_attributes(struct fn_sqs_call *call)
{
	struct fn_sqs_problem p;
	json_t *v;

	if (fn_sqs_attributes_show(call->queue, json_object_get(call->in, "AttributeNames"), &v, &p) < 0) {
		fn_sqs_fail_with(call, &p);
		return;
	}
	if (json_object_size(v) == 0) {
		json_decref(v);
		fn_sqs_reply(call, json_object());
		return;
	}
	fn_sqs_reply(call, json_pack("{s:o}", "Attributes", v));
}

/* --- changes --- */
void fn_sqs_h_set_attributes(struct fn_sqs_call *call)
{
	struct fn_sqs_queue *q = call->queue;
	json_t *config = fn_sqs_config_copy(q), *attributes = json_object_get(config, "Attributes"), *checked, *v;
	const json_t *given = json_object_get(call->in, "Attributes");
	struct fn_sqs_problem p;
	const char *name;

	if (!given) {
		json_decref(config);
		fn_sqs_fail(call, &FN_SQS_MISSING, "The request must contain the parameter Attribute.Name.");
		return;
	}
	if (fn_sqs_attributes_check(call->sqs, q->name, q->settings.fifo, given, attributes, &checked, &p) < 0) {
		json_decref(config);
		fn_sqs_fail_with(call, &p);
		return;
	}
	json_object_foreach(checked, name, v)
	{
		if (*json_string_value(v))
			(void)json_object_set(attributes, name, v);
		else
			(void)json_object_del(attributes, name);
	}
	json_decref(checked);
	(void)json_object_set_new(config, "Modified", json_integer((json_int_t)(fn_clock_real_us() / 1000000)));
	fn_sqs_store(call, q, config, NULL);
}

void fn_sqs_h_delete_queue(struct fn_sqs_call *call)
{
	if (call->sqs->delete_wait_s) {
		uint64_t *when = malloc(sizeof(*when));
		void *old = NULL;

		if (when) {
			*when = fn_clock_mono_us();
			if (fn_map_set(call->sqs->deleted, call->queue->name, when, &old) < 0)
				old = when;
			free(old);
		}
	}
	fn_sqs_remove(call, call->queue);
}

static void on_purged(void *arg, const struct fn_err *err)
{
	struct fn_sqs_call *call = arg;

	call->sqs->busy--;
	if (err)
		fn_sqs_failed(call, err);
	else
		fn_sqs_reply(call, NULL);
}

void fn_sqs_h_purge(struct fn_sqs_call *call)
{
	struct fn_sqs_queue *q = call->queue;
	uint64_t now_us = fn_clock_mono_us();

	if (q->purged_us && now_us - q->purged_us < call->sqs->purge_wait_s * 1000000ull) {
		fn_sqs_fail(call, &FN_SQS_PURGING, "Only one PurgeQueue operation on %s is allowed every %u seconds.", q->name, call->sqs->purge_wait_s);
		return;
	}
	q->purged_us = now_us;
	call->sqs->busy++;
	fn_queue_purge(q->queue, on_purged, call);
}

/* --- tags --- */
void fn_sqs_h_tag(struct fn_sqs_call *call)
{
	json_t *config = fn_sqs_config_copy(call->queue), *tags = json_object_get(config, "Tags");
	const json_t *given = json_object_get(call->in, "Tags");
	struct fn_sqs_problem p;

	if (!given)
		(void)fn_sqs_wrong(&p, &FN_SQS_MISSING, "The request must contain the parameter Tags.");
	if (!given || json_object_update(tags, (json_t *)given) < 0 || check_tags(given, json_object_size(tags) - json_object_size(given), &p) < 0) {
		json_decref(config);
		fn_sqs_fail_with(call, &p);
		return;
	}
	fn_sqs_store(call, call->queue, config, NULL);
}

void fn_sqs_h_untag(struct fn_sqs_call *call)
{
	json_t *config = fn_sqs_config_copy(call->queue), *tags = json_object_get(config, "Tags"), *v;
	size_t i;

	json_array_foreach(json_object_get(call->in, "TagKeys"), i, v)
		if (json_is_string(v))
			(void)json_object_del(tags, json_string_value(v));
	fn_sqs_store(call, call->queue, config, NULL);
}

void fn_sqs_h_tags(struct fn_sqs_call *call)
{
	json_t *tags = json_object_get(call->queue->config, "Tags");

	fn_sqs_reply(call, json_object_size(tags) ? json_pack("{s:O}", "Tags", tags) : json_object());
}

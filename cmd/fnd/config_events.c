/*
 * config_events.c - "events" in fnd's configuration: what happens without a caller who waits. All of it is given to fn-events as it is, in a file in memory.
 *
 *   {"user": "fn-events", "async_share": 0.5, "retry_delays_s": [60, 120], "backoff_s": [1, 300], "idempotency_s": 86400,
 *    "endpoints": {"sqs": {"url": "https://...", "region": "...", "credentials_file": "...", "ca_file": "..."}}}: config_endpoints.c
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config.h"
#include "config_endpoints.h"
#include "sealed.h"

#define DAY_S 86400.0

static bool is_user(json_t *v) { return json_is_string(v) && *json_string_value(v); }
static bool is_between(json_t *v, double min, double max) { return json_is_number(v) && json_number_value(v) >= min && json_number_value(v) <= max; }
static bool is_share(json_t *v) { return is_between(v, 0.01, 1); }
static bool is_idempotency(json_t *v) { return is_between(v, 1, 30 * DAY_S); }

static bool is_wait(json_t *v) { return json_is_integer(v) && is_between(v, 0, 3600); }

static bool is_pair(json_t *v)
{
	return json_is_array(v) && json_array_size(v) == 2 && is_between(json_array_get(v, 0), 0.001, DAY_S) && is_between(json_array_get(v, 1), 0.001, DAY_S);
}

static bool is_endpoints(json_t *v) { return fnd_endpoints_fit(v); }
static bool is_backoff(json_t *v) { return is_pair(v) && json_number_value(json_array_get(v, 0)) <= json_number_value(json_array_get(v, 1)); }

/* A new key: its check, what it must be, and its default below. */
static const struct {
	const char *key;
	bool (*fits)(json_t *v);
	const char *rule, *initial;
} keys[] = {
	{"user", is_user, "must be a user's name", "\"fn-events\""},
	{"async_share", is_share, "must be a number from 0.01 to 1", "0.5"},
	{"retry_delays_s", is_pair, "must be two numbers of seconds: before the first retry, before the second", "[60, 120]"},
	{"backoff_s", is_backoff, "must be two numbers of seconds: the first pause and the longest", "[1, 300]"},
	{"queue_purge_wait_s", is_wait, "must be a whole number of seconds from 0 to 3600", "0"},
	{"queue_delete_wait_s", is_wait, "must be a whole number of seconds from 0 to 3600", "0"},
	{"idempotency_s", is_idempotency, "must be a number of seconds from 1 to 2592000", "86400"},
	{"endpoints", is_endpoints, "takes sqs, sns, events, s3: each {\"url\": \"https://..\", ..}, a region like eu-west-1", "{}"},
};
#define N (sizeof(keys) / sizeof(keys[0]))

int fnd_config_events_init(struct fnd_config *c)
{
	c->events = json_object();
	for (size_t i = 0; i < N; i++)
		if (json_object_set_new(c->events, keys[i].key, json_loads(keys[i].initial, JSON_DECODE_ANY, NULL)) < 0)
			return -ENOMEM;
	return 0;
}

int fnd_config_events(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err)
{
	const char *key;
	json_t *v;

	if (!json_is_object(o))
		return fn_err_set(err, EINVAL, "configuration", "%.100s: \"events\" must be an object", file);
	json_object_foreach(o, key, v) {
		size_t i = 0;

		while (i < N && !fn_streq(keys[i].key, key))
			i++;
		if (i == N || !keys[i].fits(v))
			return fn_err_set(err, EINVAL, "configuration", "%.60s: \"events\": \"%.40s\" %.80s", file, key, i == N ? "is no key of \"events\"" : keys[i].rule);
		if ((fn_streq(key, "endpoints") && fnd_endpoints_place(v, file) < 0) || json_object_set(c->events, key, v) < 0)
			return fn_err_set(err, ENOMEM, "configuration", NULL);
	}
	return 0;
}

const char *fnd_config_events_user(const struct fnd_config *c) { return json_string_value(json_object_get(c->events, "user")); }
double fnd_config_async_share(const struct fnd_config *c) { return json_number_value(json_object_get(c->events, "async_share")); }
void fnd_config_events_free(struct fnd_config *c) { json_decref(c->events); }

int fnd_config_events_text(const struct fnd_config *c, struct fn_err *err)
{
	json_t *events = json_deep_copy(c->events);
	int r = events ? fnd_endpoints_resolve(json_object_get(events, "endpoints"), err) : fn_err_set(err, ENOMEM, "events", NULL);
	json_t *o = r < 0 ? NULL : json_pack("{ss,ss,sI,sI,sI,sI,sO}", "region", c->region, "account_id", c->account_id, "account_concurrency", (json_int_t)c->account_concurrency, "drain_grace_s",
			      (json_int_t)c->drain_grace_s, "body_budget_mb", (json_int_t)c->body_budget_mb, "peer_percent", (json_int_t)c->peer_percent, "events", events);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	int fd = text ? fnd_sealed_text("fn-events", text, strlen(text)) : -ENOMEM;

	if (r == 0 && fd < 0)
		fn_err_set(err, fd, "start fn-events", NULL);
	json_decref(o);
	json_decref(events);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return r < 0 ? r : fd;
}

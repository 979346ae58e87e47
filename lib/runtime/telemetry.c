/* telemetry.c - see telemetry.h. */
#include "runtime/telemetry.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "runtime/telemetry_internal.h"

/* An event of an init, for those that subscribe later. */
struct past {
	struct past *next;
	uint64_t real_us;
	enum fn_telemetry_kind kind; /* the platform's, or a line, whose text is `record` then */
	enum fn_platform_event what;
	char *record;
	size_t len;
};

/* --- what was before a subscription --- */
static void remember(struct fn_telemetry *t, uint64_t real_us, enum fn_telemetry_kind kind, enum fn_platform_event what, const char *text, size_t len)
{
	struct past *p;

	if (!t->open || t->past_bytes + len > FN_TELEMETRY_PAST_MAX || t->host->bytes + len > FN_TELEMETRY_BYTES_MAX)
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		return;
	*p = (struct past){.real_us = real_us, .kind = kind, .what = what, .record = strndup(text, len), .len = len};
	if (!p->record) {
		free(p);
		return;
	}
	len += sizeof(*p);
	t->past_bytes += len;
	t->host->bytes += len;
	*t->past_end = p;
	t->past_end = &p->next;
}

static void forget_past(struct fn_telemetry *t)
{
	struct past *p;

	while ((p = t->past)) {
		t->past = p->next;
		free(p->record);
		free(p);
	}
	t->past_end = &t->past;
	t->host->bytes -= t->past_bytes;
	t->past_bytes = 0;
}

void fn_telemetry_event(struct fn_telemetry *t, uint64_t real_us, enum fn_platform_event what, const char *record)
{
	if (!t)
		return;
	remember(t, real_us, FN_TELEMETRY_PLATFORM, what, record, strlen(record));
	for (unsigned i = 0; i < t->n; i++)
		fn_subscriber_event(t->all[i], real_us, what, record);
}

static void record_line(struct fn_telemetry *t, uint64_t real_us, enum fn_telemetry_kind kind, const char *text, size_t len)
{
	fn_auto_buf struct fn_buf lines = {0};

	if (memchr(text, '\r', len) && fn_buf_add(&lines, text, len) == 0) {
		fn_str_lines(lines.data, len);
		text = lines.data;
	}
	remember(t, real_us, kind, 0, text, len);
	for (unsigned i = 0; i < t->n; i++)
		fn_subscriber_line(t->all[i], real_us, kind, text, len);
}

void fn_telemetry_lines(struct fn_telemetry *t, uint64_t real_us, enum fn_telemetry_kind kind, const char *text, size_t len)
{
	if (!t)
		return;
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;

		record_line(t, real_us, kind, text, n);
		n += nl != NULL;
		text += n;
		len -= n;
	}
}

/* --- subscribing --- */
static struct fn_subscriber *find(const struct fn_telemetry *t, const char *name)
{
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->all[i]->name, name) == 0)
			return t->all[i];
	return NULL;
}

static void announce(struct fn_telemetry *t, const struct fn_subscriber *s, const char *state)
{
	static const enum fn_telemetry_kind kinds[] = {FN_TELEMETRY_PLATFORM, FN_TELEMETRY_FUNCTION, FN_TELEMETRY_EXTENSION};
	fn_auto_free char *record = NULL;
	json_t *types = json_array(), *o;

	for (unsigned i = 0; i < 3; i++)
		if (s->sub.kinds & kinds[i])
			(void)json_array_append_new(types, json_string(fn_telemetry_kind_name(kinds[i])));
	o = json_pack("{s:s,s:s,s:o}", "name", s->name, "state", state, "types", types);
	record = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (record)
		fn_telemetry_event(t, fn_clock_real_us(), s->sub.api == FN_API_LOGS ? FN_PLATFORM_LOGS_SUBSCRIPTION : FN_PLATFORM_TELEMETRY_SUBSCRIPTION, record);
}

enum refusal { CLOSED, INVALID, NO_MEMORY };

static void refuse(struct fn_telemetry_answer *ret, enum fn_telemetry_api api, enum refusal why, const char *message)
{
	static const struct {
		unsigned status;
		const char *type[2]; /* by API */
	} refusals[] = {
		[CLOSED] = {403, {[FN_API_TELEMETRY] = "Telemetry.SubscriptionClosed", [FN_API_LOGS] = "Logs.SubscriptionClosed"}},
		[INVALID] = {400, {[FN_API_TELEMETRY] = "ValidationError", [FN_API_LOGS] = "Logs.ValidationError"}},
		[NO_MEMORY] = {500, {[FN_API_TELEMETRY] = "Telemetry.InternalError", [FN_API_LOGS] = "Logs.InternalError"}},
	};

	ret->status = refusals[why].status;
	snprintf(ret->body, sizeof(ret->body), "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, refusals[why].type[api]);
}

static const char *api_name(enum fn_telemetry_api api) { return api == FN_API_LOGS ? "Logs API" : "Telemetry API"; }

static struct fn_subscriber *begin(struct fn_telemetry *t, const char *name, const struct fn_subscription *sub)
{
	struct fn_subscriber *s = t->n < FN_TELEMETRY_SUBSCRIBERS_MAX ? fn_subscriber_new(t, name, sub) : NULL;

	if (!s)
		return NULL;
	t->all[t->n++] = s;
	for (const struct past *p = t->past; p; p = p->next)
		if (p->kind == FN_TELEMETRY_PLATFORM)
			fn_subscriber_event(s, p->real_us, p->what, p->record);
		else
			fn_subscriber_line(s, p->real_us, p->kind, p->record, p->len);
	return s;
}

void fn_telemetry_subscribe(struct fn_telemetry *t, enum fn_telemetry_api api, const char *name, const char *body, size_t len,
			    struct fn_telemetry_answer *ret)
{
	fn_auto_buf struct fn_buf clean = {0};
	struct fn_subscription sub;
	struct fn_subscriber *s;
	char why[256];
	bool again;

	if (!t->open) {
		snprintf(why, sizeof(why), "%s subscription is closed already", api_name(api));
		refuse(ret, api, CLOSED, why);
		return;
	}
	if (fn_subscription_parse(api, body, len, &sub, why, sizeof(why)) < 0) {
		refuse(ret, api, INVALID, why);
		return;
	}
	s = fn_buf_add_utf8(&clean, name, strlen(name)) == 0 ? find(t, clean.data) : NULL;
	if (s && s->sub.api != api) {
		snprintf(why, sizeof(why), "the extension has subscribed by the %s already", api_name(s->sub.api));
		refuse(ret, api, INVALID, why);
		return;
	}
	again = s != NULL;
	if (!s)
		s = clean.data ? begin(t, clean.data, &sub) : NULL;
	else if (s->generation != t->generation && fn_subscriber_move(s, &sub) < 0)
		s = NULL;
	if (!s) {
		refuse(ret, api, NO_MEMORY, "out of memory");
		return;
	}
	s->generation = t->generation;
	announce(t, s, again ? "Already subscribed" : "Subscribed");
	ret->status = 200;
	snprintf(ret->body, sizeof(ret->body), "\"OK\"");
}

/* --- its environment --- */
int fn_telemetry_new(struct fn_telemetry_host *host, const struct fn_telemetry_ops *ops, void *arg, bool json, struct fn_telemetry **ret)
{
	struct fn_telemetry *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->host = host;
	t->ops = ops;
	t->arg = arg;
	t->json = json;
	t->past_end = &t->past;
	t->open = true;
	*ret = t;
	return 0;
}

void fn_telemetry_free(struct fn_telemetry *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->n; i++)
		fn_subscriber_free(t->all[i]);
	forget_past(t);
	fn_buf_free(&t->scratch[0]);
	fn_buf_free(&t->scratch[1]);
	free(t);
}

void fn_telemetry_begin(struct fn_telemetry *t)
{
	if (!t)
		return;
	t->generation++;
	t->open = true;
	fn_telemetry_resume(t);
}

void fn_telemetry_initialised(struct fn_telemetry *t)
{
	if (!t)
		return;
	t->open = false;
	forget_past(t);
}

void fn_telemetry_pause(struct fn_telemetry *t)
{
	if (!t)
		return;
	t->paused = true;
	for (unsigned i = 0; i < t->n; i++)
		fn_delivery_pause(t->all[i]->delivery);
}

void fn_telemetry_resume(struct fn_telemetry *t)
{
	if (!t || !t->paused)
		return;
	t->paused = false;
	for (unsigned i = 0; i < t->n; i++)
		fn_subscriber_resume(t->all[i]);
}

void fn_telemetry_lost(struct fn_telemetry *t)
{
	if (!t)
		return;
	t->paused = true;
	for (unsigned i = 0; i < t->n; i++)
		fn_delivery_lost(t->all[i]->delivery);
}

void fn_telemetry_flush(struct fn_telemetry *t)
{
	for (unsigned i = 0; t && i < t->n; i++)
		fn_subscriber_flush(t->all[i]);
}

bool fn_telemetry_busy(const struct fn_telemetry *t)
{
	for (unsigned i = 0; t && i < t->n; i++)
		if (t->all[i]->flight.items > 0 || t->all[i]->gathers.items > 0)
			return true;
	return false;
}

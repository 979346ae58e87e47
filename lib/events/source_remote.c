/* source_remote.c - see source_remote.h. */
#include "events/source_remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "events/sqs_record.h"
#include "events/remote_call.h"

#define POLL_S 20
#define MESSAGES 10u   /* of one answer */
#define POLLS_MAX 16u  /* at once */
#define ANSWER_MAX (24u << 20)
#define DELETE_TRIES 5
#define DELETE_PAUSE_US 200000u

struct poll {
	struct remote *s;
	struct fn_remote_request *call;
	unsigned n;
};

struct remote {
	struct fn_source base;
	struct fn_loop *loop;
	const struct fn_endpoint *endpoint;
	char *arn, *region, *url;    /* url: of the queue, at the server; NULL = not asked yet */
	struct fn_remote_request *lookup;
	struct poll polls[POLLS_MAX];
	unsigned n_polls, wanted;
	bool busy;                   /* the last answer was full: there is more */
	bool waiting;                /* for the timer, before it is tried again */
	uint64_t visibility_us, hide_us, timer;
};

static void go_on(struct remote *s);

static void on_timer(void *arg)
{
	struct remote *s = arg;

	s->waiting = false;
	go_on(s);
}

static void failed(struct remote *s, const char *what, bool url_too)
{
	if (url_too) {
		free(s->url);
		s->url = NULL;
	}
	s->busy = false;
	s->waiting = true;
	(void)fn_loop_rearm_timer(s->loop, s->timer, fn_loop_now_us(s->loop) + fn_source_pause(&s->base));
	fn_source_tell(&s->base, what);
}

/* --- where the queue is, and how long it hides what it gives --- */
typedef void (*answered_fn)(void *arg, const struct fn_remote_reply *a);

static int ask_url(const struct fn_endpoint *p, const char *arn, answered_fn done, void *arg, struct fn_remote_request **ret)
{
	const char *name = strrchr(arn, ':');

	return fn_remote_call(p, "GetQueueUrl", json_pack("{ss}", "QueueName", name ? name + 1 : arn), 0, 65536, done, arg, ret);
}

static int ask_visibility(const struct fn_endpoint *p, const char *url, answered_fn done, void *arg, struct fn_remote_request **ret)
{
	return fn_remote_call(p, "GetQueueAttributes", json_pack("{ss,s[s]}", "QueueUrl", url, "AttributeNames", "VisibilityTimeout"), 0, 65536, done, arg, ret);
}

static uint64_t visibility_us(const struct fn_remote_reply *a)
{
	int64_t s = 30;

	(void)fn_str_to_i64(json_string_value(json_object_get(json_object_get(a->body, "Attributes"), "VisibilityTimeout")) ?: "", 0, 43200, &s);
	return (uint64_t)s * 1000000u;
}

static void on_attributes(void *arg, const struct fn_remote_reply *a)
{
	struct remote *s = arg;

	s->lookup = NULL;
	if (a->error) {
		failed(s, a->what, true);
		return;
	}
	s->visibility_us = visibility_us(a);
	fn_source_tell(&s->base, NULL);
	go_on(s);
}

static void on_url(void *arg, const struct fn_remote_reply *a)
{
	struct remote *s = arg;
	const char *url = json_string_value(json_object_get(a->body, "QueueUrl"));

	s->lookup = NULL;
	if (a->error || !url) {
		failed(s, a->error ? a->what : "PROBLEM: The server gives no QueueUrl", true);
		return;
	}
	s->url = strdup(url);
	if (!s->url || ask_visibility(s->endpoint, url, on_attributes, s, &s->lookup) < 0)
		failed(s, "PROBLEM: out of memory", true);
}

/* --- polls --- */
static void take(struct remote *s, const struct fn_remote_reply *a, struct fn_list *list)
{
	uint64_t until = fn_loop_now_us(s->loop) + (s->hide_us ? s->hide_us : s->visibility_us);
	size_t i;
	json_t *m;

	json_array_foreach(json_object_get(a->body, "Messages"), i, m) {
		struct fn_source_message *one = calloc(1, sizeof(*one));

		if (one)
			one->record = fn_record_of(m, s->arn, s->region);
		if (!one || !one->record) {
			free(one);
			continue;
		}
		one->until_us = until;
		fn_list_push_back(list, &one->link);
	}
}

static void on_messages(void *arg, const struct fn_remote_reply *a)
{
	struct poll *p = arg;
	struct remote *s = p->s;
	size_t n = json_array_size(json_object_get(a->body, "Messages"));
	struct fn_list list;

	p->call = NULL;
	s->n_polls--;
	if (a->error) {
		failed(s, a->what, a->error == ENOENT);
		return;
	}
	s->base.pause_us = 0;
	s->busy = n == p->n;
	fn_source_tell(&s->base, NULL);
	fn_list_init(&list);
	take(s, a, &list);
	s->wanted = s->wanted > n ? s->wanted - (unsigned)n : 0;
	if (!fn_list_empty(&list))
		s->base.events.messages(s->base.events.arg, &list); /* which says anew what it wants */
	go_on(s);
}

static void poll(struct remote *s, struct poll *p, unsigned n)
{
	json_t *q = json_pack("{ss,si,si,s[s],s[s],s[s]}", "QueueUrl", s->url, "MaxNumberOfMessages", (int)n, "WaitTimeSeconds", s->n_polls ? 0 : POLL_S, "AttributeNames", "All",
			      "MessageSystemAttributeNames", "All", "MessageAttributeNames", "All");

	if (s->hide_us)
		json_object_set_new(q, "VisibilityTimeout", json_integer((json_int_t)(s->hide_us / 1000000u)));
	p->s = s;
	p->n = n;
	if (fn_remote_call(s->endpoint, "ReceiveMessage", q, (POLL_S + 10) * 1000000u, ANSWER_MAX, on_messages, p, &p->call) < 0)
		failed(s, "PROBLEM: out of memory", false);
	else
		s->n_polls++;
}

static void go_on(struct remote *s)
{
	unsigned under_way = 0;

	if (s->wanted == 0 || s->lookup || s->waiting)
		return;
	if (!s->url) {
		if (ask_url(s->endpoint, s->arn, on_url, s, &s->lookup) < 0)
			failed(s, "PROBLEM: out of memory", false);
		return;
	}
	for (unsigned i = 0; i < POLLS_MAX; i++)
		under_way += s->polls[i].call ? s->polls[i].n : 0;
	for (unsigned i = 0; i < POLLS_MAX && s->wanted > under_way && (s->n_polls == 0 || s->busy); i++)
		if (!s->polls[i].call) {
			unsigned n = s->wanted - under_way < MESSAGES ? s->wanted - under_way : MESSAGES;

			poll(s, &s->polls[i], n);
			under_way += n;
		}
}

static void want(struct fn_source *base, unsigned n, uint64_t hide_us)
{
	struct remote *s = (struct remote *)base;

	s->wanted = n;
	s->hide_us = hide_us;
	go_on(s);
}

/* --- removal: ten at a time, one request after the other --- */
struct removal {
	struct remote *s;
	struct fn_source_removal *r;
	unsigned at, n, tries;
	uint64_t timer;
	bool lost;
};

static void remove_next(struct removal *x);

static void on_retry(void *arg) { remove_next(arg); }

static void removed(struct removal *x)
{
	struct fn_source_removal *r = x->r;
	struct fn_err err = {0};
	bool lost = x->lost;

	fn_loop_clear(x->s->loop, &x->timer);
	free(x);
	if (lost)
		fn_err_set(&err, EIO, "delete messages", "the server did not take it");
	r->done(r, lost ? &err : NULL);
}

static void on_deleted(void *arg, const struct fn_remote_reply *a)
{
	struct removal *x = arg;

	if (a->error && a->error != ENOENT && x->tries < DELETE_TRIES) {
		(void)fn_loop_rearm_timer(x->s->loop, x->timer, fn_loop_now_us(x->s->loop) + (DELETE_PAUSE_US << x->tries++));
		return;
	}
	x->lost |= a->error || json_array_size(json_object_get(a->body, "Failed")) > 0;
	x->at += x->n;
	x->tries = 0;
	remove_next(x);
}

static void remove_next(struct removal *x)
{
	json_t *entries;
	char id[16];

	if (x->at >= x->r->n || !x->s->url) {
		x->lost |= x->at < x->r->n;
		/* never from within the call */
		x->at = x->r->n;
		removed(x);
		return;
	}
	entries = json_array();
	for (x->n = 0; x->n < MESSAGES && x->at + x->n < x->r->n; x->n++) {
		snprintf(id, sizeof(id), "%u", x->n);
		json_array_append_new(entries, json_pack("{ss,sO}", "Id", id, "ReceiptHandle", json_object_get(x->r->messages[x->at + x->n]->record, "receiptHandle")));
	}
	if (fn_remote_call(x->s->endpoint, "DeleteMessageBatch", json_pack("{ss,so}", "QueueUrl", x->s->url, "Entries", entries), 0, 1u << 20, on_deleted, x, NULL) < 0)
		(void)fn_loop_rearm_timer(x->s->loop, x->timer, fn_loop_now_us(x->s->loop) + DELETE_PAUSE_US);
}

static void remove_all(struct fn_source *base, struct fn_source_removal *r)
{
	struct remote *s = (struct remote *)base;
	struct removal *x = calloc(1, sizeof(*x));

	if (!x)
		abort(); /* as a loop that has no memory for a timer */
	*x = (struct removal){.s = s, .r = r};
	if (fn_loop_add_timer(s->loop, 0, on_retry, x, &x->timer) < 0)
		abort();
}

static void remote_free(struct fn_source *base)
{
	struct remote *s = (struct remote *)base;

	for (unsigned i = 0; i < POLLS_MAX; i++)
		fn_remote_cancel(s->polls[i].call);
	fn_remote_cancel(s->lookup);
	fn_loop_clear(s->loop, &s->timer);
	free(s->arn);
	free(s->region);
	free(s->url);
	free(s);
}

/* arn:aws:sqs:REGION:... */
static char *region_of(const char *arn)
{
	for (int i = 0; i < 3 && arn; i++)
		if ((arn = strchr(arn, ':')))
			arn++;
	return arn ? strndup(arn, strcspn(arn, ":")) : strdup("");
}

static const struct fn_source_ops ops = {want, remove_all, remote_free};

int fn_source_remote_new(struct fn_loop *loop, const struct fn_endpoint *endpoint, const char *queue_arn, const struct fn_source_events *events, struct fn_source **ret)
{
	struct remote *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct remote){.base = {.ops = &ops, .events = *events}, .loop = loop, .endpoint = endpoint, .arn = strdup(queue_arn), .region = region_of(queue_arn)};
	if (!s->arn || !s->region || fn_loop_add_timer(loop, UINT64_MAX, on_timer, s, &s->timer) < 0) {
		free(s->arn);
		free(s->region);
		free(s);
		return -ENOMEM;
	}
	*ret = &s->base;
	return 0;
}

/* --- a look, for an operation --- */
struct look {
	const struct fn_endpoint *endpoint;
	bool fifo;
	fn_source_looked_fn done;
	void *arg;
};

static void looked(struct look *l, const struct fn_remote_reply *a, const struct fn_source_about *about)
{
	struct fn_err err = {0};

	if (!about) /* the sentence is Lambda's */
		fn_err_set(&err, a->error, "ReceiveMessage", "Error occurred while ReceiveMessage. SQS Error Code: %.60s. SQS Error Message: %.110s", *a->code ? a->code : "ServiceUnavailable", a->message);
	l->done(l->arg, about, about ? NULL : &err);
	free(l);
}

static void on_look_attributes(void *arg, const struct fn_remote_reply *a)
{
	struct look *l = arg;

	looked(l, a, a->error ? NULL : &(struct fn_source_about){.visibility_us = visibility_us(a), .fifo = l->fifo});
}

static void on_look_url(void *arg, const struct fn_remote_reply *a)
{
	struct look *l = arg;
	const char *url = json_string_value(json_object_get(a->body, "QueueUrl"));

	if (a->error || !url || ask_visibility(l->endpoint, url, on_look_attributes, l, NULL) < 0)
		looked(l, a, NULL);
}

int fn_source_remote_look(const struct fn_endpoint *endpoint, const char *queue_arn, fn_source_looked_fn done, void *arg)
{
	struct look *l = malloc(sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	*l = (struct look){.endpoint = endpoint, .fifo = fn_str_ends(queue_arn, ".fifo"), .done = done, .arg = arg};
	r = ask_url(endpoint, queue_arn, on_look_url, l, NULL);
	if (r < 0)
		free(l);
	return r;
}

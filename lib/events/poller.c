/* poller.c - see poller.h: what comes is filtered and gathered; batches that are whole are started. */
#include "events/poller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/str.h"
#include "events/poller_internal.h"
#include "events/sqs_record.h"

#define WANTED_MAX 1000u
#define REMOVALS_MAX 512u           /* batches whose messages are being removed */
#define BYTES_MOST (256u << 20)     /* of all payloads; each mapping may have one beyond */
#define ABSENT_FIRST_US 1000000u
#define ABSENT_MOST_US 20000000u

static void set_result(struct fn_poller *p, const char *text)
{
	p->troubled = false;
	if (p->barred && *p->why)
		text = p->why;
	if (strcmp(p->result, text) != 0) {
		snprintf(p->result, sizeof(p->result), "%s", text);
		p->config.changed(p->config.arg);
	}
}

static void go_on(struct fn_poller *p);

/* --- what is pending --- */
static void unpend(struct fn_poller *p, struct fn_source_message *m)
{
	fn_list_remove(&m->link);
	p->n_pending--;
	p->pending_bytes -= m->len;
	p->all->bytes -= m->len;
}

static void drop(struct fn_poller *p, struct fn_source_message *m)
{
	unpend(p, m);
	fn_source_message_free(m);
}

static bool is_failed(const struct fn_source_message *m, const struct fn_batch_item *items, unsigned n)
{
	const char *id = json_string_value(json_object_get(m->record, "messageId"));

	for (unsigned i = 0; i < n; i++)
		if (items[i].failed && fn_streq(items[i].id, id))
			return true;
	return false;
}

/* Of the groups of those that have failed. One of them that has come again meanwhile, since its function made it visible, is in its place with what has come behind it. */
static void drop_groups(struct fn_poller *p, const struct fn_batch_item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bool again = !items[i].failed || !items[i].group;

		fn_list_for_each_safe(l, &p->pending) {
			struct fn_source_message *m = fn_list_entry(l, struct fn_source_message, link);

			if (again || !fn_streq(fn_poller_group(p, m), items[i].group))
				continue;
			again = is_failed(m, items, n);
			if (!again)
				drop(p, m);
		}
	}
}

/* --- removal --- */
struct removing {
	struct fn_list link;
	struct fn_poller *p; /* NULL: it has ended meanwhile */
	struct fn_source_removal r;
};

static void free_messages(struct fn_source_message **messages, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fn_source_message_free(messages[i]);
	free(messages);
}

static void on_removed(struct fn_source_removal *r, const struct fn_err *err)
{
	struct removing *x = (struct removing *)((char *)r - offsetof(struct removing, r));
	struct fn_poller *p = x->p;

	fn_list_remove(&x->link);
	if (p && !err)
		p->config.counts->deleted += r->n;
	free_messages(r->messages, r->n);
	free(x);
	if (p) {
		p->removals--;
		go_on(p);
	}
}

static void remove_messages(struct fn_poller *p, struct fn_source_message **messages, unsigned n)
{
	struct removing *x = n ? calloc(1, sizeof(*x)) : NULL;

	if (!x) { /* nothing to remove, or no memory: they come again */
		free_messages(messages, n);
		return;
	}
	x->p = p;
	x->r = (struct fn_source_removal){.messages = messages, .n = n, .strict = p->config.fifo, .done = on_removed};
	fn_list_push_back(&p->removing, &x->link);
	p->removals++;
	fn_source_remove(p->source, &x->r);
}

/* --- the function is not there --- */
static void look_again(struct fn_poller *p)
{
	p->absent_us = fn_pause_next(p->absent_us, ABSENT_FIRST_US, ABSENT_MOST_US);
	(void)fn_loop_rearm_timer(p->all->loop, p->absent_timer, fn_loop_now_us(p->all->loop) + p->absent_us);
}

static void on_function(void *arg, struct fn_inner_answer *a)
{
	struct fn_poller *p = arg;

	p->lookup = NULL;
	if (a->error || a->h->status != 200) {
		look_again(p);
		return;
	}
	p->absent = false;
	p->absent_us = 0;
	go_on(p);
}

static void on_absent_timer(void *arg)
{
	struct fn_poller *p = arg;

	if (!p->lookup && fn_fnd_function(p->all->fnd, p->config.function, on_function, p, &p->lookup) < 0)
		look_again(p);
}

static void function_absent(struct fn_poller *p)
{
	if (p->absent)
		return;
	p->absent = true;
	look_again(p);
}

/* --- batches --- */
static uint64_t closes_at(const struct fn_poller *p)
{
	if (p->n_pending == 0)
		return UINT64_MAX;
	if (p->config.window_us == 0 || p->n_pending >= p->config.batch_size || p->pending_bytes >= FN_PAYLOAD_MAX || p->stopping)
		return 0;
	return p->first_us + p->config.window_us;
}

/* The next batch of what is pending; false: there is none, since what is pending is of groups that run. */
static bool start_batch(struct fn_poller *p)
{
	struct fn_source_message **v = malloc(p->config.batch_size * sizeof(*v));
	uint64_t now = fn_loop_now_us(p->all->loop);
	size_t bytes = 0;
	unsigned n = 0;

	if (!v)
		return false;
	fn_list_for_each_safe(l, &p->pending) {
		struct fn_source_message *m = fn_list_entry(l, struct fn_source_message, link);
		const char *group = fn_poller_group(p, m);

		if (n == p->config.batch_size || (n > 0 && bytes + m->len > FN_PAYLOAD_MAX))
			break;
		if (m->until_us <= now) { /* others see it again */
			drop(p, m);
			continue;
		}
		if (group && fn_map_get(p->groups, group))
			continue;
		unpend(p, m);
		bytes += m->len + 1;
		v[n++] = m;
	}
	p->first_us = now;
	if (n == 0) {
		free(v);
		return false;
	}
	fn_batch_start(p, v, n, bytes);
	return true;
}

static unsigned room(const struct fn_poller *p)
{
	unsigned own = fn_scale_room(&p->scale, p->running), shared = fn_share_room(p->all->share, &p->claim);

	return own < shared ? own : shared;
}

static unsigned wanted(const struct fn_poller *p)
{
	uint64_t n = (uint64_t)room(p) * p->config.batch_size;

	if (p->stopping || p->barred || p->absent || p->removals >= REMOVALS_MAX || (p->all->bytes > BYTES_MOST && (p->running > 0 || p->n_pending > 0)))
		return 0;
	n = n > p->n_pending ? n - p->n_pending : 0;
	if (p->config.fifo && n > p->config.batch_size) /* more of a group would wait for those before them, and run out of time */
		n = p->config.batch_size;
	return n > WANTED_MAX ? WANTED_MAX : (unsigned)n;
}

static void on_timer(void *arg) { go_on(arg); }

/* What is pending may all be of groups that run: the end of their batches goes on. */
static void on_turn(struct fn_claim *c)
{
	struct fn_poller *p = fn_list_entry(c, struct fn_poller, claim);

	if (closes_at(p) <= fn_loop_now_us(p->all->loop) && fn_scale_room(&p->scale, p->running) > 0 && !start_batch(p))
		fn_source_want(p->source, wanted(p), p->config.hide_us);
	else
		go_on(p);
}

static void go_on(struct fn_poller *p)
{
	uint64_t at = closes_at(p), now = fn_loop_now_us(p->all->loop);
	bool more = fn_scale_room(&p->scale, p->running) > 0 && !p->stopping && !p->absent;

	if (!p->source)
		return;
	if (more && (at <= now || (p->n_pending == 0 && room(p) == 0))) /* in the row for a batch that is whole; or until there is room to ask for one */
		fn_share_want(p->all->share, &p->claim);
	else
		fn_share_unwant(&p->claim);
	(void)fn_loop_rearm_timer(p->all->loop, p->timer, at > now ? at : UINT64_MAX);
	fn_source_want(p->source, wanted(p), p->config.hide_us);
	if (p->stopping && fn_poller_stopped(p))
		p->config.changed(p->config.arg);
}

/* --- what comes --- */
static bool passes(const struct fn_poller *p, const struct fn_source_message *m)
{
	json_t *body = json_object_get(m->record, "body"), *metadata;
	bool is;

	if (!p->config.filter)
		return true;
	metadata = fn_record_metadata(m->record);
	is = metadata && fn_event_filter_matches(p->config.filter, metadata, json_string_value(body), json_string_length(body));
	json_decref(metadata);
	return is;
}

static bool to_text(const struct fn_poller *p, struct fn_source_message *m)
{
	if (p->config.window_us > 0 && !json_object_get(m->record, "md5OfMessageAttributes"))
		json_object_set_new(m->record, "md5OfMessageAttributes", json_null());
	m->text = json_dumps(m->record, JSON_COMPACT);
	m->len = m->text ? strlen(m->text) : 0;
	return m->text != NULL;
}

static void on_messages(void *arg, struct fn_list *messages)
{
	struct fn_poller *p = arg;
	struct fn_source_message **filtered = NULL;
	unsigned n = 0, n_filtered = 0;

	fn_list_for_each(l, messages)
		n++;
	p->config.counts->polled += n;
	if (p->config.filter)
		filtered = malloc(n * sizeof(*filtered));
	fn_list_for_each_safe(l, messages) {
		struct fn_source_message *m = fn_list_entry(l, struct fn_source_message, link);

		fn_list_remove(&m->link);
		if (filtered && !passes(p, m)) {
			filtered[n_filtered++] = m;
		} else if (p->stopping || p->barred || (p->config.filter && !filtered) || !to_text(p, m)) {
			fn_source_message_free(m); /* comes again */
		} else {
			if (p->n_pending == 0)
				p->first_us = fn_loop_now_us(p->all->loop);
			fn_list_push_back(&p->pending, &m->link);
			p->n_pending++;
			p->pending_bytes += m->len;
			p->all->bytes += m->len;
		}
	}
	if (n_filtered > 0) {
		p->config.counts->filtered += n_filtered;
		fn_journal_add(p->all->journal, "mapping", p->config.name, p->config.function, "filtered", n_filtered, 0, NULL);
		remove_messages(p, filtered, n_filtered);
	} else {
		free(filtered);
	}
	go_on(p);
}

static void on_trouble(void *arg, const char *what)
{
	struct fn_poller *p = arg;

	if (what) {
		fn_journal_add(p->all->journal, "mapping", p->config.name, p->config.function, "source", 0, 0, what);
		set_result(p, what);
		p->troubled = true;
	} else if (p->troubled) {
		set_result(p, "OK");
	}
	if (!what && !p->works) {
		p->works = true;
		p->config.changed(p->config.arg);
	}
}

/* --- making --- */
static const struct fn_poller_ops ops = {go_on, set_result, function_absent, drop_groups, remove_messages};

int fn_poller_new(struct fn_pollers *all, const struct fn_poller_config *config, struct fn_poller **ret)
{
	struct fn_poller *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->ops = &ops;
	p->all = all;
	p->config = *config;
	fn_list_init(&p->pending);
	fn_list_init(&p->batches);
	fn_list_init(&p->removing);
	fn_scale_init(&p->scale, config->least, config->most ? config->most : all->share->account);
	p->claim = (struct fn_claim){.turn = on_turn, .own = config->least};
	snprintf(p->result, sizeof(p->result), "No records processed");
	p->config.function = p->function = strdup(config->function); /* an update gives the mapping another while batches of this one run */
	r = p->function ? fn_loop_add_timer(all->loop, UINT64_MAX, on_timer, p, &p->timer) : -ENOMEM;
	if (r == 0)
		r = fn_loop_add_timer(all->loop, UINT64_MAX, on_absent_timer, p, &p->absent_timer);
	if (r == 0 && config->fifo)
		r = fn_map_new(&p->groups);
	if (r < 0) {
		fn_poller_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void fn_poller_events(struct fn_poller *p, struct fn_source_events *ret) { *ret = (struct fn_source_events){on_messages, on_trouble, p}; }

void fn_poller_start(struct fn_poller *p, struct fn_source *source)
{
	p->source = source;
	go_on(p);
}

static void drop_pending(struct fn_poller *p)
{
	fn_list_for_each_safe(l, &p->pending)
		drop(p, fn_list_entry(l, struct fn_source_message, link));
}

void fn_poller_bar(struct fn_poller *p, const char *why)
{
	bool told = p->barred && *p->why;

	p->barred = why != NULL;
	snprintf(p->why, sizeof(p->why), "%s", why ? why : "");
	if (*p->why) {
		if (!fn_streq(p->result, p->why))
			fn_journal_add(p->all->journal, "mapping", p->config.name, p->config.function, "source", 0, 0, p->why);
		set_result(p, p->why);
	} else if (told) {
		set_result(p, "OK");
	}
	if (p->barred)
		drop_pending(p); /* they come again */
	go_on(p);
}

void fn_poller_stop(struct fn_poller *p)
{
	p->stopping = true;
	drop_pending(p);
	if (p->source)
		go_on(p);
	else
		p->config.changed(p->config.arg);
}

bool fn_poller_stopped(const struct fn_poller *p) { return p->stopping && p->running == 0 && p->removals == 0; }
bool fn_poller_works(const struct fn_poller *p) { return p->works; }
const char *fn_poller_result(const struct fn_poller *p) { return p->result; }
unsigned fn_poller_running(const struct fn_poller *p) { return p->running; }

void fn_poller_free(struct fn_poller *p)
{
	if (!p)
		return;
	fn_list_for_each_safe(l, &p->batches)
		fn_batch_free(fn_list_entry(l, struct fn_batch, link));
	drop_pending(p);
	fn_list_for_each_safe(l, &p->removing) {
		struct removing *x = fn_list_entry(l, struct removing, link);

		x->p = NULL;
		fn_list_remove(&x->link);
	}
	fn_share_unwant(&p->claim);
	fn_inner_cancel(p->lookup);
	fn_source_free(p->source);
	fn_loop_clear(p->all->loop, &p->timer);
	fn_loop_clear(p->all->loop, &p->absent_timer);
	fn_map_free(p->groups);
	free(p->function);
	free(p);
}

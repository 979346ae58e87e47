/* stock.c - see stock.h. */
#include "spawn/stock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "spawn/internal.h"

#define BUILDING_MAX 1u      /* at once: building is for idle moments */
#define STOCKS_MAX 9u        /* kinds: the plain one and the eight runtimes asked for the most */
#define QUIET_US 10000u      /* at most: somebody waits for an init too, which would share two CPUs with what is made ahead */
#define ANSWER_US 1500u      /* from the end of its init on: what it was started for is answered */
#define HUNGRY_US 20000u     /* starts without a pause do not keep us from making more for longer than that */
#define RETRY_US 1000000u    /* after a failure: the host lacks something, and asking again and again does not mend it */

struct awaited {
	struct fn_list link;
	uint64_t request, until_us;
};

static unsigned target(const struct fn_stock *k) { return fn_stock_target(k->demand, k->taken, k->least, k->most); }
static struct fn_stock *stock_of(struct fn_list *l) { return fn_list_entry(l, struct fn_stock, link); }

static void arm(struct fn_spawn_server *s, uint64_t at)
{
	if (s->stock_timer)
		(void)fn_loop_rearm_timer(s->cfg.loop, s->stock_timer, at);
}

/* Those who wait for one of this kind go on: with `all`, or their patience is at its end. */
static void tell(struct fn_spawn_server *s, struct fn_stock *k, bool all)
{
	uint64_t now = fn_loop_now_us(s->cfg.loop);

	fn_list_for_each_safe(l, &k->awaited)
	{
		struct awaited *a = fn_list_entry(l, struct awaited, link);

		if (!all && now < a->until_us)
			continue;
		fn_spawn_reply(s, FN_PROTO_READY, a->request, 0, NULL, 0, NULL, 0);
		fn_list_remove(&a->link);
		free(a);
	}
}

static void failed(struct fn_spawn_server *s, struct fn_stock *k, const struct fn_err *err)
{
	char text[512];

	if (k->failures++ == 0)
		fn_log_warn("cannot make sandboxes ahead%s%s: %s", k->kind[0] ? " for " : "", k->kind, fn_err_format(err, text, sizeof(text)));
	k->retry_us = fn_loop_now_us(s->cfg.loop) + RETRY_US;
	tell(s, k, true);
}

static bool wanted(const struct fn_spawn_server *s, const struct fn_stock *k)
{
	if (!fn_stock_may_take(fn_stock_count(s), fn_box_unused(s), fn_box_capacity(s)))
		return false;
	return !k->given_up && k->n_building < BUILDING_MAX && k->n_ready + k->n_building < target(k) && fn_loop_now_us(s->cfg.loop) >= k->retry_us;
}

/* The kind of which one more should be made; NULL = of none. What somebody waits for comes first, then plain ones: everyone can use them. */
static struct fn_stock *most_wanted(struct fn_spawn_server *s)
{
	struct fn_stock *first = NULL;

	fn_list_for_each(l, &s->stocks)
	{
		struct fn_stock *k = stock_of(l);

		if (!wanted(s, k))
			continue;
		if (!fn_list_empty(&k->awaited))
			return k;
		if (!first)
			first = k;
	}
	return first;
}

/* One more, if there should be one and nothing that somebody waits for is under way. */
static void fill(struct fn_spawn_server *s)
{
	struct fn_err err = {0};
	struct fn_stock *k;
	uint64_t now = fn_loop_now_us(s->cfg.loop);

	if (s->shutdown || s->n_starting > 0 || !fn_list_empty(&s->parked))
		return;
	if (now < s->quiet_until_us) {
		if (s->hungry_since_us == 0)
			s->hungry_since_us = now;
		if (now < s->hungry_since_us + HUNGRY_US)
			return;
	}
	s->hungry_since_us = 0;
	while ((k = most_wanted(s))) {
		k->n_building++;
		if (fn_box_new(s, k, &err))
			return;
		failed(s, k, &err); /* its end has been counted already; it is not wanted for a while */
	}
}

static void empty(struct fn_stock *k)
{
	while (!fn_list_empty(&k->ready))
		fn_box_end(fn_list_entry(fn_list_first(&k->ready), struct fn_box, place));
}

static void discard(struct fn_spawn_server *s, struct fn_stock *k)
{
	tell(s, k, true);
	fn_list_remove(&k->link);
	free(k->order);
	free(k);
}

static void tick(struct fn_spawn_server *s, struct fn_stock *k)
{
	if (k->given_up) {
		empty(k);
		if (k->n_building == 0)
			discard(s, k);
		return;
	}
	tell(s, k, false);
	k->demand = fn_stock_demand(k->demand, k->taken);
	k->taken = 0;
	if (k->n_ready > target(k)) /* the oldest; one a tick */
		fn_box_end(fn_list_entry(fn_list_last(&k->ready), struct fn_box, place));
}

static void on_timer(void *arg)
{
	struct fn_spawn_server *s = arg;
	uint64_t now = fn_loop_now_us(s->cfg.loop);

	if (now >= s->stock_tick_us) {
		s->stock_tick_us = now + FN_STOCK_TICK_US;
		fn_list_for_each_safe(l, &s->stocks) tick(s, stock_of(l));
	}
	fill(s);
	arm(s, s->quiet_until_us > now && s->quiet_until_us < s->stock_tick_us ? s->quiet_until_us : s->stock_tick_us);
}

void fn_stock_box_none(struct fn_stock *k)
{
	k->n_building--;
}

void fn_stock_box_ready(struct fn_box *b)
{
	struct fn_stock *k = b->stock;

	k->n_building--;
	k->n_ready++;
	k->failures = 0;
	fn_list_push_front(&k->ready, &b->place);
	tell(b->server, k, true);
	arm(b->server, 0); /* the next one in the next round: requests come first */
}

void fn_stock_box_started(struct fn_box *b)
{
	struct fn_spawn_server *s = b->server;

	s->quiet_until_us = fn_loop_now_us(s->cfg.loop) + QUIET_US;
	arm(s, s->quiet_until_us < s->stock_tick_us ? s->quiet_until_us : s->stock_tick_us);
}

void fn_stock_box_initialised(struct fn_box *b)
{
	b->server->quiet_until_us = fn_loop_now_us(b->server->cfg.loop) + ANSWER_US;
	arm(b->server, 0);
}

void fn_stock_box_failed(struct fn_box *b, const struct fn_err *err) { failed(b->server, b->stock, err); }

void fn_stock_box_ended(struct fn_box *b, enum fn_box_state was)
{
	struct fn_stock *k = b->stock;

	if (fn_list_linked(&b->place)) {
		fn_list_remove(&b->place);
		k->n_ready--;
	}
	if (was == FN_BOX_BUILDING && k)
		k->n_building--;
	b->stock = NULL; /* which may be discarded before the box is freed */
	if (was == FN_BOX_RUNNING)
		b->server->quiet_until_us = 0;
	if (was == FN_BOX_READY || was == FN_BOX_STARTING || was == FN_BOX_RUNNING)
		arm(b->server, 0);
}

static struct fn_stock *find(struct fn_spawn_server *s, const char *kind)
{
	fn_list_for_each(l, &s->stocks)
	{
		if (!stock_of(l)->given_up && strcmp(stock_of(l)->kind, kind) == 0)
			return stock_of(l);
	}
	return NULL;
}

struct fn_box *fn_stock_take(struct fn_spawn_server *s, const char *kind)
{
	struct fn_stock *k = find(s, kind);
	struct fn_list *l = k ? fn_list_first(&k->ready) : NULL;
	struct fn_box *b = l ? fn_list_entry(l, struct fn_box, place) : NULL;

	if (k)
		k->taken++;
	if (!b)
		return NULL;
	fn_list_remove(&b->place);
	k->n_ready--;
	b->prepared = k->order ? FN_PREPARED_RUNTIME : FN_PREPARED_SANDBOX;
	b->stock = NULL;
	return b;
}

bool fn_stock_end_one(struct fn_spawn_server *s)
{
	struct fn_stock *least = NULL;

	fn_list_for_each(l, &s->stocks)
	{
		struct fn_stock *k = stock_of(l);

		if (k->n_ready && (!least || k->demand + k->taken < least->demand + least->taken))
			least = k;
	}
	if (least) {
		fn_box_end(fn_list_entry(fn_list_last(&least->ready), struct fn_box, place));
		return true;
	}
	fn_list_for_each_safe(l, &s->boxes)
	{
		struct fn_box *b = fn_list_entry(l, struct fn_box, link);

		if (b->state == FN_BOX_BUILDING && b->stock) {
			fn_box_end(b);
			return true;
		}
	}
	return false;
}

/* Makes room for another kind: the one with the least demand goes. */
static void make_room(struct fn_spawn_server *s)
{
	struct fn_stock *least = NULL;
	unsigned n = 0;

	fn_list_for_each(l, &s->stocks)
	{
		struct fn_stock *k = stock_of(l);

		n += !k->given_up;
		if (k->order && !k->given_up && (!least || k->demand + k->taken < least->demand + least->taken))
			least = k;
	}
	if (n >= STOCKS_MAX && least)
		least->given_up = true; /* taken away with the next tick: what is being built still points to it */
}

static struct fn_stock *add(struct fn_spawn_server *s, const char *kind, unsigned least, unsigned most)
{
	struct fn_stock *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->least = least;
	k->most = most;
	strncpy(k->kind, kind, sizeof(k->kind) - 1);
	fn_list_init(&k->ready);
	fn_list_init(&k->awaited);
	fn_list_push_back(&s->stocks, &k->link);
	return k;
}

static bool holds(const struct fn_stock *k, const char *tree)
{
	char *vec[FN_SPEC_VECTOR_MAX];
	struct fn_spec spec;
	struct fn_err err;

	if (!k->order || fn_spec_borrow(k->order, k->order_len, vec, &spec, &err) < 0)
		return false;
	for (unsigned i = 0; i < spec.n_lowers; i++)
		if (strcmp(spec.lowers[i], tree) == 0)
			return true;
	return false;
}

void fn_stock_forget_tree(struct fn_spawn_server *s, const char *tree)
{
	fn_list_for_each(l, &s->stocks) stock_of(l)->given_up |= holds(stock_of(l), tree);
}

int fn_stock_declare(struct fn_spawn_server *s, const char *kind, const void *order, size_t len)
{
	struct fn_stock *k = find(s, kind);
	char *copy;

	if (s->cfg.prestart_most == 0)
		return 0;
	if (k && k->order_len == len && memcmp(k->order, order, len) == 0)
		return 0;
	copy = malloc(len);
	if (copy && !k)
		make_room(s);
	if (copy && !k)
		k = add(s, kind, s->cfg.prestart_least, s->cfg.prestart_most);
	if (!copy || !k) {
		free(copy);
		return -ENOMEM;
	}
	free(k->order); /* another image: those of the old one are of no use, nor those that are being made */
	k->order = memcpy(copy, order, len);
	k->order_len = len;
	empty(k);
	fn_list_for_each_safe(l, &s->boxes)
	{
		struct fn_box *b = fn_list_entry(l, struct fn_box, link);

		if (b->stock == k && b->state == FN_BOX_BUILDING)
			fn_box_end(b);
	}
	arm(s, 0);
	return 0;
}

void fn_stock_await(struct fn_spawn_server *s, const char *kind, uint64_t request)
{
	struct fn_stock *k = find(s, kind);
	struct awaited *a = k && k->n_ready == 0 ? malloc(sizeof(*a)) : NULL;

	if (!a) {
		fn_spawn_reply(s, FN_PROTO_READY, request, 0, NULL, 0, NULL, 0);
		return;
	}
	*a = (struct awaited){.request = request, .until_us = fn_loop_now_us(s->cfg.loop) + FN_STOCK_PATIENCE_US};
	fn_list_push_back(&k->awaited, &a->link);
	arm(s, 0);
}

unsigned fn_stock_count(const struct fn_spawn_server *s)
{
	unsigned n = 0;

	fn_list_for_each(l, (struct fn_list *)&s->stocks) n += stock_of(l)->n_ready + stock_of(l)->n_building;
	return n;
}

void fn_stock_describe(const struct fn_spawn_server *s, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	fn_list_for_each(l, (struct fn_list *)&s->stocks)
	{
		const struct fn_stock *k = stock_of(l);

		if (n + sizeof(k->kind) + 32 < size)
			n += (size_t)snprintf(buf + n, size - n, "%s\"%s\":%u", n ? "," : "", k->kind[0] ? k->kind : "sandbox", k->n_ready);
	}
}

int fn_stock_open(struct fn_spawn_server *s)
{
	if (!add(s, "", s->cfg.stock_least, s->cfg.stock_most))
		return -ENOMEM;
	return fn_loop_add_timer(s->cfg.loop, 0, on_timer, s, &s->stock_timer);
}

void fn_stock_close(struct fn_spawn_server *s) { fn_loop_clear(s->cfg.loop, &s->stock_timer); }

void fn_stock_free(struct fn_spawn_server *s)
{
	fn_list_for_each_safe(l, &s->stocks) discard(s, stock_of(l));
}

/* stock.c - see stock.h. */
#include "spawn/stock.h"

#include "base/log.h"
#include "spawn/internal.h"

#define BUILDING_MAX 1u      /* at once: building is for idle moments */
#define RETRY_US 1000000u    /* after a failure: the host lacks something, and asking again and again does not mend it */

double fn_stock_demand(double before, unsigned taken)
{
	double decayed = before * 0.9;

	return taken > decayed ? taken : decayed;
}

unsigned fn_stock_target(double demand, unsigned taken_now, unsigned least, unsigned most)
{
	double busiest = taken_now > demand ? taken_now : demand;
	double want = least + busiest * 1.25;

	return want >= most ? most : (unsigned)want;
}

static unsigned target(const struct fn_stock *k) { return fn_stock_target(k->demand, k->taken, k->least, k->most); }

static void arm(struct fn_spawn_server *s, uint64_t at)
{
	(void)fn_loop_rearm_timer(s->cfg.loop, s->stock.timer, at);
}

static void failed(struct fn_spawn_server *s, const struct fn_err *err)
{
	char text[512];

	if (s->stock.failures++ == 0)
		fn_log_warn("cannot make sandboxes ahead: %s", fn_err_format(err, text, sizeof(text)));
	s->stock.retry_us = fn_loop_now_us(s->cfg.loop) + RETRY_US;
}

/* One more, if there should be one and nothing that somebody waits for is under way. */
static void fill(struct fn_spawn_server *s)
{
	struct fn_stock *k = &s->stock;
	struct fn_err err = {0};

	if (s->shutdown || s->n_starting > 0 || k->n_building >= BUILDING_MAX || k->n_ready + k->n_building >= target(k) ||
	    fn_loop_now_us(s->cfg.loop) < k->retry_us)
		return;
	k->n_building++;
	if (!fn_box_new(s, true, &err))
		failed(s, &err);
}

static void on_timer(void *arg)
{
	struct fn_spawn_server *s = arg;
	struct fn_stock *k = &s->stock;
	uint64_t now = fn_loop_now_us(s->cfg.loop);

	if (now >= k->tick_us) {
		k->demand = fn_stock_demand(k->demand, k->taken);
		k->taken = 0;
		k->tick_us = now + FN_STOCK_TICK_US;
		if (k->n_ready > target(k) && k->n_ready > 0) /* the oldest; one a tick */
			fn_box_end(fn_list_entry(fn_list_last(&k->ready), struct fn_box, place));
	}
	fill(s);
	arm(s, k->tick_us);
}

void fn_stock_box_ready(struct fn_box *b)
{
	struct fn_stock *k = &b->server->stock;

	k->n_building--;
	k->n_ready++;
	k->failures = 0;
	fn_list_push_front(&k->ready, &b->place);
	arm(b->server, 0); /* the next one in the next round: requests come first */
}

void fn_stock_box_started(struct fn_box *b) { arm(b->server, 0); }

void fn_stock_box_failed(struct fn_box *b, const struct fn_err *err) { failed(b->server, err); }

void fn_stock_box_ended(struct fn_box *b, enum fn_box_state was)
{
	struct fn_stock *k = &b->server->stock;

	if (fn_list_linked(&b->place)) {
		fn_list_remove(&b->place);
		k->n_ready--;
	}
	if (was == FN_BOX_BUILDING && b->for_stock)
		k->n_building--;
	if (was == FN_BOX_READY || was == FN_BOX_STARTING)
		arm(b->server, 0);
}

struct fn_box *fn_stock_take(struct fn_spawn_server *s)
{
	struct fn_list *l = fn_list_first(&s->stock.ready);
	struct fn_box *b = l ? fn_list_entry(l, struct fn_box, place) : NULL;

	s->stock.taken++;
	if (!b)
		return NULL;
	fn_list_remove(&b->place);
	s->stock.n_ready--;
	return b;
}

int fn_stock_open(struct fn_spawn_server *s)
{
	struct fn_stock *k = &s->stock;

	*k = (struct fn_stock){.least = s->cfg.stock_least, .most = s->cfg.stock_most};
	fn_list_init(&k->ready);
	return k->most ? fn_loop_add_timer(s->cfg.loop, 0, on_timer, s, &k->timer) : 0;
}

void fn_stock_close(struct fn_spawn_server *s) { fn_loop_clear(s->cfg.loop, &s->stock.timer); }

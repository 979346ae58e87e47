/*
 * stock.h - sandboxes made ahead: cloned, with network, /proc and a waiting process, before a function needs them.
 *
 * Runs in fn-spawnd. There is one stock of plain ones, and one for each runtime that fnd has asked to have started ahead: there the process
 * has been executed already and has loaded what is not the function's. Stocks are filled while nothing waits, one sandbox at a time; each
 * follows demand (fn_stock_target, pure) between a least and a most, and costs at most that many pairs of idle processes.
 */
#ifndef FN_SPAWN_STOCK_H
#define FN_SPAWN_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct fn_stock {
	struct fn_list link;  /* of all */
	char kind[32];        /* "" = plain */
	char *order;          /* encoded spec that starts this kind's runtime; NULL for plain ones */
	size_t order_len;
	struct fn_list awaited; /* of struct awaited: who is to be told of one that is ready */
	struct fn_list ready; /* of struct fn_box by place; the newest is first: its memory is the warmest */
	unsigned n_ready, n_building;
	unsigned least, most;
	unsigned taken;       /* asked for since the last tick */
	double demand;        /* per tick, remembered: rises at once, decays */
	bool given_up;        /* others are asked for more: goes with the next tick */
	unsigned failures;    /* in a row; building pauses */
	uint64_t retry_us;
};

#define FN_STOCK_TICK_US 1000000u
#define FN_STOCK_PATIENCE_US 2000000u /* who waits for one to be ready waits no longer; seen with the next tick */

/* Demand after a tick in which `taken` were asked for: the peak at once, then a tenth less with each tick. */
double fn_stock_demand(double before, unsigned taken);
/* How many should be ready: enough for a tick like the busiest lately. */
unsigned fn_stock_target(double demand, unsigned taken_now, unsigned least, unsigned most);
/* May one more take an address and a range of uids, with so many of all kinds having one? A quarter of them at most, and never the last that is unused. */
bool fn_stock_may_take(unsigned held, uint32_t unused, uint32_t capacity);

#endif

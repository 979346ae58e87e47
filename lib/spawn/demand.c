/* demand.c - how many are to be ready: stock.h. Pure. */
#include "spawn/stock.h"

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

bool fn_stock_may_take(unsigned held, uint32_t unused, uint32_t capacity) { return held < capacity / 4 && unused > 1; }

/* trace.c - see trace.h. */
#include "sim/trace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S 86400.0
#define HOUR_S 3600.0

/* xorshift64*: the trace must not depend on a C library's generator */
static double uniform(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return ((double)((*s * 2685821657736338717ull) >> 11) + 0.5) / 9007199254740992.0;
}

static double exponential(uint64_t *s, double mean) { return -mean * log(uniform(s)); }
static double log_uniform(uint64_t *s, double from, double to) { return from * pow(to / from, uniform(s)); }
static double normal(uint64_t *s) { return sqrt(-2.0 * log(uniform(s))) * cos(6.283185307179586 * uniform(s)); }
static double burr(uint64_t *s, double c, double k, double lambda) { return lambda * pow(pow(uniform(s), -1.0 / k) - 1.0, 1.0 / c); }

/* Seconds between invocations, on average. */
static double mean_gap(uint64_t *s)
{
	double u = uniform(s);

	if (u < 0.45)
		return log_uniform(s, HOUR_S, DAY_S / 2);
	return u < 0.81 ? log_uniform(s, 60, HOUR_S) : log_uniform(s, 5, 60);
}

static void add(struct sim_trace *t, size_t *room, double at_s, uint32_t function, uint64_t *s)
{
	double exec = t->functions[function].mean_exec_s * exp(0.25 * normal(s));

	if (t->n_arrivals == *room) {
		*room = *room ? *room * 2 : 65536;
		t->arrivals = realloc(t->arrivals, *room * sizeof(*t->arrivals));
		if (!t->arrivals)
			abort();
	}
	t->arrivals[t->n_arrivals++] = (struct sim_arrival){(uint64_t)(at_s * 1e6), (uint64_t)((exec > 300 ? 300 : exec) * 1e6) + 1000, function};
}

/* A timer goes off at whole minutes, or at a part of one. */
static double timer_period(double gap)
{
	static const double usual[] = {5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200};
	size_t best = 0;

	for (size_t i = 1; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (fabs(log(usual[i] / gap)) < fabs(log(usual[best] / gap)))
			best = i;
	return usual[best];
}

static void timers(struct sim_trace *t, size_t *room, uint32_t f, double gap, uint64_t *s)
{
	double period = timer_period(gap), span = (double)t->span_us / 1e6;

	for (double at = uniform(s) * period; at < span; at += period)
		add(t, room, at, f, s);
}

/* Poisson, or with bursts: a part of the gaps is short, the rest long; balanced so that the mean is `gap`. */
static void events(struct sim_trace *t, size_t *room, uint32_t f, double gap, int bursts, uint64_t *s)
{
	const double p_short = 0.9, ratio = 0.02; /* CV about 3.8 */
	double longer = gap / (p_short * ratio + (1 - p_short)), span = (double)t->span_us / 1e6;

	for (double at = exponential(s, gap); at < span;) {
		double day = 1.0 + 0.5 * sin(6.283185307179586 * at / DAY_S); /* from 0.5 to 1.5 of the mean */

		if (uniform(s) * 1.5 < day)
			add(t, room, at, f, s);
		/* thinned by the day to two thirds on average: so much more is drawn */
		at += exponential(s, bursts ? (uniform(s) < p_short ? longer * ratio : longer) : gap) / 1.5;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct sim_arrival *x = a, *y = b;

	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	return x->function < y->function ? -1 : x->function > y->function;
}

void sim_trace_make(uint64_t seed, size_t functions, unsigned hours, struct sim_trace *t)
{
	uint64_t s = seed * 0x9e3779b97f4a7c15ull + 1;
	size_t room = 0;

	*t = (struct sim_trace){.n_functions = functions, .span_us = (uint64_t)hours * 3600u * 1000000u};
	t->functions = calloc(functions, sizeof(*t->functions));
	if (!t->functions)
		abort();
	for (size_t i = 0; i < functions; i++) {
		double gap = mean_gap(&s), kind = uniform(&s), mb = burr(&s, 11.652, 0.221, 107.083), exec = exp(-0.38 + 2.36 * normal(&s));

		t->functions[i] = (struct sim_function){(uint64_t)((mb > 1024 ? 1024 : mb) * 1048576), (uint64_t)log_uniform(&s, 3000, 1000000),
							exec > gap ? gap : exec};
		if (kind < 0.13) {
			timers(t, &room, (uint32_t)i, gap, &s);
		} else if (kind < 0.13 + 0.158) {
			timers(t, &room, (uint32_t)i, gap * 2, &s);
			events(t, &room, (uint32_t)i, gap * 2, 0, &s);
		} else {
			events(t, &room, (uint32_t)i, gap, kind < 0.13 + 0.158 + 0.40, &s);
		}
	}
	qsort(t->arrivals, t->n_arrivals, sizeof(*t->arrivals), by_time);
}

void sim_trace_free(struct sim_trace *t)
{
	free(t->functions);
	free(t->arrivals);
}

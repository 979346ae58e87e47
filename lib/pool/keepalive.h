/*
 * keepalive.h - how long environments are kept, whom memory is taken from, and which are made before they are asked for: policies behind one
 * pure interface. No clock, no I/O, no allocation: the pool (and tests/sim) tell what happened and when, and ask.
 *
 * fixed        an environment ends when it was idle for `idle_us`; under memory pressure the one that is idle for the longest goes first.
 * greedy-dual  the same end by time, but memory is taken from the environment of least value: clock + frequency * cost / size, the cost
 *              being what its start took, the clock the value of whatever was evicted last (Fuerst and Sharma, "FaasCache", ASPLOS'21).
 *              Unlike there, the frequency is the environment's own: the most recently used one serves first, so that the spare ones
 *              of a busy function are worth little (make sim: a quarter to two thirds less time lost than with the function's).
 * hybrid       learns for each function how long it rests between invocations, a histogram of one-minute bins over four hours. Below its
 *              head percentile nobody comes: the environment ends at once, and one is made ahead just before; beyond its tail nobody
 *              comes any more. A function without a head, that is one whose next invocation may come at once, is kept for `idle_us`
 *              at least: the last percent would cost a busy one more than the memory is worth. Where the histogram says nothing (too few rests, too flat, most beyond its range), `idle_us` as in fixed;
 *              eviction as in greedy-dual (Shahrad et al., "Serverless in the Wild", ATC'20, section 4; its ARIMA model is left out).
 *
 * Times are microseconds of one monotonic clock; FN_KEEP_NEVER where there is none.
 */
#ifndef FN_POOL_KEEPALIVE_H
#define FN_POOL_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

#define FN_KEEP_NEVER UINT64_MAX
#define FN_KEEP_BINS 240u

enum fn_keep_policy { FN_KEEP_FIXED, FN_KEEP_GREEDY_DUAL, FN_KEEP_HYBRID, FN_KEEP_POLICIES };

struct fn_keep_config {
	enum fn_keep_policy policy;
	uint64_t idle_us;           /* 0 = not ended by time, only when memory is wanted */
	/* hybrid */
	uint64_t bin_us;            /* width of a bin: the range is FN_KEEP_BINS of them */
	unsigned head, tail;        /* percentiles */
	unsigned margin;            /* percent by which the windows are widened at both ends */
	unsigned samples;           /* fewer rests than this say nothing */
};
/* idle 600 s, bins of 60 s, 5th and 99th percentile, margin 10 %, 10 rests */
void fn_keep_defaults(struct fn_keep_config *c, enum fn_keep_policy policy);
/* "fixed", "greedy-dual", "hybrid"; -EINVAL */
int fn_keep_policy_parse(const char *name, enum fn_keep_policy *ret);
const char *fn_keep_policy_name(enum fn_keep_policy policy);

/* The policy with its clock. */
struct fn_keep {
	struct fn_keep_config cfg;
	double clock;
};
/* What it knows of a function. Zeroed = nothing. */
struct fn_keep_function {
	unsigned running;           /* invocations that came and are not over */
	uint64_t rests_since;       /* the last of them was over then; 0 = never */
	uint64_t frequency;         /* invocations since it last had no environment */
	double cost_us;             /* what a start takes, smoothed */
	uint32_t n, beyond;         /* rests in the histogram; beyond its range */
	double squares;             /* sum of the bins' squares, for their variation */
	uint16_t bins[FN_KEEP_BINS];
	uint64_t head_us, tail_us;  /* the windows, margins included; tail 0 = the histogram says nothing */
};
/* And of one environment. */
struct fn_keep_env {
	uint64_t idle_since;
	double clock;
	bool ahead;         /* has served nobody yet */
	uint64_t frequency; /* invocations it has served */
};

void fn_keep_init(struct fn_keep *k, const struct fn_keep_config *c);
/* What happens to a function: an invocation comes; one is over; an environment was started and initialised for it; its last one is gone (for
 * want of memory, or at its time). */
void fn_keep_arrived(struct fn_keep *k, struct fn_keep_function *f, uint64_t now);
void fn_keep_done(struct fn_keep *k, struct fn_keep_function *f, uint64_t now);
void fn_keep_started(struct fn_keep *k, struct fn_keep_function *f, uint64_t took_us);
void fn_keep_emptied(struct fn_keep *k, struct fn_keep_function *f, bool evicted);
/* An environment has become idle, after an invocation (fn_keep_done() comes first) or because it was made ahead of any. */
void fn_keep_idle(struct fn_keep *k, struct fn_keep_env *e, uint64_t now, bool ahead);

/* When does an idle environment end? Ask again when the function comes to rest. */
uint64_t fn_keep_until(const struct fn_keep *k, const struct fn_keep_function *f, const struct fn_keep_env *e);
/* When is an environment to be made ahead, if there is none then? Ask when the function comes to rest. */
uint64_t fn_keep_prewarm(const struct fn_keep *k, const struct fn_keep_function *f);
/* What an idle environment is worth; memory is taken from the one of least value, which is then told. */
double fn_keep_value(const struct fn_keep *k, const struct fn_keep_function *f, const struct fn_keep_env *e, uint64_t bytes);
void fn_keep_evicted(struct fn_keep *k, double value);

#endif

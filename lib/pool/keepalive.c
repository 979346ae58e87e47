/* keepalive.c - see keepalive.h. */
#include "pool/keepalive.h"

#include <errno.h>

#include "base/str.h"

#define CV_SQUARED 4.0 /* a coefficient of variation of 2 over the bins: the paper's bound for a histogram that says something */

static const char *const policy_names[FN_KEEP_POLICIES] = {"fixed", "greedy-dual", "hybrid"};

const char *fn_keep_policy_name(enum fn_keep_policy policy) { return policy_names[policy]; }

int fn_keep_policy_parse(const char *name, enum fn_keep_policy *ret)
{
	for (int i = 0; i < FN_KEEP_POLICIES; i++)
		if (fn_streq(name, policy_names[i])) {
			*ret = (enum fn_keep_policy)i;
			return 0;
		}
	return -EINVAL;
}

void fn_keep_defaults(struct fn_keep_config *c, enum fn_keep_policy policy)
{
	*c = (struct fn_keep_config){.policy = policy, .idle_us = 600000000u, .bin_us = 60000000u, .head = 5, .tail = 99, .margin = 10, .samples = 10};
}

void fn_keep_init(struct fn_keep *k, const struct fn_keep_config *c) { *k = (struct fn_keep){.cfg = *c}; }

/* Old habits fade: when a bin is full, all of them are halved. */
static void fade(struct fn_keep_function *f)
{
	f->n = 0;
	f->squares = 0;
	f->beyond /= 2;
	for (unsigned i = 0; i < FN_KEEP_BINS; i++) {
		f->bins[i] /= 2;
		f->n += f->bins[i];
		f->squares += (double)f->bins[i] * f->bins[i];
	}
}

/* The bin that holds this share, in percent, of all rests. */
static unsigned percentile(const struct fn_keep_function *f, unsigned percent)
{
	uint64_t want = ((uint64_t)f->n * percent + 99) / 100, sum = 0;

	for (unsigned i = 0; i < FN_KEEP_BINS; i++) {
		sum += f->bins[i];
		if (sum >= want && f->bins[i] > 0)
			return i;
	}
	return FN_KEEP_BINS - 1;
}

/* The head is rounded down to its bin's start, the tail up to its end. */
static void windows(const struct fn_keep_config *c, struct fn_keep_function *f)
{
	double mean_squared = (double)f->n * f->n / FN_KEEP_BINS;

	f->head_us = f->tail_us = 0;
	if (f->n < c->samples || f->beyond > f->n || f->squares < (CV_SQUARED + 1) * mean_squared)
		return;
	f->head_us = (uint64_t)percentile(f, c->head) * c->bin_us * (100 - c->margin) / 100;
	f->tail_us = (uint64_t)(percentile(f, c->tail) + 1) * c->bin_us * (100 + c->margin) / 100;
}

static void learn(struct fn_keep *k, struct fn_keep_function *f, uint64_t rest)
{
	uint64_t i = rest / k->cfg.bin_us;

	if (i >= FN_KEEP_BINS) {
		f->beyond += f->beyond < UINT32_MAX;
	} else {
		if (f->bins[i] == UINT16_MAX)
			fade(f);
		f->squares += 2.0 * f->bins[i] + 1;
		f->bins[i]++;
		f->n++;
	}
	/* A head or tail that has hardly anything new to say is not computed anew for a busy function's every rest. */
	if (f->n < 100 || f->n % 16 == 0 || i >= FN_KEEP_BINS)
		windows(&k->cfg, f);
}

void fn_keep_arrived(struct fn_keep *k, struct fn_keep_function *f, uint64_t now)
{
	if (k->cfg.policy == FN_KEEP_HYBRID && f->running == 0 && f->rests_since > 0)
		learn(k, f, now > f->rests_since ? now - f->rests_since : 0);
	f->running++;
	f->frequency++;
}

void fn_keep_done(struct fn_keep *k, struct fn_keep_function *f, uint64_t now)
{
	(void)k;
	if (f->running > 0 && --f->running == 0)
		f->rests_since = now;
}

void fn_keep_started(struct fn_keep *k, struct fn_keep_function *f, uint64_t took_us)
{
	(void)k;
	f->cost_us = f->cost_us > 0 ? f->cost_us * 0.75 + (double)took_us * 0.25 : (double)took_us;
}

void fn_keep_emptied(struct fn_keep *k, struct fn_keep_function *f, bool evicted)
{
	/* In FaasCache a function starts anew with its first environment. The hybrid ends environments by plan: it still knows them. */
	if (k->cfg.policy != FN_KEEP_HYBRID || evicted)
		f->frequency = f->running;
}

void fn_keep_idle(struct fn_keep *k, struct fn_keep_env *e, uint64_t now, bool ahead)
{
	*e = (struct fn_keep_env){now, k->clock, ahead, e->frequency + !ahead};
}

uint64_t fn_keep_until(const struct fn_keep *k, const struct fn_keep_function *f, const struct fn_keep_env *e)
{
	if (k->cfg.policy != FN_KEEP_HYBRID || f->tail_us == 0)
		return k->cfg.idle_us > 0 ? e->idle_since + k->cfg.idle_us : FN_KEEP_NEVER;
	if (f->head_us == 0) {
		if (k->cfg.idle_us == 0)
			return FN_KEEP_NEVER;
		return e->idle_since + (f->tail_us > k->cfg.idle_us ? f->tail_us : k->cfg.idle_us);
	}
	if (f->running > 0 || f->rests_since == 0)
		return e->idle_since + f->tail_us;
	/* At rest, and nobody comes before the head. What has served ends at once; what was made ahead is there for whom it was made. */
	return e->ahead ? f->rests_since + f->tail_us : e->idle_since;
}

uint64_t fn_keep_prewarm(const struct fn_keep *k, const struct fn_keep_function *f)
{
	if (k->cfg.policy != FN_KEEP_HYBRID || f->running > 0 || f->rests_since == 0 || f->tail_us == 0 || f->head_us == 0)
		return FN_KEEP_NEVER;
	return f->rests_since + f->head_us;
}

double fn_keep_value(const struct fn_keep *k, const struct fn_keep_function *f, const struct fn_keep_env *e, uint64_t bytes)
{
	if (k->cfg.policy == FN_KEEP_FIXED)
		return (double)e->idle_since;
	return e->clock + (double)(e->ahead ? f->frequency : e->frequency) * f->cost_us / ((double)(bytes ? bytes : 1) / (1u << 20));
}

void fn_keep_evicted(struct fn_keep *k, double value)
{
	if (k->cfg.policy != FN_KEEP_FIXED && value > k->clock)
		k->clock = value;
}

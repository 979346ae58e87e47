/* scaler.c - see scaler.h. */
#include "invoke/scaler.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "invoke/provision.h"

#define SAMPLES 20u /* in a period */

struct fn_scaler {
	struct fn_scaler_config cfg;
	uint64_t timer;
	unsigned samples;
	double *sums; /* by target */
};

/* Its share of what is provisioned for the function and in use. */
static double in_use(const struct fn_scaler *s, const struct fn_scaler_target *t)
{
	const struct fn_provisioned *p = fn_store_provisioned(s->cfg.store, t->function, t->qualifier);

	return p ? (double)fn_provision_in_use(s->cfg.invoker, s->cfg.store, t->function, p) : 0;
}

static void step(struct fn_scaler *s, struct fn_scaler_target *t, double average)
{
	const struct fn_provisioned *p = fn_store_provisioned(s->cfg.store, t->function, t->qualifier);
	int64_t now = p ? p->requested : 0, wanted, room;
	char text[512];
	struct fn_err err;

	wanted = fn_scaling_step(&t->scaling, now, average, fn_clock_real_us() / 1000000u);
	room = fn_provision_room(s->cfg.store, t->function, t->qualifier, s->cfg.account_concurrency);
	if (wanted > room)
		wanted = room > 0 ? room : 0;
	if (wanted == now || (wanted == 0 && !p))
		return;
	if (fn_store_set_provisioned(s->cfg.store, t->function, t->qualifier, wanted, &err) < 0) {
		fn_log_warn("scaling of %s:%s: %s", t->function, t->qualifier, fn_err_format(&err, text, sizeof(text)));
		return;
	}
	fn_log_info("provisioned concurrency of %s:%s: %lld instead of %lld, %.1f in use", t->function, t->qualifier, (long long)wanted, (long long)now,
		    average);
	fn_provision_apply(s->cfg.invoker, s->cfg.store, t->function);
}

static void on_timer(void *arg)
{
	struct fn_scaler *s = arg;

	for (size_t i = 0; i < s->cfg.n_targets; i++)
		s->sums[i] += in_use(s, &s->cfg.targets[i]);
	if (++s->samples >= SAMPLES) {
		for (size_t i = 0; i < s->cfg.n_targets; i++) {
			struct fn_scaler_target *t = &s->cfg.targets[i];
			struct fn_function *f = fn_store_resolve(s->cfg.store, t->function, t->qualifier);

			if (f && !fn_streq(f->version, "$LATEST"))
				step(s, t, s->sums[i] / s->samples);
			s->sums[i] = 0;
		}
		s->samples = 0;
	}
	(void)fn_loop_rearm_timer(s->cfg.loop, s->timer, fn_loop_now_us(s->cfg.loop) + s->cfg.period_us / SAMPLES);
}

int fn_scaler_new(const struct fn_scaler_config *config, struct fn_scaler **ret)
{
	struct fn_scaler *s = calloc(1, sizeof(*s));

	if (!s || !(s->sums = calloc(config->n_targets + 1, sizeof(*s->sums)))) {
		free(s);
		return -ENOMEM;
	}
	s->cfg = *config;
	s->samples = SAMPLES - 1; /* minima hold at once */
	if (fn_loop_add_timer(s->cfg.loop, config->n_targets ? 0 : UINT64_MAX, on_timer, s, &s->timer) < 0) {
		fn_scaler_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void fn_scaler_free(struct fn_scaler *s)
{
	if (!s)
		return;
	fn_loop_clear(s->cfg.loop, &s->timer);
	free(s->sums);
	free(s);
}

/* scaler.c - see scaler.h. */
#include "invoke/scaler.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "invoke/provision.h"

#define SAMPLES 20u /* in a period */

/* What is known of a target. */
struct sample {
	struct fn_scaler *s;
	struct fn_scaler_target *t;
	double sum, average;
	struct fn_store_turn turn; /* until the function is not being written otherwise */
};

struct fn_scaler {
	struct fn_scaler_config cfg;
	uint64_t timer;
	unsigned n;
	struct sample *samples; /* by target */
};

/* Its share of what is provisioned for the function and in use. */
static double in_use(const struct fn_scaler *s, const struct fn_scaler_target *t)
{
	const struct fn_provisioned *p = fn_store_provisioned(s->cfg.store, t->function, t->qualifier);

	return p ? (double)fn_provision_in_use(s->cfg.invoker, s->cfg.store, t->function, p) : 0;
}

static void on_stored(void *arg, const struct fn_err *err)
{
	struct sample *a = arg;
	char text[512];

	if (err)
		fn_log_warn("scaling of %s:%s: %s", a->t->function, a->t->qualifier, fn_err_format(err, text, sizeof(text)));
	else
		fn_provision_apply(a->s->cfg.invoker, a->s->cfg.store, a->t->function);
}

static void step(void *arg)
{
	struct sample *a = arg;
	const struct fn_scaler_config *cfg = &a->s->cfg;
	struct fn_scaler_target *t = a->t;
	const struct fn_provisioned *p = fn_store_provisioned(cfg->store, t->function, t->qualifier);
	const struct fn_function *f = fn_store_resolve(cfg->store, t->function, t->qualifier);
	int64_t now = p ? p->requested : 0, wanted, room;
	struct fn_err err;

	if (!f || fn_streq(f->version, "$LATEST"))
		return;
	wanted = fn_scaling_step(&t->scaling, now, a->average, fn_clock_real_us() / 1000000u);
	room = fn_provision_room(cfg->store, t->function, t->qualifier, cfg->account_concurrency);
	if (wanted > room)
		wanted = room > 0 ? room : 0;
	if (wanted == now || (wanted == 0 && !p))
		return;
	fn_log_info("provisioned concurrency of %s:%s: %lld instead of %lld, %.1f in use", t->function, t->qualifier, (long long)wanted, (long long)now,
		    a->average);
	if (fn_store_set_provisioned(cfg->store, t->function, t->qualifier, wanted, on_stored, a, &err) < 0)
		on_stored(a, &err);
}

static void on_timer(void *arg)
{
	struct fn_scaler *s = arg;

	for (size_t i = 0; i < s->cfg.n_targets; i++)
		s->samples[i].sum += in_use(s, &s->cfg.targets[i]);
	if (++s->n >= SAMPLES) {
		for (size_t i = 0; i < s->cfg.n_targets; i++) {
			struct sample *a = &s->samples[i];

			a->average = a->sum / s->n;
			a->sum = 0;
			if (!fn_list_linked(&a->turn.link))
				fn_store_wait(s->cfg.store, &a->turn);
		}
		s->n = 0;
	}
	(void)fn_loop_rearm_timer(s->cfg.loop, s->timer, fn_loop_now_us(s->cfg.loop) + s->cfg.period_us / SAMPLES);
}

int fn_scaler_new(const struct fn_scaler_config *config, struct fn_scaler **ret)
{
	struct fn_scaler *s = calloc(1, sizeof(*s));

	if (!s || !(s->samples = calloc(config->n_targets + 1, sizeof(*s->samples)))) {
		free(s);
		return -ENOMEM;
	}
	s->cfg = *config;
	for (size_t i = 0; i < config->n_targets; i++) {
		struct sample *a = &s->samples[i];

		*a = (struct sample){.s = s, .t = &config->targets[i]};
		a->turn = (struct fn_store_turn){.function = a->t->function, .fn = step, .arg = a};
	}
	s->n = SAMPLES - 1; /* minima hold at once */
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
	for (size_t i = 0; s->samples && i < s->cfg.n_targets; i++)
		fn_list_remove(&s->samples[i].turn.link);
	free(s->samples);
	free(s);
}

/* invoke.c - see invoke.h: RESOLVE is router.c; ADMIT, then the backend does ACQUIRE and RUN, FINISH hands the result to the caller. */
#include "invoke/invoke.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "invoke/invoker.h"
#include "invoke/load.h"
#include "model/lineage.h"

struct fn_invoker {
	struct fn_backend *backend;
	struct fn_loads *loads;
};

/* What an invocation that was admitted counts in. */
struct ticket {
	struct fn_invoker *inv;
	struct fn_load *load;
	struct fn_load_part *part;
};

int fn_invoker_new(struct fn_backend *backend, unsigned account_concurrency, struct fn_invoker **ret)
{
	struct fn_invoker *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return -ENOMEM;
	inv->backend = backend;
	if (fn_loads_new(account_concurrency, &inv->loads) < 0) {
		free(inv);
		return -ENOMEM;
	}
	*ret = inv;
	return 0;
}

void fn_invoker_free(struct fn_invoker *inv)
{
	if (!inv)
		return;
	fn_loads_free(inv->loads);
	free(inv);
}

unsigned fn_invoker_running(const struct fn_invoker *inv) { return fn_loads_running(inv->loads); }

void fn_invoker_recursive(struct fn_invoker *inv, const char *function)
{
	struct fn_load *l = fn_load_get(inv->loads, function);

	if (l)
		l->n.recursive++;
}

void fn_invoker_concurrency(struct fn_invoker *inv, const char *function, int64_t *ret_reserved, int64_t *ret_left)
{
	struct fn_load *l = fn_load_get(inv->loads, function);

	*ret_reserved = l ? l->reserved : -1;
	*ret_left = fn_loads_left(inv->loads);
}

void fn_invoker_limits(struct fn_invoker *inv, const char *function, int64_t reserved)
{
	struct fn_load *l = fn_load_get(inv->loads, function);

	if (l)
		fn_load_limits(inv->loads, l, reserved);
}

bool fn_invoker_url_request(struct fn_invoker *inv, const char *function)
{
	struct fn_load *l = fn_load_get(inv->loads, function);

	return !l || fn_load_url_request(l, fn_clock_mono_us());
}

void fn_invoker_forget(struct fn_invoker *inv, const char *function) { fn_load_forget(inv->loads, function); }

void fn_invoker_provision(struct fn_invoker *inv, struct fn_function *f, unsigned n)
{
	struct fn_load *l = fn_load_get(inv->loads, f->name);

	if (!l || fn_load_provision(inv->loads, l, f->version, n) < 0 || inv->backend->ops->provision(inv->backend, f, n) < 0)
		fn_log_error("provisioned concurrency of %s:%s: out of memory", f->name, f->version);
}

void fn_invoker_provisioned(struct fn_invoker *inv, const struct fn_function *f, struct fn_backend_provisioned *ret)
{
	inv->backend->ops->provisioned(inv->backend, f, ret);
}

static void count_environments(void *arg, const char *function, const struct fn_backend_environments *n)
{
	struct fn_load *l = fn_load_find(arg, function);

	if (!l)
		return;
	l->environments.starting += n->starting;
	l->environments.idle += n->idle;
	l->environments.busy += n->busy;
	l->environments.finishing += n->finishing;
}

int fn_invoker_metrics(struct fn_invoker *inv, struct fn_buf *out)
{
	struct fn_load *l;
	size_t it = 0;

	while ((l = fn_load_next(inv->loads, &it))) {
		l->environments = (struct fn_backend_environments){0};
		if (l->provisioned > 0)
			l->provisioned_running = inv->backend->ops->provisioned_busy(inv->backend, l->function);
	}
	inv->backend->ops->environments(inv->backend, count_environments, inv->loads);
	return fn_loads_metrics(inv->loads, out);
}

void fn_invoker_retire(struct fn_invoker *inv, const char *name, const char *version, uint64_t generation_keep)
{
	inv->backend->ops->retire(inv->backend, name, version, generation_keep);
}

void fn_invoker_expect(struct fn_invoker *inv, const struct fn_function *f) { inv->backend->ops->expect(inv->backend, f); }

uint64_t fn_invoker_await(struct fn_invoker *inv, const struct fn_function *f, void (*fn)(void *arg, uint64_t number), void *arg)
{
	return inv->backend->ops->await(inv->backend, f, fn, arg);
}

bool fn_invoker_uses_code(struct fn_invoker *inv, const char *code_sha256) { return inv->backend->ops->uses_code(inv->backend, code_sha256); }

/* FINISH */
static void account(struct fn_invocation *i)
{
	struct ticket *t = i->on_complete_arg;
	struct fn_load *l = t->load;

	if (i->outcome == FN_INV_REFUSED && i->refusal == FN_REFUSAL_MACHINE)
		l->n.throttles++;
	else
		l->n.errors += i->outcome != FN_INV_RESPONSE;
	l->n.cold_starts += i->cold;
	l->n.provisioned_invocations += i->provisioned;
	l->n.spillover_invocations += i->spilled;
	l->n.duration_us += fn_clock_mono_us() - i->arrived_us;
	fn_load_done(t->inv->loads, l, t->part); /* the last: it may be gone then */
	free(t);
}

static int make_trace_id(struct fn_invocation *i)
{
	fn_auto_buf struct fn_buf whole = {0};
	size_t len;

	if (fn_trace_whole(i->trace_id, &whole) < 0)
		return -ENOMEM;
	free(i->trace_id);
	i->trace_id = fn_buf_take(&whole, &len);
	return 0;
}

/* ADMIT */
static enum fn_refusal admit(struct ticket *t, const struct fn_function *f)
{
	struct fn_loads *loads = t->inv->loads;

	t->load = fn_load_get(loads, f->name);
	if (!t->load)
		abort(); /* no memory */
	switch (fn_load_admit(loads, t->load, f->version, &t->part)) {
	case FN_ADMITTED:
		return FN_REFUSAL_NONE;
	case FN_ADMIT_FUNCTION_FULL:
		return t->load->reserved == 0 ? FN_REFUSAL_FUNCTION_OFF : FN_REFUSAL_FUNCTION_FULL;
	case FN_ADMIT_ACCOUNT_FULL:
		break;
	}
	return FN_REFUSAL_ACCOUNT_FULL;
}

int fn_invoke_submit(struct fn_invoker *inv, struct fn_invocation *i)
{
	struct ticket *t = malloc(sizeof(*t));
	enum fn_refusal refusal;

	if (!t || make_trace_id(i) < 0) {
		free(t);
		return -ENOMEM;
	}
	*t = (struct ticket){.inv = inv};
	i->arrived_us = fn_clock_mono_us();
	refusal = admit(t, i->function);
	if (refusal != FN_REFUSAL_NONE) {
		free(t);
		fn_invocation_refuse(i, refusal, NULL);
		return 0;
	}
	t->load->n.invocations++;
	i->on_complete = account;
	i->on_complete_arg = t;
	inv->backend->ops->submit(inv->backend, i); /* ACQUIRE, RUN */
	return 0;
}

/* invoke.c - see invoke.h: RESOLVE is router.c; ADMIT, then the pool does ACQUIRE and RUN, FINISH hands the result to the caller. */
#include "invoke/invoke.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "invoke/invoker.h"
#include "invoke/load.h"

struct fn_invoker {
	struct fn_pool *pool;
	struct fn_loads *loads;
};

/* One submission: what the caller wants back. */
struct ticket {
	struct fn_invoker *inv;
	struct fn_load *load; /* NULL: it was not admitted */
	struct fn_load_part *part;
	bool function_full, function_off;
	fn_invoke_done_fn done;
	void *arg;
};

int fn_invoker_new(struct fn_pool *pool, unsigned account_concurrency, struct fn_invoker **ret)
{
	struct fn_invoker *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return -ENOMEM;
	inv->pool = pool;
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

void fn_invoker_limits(struct fn_invoker *inv, const char *function, int64_t reserved)
{
	struct fn_load *l = fn_load_get(inv->loads, function);

	if (l)
		fn_load_limits(inv->loads, l, reserved);
}

void fn_invoker_forget(struct fn_invoker *inv, const char *function) { fn_load_forget(inv->loads, function); }

void fn_invoker_provision(struct fn_invoker *inv, struct fn_function *f, unsigned n)
{
	struct fn_load *l = fn_load_get(inv->loads, f->name);

	if (!l || fn_load_provision(inv->loads, l, f->version, n) < 0 || fn_pool_provision(inv->pool, f, n) < 0)
		fn_log_error("provisioned concurrency of %s:%s: out of memory", f->name, f->version);
}

void fn_invoker_provisioned(struct fn_invoker *inv, const struct fn_function *f, struct fn_pool_provisioned *ret)
{
	fn_pool_provisioned(inv->pool, f, ret);
}

int fn_invoker_metrics(struct fn_invoker *inv, struct fn_buf *out)
{
	struct fn_load *l;
	size_t it = 0;

	while ((l = fn_load_next(inv->loads, &it)))
		if (l->provisioned > 0)
			l->provisioned_running = fn_pool_provisioned_busy(inv->pool, l->function);
	return fn_loads_metrics(inv->loads, out);
}

void fn_invoker_retire(struct fn_invoker *inv, const char *name, const char *version, uint64_t generation_keep)
{
	fn_pool_retire(inv->pool, name, version, generation_keep);
}

void fn_invoker_expect(struct fn_invoker *inv, const struct fn_function *f) { fn_pool_prestart(inv->pool, f); }

uint64_t fn_invoker_await(struct fn_invoker *inv, const struct fn_function *f, void (*fn)(void *arg, uint64_t number), void *arg)
{
	return fn_pool_await(inv->pool, f, fn, arg);
}

bool fn_invoker_uses_code(struct fn_invoker *inv, const char *code_sha256) { return fn_pool_uses_code(inv->pool, code_sha256); }

static char *take_payload(struct fn_invoke_result *res)
{
	char *p = (char *)res->payload;

	res->payload = NULL;
	return p;
}

static void deliver(struct ticket *t, struct fn_invocation *i, enum fn_outcome outcome)
{
	struct fn_invoke_result res = {
		.outcome = outcome, .payload = fn_take_ptr(i->result), .payload_len = i->result_len, .take_payload = take_payload,
		.content_type = i->result_type, .executed_version = i->function->version, .trace_id = i->trace_id,
		.log_tail = i->tail, .log_tail_len = i->tail_len, .err = &i->err,
		.function_full = t->function_full,
		.function_off = t->function_off,
	};

	t->done(t->arg, &res);
	free((char *)res.payload);
}

static void account(struct ticket *t, const struct fn_invocation *i)
{
	struct fn_load *l = t->load;

	l->n.errors += i->outcome != FN_INV_RESPONSE;
	l->n.cold_starts += i->cold;
	l->n.provisioned_invocations += i->provisioned;
	l->n.spillover_invocations += i->spilled;
	l->n.duration_us += fn_clock_mono_us() - i->arrived_us;
	fn_load_done(t->inv->loads, l, t->part); /* the last: it may be gone then */
}

/* FINISH */
static void on_done(struct fn_invocation *i)
{
	static const enum fn_outcome outcomes[] = {
		[FN_INV_PENDING] = FN_OUTCOME_PLATFORM_ERROR, [FN_INV_RESPONSE] = FN_OUTCOME_RESPONSE,
		[FN_INV_FUNCTION_ERROR] = FN_OUTCOME_FUNCTION_ERROR, [FN_INV_THROTTLED] = FN_OUTCOME_THROTTLED,
		[FN_INV_PLATFORM_ERROR] = FN_OUTCOME_PLATFORM_ERROR,
	};
	struct ticket *t = i->arg;

	if (t->load) /* it was admitted */
		account(t, i);
	deliver(t, i, outcomes[i->outcome]);
	free(t);
}

static int make_trace_id(const char *given, char **ret)
{
	char root[25], parent[17];

	if (given) {
		*ret = strdup(given);
		return *ret ? 0 : -ENOMEM;
	}
	fn_id_hex(root, 24);
	fn_id_hex(parent, 16);
	return asprintf(ret, "Root=1-%08llx-%s;Parent=%s;Sampled=0", (unsigned long long)(fn_clock_real_us() / 1000000u), root, parent) < 0
		       ? -ENOMEM
		       : 0;
}

/* ADMIT */
static void admit(struct ticket *t, struct fn_invocation *i)
{
	struct fn_loads *loads = t->inv->loads;
	struct fn_load *load = fn_load_get(loads, i->function->name);
	enum fn_admission admission;

	if (!load)
		abort(); /* no memory */
	admission = fn_load_admit(loads, load, i->function->version, &t->part);
	if (admission != FN_ADMITTED) {
		t->function_full = admission == FN_ADMIT_FUNCTION_FULL;
		t->function_off = t->function_full && load->reserved == 0;
		fn_invocation_complete(i, FN_INV_THROTTLED, NULL, 0);
		return;
	}
	t->load = load;
	load->n.invocations++;
	fn_pool_run(t->inv->pool, i); /* ACQUIRE, RUN */
}

int fn_invoke_submit(struct fn_invoker *inv, struct fn_invoke_params *p, fn_invoke_done_fn done, void *arg)
{
	struct fn_invocation *i = fn_invocation_new();
	struct ticket *t = malloc(sizeof(*t));

	if (!i || !t || make_trace_id(p->trace_id, &i->trace_id) < 0 || !(i->invoked_arn = strdup(p->invoked_arn)) ||
	    (p->content_type && !(i->content_type = strdup(p->content_type))) ||
	    (p->client_context && !(i->client_context = strdup(p->client_context)))) {
		free(t);
		fn_invocation_unref(i);
		return -ENOMEM;
	}
	*t = (struct ticket){.inv = inv, .done = done, .arg = arg};
	memcpy(i->id, p->request_id, sizeof(i->id));
	i->function = fn_function_ref(p->function);
	i->payload = p->payload;
	i->payload_len = p->payload_len;
	i->want_tail = p->want_log_tail;
	i->arrived_us = fn_clock_mono_us();
	i->done = on_done;
	i->arg = t;
	admit(t, i);
	fn_invocation_unref(i);
	return 0;
}

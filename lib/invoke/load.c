/* load.c - see load.h. */
#include "invoke/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct fn_loads {
	struct fn_map *by_function;
	int64_t account, claims; /* claims: what is reserved or provisioned */
	int64_t shared;          /* what runs on what is left: of functions without a reservation, beyond what is provisioned for them */
	unsigned running;
};

int fn_loads_new(unsigned account_concurrency, struct fn_loads **ret)
{
	struct fn_loads *ls = calloc(1, sizeof(*ls));

	if (!ls || fn_map_new(&ls->by_function) < 0) {
		free(ls);
		return -ENOMEM;
	}
	ls->account = account_concurrency;
	*ret = ls;
	return 0;
}

void fn_loads_free(struct fn_loads *ls)
{
	struct fn_load *l;
	size_t it = 0;

	if (!ls)
		return;
	while ((l = fn_map_next(ls->by_function, &it))) {
		free(l->function);
		free(l);
	}
	fn_map_free(ls->by_function);
	free(ls);
}

unsigned fn_loads_running(const struct fn_loads *ls) { return ls->running; }

struct fn_load *fn_load_get(struct fn_loads *ls, const char *function)
{
	struct fn_load *l = fn_map_get(ls->by_function, function);

	if (l) {
		l->gone = false;
		return l;
	}
	l = calloc(1, sizeof(*l));
	if (l && (l->function = strdup(function)) && fn_map_set(ls->by_function, function, l, NULL) == 0) {
		l->reserved = -1;
		return l;
	}
	if (l)
		free(l->function);
	free(l);
	return NULL;
}

struct fn_load *fn_load_find(struct fn_loads *ls, const char *function) { return fn_map_get(ls->by_function, function); }
struct fn_load *fn_load_next(struct fn_loads *ls, size_t *it) { return fn_map_next(ls->by_function, it); }

static int64_t claim(const struct fn_load *l) { return l->reserved >= 0 ? l->reserved : l->provisioned; }

static int64_t on_shared(const struct fn_load *l)
{
	return l->reserved >= 0 || (int64_t)l->running <= l->provisioned ? 0 : (int64_t)l->running - l->provisioned;
}

void fn_load_limits(struct fn_loads *ls, struct fn_load *l, int64_t reserved, int64_t provisioned)
{
	ls->claims -= claim(l);
	ls->shared -= on_shared(l);
	l->reserved = reserved;
	l->provisioned = provisioned;
	ls->claims += claim(l);
	ls->shared += on_shared(l);
}

static void drop(struct fn_loads *ls, struct fn_load *l)
{
	fn_map_remove(ls->by_function, l->function);
	free(l->function);
	free(l);
}

void fn_load_forget(struct fn_loads *ls, const char *function)
{
	struct fn_load *l = fn_map_get(ls->by_function, function);

	if (!l)
		return;
	fn_load_limits(ls, l, -1, 0);
	l->gone = true;
	if (l->running == 0)
		drop(ls, l);
}

enum fn_admission fn_load_admit(struct fn_loads *ls, struct fn_load *l)
{
	enum fn_admission a = FN_ADMITTED;

	if (l->reserved >= 0)
		a = (int64_t)l->running < l->reserved ? FN_ADMITTED : FN_ADMIT_FUNCTION_FULL;
	else if ((int64_t)l->running >= l->provisioned && ls->shared >= ls->account - ls->claims)
		a = FN_ADMIT_ACCOUNT_FULL;
	if (a != FN_ADMITTED) {
		l->n.throttles++;
		return a;
	}
	ls->shared -= on_shared(l);
	l->running++;
	ls->shared += on_shared(l);
	ls->running++;
	return a;
}

void fn_load_done(struct fn_loads *ls, struct fn_load *l)
{
	ls->shared -= on_shared(l);
	l->running--;
	ls->shared += on_shared(l);
	ls->running--;
	if (l->gone && l->running == 0)
		drop(ls, l);
}

void fn_load_add(struct fn_load *l, const struct fn_load_counts *n)
{
	l->n.invocations += n->invocations;
	l->n.errors += n->errors;
	l->n.throttles += n->throttles;
	l->n.cold_starts += n->cold_starts;
	l->n.provisioned_invocations += n->provisioned_invocations;
	l->n.spillover_invocations += n->spillover_invocations;
	l->n.duration_us += n->duration_us;
}

/* --- metrics --- */
#define U64(l, at) (*(const uint64_t *)((const char *)(l) + (at)))

static int label(struct fn_buf *out, const char *metric, const char *function)
{
	return fn_buf_addf(out, "fnd_%s{function=\"%s\"} ", metric, function); /* names need no escaping: [a-zA-Z0-9-_] */
}

int fn_loads_metrics(const struct fn_loads *ls, struct fn_buf *out)
{
	static const struct {
		const char *name, *help;
		size_t at;
	} counters[] = {
		{"invocations_total", "Invocations that were admitted.", offsetof(struct fn_load, n.invocations)},
		{"errors_total", "Invocations that ended with a function error or the platform's.", offsetof(struct fn_load, n.errors)},
		{"throttles_total", "Invocations that were refused for want of concurrency.", offsetof(struct fn_load, n.throttles)},
		{"cold_starts_total", "Invocations that waited for an environment to initialise.", offsetof(struct fn_load, n.cold_starts)},
		{"provisioned_concurrency_invocations_total", "Invocations on provisioned concurrency.",
		 offsetof(struct fn_load, n.provisioned_invocations)},
		{"provisioned_concurrency_spillover_invocations_total", "Invocations on ordinary concurrency while all that was provisioned was in use.",
		 offsetof(struct fn_load, n.spillover_invocations)},
	};
	struct fn_load *l;
	size_t it;
	int r = 0;

	for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]) && r == 0; c++) {
		r = fn_buf_addf(out, "# HELP fnd_%s %s\n# TYPE fnd_%s counter\n", counters[c].name, counters[c].help, counters[c].name);
		for (it = 0; r == 0 && (l = fn_map_next(ls->by_function, &it));)
			if ((r = label(out, counters[c].name, l->function)) == 0)
				r = fn_buf_addf(out, "%" PRIu64 "\n", U64(l, counters[c].at));
	}
	if (r == 0)
		r = fn_buf_add_str(out, "# HELP fnd_duration_seconds_total Time from an invocation's arrival to its end.\n"
					"# TYPE fnd_duration_seconds_total counter\n");
	for (it = 0; r == 0 && (l = fn_map_next(ls->by_function, &it));)
		if ((r = label(out, "duration_seconds_total", l->function)) == 0)
			r = fn_buf_addf(out, "%.6f\n", (double)l->n.duration_us / 1e6);
	if (r == 0)
		r = fn_buf_add_str(out, "# HELP fnd_concurrent_executions Invocations that run or wait.\n# TYPE fnd_concurrent_executions gauge\n");
	for (it = 0; r == 0 && (l = fn_map_next(ls->by_function, &it));)
		if ((r = label(out, "concurrent_executions", l->function)) == 0)
			r = fn_buf_addf(out, "%u\n", l->running - l->spare);
	if (r == 0)
		r = fn_buf_add_str(out, "# HELP fnd_provisioned_concurrency_utilization In use of what is provisioned.\n"
					"# TYPE fnd_provisioned_concurrency_utilization gauge\n");
	for (it = 0; r == 0 && (l = fn_map_next(ls->by_function, &it));)
		if (l->provisioned > 0 && (r = label(out, "provisioned_concurrency_utilization", l->function)) == 0)
			r = fn_buf_addf(out, "%.4f\n", (double)l->provisioned_running / (double)l->provisioned);
	return r;
}

/* load.c - see load.h. */
#include "invoke/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void free_load(struct fn_load *l);

struct fn_loads {
	struct fn_map *by_function;
	int64_t account, claims; /* claims: what is reserved or provisioned */
	int64_t shared;          /* what runs on what is left: of functions without a reservation, beyond what is provisioned for them */
	unsigned running;
};

int64_t fn_loads_left(const struct fn_loads *ls) { return ls->account > ls->claims ? ls->account - ls->claims : 0; }

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
	while ((l = fn_map_next(ls->by_function, &it)))
		free_load(l);
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
static int64_t on_shared(const struct fn_load *l) { return l->reserved >= 0 ? 0 : (int64_t)l->over; }

static unsigned over_of(const struct fn_load_part *p) { return (int64_t)p->running > p->provisioned ? p->running - (unsigned)p->provisioned : 0; }

static struct fn_load_part *part_of(struct fn_load *l, const char *version)
{
	struct fn_load_part *p = l->parts;

	while (p && strcmp(p->version, version) != 0)
		p = p->next;
	return p;
}

/* Around every change of a function's limits, and of what is counted. */
static void take_out(struct fn_loads *ls, const struct fn_load *l)
{
	ls->claims -= claim(l);
	ls->shared -= on_shared(l);
}

static void put_back(struct fn_loads *ls, const struct fn_load *l)
{
	ls->claims += claim(l);
	ls->shared += on_shared(l);
}

void fn_load_limits(struct fn_loads *ls, struct fn_load *l, int64_t reserved)
{
	take_out(ls, l);
	l->reserved = reserved;
	l->provisioned = 0;
	l->over = l->running;
	for (struct fn_load_part *p = l->parts; p; p = p->next)
		p->provisioned = 0;
	put_back(ls, l);
}

int fn_load_provision(struct fn_loads *ls, struct fn_load *l, const char *version, int64_t n)
{
	struct fn_load_part *p = part_of(l, version);

	if (!p && n == 0)
		return 0;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p || !(p->version = strdup(version))) {
			free(p);
			return -ENOMEM;
		}
		p->next = l->parts;
		l->parts = p;
	}
	take_out(ls, l);
	l->provisioned += n - p->provisioned;
	l->over -= over_of(p);
	p->provisioned = n;
	l->over += over_of(p);
	put_back(ls, l);
	return 0;
}

static void free_load(struct fn_load *l)
{
	struct fn_load_part *next;

	for (struct fn_load_part *p = l->parts; p; p = next) {
		next = p->next;
		free(p->version);
		free(p);
	}
	free(l->function);
	free(l);
}

static void drop(struct fn_loads *ls, struct fn_load *l)
{
	fn_map_remove(ls->by_function, l->function);
	free_load(l);
}

void fn_load_forget(struct fn_loads *ls, const char *function)
{
	struct fn_load *l = fn_map_get(ls->by_function, function);

	if (!l)
		return;
	fn_load_limits(ls, l, -1);
	l->gone = true;
	if (l->running == 0)
		drop(ls, l);
}

static void count(struct fn_loads *ls, struct fn_load *l, struct fn_load_part *p, int by)
{
	ls->shared -= on_shared(l);
	l->over -= p ? over_of(p) : 0;
	if (p)
		p->running += (unsigned)by;
	l->over += p ? over_of(p) : (unsigned)by;
	l->running += (unsigned)by;
	ls->shared += on_shared(l);
	ls->running += (unsigned)by;
}

enum fn_admission fn_load_admit(struct fn_loads *ls, struct fn_load *l, const char *version, struct fn_load_part **ret_part)
{
	struct fn_load_part *p = part_of(l, version);
	enum fn_admission a = FN_ADMITTED;

	if (p && (int64_t)p->running < p->provisioned)
		a = FN_ADMITTED;
	else if (l->reserved >= 0)
		a = (int64_t)l->over < l->reserved - l->provisioned ? FN_ADMITTED : FN_ADMIT_FUNCTION_FULL;
	else if (ls->shared >= ls->account - ls->claims)
		a = FN_ADMIT_ACCOUNT_FULL;
	if (a != FN_ADMITTED) {
		l->n.throttles++;
		return a;
	}
	count(ls, l, p, 1);
	*ret_part = p;
	return a;
}

void fn_load_done(struct fn_loads *ls, struct fn_load *l, struct fn_load_part *part)
{
	count(ls, l, part, -1);
	if (l->gone && l->running == 0)
		drop(ls, l);
}

bool fn_load_url_request(struct fn_load *l, uint64_t now_us)
{
	uint64_t rate = l->reserved > 0 ? (uint64_t)l->reserved * 10 : 0;

	if (rate == 0)
		return true;
	(void)fn_bucket_fill(&l->url, now_us, rate, rate);
	if (fn_bucket_take(&l->url, 1))
		return true;
	l->n.throttles++;
	return false;
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
		{"throttles_total", "Invocations that were refused for want of concurrency, or of room on the machine.", offsetof(struct fn_load, n.throttles)},
		{"recursive_invocations_dropped_total", "Invocations that were stopped, since their chain has led to the function too often.", offsetof(struct fn_load, n.recursive)},
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
			r = fn_buf_addf(out, "%u\n", l->running);
	if (r == 0)
		r = fn_buf_add_str(out, "# HELP fnd_environments Execution environments; finishing: they have answered and not asked for more yet.\n# TYPE fnd_environments gauge\n");
	for (it = 0; r == 0 && (l = fn_map_next(ls->by_function, &it));) {
		const struct fn_backend_environments *e = &l->environments;

		r = fn_buf_addf(out, "fnd_environments{function=\"%s\",state=\"starting\"} %u\nfnd_environments{function=\"%s\",state=\"idle\"} %u\n"
				     "fnd_environments{function=\"%s\",state=\"busy\"} %u\nfnd_environments{function=\"%s\",state=\"finishing\"} %u\n",
				l->function, e->starting, l->function, e->idle, l->function, e->busy, l->function, e->finishing);
	}
	if (r == 0)
		r = fn_buf_add_str(out, "# HELP fnd_provisioned_concurrency_utilization In use of what is provisioned.\n"
					"# TYPE fnd_provisioned_concurrency_utilization gauge\n");
	for (it = 0; r == 0 && (l = fn_map_next(ls->by_function, &it));)
		if (l->provisioned > 0 && (r = label(out, "provisioned_concurrency_utilization", l->function)) == 0)
			r = fn_buf_addf(out, "%.4f\n", (double)l->provisioned_running / (double)l->provisioned);
	return r;
}

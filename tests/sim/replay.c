/* replay.c - see replay.h. Decisions are lib/pool/keepalive.c's own; what is modelled is when things happen. */
#include "sim/replay.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum kind { INIT_DONE, EXEC_DONE, END, PREWARM };

struct event {
	uint64_t at;
	enum kind kind;
	uint32_t function, env, generation;
};

struct env {
	uint32_t function, generation; /* generation: events meant for an earlier one are stale */
	enum { FREE, INIT, IDLE, BUSY } state;
	bool ahead;
	uint64_t exec_us;              /* of the invocation that waits for its init */
	struct fn_keep_env keep;
	uint32_t next, prev;           /* among all idle ones */
};

struct function {
	struct fn_keep_function keep;
	uint32_t *idle;                /* a stack: most recently used last */
	unsigned n_idle, room, envs;
	uint64_t prewarm_at;
	uint64_t n, cold;
};

struct sim {
	const struct sim_trace *t;
	struct fn_keep keep;
	struct function *functions;
	struct env *envs;
	uint32_t n_envs, *free_envs, n_free;
	struct event *heap;
	size_t n_heap, heap_room;
	uint64_t budget, used, now;
	struct sim_result *res;
};

static void *grow(void *p, size_t n, size_t size)
{
	p = realloc(p, n * size);
	if (!p)
		abort();
	return p;
}

static void push(struct sim *s, struct event e)
{
	size_t i = s->n_heap++;

	if (s->n_heap > s->heap_room)
		s->heap = grow(s->heap, s->heap_room = s->heap_room ? s->heap_room * 2 : 4096, sizeof(*s->heap));
	for (; i > 0 && s->heap[(i - 1) / 2].at > e.at; i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = e;
}

static struct event pop(struct sim *s)
{
	struct event top = s->heap[0], last = s->heap[--s->n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->n_heap) {
		if (child + 1 < s->n_heap && s->heap[child + 1].at < s->heap[child].at)
			child++;
		if (s->heap[child].at >= last.at)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return top;
}

static void idle_ended(struct sim *s, struct env *e)
{
	s->res->idle_byte_s += (double)s->t->functions[e->function].bytes * (double)(s->now - e->keep.idle_since) / 1e6;
}

static void env_end(struct sim *s, uint32_t i, bool evicted)
{
	struct env *e = &s->envs[i];
	struct function *f = &s->functions[e->function];

	for (unsigned k = 0; k < f->n_idle; k++)
		if (f->idle[k] == i) {
			memmove(f->idle + k, f->idle + k + 1, (f->n_idle - k - 1) * sizeof(*f->idle));
			f->n_idle--;
			break;
		}
	idle_ended(s, e);
	s->used -= s->t->functions[e->function].bytes;
	e->state = FREE;
	e->generation++;
	s->free_envs[s->n_free++] = i;
	if (--f->envs == 0)
		fn_keep_emptied(&s->keep, &f->keep, evicted);
}

static bool evict_one(struct sim *s, double below)
{
	double least = below;
	uint32_t victim = UINT32_MAX;

	for (uint32_t i = 0; i < s->n_envs; i++) {
		double v;

		if (s->envs[i].state != IDLE)
			continue;
		v = fn_keep_value(&s->keep, &s->functions[s->envs[i].function].keep, &s->envs[i].keep, s->t->functions[s->envs[i].function].bytes);
		if (v < least) {
			least = v;
			victim = i;
		}
	}
	if (victim == UINT32_MAX)
		return false;
	fn_keep_evicted(&s->keep, least);
	env_end(s, victim, true);
	s->res->evicted++;
	return true;
}

static uint32_t env_start(struct sim *s, uint32_t function, uint64_t exec_us, bool ahead)
{
	const struct sim_function *sf = &s->t->functions[function];
	struct env *e;
	uint32_t i;

	while (s->budget && s->used + sf->bytes > s->budget && evict_one(s, 1e300))
		;
	if (s->n_free > 0) {
		i = s->free_envs[--s->n_free];
	} else {
		i = s->n_envs++;
		s->envs = grow(s->envs, s->n_envs, sizeof(*s->envs));
		s->free_envs = grow(s->free_envs, s->n_envs, sizeof(*s->free_envs));
		s->envs[i].generation = 0;
	}
	e = &s->envs[i];
	*e = (struct env){.function = function, .generation = e->generation, .state = INIT, .ahead = ahead, .exec_us = exec_us};
	s->functions[function].envs++;
	s->used += sf->bytes;
	push(s, (struct event){s->now + sf->init_us, INIT_DONE, function, i, e->generation});
	return i;
}

static void env_run(struct sim *s, uint32_t i, uint64_t exec_us)
{
	s->envs[i].state = BUSY;
	push(s, (struct event){s->now + exec_us, EXEC_DONE, s->envs[i].function, i, s->envs[i].generation});
}

static void schedule_end(struct sim *s, uint32_t i)
{
	struct env *e = &s->envs[i];
	uint64_t until = fn_keep_until(&s->keep, &s->functions[e->function].keep, &e->keep);

	if (until != FN_KEEP_NEVER)
		push(s, (struct event){until > s->now ? until : s->now, END, e->function, i, e->generation});
}

static void env_idle(struct sim *s, uint32_t i)
{
	struct env *e = &s->envs[i];
	struct function *f = &s->functions[e->function];

	e->state = IDLE;
	fn_keep_idle(&s->keep, &e->keep, s->now, e->ahead);
	if (f->n_idle == f->room)
		f->idle = grow(f->idle, f->room = f->room ? f->room * 2 : 4, sizeof(*f->idle));
	f->idle[f->n_idle++] = i;
	schedule_end(s, i);
}

static void arrive(struct sim *s, const struct sim_arrival *a)
{
	struct function *f = &s->functions[a->function];

	fn_keep_arrived(&s->keep, &f->keep, s->now);
	f->n++;
	s->res->invocations++;
	if (f->n_idle > 0) {
		struct env *e = &s->envs[f->idle[f->n_idle - 1]];

		s->res->prewarmed_used += e->ahead;
		e->ahead = false;
		idle_ended(s, e);
		e->generation++;
		env_run(s, f->idle[--f->n_idle], a->exec_us);
		return;
	}
	f->cold++;
	s->res->cold++;
	s->res->cold_us += (double)s->t->functions[a->function].init_us;
	env_start(s, a->function, a->exec_us, false);
}

static void rested(struct sim *s, uint32_t function)
{
	struct function *f = &s->functions[function];
	uint64_t at = fn_keep_prewarm(&s->keep, &f->keep);

	if (f->keep.running > 0 || at == FN_KEEP_NEVER)
		return;
	f->prewarm_at = at;
	push(s, (struct event){at, PREWARM, function, 0, 0});
	for (unsigned k = 0; k < f->n_idle; k++) /* they have their ends from when it was busy */
		schedule_end(s, f->idle[k]);
}

static void happen(struct sim *s, const struct event *ev)
{
	struct function *f = &s->functions[ev->function];
	struct env *e = &s->envs[ev->env];

	if (ev->kind == PREWARM) {
		if (f->prewarm_at == ev->at && f->keep.running == 0 && f->envs == 0 &&
		    !(s->budget && s->used + s->t->functions[ev->function].bytes > s->budget)) {
			s->res->prewarmed++;
			env_start(s, ev->function, 0, true);
		}
		return;
	}
	if (ev->generation != e->generation)
		return;
	if (ev->kind == INIT_DONE) {
		fn_keep_started(&s->keep, &f->keep, s->t->functions[ev->function].init_us);
		if (e->ahead)
			env_idle(s, ev->env);
		else
			env_run(s, ev->env, e->exec_us);
	} else if (ev->kind == EXEC_DONE) {
		fn_keep_done(&s->keep, &f->keep, s->now);
		env_idle(s, ev->env);
		rested(s, ev->function);
	} else if (e->state == IDLE && fn_keep_until(&s->keep, &f->keep, &e->keep) <= s->now) {
		env_end(s, ev->env, false);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void sim_replay(const struct sim_trace *t, const struct fn_keep_config *cfg, uint64_t budget, struct sim_result *ret)
{
	struct sim s = {.t = t, .budget = budget, .res = ret};
	double *shares = calloc(t->n_functions + 1, sizeof(*shares));
	size_t n = 0;

	*ret = (struct sim_result){0};
	fn_keep_init(&s.keep, cfg);
	s.functions = calloc(t->n_functions, sizeof(*s.functions));
	if (!s.functions || !shares)
		abort();
	for (size_t i = 0; i < t->n_arrivals; i++) {
		while (s.n_heap > 0 && s.heap[0].at <= t->arrivals[i].at_us) {
			struct event ev = pop(&s);

			s.now = ev.at;
			happen(&s, &ev);
		}
		s.now = t->arrivals[i].at_us;
		arrive(&s, &t->arrivals[i]);
	}
	s.now = t->span_us;
	for (uint32_t i = 0; i < s.n_envs; i++)
		if (s.envs[i].state == IDLE && s.envs[i].keep.idle_since < s.now)
			idle_ended(&s, &s.envs[i]);
	for (size_t i = 0; i < t->n_functions; i++) {
		if (s.functions[i].n > 0)
			shares[n++] = (double)s.functions[i].cold / (double)s.functions[i].n;
		free(s.functions[i].idle);
	}
	qsort(shares, n, sizeof(*shares), by_value);
	ret->median_cold = n ? shares[n / 2] : 0;
	ret->p75_cold = n ? shares[n * 3 / 4] : 0;
	free(shares);
	free(s.functions);
	free(s.envs);
	free(s.free_envs);
	free(s.heap);
}

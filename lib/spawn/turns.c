/* turns.c - see internal.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "os/sched.h"
#include "spawn/internal.h"

#define AT_ONCE_LEAST 4u
#define WAITING_MAX 4096u        /* orders; each has its spec with it. More than a host can start before those who wait have given up */
#define PATIENCE_US 5000u        /* then one more goes, whatever the others wait for: a disk, say */
#define INITS_PER_CPU 8u         /* so many that initialise are none too many, whatever they do */
#define RUNNABLE_PER_CPU 4u
#define INIT_PATIENCE_US 500000u /* then one more goes, however busy the host is, and with what */
#define LOOK_AGAIN_US 10000u

/* What the next waits for, microseconds since the last. Runtimes that initialise and want a CPU each are better begun one after the other: all at once, none would be there before
 * the last, and each would take longer than an init, or an invocation, may. Where they wait for something else, which the CPUs are free then to tell, all go on at once. */
static uint64_t patience(const struct fn_spawn_server *s)
{
	if (s->n_initialising + s->n_starting >= s->inits_at_once && fn_sched_runnable() > s->runnable_most)
		return INIT_PATIENCE_US;
	return s->n_starting >= s->at_once ? PATIENCE_US : 0;
}

static void look_again(struct fn_spawn_server *s, uint64_t now, uint64_t wait_us)
{
	uint64_t until = s->last_turn_us + wait_us;

	(void)fn_loop_rearm_timer(s->cfg.loop, s->turns_timer, until < now + LOOK_AGAIN_US ? until : now + LOOK_AGAIN_US);
}

static void on_turn(void *arg)
{
	struct fn_spawn_server *s = arg;
	uint64_t now = fn_loop_now_us(s->cfg.loop), wait_us = 0;

	while (!fn_list_empty(&s->turns) && ((wait_us = patience(s)) == 0 || now >= s->last_turn_us + wait_us)) {
		struct fn_kept_order *k = fn_list_entry(fn_list_first(&s->turns), struct fn_kept_order, link);

		fn_list_remove(&k->link);
		s->n_turns--;
		s->last_turn_us = now;
		fn_spawn_order(s, &k->head, k->encoded, k->len, FN_ORDER_FIRST);
		free(k);
	}
	if (!fn_list_empty(&s->turns))
		look_again(s, now, wait_us);
}

void fn_turns_order(struct fn_spawn_server *s, const struct fn_proto_header *head, const void *encoded, size_t len)
{
	uint64_t now = fn_loop_now_us(s->cfg.loop), wait_us;
	struct fn_kept_order *k = NULL;
	struct fn_err err;

	if (s->n_turns >= WAITING_MAX) {
		fn_err_set(&err, EAGAIN, "queue of starts", "%u are waiting already", s->n_turns);
		fn_spawn_reply_err(s, head->request, &err);
		return;
	}
	wait_us = fn_list_empty(&s->turns) ? patience(s) : 0;
	if (wait_us > 0 || !fn_list_empty(&s->turns))
		k = fn_kept_order_new(head, encoded, len);
	if (!k) {
		s->last_turn_us = now;
		fn_spawn_order(s, head, encoded, len, FN_ORDER_FIRST);
		return;
	}
	if (fn_list_empty(&s->turns))
		look_again(s, now, wait_us);
	fn_list_push_back(&s->turns, &k->link);
	s->n_turns++;
}

void fn_turns_one_is_through(struct fn_spawn_server *s)
{
	if (!fn_list_empty(&s->turns))
		(void)fn_loop_rearm_timer(s->cfg.loop, s->turns_timer, 0);
}

int fn_turns_open(struct fn_spawn_server *s)
{
	cpu_set_t cpus;
	unsigned n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : 1;

	s->n_cpus = n;
	s->at_once = 2 * n > AT_ONCE_LEAST ? 2 * n : AT_ONCE_LEAST;
	s->inits_at_once = INITS_PER_CPU * n;
	s->runnable_most = RUNNABLE_PER_CPU * n;
	return fn_loop_add_timer(s->cfg.loop, UINT64_MAX, on_turn, s, &s->turns_timer);
}

/* Who waits is told by the end of the socket. */
void fn_turns_close(struct fn_spawn_server *s)
{
	fn_loop_clear(s->cfg.loop, &s->turns_timer);
	s->n_turns = 0;
	while (!fn_list_empty(&s->turns)) {
		struct fn_kept_order *k = fn_list_entry(fn_list_first(&s->turns), struct fn_kept_order, link);

		fn_list_remove(&k->link);
		free(k);
	}
}

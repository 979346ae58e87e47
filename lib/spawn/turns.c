/* turns.c - see internal.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "spawn/internal.h"

#define AT_ONCE_LEAST 4u
#define WAITING_MAX 4096u /* orders; each has its spec with it. More than a host can start before those who wait have given up */
#define PATIENCE_US 5000u /* then one more goes, whatever the others wait for: a disk, say */

static bool room(const struct fn_spawn_server *s) { return s->n_starting < s->at_once; }

static void on_turn(void *arg)
{
	struct fn_spawn_server *s = arg;
	uint64_t now = fn_loop_now_us(s->cfg.loop);

	while (!fn_list_empty(&s->turns) && (room(s) || now >= s->patience_us)) {
		struct fn_kept_order *k = fn_list_entry(fn_list_first(&s->turns), struct fn_kept_order, link);

		fn_list_remove(&k->link);
		s->n_turns--;
		s->patience_us = now + PATIENCE_US;
		fn_spawn_order(s, &k->head, k->encoded, k->len, FN_ORDER_FIRST);
		free(k);
	}
	if (!fn_list_empty(&s->turns))
		(void)fn_loop_rearm_timer(s->cfg.loop, s->turns_timer, s->patience_us);
}

void fn_turns_order(struct fn_spawn_server *s, const struct fn_proto_header *head, const void *encoded, size_t len)
{
	struct fn_kept_order *k = NULL;
	struct fn_err err;

	if (s->n_turns >= WAITING_MAX) {
		fn_err_set(&err, EAGAIN, "queue of starts", "%u are waiting already", s->n_turns);
		fn_spawn_reply_err(s, head->request, &err);
		return;
	}
	if (!room(s) || !fn_list_empty(&s->turns))
		k = fn_kept_order_new(head, encoded, len);
	if (!k) {
		fn_spawn_order(s, head, encoded, len, FN_ORDER_FIRST);
		return;
	}
	if (fn_list_empty(&s->turns)) {
		s->patience_us = fn_loop_now_us(s->cfg.loop) + PATIENCE_US;
		(void)fn_loop_rearm_timer(s->cfg.loop, s->turns_timer, s->patience_us);
	}
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
	unsigned n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? 2 * (unsigned)CPU_COUNT(&cpus) : 0;

	s->at_once = n > AT_ONCE_LEAST ? n : AT_ONCE_LEAST;
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

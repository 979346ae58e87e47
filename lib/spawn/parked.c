/*
 * parked.c - orders that wait for an address or a range of uids: all were in use, and a sandbox made ahead was ended to give its own, or one that
 * has ended is about to. That takes a moment, in which nobody is told that there is none. And for a /tmp, when more were wanted than had been made.
 */
#include <stdlib.h>

#include "spawn/internal.h"

#define LOOK_US 2000u
#define PATIENCE_US 1000000u
#define PATIENCE_TMP_US 30000000u /* since the last of its size came: thousands may be before it, and a disk that is busy */

static bool is_there(struct fn_spawn_server *s, const struct fn_kept_order *p)
{
	return p->tmp_bytes ? fn_tmps_has(s->cfg.tmps, p->tmp_bytes) : fn_box_unused(s) > 0;
}

/* Nobody is refused while those before it get theirs. */
static bool is_late(struct fn_spawn_server *s, const struct fn_kept_order *p, uint64_t now)
{
	return now >= p->until_us && (!p->tmp_bytes || now >= fn_tmps_came_us(s->cfg.tmps, p->tmp_bytes) + PATIENCE_TMP_US);
}

static void on_timer(void *arg)
{
	struct fn_spawn_server *s = arg;
	uint64_t now = fn_loop_now_us(s->cfg.loop);

	fn_list_for_each_safe(l, &s->parked)
	{
		struct fn_kept_order *p = fn_list_entry(l, struct fn_kept_order, link);
		bool late = is_late(s, p, now);

		if (!late && !is_there(s, p))
			continue;
		fn_list_remove(&p->link);
		s->hooks->order(s, &p->head, p->encoded, p->len, late && p->tmp_bytes ? FN_ORDER_LAST : FN_ORDER_FIRST);
		free(p);
	}
	if (!fn_list_empty(&s->parked))
		(void)fn_loop_rearm_timer(s->cfg.loop, s->parked_timer, now + LOOK_US);
}

void fn_parked_look(struct fn_spawn_server *s)
{
	if (!fn_list_empty(&s->parked))
		(void)fn_loop_rearm_timer(s->cfg.loop, s->parked_timer, 0);
}

int fn_parked_open(struct fn_spawn_server *s) { return fn_loop_add_timer(s->cfg.loop, UINT64_MAX, on_timer, s, &s->parked_timer); }

bool fn_parked_add(struct fn_spawn_server *s, const struct fn_proto_header *head, const void *encoded, size_t len, uint64_t tmp_bytes)
{
	struct fn_kept_order *p = fn_kept_order_new(head, encoded, len);
	uint64_t now = fn_loop_now_us(s->cfg.loop);

	if (!p)
		return false;
	p->until_us = now + (tmp_bytes ? PATIENCE_TMP_US : PATIENCE_US);
	p->tmp_bytes = tmp_bytes;
	fn_list_push_back(&s->parked, &p->link);
	(void)fn_loop_rearm_timer(s->cfg.loop, s->parked_timer, now + LOOK_US);
	return true;
}

void fn_parked_free(struct fn_spawn_server *s)
{
	fn_loop_clear(s->cfg.loop, &s->parked_timer);
	fn_list_for_each_safe(l, &s->parked)
	{
		fn_list_remove(l);
		free(fn_list_entry(l, struct fn_kept_order, link));
	}
}

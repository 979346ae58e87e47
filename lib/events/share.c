/* share.c - see share.h. */
#include "events/share.h"

#include <stdio.h>

static void set_left(struct fn_share *s, unsigned left)
{
	s->most = (unsigned)(s->part * (double)left);
	if (s->most == 0)
		s->most = 1;
}

unsigned fn_share_room(const struct fn_share *s, const struct fn_claim *c)
{
	unsigned free = s->most > s->used ? s->most - s->used : 0, own = c->own > c->used ? c->own - c->used : 0;
	uint64_t below = (uint64_t)FN_SHARE_ALPHA * free, room; /* how many k there are with used + k < ALPHA * (free - k) */

	if (c->reserved)
		return s->account;
	room = below > c->used ? (below - c->used + FN_SHARE_ALPHA) / (FN_SHARE_ALPHA + 1) : 0;
	if (room < own)
		room = own;
	return room < free ? (unsigned)room : free;
}

/* Each that waits, in turn; who may not yet keeps its place. */
static void serve(void *arg)
{
	struct fn_share *s = arg;
	struct fn_list passed;
	struct fn_list *first;

	fn_list_init(&passed);
	while ((first = fn_list_first(&s->waiting))) {
		struct fn_claim *c = fn_list_entry(first, struct fn_claim, link);

		if (s->used >= s->most && !c->reserved)
			break;
		fn_list_remove(&c->link);
		if (fn_share_room(s, c) > 0)
			c->turn(c);
		else
			fn_list_push_back(&passed, &c->link);
	}
	while ((first = fn_list_last(&passed))) {
		fn_list_remove(first);
		fn_list_push_front(&s->waiting, first);
	}
}

void fn_share_init(struct fn_share *s, struct fn_loop *loop, double part, unsigned account)
{
	*s = (struct fn_share){.loop = loop, .part = part, .account = account, .serve = {.fn = serve, .arg = s}};
	fn_list_init(&s->waiting);
	set_left(s, account);
}

void fn_share_close(struct fn_share *s)
{
	fn_deferred_cancel(&s->serve);
	while (s->loop && !fn_list_empty(&s->waiting))
		fn_list_remove(fn_list_first(&s->waiting));
}

void fn_share_want(struct fn_share *s, struct fn_claim *c)
{
	if (!fn_list_linked(&c->link) && c->reserved)
		fn_list_push_front(&s->waiting, &c->link);
	else if (!fn_list_linked(&c->link))
		fn_list_push_back(&s->waiting, &c->link);
	if (c->reserved || s->used < s->most)
		fn_loop_defer(s->loop, &s->serve);
}

void fn_share_unwant(struct fn_claim *c) { fn_list_remove(&c->link); }

void fn_share_take(struct fn_share *s, struct fn_claim *c, bool *ret_counted)
{
	*ret_counted = !c->reserved;
	s->used += *ret_counted;
	c->used += *ret_counted;
}

void fn_share_give(struct fn_share *s, struct fn_claim *c, bool counted)
{
	s->used -= counted;
	c->used -= counted;
	if (!fn_list_empty(&s->waiting))
		fn_loop_defer(s->loop, &s->serve);
}

void fn_share_learn(struct fn_share *s, struct fn_claim *c, const char *said)
{
	long long reserved, left;

	if (!said || sscanf(said, "%lld %lld", &reserved, &left) != 2 || left < 0 || left > s->account)
		return;
	if (c->reserved != (reserved >= 0) && fn_list_linked(&c->link)) { /* its place is another */
		fn_share_unwant(c);
		c->reserved = reserved >= 0;
		fn_share_want(s, c);
	}
	c->reserved = reserved >= 0;
	set_left(s, (unsigned)left);
	if (!fn_list_empty(&s->waiting))
		fn_loop_defer(s->loop, &s->serve);
}

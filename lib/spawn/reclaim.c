/* reclaim.c - takes page cache back from sandboxes that idle, so that there is room for others before any of them has to end. The kernel is
 * waited for meanwhile: it is done in parts, one per round of the loop, and only while nobody waits for a sandbox. */
#include <errno.h>

#include "spawn/internal.h"

#define PART (4u << 20)
#define PAUSE_US 1000u
#define BUSY_US 5000u

static void answer(struct fn_box *b)
{
	struct fn_cg_stats st = {0};
	uint64_t bytes;

	if (fn_cgroup_stats(b->cgroup, &st) < 0 || st.memory_current == UINT64_MAX)
		return;
	bytes = st.memory_current;
	fn_spawn_reply(b->server, FN_PROTO_RECLAIMED, 0, b->id, &bytes, sizeof(bytes), NULL, 0);
}

static void on_reclaims(void *arg)
{
	struct fn_spawn_server *s = arg;
	struct fn_list *l = s->n_starting == 0 ? fn_list_first(&s->reclaims) : NULL;

	if (l) {
		struct fn_box *b = fn_list_entry(l, struct fn_box, reclaim);

		if (fn_cgroup_reclaim(b->cgroup, PART) != 1) {
			fn_list_remove(l);
			answer(b);
		}
	}
	if (!fn_list_empty(&s->reclaims))
		(void)fn_loop_rearm_timer(s->cfg.loop, s->reclaims_timer, fn_loop_now_us(s->cfg.loop) + (l ? PAUSE_US : BUSY_US));
}

void fn_reclaim_begin(struct fn_box *b)
{
	struct fn_spawn_server *s = b->server;

	if (b->state != FN_BOX_RUNNING || fn_list_linked(&b->reclaim))
		return;
	fn_list_push_back(&s->reclaims, &b->reclaim);
	if (!s->reclaims_timer)
		(void)fn_loop_add_timer(s->cfg.loop, 0, on_reclaims, s, &s->reclaims_timer);
	else
		(void)fn_loop_rearm_timer(s->cfg.loop, s->reclaims_timer, 0);
}

/* background.c - sandboxes whose invocation goes on for long, and takes CPU all the time, have what shorter ones leave: a function that answers within milliseconds does so beside
 * any number of those. The kernel's fair share would let each of these have its turn of some ms first. It is only done where CPUs are wanted, and with a part of them that is
 * theirs in any case; who has less than that for a while is as all others again. */
#include "os/cgroup.h"
#include "os/sched.h"
#include "spawn/internal.h"

#define LOOK_US 100000u
#define LOOKS_AT_ONCE 64u
#define OWN_US 20000u       /* of CPU, that an invocation has before it gives way, and again when it has waited for too long */
#define PART 4u             /* of what sandboxes have of the CPUs: the share of those that give way */
#define WINDOW_US 1000000u  /* that is looked after in stretches of this length, and so much more for each that a CPU has of them: turns are long */
#define WINDOW_MORE_US 20000u

static void set_way(struct fn_box *b, bool gives_way)
{
	if (b->gives_way == gives_way || fn_cgroup_set_idle(b->cgroup, gives_way) < 0)
		return; /* Linux < 5.15: all are alike */
	b->gives_way = gives_way;
	b->server->n_giving_way += gives_way ? 1u : -1u;
}

bool fn_background_judge(bool gives_way, unsigned n, unsigned n_cpus, uint64_t passed_us, uint64_t used_us, uint64_t all_used_us, bool *ret_look)
{
	if (!gives_way) {
		*ret_look = used_us >= OWN_US;
		return *ret_look;
	}
	*ret_look = passed_us >= WINDOW_US + (uint64_t)WINDOW_MORE_US * n / n_cpus;
	return !*ret_look || used_us >= all_used_us / PART / n;
}

static void look(struct fn_box *b, uint64_t now, uint64_t all_used)
{
	const struct fn_spawn_server *s = b->server;
	uint64_t used = fn_cgroup_cpu_us(b->cgroup);
	bool looked, gives_way = fn_background_judge(b->gives_way, s->n_giving_way, s->n_cpus, now - b->looked_us, used - b->used_us, all_used - b->all_used_us, &looked);

	if (!looked)
		return;
	set_way(b, gives_way);
	b->looked_us = now;
	b->used_us = used;
	b->all_used_us = all_used;
}

static void on_look(void *arg)
{
	struct fn_spawn_server *s = arg;
	uint64_t now = fn_loop_now_us(s->cfg.loop);
	bool wanted = fn_sched_runnable() > s->n_cpus;
	uint64_t all_used = wanted ? fn_cgroups_cpu_us(s->cfg.cgroups) : 0;
	struct fn_list seen;

	fn_list_init(&seen);
	for (unsigned n = 0; wanted && n < LOOKS_AT_ONCE && !fn_list_empty(&s->background); n++) {
		struct fn_list *first = fn_list_first(&s->background);

		fn_list_remove(first);
		fn_list_push_back(&seen, first);
		look(fn_list_entry(first, struct fn_box, background), now, all_used);
	}
	fn_list_append(&s->background, &seen);
	if (!fn_list_empty(&s->background))
		(void)fn_loop_rearm_timer(s->cfg.loop, s->background_timer, now + LOOK_US);
}

void fn_background_begin(struct fn_box *b)
{
	struct fn_spawn_server *s = b->server;
	bool first = fn_list_empty(&s->background);

	if (b->state != FN_BOX_RUNNING || fn_list_linked(&b->background))
		return;
	if (!s->background_timer && fn_loop_add_timer(s->cfg.loop, UINT64_MAX, on_look, s, &s->background_timer) < 0)
		return;
	b->used_us = fn_cgroup_cpu_us(b->cgroup);
	fn_list_push_back(&s->background, &b->background);
	if (first)
		(void)fn_loop_rearm_timer(s->cfg.loop, s->background_timer, fn_loop_now_us(s->cfg.loop) + LOOK_US);
}

void fn_background_end(struct fn_box *b)
{
	if (b->cgroup)
		set_way(b, false);
	fn_list_remove(&b->background);
}

/* bounds.c - what goes: beyond a group's segments, beyond the total, beyond a group's retention. */
#include "logs/internal.h"

/* A group's oldest segment, also when it is the only one; false: it stays. */
static bool drop_oldest(struct fn_log_store *s, struct fn_log_loaded *l)
{
	if (l->n == 1 && (l->segments[0].bytes == 0 || l->block.len > 0 || fn_log_begin_segment(s, l) < 0))
		return false;
	return fn_log_drop_first(s, l) == 0;
}

static struct fn_log_group *oldest_of_all(struct fn_log_store *s)
{
	struct fn_log_group *oldest = NULL, *g;
	size_t it = 0;

	while ((g = fn_map_next(s->groups, &it)))
		if (g->bytes > 0 && (!g->loaded || g->loaded->block.len == 0) && (!oldest || g->oldest_ms < oldest->oldest_ms))
			oldest = g;
	return oldest;
}

void fn_log_keep_total(struct fn_log_store *s)
{
	while (s->total > s->bounds.total_bytes) {
		struct fn_log_group *g = oldest_of_all(s);
		struct fn_log_loaded *l = g ? fn_log_load(s, g) : NULL;

		if (!l || !drop_oldest(s, l))
			return;
	}
}

void fn_log_keep_within(struct fn_log_store *s, struct fn_log_loaded *l)
{
	while (l->n > s->bounds.segments && fn_log_drop_first(s, l) == 0)
		continue;
	fn_log_keep_total(s);
}

void fn_log_expire(struct fn_log_store *s, struct fn_log_group *g, int64_t now_ms)
{
	int64_t until = fn_log_kept_from(g, now_ms);
	struct fn_log_loaded *l = g->bytes && g->retention_days ? fn_log_load(s, g) : NULL;

	while (l && l->segments[0].bytes > 0 && l->segments[0].max_ms < until && drop_oldest(s, l))
		continue;
}

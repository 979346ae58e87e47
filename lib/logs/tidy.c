/* tidy.c - what is done now and then, a small part at a time: what an earlier fnd has left, the total, groups' retention. */
#include <stdlib.h>
#include <string.h>

#include "logs/internal.h"

#define LOOK_EVERY_MS 60000 /* at all groups that have a retention, one after the other */

static void begin_round(struct fn_log_store *s)
{
	size_t n, kept = 0;
	struct fn_log_group **all = fn_log_store_groups(s, &n);

	free(s->by_turn);
	s->by_turn = all ? calloc(n + 1, sizeof(char *)) : NULL;
	for (size_t i = 0; s->by_turn && i < n; i++)
		if (all[i]->retention_days && (s->by_turn[kept] = strdup(all[i]->name)))
			kept++;
	free(all);
	s->turn = 0;
	s->n_turn = kept;
}

bool fn_log_store_tidy(struct fn_log_store *s, int64_t now_ms)
{
	struct fn_log_group *g;

	if (fn_log_takeover_step(s))
		return true;
	if (s->turn == s->n_turn) {
		if (now_ms < s->next_look_ms)
			return false;
		s->next_look_ms = now_ms + LOOK_EVERY_MS;
		fn_log_keep_total(s);
		begin_round(s);
		return s->n_turn > 0;
	}
	g = fn_map_get(s->groups, s->by_turn[s->turn]);
	free(s->by_turn[s->turn++]);
	if (g)
		fn_log_expire(s, g, now_ms);
	return s->turn < s->n_turn;
}

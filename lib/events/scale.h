/*
 * scale.h - how many batches of a mapping run at once. Pure. The backlog is asked for as many as may be; what goes wrong lowers that, what goes well raises it again.
 */
#ifndef FN_EVENTS_SCALE_H
#define FN_EVENTS_SCALE_H

#define FN_SCALE_LEAST 2u   /* whatever goes wrong */
#define FN_SCALE_OWN 5u     /* of each mapping, however many others run */

struct fn_scale {
	unsigned most; /* MaximumConcurrency, or what the account has for mappings */
	unsigned now;  /* from FN_SCALE_LEAST to most */
};

static inline void fn_scale_init(struct fn_scale *s, unsigned most) { s->now = s->most = most < FN_SCALE_LEAST ? FN_SCALE_LEAST : most; }
static inline void fn_scale_set_most(struct fn_scale *s, unsigned most)
{
	s->most = most < FN_SCALE_LEAST ? FN_SCALE_LEAST : most;
	if (s->now > s->most)
		s->now = s->most;
}
static inline void fn_scale_lower(struct fn_scale *s, unsigned to) { s->now = to < FN_SCALE_LEAST ? FN_SCALE_LEAST : to > s->now ? s->now : to; }
static inline void fn_scale_succeeded(struct fn_scale *s) { s->now += s->now < s->most; }
/* running: how many do, with the one that is told of. */
static inline void fn_scale_failed(struct fn_scale *s) { fn_scale_lower(s, s->now - s->now / 8 - 1); }
static inline void fn_scale_throttled(struct fn_scale *s, unsigned running) { fn_scale_lower(s, running > 1 ? running - running / 4 - 1 : 1); }
/* How many more may begin: total and total_most are of all mappings. */
static inline unsigned fn_scale_room(const struct fn_scale *s, unsigned running, unsigned total, unsigned total_most)
{
	unsigned own = s->now > running ? s->now - running : 0, rest = total_most > total ? total_most - total : 0;
	unsigned least = running < FN_SCALE_OWN ? FN_SCALE_OWN - running : 0;

	if (rest < least)
		rest = least;
	return own < rest ? own : rest;
}

#endif

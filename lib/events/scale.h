/*
 * scale.h - how many batches of a mapping run at once. Pure. The backlog is asked for as many as may be; what goes wrong lowers that, what goes well raises it again.
 */
#ifndef FN_EVENTS_SCALE_H
#define FN_EVENTS_SCALE_H

#define FN_SCALE_LEAST 2u   /* whatever goes wrong */

struct fn_scale {
	unsigned least; /* of provisioned pollers, the minimum; else FN_SCALE_LEAST */
	unsigned most;  /* MaximumConcurrency, or what the account has */
	unsigned now;   /* from least to most */
};

static inline void fn_scale_init(struct fn_scale *s, unsigned least, unsigned most)
{
	s->least = least < FN_SCALE_LEAST ? FN_SCALE_LEAST : least;
	s->now = s->most = most < s->least ? s->least : most;
}
static inline void fn_scale_lower(struct fn_scale *s, unsigned to) { s->now = to < s->least ? s->least : to > s->now ? s->now : to; }
static inline void fn_scale_succeeded(struct fn_scale *s) { s->now += s->now < s->most; }
/* running: how many do, with the one that is told of. */
static inline void fn_scale_failed(struct fn_scale *s) { fn_scale_lower(s, s->now - s->now / 8 - 1); }
static inline void fn_scale_throttled(struct fn_scale *s, unsigned running) { fn_scale_lower(s, running > 1 ? running - running / 4 - 1 : 1); }
/* How many more may begin, if others leave so much (share.h). */
static inline unsigned fn_scale_room(const struct fn_scale *s, unsigned running) { return s->now > running ? s->now - running : 0; }

#endif

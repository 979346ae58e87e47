/* share.c - see share.h. */
#include "invoke/share.h"

void fn_share_init(struct fn_share *s, unsigned n_others, unsigned least_percent)
{
	*s = (struct fn_share){.least_percent = least_percent, .n = n_others < FN_SHARE_LOOPS_MAX ? n_others : FN_SHARE_LOOPS_MAX};
}

bool fn_share_count(struct fn_share *s, uint64_t now_us)
{
	s->here++;
	return now_us - s->since_us >= FN_SHARE_WINDOW_US;
}

void fn_share_window(struct fn_share *s, uint64_t now_us, uint64_t cpu_us, const uint64_t *requests, unsigned lively)
{
	uint64_t least = UINT64_MAX, here = s->here, all = here, loops = s->n + 1;
	bool busy = (cpu_us - s->cpu_us) * 100 >= (now_us - s->since_us) * s->least_percent; /* a window that began long ago was mostly quiet */

	for (unsigned i = 0; i < s->n; i++) {
		uint64_t there = requests[i] - s->seen[i];

		if (there < least) {
			least = there;
			s->to = i;
		}
		s->seen[i] = requests[i];
		all += there;
	}
	s->here = 0;
	s->since_us = now_us;
	s->cpu_us = cpu_us;
	s->due = 0;
	if (s->n > 0 && busy && here * 5 > least * 6 && here * loops > all) {
		uint64_t excess = here * loops - all, lack = all - least * loops; /* over and below the mean, as often as there are loops */

		s->due = (unsigned)(lively * (excess < lack ? excess : lack) / (here * loops));
	}
}

bool fn_share_due(const struct fn_share *s, unsigned *ret_to)
{
	*ret_to = s->to;
	return s->n > 0 && (s->due > 0 || s->least_percent == 0);
}

void fn_share_given(struct fn_share *s)
{
	if (s->due > 0)
		s->due--;
	if (s->least_percent == 0)
		s->to = (s->to + 1) % s->n;
}

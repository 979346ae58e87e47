/*
 * backoff.h - when what has ended is started again: at once the first times, then later and later as long as it keeps ending soon after its start.
 * Pure. Zero-initialised nothing has ended yet.
 */
#ifndef FN_BASE_BACKOFF_H
#define FN_BASE_BACKOFF_H

#include <stdint.h>

#define FN_BACKOFF_SOON_US 2000000u /* an end within so long of its start is one of a row; a later one begins anew */
#define FN_BACKOFF_FREE 2u          /* so many of a row cost nothing */
#define FN_BACKOFF_FIRST_US 40000u  /* the pause after the next; it doubles */
#define FN_BACKOFF_MOST_US 10000000u

struct fn_backoff {
	unsigned row; /* ends so far, each soon after its start */
};

/* It has ended, lived_us after its start: how long to wait until the next start. */
static inline uint64_t fn_backoff_ended(struct fn_backoff *b, uint64_t lived_us)
{
	uint64_t pause = FN_BACKOFF_FIRST_US;

	b->row = lived_us < FN_BACKOFF_SOON_US ? b->row + 1 : 0;
	if (b->row <= FN_BACKOFF_FREE)
		return 0;
	for (unsigned i = FN_BACKOFF_FREE + 1; i < b->row && pause < FN_BACKOFF_MOST_US; i++)
		pause *= 2;
	return pause < FN_BACKOFF_MOST_US ? pause : FN_BACKOFF_MOST_US;
}

/* For what is tried again and again: the pause after one of pause_us, which doubles up to most_us. 0 = there was none yet. */
static inline uint64_t fn_pause_next(uint64_t pause_us, uint64_t first_us, uint64_t most_us)
{
	uint64_t next = pause_us ? pause_us * 2 : first_us;

	return next < most_us ? next : most_us;
}

#endif

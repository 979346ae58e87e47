/*
 * bucket.h - a budget that fills again: `rate` units a second, up to `burst` (a token bucket). Zero-initialised it is full. Times are the
 * loop's, in microseconds; time that goes back fills nothing.
 */
#ifndef FN_BASE_BUCKET_H
#define FN_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct fn_bucket {
	uint64_t left, at_us; /* at_us 0: never used */
};

/* What there is now. */
static inline uint64_t fn_bucket_fill(struct fn_bucket *b, uint64_t now_us, uint64_t rate, uint64_t burst)
{
	uint64_t past = now_us > b->at_us ? now_us - b->at_us : 0, add;

	if (b->at_us == 0 || past >= burst / rate * 1000000u + 1000000u) { /* also so that what follows cannot overflow */
		b->left = burst;
		b->at_us = now_us ? now_us : 1;
		return burst;
	}
	add = past * rate / 1000000u;
	if (add > 0) { /* less than a unit stays to be added */
		b->left = b->left + add < burst ? b->left + add : burst;
		b->at_us += add * 1000000u / rate;
	}
	return b->left;
}

/* Never below nothing; false: there was not enough, what there was is gone. */
static inline bool fn_bucket_take(struct fn_bucket *b, uint64_t n)
{
	bool enough = b->left >= n;

	b->left = enough ? b->left - n : 0;
	return enough;
}

#endif

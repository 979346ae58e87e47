/*
 * share.h - when a loop hands a connection to another. No clock, no I/O.
 *
 * Requests are counted over windows of 50 ms. A loop whose thread had a CPU for `least_percent` of such a window, and which had a fifth more requests
 * than the one that had the fewest, hands as many of its connections to it as would bring one of the two to the mean, if all of them ask equally
 * often. Whoever asks alone stays where he is, and so does everyone as long as the loop is not what limits them: where functions use
 * the CPUs, more loops are more switches between threads (measured on 2 cores, Python functions, 16 connections: 0.91 of one loop).
 */
#ifndef FN_INVOKE_SHARE_H
#define FN_INVOKE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define FN_SHARE_WINDOW_US 50000u
#define FN_SHARE_LOOPS_MAX 64u

struct fn_share {
	unsigned least_percent; /* 0: everything goes to the others, in turn (for tests) */
	unsigned n;         /* how many others there are */
	uint64_t since_us, cpu_us, here;
	unsigned to, due;   /* so many connections, to that one, in this window */
	uint64_t seen[FN_SHARE_LOOPS_MAX];
};

void fn_share_init(struct fn_share *s, unsigned n_others, unsigned least_percent);
/* A request has come. True: a new window begins, and fn_share_window() is to be called. */
bool fn_share_count(struct fn_share *s, uint64_t now_us);
/* cpu_us: of this loop's thread so far. requests: how many each of the others has had so far, ever. lively: how many connections have asked here in the window that is over. */
void fn_share_window(struct fn_share *s, uint64_t now_us, uint64_t cpu_us, const uint64_t *requests, unsigned lively);
/* Is this request's connection to be handed over, and to whom? Then it counts as handed over. */
bool fn_share_due(const struct fn_share *s, unsigned *ret_to);
void fn_share_given(struct fn_share *s);

#endif

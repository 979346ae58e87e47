/*
 * share.h - when a loop hands a connection to another. No clock, no I/O.
 *
 * Requests are counted over windows of 20 ms. A loop that had more of them than `least_rps`, and a fifth more than the one that had the
 * fewest, hands as many of its connections to it as would bring one of the two to the mean, if all of them ask equally often. Whoever asks alone stays where
 * he is, and so does everyone on a machine with little to do: a request in another loop is no faster, and costs both a wakeup on its way.
 */
#ifndef FN_INVOKE_SHARE_H
#define FN_INVOKE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define FN_SHARE_WINDOW_US 20000u
#define FN_SHARE_LOOPS_MAX 64u

struct fn_share {
	uint64_t least_rps; /* 0: everything goes to the others, in turn (for tests) */
	unsigned n;         /* how many others there are */
	uint64_t since_us, here;
	unsigned to, due;   /* so many connections, to that one, in this window */
	uint64_t seen[FN_SHARE_LOOPS_MAX];
};

void fn_share_init(struct fn_share *s, unsigned n_others, uint64_t least_rps);
/* A request has come. True: a new window begins, and fn_share_window() is to be called. */
bool fn_share_count(struct fn_share *s, uint64_t now_us);
/* requests: how many each of the others has had so far, ever. lively: how many connections have asked here in the window that is over. */
void fn_share_window(struct fn_share *s, uint64_t now_us, const uint64_t *requests, unsigned lively);
/* Is this request's connection to be handed over, and to whom? Then it counts as handed over. */
bool fn_share_due(const struct fn_share *s, unsigned *ret_to);
void fn_share_given(struct fn_share *s);

#endif

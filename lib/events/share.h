/*
 * share.h - who may begin one more: functions with events (lane.h) and mappings (poller.h) have one part of the account's concurrency together, the asynchronous share;
 * the rest is for callers who wait. In fn-events, on its loop.
 *
 * The share is of what the account has beyond all reservations. Who wants one more waits in a row, and in turn each begins one. However much one asks for, it leaves some
 * to whoever comes: it has at most FN_SHARE_ALPHA times what is free (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998): alone 4/5
 * of the share, two 4/9 each. With all of it in use, they wait for what ends.
 * A function with reserved concurrency has that for itself, as everywhere in Lambda: what runs of it counts in no share, and fnd alone bounds it.
 */
#ifndef FN_EVENTS_SHARE_H
#define FN_EVENTS_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"

#define FN_SHARE_ALPHA 4u

/* A function's, or a mapping's. */
struct fn_claim {
	struct fn_list link;
	unsigned used;  /* of the share */
	unsigned own;   /* so many it may have before the threshold counts: of provisioned pollers, as long as there are any */
	bool reserved;  /* its function has concurrency of its own */
	void (*turn)(struct fn_claim *c); /* one may begin: fn_share_take(), or nothing; who wants more says so again */
};

struct fn_share {
	struct fn_loop *loop;
	double part;            /* async_share */
	unsigned account;       /* its concurrency */
	unsigned most, used;
	struct fn_list waiting; /* of claims; those with concurrency of their own in front */
	struct fn_deferred serve;
};

void fn_share_init(struct fn_share *s, struct fn_loop *loop, double part, unsigned account);
void fn_share_close(struct fn_share *s);
/* How many more may begin now. */
unsigned fn_share_room(const struct fn_share *s, const struct fn_claim *c);
static inline unsigned fn_share_most(const struct fn_share *s, const struct fn_claim *c) { return c->reserved ? s->account : s->most; }
void fn_share_want(struct fn_share *s, struct fn_claim *c);
void fn_share_unwant(struct fn_claim *c);
/* From turn() alone. ret_counted: for the give. */
void fn_share_take(struct fn_share *s, struct fn_claim *c, bool *ret_counted);
void fn_share_give(struct fn_share *s, struct fn_claim *c, bool counted);
/* What an answer of fnd has said (FN_INNER_CONCURRENCY; NULL: nothing) of the claim's function and of the account. */
void fn_share_learn(struct fn_share *s, struct fn_claim *c, const char *said);

#endif

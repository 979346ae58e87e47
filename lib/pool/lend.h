/*
 * lend.h - environments that change hands between the pools of several loops.
 *
 * An idle environment can be lent to another loop's pool, which is its only user until it has it no more. What is not the ordinary course of
 * invocations is not for there: an environment that dies, must end, runs out of time, prints much or idles for the freeze grace comes back, in the
 * middle of its invocation if need be, and so does an invocation for which there is no environment. One that is lent counts for the
 * function as if it served all the time. Environments change hands outside of callbacks of their own; the lender's functions are
 * called in its thread, the borrower's in its.
 */
#ifndef FN_POOL_LEND_H
#define FN_POOL_LEND_H

#include "pool/pool.h"

struct fn_worker; /* an environment */

/* --- the lender --- */
struct fn_pool_lender_ops {
	/* A lent environment is to come back now, whatever it does. */
	void (*recall)(void *arg, struct fn_worker *w);
	/* So many of this version that serve nothing are to come back, if there are; then fn_pool_recalled() is called. */
	void (*recall_spare)(void *arg, const struct fn_function *f, unsigned most);
};
void fn_pool_set_lender(struct fn_pool *p, const struct fn_pool_lender_ops *ops, void *arg);
/* An idle environment for the invocation, NULL = none idles. `lease` is what the caller has with it. */
struct fn_worker *fn_pool_lend(struct fn_pool *p, struct fn_invocation *inv, void *lease);
void *fn_worker_lease(const struct fn_worker *w);
uint64_t fn_worker_sandbox(const struct fn_worker *w);
/* Once the borrower has given it back. */
void fn_pool_take_back(struct fn_pool *p, struct fn_worker *w);
struct fn_invocation *fn_worker_invocation(const struct fn_worker *w); /* which it serves; NULL = none */
/* function NULL = of all, for good. more: there may be more of them where these came from. */
void fn_pool_recalled(struct fn_pool *p, const char *function, const char *version, bool more);
/* How many of a function's serve nothing there, as far as can be told from here. */
unsigned fn_pool_lent_spare(const struct fn_pool *p, const char *function);

/* --- the borrower --- */
struct fn_pool_borrower_ops {
	void (*give_back)(void *arg, struct fn_worker *w);
	void (*pass_on)(void *arg, struct fn_invocation *inv); /* there is no environment for it here. The reference is the callee's */
};
/* Serves inv with it (whose reference it takes), and then what else fn_pool_run() is given. */
void fn_pool_borrow(struct fn_pool *p, struct fn_worker *w, struct fn_invocation *inv);
/* Each calls give_back for: the one with this sandbox, if it is here. One that idles (false: none does). So many that serve nothing at the
 * moment, be it that their next request is due, of a version, or (NULL) of all, of a function, or (NULL) of all: returns how many these
 * were. All. */
void fn_pool_give_back(struct fn_pool *p, uint64_t sandbox);
bool fn_pool_give_back_one(struct fn_pool *p, struct fn_function *f);
unsigned fn_pool_give_back_spare(struct fn_pool *p, const char *function, const char *version, unsigned most);
void fn_pool_give_back_all(struct fn_pool *p);

#endif

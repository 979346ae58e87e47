/*
 * router.h - RESOLVE: which version of a function an invocation is for. Reads memory alone.
 *
 * Lambda Developer Guide, "Implement Lambda canary deployments using a weighted alias": each invocation of an alias goes to its second
 * version with the probability of that version's weight, else to the first.
 */
#ifndef FN_INVOKE_ROUTER_H
#define FN_INVOKE_ROUTER_H

#include "store/aliases.h"

/* The version that an alias sends an invocation to, given a number that is evenly distributed over 32 bits. Pure. */
const char *fn_route_choose(const struct fn_alias *a, uint32_t random);
/* The version for one invocation of name:qualifier (NULL or "" = $LATEST). Borrowed; NULL = there is none. */
struct fn_function *fn_route(struct fn_store *s, const char *name, const char *qualifier);

/* What name:qualifier leads to, for another thread: it is right as long as nothing about the function has changed. */
struct fn_route_copy;
#define FN_ROUTE_KEY_SIZE 320u
const char *fn_route_key(const char *name, const char *qualifier, char buf[FN_ROUTE_KEY_SIZE]); /* to find it by */
struct fn_route_copy *fn_route_copy_new(struct fn_store *s, const char *name, const char *qualifier); /* NULL: there is none, or no memory */
void fn_route_copy_free(struct fn_route_copy *c); /* NULL is fine */
const char *fn_route_copy_key(const struct fn_route_copy *c);
/* As fn_route(), from any one thread; NULL: it is not right any more. */
struct fn_function *fn_route_copied(struct fn_route_copy *c);

#endif

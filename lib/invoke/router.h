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

#endif

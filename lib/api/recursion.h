/*
 * recursion.h - recursive loops: the chain that a call belongs to (model/lineage.h), and what a function may of it (RecursiveLoop).
 * Sources: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops"; service model; answers recorded from the service.
 */
#ifndef FN_API_RECURSION_H
#define FN_API_RECURSION_H

#include "api/internal.h"

/* The X-Amzn-Trace-Id of a call, for what it leads to: of a sandbox's the platform's own, with its lineage, whatever was sent. ret->len 0: it has none. -ENOMEM. */
int fn_call_trace(const struct fn_call *call, struct fn_buf *ret);
/* The same for an invocation of f by this call, which counts. Replies and returns false when f has been invoked in this chain as often as it may. ret->len 0: it has none. */
bool fn_call_chain(struct fn_call *call, const struct fn_function *f, struct fn_buf *ret);

void fn_h_get_recursion(struct fn_call *call);
void fn_h_put_recursion(struct fn_call *call);

#endif

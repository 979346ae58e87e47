/*
 * lineage.h - which functions a chain of invocations has come through, and how often: in the Lineage field of X-Amzn-Trace-Id, where AWS has it too
 * (X-Ray Developer Guide, "Tracing header"; Lambda Developer Guide, "Use Lambda recursive loop detection"): "Lineage=a87bd80c:1|68fd508a:5", a hash of each
 * function's name and its count. Pure.
 *
 * The platform knows which invocation a sandbox is at: what its function calls carries that one's lineage, whatever the caller's SDK has sent. An invocation whose header
 * has no lineage is the first of its function in its chain.
 */
#ifndef FN_MODEL_LINEAGE_H
#define FN_MODEL_LINEAGE_H

#include <stdbool.h>

#include "base/buf.h"

#define FN_LINEAGE_MOST 16     /* invocations of a function in one chain: the next is a recursive loop */
#define FN_LINEAGE_FUNCTIONS 32 /* that are told apart; of more the earliest is forgotten */
#define FN_TRACE_MAX 1024      /* bytes of a header that is read; a longer one counts as none */

/* The header as Lambda passes it on: with a root, a parent and a decision, each of them new where it lacks one or has what is none (X-Ray Developer Guide, "Tracing
 * header"); as it is where it has all. NULL = none was sent. -ENOMEM. */
int fn_trace_whole(const char *trace, struct fn_buf *ret);
/* How often the function has been invoked in this chain. trace: the header, NULL = none. */
unsigned fn_lineage_count(const char *trace, const char *function);
/* The header of what `self` calls while it is at an invocation with the header `running` (NULL: it had none), and its SDK has sent `sent` (NULL: nothing).
 * Root, Parent, Sampled and what else there is are `sent`'s, else `running`'s, else new; the lineage is `running`'s, or `self` once. -ENOMEM. */
int fn_lineage_of_call(const char *sent, const char *running, const char *self, struct fn_buf *ret);
/* `sent` with the lineage of `of` in the place of its own; where `of` has none, as it is. -ENOMEM. */
int fn_lineage_carry(const char *sent, const char *of, struct fn_buf *ret);
/* The header with the function counted once more. -ENOMEM. */
int fn_lineage_add(const char *trace, const char *function, struct fn_buf *ret);
bool fn_lineage_in(const char *trace); /* does it have one? */

#endif

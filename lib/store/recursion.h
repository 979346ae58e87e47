/* recursion.h - of each function, whether it may be invoked in a recursive loop (RecursiveLoop): on disk, and all of it in memory. It goes with the function. */
#ifndef FN_STORE_RECURSION_H
#define FN_STORE_RECURSION_H

#include "store/functions.h"

/* False: it is to be stopped, as is the default; or there is no such function. */
bool fn_store_may_recurse(struct fn_store *s, const char *function);
/* Writes are as in functions.h. -ENOENT: no such function. */
int fn_store_set_may_recurse(struct fn_store *s, const char *function, bool may, fn_stored_fn fn, void *arg, struct fn_err *err);

#endif

/*
 * urls.h - function URLs on disk, and all of them in memory. They go with their function; one of an alias stays when the alias goes, as Lambda's does
 * (recorded): it leads nowhere then.
 */
#ifndef FN_STORE_URLS_H
#define FN_STORE_URLS_H

#include "model/url.h"
#include "store/store.h"

/* qualifier "" = the function's own. NULL = none. Borrowed until the next write. */
const struct fn_url *fn_store_url(struct fn_store *s, const char *function, const char *qualifier);
const struct fn_url *fn_store_url_by_id(struct fn_store *s, const char *id);
/* Writes are as in functions.h. Makes or replaces (u->function, u->qualifier); takes u when it returns 0. -ENOENT: no such function. */
int fn_store_set_url(struct fn_store *s, struct fn_url *u, fn_stored_fn fn, void *arg, struct fn_err *err);
/* -ENOENT. */
int fn_store_delete_url(struct fn_store *s, const char *function, const char *qualifier, fn_stored_fn fn, void *arg, struct fn_err *err);
/* In order of qualifiers, beginning after `after` (NULL = from the start). Returns the count. */
size_t fn_store_list_urls(struct fn_store *s, const char *function, const char *after, const struct fn_url **ret, size_t max);

#endif

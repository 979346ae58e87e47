/*
 * policies.h - resource policies of functions, versions and aliases, each its own: on disk, and all of them in memory.
 *
 * A policy's revision is that of what it is about: a change gives the function, version or alias a new one. It goes with what it is about.
 */
#ifndef FN_STORE_POLICIES_H
#define FN_STORE_POLICIES_H

#include "aws/document.h"
#include "store/store.h"

/* Its statements, as the text of a JSON array in the order of their addition; NULL = none. qualifier "" = the function. Borrowed until the next write. */
const char *fn_store_policy(struct fn_store *s, const char *function, const char *qualifier);
/* The same, read (aws/document.h); NULL = none. What cannot be read allows nothing. */
const struct fn_iam_document *fn_store_policy_document(struct fn_store *s, const char *function, const char *qualifier);
/* Writes are as in functions.h. statements NULL: there is none any more. -ENOENT: no such function, version or alias. */
int fn_store_set_policy(struct fn_store *s, const char *function, const char *qualifier, const char *statements, fn_stored_fn fn, void *arg, struct fn_err *err);

#endif

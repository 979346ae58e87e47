/*
 * resolver.h - what a container image's name stands for: its manifest for this machine and its configuration, of which fn-fetch asks the registry. Runs in fnd,
 * on the loop.
 */
#ifndef FN_RUNTIME_RESOLVER_H
#define FN_RUNTIME_RESOLVER_H

#include "image/oci.h"
#include "spawn/client.h"

struct fn_resolver;

int fn_resolver_new(struct fn_spawn_client *spawn, struct fn_resolver **ret);
void fn_resolver_free(struct fn_resolver *r); /* after fn-spawnd's client, whose answers come here; nobody is told any more. NULL is fine */

/* image is the receiver's; NULL with err (as in pulls.h). Called once, later. -errno: not. */
typedef void (*fn_resolved_fn)(void *arg, const struct fn_err *err, struct fn_image *image);
int fn_resolver_ask(struct fn_resolver *r, const struct fn_oci_ref *ref, fn_resolved_fn fn, void *arg);

#endif

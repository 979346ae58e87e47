/*
 * invoke.h - one invocation from admission to result: RESOLVE (router.h) is done by the caller, then ADMIT, ACQUIRE, RUN, FINISH. What comes of it, a
 * refusal too, goes into its sink (model/invocation.h).
 *
 * Runs in fnd on its loop.
 */
#ifndef FN_INVOKE_INVOKE_H
#define FN_INVOKE_INVOKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "model/function.h"
#include "model/invocation.h"
#include "model/backend.h"

struct fn_invoker;

/* Takes a reference. It goes into inv->sink, perhaps before this returns (a refusal); trace_id, arrived_us and on_complete are set here. -ENOMEM with
 * nothing done. */
int fn_invoke_submit(struct fn_invoker *inv, struct fn_invocation *i);

/* The code or configuration of a function's version ("$LATEST" is the one that can) changed, or it was deleted: model/backend.h, retire. */
void fn_invoker_retire(struct fn_invoker *inv, const char *name, const char *version, uint64_t generation_keep);
/* This function exists: what can be prepared for its cold starts is. */
void fn_invoker_expect(struct fn_invoker *inv, const struct fn_function *f);
/* The same, and fn is called when all is prepared: model/backend.h, await. */
uint64_t fn_invoker_await(struct fn_invoker *inv, const struct fn_function *f, void (*fn)(void *arg, uint64_t number), void *arg);
/* Is there an environment, alive or ending, with this code package? */
bool fn_invoker_uses_code(struct fn_invoker *inv, const char *code_sha256);
/* Concurrency: store/concurrency.h has it; invoke/provision.h brings it here. reserved -1 = none. */
void fn_invoker_limits(struct fn_invoker *inv, const char *function, int64_t reserved); /* fn_invoker_provision() for all versions follows */
bool fn_invoker_url_request(struct fn_invoker *inv, const char *function); /* as fn_load_url_request() */
void fn_invoker_forget(struct fn_invoker *inv, const char *function); /* it was deleted */
void fn_invoker_provision(struct fn_invoker *inv, struct fn_function *f, unsigned n); /* model/backend.h, load.h */
void fn_invoker_provisioned(struct fn_invoker *inv, const struct fn_function *f, struct fn_backend_provisioned *ret);
/* Counters by function, in Prometheus' text format. */
int fn_invoker_metrics(struct fn_invoker *inv, struct fn_buf *out);
unsigned fn_invoker_running(const struct fn_invoker *inv);
void fn_invoker_recursive(struct fn_invoker *inv, const char *function); /* one was stopped: counted */
/* A function's reservation, -1 = none; and what the account has beyond all of them. */
void fn_invoker_concurrency(struct fn_invoker *inv, const char *function, int64_t *ret_reserved, int64_t *ret_left);

#endif

/*
 * invoke.h - one invocation from admission to result: RESOLVE (router.h) is done by the caller, then ADMIT, ACQUIRE, RUN, FINISH.
 *
 * Runs in fnd on its loop. `done` is called exactly once for every accepted submission.
 */
#ifndef FN_INVOKE_INVOKE_H
#define FN_INVOKE_INVOKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "model/function.h"
#include "pool/pool.h"

struct fn_invoker;

enum fn_outcome {
	FN_OUTCOME_RESPONSE,       /* the runtime's response, payload as posted */
	FN_OUTCOME_FUNCTION_ERROR, /* HTTP 200 with X-Amz-Function-Error: Unhandled; payload is the error JSON */
	FN_OUTCOME_THROTTLED,      /* 429: function_full says whose concurrency is used up */
	FN_OUTCOME_PLATFORM_ERROR, /* 500 ServiceException: err says which step failed */
};

struct fn_invoke_params {
	struct fn_function *function; /* a reference is taken */
	char request_id[FN_UUID_SIZE];
	const char *invoked_arn;      /* as invoked: with the qualifier if one was given */
	const char *content_type;     /* NULL = application/json */
	const char *client_context;   /* decoded JSON; NULL = none */
	const char *trace_id;         /* X-Amzn-Trace-Id of the caller; NULL = one is made */
	char *payload;                /* malloc'ed, ownership passes on success */
	size_t payload_len;
	bool want_log_tail;
};

struct fn_invoke_result {
	enum fn_outcome outcome;
	const char *payload;          /* valid until `done` returns, unless taken */
	size_t payload_len;
	char *(*take_payload)(struct fn_invoke_result *res); /* the malloc'ed payload, now the caller's */
	const char *content_type;
	const char *executed_version;
	const char *trace_id;
	const char *log_tail;         /* last 4 KiB of this invocation's log, START to REPORT; NULL unless wanted */
	size_t log_tail_len;
	bool function_full;           /* FN_OUTCOME_THROTTLED: the function's reserved concurrency; else the account's */
	bool function_off;            /* which is 0 */
	const struct fn_err *err;     /* FN_OUTCOME_PLATFORM_ERROR only */
};

typedef void (*fn_invoke_done_fn)(void *arg, struct fn_invoke_result *res);
/* 0, or -errno with nothing taken. `done` may be called before this returns (throttling). */
int fn_invoke_submit(struct fn_invoker *inv, struct fn_invoke_params *params, fn_invoke_done_fn done, void *arg);

/* The code or configuration of a function's version ("$LATEST" is the one that can) changed, or it was deleted: idle environments of
 * other generations than generation_keep (0 = none is kept) end, busy ones end after their invocation, and what waits is still served
 * by the old ones. version NULL = all versions. */
void fn_invoker_retire(struct fn_invoker *inv, const char *name, const char *version, uint64_t generation_keep);
/* This function exists: what can be prepared for its cold starts is. */
void fn_invoker_expect(struct fn_invoker *inv, const struct fn_function *f);
/* The same, and fn is called once, later, with the number that is returned, when all is prepared or has taken too long (some 2 s). 0: there is
 * nothing to wait for, and fn is not called. Nor is it when fnd ends before. */
uint64_t fn_invoker_await(struct fn_invoker *inv, const struct fn_function *f, void (*fn)(void *arg, uint64_t number), void *arg);
/* Is there an environment, alive or ending, with this code package? */
bool fn_invoker_uses_code(struct fn_invoker *inv, const char *code_sha256);
/* Concurrency: store/concurrency.h has it; invoke/provision.h brings it here. reserved -1 = none. */
void fn_invoker_limits(struct fn_invoker *inv, const char *function, int64_t reserved); /* fn_invoker_provision() for all versions follows */
void fn_invoker_forget(struct fn_invoker *inv, const char *function); /* it was deleted */
void fn_invoker_provision(struct fn_invoker *inv, struct fn_function *f, unsigned n); /* pool/pool.h, load.h */
void fn_invoker_provisioned(struct fn_invoker *inv, const struct fn_function *f, struct fn_pool_provisioned *ret);
/* Counters by function, in Prometheus' text format. */
int fn_invoker_metrics(struct fn_invoker *inv, struct fn_buf *out);
unsigned fn_invoker_running(const struct fn_invoker *inv);

#endif

/*
 * invocation.h - one invocation: the event on its way in, its result on its way out. Refcounted; completes exactly once, whoever comes
 * first: response, error, exit, out of memory, timeout, platform failure.
 */
#ifndef FN_MODEL_INVOCATION_H
#define FN_MODEL_INVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/list.h"
#include "model/function.h"

#define FN_LOG_TAIL_MAX 4096

enum fn_inv_outcome {
	FN_INV_PENDING,
	FN_INV_RESPONSE,       /* the runtime's response */
	FN_INV_FUNCTION_ERROR, /* error JSON, the runtime's or ours */
	FN_INV_THROTTLED,
	FN_INV_PLATFORM_ERROR, /* err is set */
};

struct fn_invocation {
	unsigned refs;
	struct fn_list link; /* the pool's queue while it waits */
	char id[FN_UUID_SIZE];
	struct fn_function *function;
	char *invoked_arn, *content_type, *client_context, *trace_id;
	char *payload;
	size_t payload_len;
	uint64_t arrived_us;  /* monotonic */
	uint64_t deadline_real_ms;
	bool cold, provisioned, spilled; /* set by the pool: it waited for an init; it was on a provisioned environment, or on another though there are such */
	bool want_tail, init_failed; /* init_failed: one environment has failed to initialise for it already */
	char *tail;           /* FN_LOG_TAIL_MAX bytes when wanted */
	size_t tail_len;
	/* result */
	enum fn_inv_outcome outcome;
	char *result;         /* malloc'ed */
	size_t result_len;
	char *result_type;    /* Content-Type of the response; NULL = application/json */
	struct fn_err err;
	void (*done)(struct fn_invocation *inv);
	void *arg;
};

struct fn_invocation *fn_invocation_new(void); /* refs = 1; NULL on no memory */
struct fn_invocation *fn_invocation_ref(struct fn_invocation *inv);
void fn_invocation_unref(struct fn_invocation *inv);

/* Takes result (malloc'ed, may be NULL). Calls done the first time; later calls free result and return false. */
bool fn_invocation_complete(struct fn_invocation *inv, enum fn_inv_outcome outcome, char *result, size_t len);
bool fn_invocation_fail(struct fn_invocation *inv, const struct fn_err *err);
/* Appends to the log tail, keeping the last FN_LOG_TAIL_MAX bytes. Nothing unless wanted. */
void fn_invocation_tail(struct fn_invocation *inv, const char *text, size_t len);

/* Lambda's words for how a runtime process ended: "exit status 3", "signal: killed"; NULL for exit status 0. buf is used when needed. */
const char *fn_exit_words(int wait_status, char *buf, size_t size);
/* {"errorType":..,"errorMessage":"RequestId: <id> Error: .."}: malloc'ed, NULL on no memory. */
char *fn_error_json(const char *type, const char *request_id, const char *message, size_t *ret_len);

#endif

/*
 * invocation.h - one invocation: the event on its way in, its result on its way out. Refcounted; completes exactly once, whoever comes
 * first: response, error, exit, out of memory, timeout, refusal.
 *
 * The result goes into a sink: begin, write, write, ..., then end or fail. Who wants it whole, as Lambda's Invoke does, has a sink without begin and write, and
 * finds it in `result` at the end: that is the common course, in which no byte is copied. Who takes it in pieces says when there is no room for more, and the
 * runtime's connection is not read until there is.
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
	FN_INV_REFUSED,        /* refusal says why */
};

/* Why an invocation has no result of the function's. */
enum fn_refusal {
	FN_REFUSAL_NONE,
	FN_REFUSAL_ACCOUNT_FULL,  /* the account's concurrency is used up */
	FN_REFUSAL_FUNCTION_FULL, /* the function's reserved concurrency is */
	FN_REFUSAL_FUNCTION_OFF,  /* which is 0 */
	FN_REFUSAL_MACHINE,       /* the machine has no room for another environment now: err says what of */
	FN_REFUSAL_PLATFORM,      /* err: which step failed */
	FN_REFUSAL_SNAPSTART,     /* its snapshot cannot be restored: err */
	FN_REFUSAL_SNAPSTART_TIMEOUT,
};

enum fn_response_mode { FN_RESPONSE_BUFFERED, FN_RESPONSE_STREAMING }; /* as the runtime says it (Lambda-Runtime-Function-Response-Mode) */

struct fn_invocation;

struct fn_sink {
	/* The response begins. NULL: it is wanted whole. content_type lives for the call. */
	void (*begin)(struct fn_invocation *inv, const char *content_type, enum fn_response_mode mode);
	/* The next bytes; they live for the call. True: no more before fn_invocation_room(), which is not called from here. */
	bool (*write)(struct fn_invocation *inv, const void *data, size_t len);
	/* It is whole. result: what has not been written; all of it, if it did not begin. */
	void (*end)(struct fn_invocation *inv);
	/* It will not be: outcome, error_type and refusal say why. result: the error's JSON; NULL = there is none. */
	void (*fail)(struct fn_invocation *inv);
};

struct fn_invocation {
	unsigned refs;
	struct fn_list link; /* the pool's queue while it waits */
	char id[FN_UUID_SIZE];
	struct fn_function *function;
	char *invoked_arn, *content_type, *client_context, *trace_id;
	char *tenant_id;      /* of a function that is per_tenant; else NULL */
	char span_id[17];     /* of its span in telemetry; "" = nobody has asked for it */
	char *payload;
	size_t payload_len;
	uint64_t arrived_us;  /* monotonic */
	uint64_t deadline_real_ms;
	bool cold, provisioned, spilled; /* set by the pool: it waited for an init; it was on a provisioned environment, or on another though there are such */
	bool want_tail, init_failed; /* init_failed: one environment has failed to initialise for it already */
	char *tail;           /* FN_LOG_TAIL_MAX bytes when wanted */
	size_t tail_len;
	/* result */
	const struct fn_sink *sink;
	void *arg;            /* the sink's */
	bool begun, streaming; /* the sink has been told of a beginning; of a response that is FN_RESPONSE_STREAMING */
	enum fn_inv_outcome outcome;
	enum fn_refusal refusal;
	char *result;         /* malloc'ed */
	size_t result_len;
	char *result_type;    /* Content-Type of the response; NULL = application/json */
	char *error_type;     /* of FN_INV_FUNCTION_ERROR, "Runtime.ExitError" for instance; NULL = not known */
	struct fn_err err;
	void (*on_room)(void *arg); /* who writes, while it does */
	void *on_room_arg;
	void (*on_complete)(struct fn_invocation *inv); /* who admitted it: before the sink hears of the end. NULL = nobody */
	void *on_complete_arg;
};

struct fn_invocation *fn_invocation_new(void); /* refs = 1; NULL on no memory */
struct fn_invocation *fn_invocation_ref(struct fn_invocation *inv);
void fn_invocation_unref(struct fn_invocation *inv);

/* Takes result (malloc'ed, may be NULL). Ends or fails the sink the first time; later calls free result and return false. */
bool fn_invocation_complete(struct fn_invocation *inv, enum fn_inv_outcome outcome, char *result, size_t len);
/* The same; why: not NONE; err may be NULL. */
bool fn_invocation_refuse(struct fn_invocation *inv, enum fn_refusal why, const struct fn_err *err);
static inline bool fn_invocation_fail(struct fn_invocation *inv, const struct fn_err *err) { return fn_invocation_refuse(inv, FN_REFUSAL_PLATFORM, err); }

/* --- in pieces; for who brings the response --- */
/* Is it wanted in pieces, and not complete? */
static inline bool fn_invocation_streams(const struct fn_invocation *inv) { return inv->sink->begin && inv->outcome == FN_INV_PENDING; }
/* Once, if so. on_room(arg) is called when there is room again, until it is complete or fn_invocation_leave(). */
void fn_invocation_begin(struct fn_invocation *inv, const char *content_type, enum fn_response_mode mode, void (*on_room)(void *arg), void *arg);
bool fn_invocation_write(struct fn_invocation *inv, const void *data, size_t len); /* as sink->write; nothing once it is complete */
void fn_invocation_leave(struct fn_invocation *inv); /* who brings it brings no more */
/* For the sink: there is room. */
void fn_invocation_room(struct fn_invocation *inv);

/* Appends to the log tail, keeping the last FN_LOG_TAIL_MAX bytes. Nothing unless wanted. */
void fn_invocation_tail(struct fn_invocation *inv, const char *text, size_t len);

/* Lambda's words for how a runtime process ended: "exit status 3", "signal: killed"; NULL for exit status 0. buf is used when needed. */
const char *fn_exit_words(int wait_status, char *buf, size_t size);
/* {"errorType":..,"errorMessage":"RequestId: <id> Error: .."}: malloc'ed, NULL on no memory. */
char *fn_error_json(const char *type, const char *request_id, const char *message, size_t *ret_len);

#endif

/*
 * retry.h - what becomes of an asynchronous invocation after an attempt. Pure.
 * Lambda Developer Guide, "Invoking a function asynchronously"; answers recorded from the service.
 */
#ifndef FN_EVENTS_RETRY_H
#define FN_EVENTS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define FN_RETRIES_MAX 2u
#define FN_EVENT_AGE_MAX_S 21600

enum fn_attempt {
	FN_ATTEMPT_SUCCESS,
	FN_ATTEMPT_ERROR,     /* the function's: an exception, a time-out, an exit */
	FN_ATTEMPT_THROTTLED, /* it did not run, for want of concurrency */
	FN_ATTEMPT_SYSTEM,    /* the platform failed, or cannot be reached */
	FN_ATTEMPT_OFF,       /* reserved concurrency 0 */
	FN_ATTEMPT_RECURSIVE, /* a chain of invocations has gone on for too long */
	FN_ATTEMPT_GONE,      /* there is no such function any more */
	FN_ATTEMPT_NONE,      /* there has been none now: is it too old already? */
};

enum fn_condition { FN_CONDITION_SUCCESS, FN_CONDITION_RETRIES_EXHAUSTED, FN_CONDITION_AGE_EXCEEDED, FN_CONDITION_ZERO_CONCURRENCY };
const char *fn_condition_name(enum fn_condition c); /* as records have it */

struct fn_retry_policy {
	unsigned retries;       /* after function errors, at most */
	uint64_t age_us;        /* of an event, at most */
	uint64_t delay_us[2];   /* before the first retry, before the second */
};

enum fn_fate {
	FN_FATE_RUN,   /* of NONE: it may be tried */
	FN_FATE_AGAIN, /* at at_us: a retry */
	FN_FATE_WAIT,  /* back: until something else of the function has ended, or the back-off */
	FN_FATE_END,   /* condition */
	FN_FATE_LOST,  /* nobody is told */
};

struct fn_decision {
	enum fn_fate fate;
	uint64_t at_us;
	enum fn_condition condition;
};

/* errors: of the function, this one too. accepted_us and now_us: real time. */
struct fn_decision fn_retry_decide(const struct fn_retry_policy *p, enum fn_attempt what, unsigned errors, uint64_t accepted_us, uint64_t now_us);

#endif

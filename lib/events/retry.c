/* retry.c - see retry.h. */
#include "events/retry.h"

const char *fn_condition_name(enum fn_condition c)
{
	static const char *const names[] = {[FN_CONDITION_SUCCESS] = "Success", [FN_CONDITION_RETRIES_EXHAUSTED] = "RetriesExhausted",
					    [FN_CONDITION_AGE_EXCEEDED] = "EventAgeExceeded", [FN_CONDITION_ZERO_CONCURRENCY] = "ZeroReservedConcurrency"};

	return names[c];
}

static struct fn_decision end(enum fn_condition c) { return (struct fn_decision){.fate = FN_FATE_END, .condition = c}; }

/* The next attempt would come too late: it is known now. */
static struct fn_decision after_error(const struct fn_retry_policy *p, unsigned errors, uint64_t accepted_us, uint64_t now_us)
{
	uint64_t at = now_us + p->delay_us[errors > 1 ? 1 : 0];

	if (errors > p->retries)
		return end(FN_CONDITION_RETRIES_EXHAUSTED);
	if (at > accepted_us + p->age_us)
		return end(FN_CONDITION_AGE_EXCEEDED);
	return (struct fn_decision){.fate = FN_FATE_AGAIN, .at_us = at};
}

struct fn_decision fn_retry_decide(const struct fn_retry_policy *p, enum fn_attempt what, unsigned errors, uint64_t accepted_us, uint64_t now_us)
{
	bool old = now_us > accepted_us + p->age_us;

	switch (what) {
	case FN_ATTEMPT_SUCCESS:
		return end(FN_CONDITION_SUCCESS);
	case FN_ATTEMPT_ERROR:
		return after_error(p, errors, accepted_us, now_us);
	case FN_ATTEMPT_OFF:
		return end(FN_CONDITION_ZERO_CONCURRENCY);
	case FN_ATTEMPT_RECURSIVE:
		return end(FN_CONDITION_RETRIES_EXHAUSTED);
	case FN_ATTEMPT_GONE:
		return (struct fn_decision){.fate = FN_FATE_LOST};
	case FN_ATTEMPT_THROTTLED:
	case FN_ATTEMPT_SYSTEM:
		return old ? end(FN_CONDITION_AGE_EXCEEDED) : (struct fn_decision){.fate = FN_FATE_WAIT};
	case FN_ATTEMPT_NONE:
		break;
	}
	return old ? end(FN_CONDITION_AGE_EXCEEDED) : (struct fn_decision){.fate = FN_FATE_RUN};
}

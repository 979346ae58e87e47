/*
 * telemetry.h - the Telemetry API 2022-07-01 and the Logs API 2020-08-15 of one execution environment: who has subscribed, what they are told, when it
 * goes out. Runs in fnd on its loop.
 *
 * Contract: AWS Lambda Developer Guide "telemetry-api", "telemetry-schema-reference", "runtimes-logs-api". Extensions subscribe while their environment
 * initialises, and hear what was told before. A batch goes out at its number of events or bytes, or so long after its first event; one is under
 * way to each subscriber while the next gathers, up to its bounds; what is beyond them is dropped and told of (platform.logsDropped). As on Lambda a
 * subscription outlives a reset of its environment: what is not delivered yet goes to the next sandbox.
 * Subscribers are a function's: nothing waits for them (delivery.h), and all of them hold at most FN_TELEMETRY_BYTES_MAX of fnd's memory.
 */
#ifndef FN_RUNTIME_TELEMETRY_H
#define FN_RUNTIME_TELEMETRY_H

#include "base/loop.h"
#include "runtime/delivery.h"
#include "runtime/platform_event.h"

#define FN_TELEMETRY_BYTES_MAX (64u << 20) /* of events, in all environments */
#define FN_TELEMETRY_PAST_MAX (256u << 10) /* of events of an init, for those that subscribe later */
#define FN_TELEMETRY_SUBSCRIBERS_MAX 10u   /* there are no more extensions */

/* What all environments share. */
struct fn_telemetry_host {
	struct fn_loop *loop;
	size_t bytes;
};

struct fn_telemetry_ops { /* as in delivery.h; `socket` must not answer at once */
	int (*socket)(void *arg, struct fn_delivery *d, uint64_t *ret_request);
	void (*cancel)(void *arg, uint64_t request);
};

struct fn_telemetry;
/* json: the function's log format; what it prints may then be objects. -ENOMEM. */
int fn_telemetry_new(struct fn_telemetry_host *host, const struct fn_telemetry_ops *ops, void *arg, bool json, struct fn_telemetry **ret);
void fn_telemetry_free(struct fn_telemetry *t); /* NULL is fine, here and below */

/* A sandbox runs and initialises: extensions may subscribe. */
void fn_telemetry_begin(struct fn_telemetry *t);
void fn_telemetry_initialised(struct fn_telemetry *t); /* not any more */
void fn_telemetry_pause(struct fn_telemetry *t);  /* it is about to be frozen */
void fn_telemetry_resume(struct fn_telemetry *t); /* it has been thawed */
void fn_telemetry_lost(struct fn_telemetry *t);   /* its sandbox has gone */

struct fn_telemetry_answer {
	unsigned status;
	char body[512]; /* JSON */
};
/* An extension's request; name: whose. Body: at most FN_SUBSCRIPTION_BODY_MAX. */
void fn_telemetry_subscribe(struct fn_telemetry *t, enum fn_telemetry_api api, const char *name, const char *body, size_t len,
			    struct fn_telemetry_answer *ret);

/* A platform event as the Telemetry API has it; the Logs API's is made of it. record: JSON. */
void fn_telemetry_event(struct fn_telemetry *t, uint64_t real_us, enum fn_platform_event what, const char *record);
/* Lines that the function or its extensions have printed, each with its newline or the last without; one event each. */
void fn_telemetry_lines(struct fn_telemetry *t, uint64_t real_us, enum fn_telemetry_kind kind, const char *text, size_t len);
/* All that has gathered goes out now: the environment is about to shut down, or an output has ended. */
void fn_telemetry_flush(struct fn_telemetry *t);
bool fn_telemetry_busy(const struct fn_telemetry *t); /* something is not delivered yet */

#endif

/* telemetry_internal.h - between telemetry.c (an environment's subscribers together) and subscriber.c (one of them: what it is told, its batches). */
#ifndef FN_RUNTIME_TELEMETRY_INTERNAL_H
#define FN_RUNTIME_TELEMETRY_INTERNAL_H

#include "base/buf.h"
#include "runtime/telemetry.h"

struct fn_subscriber {
	struct fn_telemetry *t;
	char *name; /* UTF-8 */
	struct fn_subscription sub;
	struct fn_delivery *delivery;
	unsigned generation; /* of the sandbox in which it has subscribed last */
	struct batch {
		struct fn_buf text; /* as it is sent, but for the last byte of a JSON array */
		size_t items, bytes; /* bytes: of events */
	} gathers, flight; /* flight: its items are with `delivery`; 0 = none is under way */
	bool flush;
	uint64_t since_us, timer; /* since: of its first event */
	struct {
		uint64_t bytes, records;
		char reason[128];
	} dropped;
};

struct past;

struct fn_telemetry {
	struct fn_telemetry_host *host;
	const struct fn_telemetry_ops *ops;
	void *arg;
	bool json, open, paused;
	unsigned generation, n;
	struct fn_subscriber *all[FN_TELEMETRY_SUBSCRIBERS_MAX];
	struct past *past, **past_end; /* telemetry.c */
	size_t past_bytes;
	struct fn_buf scratch[2];
};

/* NULL on no memory. name: UTF-8. */
struct fn_subscriber *fn_subscriber_new(struct fn_telemetry *t, const char *name, const struct fn_subscription *sub);
void fn_subscriber_free(struct fn_subscriber *s);
/* In another sandbox it may listen elsewhere. What was gathered for it goes there, too, unless it is to come by other means. -ENOMEM */
int fn_subscriber_move(struct fn_subscriber *s, const struct fn_subscription *sub);
/* Of what it has subscribed to; record: JSON. */
void fn_subscriber_event(struct fn_subscriber *s, uint64_t real_us, enum fn_platform_event what, const char *record);
void fn_subscriber_line(struct fn_subscriber *s, uint64_t real_us, enum fn_telemetry_kind kind, const char *line, size_t len); /* without newline */
void fn_subscriber_resume(struct fn_subscriber *s);
void fn_subscriber_flush(struct fn_subscriber *s);

#endif

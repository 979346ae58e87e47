/* record.h - what a destination is told of an asynchronous invocation. Pure. Recorded from the service: events.md 12. */
#ifndef FN_EVENTS_RECORD_H
#define FN_EVENTS_RECORD_H

#include "base/buf.h"
#include "events/retry.h"

struct fn_invocation_record {
	uint64_t now_us;               /* real time */
	const char *request_id, *function_arn; /* with its qualifier */
	enum fn_condition condition;
	unsigned invokes;              /* how often it was tried */
	const char *request;           /* the event; JSON */
	size_t request_len;
	/* of the last attempt; version NULL: it has not run */
	const char *version;
	bool failed;
	const char *response;          /* what is no JSON becomes a string of it */
	size_t response_len;
};

/* Adds it. Beyond `most` bytes both payloads are left out. -ENOMEM. */
int fn_record_add(struct fn_buf *b, const struct fn_invocation_record *r, size_t most);

#endif

/* remote_call.h - one request to an SQS-compatible server, by JSON 1.0, and what it answers. */
#ifndef FN_EVENTS_REMOTE_CALL_H
#define FN_EVENTS_REMOTE_CALL_H

#include <jansson.h>

#include "events/endpoints.h"

struct fn_remote_request;
struct fn_remote_reply {
	int error;          /* 0; ENOENT: there is no such queue; EACCES: refused for who we are; EIO: the rest */
	const char *what;   /* "PROBLEM: ...": of an error, for LastProcessingResult and people */
	const char *code;   /* of an error that the server named: "AWS.SimpleQueueService.NonExistentQueue", "" = none */
	const char *message; /* in its words */
	const json_t *body; /* the answer; NULL = none */
};
/* in: taken; NULL: no memory. done: once, from the loop. timeout_us: 0 = 30 s. */
int fn_remote_call(const struct fn_endpoint *p, const char *operation, json_t *in, uint64_t timeout_us, size_t body_max, void (*done)(void *arg, const struct fn_remote_reply *a), void *arg,
		struct fn_remote_request **ret); /* ret may be NULL; lives until done or cancel */
void fn_remote_cancel(struct fn_remote_request *r); /* done is not called; NULL is fine */

#endif

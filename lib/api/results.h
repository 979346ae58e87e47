/* results.h - an invocation's result as the reply to the request that asked for it: whole, or in pieces as it comes (model/invocation.h: sinks). */
#ifndef FN_API_RESULTS_H
#define FN_API_RESULTS_H

#include "api/internal.h"
#include "model/invocation.h"

struct fn_result { /* what is needed of the fn_call, which is too large to be copied for each invocation */
	struct fn_api *api;
	struct fn_http_req *req;
	const struct fn_aws_operation *operation;
	char request_id[FN_UUID_SIZE];
	bool raw; /* of a reply in pieces: without event-stream framing */
};

/* Gives the invocation a sink that answers the call; call->req is the sink's from the invocation's submission on. -ENOMEM. */
int fn_result_whole(struct fn_call *call, struct fn_invocation *inv);
int fn_result_stream(struct fn_call *call, struct fn_invocation *inv); /* streams.c */
void fn_result_drop(struct fn_invocation *inv); /* it was not submitted */

/* For the sinks. Why it was refused, as the reply. */
void fn_result_refuse(const struct fn_result *r, const struct fn_invocation *inv);
/* Headers that every result has. */
void fn_result_headers(const struct fn_result *r, const struct fn_invocation *inv);
struct fn_result *fn_result_new(const struct fn_call *call); /* NULL: no memory */

#endif

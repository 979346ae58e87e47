/* context.h - what conditions of policies ask of a request: aws/condition.h's keys, as far as requests have them here. */
#ifndef FN_API_CONTEXT_H
#define FN_API_CONTEXT_H

#include "api/caller.h"
#include "api/internal.h"

struct fn_context {
	struct fn_call *call;
	const struct fn_caller *caller; /* NULL = root or nobody */
	const char *passed_to;          /* iam:PassRole: the service; NULL = it is none */
	const char *function;           /* lambda:FunctionArn is of this one; NULL = of what is asked for */
	const char *url_auth;           /* by a function's URL of this AuthType; NULL = not */
	char room[2][64], arn[400];
};
struct fn_iam_context fn_context_of(struct fn_context *c);
/* What a resource's policy that another process has may ask of the request of call->caller: FN_INNER_CONTEXT. malloc'ed; NULL: no memory. */
char *fn_call_context(struct fn_call *call);

#endif

/*
 * authorize.h - may who asks do what is asked for? Which action on which resource a request is (Service Authorization Reference: Lambda, CloudWatch Logs, SQS, IAM,
 * STS), judged by all policies that are about it (caller.h). fnd's own operations are the actions fnd:Disk, fnd:Doctor and so on.
 */
#ifndef FN_API_AUTHORIZE_H
#define FN_API_AUTHORIZE_H

#include "api/caller.h"
#include "api/internal.h"

/* When the request has been understood: its labels and members are there. Replies and returns false when it may not. */
bool fn_call_allowed(struct fn_call *call);
/* For an operation that another process serves, which knows the resource's policy: what the identity's policies alone say. */
enum fn_iam_identity fn_call_identity_says(struct fn_call *call);
/* The function, version or alias is invoked by its URL (AuthType AWS_IAM) by this caller, NULL = root. False: not, why says it. */
bool fn_url_allowed(struct fn_call *call, const struct fn_caller *caller, const char *function, const char *qualifier, struct fn_buf *why);

#endif

/*
 * resource_policy.h - for a process that is told who asks, what their identity's policies say and what conditions may ask of the request, and knows the resource's policy
 * alone: fn-events, of its queues. Pure, but for the clock.
 */
#ifndef FN_AWS_RESOURCE_POLICY_H
#define FN_AWS_RESOURCE_POLICY_H

#include <jansson.h>

#include "aws/document.h"

struct fn_iam_asker {
	const char *principal; /* an ARN, a service ("sns.amazonaws.com"), "" = nobody */
	const char *identity;  /* "allow", "deny", "none" or "limited": fn_iam_identity_word() */
	const char *context;   /* a JSON object: condition keys in lower case, and their values; "" or NULL = nothing is known */
};

/* What SQS asks for besides before it moves messages (StartMessageMoveTask), of their queue: "Amazon SQS API permissions". */
#define FN_IAM_MOVES 3
extern const char *const fn_iam_moves[FN_IAM_MOVES];

/* policy: NULL = there is none. The account's root may do all. A context that cannot be read denies. */
bool fn_iam_resource_allows(const struct fn_iam_asker *who, const char *action, const char *resource, const struct fn_iam_document *policy);

#endif

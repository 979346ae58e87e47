/*
 * resource_policy.h - for a process that is told who asks and what their identity's policies say, and knows the resource's policy alone: fn-events, of its queues. Pure, but
 * for the clock.
 */
#ifndef FN_AWS_RESOURCE_POLICY_H
#define FN_AWS_RESOURCE_POLICY_H

#include <jansson.h>
#include <stdbool.h>

/* principal: an ARN, a service ("sns.amazonaws.com"), "" = nobody; identity: "allow", "deny", "none"; policy: a document, NULL = there is none. The account's root may
 * do all. What cannot be read denies. */
bool fn_iam_resource_allows(const char *principal, const char *identity, const char *action, const char *resource, const json_t *policy);
/* May it be put? False: why says what is malformed in it, or cannot be judged. */
struct fn_buf;
bool fn_iam_resource_policy_fit(const json_t *policy, struct fn_buf *why);

#endif

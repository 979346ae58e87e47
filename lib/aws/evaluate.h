/*
 * evaluate.h - all the policies that are about a request, and the one decision. Pure.
 * Source: AWS IAM User Guide, "Policy evaluation logic" (within one account); words of refusals: "Troubleshoot access denied error messages".
 */
#ifndef FN_AWS_EVALUATE_H
#define FN_AWS_EVALUATE_H

#include "aws/document.h"

struct fn_iam_documents {
	const struct fn_iam_document *const *list;
	size_t n;
};

struct fn_iam_policies {
	struct fn_iam_documents identity;         /* of the user, or of the session's role */
	struct fn_iam_documents session;          /* what the session was given with it, n 0 = no limit */
	const struct fn_iam_document *boundary;   /* NULL = no limit */
	const struct fn_iam_document *resource;   /* NULL = the resource has none */
	bool resource_must;                       /* it must allow it too: a role's trust policy */
};

enum fn_iam_verdict {
	FN_IAM_ALLOWED,
	FN_IAM_NO_IDENTITY, FN_IAM_NO_RESOURCE, FN_IAM_NO_SESSION, FN_IAM_NO_BOUNDARY,         /* none of these allows it */
	FN_IAM_DENY_IDENTITY, FN_IAM_DENY_RESOURCE, FN_IAM_DENY_SESSION, FN_IAM_DENY_BOUNDARY, /* one of these denies it */
};
enum fn_iam_verdict fn_iam_evaluate(const struct fn_iam_policies *p, const struct fn_iam_request *r);

/* What all of them but the resource's policy say, for who knows that one alone (resource_policy.h); what allows more is more. */
enum fn_iam_identity {
	FN_IAM_IDENTITY_DENY,    /* explicitly */
	FN_IAM_IDENTITY_LIMITED, /* what limits the identity does not allow it: only a resource's policy may that names the session or the user itself */
	FN_IAM_IDENTITY_NONE,    /* nothing allows it, and the resource's policy may */
	FN_IAM_IDENTITY_ALLOW,
};
/* "deny", "limited", "none", "allow": as processes tell each other */
const char *fn_iam_identity_word(enum fn_iam_identity says);
enum fn_iam_identity fn_iam_identity_says(const struct fn_iam_policies *p, const struct fn_iam_request *r);

/* "User: ARN is not authorized to perform: ACTION on resource: ARN because ..." */
void fn_iam_explain(struct fn_buf *b, enum fn_iam_verdict v, const struct fn_iam_request *r);

#endif

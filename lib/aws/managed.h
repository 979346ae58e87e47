/*
 * managed.h - the AWS managed policies that people attach to functions' roles, as AWS has them in its own account ("arn:aws:iam::aws:policy/...").
 * Source: AWS Managed Policy Reference Guide. Those that are `abridged` have there what is about dozens of services that nobody asks for here.
 */
#ifndef FN_AWS_MANAGED_H
#define FN_AWS_MANAGED_H

#include "aws/document.h"

struct fn_iam_managed {
	const char *name, *path; /* "/service-role/" */
	bool abridged;
	const char *document;
};

/* By its ARN; NULL = it is none that is known here. */
const struct fn_iam_managed *fn_iam_managed(const char *arn);
/* Read when it is first asked for, and kept; the loop's. NULL as before. */
const struct fn_iam_document *fn_iam_managed_document(const char *arn);
/* All of them, by name. */
size_t fn_iam_managed_all(const struct fn_iam_managed **ret);
void fn_iam_managed_arn(const struct fn_iam_managed *m, char *out, size_t size);

#endif

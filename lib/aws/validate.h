/*
 * validate.h - a request against the service model: types first, then every constraint of every member in path, query, headers and body, before anything
 * is looked up. The words are the service's: as recorded from Lambda, types as measured at a service of the same framework.
 */
#ifndef FN_AWS_VALIDATE_H
#define FN_AWS_VALIDATE_H

#include <jansson.h>

#include "aws/route.h"

struct fn_aws_request {
	const struct fn_aws_labels *labels;
	const char *query; /* as sent, without '?' */
	const char *(*header)(void *arg, const char *name); /* NULL = there is none of that name */
	void *arg;
	/* NULL = none. Made what the operation's members are: nulls in its structures are gone, what is to be a whole number is one. */
	json_t *body;
};

enum fn_aws_verdict {
	FN_AWS_VALID,
	FN_AWS_UNREADABLE, /* a member of another type: SerializationException */
	FN_AWS_INVALID,    /* ValidationException; the text lists all violations, in the members' order */
};

/* why: the message of a refusal. Out of memory is reported as FN_AWS_UNREADABLE. */
enum fn_aws_verdict fn_aws_validate(const struct fn_aws_operation *operation, const struct fn_aws_request *request, struct fn_buf *why);
/* All else goes: so nothing is judged by, nor done with, what is no member of the operation. NULL is fine; fnd's own operations, of which the model has no members, keep all. */
void fn_aws_keep_members(const struct fn_aws_operation *operation, json_t *body);

#endif

/*
 * condition.h - the Condition of a policy's statement: an operator, a key of the request's context, values. Pure.
 * Sources: AWS IAM User Guide, "IAM JSON policy elements: Condition operators", "Single-valued vs. multivalued context keys", "AWS global condition context keys",
 * "IAM policy elements: Variables and tags".
 */
#ifndef FN_AWS_CONDITION_H
#define FN_AWS_CONDITION_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/* What a request is judged by. */
struct fn_iam_context {
	/* The nth value of a key; key in lower case. NULL = it has none (nth 0), or no more. */
	const char *(*value)(void *arg, const char *key, unsigned nth);
	void *arg;
};

/* Text of a policy with '*' and '?' (patterns of glob.h) and variables "${key}". */
struct fn_iam_text {
	char *text;
	bool wild;      /* it has to be matched as a pattern */
	bool variables;
};
/* variables: "${...}" mean something (Version 2012-10-17). False: it is malformed, why says how, or there is no memory. */
bool fn_iam_text_parse(struct fn_iam_text *t, const char *text, bool variables, struct fn_buf *why);
void fn_iam_text_free(struct fn_iam_text *t);
/* The pattern with the request's values for the variables, in `room` or as it is; NULL = one of them has none. */
const char *fn_iam_text_of(const struct fn_iam_text *t, const struct fn_iam_context *c, struct fn_buf *room);

struct fn_iam_condition;
/* Of "Condition": {operator: {key: values}}. False: why says what of it cannot be judged, NULL on no memory. */
bool fn_iam_condition_parse(const char *op, const char *key, json_t *values, bool variables, struct fn_iam_condition **ret, struct fn_buf *why);
void fn_iam_condition_free(struct fn_iam_condition *c);
bool fn_iam_condition_holds(const struct fn_iam_condition *c, const struct fn_iam_context *context);

/* Is it a key that requests have here, or that they rightly never have (there is no organization, no MFA, no VPC endpoint)? In any case of letters. */
bool fn_iam_key_known(const char *key);

#endif

/*
 * arn.h - function names in every form the API takes: name, name:qualifier, function:name[:q], account:function:name[:q], account:name,
 * region:account:function:name[:q], full ARN.
 * Patterns: botocore lambda/2015-03-31 service model (FunctionName, Qualifier).
 */
#ifndef FN_MODEL_ARN_H
#define FN_MODEL_ARN_H

#include <stdbool.h>
#include <stddef.h>

#define FN_NAME_MAX 170 /* of a name in any form */

struct fn_name {
	char region[32], account[16]; /* "" = not given */
	char name[FN_NAME_MAX + 6];
	char qualifier[132];          /* "" = not given */
};

/* Splits text; -EINVAL when it is no function name. */
int fn_name_parse(const char *text, struct fn_name *ret);
bool fn_qualifier_valid(const char *q); /* a parameter: "$x" is well-formed, though nothing is called so */
/* arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>] */
void fn_arn_format(char *out, size_t size, const char *region, const char *account, const char *name, const char *qualifier);

#endif

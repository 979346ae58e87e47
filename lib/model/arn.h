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
#define FN_REGION_MAX 31

struct fn_name {
	char region[FN_REGION_MAX + 1], account[16]; /* "" = not given */
	char name[FN_NAME_MAX + 6];
	char qualifier[132];          /* "" = not given */
};

/* Splits text; -EINVAL when it is no function name. */
int fn_name_parse(const char *text, struct fn_name *ret);
/* Is a request by this name for us? A region, an account, that are not given are ours. why: where it is not, in words for its sender (AWS's where it has some). */
enum fn_name_place { FN_NAME_HERE, FN_NAME_OTHER_REGION, FN_NAME_OTHER_ACCOUNT, FN_NAME_OTHER_QUALIFIER /* than the parameter, NULL = there is none */ };
enum fn_name_place fn_name_place(const struct fn_name *n, const char *qualifier, const char *region, const char *account, char *why, size_t size);
bool fn_region_valid(const char *s); /* eu-west-1, us-gov-east-1, eusc-de-east-1: what has another form no ARN may have */
bool fn_qualifier_valid(const char *q); /* a parameter: "$x" is well-formed, though nothing is called so */
/* arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>] */
void fn_arn_format(char *out, size_t size, const char *region, const char *account, const char *name, const char *qualifier);
/* Is arn:<partition>:<service>:... of this service? */
bool fn_arn_of(const char *arn, const char *service);
/* And of that region and account? */
bool fn_arn_at(const char *arn, const char *service, const char *region, const char *account);

#endif

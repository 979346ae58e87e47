/*
 * policy.h - resource policies of functions: a statement made of AddPermission's members, and what statements allow. Pure.
 * Sources: Lambda API (AddPermission), statements as recorded from the service; Lambda Developer Guide, "Control access to Lambda function URLs".
 */
#ifndef FN_AWS_POLICY_H
#define FN_AWS_POLICY_H

#include <jansson.h>
#include <stdbool.h>

/* The statement of an AddPermission request (its body), about this resource. NULL = the principal is none. */
json_t *fn_policy_statement(json_t *request, const char *resource);
/* Index of the statement with this Sid; -ENOENT. */
int fn_policy_find(json_t *statements, const char *sid);

/* What somebody without credentials needs for a function's URL. Since October 2025 both. */
enum fn_policy_right { FN_POLICY_INVOKE_URL = 1, FN_POLICY_INVOKE_FUNCTION = 2 };
/* Which of them these statements (NULL = none) do not give to everybody, for a URL of this AuthType ("NONE"). 0 = all are given. */
unsigned fn_policy_url_missing(json_t *statements, const char *auth_type);
/* "lambda:InvokeFunctionUrl" and so on, for people. */
const char *fn_policy_url_missing_text(unsigned missing);

#endif

/* glob.h - text against a pattern of an IAM policy: '*' is any number of characters, '?' one, and what is behind FN_GLOB_LITERAL stands for itself. Pure. */
#ifndef FN_AWS_GLOB_H
#define FN_AWS_GLOB_H

#include <stdbool.h>

#define FN_GLOB_LITERAL '\1' /* no policy document has it (policyDocumentType in IAM's service model) */

bool fn_glob_matches(const char *pattern, const char *text, bool fold_case);
/* The same of ARNs: each of their six parts by itself (ArnLike). What is no ARN does not match. */
bool fn_glob_arn_matches(const char *pattern, const char *arn);

#endif

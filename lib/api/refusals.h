/* refusals.h - errors as replies, and the words in which each operation says that what it is asked about is not there, or there already. */
#ifndef FN_API_REFUSALS_H
#define FN_API_REFUSALS_H

#include <stddef.h>

#include "aws/error.h"

struct fn_call;
void fn_reply_error(struct fn_call *call, const struct fn_aws_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The function, or its version or alias `qualifier` (NULL or "" = none was asked for), is not there. */
void fn_reply_absent(struct fn_call *call, const char *name, const char *qualifier);
/* The function is there, its alias is not, and the operation is about that. */
void fn_reply_no_alias(struct fn_call *call, const char *name, const char *alias);
/* The function (alias NULL), or its alias, is there already. */
void fn_reply_exists(struct fn_call *call, const char *name, const char *alias);
/* Whatever it was that was asked for. */
void fn_reply_no_resource(struct fn_call *call);

/* A resource's policy: there is none; it has no such statement; it has one already; it would be as long as that. */
void fn_reply_no_policy(struct fn_call *call);
void fn_reply_no_statement(struct fn_call *call, const char *sid);
void fn_reply_statement_exists(struct fn_call *call, const char *sid);
void fn_reply_policy_long(struct fn_call *call, size_t len);

#endif

/* errors.h - SQS's errors, as both protocols name them. */
#ifndef FN_SQS_ERRORS_H
#define FN_SQS_ERRORS_H

#include <stdbool.h>

struct fn_sqs_error {
	const char *name;  /* JSON: __type, behind "com.amazonaws.sqs#" (coral: "com.amazon.coral.service#") */
	const char *query; /* the code of the query protocol, also in x-amzn-query-error */
	unsigned status;
	bool coral;
	const char *text; /* where the query protocol has another; NULL */
};

extern const struct fn_sqs_error FN_SQS_NO_QUEUE, FN_SQS_EXISTS, FN_SQS_DELETED_RECENTLY, FN_SQS_PURGING, FN_SQS_OVER_LIMIT, FN_SQS_BAD_HANDLE,
	FN_SQS_BAD_VALUE, FN_SQS_MISSING, FN_SQS_MISSING_IN_ENTRY, FN_SQS_BAD_ATTRIBUTE, FN_SQS_BAD_ATTRIBUTE_VALUE, FN_SQS_BAD_CONTENTS, FN_SQS_UNSUPPORTED, FN_SQS_NOT_FOUND, FN_SQS_BAD_ADDRESS,
	FN_SQS_EMPTY_BATCH, FN_SQS_TOO_MANY_ENTRIES, FN_SQS_SAME_IDS, FN_SQS_BAD_ID, FN_SQS_BATCH_TOO_LONG, FN_SQS_DENIED, FN_SQS_UNREADABLE, FN_SQS_UNAVAILABLE,
	FN_SQS_NO_OPERATION;

/* FN_SQS_MISSING_IN_ENTRY: of a batch's entry: the whole batch fails with it. */

/* What is wrong, found by a function that does not answer itself. */
struct fn_sqs_problem {
	const struct fn_sqs_error *error;
	char text[512];
};
/* Returns -1. */
int fn_sqs_wrong(struct fn_sqs_problem *p, const struct fn_sqs_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif

/*
 * refusal.h - an error as a service answers it that speaks json or the query protocol: what comes before the service itself sees the request (signatures, sizes). Pure.
 * Sources: Smithy, "AWS JSON 1.0 protocol", "AWS query protocol", "AWS query compatible" (x-amzn-query-error).
 */
#ifndef FN_AWS_REFUSAL_H
#define FN_AWS_REFUSAL_H

#include "aws/error.h"
#include "aws/route.h"

struct fn_aws_refusal {
	unsigned status;
	const char *type;     /* Content-Type */
	const char *name;     /* x-amzn-ErrorType; NULL = it has none */
	char query_error[96]; /* x-amzn-query-error; "" = it has none */
	struct fn_buf body;   /* the caller's, to free; empty: out of memory */
};

/* s: FN_AWS_SERVICES = it is not told. query: by that protocol, else json's. */
void fn_aws_refuse(struct fn_aws_refusal *ret, enum fn_aws_service s, bool query, const struct fn_aws_error *e, const char *text, const char *request_id);

#endif

/* route.h - which operation a request is for, and what its URI says. */
#ifndef FN_AWS_ROUTE_H
#define FN_AWS_ROUTE_H

#include "aws/model.h"
#include "base/buf.h"

#define FN_AWS_LABELS_MAX 3

/* What stands in the path for a URI's {labels}, in their order, as it was sent: percent-encoded. */
struct fn_aws_labels {
	unsigned n;
	struct {
		const char *text; /* of the path that was routed */
		size_t len;
	} at[FN_AWS_LABELS_MAX];
};

/* path: percent-encoded, without the query; a slash at its end and double ones count for nothing, an encoded one belongs to its segment. query:
 * without '?', "" = none. NULL = there is no such operation. labels may be NULL. */
const struct fn_aws_operation *fn_aws_route(const char *method, const char *path, const char *query, struct fn_aws_labels *labels);
/* The operation that an X-Amz-Target names: "Logs_20140328.PutLogEvents". NULL = there is none. */
const struct fn_aws_operation *fn_aws_route_target(const char *target);
static inline enum fn_aws_op fn_aws_op_of(const struct fn_aws_operation *o) { return o->op; }

/* Adds what was percent-encoded, a '+' of a query made a space: "%zz" stays as it is, a byte that is no UTF-8 becomes U+FFFD. */
int fn_aws_decode(struct fn_buf *b, const char *text, size_t len, bool query);
/* The n-th of the query's parameters of that name, decoded; -ENOENT = there is none. */
int fn_aws_query(const char *query, const char *name, unsigned nth, struct fn_buf *ret);

#endif

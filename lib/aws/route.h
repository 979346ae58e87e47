/*
 * route.h - which operation a request is for, and what its URI says. All services are at one endpoint: a request is REST's by its method and path, json's by its
 * X-Amz-Target, and of the query protocol by its Action (query.h), of the service that its signature is for.
 */
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
/* A service as its wire has it. LAMBDA has FND's operations too; FND none. */
struct fn_aws_service_info {
	const char *name;    /* in a signature's scope, and before the ':' of an action in a policy: "sqs" */
	const char *title;   /* for people: "CloudWatch Logs" */
	const char *target;  /* json: what is before the operation in X-Amz-Target, "AmazonSQS."; NULL = not spoken */
	const char *json;    /* and its content type */
	const char *version; /* query: "2012-11-05"; NULL = not spoken */
	const char *xmlns;
	const struct fn_aws_operation *operations;
	unsigned n;
};
const struct fn_aws_service_info *fn_aws_service(enum fn_aws_service s);
/* By what is in a scope; FN_AWS_SERVICES = none of them. */
enum fn_aws_service fn_aws_service_named(const char *name);

/* What the head of a request says; NULL = absent, but for method, path and query. */
struct fn_aws_head {
	const char *method, *path, *query;
	const char *target, *content_type, *authorization;
};
bool fn_aws_path_is_rest(const char *path); /* then nothing of the head but method, path and query is looked at */
enum fn_aws_protocol { FN_AWS_REST_JSON, FN_AWS_JSON, FN_AWS_QUERY };
enum fn_aws_protocol fn_aws_protocol_of(const struct fn_aws_head *h);
/* As far as the head tells, before there is a body: by target or by path; of the query protocol by the signature's scope, else by Version or by Action in the query.
 * FN_AWS_SERVICES = it does not. */
enum fn_aws_service fn_aws_service_of(const struct fn_aws_head *h);

/* query: by its Version, or where that is not told (NULL) by its Action. */
enum fn_aws_service fn_aws_service_versioned(const char *version, const char *action);

/* The operation of a service by its name; NULL = there is none. */
const struct fn_aws_operation *fn_aws_operation_named(enum fn_aws_service s, const char *name);
/* The operation that an X-Amz-Target names: "Logs_20140328.PutLogEvents". NULL = there is none. */
const struct fn_aws_operation *fn_aws_route_target(const char *target);
static inline enum fn_aws_op fn_aws_op_of(const struct fn_aws_operation *o) { return o->op; }

/* Adds what was percent-encoded, a '+' of a query made a space: "%zz" stays as it is, a byte that is no UTF-8 becomes U+FFFD. */
int fn_aws_decode(struct fn_buf *b, const char *text, size_t len, bool query);
/* The same of a form's value, in which %00 is U+0000; otherwise it stays "%00", for C's strings end there. */
int fn_aws_decode_value(struct fn_buf *b, const char *text, size_t len);
/* The n-th of the query's parameters of that name, decoded; -ENOENT = there is none. */
int fn_aws_query(const char *query, const char *name, unsigned nth, struct fn_buf *ret);

#endif

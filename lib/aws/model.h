/*
 * model.h - what the operations of Lambda and of the other services take, and what those of the query protocol answer, as data: generated from the service model that botocore ships, with what the service was seen to answer
 * otherwise (scripts/lambda-model). Constant; nobody owns it.
 */
#ifndef FN_AWS_MODEL_H
#define FN_AWS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/lambda.h"

enum fn_aws_type {
	FN_AWS_STRUCTURE, FN_AWS_LIST, FN_AWS_MAP, FN_AWS_STRING, FN_AWS_INTEGER, FN_AWS_DOUBLE, FN_AWS_BOOLEAN, FN_AWS_BLOB, FN_AWS_TIMESTAMP,
};

/* Where in a request a member is. PAYLOAD: it is the whole body, which is then no JSON object of members. */
enum fn_aws_place { FN_AWS_IN_URI, FN_AWS_IN_QUERY, FN_AWS_IN_HEADER, FN_AWS_IN_BODY, FN_AWS_IN_PAYLOAD };

struct fn_aws_member;

struct fn_aws_shape {
	const char *name;
	enum fn_aws_type type;
	bool has_min, has_max; /* of the number; of the length of a string (characters), a list or a map (entries) */
	bool sensitive;        /* its value is never in a message */
	bool sparse;           /* a list or map whose values may be null */
	bool bare;             /* a list whose elements' constraint is printed as if it were its own */
	double min, max;
	uint8_t pattern;       /* 0 = none, else fn_aws_patterns[pattern - 1] */
	const char *values;    /* of an enumeration: "a, b, c"; NULL = any */
	const struct fn_aws_shape *key, *value; /* of a map; a list has values alone */
	bool flattened;                         /* query, XML: a list or map without an element of its own around its entries */
	const char *key_wire, *value_wire;      /* query, XML: how a key and a value are called; NULL = "key", "value"; a list's value: "member" */
	const struct fn_aws_member *members;    /* of a structure */
	unsigned n_members;
};

struct fn_aws_member {
	const char *name; /* in the model: messages call it so, with its first letter in lower case */
	const char *wire; /* in the request (json: not there, but by the query protocol and in XML); NULL = name */
	const struct fn_aws_shape *shape;
	enum fn_aws_place place;
	bool required;
};

/* LAMBDA, FND: by method and path (rest-json); LOGS: by X-Amz-Target (json 1.1); SQS: by X-Amz-Target (json 1.0) or Action (query); IAM, STS: by Action. */
enum fn_aws_service { FN_AWS_LAMBDA, FN_AWS_FND, FN_AWS_LOGS, FN_AWS_SQS, FN_AWS_IAM, FN_AWS_STS, FN_AWS_SERVICES };

struct fn_aws_operation {
	const char *name, *method; /* those with a '_' before their name are fnd's own */
	const char *uri;           /* "/2015-03-31/functions/{FunctionName}", with "?List=ALL" behind it when only that query means it */
	const struct fn_aws_member *members;
	unsigned n_members;
	bool json; /* its body is an object of members */
	enum fn_aws_service service;
	enum fn_aws_op op;
	const struct fn_aws_shape *out; /* of what is answered in XML; NULL = nothing is, or only JSON */
};

extern const struct fn_aws_operation fn_aws_operations[FN_AWS_LOGS_FIRST]; /* by enum fn_aws_op: Lambda's and fnd's own; */
extern const struct fn_aws_operation fn_aws_logs_operations[FN_AWS_LOGS_END - FN_AWS_LOGS_FIRST]; /* those of CloudWatch Logs from FN_AWS_LOGS_FIRST on; */
extern const struct fn_aws_operation fn_aws_sqs_operations[FN_AWS_SQS_END - FN_AWS_SQS_FIRST];    /* and so on */
extern const struct fn_aws_operation fn_aws_iam_operations[FN_AWS_IAM_END - FN_AWS_IAM_FIRST];
extern const struct fn_aws_operation fn_aws_sts_operations[FN_AWS_STS_END - FN_AWS_STS_FIRST];
extern const char *const fn_aws_patterns[FN_AWS_PATTERNS]; /* Java's regular expressions, as messages print them */

#endif

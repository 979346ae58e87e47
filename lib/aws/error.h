/*
 * error.h - the errors of Lambda, and those that all services have: status, x-amzn-ErrorType, and how the body names them. Statuses and spellings: service model, and responses recorded from
 * the service.
 */
#ifndef FN_AWS_ERROR_H
#define FN_AWS_ERROR_H

#include <jansson.h>

struct fn_aws_error {
	const char *name;
	unsigned status;
	enum {
		FN_BODY_LOWER,      /* {"Type", "message"} */
		FN_BODY_UPPER,      /* {"Type", "Message"} */
		FN_BODY_PLAIN,      /* {"message"} */
		FN_BODY_PLAIN_UPPER /* {"Message"} */
	} body;
	const char *type, *reason; /* what Type is, NULL = User; a Reason beside it, NULL = none */
	unsigned retry_after_s;    /* 0 = the client is not told */
	const char *query;         /* its code by the query protocol; NULL = the name */
};

/* Its body by rest-json. text NULL: the name. */
json_t *fn_aws_error_body(const struct fn_aws_error *e, const char *text);

extern const struct fn_aws_error FN_E_INVALID_PARAMETER, FN_E_INVALID_PARAMETER_PLAIN, FN_E_INVALID_CONTENT, FN_E_CONFLICT, FN_E_PRECONDITION, FN_E_TOO_MANY,
	FN_E_FUNCTION_FULL, FN_E_FUNCTION_OFF, FN_E_BODIES, FN_E_ENTITY_TOO_LARGE, FN_E_NOT_FOUND, FN_E_SERVICE, FN_E_UNAVAILABLE, FN_E_TOO_LARGE, FN_E_SERIALIZATION, FN_E_VALIDATION, FN_E_ACCESS_DENIED,
	FN_E_MISSING_TOKEN, FN_E_UNKNOWN_CLIENT, FN_E_EXPIRED_TOKEN, FN_E_BAD_SIGNATURE, FN_E_INCOMPLETE_SIGNATURE, FN_E_NOT_IMPLEMENTED, FN_E_NO_ROUTE, FN_E_CODE_STORAGE, FN_E_POLICY_LENGTH, FN_E_NO_PROVISIONED, FN_E_SNAPSTART,
	FN_E_SNAPSTART_NOT_READY, FN_E_SNAPSTART_TIMEOUT, FN_E_RECURSIVE;
/* CloudWatch Logs */
extern const struct fn_aws_error FN_E_INVALID_ACTION, FN_E_MALFORMED_INPUT; /* query */
extern const struct fn_aws_error FN_E_NO_ENTITY, FN_E_ENTITY_EXISTS, FN_E_MALFORMED_POLICY, FN_E_DELETE_CONFLICT, FN_E_IAM_LIMIT, FN_E_IAM_INPUT, FN_E_UNMODIFIABLE, FN_E_PACKED_POLICY, FN_E_STS_PARAMETER; /* IAM, STS */
extern const struct fn_aws_error FN_E_LOGS_NOT_FOUND, FN_E_LOGS_EXISTS, FN_E_LOGS_PARAMETER, FN_E_LOGS_VALIDATION, FN_E_LOGS_TOO_MANY_TAGS, FN_E_LOGS_LIMIT;

#endif

/* aws_error.h - the only place that knows how Lambda's errors look: status, x-amzn-ErrorType, body. */
#ifndef FN_API_AWS_ERROR_H
#define FN_API_AWS_ERROR_H

#include "web/httpd.h"

struct fn_aws_error {
	const char *name;
	unsigned status;
	enum { FN_BODY_LOWER, FN_BODY_UPPER, FN_BODY_PLAIN } body; /* {"Type","message"}, {"Type","Message"}, {"message"} */
};

extern const struct fn_aws_error FN_E_INVALID_PARAMETER, FN_E_INVALID_CONTENT, FN_E_CONFLICT, FN_E_PRECONDITION, FN_E_TOO_MANY,
	FN_E_ENTITY_TOO_LARGE, FN_E_NOT_FOUND, FN_E_SERVICE, FN_E_VALIDATION, FN_E_ACCESS_DENIED, FN_E_MISSING_TOKEN,
	FN_E_UNKNOWN_CLIENT, FN_E_BAD_SIGNATURE, FN_E_NOT_IMPLEMENTED, FN_E_NO_ROUTE, FN_E_CODE_STORAGE, FN_E_NO_PROVISIONED, FN_E_FUNCTION_FULL, FN_E_BODIES,
	FN_E_SNAPSTART, FN_E_SNAPSTART_NOT_READY, FN_E_SNAPSTART_TIMEOUT;

struct fn_call;
void fn_reply_error(struct fn_call *call, const struct fn_aws_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif

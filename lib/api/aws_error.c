/* aws_error.c - see aws_error.h. Statuses and spellings: service model, and responses recorded from the service. */
#include "api/aws_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"

const struct fn_aws_error FN_E_INVALID_PARAMETER = {"InvalidParameterValueException", 400, FN_BODY_LOWER},
			  FN_E_INVALID_CONTENT = {"InvalidRequestContentException", 400, FN_BODY_LOWER},
			  FN_E_CONFLICT = {"ResourceConflictException", 409, FN_BODY_LOWER},
			  FN_E_PRECONDITION = {"PreconditionFailedException", 412, FN_BODY_LOWER},
			  FN_E_TOO_MANY = {"TooManyRequestsException", 429, FN_BODY_LOWER},
			  FN_E_ENTITY_TOO_LARGE = {"RequestEntityTooLargeException", 413, FN_BODY_PLAIN},
			  FN_E_NOT_FOUND = {"ResourceNotFoundException", 404, FN_BODY_UPPER},
			  FN_E_SERVICE = {"ServiceException", 500, FN_BODY_UPPER},
			  FN_E_VALIDATION = {"ValidationException", 400, FN_BODY_PLAIN},
			  FN_E_ACCESS_DENIED = {"AccessDeniedException", 403, FN_BODY_PLAIN},
			  FN_E_MISSING_TOKEN = {"MissingAuthenticationTokenException", 403, FN_BODY_PLAIN},
			  FN_E_UNKNOWN_CLIENT = {"UnrecognizedClientException", 403, FN_BODY_PLAIN},
			  FN_E_BAD_SIGNATURE = {"InvalidSignatureException", 403, FN_BODY_PLAIN},
			  FN_E_NOT_IMPLEMENTED = {"NotImplementedException", 501, FN_BODY_PLAIN},
			  FN_E_NO_ROUTE = {"UnknownOperationException", 404, FN_BODY_PLAIN},
			  FN_E_CODE_STORAGE = {"CodeStorageExceededException", 400, FN_BODY_LOWER},
			  FN_E_NO_PROVISIONED = {"ProvisionedConcurrencyConfigNotFoundException", 404, FN_BODY_LOWER},
			  FN_E_FUNCTION_FULL = {"TooManyRequestsException", 429, FN_BODY_LOWER},
			  FN_E_BODIES = {"TooManyRequestsException", 429, FN_BODY_LOWER},
			  FN_E_SNAPSTART = {"SnapStartException", 400, FN_BODY_UPPER},
			  FN_E_SNAPSTART_NOT_READY = {"SnapStartNotReadyException", 409, FN_BODY_UPPER},
			  FN_E_SNAPSTART_TIMEOUT = {"SnapStartTimeoutException", 408, FN_BODY_UPPER};

void fn_reply_error(struct fn_call *call, const struct fn_aws_error *e, const char *fmt, ...)
{
	char *text = NULL;
	json_t *body = json_object();
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (e->body != FN_BODY_PLAIN)
		json_object_set_new(body, "Type", json_string(e == &FN_E_SERVICE ? "Service" : "User"));
	json_object_set_new(body, e->body == FN_BODY_UPPER ? "Message" : "message", json_string(text ? text : e->name));
	if (e == &FN_E_TOO_MANY || e == &FN_E_FUNCTION_FULL || e == &FN_E_BODIES) {
		json_object_set_new(body, "Reason",
				    json_string(e == &FN_E_TOO_MANY ? "ConcurrentInvocationLimitExceeded"
						: e == &FN_E_BODIES ? "CallerRateLimitExceeded" : "ReservedFunctionConcurrentInvocationLimitExceeded"));
		(void)fn_http_req_add_header(call->req, "Retry-After", "1");
	}
	(void)fn_http_req_add_header(call->req, "x-amzn-ErrorType", e->name);
	fn_reply_json(call, e->status, body);
	free(text);
}

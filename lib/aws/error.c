/* error.c - see error.h. */
#include "aws/error.h"

#include <stdbool.h>

#define FULL "ReservedFunctionConcurrentInvocationLimitExceeded"

const struct fn_aws_error FN_E_INVALID_PARAMETER = {.name = "InvalidParameterValueException", .status = 400},
			  FN_E_INVALID_PARAMETER_PLAIN = {.name = "InvalidParameterValueException", .status = 400, .body = FN_BODY_PLAIN},
			  FN_E_INVALID_CONTENT = {.name = "InvalidRequestContentException", .status = 400},
			  FN_E_CONFLICT = {.name = "ResourceConflictException", .status = 409},
			  FN_E_PRECONDITION = {.name = "PreconditionFailedException", .status = 412},
			  FN_E_TOO_MANY = {.name = "TooManyRequestsException", .status = 429, .reason = "ConcurrentInvocationLimitExceeded", .retry_after_s = 1},
			  FN_E_FUNCTION_FULL = {.name = "TooManyRequestsException", .status = 429, .reason = FULL, .retry_after_s = 1},
			  FN_E_FUNCTION_OFF = {.name = "TooManyRequestsException", .status = 429, .reason = FULL}, /* reserved concurrency 0: later is no better */
			  FN_E_BODIES = {.name = "TooManyRequestsException", .status = 429, .reason = "CallerRateLimitExceeded", .retry_after_s = 1, .query = "Throttling"},
			  FN_E_ENTITY_TOO_LARGE = {.name = "RequestEntityTooLargeException", .status = 413, .body = FN_BODY_PLAIN},
			  FN_E_NOT_FOUND = {.name = "ResourceNotFoundException", .status = 404, .body = FN_BODY_UPPER},
			  FN_E_SERVICE = {.name = "ServiceException", .status = 500, .body = FN_BODY_UPPER, .type = "Service", .query = "ServiceFailure"},
			  FN_E_UNAVAILABLE = {.name = "ServiceUnavailableException", .status = 503, .body = FN_BODY_UPPER, .type = "Service", .retry_after_s = 1, .query = "ServiceUnavailable"},
			  FN_E_TOO_LARGE = {.name = "RequestTooLargeException", .status = 413},
			  FN_E_SERIALIZATION = {.name = "SerializationException", .status = 400, .body = FN_BODY_PLAIN_UPPER},
			  FN_E_VALIDATION = {.name = "ValidationException", .status = 400, .body = FN_BODY_PLAIN, .query = "ValidationError"},
			  FN_E_ACCESS_DENIED = {.name = "AccessDeniedException", .status = 403, .body = FN_BODY_PLAIN, .query = "AccessDenied"},
			  FN_E_MISSING_TOKEN = {.name = "MissingAuthenticationTokenException", .status = 403, .body = FN_BODY_PLAIN, .query = "MissingAuthenticationToken"},
			  FN_E_UNKNOWN_CLIENT = {.name = "UnrecognizedClientException", .status = 403, .body = FN_BODY_PLAIN, .query = "InvalidClientTokenId"},
			  FN_E_EXPIRED_TOKEN = {.name = "ExpiredTokenException", .status = 403, .body = FN_BODY_PLAIN, .query = "ExpiredToken"},
			  FN_E_BAD_SIGNATURE = {.name = "InvalidSignatureException", .status = 403, .body = FN_BODY_PLAIN, .query = "SignatureDoesNotMatch"},
			  FN_E_INCOMPLETE_SIGNATURE = {.name = "IncompleteSignatureException", .status = 403, .body = FN_BODY_PLAIN, .query = "IncompleteSignature"},
			  FN_E_NOT_IMPLEMENTED = {.name = "NotImplementedException", .status = 501, .body = FN_BODY_PLAIN},
			  FN_E_NO_ROUTE = {.name = "UnknownOperationException", .status = 404, .body = FN_BODY_PLAIN},
			  FN_E_CODE_STORAGE = {.name = "CodeStorageExceededException", .status = 400},
			  FN_E_POLICY_LENGTH = {.name = "PolicyLengthExceededException", .status = 400},
			  FN_E_NO_PROVISIONED = {.name = "ProvisionedConcurrencyConfigNotFoundException", .status = 404},
			  FN_E_SNAPSTART = {.name = "SnapStartException", .status = 400, .body = FN_BODY_UPPER},
			  FN_E_SNAPSTART_NOT_READY = {.name = "SnapStartNotReadyException", .status = 409, .body = FN_BODY_UPPER},
			  FN_E_SNAPSTART_TIMEOUT = {.name = "SnapStartTimeoutException", .status = 408, .body = FN_BODY_UPPER},
			  FN_E_RECURSIVE = {.name = "RecursiveInvocationException", .status = 400, .body = FN_BODY_UPPER};

const struct fn_aws_error FN_E_INVALID_ACTION = {.name = "InvalidAction", .status = 400}, FN_E_MALFORMED_INPUT = {.name = "MalformedInput", .status = 400};

const struct fn_aws_error FN_E_NO_ENTITY = {.name = "NoSuchEntity", .status = 404}, FN_E_ENTITY_EXISTS = {.name = "EntityAlreadyExists", .status = 409},
			  FN_E_MALFORMED_POLICY = {.name = "MalformedPolicyDocument", .status = 400}, FN_E_DELETE_CONFLICT = {.name = "DeleteConflict", .status = 409},
			  FN_E_IAM_LIMIT = {.name = "LimitExceeded", .status = 409}, FN_E_IAM_INPUT = {.name = "InvalidInput", .status = 400},
			  FN_E_UNMODIFIABLE = {.name = "UnmodifiableEntity", .status = 400}, FN_E_PACKED_POLICY = {.name = "PackedPolicyTooLarge", .status = 400},
			  FN_E_STS_PARAMETER = {.name = "InvalidParameterValue", .status = 400};

const struct fn_aws_error FN_E_LOGS_NOT_FOUND = {.name = "ResourceNotFoundException", .status = 400},
			  FN_E_LOGS_EXISTS = {.name = "ResourceAlreadyExistsException", .status = 400},
			  FN_E_LOGS_PARAMETER = {.name = "InvalidParameterException", .status = 400},
			  FN_E_LOGS_VALIDATION = {.name = "ValidationException", .status = 400},
			  FN_E_LOGS_LIMIT = {.name = "LimitExceededException", .status = 400},
			  FN_E_LOGS_TOO_MANY_TAGS = {.name = "TooManyTagsException", .status = 400};

json_t *fn_aws_error_body(const struct fn_aws_error *e, const char *text)
{
	bool upper = e->body == FN_BODY_UPPER || e->body == FN_BODY_PLAIN_UPPER;
	json_t *body = json_object();

	if (e->body == FN_BODY_LOWER || e->body == FN_BODY_UPPER)
		json_object_set_new(body, "Type", json_string(e->type ? e->type : "User"));
	json_object_set_new(body, upper ? "Message" : "message", json_string(text ? text : e->name));
	if (e->reason)
		json_object_set_new(body, "Reason", json_string(e->reason));
	return body;
}

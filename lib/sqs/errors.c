/* errors.c - see errors.h. */
#include "sqs/errors.h"

#include <stdarg.h>
#include <stdio.h>

#define SQS(name) #name, "AWS.SimpleQueueService." #name
#define SAME(name) #name, #name

const struct fn_sqs_error FN_SQS_NO_QUEUE = {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400, false,
					     "The specified queue does not exist for this wsdl version."},
			  FN_SQS_EXISTS = {"QueueNameExists", "QueueAlreadyExists", 400, false, NULL},
			  FN_SQS_DELETED_RECENTLY = {SQS(QueueDeletedRecently), 400, false, NULL}, FN_SQS_PURGING = {SQS(PurgeQueueInProgress), 403, false, NULL},
			  FN_SQS_OVER_LIMIT = {SAME(OverLimit), 403, false, NULL}, FN_SQS_BAD_HANDLE = {SAME(ReceiptHandleIsInvalid), 400, false, NULL},
			  FN_SQS_BAD_VALUE = {"InvalidParameterValueException", "InvalidParameterValue", 400, true, NULL},
			  FN_SQS_MISSING = {"MissingRequiredParameterException", "MissingParameter", 400, true, NULL},
			  FN_SQS_MISSING_IN_ENTRY = {"InvalidParameterValueException", "InvalidParameterValue", 400, true, NULL},
			  FN_SQS_BAD_ATTRIBUTE = {SAME(InvalidAttributeName), 400, false, NULL},
			  FN_SQS_BAD_ATTRIBUTE_VALUE = {SAME(InvalidAttributeValue), 400, false, NULL},
			  FN_SQS_BAD_CONTENTS = {SAME(InvalidMessageContents), 400, false, NULL},
			  FN_SQS_UNSUPPORTED = {SQS(UnsupportedOperation), 400, false, NULL}, FN_SQS_NOT_FOUND = {SAME(ResourceNotFoundException), 404, false, NULL},
			  FN_SQS_BAD_ADDRESS = {SAME(InvalidAddress), 404, false, NULL}, FN_SQS_EMPTY_BATCH = {SQS(EmptyBatchRequest), 400, false, NULL},
			  FN_SQS_TOO_MANY_ENTRIES = {SQS(TooManyEntriesInBatchRequest), 400, false, NULL},
			  FN_SQS_SAME_IDS = {SQS(BatchEntryIdsNotDistinct), 400, false, NULL}, FN_SQS_BAD_ID = {SQS(InvalidBatchEntryId), 400, false, NULL},
			  FN_SQS_BATCH_TOO_LONG = {SQS(BatchRequestTooLong), 400, false, NULL}, FN_SQS_DENIED = {"AccessDeniedException", "AccessDenied", 403, true, NULL},
			  FN_SQS_UNREADABLE = {"SerializationException", "MalformedInput", 400, true, NULL},
			  FN_SQS_UNAVAILABLE = {"ServiceUnavailable", "ServiceUnavailable", 503, true, NULL},
			  FN_SQS_NO_OPERATION = {"UnknownOperationException", "InvalidAction", 400, true, NULL};

int fn_sqs_wrong(struct fn_sqs_problem *p, const struct fn_sqs_error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	p->error = e;
	return -1;
}

/* service.h - SQS as a service of fn-events (service/call.h): from HTTP to sqs.h and back. Its `arg` is the struct fn_sqs. */
#ifndef FN_SQS_SERVICE_H
#define FN_SQS_SERVICE_H

#include "service/call.h"
#include "sqs/sqs.h"

int fn_sqs_open(const struct fn_service_env *env, struct fn_service *ret, struct fn_err *err);
void fn_sqs_close(void *arg);

#endif

/* events.h - Lambda's operations that fn-events serves. */
#ifndef FN_EVENTS_EVENTS_H
#define FN_EVENTS_EVENTS_H

#include "service/call.h"

/* As a service "lambda". */
int fn_events_open(const struct fn_service_env *env, struct fn_service *ret, struct fn_err *err);
void fn_events_close(void *arg);

#endif

/* services.h - which services fn-events has. */
#ifndef FN_EVENTS_SERVICES_H
#define FN_EVENTS_SERVICES_H

#include "service/call.h"

int fn_services_open(struct fn_service_env *env, struct fn_services *ret, struct fn_err *err);
void fn_services_close(struct fn_services *s); /* what was opened of them */

#endif

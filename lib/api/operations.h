/* operations.h - each operation of AWS's models: does it work here, and what answers if not. */
#ifndef FN_API_OPERATIONS_H
#define FN_API_OPERATIONS_H

#include "api/internal.h"

/* {"Operations": [{"Name", "Method", "Path", "Works", "ServedBy", and "Reason" if it does not work, or "Refused" if something of it does not}]} */
void fn_h_operations(struct fn_call *call);

#endif

/* configuration.h - the members that CreateFunction and UpdateFunctionConfiguration share, put into a snapshot. */
#ifndef FN_API_CONFIGURATION_H
#define FN_API_CONFIGURATION_H

#include "api/internal.h"

/* Applies the members present in the request to f. Replies and returns false where they cannot be, here or together. */
bool fn_configuration_apply(struct fn_call *call, struct fn_function *f);
/* Sets fresh revision and modification time. */
void fn_function_touch(struct fn_function *f);

#endif

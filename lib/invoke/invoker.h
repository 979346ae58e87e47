/* invoker.h - making and ending the invoker; what uses it is in invoke.h. The backend is borrowed. */
#ifndef FN_INVOKE_INVOKER_H
#define FN_INVOKE_INVOKER_H

#include "invoke/invoke.h"

int fn_invoker_new(struct fn_backend *backend, unsigned account_concurrency, struct fn_invoker **ret);
void fn_invoker_free(struct fn_invoker *inv); /* nothing may be running */

#endif

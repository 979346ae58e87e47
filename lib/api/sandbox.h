/*
 * sandbox.h - requests that come by the platform endpoint of a sandbox (env/platform.h): who they are, and what they may.
 *
 * Unsigned, or signed with the sandbox's own key: the function in its role, of the sandbox by whose socket they come. Signed with another key: verified as
 * outside, and then that key's. Nothing else that a request says of itself counts. Unsigned ones are judged by their origin, too: a browser may run inside.
 */
#ifndef FN_API_SANDBOX_H
#define FN_API_SANDBOX_H

#include "api/internal.h"

/* Sets call->caller to *caller unless it is root's, and call->sandbox, if it is the function's. Replies and returns false when it is nobody's. */
bool fn_sandbox_authenticated(struct fn_call *call, struct fn_caller *caller);
/* May the operation be asked for from a sandbox at all? What its policies say: authorize.h. Replies and returns false when not. */
bool fn_sandbox_allowed(struct fn_call *call);

#endif

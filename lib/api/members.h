/*
 * members.h - the members of a request, out of its body (JSON or a form), as the service model wants them.
 *
 * What parses and judges a long body is a thread (base/jobs.h): it takes some ten milliseconds, in which the loop would serve nobody else.
 */
#ifndef FN_API_MEMBERS_H
#define FN_API_MEMBERS_H

#include "api/internal.h"

/* Of a call that is authenticated: call->in, and with `judged` all of the request holds (fn_call_valid()). False: it has been answered; or the body is long and a thread
 * has it: then `again` is called, as ops->request, for the whole request once more, which comes here with what has been made of it. */
bool fn_members_read(struct fn_call *call, bool judged, void (*again)(void *arg, struct fn_http_req *req));
/* The same of an invocation's event, of which it is only asked whether it is JSON: call->event says so of a long one. */
bool fn_members_event(struct fn_call *call, void (*again)(void *arg, struct fn_http_req *req));

#endif

/*
 * rights.h - what the roles of functions may, where it is not the function that asks but somebody for it: fn-events, which polls queues and delivers by them, and who
 * configures a function that will.
 *
 * Served to fn-events, on its listener (from_events.h):
 *   POST /_fnd/rights            {"Ask": [{"Function": NAME[:QUALIFIER], "Action", "Resource"}]}, FN_INNER_RIGHTS_MAX at most
 *                                200 {"Rights": [{"Principal", "Identity", "Context"}]}, in that order, as struct fn_iam_asker has them (aws/resource_policy.h). Of an action
 *                                of Lambda's the resource's policy is in it. A function that is not there may all: nothing can come of it.
 *   GET  /_fnd/changes?Since=G   200 {"Generation": G2, "Judged"}, when G is no longer what is: whatever was answered before may be otherwise. Judged false: there are
 *                                no credentials, and all is allowed.
 */
#ifndef FN_API_RIGHTS_H
#define FN_API_RIGHTS_H

#include "api/internal.h"

/* By its role's own policies alone: may f's role do this? */
bool fn_role_says(struct fn_call *call, const struct fn_function *f, const char *action, const char *resource);

void fn_rights_answer(struct fn_call *call);
void fn_changes_answer(struct fn_call *call);
/* Those that wait are answered, and nobody waits any more. */
void fn_changes_end(struct fn_api *api);

#endif

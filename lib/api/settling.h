/*
 * settling.h - the moment between a change and its being in force, as Lambda has it (Developer Guide, "Lambda function states"): a new
 * function is Pending, an update InProgress. Meanwhile another update and PublishVersion are refused (409), invocations of an updated
 * function run what it was before, and those of a new one wait until it is Active, where Lambda refuses them.
 *
 * It lasts until a runtime for its first environment has been started ahead, 2 s at most (fn_invoker_await()), unless somebody waits for it:
 * who creates a function and waits until it is Active meets no slower a cold start than it has later.
 *
 * A function of a container image is so until its image has been fetched; meanwhile invocations of a new one are refused, as the service does. If it cannot be
 * fetched the function is Failed, or, where it was something before, goes on being that, and its update is Failed.
 *
 * Nothing else survives a restart: then everything is in force (store/functions.h).
 */
#ifndef FN_API_SETTLING_H
#define FN_API_SETTLING_H

#include "api/internal.h"

int fn_settling_open(struct fn_api *api);
void fn_settling_end(struct fn_api *api);   /* shutting down: everything is in force now, nobody waits any more */
void fn_settling_close(struct fn_api *api); /* who still waits is answered with an error */

/* $LATEST, and perhaps a version with it, have been stored unsettled (fn_function_unsettle()): they are settled soon. */
void fn_settling_begin(struct fn_api *api, const char *name, bool created);
/* At the start: functions whose image was being fetched when the last process ended. */
void fn_settling_resume(struct fn_api *api);
/* The function has gone: nothing is to be settled, and who waits for it is told so. */
void fn_settling_forget(struct fn_api *api, const char *name);
/* Keeps an invocation of a Pending function until that is settled: then it is handled anew. Replies when it cannot, also when its being Active cannot
 * be stored. */
void fn_settling_hold(struct fn_call *call, const char *name, fn_handler handler);

#endif

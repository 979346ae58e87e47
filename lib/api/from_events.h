/*
 * from_events.h - what fn-events asks fnd, over the listener that the supervisor has made for it alone (HTTP over AF_UNIX, web/inner_client.h). Nothing else is served
 * there, and nothing of this anywhere else.
 *
 *   POST /_fnd/functions/NAME[:QUALIFIER]/invocations   as Invoke, RequestResponse; FN_INNER_REQUEST_ID is the invocation's id; one
 *                                                       that did not run is answered with FN_INNER_REFUSAL;
 *                                                       each with FN_INNER_CONCURRENCY.
 *   GET  /_fnd/functions/NAME[:QUALIFIER]               200 {"FunctionArn", "FunctionName", "Version", "State", "Timeout", "Role", "ReservedConcurrency"?,
 *                                                       "DeadLetterTargetArn"?}, or 404.
 *   /_fnd/rights, /_fnd/changes                         rights.h
 */
#ifndef FN_API_FROM_EVENTS_H
#define FN_API_FROM_EVENTS_H

#include "web/httpd.h"

/* For the fn_httpd of that listener, with the fn_api as its arg. */
extern const struct fn_httpd_ops fn_api_from_events_ops;

#endif

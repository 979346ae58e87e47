/*
 * inner.h - what fn-gateway asks fnd, over the listener that the supervisor has made for it alone (HTTP over AF_UNIX, web/h1client.h). Nothing else is
 * served there, and nothing of this anywhere else.
 *
 *   GET  /_fnd/urls/ID                    200, how a function URL is configured (urls.c's JSON is for people; this is struct fn_gw_route's), or 404
 *   GET  /_fnd/keys/ACCESS-KEY-ID/DATE    200 {"Key": hex}: the signing key of that day, our region and "lambda", of which no secret can be had back; 404
 *   POST /_fnd/urls/ID/invocations        as Invoke, of the function or alias behind the URL
 *   POST /_fnd/urls/ID/streams            as InvokeWithResponseStream, raw (streams.c)
 *
 * An invocation carries FN_INNER_GENERATION, what the configuration that the request was judged by said of itself; where that is not the newest any more
 * the answer is 409 with FN_INNER_STALE, nothing has run, and the gateway asks anew. So a change is in force for all requests once it is answered.
 * FN_INNER_REQUEST_ID is the invocation's id, which its event names already.
 */
#ifndef FN_API_INNER_H
#define FN_API_INNER_H

#include "web/httpd.h"

/* For the fn_httpd of the gateway's listener, with the fn_api as its arg. */
extern const struct fn_httpd_ops fn_api_inner_ops;

#endif

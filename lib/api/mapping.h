/*
 * mapping.h - whose an event source mapping is: policies may ask for its function (lambda:FunctionArn), and who names it by its UUID does not tell. fn-events has mappings, and is
 * asked before such a request is judged. Nobody is asked for root, who is not judged.
 */
#ifndef FN_API_MAPPING_H
#define FN_API_MAPPING_H

#include "api/internal.h"

/* True: it is asked, or has been refused since nobody answers; again(call->api, call->req) comes later. False: call->mapping_function is set, if it is one of those requests. */
bool fn_mapping_waits(struct fn_call *call, void (*again)(void *arg, struct fn_http_req *req));
void fn_mapping_asked_end(struct fn_api *api);

#endif

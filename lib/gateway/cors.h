/*
 * cors.h - cross-origin requests, as a function URL's Cors says. Pure.
 * Sources: Fetch standard, "CORS protocol"; Lambda API (Cors); Lambda Developer Guide: a preflight is answered without the function, what is configured
 * goes before what the function says.
 *
 * "*" means anybody only where credentials are not allowed; where they are, browsers take no "*": then what was asked for is named.
 */
#ifndef FN_GATEWAY_CORS_H
#define FN_GATEWAY_CORS_H

#include <jansson.h>
#include <stdbool.h>

#include "gateway/result.h"

struct fn_gw_asked {
	const char *method, *origin;            /* origin NULL: it comes from no page of another origin */
	const char *want_method, *want_headers; /* Access-Control-Request-*; NULL = absent */
};

/* Does this ask what it may ask? Then there is an answer to it: fn_gw_cors_apply() with an empty one. */
bool fn_gw_is_preflight(const struct fn_gw_asked *asked);
/* cors: the Cors object. The function's own Access-Control-* go; what is configured is added, where the origin may see it. -ENOMEM, -E2BIG. */
int fn_gw_cors_apply(json_t *cors, const struct fn_gw_asked *asked, struct fn_gw_result *to);

#endif

/*
 * result.h - what a function has returned as the HTTP response that it means: payload format 2.0 of function URLs. Pure.
 * Sources: Lambda Developer Guide, "Request and response payloads" of function URLs; recordings (a string goes out bare, statusCode may be a string).
 */
#ifndef FN_GATEWAY_RESULT_H
#define FN_GATEWAY_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define FN_GW_HEADERS_MAX 256u

struct fn_gw_header {
	char *name, *value;
};

struct fn_gw_result {
	unsigned status;
	struct fn_gw_header *headers; /* as the function has named them; of cookies, Set-Cookie */
	size_t n_headers;
	struct fn_buf body;
};

/* An invocation's payload. -EBADMSG: it is no response (502); -ENOMEM. */
int fn_gw_result(const char *payload, size_t len, struct fn_gw_result *ret);
/* The prelude of a streamed response: statusCode, headers and cookies, all of which may be absent. body_type: what the Content-Type is when it names
 * none. The same errors. */
int fn_gw_prelude(const char *text, size_t len, const char *body_type, struct fn_gw_result *ret);
int fn_gw_result_add(struct fn_gw_result *r, const char *name, const char *value); /* -ENOMEM, -E2BIG */
const char *fn_gw_result_header(const struct fn_gw_result *r, const char *name);   /* any case; NULL = absent */
void fn_gw_result_remove(struct fn_gw_result *r, const char *prefix);              /* those whose names begin so, in any case */
void fn_gw_result_free(struct fn_gw_result *r);

#endif

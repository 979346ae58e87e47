/*
 * event.h - a request as the event that its function gets: payload format 2.0 of function URLs. Pure.
 * Sources: Lambda Developer Guide, "Request and response payloads" of function URLs; recordings (rawPath as sent, http.path decoded, cookies in the header too).
 */
#ifndef FN_GATEWAY_EVENT_H
#define FN_GATEWAY_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct fn_gw_field {
	const char *name, *value;
};

/* The value of a name (in any case), of several the nth; NULL = there is none. */
const char *fn_gw_field_of(const struct fn_gw_field *fields, size_t n, const char *name, unsigned nth);

struct fn_gw_request {
	const char *method, *protocol;       /* "HTTP/1.1" */
	const char *path, *query;            /* as sent; query without '?' */
	size_t path_len;
	const struct fn_gw_field *fields;    /* as sent, in their order */
	size_t n_fields;
	const void *body;
	size_t len;
	const char *id, *host;               /* of the URL; its domain name */
	const char *request_id, *source;     /* UUID; the client's address */
	const char *forwarded_for, *forwarded_port, *forwarded_proto; /* what X-Forwarded-* are to be */
	const char *trace_id;                /* X-Amzn-Trace-Id: the client's, or made for it */
	const char *tls_version, *tls_cipher; /* NULL = plain */
	const char *account, *access_key;    /* of who has signed it; access_key NULL = nobody */
	const char *user_arn, *user_id;
	uint64_t time_us;                    /* real time */
};

/* Adds the event. -ENOMEM. */
int fn_gw_event(const struct fn_gw_request *r, struct fn_buf *ret);

#endif

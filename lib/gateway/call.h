/* call.h - one request of serve.c's, on its way through its steps; for the files of lib/gateway that answer it. */
#ifndef FN_GATEWAY_CALL_H
#define FN_GATEWAY_CALL_H

#include "aws/authorization.h"
#include "base/id.h"
#include "gateway/cors.h"
#include "gateway/event.h"
#include "gateway/serve.h"

#define FN_GW_FIELDS_MAX 128u

struct fn_gw_call {
	struct fn_gw *gw;
	struct fn_gw_conn *conn;
	struct MHD_Connection *mhd;
	char *uri;                    /* as sent */
	const char *method, *protocol;
	struct fn_gw_field fields[FN_GW_FIELDS_MAX];
	size_t n_fields;
	bool too_many;                /* fields */
	bool begun;                   /* its head has come */
	bool judged;                  /* and has been looked at */
	bool kept;                    /* the route is one that was kept, and may be of yesterday */
	bool unread;                  /* its body has not begun to be read */
	bool queued;                  /* it has its response */
	bool closes;                  /* with its response: where the next request begins is not known for certain */
	bool too_large;
	size_t swallowed;             /* bytes of a body that is */
	struct fn_gw_target target;
	struct fn_gw_route *route;
	struct fn_gw_asked asked;
	struct fn_authorization signature; /* AWS_IAM */
	struct fn_gw_key key;
	struct fn_buf token;          /* of a presigned address, decoded */
	struct fn_buf body;
	uint64_t counted;             /* bytes of it count as under way */
	char request_id[FN_UUID_SIZE];
	char trace_id[520];
};

/* --- respond.c: each queues the response, and returns what the access handler is to return --- */
/* An error of the platform's own: x-amzn-ErrorType (NULL = none), a JSON body or text. */
enum MHD_Result fn_gw_refuse(struct fn_gw_call *c, unsigned status, const char *error_type, const char *content_type, const char *body);
enum MHD_Result fn_gw_forbidden(struct fn_gw_call *c);      /* by its AuthType or its policy */
enum MHD_Result fn_gw_too_large(struct fn_gw_call *c);
enum MHD_Result fn_gw_too_many(struct fn_gw_call *c);       /* requests: 429 */
enum MHD_Result fn_gw_bad_gateway(struct fn_gw_call *c);    /* the function has failed, or returned no response */
/* What a function has returned. Takes r's body. */
enum MHD_Result fn_gw_respond(struct fn_gw_call *c, struct fn_gw_result *r);
/* Adds what each response has, and queues it. Takes m. */
enum MHD_Result fn_gw_queue(struct fn_gw_call *c, unsigned status, struct MHD_Response *m);
/* The headers of r, with CORS. */
int fn_gw_add_headers(struct fn_gw_call *c, struct MHD_Response *m, struct fn_gw_result *r);

/* --- relay.c: the invocation's answer, which is taken --- */
enum MHD_Result fn_gw_relay(struct fn_gw_call *c, struct fn_h1_exchange *x);

#endif

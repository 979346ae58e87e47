/*
 * endpoints.h - AWS-compatible servers that the configuration names ("events": {"endpoints": {"sqs": {"url": ...}}}): requests to them, signed. A service
 * without a line there has none.
 */
#ifndef FN_EVENTS_ENDPOINTS_H
#define FN_EVENTS_ENDPOINTS_H

#include "service/call.h"
#include "web/outbound.h"

struct fn_endpoints; /* all of them, and the connections */
struct fn_endpoint;  /* one */

/* From env->config: {"endpoints": {"sqs": {"url", "region", "ca_file", "credentials": {"access_key_id", "secret_access_key", "session_token"}}}}. */
int fn_endpoints_new(const struct fn_service_env *env, struct fn_endpoints **ret, struct fn_err *err);
void fn_endpoints_free(struct fn_endpoints *e); /* requests under way are cancelled; NULL is fine */
/* service: "sqs", "sns", "events", "s3"; NULL = none configured. */
const struct fn_endpoint *fn_endpoint(const struct fn_endpoints *e, const char *service);
const char *fn_endpoint_url(const struct fn_endpoint *p); /* without a slash at its end */
const char *fn_endpoint_region(const struct fn_endpoint *p);

struct fn_endpoint_request {
	const char *method;          /* NULL = POST */
	const char *path, *query;    /* encoded; NULL = "/", "" */
	const char *target;          /* X-Amz-Target: "AmazonSQS.SendMessage"; NULL = none */
	const char *content_type;    /* NULL = none */
	const void *body;            /* copied */
	size_t len, body_max;
	uint64_t timeout_us;         /* 0 = 30 s */
	fn_outbound_done_fn done;    /* web/outbound.h */
	void *arg;
};
/* Signed where there are credentials. -ENOMEM. */
int fn_endpoint_send(const struct fn_endpoint *p, const struct fn_endpoint_request *r, struct fn_outbound_call **ret);

#endif

/* call.c - see call.h. */
#include "service/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/inner.h"

#define BODY_MAX (16u << 20) /* fnd has asked the route table already */

static void send_json(const struct fn_service_call *call, unsigned status, const char *type, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(body);
	(void)fn_http_req_add_header(call->req, "x-amzn-RequestId", call->request_id);
	fn_http_reply_owned(call->req, status, type, text ? text : "", text ? strlen(text) : 0, free, text);
}

void fn_service_reply_json(const struct fn_service_call *call, unsigned status, json_t *body) { send_json(call, status, "application/json", body); }

void fn_service_reply_empty(const struct fn_service_call *call, unsigned status)
{
	(void)fn_http_req_add_header(call->req, "x-amzn-RequestId", call->request_id);
	fn_http_reply(call->req, status, "application/json", NULL, 0);
}

bool fn_service_reply_ahead(const struct fn_service_call *call, struct fn_h1_ahead *a, unsigned status)
{
	const struct fn_h1_header id = {"x-amzn-RequestId", call->request_id};

	return fn_http_reply_ahead(call->req, a, status, "application/json", &id, 1);
}

bool fn_service_replied(const struct fn_service_call *call) { return fn_http_replied(call->req); }

void fn_service_reply_error(const struct fn_service_call *call, const struct fn_aws_error *e, const char *fmt, ...)
{
	char *text = NULL, seconds[12];
	json_t *body;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	body = fn_aws_error_body(e, text);
	free(text);
	if (e->retry_after_s > 0) {
		snprintf(seconds, sizeof(seconds), "%u", e->retry_after_s);
		(void)fn_http_req_add_header(call->req, "Retry-After", seconds);
	}
	(void)fn_http_req_add_header(call->req, "x-amzn-ErrorType", e->name);
	send_json(call, e->status, "application/json", body);
}

void fn_service_reply_failed(const struct fn_service_call *call, const struct fn_err *err)
{
	fn_service_reply_error(call, &FN_E_UNAVAILABLE, "%s", err->code == ENOSPC ? "There is no room on the disk." : "The event store cannot be written. Try again.");
}

static const char *header(struct fn_http_req *req, const char *name)
{
	const char *value = fn_http_req_header(req, name);

	return value ? value : "";
}

static size_t body_max(void *arg, struct fn_http_req *req)
{
	(void)arg;
	(void)req;
	return BODY_MAX;
}

static void on_request(void *arg, struct fn_http_req *req)
{
	const struct fn_services *services = arg;
	struct fn_service_call call = {.req = req, .service = header(req, FN_INNER_SERVICE), .operation = header(req, FN_INNER_OPERATION),
				       .protocol = header(req, FN_INNER_PROTOCOL), .principal = header(req, FN_INNER_PRINCIPAL), .identity = header(req, FN_INNER_IDENTITY), .context = header(req, FN_INNER_CONTEXT), .host = header(req, FN_INNER_HOST), .secure = fn_http_req_header(req, FN_INNER_SECURE) != NULL,
				       .user_id = header(req, FN_INNER_USER_ID)};
	const char *id = fn_http_req_header(req, FN_INNER_REQUEST_ID);

	if (id && fn_id_is_uuid(id))
		memcpy(call.request_id, id, FN_UUID_SIZE);
	else
		fn_id_uuid(call.request_id);
	if (fn_http_req_unread(req) || fn_http_req_too_large(req)) {
		fn_service_reply_error(&call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %u bytes", BODY_MAX);
		return;
	}
	for (size_t i = 0; i < services->n; i++)
		if (fn_streq(services->list[i].name, call.service)) {
			services->list[i].serve(services->list[i].arg, &call);
			return;
		}
	fn_service_reply_error(&call, &FN_E_NOT_IMPLEMENTED, "fn-events does not serve %s of \"%s\"", call.operation, call.service);
}

const struct fn_httpd_ops fn_service_httpd_ops = {.body_max = body_max, .request = on_request};

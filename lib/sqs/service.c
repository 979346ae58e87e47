/* service.c - see service.h. */
#include "sqs/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/query.h"
#include "aws/xml.h"
#include "base/cleanup.h"
#include "base/str.h"

/* One request on its way. */
struct request {
	struct fn_http_req *req;
	struct fn_sqs_call *call; /* NULL: answered */
	bool later;		  /* serve() has returned: who answers frees it */
	char request_id[FN_UUID_SIZE];
};

static void on_gone(void *arg)
{
	struct request *r = arg;

	if (r->call)
		fn_sqs_gone(r->call);
}

static void on_answer(void *arg, struct fn_sqs_answer *a)
{
	struct request *r = arg;
	size_t len = a->body.len;
	char *body = a->body.data;

	fn_http_req_on_gone(r->req, NULL, NULL);
	(void)fn_http_req_add_header(r->req, "x-amzn-RequestId", r->request_id);
	if (a->query_error)
		(void)fn_http_req_add_header(r->req, "x-amzn-query-error", a->query_error);
	if (body)
		fn_http_reply_owned(r->req, a->status, a->type, body, len, free, body);
	else
		fn_http_reply(r->req, a->status, a->type, NULL, 0);
	r->req = NULL;
	if (r->later)
		free(r);
}

/* Its members; NULL: they are none. */
static json_t *members(const struct fn_service_call *call, bool query, struct fn_buf *why)
{
	const struct fn_aws_operation *o = fn_aws_operation_named(FN_AWS_SQS, call->operation);
	struct fn_aws_head h = {.method = fn_http_req_method(call->req), .path = fn_http_req_path(call->req), .query = fn_http_req_raw_query(call->req),
				.content_type = fn_http_req_header(call->req, "Content-Type")};
	const char *body;
	size_t len;

	fn_http_req_body(call->req, &body, &len);
	if (query)
		return o ? fn_aws_query_members(o, &h, body, len, why) : json_object();
	return len ? json_loadb(body, len, 0, NULL) : json_object();
}

static void serve(void *arg, struct fn_service_call *call)
{
	struct request *r = calloc(1, sizeof(*r));
	fn_auto_buf struct fn_buf why = {0};
	struct fn_sqs_request request = {.operation = call->operation, .query = strcmp(call->protocol, "query") == 0, .who = {call->principal, call->identity, call->context}, .user_id = call->user_id,
					 .host = *call->host ? call->host : fn_http_req_header(call->req, "Host"), .https = call->secure, .request_id = call->request_id,
					 .trace_id = fn_http_req_header(call->req, "X-Amzn-Trace-Id"), .answer = on_answer, .arg = r};

	if (!r) {
		fn_service_reply_error(call, &FN_E_UNAVAILABLE, "Try again.");
		return;
	}
	r->req = call->req;
	memcpy(r->request_id, call->request_id, sizeof(r->request_id));
	request.in = members(call, request.query, &why);
	fn_sqs_serve(arg, &request, &r->call);
	r->later = r->req != NULL;
	if (r->later)
		fn_http_req_on_gone(call->req, on_gone, r);
	else
		free(r);
}

static void drain(void *arg) { fn_sqs_drain(arg); }
static bool busy(void *arg) { return fn_sqs_busy(arg); }

static unsigned seconds(const json_t *config, const char *key)
{
	const json_t *v = json_object_get(config, key);

	return json_is_integer(v) ? (unsigned)json_integer_value(v) : 0;
}

int fn_sqs_open(const struct fn_service_env *env, struct fn_service *ret, struct fn_err *err)
{
	struct fn_sqs_config config = {.loop = env->loop, .writer = env->writer, .queues = env->queues, .db_path = env->db_path, .region = env->region, .account_id = env->account_id,
				       .purge_wait_s = seconds(env->config, "queue_purge_wait_s"), .delete_wait_s = seconds(env->config, "queue_delete_wait_s")};
	struct fn_sqs *sqs;
	int r = fn_sqs_new(&config, &sqs, err);

	if (r == 0)
		*ret = (struct fn_service){.name = "sqs", .serve = serve, .drain = drain, .busy = busy, .arg = sqs};
	return r;
}

void fn_sqs_close(void *arg) { fn_sqs_free(arg); }

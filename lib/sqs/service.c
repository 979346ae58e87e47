/* service.c - see service.h. */
#include "sqs/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/query.h"
#include "aws/xml.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "sqs/internal.h"
#include "web/json_nul.h"

#define LONG 65536u /* bytes of a body that a thread reads */

/* One request on its way. */
struct request {
	struct fn_service_call at;
	struct fn_http_req *req;  /* NULL: it has been answered */
	struct fn_sqs *sqs;
	struct fn_sqs_call *call; /* NULL: answered */
	bool later;		  /* serve() has returned: who answers frees it */
	bool query;
	/* what there is of it, and what became of that */
	struct fn_aws_head head;
	const char *body;
	size_t len;
	json_t *in;
	struct fn_buf why;
	bool good;
	struct fn_sqs_bodies *bodies; /* of a long one */
	struct fn_job job;
};

static void request_free(struct request *r)
{
	fn_buf_free(&r->why);
	free(r->bodies);
	free(r);
}

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
	(void)fn_http_req_add_header(r->req, "x-amzn-RequestId", r->at.request_id);
	if (a->query_error)
		(void)fn_http_req_add_header(r->req, "x-amzn-query-error", a->query_error);
	if (body)
		fn_http_reply_owned(r->req, a->status, a->type, body, len, free, body);
	else
		fn_http_reply(r->req, a->status, a->type, NULL, 0);
	r->req = NULL;
	if (r->later)
		request_free(r);
}

static void look_at(struct request *r)
{
	struct fn_http_req *req = r->req;

	r->query = strcmp(r->at.protocol, "query") == 0;
	r->head = (struct fn_aws_head){.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req),
				       .content_type = fn_http_req_header(req, "Content-Type")};
	fn_http_req_body(req, &r->body, &r->len);
}

/* Its members. In any thread: strings and body stay until the request is answered. */
static void read_members(struct request *r)
{
	static const char *const text[] = {"MessageBody", "StringValue", NULL}; /* judged with their length: message.c */
	const struct fn_aws_operation *o = fn_aws_operation_named(FN_AWS_SQS, r->at.operation);
	json_error_t je;

	if (r->query)
		r->in = o ? fn_aws_query_members(o, &r->head, r->body, r->len, &r->why) : json_object();
	else
		r->in = r->len ? fn_json_load_nul(r->body, r->len, 0, text, &je) : json_object();
	if (r->query && r->in && fn_json_nul(r->in, text)) {
		json_decref(r->in);
		r->in = NULL;
	}
	r->good = fn_sqs_prepare(r->at.operation, r->in, r->bodies, &r->why);
}

/* An operation that is on no queue, posted to one's URL. */
static bool is_misplaced(const struct request *r)
{
	return r->query && strspn(r->head.path, "/") < strlen(r->head.path) && (fn_streq(r->at.operation, "CreateQueue") || fn_streq(r->at.operation, "ListQueues"));
}

/* On the loop, with members. */
static void go_on(struct request *r)
{
	const struct fn_service_call *at = &r->at;
	struct fn_sqs_request request = {.operation = at->operation, .query = r->query, .in = fn_take_ptr(r->in), .prepared = true, .misplaced = is_misplaced(r), .bodies = r->bodies,
					 .why = r->good ? NULL : r->why.data ? r->why.data : "out of memory", .who = {at->principal, at->identity, at->context}, .user_id = at->user_id,
					 .host = *at->host ? at->host : fn_http_req_header(r->req, "Host"), .https = at->secure, .request_id = at->request_id,
					 .trace_id = fn_http_req_header(r->req, "X-Amzn-Trace-Id"), .answer = on_answer, .arg = r};

	r->later = false;
	fn_sqs_serve(r->sqs, &request, &r->call);
	r->later = r->req != NULL;
	if (r->later)
		fn_http_req_on_gone(r->req, on_gone, r);
	else
		request_free(r);
}

static void run(struct fn_job *j) { read_members(fn_list_entry(j, struct request, job)); }
static void done(struct fn_job *j) { go_on(fn_list_entry(j, struct request, job)); }

static void serve(void *arg, struct fn_service_call *call)
{
	struct fn_sqs *sqs = arg;
	struct request *r = calloc(1, sizeof(*r));

	if (!r) {
		fn_service_reply_error(call, &FN_E_UNAVAILABLE, "Try again.");
		return;
	}
	r->at = *call;
	r->req = call->req;
	r->sqs = sqs;
	look_at(r);
	if (r->len > LONG) {
		r->bodies = calloc(1, sizeof(*r->bodies)); /* NULL: it is found out later */
		r->job = (struct fn_job){.run = run, .done = done};
		fn_jobs_post(sqs->jobs, &r->job);
		return;
	}
	read_members(r);
	go_on(r);
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
	struct fn_sqs_config config = {.loop = env->loop, .writer = env->writer, .queues = env->queues, .jobs = env->jobs, .db_path = env->db_path, .region = env->region,
				       .account_id = env->account_id,
				       .purge_wait_s = seconds(env->config, "queue_purge_wait_s"), .delete_wait_s = seconds(env->config, "queue_delete_wait_s")};
	struct fn_sqs *sqs;
	int r = fn_sqs_new(&config, &sqs, err);

	if (r == 0)
		*ret = (struct fn_service){.name = "sqs", .serve = serve, .drain = drain, .busy = busy, .arg = sqs};
	return r;
}

void fn_sqs_close(void *arg) { fn_sqs_free(arg); }

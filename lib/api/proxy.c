/* proxy.c - operations that fn-events serves: the request goes there once it is authenticated, its answer is relayed. Without fn-events: 503, which clients retry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/authorize.h"
#include "api/context.h"
#include "api/internal.h"
#include "api/recursion.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/inner.h"

#define FN_TRACE "X-Amzn-Trace-Id"
#define ANSWER_MAX (32u << 20)     /* ten messages of 1 MiB, escaped */
#define TIMEOUT_US (60 * 1000000u) /* long polls take 20 s */
#define PASSED_MAX 40
#define OURS_MAX 16
#define GIVEN_MAX 1 /* so many under way: of more the batch is better, which the loop answers */

struct proxied {
	struct fn_list link;
	struct fn_call call; /* without `in` */
	struct fn_inner_call *inner;
	bool given; /* fn-events answers the client itself, if it can */
};

struct headers {
	struct fn_h1_header at[PASSED_MAX + OURS_MAX];
	size_t n;
};

static void add(struct headers *h, const char *name, const char *value)
{
	if (h->n == sizeof(h->at) / sizeof(h->at[0]))
		abort(); /* a defect: OURS_MAX */
	h->at[h->n++] = (struct fn_h1_header){name, value};
}

/* What a service may want to know. Nothing that says who the client is, nor what only we may say. */
static bool pass(void *arg, const char *name, const char *value)
{
	static const char *const wanted[] = {"Content-Type", "Content-Encoding", "Accept", "User-Agent", "Idempotency-Key"};
	struct headers *h = arg;
	bool wants = strncasecmp(name, "X-Amz", 5) == 0 && strcasecmp(name, "X-Amz-Security-Token") != 0 && strcasecmp(name, FN_TRACE) != 0;

	for (size_t i = 0; !wants && i < sizeof(wanted) / sizeof(wanted[0]); i++)
		wants = strcasecmp(name, wanted[i]) == 0;
	if (wants)
		add(h, name, value);
	return h->n < PASSED_MAX;
}

static const char *service_of(const struct fn_aws_operation *o)
{
	static const char *const names[] = {[FN_AWS_LAMBDA] = "lambda", [FN_AWS_FND] = "lambda", [FN_AWS_LOGS] = "logs", [FN_AWS_SQS] = "sqs", [FN_AWS_IAM] = "iam", [FN_AWS_STS] = "sts"};

	return names[o->service];
}

static const char *protocol_of(const struct fn_call *call)
{
	static const char *const names[] = {[FN_AWS_REST_JSON] = "rest-json", [FN_AWS_JSON] = "json", [FN_AWS_QUERY] = "query"};

	return names[call->protocol];
}

static void proxied_free(struct proxied *p)
{
	fn_list_remove(&p->link);
	free(p);
}

static void unavailable(struct fn_call *call) { fn_reply_error(call, &FN_E_UNAVAILABLE, "fn-events, which serves this, does not answer. Try again."); }

static bool is_hop(const char *name)
{
	static const char *const hop[] = {"Connection", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Transfer-Encoding"};

	for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
		if (strcasecmp(name, hop[i]) == 0)
			return true;
	return false;
}

static void relay(struct proxied *p, struct fn_inner_answer *a)
{
	struct fn_http_req *req = p->call.req;
	const char *name, *value, *type = fn_h1_header(a->h, "Content-Type");
	char *body = fn_take_ptr(a->body);
	unsigned at = 0;

	while (fn_h1_next_header(a->h, &at, &name, &value))
		if (!is_hop(name))
			(void)fn_http_req_add_header(req, name, value);
	fn_http_reply_owned(req, a->h->status, type, body, a->len, free, body);
}

/* Of a client that was given to fn-events nobody knows what it has been told: it sees its connection end. */
static void no_answer(struct proxied *p)
{
	if (p->given)
		fn_http_reply_fail(p->call.req);
	else
		unavailable(&p->call);
	proxied_free(p);
}

static void on_answer(void *arg, struct fn_inner_answer *a)
{
	struct proxied *p = arg;

	if (a->error) {
		p->given = p->given && a->sent;
		no_answer(p);
		return;
	}
	if (fn_h1_header(a->h, FN_H1_ANSWERED))
		fn_http_req_answered(p->call.req);
	else
		relay(p, a);
	proxied_free(p);
}

/* fn-events sees it by the end of its connection. */
static void on_gone(void *arg)
{
	struct proxied *p = arg;

	fn_inner_cancel(p->inner);
	no_answer(p); /* to nobody */
}

static int send_on(struct proxied *p, const char *target, const struct headers *h, bool may_give)
{
	struct fn_http_req *req = p->call.req;
	struct fn_inner_request q = {.http = {.method = fn_http_req_method(req), .target = target, .headers = h->at, .n_headers = h->n}, .body_max = ANSWER_MAX,
				     .timeout_us = TIMEOUT_US, .done = on_answer, .arg = p};
	const char *body;
	size_t len;

	q.client = may_give && fn_inner_client_calls(p->call.api->cfg.events) < GIVEN_MAX ? fn_http_req_client(req) : -EBUSY;
	q.gives_client = p->given = q.client >= 0;
	fn_http_req_body(req, &body, &len);
	if (len > 0) { /* it stays where it is until the reply */
		q.http.body = body;
		q.http.len = len;
	}
	return fn_inner_send(p->call.api->cfg.events, &q, &p->inner);
}

static void forward(struct fn_call *call, const char *arn)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	struct proxied *p = cfg->events ? malloc(sizeof(*p)) : NULL;
	const char *query = fn_http_req_raw_query(call->req), *host = fn_http_req_header(call->req, "Host");
	fn_auto_buf struct fn_buf target = {0};
	fn_auto_buf struct fn_buf trace = {0};
	fn_auto_free char *context = NULL;
	struct headers h = {.n = 0};
	char root[64];

	if (!p || fn_call_trace(call, &trace) < 0 || fn_buf_addf(&target, "%s%s%s", fn_http_req_path(call->req), *query ? "?" : "", query) < 0) {
		free(p);
		unavailable(call);
		return;
	}
	p->call = fn_call_keep(call, false);
	snprintf(root, sizeof(root), "arn:aws:iam::%s:root", cfg->account_id);
	fn_http_req_each_header(call->req, pass, &h);
	if (trace.len > 0)
		add(&h, FN_TRACE, trace.data);
	add(&h, FN_INNER_SERVICE, service_of(call->operation));
	add(&h, FN_INNER_OPERATION, call->operation->name);
	add(&h, FN_INNER_PROTOCOL, protocol_of(call));
	add(&h, FN_INNER_REQUEST_ID, call->request_id);
	add(&h, FN_INNER_PRINCIPAL, call->caller ? call->caller->who.arn : root);
	add(&h, FN_INNER_USER_ID, call->caller ? call->caller->userid : cfg->account_id);
	add(&h, FN_INNER_IDENTITY, fn_iam_identity_word(call->operation->service == FN_AWS_SQS ? fn_call_identity_says(call) : FN_IAM_IDENTITY_ALLOW)); /* all others were judged */
	add(&h, FN_INNER_HOST, host ? host : "");
	if (fn_http_req_secure(call->req))
		add(&h, FN_INNER_SECURE, "1");
	if (arn)
		add(&h, FN_INNER_FUNCTION, arn);
	if (call->mapping_function)
		add(&h, FN_INNER_JUDGED, call->mapping_function);
	if (call->operation->service == FN_AWS_SQS && call->caller && !call->caller->unjudged && (context = fn_call_context(call)))
		add(&h, FN_INNER_CONTEXT, context);
	fn_list_push_back(&call->api->proxied, &p->link);
	if (send_on(p, target.data, &h, arn != NULL) < 0) {
		proxied_free(p);
		unavailable(call);
		return;
	}
	fn_http_req_on_gone(call->req, on_gone, p);
}

void fn_h_proxy(struct fn_call *call) { forward(call, NULL); }
void fn_proxy_event(struct fn_call *call, const char *arn) { forward(call, arn); }

void fn_proxied_end(struct fn_api *api)
{
	while (!fn_list_empty(&api->proxied)) {
		struct proxied *p = fn_list_entry(fn_list_first(&api->proxied), struct proxied, link);

		fn_http_req_on_gone(p->call.req, NULL, NULL);
		on_gone(p);
	}
}

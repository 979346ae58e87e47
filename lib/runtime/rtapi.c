/* rtapi.c - see rtapi.h. */
#include "runtime/rtapi.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/str.h"

#define BASE "/2018-06-01"
#define CONNS_MAX 16
#define MIME_CAUSE "application/vnd.aws.lambda.error.cause+json"

enum state { START, WAITING, RUNNING, RESPONDED, INIT_FAILED };
static const char *const state_names[] = {"RuntimeStarted", "RuntimeReady", "RuntimeRunning", "RuntimeInvocationResponse",
					  "RuntimeInitError"};

struct fn_rt {
	struct fn_loop *loop;
	struct fn_httpd *httpd;
	const struct fn_rt_ops *ops; /* NULL once closed */
	void *arg;
	int listen_fd;
	uint64_t io;
	enum state state;
	struct fn_http_req *next;
	struct fn_invocation *inv;
	unsigned refs; /* the owner, each connection, each delivered request that is pending */
};

static void unref(struct fn_rt *rt)
{
	if (--rt->refs == 0)
		free(rt);
}

static void on_accept(void *arg, int fd, uint32_t events)
{
	struct fn_rt *rt = arg;

	(void)events;
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

		if (c < 0)
			return;
		if (rt->refs > CONNS_MAX) { /* it holds far more connections than any runtime needs */
			fn_close(c);
			continue;
		}
		(void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		rt->refs++;
		if (fn_httpd_add_conn(rt->httpd, c, NULL, 0, rt) < 0)
			rt->refs--;
	}
}

int fn_rt_new(struct fn_loop *loop, struct fn_httpd *httpd, int listen_fd, const struct fn_rt_ops *ops, void *arg, struct fn_rt **ret)
{
	struct fn_rt *rt = calloc(1, sizeof(*rt));
	int r;

	if (!rt) {
		fn_close(listen_fd);
		return -ENOMEM;
	}
	*rt = (struct fn_rt){.loop = loop, .httpd = httpd, .ops = ops, .arg = arg, .listen_fd = listen_fd, .refs = 1};
	r = fn_loop_add_io(loop, listen_fd, EPOLLIN, on_accept, rt, &rt->io);
	if (r < 0) {
		fn_close(listen_fd);
		free(rt);
		return r;
	}
	*ret = rt;
	return 0;
}

static void conn_closed(void *arg, void *conn_arg)
{
	(void)arg;
	unref(conn_arg);
}

static void reply_error(struct fn_http_req *req, unsigned status, const char *type, const char *message)
{
	char body[512];

	snprintf(body, sizeof(body), "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type);
	fn_http_reply(req, status, "application/json", body, strlen(body));
}

static void reply_state(struct fn_http_req *req, const struct fn_rt *rt, const char *to)
{
	char text[256];

	snprintf(text, sizeof(text), "State transition from %s to %s failed for runtime. Error: State transition is not allowed",
		 state_names[rt->state], to);
	reply_error(req, 403, "InvalidStateTransition", text);
}

static void reply_ok(struct fn_http_req *req)
{
	static const char ok[] = "{\"status\":\"OK\"}\n";

	fn_http_reply(req, 202, "application/json", ok, sizeof(ok) - 1);
}

bool fn_rt_waiting(const struct fn_rt *rt) { return rt->next != NULL && !fn_http_req_peer_gone(rt->next); }

static void release_inv(void *arg) { fn_invocation_unref(arg); }

int fn_rt_deliver(struct fn_rt *rt, struct fn_invocation *inv)
{
	struct fn_http_req *req = rt->next;
	char ms[32];

	if (!req)
		return -EAGAIN;
	rt->next = NULL;
	rt->inv = fn_invocation_ref(inv);
	rt->state = RUNNING;
	snprintf(ms, sizeof(ms), "%llu", (unsigned long long)inv->deadline_real_ms);
	(void)fn_http_req_add_header(req, "Lambda-Runtime-Aws-Request-Id", inv->id);
	(void)fn_http_req_add_header(req, "Lambda-Runtime-Deadline-Ms", ms);
	(void)fn_http_req_add_header(req, "Lambda-Runtime-Invoked-Function-Arn", inv->invoked_arn);
	if (inv->trace_id)
		(void)fn_http_req_add_header(req, "Lambda-Runtime-Trace-Id", inv->trace_id);
	if (inv->client_context)
		(void)fn_http_req_add_header(req, "Lambda-Runtime-Client-Context", inv->client_context);
	/* the event is lent: the reference keeps it until MHD has sent it */
	fn_http_reply_owned(req, 200, inv->content_type ? inv->content_type : "application/json", inv->payload, inv->payload_len,
			    release_inv, fn_invocation_ref(inv));
	unref(rt);
	return 0;
}

void fn_rt_close(struct fn_rt *rt)
{
	if (!rt)
		return;
	rt->ops = NULL;
	fn_loop_clear(rt->loop, &rt->io);
	fn_close(fn_take_fd(&rt->listen_fd));
	fn_invocation_unref(fn_take_ptr(rt->inv));
	if (rt->next) {
		reply_error(fn_take_ptr(rt->next), 500, "Sandbox.Failure", "the environment has ended");
		rt->refs--; /* the pending request's; the owner's is still there */
	}
	unref(rt);
}

static void next_aborted(void *user)
{
	struct fn_rt *rt = user;

	if (rt->next) { /* its connection died while it waited: the reply is still owed, and goes nowhere */
		reply_error(fn_take_ptr(rt->next), 500, "Sandbox.Failure", "the connection has gone");
		rt->state = RESPONDED;
		unref(rt);
	}
}

static void on_next(struct fn_rt *rt, struct fn_http_req *req)
{
	if (rt->state == RUNNING || rt->state == INIT_FAILED || rt->next) {
		reply_state(req, rt, "RuntimeReady");
		return;
	}
	rt->state = WAITING;
	rt->next = req;
	rt->refs++;
	fn_http_req_set_user(req, rt);
	fn_http_req_on_abort(req, next_aborted);
	rt->ops->on_next(rt->arg);
}

/* application/vnd.aws.lambda.error.cause+json is an envelope: its X-Ray cause is dropped, the error itself kept. */
static char *unwrap_cause(char *body, size_t *len)
{
	json_t *o = json_loadb(body, *len, 0, NULL), *keep;
	static const char *const keys[] = {"errorMessage", "errorType", "stackTrace"};
	char *text;

	if (!json_is_object(o)) {
		json_decref(o);
		return body;
	}
	keep = json_object();
	for (size_t i = 0; i < 3; i++)
		if (json_object_get(o, keys[i]))
			json_object_set(keep, keys[i], json_object_get(o, keys[i]));
	text = json_dumps(keep, JSON_COMPACT);
	json_decref(keep);
	json_decref(o);
	if (!text)
		return body;
	free(body);
	*len = strlen(text);
	return text;
}

static char *take_error(struct fn_http_req *req, size_t *len)
{
	const char *type = fn_http_req_header(req, "Content-Type");
	char *body = fn_http_req_take_body(req, len);

	return body && type && fn_str_starts(type, MIME_CAUSE) ? unwrap_cause(body, len) : body;
}

static void on_result(struct fn_rt *rt, struct fn_http_req *req, const char *id, size_t id_len, bool is_error)
{
	const char *type = fn_http_req_header(req, "Lambda-Runtime-Function-Error-Type"), *mode, *trailer;
	char *body, error_type[128], content_type[256];
	const char *ct = fn_http_req_header(req, "Content-Type");
	size_t len;

	if (rt->state != RUNNING || !rt->inv || strlen(rt->inv->id) != id_len || memcmp(rt->inv->id, id, id_len) != 0) {
		reply_error(req, 400, "InvalidRequestID", "Invalid request ID");
		return;
	}
	mode = fn_http_req_header(req, "Lambda-Runtime-Function-Response-Mode");
	if (mode && strcasecmp(mode, "streaming") != 0) {
		reply_error(req, 400, "InvalidFunctionResponseMode", "Invalid function response mode");
		return;
	}
	if (fn_http_req_too_large(req)) {
		reply_error(req, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).");
		rt->state = RESPONDED;
		fn_invocation_unref(fn_take_ptr(rt->inv));
		rt->ops->on_too_large(rt->arg);
		return;
	}
	snprintf(error_type, sizeof(error_type), "%s", type ? type : "");
	snprintf(content_type, sizeof(content_type), "%s", ct ? ct : "");
	trailer = fn_http_req_trailer(req, "Lambda-Runtime-Function-Error-Type");
	if (!is_error && trailer) { /* a stream that failed half-way: the error is in the trailers */
		const char *b64 = fn_http_req_trailer(req, "Lambda-Runtime-Function-Error-Body");
		uint8_t *decoded = NULL;

		is_error = true;
		snprintf(error_type, sizeof(error_type), "%s", trailer);
		if (b64 && fn_base64_decode(b64, strlen(b64), &decoded, &len) == 0)
			body = (char *)decoded;
		else
			body = fn_http_req_take_body(req, &len);
	} else {
		body = is_error ? take_error(req, &len) : fn_http_req_take_body(req, &len);
	}
	reply_ok(req);
	rt->state = RESPONDED;
	fn_invocation_unref(fn_take_ptr(rt->inv));
	if (is_error)
		rt->ops->on_error(rt->arg, body, len, error_type);
	else
		rt->ops->on_response(rt->arg, body, len, content_type);
}

static void on_init_error(struct fn_rt *rt, struct fn_http_req *req)
{
	const char *type = fn_http_req_header(req, "Lambda-Runtime-Function-Error-Type");
	char error_type[128], *body;
	size_t len;

	if (rt->state != START) {
		reply_state(req, rt, "RuntimeInitError");
		return;
	}
	snprintf(error_type, sizeof(error_type), "%s", type ? type : "Runtime.Unknown");
	body = take_error(req, &len);
	rt->state = INIT_FAILED;
	reply_ok(req);
	rt->ops->on_init_error(rt->arg, body, len, error_type);
}

static void on_request(void *arg, struct fn_http_req *req)
{
	struct fn_rt *rt = fn_http_req_conn_arg(req);
	const char *path = fn_http_req_path(req), *method = fn_http_req_method(req);
	bool get = strcmp(method, "GET") == 0, post = strcmp(method, "POST") == 0;

	(void)arg;
	if (!rt->ops) {
		reply_error(req, 500, "Sandbox.Failure", "the environment has ended");
		return;
	}
	if (strncmp(path, BASE "/runtime/invocation/", 31) == 0) {
		const char *id = path + 31, *slash = strchr(id, '/');

		if (get && strcmp(id, "next") == 0) {
			on_next(rt, req);
			return;
		}
		if (post && slash && (strcmp(slash, "/response") == 0 || strcmp(slash, "/error") == 0)) {
			on_result(rt, req, id, (size_t)(slash - id), slash[1] == 'e');
			return;
		}
	} else if (post && strcmp(path, BASE "/runtime/init/error") == 0) {
		on_init_error(rt, req);
		return;
	} else if (get && strcmp(path, BASE "/ping") == 0) {
		fn_http_reply(req, 200, "text/plain", "pong", 4);
		return;
	} else if (fn_str_starts(path, "/2022-07-01/telemetry") || fn_str_starts(path, "/2020-08-15/logs")) {
		reply_error(req, 202, "Telemetry.NotSupported", "Telemetry API is not supported");
		return;
	} else if (fn_str_starts(path, "/2020-01-01/extension/")) {
		reply_error(req, 501, "Extension.NotSupported", "fnd does not implement the Extensions API yet");
		return;
	}
	reply_error(req, 404, "InvalidRequest", "no such path in the Runtime API");
}

const struct fn_httpd_ops fn_rt_httpd_ops = {.request = on_request, .conn_closed = conn_closed};

/* direct.c - see direct.h. */
#include "service/direct.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aws/query.h"
#include "aws/refusal.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "os/sock.h"
#include "service/handover.h"
#include "service/signed.h"

#define SHORT 65536u /* is hashed at once */

struct fn_direct_server {
	struct fn_direct_config cfg;
	char root[64];
	struct fn_httpd *httpd;
	uint64_t io;
	struct fn_handover *fnd; /* NULL: it is not there */
	uint64_t nth;            /* of those that there have been: what came by another is good no more */
	bool said;               /* it has said hello: by what is judged */
	bool is_signed;
	char **hosts;
	size_t n_hosts;
};

/* A connection's, and of the request that it has at the time. */
struct granted {
	struct fn_grant grant;
	uint64_t by; /* nth */
	bool fits;   /* what follows is set */
	bool is_signed;
	struct fn_direct request;
	bool hashes;
	struct sha256_ctx sha;
};

/* --- whether --- */
static bool fits(const struct fn_direct_server *s, const struct fn_http_req *req, struct granted *g)
{
	const struct fn_direct_rules rules = {s->is_signed, s->hosts, s->n_hosts, s->cfg.region};

	if (!s->fnd || !s->said || g->by != s->nth || !fn_direct_fits(req, &rules, &g->request))
		return false;
	return !s->is_signed || (*g->grant.key_id && fn_streq(g->grant.key_id, g->request.signature.key_id) && fn_streq(g->grant.date, g->request.signature.date));
}

static int send_back(void *arg, int fd, const struct fn_http_handed *what) { return fn_handover_send(arg, fd, what, NULL); }

static bool elsewhere(void *arg, struct fn_http_req *req)
{
	struct fn_direct_server *s = arg;
	struct granted *g = fn_http_req_grant(req);

	g->hashes = false;
	g->fits = fits(s, req, g);
	g->is_signed = s->is_signed;
	return !g->fits && s->fnd && fn_http_req_hand_over(req, send_back, s->fnd) == 0;
}

/* --- the request --- */
static size_t body_max(void *arg, struct fn_http_req *req)
{
	struct granted *g = fn_http_req_grant(req);

	(void)arg;
	if (!g->fits) {
		fn_http_req_take(req, FN_H1_NOTHING);
		return 0;
	}
	if (g->is_signed && !fn_http_req_body_here(req) && fn_http_req_body_left(req) > SHORT) {
		g->hashes = true;
		sha256_init(&g->sha);
		fn_http_req_take(req, FN_H1_BOTH);
	}
	return g->request.body_max;
}

static void piece(void *arg, struct fn_http_req *req, const char *data, size_t len)
{
	struct granted *g = fn_http_req_grant(req);

	(void)arg;
	sha256_update(&g->sha, len, (const uint8_t *)data);
}

static void cut(void *arg, struct fn_http_req *req)
{
	(void)arg;
	(void)req;
}

static void digest(struct granted *g, const struct fn_http_req *req, char out[65])
{
	uint8_t raw[SHA256_DIGEST_SIZE];
	const char *body;
	size_t len;

	fn_http_req_body(req, &body, &len);
	if (g->hashes) {
		sha256_digest(&g->sha, sizeof(raw), raw);
		fn_hex_encode(raw, sizeof(raw), out);
	} else {
		fn_sigv4_sha256(body, len, out);
	}
}

static void refuse(const struct fn_service_call *call, const struct fn_aws_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void refuse(const struct fn_service_call *call, const struct fn_aws_error *e, const char *fmt, ...)
{
	fn_auto_buf struct fn_buf said = {0}; /* what a client has sent may be in it, which are bytes */
	struct fn_aws_refusal r;
	char text[700], *body;
	size_t len = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)fn_buf_add_utf8(&said, text, strlen(text));
	fn_aws_refuse(&r, FN_AWS_SQS, strcmp(call->protocol, "query") == 0, e, said.data ? said.data : "", call->request_id);
	if (r.query_error[0])
		(void)fn_http_req_add_header(call->req, "x-amzn-query-error", r.query_error);
	if (r.name)
		(void)fn_http_req_add_header(call->req, "x-amzn-ErrorType", r.name);
	(void)fn_http_req_add_header(call->req, "x-amzn-RequestId", call->request_id);
	body = fn_buf_take(&r.body, &len);
	fn_http_reply_owned(call->req, r.status, r.type, body ? body : "", body ? len : 0, free, body);
}

/* NULL: it is refused. */
static const struct fn_aws_operation *operation(const struct fn_service_call *call, const struct granted *g)
{
	const struct fn_http_req *req = call->req;
	const struct fn_aws_operation *o = g->request.operation;
	struct fn_aws_head h = {.method = fn_http_req_method(req), .path = fn_http_req_path(req), .query = fn_http_req_raw_query(req),
				.content_type = fn_http_req_header(req, "Content-Type"), .authorization = fn_http_req_header(req, "Authorization")};
	enum fn_aws_service service;
	const char *body;
	char action[64];
	size_t len;

	if (o)
		return o;
	fn_http_req_body(req, &body, &len);
	o = fn_aws_query_operation(&h, body, len, &service, action, sizeof(action));
	if (o && service == FN_AWS_SQS)
		return o;
	refuse(call, &FN_E_INVALID_ACTION, "The action %s is not valid for this endpoint.", action);
	return NULL;
}

/* It is signed as it must be; else it is refused. */
static bool proved(const struct fn_service_call *call, struct granted *g)
{
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *denied;
	char sha[65];

	if (!g->is_signed)
		return true;
	digest(g, call->req, sha);
	denied = fn_signed_verify(call->req, &g->request.signature, g->grant.key, sha, &why);
	if (denied)
		refuse(call, denied, "%s", why.data ? why.data : "");
	return !denied;
}

static void serve(const struct fn_direct_server *s, struct fn_service_call *call)
{
	const struct fn_services *all = s->cfg.services;

	for (size_t i = 0; i < all->n; i++)
		if (fn_streq(all->list[i].name, call->service)) {
			all->list[i].serve(all->list[i].arg, call);
			return;
		}
	refuse(call, &FN_E_UNAVAILABLE, "Try again.");
}

static void on_request(void *arg, struct fn_http_req *req)
{
	struct fn_direct_server *s = arg;
	struct granted *g = fn_http_req_grant(req);
	const char *host = fn_http_req_header(req, "Host");
	struct fn_service_call call = {.req = req, .service = "sqs", .protocol = g->fits && !g->request.operation ? "query" : "json", .principal = s->root, .user_id = s->cfg.account_id,
				       .identity = "allow", .context = "", .host = host ? host : "", .secure = fn_http_req_secure(req)};
	const struct fn_aws_operation *o;

	fn_id_uuid(call.request_id);
	if (!g->fits)
		refuse(&call, &FN_E_UNAVAILABLE, "fnd, which judges this, does not answer. Try again.");
	else if (fn_http_req_crowded(req))
		refuse(&call, &FN_E_BODIES, "Rate exceeded");
	else if (fn_http_req_unread(req) || fn_http_req_too_large(req))
		refuse(&call, &FN_E_ENTITY_TOO_LARGE, "Request must be smaller than %zu bytes", g->request.body_max);
	else if (proved(&call, g) && (o = operation(&call, g))) {
		call.operation = o->name;
		serve(s, &call);
	}
}

static const struct fn_httpd_ops httpd_ops = {.elsewhere = elsewhere, .body_max = body_max, .request = on_request, .piece = piece, .cut = cut};

/* --- fnd --- */
static void free_hosts(struct fn_direct_server *s)
{
	while (s->n_hosts > 0)
		free(s->hosts[--s->n_hosts]);
	free(fn_take_ptr(s->hosts));
}

static void lost(void *arg)
{
	struct fn_direct_server *s = arg;

	fn_handover_free(fn_take_ptr(s->fnd));
	s->said = false;
	free_hosts(s);
	fn_httpd_let_go(s->httpd);
}

static void hello(void *arg, bool is_signed, char *const *hosts, size_t n_hosts)
{
	struct fn_direct_server *s = arg;

	if (s->said)
		return;
	s->hosts = calloc(n_hosts + 1, sizeof(*s->hosts));
	for (size_t i = 0; s->hosts && i < n_hosts; i++)
		if ((s->hosts[i] = strdup(hosts[i])))
			s->n_hosts = i + 1;
		else
			break;
	s->is_signed = is_signed;
	s->said = s->hosts && s->n_hosts == n_hosts;
}

static void forget(void *grant)
{
	explicit_bzero(grant, sizeof(struct granted));
	free(grant);
}

static void came(void *arg, int fd, const struct fn_http_handed *what, const struct fn_grant *grant)
{
	struct fn_direct_server *s = arg;
	struct granted *g = grant ? calloc(1, sizeof(*g)) : NULL;
	struct fn_http_handed it = *what;

	if (!g) { /* none comes back to us */
		fn_close(fd);
		return;
	}
	g->grant = *grant;
	g->by = s->nth;
	it.grant = g;
	it.release_grant = forget;
	if (!fn_httpd_make_room(s->httpd)) { /* fnd has it, and has found room for it */
		(void)fn_handover_send(s->fnd, fd, what, NULL);
		fn_close(fd);
		forget(g);
	} else if (fn_httpd_add_handed(s->httpd, fd, &it) < 0) {
		forget(g);
	}
}

static void last(void *arg)
{
	struct fn_direct_server *s = arg;

	fn_httpd_last(s->httpd);
}

static const struct fn_handover_ops handover_ops = {.hello = hello, .came = came, .last = last, .lost = lost};

static void on_accept(void *arg, int fd, uint32_t events)
{
	struct fn_direct_server *s = arg;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (c < 0)
		return;
	if (!fn_sock_peer_is(c, (uid_t)s->cfg.fnd_uid)) {
		fn_close(c);
		return;
	}
	if (s->fnd) /* there is one fnd at a time: the last one's end has not been seen yet */
		lost(s);
	s->nth++;
	(void)fn_handover_new(s->cfg.loop, c, &handover_ops, s, &s->fnd);
}

/* --- life --- */
int fn_direct_server_new(const struct fn_direct_config *config, struct fn_direct_server **ret, struct fn_err *err)
{
	struct fn_direct_server *s = calloc(1, sizeof(*s));
	const struct fn_httpd_config http = {.listen_fd = -EBADF, .conn_max = config->conn_max, .idle_timeout_s = config->idle_timeout_s, .kept = config->bodies, .streamed = config->bodies,
					     .role = FN_HTTP_PUBLIC, .ops = &httpd_ops, .arg = s};
	int r;

	if (!s)
		return fn_err_set(err, ENOMEM, "connections", NULL);
	s->cfg = *config;
	snprintf(s->root, sizeof(s->root), "arn:aws:iam::%s:root", config->account_id);
	r = fn_httpd_new(config->loop, &http, &s->httpd, err);
	if (r == 0 && (r = fn_loop_add_io(config->loop, config->listen_fd, EPOLLIN, on_accept, s, &s->io)) < 0)
		fn_err_set(err, r, "connections", "event loop");
	if (r < 0) {
		s->cfg.listen_fd = -EBADF; /* the caller's still */
		fn_direct_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void fn_direct_server_quiesce(struct fn_direct_server *s)
{
	fn_loop_clear(s->cfg.loop, &s->io);
	fn_close(fn_take_fd(&s->cfg.listen_fd));
	lost(s);
}

unsigned fn_direct_server_active(const struct fn_direct_server *s) { return fn_httpd_active(s->httpd); }

void fn_direct_server_free(struct fn_direct_server *s)
{
	if (!s)
		return;
	fn_loop_clear(s->cfg.loop, &s->io);
	fn_close(fn_take_fd(&s->cfg.listen_fd));
	fn_handover_free(s->fnd);
	fn_httpd_free(s->httpd);
	free_hosts(s);
	free(s);
}

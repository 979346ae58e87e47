/* serve.c - see serve.h: the steps of a request, and what libmicrohttpd calls. */
#include "gateway/serve.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/route.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "gateway/call.h"
#include "gateway/iam.h"
#include "model/limits.h"
#include "web/json_text.h"

#define POOL 49152u             /* of a connection: request line, fields, what libmicrohttpd makes of them */
#define STACK (2u << 20)        /* of which is touched what is used: JSON may be nested 2,048 deep */
#define SWALLOW_MAX (8u << 20)  /* of a body that is too large, so that its sender hears why */
#define LINGER_US 2000000u      /* of which no more than SWALLOW_MAX is read, and nothing kept */
#define SAY_US 1000000u         /* between two lines about refusals */
#define BAD_REQUEST "{\"message\":\"Bad Request\"}"

static const char *field(const struct fn_gw_call *c, const char *name) { return fn_gw_field_of(c->fields, c->n_fields, name, 0); }

/* --- the log --- */
static void say_refused(struct fn_gw_call *c)
{
	struct fn_gw *gw = c->gw;
	uint64_t now = fn_clock_mono_us();
	unsigned unsaid = 0;
	bool say;

	pthread_mutex_lock(&gw->lock);
	say = now - gw->said_us > SAY_US;
	if (say) {
		gw->said_us = now;
		unsaid = gw->unsaid;
	}
	gw->unsaid = say ? 0 : gw->unsaid + 1;
	pthread_mutex_unlock(&gw->lock);
	if (say && unsaid)
		fn_log_warn("403 for function URL %s: it lacks %s (and %u more refusals)", c->target.id, c->route->missing, unsaid);
	else if (say)
		fn_log_warn("403 for function URL %s: it lacks %s", c->target.id, c->route->missing);
}

/* --- the head --- */
static enum MHD_Result each_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct fn_gw_call *c = cls;

	(void)kind;
	if (c->n_fields == FN_GW_FIELDS_MAX)
		c->too_many = true;
	else
		c->fields[c->n_fields++] = (struct fn_gw_field){name, value ? value : ""};
	return c->too_many ? MHD_NO : MHD_YES;
}

static bool is_https(const struct fn_gw_call *c) { return MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_PROTOCOL) != NULL; }

/* X-Forwarded-* and who the client is. */
struct origin {
	char source[INET6_ADDRSTRLEN], list[2048], port[8];
	const char *proto;
};

static void find_origin(const struct fn_gw_call *c, struct origin *o)
{
	const char *list = c->conn->peer.trusted ? field(c, "X-Forwarded-For") : NULL, *proto = c->conn->peer.trusted ? field(c, "X-Forwarded-Proto") : NULL,
		   *port = c->conn->peer.trusted ? field(c, "X-Forwarded-Port") : NULL, *host = field(c, "Host");
	char peer[INET6_ADDRSTRLEN];
	struct in6_addr client;
	bool tls;

	fn_gw_proxies_client(&c->gw->proxies, list, &c->conn->peer.address, &client);
	(void)fn_gw_address_text(&client, o->source);
	(void)fn_gw_address_text(&c->conn->peer.address, peer);
	if (!list || fn_str_format(o->list, sizeof(o->list), "%s, %s", list, peer) < 0)
		snprintf(o->list, sizeof(o->list), "%s", o->source);
	o->proto = proto && (fn_streq(proto, "http") || fn_streq(proto, "https")) ? proto : is_https(c) ? "https" : "http";
	tls = fn_streq(o->proto, "https");
	if (!port) {
		port = host ? strrchr(host, ':') : NULL;
		port = port && !strchr(port, ']') ? port + 1 : tls ? "443" : "80";
	}
	snprintf(o->port, sizeof(o->port), "%.7s", port);
}

/* The client's, if it is one; else a new one. */
static void set_trace(struct fn_gw_call *c)
{
	const char *given = field(c, "X-Amzn-Trace-Id");
	char hex[25];

	if (given && strstr(given, "Root=") && fn_str_format(c->trace_id, sizeof(c->trace_id), "%s", given) == 0)
		return;
	fn_id_hex(hex, 24);
	snprintf(c->trace_id, sizeof(c->trace_id), "Root=1-%08llx-%s", (unsigned long long)(fn_clock_real_us() / 1000000u), hex);
}

/* Counts the body that is announced, or could come. */
static bool may_come(struct fn_gw_call *c, uint64_t n)
{
	bool ok;

	if (n <= c->counted)
		return true;
	pthread_mutex_lock(&c->gw->lock);
	ok = fn_bodies_take(c->gw->bodies, c->conn->peer.key, n - c->counted);
	pthread_mutex_unlock(&c->gw->lock);
	if (ok)
		c->counted = n;
	return ok;
}

static void uncount(struct fn_gw_call *c)
{
	if (!c->counted)
		return;
	pthread_mutex_lock(&c->gw->lock);
	fn_bodies_give(c->gw->bodies, c->conn->peer.key, c->counted);
	pthread_mutex_unlock(&c->gw->lock);
	c->counted = 0;
}

static enum MHD_Result refuse_signature(struct fn_gw_call *c, const struct fn_aws_error *e, const struct fn_buf *why)
{
	fn_auto_buf struct fn_buf body = {0};

	if (e == &FN_E_MISSING_TOKEN)
		return fn_gw_forbidden(c);
	if (fn_buf_add_str(&body, "{\"message\":") < 0 || fn_json_add_string(&body, why->data ? why->data : "", why->len) < 0 || fn_buf_add_str(&body, "}") < 0)
		return MHD_NO;
	return fn_gw_refuse(c, e->status, e->name, "application/json", body.data);
}

static struct fn_gw_signed signed_parts(const struct fn_gw_call *c, char *path, size_t size)
{
	struct fn_gw_signed s = {.method = c->method, .fields = c->fields, .n_fields = c->n_fields, .path = path};
	const char *at;
	size_t len;

	(void)fn_gw_split(c->uri, &at, &len, &s.query);
	snprintf(path, size, "%.*s", (int)len, at);
	return s;
}

/* Another route than the one that was kept: 0, or as fn_gw_route_get(). */
static int renew(struct fn_gw_call *c)
{
	fn_gw_route_stale(c->gw->upstream, c->target.id, c->route);
	fn_gw_route_put(c->gw->upstream, fn_take_ptr(c->route));
	return fn_gw_route_get(c->gw->upstream, c->target.id, &c->route, &c->kept);
}

/* Its session's token, in a header or in a presigned address; NULL = it has none. */
static const char *token_of(struct fn_gw_call *c)
{
	const char *header = field(c, "X-Amz-Security-Token");

	if (header || !strstr(c->target.query, "X-Amz-Security-Token="))
		return header;
	fn_buf_reset(&c->token);
	return fn_aws_query(c->target.query, "X-Amz-Security-Token", 0, &c->token) == 0 ? c->token.data : NULL;
}

/* Why it may not: the error (of a NONE without its policy: FN_E_ACCESS_DENIED), and why; NULL = it may, as far as the head says. */
static const struct fn_aws_error *denied_by(struct fn_gw_call *c, struct fn_buf *why)
{
	const struct fn_aws_error *e;
	struct fn_gw_signed s;
	char path[8192];
	int r;

	if (!c->route->iam)
		return *c->route->missing ? &FN_E_ACCESS_DENIED : NULL;
	s = signed_parts(c, path, sizeof(path));
	e = c->route->signs ? fn_gw_iam_head(&s, c->gw->names.region, &c->signature, why) : &FN_E_MISSING_TOKEN;
	if (e)
		return e;
	r = fn_gw_key(c->gw->upstream, c->route, c->signature.key_id, token_of(c), c->signature.date, &c->key);
	if (r == 0)
		return NULL;
	(void)fn_buf_add_str(why, r == -ENOENT ? "The security token included in the request is invalid." : "Service unavailable");
	return r == -ENOENT ? &FN_E_UNKNOWN_CLIENT : &FN_E_SERVICE;
}

static enum MHD_Result no_such_url(struct fn_gw_call *c) { return fn_gw_refuse(c, 403, "AccessDeniedException", "application/json", "{\"Message\":null}"); }

static enum MHD_Result no_route(struct fn_gw_call *c, int why)
{
	return why == -ENOENT ? no_such_url(c) : fn_gw_refuse(c, 503, "ServiceException", "application/json", "{\"Message\":\"Service Unavailable\"}");
}

/* Refuses who may not: by what is configured now. */
static enum MHD_Result let_pass(struct fn_gw_call *c)
{
	fn_auto_buf struct fn_buf why = {0};
	const struct fn_aws_error *e = denied_by(c, &why);
	int r;

	if (e && c->kept) {
		fn_buf_reset(&why);
		r = renew(c);
		if (r < 0)
			return no_route(c, r);
		e = denied_by(c, &why);
	}
	if (!e)
		return MHD_YES;
	if (e != &FN_E_ACCESS_DENIED)
		return refuse_signature(c, e, &why);
	say_refused(c);
	return fn_gw_forbidden(c);
}

static enum MHD_Result preflight(struct fn_gw_call *c)
{
	struct fn_gw_result none = {.status = 200};
	enum MHD_Result r = fn_gw_respond(c, &none);

	fn_gw_result_free(&none);
	return r;
}

#define TOKEN "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* To a proxy in front the body must end where it ends here, or what is behind it is another client's request, and the host must be the one that it has
 * judged (RFC 9112, 3.2, 5.1, 6.1, 6.3): 0, or the status that says no. */
static unsigned badly_framed(const struct fn_gw_call *c)
{
	unsigned hosts = 0, ends = 0;

	for (size_t i = 0; i < c->n_fields; i++) {
		const struct fn_gw_field *f = &c->fields[i];
		bool coding = strcasecmp(f->name, "Transfer-Encoding") == 0;

		if (!*f->name || f->name[strspn(f->name, TOKEN)])
			return 400;
		if (coding && strcasecmp(f->value, "chunked") != 0)
			return 501;
		ends += coding || strcasecmp(f->name, "Content-Length") == 0;
		hosts += strcasecmp(f->name, "Host") == 0;
	}
	if (hosts > 1 || ends > 1 || (hosts == 0 && !fn_streq(c->protocol, "HTTP/1.0")))
		return 400;
	return fn_gw_same_host(c->uri, field(c, "Host")) ? 0 : 400;
}

/* All that can be told before the body has come. */
static enum MHD_Result look_at_head(struct fn_gw_call *c)
{
	const char *length = field(c, "Content-Length"), *coding = field(c, "Transfer-Encoding");
	unsigned status = badly_framed(c);
	enum MHD_Result let;
	int64_t n = 0;
	int r;

	fn_id_uuid(c->request_id);
	set_trace(c);
	c->closes = status || c->too_many;
	if (status)
		return fn_gw_refuse(c, status, NULL, "application/json", status == 400 ? BAD_REQUEST : "{\"message\":\"Not Implemented\"}");
	if (c->too_many)
		return fn_gw_refuse(c, 431, NULL, "application/json", "{\"message\":\"Request Header Fields Too Large\"}");
	if (fn_streq(c->method, "CONNECT")) /* a function has no tunnel, and to its client any answer of 200 is the beginning of one */
		return fn_gw_refuse(c, 400, NULL, "application/json", BAD_REQUEST);
	if (!fn_gw_target(&c->gw->names, field(c, "Host"), c->uri, &c->target)) {
		c->target.id[0] = '\0';
		return no_such_url(c);
	}
	r = fn_gw_route_get(c->gw->upstream, c->target.id, &c->route, &c->kept);
	if (r < 0)
		return no_route(c, r);
	c->asked = (struct fn_gw_asked){c->method, field(c, "Origin"), field(c, "Access-Control-Request-Method"),
					field(c, "Access-Control-Request-Headers")};
	if (fn_gw_is_preflight(&c->asked) && c->kept && (r = renew(c)) < 0) /* the browser keeps what it is told */
		return no_route(c, r);
	if (c->route->cors && fn_gw_is_preflight(&c->asked))
		return preflight(c);
	let = let_pass(c);
	if (c->queued || let != MHD_YES)
		return let;
	if (length && fn_str_to_i64(length, 0, INT64_MAX, &n) < 0)
		return fn_gw_refuse(c, 400, NULL, "application/json", BAD_REQUEST);
	if (n > FN_LIMIT_INVOKE_BYTES)
		return fn_gw_too_large(c);
	if (!may_come(c, coding ? FN_LIMIT_INVOKE_BYTES : (uint64_t)n))
		return fn_gw_too_many(c);
	if (coding || n > 0)
		fn_gw_conn_phase(c->conn, FN_GW_SENDS);
	return MHD_YES;
}

/* --- the body --- */
static enum MHD_Result take(struct fn_gw_call *c, const char *data, size_t len)
{
	fn_gw_conn_moved(c->conn, len);
	if (c->body.len + len > FN_LIMIT_INVOKE_BYTES)
		c->too_large = true;
	if (c->too_large) {
		fn_buf_free(&c->body);
		c->swallowed += len;
		return c->swallowed <= SWALLOW_MAX ? MHD_YES : MHD_NO;
	}
	return fn_buf_add(&c->body, data, len) == 0 ? MHD_YES : MHD_NO;
}

/* --- the invocation --- */
static int make_event(struct fn_gw_call *c, struct fn_buf *ret)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_session_t session = info ? info->tls_session : NULL;
	struct fn_gw_request q = {.method = c->method, .protocol = c->protocol, .path = c->target.path, .path_len = c->target.path_len, .query = c->target.query,
				  .fields = c->fields, .n_fields = c->n_fields, .body = c->body.data, .len = c->body.len, .id = c->target.id,
				  .host = c->target.host, .request_id = c->request_id, .trace_id = c->trace_id, .time_us = fn_clock_real_us()};
	struct origin o = {0};

	find_origin(c, &o);
	q.source = o.source;
	q.forwarded_for = o.list;
	q.forwarded_port = o.port;
	q.forwarded_proto = o.proto;
	if (session) {
		q.tls_version = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3 ? "TLSv1.3" : "TLSv1.2";
		q.tls_cipher = gnutls_ciphersuite_get(session);
	}
	if (c->route->iam) {
		q.account = c->route->account;
		q.access_key = c->signature.key_id;
		q.user_arn = c->key.arn;
		q.user_id = c->key.user_id;
	}
	return fn_gw_event(&q, ret);
}

static const struct fn_aws_error *verify(struct fn_gw_call *c, struct fn_buf *why)
{
	struct fn_gw_signed s;
	char path[8192];

	if (!c->route->iam)
		return NULL;
	s = signed_parts(c, path, sizeof(path));
	return fn_gw_iam_verify(&s, &c->signature, c->key.bytes, c->body.data, c->body.len, why);
}

/* Once more, by the configuration as it is now. */
static enum MHD_Result judge_again(struct fn_gw_call *c)
{
	int r = renew(c);

	return r < 0 ? no_route(c, r) : let_pass(c);
}

static enum MHD_Result invoke(struct fn_gw_call *c)
{
	fn_auto_buf struct fn_buf event = {0}, why = {0};
	struct fn_h1_exchange x = {0};
	struct fn_gw_invocation invocation;
	const struct fn_aws_error *denied;
	enum MHD_Result result = MHD_NO;
	struct origin o = {0};
	int r = -ESTALE;

	find_origin(c, &o);
	for (int i = 0; i < 3 && r == -ESTALE; i++) { /* it may change while we look */
		if (i > 0 && ((result = judge_again(c)) != MHD_YES || c->queued))
			return result;
		denied = verify(c, &why);
		if (denied)
			return refuse_signature(c, denied, &why);
		fn_buf_reset(&event);
		if (make_event(c, &event) < 0)
			return MHD_NO;
		if (event.len > FN_LIMIT_INVOKE_BYTES)
			return fn_gw_too_large(c);
		invocation = (struct fn_gw_invocation){.id = c->target.id, .request_id = c->request_id, .trace_id = c->trace_id, .key_id = c->route->iam ? c->signature.key_id : NULL,
						       .token = c->route->iam ? token_of(c) : NULL, .address = o.source, .secure = fn_streq(o.proto, "https"), .event = event.data, .len = event.len};
		r = fn_gw_invoke(c->gw->upstream, c->route, &invocation, &x);
		if (r < 0)
			fn_h1_exchange_end(&x);
	}
	fn_buf_free(&event);
	fn_buf_free(&c->body); /* while it is answered, perhaps for long, nothing of it is kept */
	uncount(c);
	result = r == -EACCES ? fn_gw_forbidden(c) : r < 0 ? fn_gw_bad_gateway(c) : fn_gw_relay(c, &x);
	fn_h1_exchange_end(&x);
	return result;
}

/* --- libmicrohttpd's calls --- */
static bool has_body(const struct fn_gw_call *c)
{
	const char *length = field(c, "Content-Length");

	return field(c, "Transfer-Encoding") || (length && !fn_streq(length, "0"));
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct fn_gw_call *c = calloc(1, sizeof(*c));

	(void)mhd;
	if (!c)
		return NULL;
	c->gw = cls;
	c->uri = strdup(uri);
	if (!c->uri) {
		free(c);
		return NULL;
	}
	return c;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version, const char *data, size_t *len, void **req)
{
	struct fn_gw_call *c = *req;

	(void)cls;
	(void)url;
	if (!c)
		return MHD_NO;
	if (!c->begun) {
		c->begun = true;
		c->mhd = mhd;
		c->conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
		if (!c->conn)
			return MHD_NO;
		c->method = method;
		c->protocol = version;
		fn_gw_conn_phase(c->conn, FN_GW_WAITS);
		(void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, each_field, c);
		if (!has_body(c)) /* then it is whole: an answer from here would end the connection */
			return MHD_YES;
		c->judged = c->unread = true;
		return look_at_head(c);
	}
	c->unread = false;
	if (!c->judged) {
		enum MHD_Result r = look_at_head(c);

		c->judged = true;
		if (r != MHD_YES || c->queued)
			return r;
	}
	if (*len > 0) {
		enum MHD_Result r = take(c, data, *len);

		*len = 0;
		return r;
	}
	if (c->too_large)
		return fn_gw_too_large(c);
	fn_gw_conn_phase(c->conn, FN_GW_WAITS);
	return invoke(c);
}

/* Who is refused while his body comes shall hear why: to close now would reset the connection, and with it the answer. */
static void linger(const struct fn_gw_call *c)
{
	uint64_t until = fn_clock_mono_us() + LINGER_US;
	size_t left = SWALLOW_MAX;
	char piece[16384];
	int fd = c->conn->fd;

	(void)shutdown(fd, SHUT_WR);
	while (left > 0 && fn_clock_mono_us() < until) {
		struct pollfd p = {fd, POLLIN, 0};
		ssize_t n = poll(&p, 1, (int)(LINGER_US / 1000)) > 0 ? recv(fd, piece, sizeof(piece), MSG_DONTWAIT) : 0;

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
		left -= n > 0 ? (size_t)n < left ? (size_t)n : left : 0;
	}
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **req, enum MHD_RequestTerminationCode how)
{
	struct fn_gw_call *c = *req;

	(void)cls;
	(void)mhd;
	if (!c)
		return;
	*req = NULL;
	if (c->conn) {
		uncount(c);
		if (c->queued && c->unread && how == MHD_REQUEST_TERMINATED_COMPLETED_OK && !is_https(c))
			linger(c);
		fn_gw_conn_phase(c->conn, FN_GW_RESTS);
	}
	fn_gw_route_put(c->gw->upstream, c->route);
	fn_buf_free(&c->token);
	fn_buf_free(&c->body);
	free(c->uri);
	free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct fn_gw *gw = cls;
	struct fn_gw_peer peer;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context)
			fn_gw_conn_end(*context);
		*context = NULL;
		return;
	}
	peer = fn_gw_peer(&gw->proxies, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
	*context = fn_gw_conn_begin(gw->conns, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd, &peer);
	fn_gw_conn_arrived(gw->conns);
}

static void on_log(void *cls, const char *fmt, va_list ap)
{
	char line[256];

	(void)cls;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	fn_log_debug("libmicrohttpd: %s", line);
}

/* The path is taken as it was sent (on_uri()). */
static size_t unescape(void *cls, struct MHD_Connection *mhd, char *s)
{
	(void)cls;
	(void)mhd;
	return strlen(s);
}

struct MHD_Daemon *fn_gw_serve(struct fn_gw *gw, unsigned flags, unsigned connections, const struct MHD_OptionItem *more)
{
	return MHD_start_daemon(flags | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_USE_POLL | MHD_USE_ERROR_LOG,
				0, NULL, NULL, on_access, gw, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_uri, gw,
				MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, gw, MHD_OPTION_NOTIFY_CONNECTION, on_connection, gw,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL, MHD_OPTION_CONNECTION_LIMIT, connections + 64,
				MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

/* rtapi.c - see rtapi.h. */
#include "runtime/rtapi.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/rtapi_internal.h"

#define BASE "/2018-06-01"
#define TELEMETRY "/2022-07-01/telemetry"
#define LOGS "/2020-08-15/logs"
#define INVOCATION BASE "/runtime/invocation/"
#define LOADED BASE "/runtime/snapshot/loaded"
#define ACCEPT_PAUSE_US 100000u /* when there is no descriptor or memory for another connection */
#define OTHER_BODY_MAX (256u << 10) /* of what is not the result or the init error that is waited for */

static const struct fn_h1_ops conn_ops;

static bool path_is(const char *target, const char *path)
{
	size_t n = strlen(path);

	return strncmp(target, path, n) == 0 && (target[n] == '\0' || target[n] == '?');
}

/* Not on the listener, for its connections to inherit: a runtime that was started ahead has connected before we get to see it. Without
 * NODELAY an event right behind a 202 waits for the runtime's delayed acknowledgement, 40 ms. What leads nowhere but to ourselves needs no
 * estimates of bandwidth and no pacing timers, as the host's default may do (BBR); reno is always there. */
static void set_options(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

static void on_resume(void *arg)
{
	struct fn_rt *rt = arg;

	fn_loop_clear(rt->loop, &rt->resume);
	(void)fn_loop_mod_io(rt->loop, rt->io, EPOLLIN);
}

/* Else it would be ready again and again. */
static void pause_accepting(struct fn_rt *rt)
{
	if (!rt->resume && fn_loop_add_timer(rt->loop, fn_loop_now_us(rt->loop) + ACCEPT_PAUSE_US, on_resume, rt, &rt->resume) == 0)
		(void)fn_loop_mod_io(rt->loop, rt->io, 0);
}

/* --- connections --- */
static void conn_closed(void *arg, struct fn_h1_conn *c)
{
	struct fn_rt *rt = arg;
	struct fn_rt_conn *slot = fn_rt_slot(rt, c);
	bool useful = !slot || slot->useful;

	if (slot) {
		free(slot->held);
		*slot = (struct fn_rt_conn){0};
	}
	fn_rt_result_cut(rt, c);
	if (rt->posting == c)
		rt->posting = NULL;
	if (rt->ext)
		fn_ext_closed(rt->ext, c);
	if (rt->next == c) { /* it died while it waited */
		rt->next = NULL;
		rt->state = FN_RT_RESPONDED;
	}
	if (!useful && !fn_rt_may_talk(rt, true))
		pause_accepting(rt);
}

/* A free place; if need be that of an idle connection: of those that have brought nothing, else of all but the one that the runtime has its event
 * from and may be about to answer over, the one that came first. NULL: all are in the middle of something. */
static struct fn_rt_conn *make_place(struct fn_rt *rt)
{
	struct fn_rt_conn *place = fn_rt_slot(rt, NULL);
	struct fn_h1_conn *c;
	uint64_t moved;

	for (unsigned useful = 0; !place && useful < 2; useful++)
		for (unsigned i = 0; i < fn_rt_places(rt); i++) {
			struct fn_rt_conn *s = &rt->conns[i];

			if (s->useful == (useful == 1) && s->c != rt->asked && (!place || s->number < place->number) && fn_h1_conn_phase(s->c, &moved) == FN_H1_IDLE)
				place = s;
		}
	c = place ? place->c : NULL;
	if (c)
		conn_closed(rt, c);
	fn_h1_conn_close(c);
	return place;
}

static void on_accept(void *arg, int fd, uint32_t events)
{
	struct fn_rt *rt = arg;

	(void)events;
	for (unsigned n = 0; n < fn_rt_places(rt) && !rt->resume; n++) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct fn_rt_conn *slot;

		if (c < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				pause_accepting(rt);
			return;
		}
		slot = make_place(rt);
		if (!slot) { /* it holds far more connections than any runtime needs */
			fn_close(c);
			if (!fn_rt_may_talk(rt, true))
				pause_accepting(rt);
			continue;
		}
		set_options(c);
		slot->number = ++rt->n_accepted;
		(void)fn_h1_conn_new(rt->server, c, &conn_ops, rt, &slot->c);
	}
}

int fn_rt_new(struct fn_loop *loop, struct fn_h1_server *server, int listen_fd, const struct fn_rt_ops *ops, void *arg, struct fn_rt **ret)
{
	struct fn_rt *rt = calloc(1, sizeof(*rt));
	int r;

	if (!rt) {
		fn_close(listen_fd);
		return -ENOMEM;
	}
	*rt = (struct fn_rt){.loop = loop, .server = server, .ops = ops, .arg = arg, .listen_fd = listen_fd};
	r = fn_loop_add_io(loop, listen_fd, EPOLLIN, on_accept, rt, &rt->io);
	if (r < 0) {
		fn_close(listen_fd);
		free(rt);
		return r;
	}
	*ret = rt;
	return 0;
}

bool fn_rt_waiting(const struct fn_rt *rt) { return rt->next != NULL && !fn_h1_conn_peer_gone(rt->next); }

bool fn_rt_unread(const struct fn_rt *rt)
{
	for (size_t i = 0; i < fn_rt_places(rt); i++)
		if (rt->conns[i].c && fn_h1_conn_unread(rt->conns[i].c))
			return true;
	return false;
}

void fn_rt_flush(struct fn_rt *rt)
{
	if (rt)
		fn_h1_conn_flush(rt->next);
}

static void release_inv(void *arg) { fn_invocation_unref(arg); }

int fn_rt_deliver(struct fn_rt *rt, struct fn_invocation *inv)
{
	struct fn_h1_header h[7];
	struct fn_h1_reply r = {.status = 200, .headers = h, .release = release_inv, .release_arg = inv};
	char ms[24];

	if (!rt->next)
		return -EAGAIN;
	snprintf(ms, sizeof(ms), "%llu", (unsigned long long)inv->deadline_real_ms);
	h[r.n_headers++] = (struct fn_h1_header){"Lambda-Runtime-Aws-Request-Id", inv->id};
	h[r.n_headers++] = (struct fn_h1_header){"Lambda-Runtime-Deadline-Ms", ms};
	h[r.n_headers++] = (struct fn_h1_header){"Lambda-Runtime-Invoked-Function-Arn", inv->invoked_arn};
	if (inv->trace_id)
		h[r.n_headers++] = (struct fn_h1_header){"Lambda-Runtime-Trace-Id", inv->trace_id};
	if (inv->client_context)
		h[r.n_headers++] = (struct fn_h1_header){"Lambda-Runtime-Client-Context", inv->client_context};
	if (inv->tenant_id)
		h[r.n_headers++] = (struct fn_h1_header){"Lambda-Runtime-Aws-Tenant-Id", inv->tenant_id};
	rt->loaded_asked = rt->ask_loaded;
	rt->ask_loaded = false;
	if (rt->loaded_asked)
		h[r.n_headers++] = (struct fn_h1_header){"Lambda-Runtime-Loaded-Classes", "wanted"};
	r.content_type = inv->content_type ? inv->content_type : "application/json";
	r.body = inv->payload; /* lent: the reference keeps it until it has been sent */
	r.len = inv->payload_len;
	rt->inv = fn_invocation_ref(inv);
	rt->state = FN_RT_RUNNING;
	(void)fn_invocation_ref(inv);
	fn_h1_conn_reply(fn_take_ptr(rt->next), &r);
	return 0;
}

void fn_rt_ask_loaded(struct fn_rt *rt) { rt->ask_loaded = true; }

void fn_rt_close(struct fn_rt *rt)
{
	if (!rt)
		return;
	fn_loop_clear(rt->loop, &rt->io);
	fn_loop_clear(rt->loop, &rt->resume);
	fn_loop_clear(rt->loop, &rt->pace);
	if (rt->streaming)
		fn_invocation_leave(rt->inv);
	fn_close(rt->listen_fd);
	for (unsigned i = 0; i < fn_rt_places(rt); i++) {
		free(rt->conns[i].held);
		fn_h1_conn_close(rt->conns[i].c);
	}
	fn_invocation_unref(rt->inv);
	fn_ext_free(rt->ext);
	free(rt);
}

static void on_next(struct fn_rt *rt, struct fn_h1_conn *c)
{
	if (rt->state == FN_RT_RUNNING || rt->state == FN_RT_INIT_FAILED || rt->state == FN_RT_SNAPSHOT || rt->next) {
		fn_rt_reply_state(rt, c, "RuntimeReady");
		return;
	}
	fn_rt_useful(rt, c);
	if (rt->ext)
		fn_ext_close_registration(rt->ext);
	rt->state = FN_RT_WAITING;
	rt->next = rt->asked = c;
	rt->ops->on_next(rt->arg);
}

static void on_init_error(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req, void (*tell)(void *, char *, size_t, const char *))
{
	const char *type = fn_h1_header(req, "Lambda-Runtime-Function-Error-Type");
	char error_type[128], *body;
	size_t len = 0;

	if (rt->state != FN_RT_START) {
		fn_rt_reply_state(rt, c, "RuntimeInitError");
		return;
	}
	if (req->too_large) {
		fn_rt_reply_error(rt, c, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).");
		return;
	}
	snprintf(error_type, sizeof(error_type), "%s", type ? type : "Runtime.Unknown");
	body = fn_rt_take_error(req, &req->body, &len);
	rt->state = FN_RT_INIT_FAILED;
	fn_rt_reply_ok(rt, c);
	tell(rt->arg, body, len, error_type);
}

static void on_restore_next(struct fn_rt *rt, struct fn_h1_conn *c)
{
	const struct fn_h1_reply r = {.status = 200, .content_type = "application/json", .body = ""};

	if (rt->state != FN_RT_START || !rt->ops->on_restore_next || !rt->ops->on_restore_next(rt->arg)) {
		fn_rt_reply_error(rt, c, 404, "InvalidRequest", "no such path in the Runtime API");
		return;
	}
	if (rt->ext)
		fn_ext_close_registration(rt->ext);
	fn_rt_useful(rt, c);
	fn_h1_conn_reply(c, &r);
}

static void on_snapshot(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req)
{
	const char *protocol = fn_h1_header(req, "Upgrade");
	int fd;

	if (rt->state != FN_RT_START) {
		fn_rt_reply_state(rt, c, "RuntimeSnapshot");
		return;
	}
	if (!protocol || strcmp(protocol, "tar") != 0) {
		fn_rt_reply_error(rt, c, 400, "InvalidRequest", "Upgrade: tar is expected");
		return;
	}
	conn_closed(rt, c);
	fd = fn_h1_conn_upgrade(c, protocol);
	if (fd < 0)
		return;
	rt->state = FN_RT_SNAPSHOT;
	rt->ops->on_snapshot(rt->arg, fd);
}

static void on_snapshot_refused(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req)
{
	char why[256];

	if (rt->state != FN_RT_START && rt->state != FN_RT_SNAPSHOT) {
		fn_rt_reply_state(rt, c, "RuntimeSnapshot");
		return;
	}
	snprintf(why, sizeof(why), "%.*s", (int)(req->body.len < sizeof(why) ? req->body.len : sizeof(why) - 1), req->body.len ? req->body.data : "");
	for (char *p = why; *p; p++) /* it becomes part of log lines and answers */
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	rt->state = FN_RT_INIT_FAILED;
	fn_rt_reply_ok(rt, c);
	rt->ops->on_snapshot_refused(rt->arg, why);
}

static void on_loaded(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req)
{
	if (rt->state != FN_RT_RESPONDED || !rt->loaded_asked) {
		fn_rt_reply_state(rt, c, "RuntimeLoaded");
		return;
	}
	rt->loaded_asked = false;
	if (req->too_large) {
		fn_rt_reply_error(rt, c, 413, "RequestEntityTooLarge", "more names of classes than are wanted");
		return;
	}
	fn_rt_reply_ok(rt, c);
	rt->ops->on_loaded(rt->arg, req->body.data, req->body.len);
}

static void tell_loaded(struct fn_rt *rt, struct fn_h1_conn *c)
{
	struct fn_h1_reply r = {.status = 200, .content_type = "text/plain"};

	r.body = rt->ops->loaded && rt->state == FN_RT_START ? rt->ops->loaded(rt->arg, &r.len) : NULL;
	if (!r.body) {
		fn_rt_reply_error(rt, c, 404, "InvalidRequest", "it is not known what the function loads");
		return;
	}
	fn_rt_useful(rt, c);
	fn_h1_conn_reply(c, &r);
}

/* POST /runtime/invocation/<id>/response or /error: their id. */
static bool result_path(const struct fn_h1 *req, const char **ret_id, size_t *ret_len, bool *ret_error)
{
	const char *path = fn_h1_target(req), *slash;

	if (strncmp(path, INVOCATION, sizeof(INVOCATION) - 1) != 0 || strcmp(fn_h1_method(req), "POST") != 0)
		return false;
	*ret_id = path + sizeof(INVOCATION) - 1;
	slash = strchr(*ret_id, '/');
	if (!slash)
		return false;
	*ret_len = (size_t)(slash - *ret_id);
	*ret_error = slash[1] == 'e';
	return path_is(slash, "/response") || path_is(slash, "/error");
}

static size_t on_body_max(void *arg, struct fn_h1_conn *c, struct fn_h1 *req, size_t ahead)
{
	struct fn_rt *rt = arg;
	const char *id;
	size_t len;
	bool is_result, is_error;

	(void)ahead;
	if (fn_str_starts(fn_h1_target(req), FN_EXT_BASE))
		return FN_EXT_BODY_MAX;
	if (rt->loaded_asked && rt->state == FN_RT_RESPONDED && path_is(fn_h1_target(req), LOADED))
		return FN_LOADED_MAX;
	is_result = result_path(req, &id, &len, &is_error);
	if (rt->posting || !(is_result ? fn_rt_is_current(rt, id, len) : rt->state == FN_RT_START))
		return OTHER_BODY_MAX;
	rt->posting = c;
	rt->posts_result = is_result;
	return is_result ? fn_rt_result_begins(rt, c, req, is_error) : FN_RESPONSE_MAX;
}

static void on_piece(void *arg, struct fn_h1_conn *c, const char *data, size_t len) { fn_rt_result_piece(arg, c, data, len); }
static void on_cut(void *arg, struct fn_h1_conn *c) { fn_rt_result_cut(arg, c); }

static void on_ping(struct fn_rt *rt, struct fn_h1_conn *c)
{
	static const struct fn_h1_reply pong = {.status = 200, .content_type = "text/plain", .body = "pong", .len = 4};

	fn_rt_useful(rt, c);
	fn_rt_talk(rt, c, &pong, false);
}

/* --- extensions --- */
static struct fn_ext *extensions(struct fn_rt *rt)
{
	if (!rt->ext && fn_ext_new(rt->ops->extensions, rt->arg, &rt->ext) == 0 && rt->state != FN_RT_START)
		fn_ext_close_registration(rt->ext);
	return rt->ext;
}

int fn_rt_expect_extensions(struct fn_rt *rt, const char *const *names, unsigned n)
{
	return extensions(rt) ? fn_ext_expect(rt->ext, names, n) : -ENOMEM;
}

void fn_rt_refuse_extensions(struct fn_rt *rt) { rt->no_extensions = true; }

struct fn_ext *fn_rt_extensions(const struct fn_rt *rt) { return rt ? rt->ext : NULL; }

static void on_extension(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req)
{
	struct fn_ext_answer a = {.status = 500};
	const struct fn_h1_header id = {"Lambda-Extension-Identifier", a.identifier};
	struct fn_h1_reply r = {.content_type = "application/json", .headers = &id};

	if (extensions(rt))
		fn_ext_request(rt->ext, c, req, &a);
	if (a.status < 300)
		fn_rt_useful(rt, c);
	r.status = a.status;
	r.n_headers = a.identifier[0] != '\0';
	r.body = a.body ? a.body : "";
	r.len = strlen(r.body);
	if (a.status >= 300)
		fn_rt_talk(rt, c, &r, true);
	else if (a.status != 0)
		fn_h1_conn_reply(c, &r);
	free(a.body);
	if (a.then)
		a.then(a.arg);
}

/* Who it is comes first, then what it wants. */
static void on_subscribe(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req, enum fn_telemetry_api api)
{
	struct fn_ext_answer who = {.status = 500};
	struct fn_telemetry_answer a = {.status = 413, .body = "{\"errorMessage\":\"the body is too large\",\"errorType\":\"RequestEntityTooLarge\"}\n"};
	struct fn_h1_reply r = {.content_type = "application/json", .body = a.body};
	const char *name = rt->ops->on_subscribe && extensions(rt) ? fn_ext_name_of(rt->ext, req, &who) : NULL;

	if (!rt->ops->on_subscribe) { /* as AWS's emulator; extensions go on without */
		fn_rt_reply_error(rt, c, 202, "Telemetry.NotSupported", "Telemetry API is not supported");
		return;
	}
	if (name && !req->too_large && req->body.len <= FN_SUBSCRIPTION_BODY_MAX)
		rt->ops->on_subscribe(rt->arg, api, name, req->body.len ? req->body.data : "", req->body.len, &a);
	r.status = name ? a.status : who.status;
	if (!name)
		r.body = who.body ? who.body : "";
	r.len = strlen(r.body);
	if (r.status == 200) {
		fn_rt_useful(rt, c);
		fn_h1_conn_reply(c, &r);
	} else {
		fn_rt_talk(rt, c, &r, true);
	}
	free(who.body);
}

static void on_request(void *arg, struct fn_h1_conn *c, struct fn_h1 *req)
{
	struct fn_rt *rt = arg;
	const char *path = fn_h1_target(req), *id;
	bool get = strcmp(fn_h1_method(req), "GET") == 0, post = strcmp(fn_h1_method(req), "POST") == 0, put = strcmp(fn_h1_method(req), "PUT") == 0, is_error;
	bool extended = !rt->no_extensions;
	size_t len;

	if (rt->posting == c)
		rt->posting = NULL;
	if (get && path_is(path, INVOCATION "next"))
		on_next(rt, c);
	else if (result_path(req, &id, &len, &is_error))
		fn_rt_result(rt, c, req, id, len, is_error);
	else if (post && path_is(path, BASE "/runtime/init/error"))
		on_init_error(rt, c, req, rt->ops->on_init_error);
	else if (get && path_is(path, BASE "/runtime/restore/next"))
		on_restore_next(rt, c);
	else if (post && path_is(path, BASE "/runtime/restore/error"))
		on_init_error(rt, c, req, rt->ops->on_restore_error);
	else if (post && path_is(path, BASE "/runtime/snapshot"))
		on_snapshot(rt, c, req);
	else if (post && path_is(path, BASE "/runtime/snapshot/refused"))
		on_snapshot_refused(rt, c, req);
	else if (post && rt->ops->on_loaded && path_is(path, LOADED))
		on_loaded(rt, c, req);
	else if (get && path_is(path, LOADED))
		tell_loaded(rt, c);
	else if (get && path_is(path, BASE "/ping"))
		on_ping(rt, c);
	else if (extended && put && (path_is(path, TELEMETRY) || path_is(path, TELEMETRY "/")))
		on_subscribe(rt, c, req, FN_API_TELEMETRY);
	else if (extended && put && (path_is(path, LOGS) || path_is(path, LOGS "/")))
		on_subscribe(rt, c, req, FN_API_LOGS);
	else if (extended && rt->ops->extensions && fn_str_starts(path, FN_EXT_BASE))
		on_extension(rt, c, req);
	else
		fn_rt_reply_error(rt, c, 404, "InvalidRequest", "no such path in the Runtime API");
}

/* One that was refused in the middle of its result may stay open: it does not bring it any more. */
static void on_answered(void *arg, struct fn_h1_conn *c)
{
	struct fn_rt *rt = arg;

	fn_rt_result_cut(rt, c);
	if (rt->posting == c)
		rt->posting = NULL;
}

static const struct fn_h1_ops conn_ops = {.body_max = on_body_max, .request = on_request, .closed = conn_closed, .answered = on_answered,
					  .piece = on_piece, .cut = on_cut};

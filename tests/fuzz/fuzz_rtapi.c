/*
 * fuzz_rtapi.c - the Runtime API, as a hostile runtime may use it: real connections to lib/runtime/rtapi over lib/web/h1conn.
 *
 * The input is a script of steps that 0xff bytes part. Its first byte: 1 = events are delivered as soon as they are asked for; 2 = results are taken in
 * pieces, of which each that ends with '.' must be the last until there is room; 4 = there are two external extensions. Each step's first byte: 'A'..'D' the
 * rest is sent on that connection (made when first used; 0xfe and a digit are an extension's identifier), 'a'..'d' that connection is closed, '!' an event is
 * delivered, '~' there is room, '+', '-', '*' the extensions get INVOKE, SHUTDOWN, the first one's process ends, '#' the environment ends.
 * Each event gets at most one result, results come only for an event that was handed out, and everything is given back in the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "base/str.h"
#include "runtime/rtapi.h"

#define CONNS 4

struct world {
	struct fn_loop *loop;
	struct fn_h1_server *server;
	struct fn_rt *rt;
	struct fn_invocation *inv;
	struct sockaddr_un addr;
	socklen_t addr_len;
	int conn[CONNS];
	bool eager, out, ended, init_failed; /* out: an event is with the runtime */
	bool streams, begun, full;           /* of the result: in pieces */
	size_t written;
	unsigned delivered, results, sum;
	bool registered;                     /* all external extensions have */
};

static void deliver(struct world *w)
{
	bool waiting = fn_rt_waiting(w->rt);
	int r;

	if (w->delivered % 2 == 0)
		fn_rt_ask_loaded(w->rt);
	r = fn_rt_deliver(w->rt, w->inv);

	fuzz_check(r == 0 || (r == -EAGAIN && !waiting)); /* to one who has just gone may be delivered, too: nobody can know */
	if (r == 0) {
		fuzz_check(!w->out);
		w->out = true;
		w->delivered++;
	}
}

static void on_next(void *arg)
{
	struct world *w = arg;

	fuzz_check(!w->ended && !w->out && !w->init_failed);
	if (w->eager)
		deliver(w);
}

static void result(struct world *w, char *body, size_t len)
{
	fuzz_check(!w->ended && w->out);
	fuzz_check(len == 0 || body || w->begun);
	fuzz_check(len <= FN_RESPONSE_MAX);
	w->begun = false;
	w->inv->begun = false; /* it serves for the next, too */
	for (size_t i = 0; body && i < len; i++) /* all of it is there to be read */
		w->sum += (unsigned char)body[i];
	free(body);
	w->out = false;
	w->results++;
}

static void sink_begin(struct fn_invocation *inv, const char *content_type, enum fn_response_mode mode)
{
	struct world *w = inv->arg;

	(void)content_type;
	fuzz_check(w->out && !w->ended && !w->begun && mode <= FN_RESPONSE_STREAMING);
	w->begun = true;
	w->full = false;
	w->written = 0;
}

static bool sink_write(struct fn_invocation *inv, const void *data, size_t len)
{
	struct world *w = inv->arg;

	fuzz_check(w->begun && !w->ended && !w->full && len > 0);
	for (size_t i = 0; i < len; i++)
		w->sum += ((const unsigned char *)data)[i];
	w->written += len;
	w->full = ((const char *)data)[len - 1] == '.';
	return w->full;
}

static void sink_end(struct fn_invocation *inv) { (void)inv; }

static const struct fn_sink whole = {.end = sink_end, .fail = sink_end}, pieces = {.begin = sink_begin, .write = sink_write, .end = sink_end, .fail = sink_end};

static bool on_begin(void *arg)
{
	struct world *w = arg;

	fuzz_check(w->out && w->streams && !w->ended);
	return true;
}

static void on_truncated(void *arg) { result(arg, NULL, 0); }

static void on_invalid_mode(void *arg)
{
	struct world *w = arg;

	fuzz_check(!w->begun);
	result(w, NULL, 0);
}

static void on_response(void *arg, char *body, size_t len, const char *content_type)
{
	struct world *w = arg;

	if (w->begun)
		fuzz_check(!body && len == w->written && !w->full);
	fuzz_check(content_type && strlen(content_type) < 256);
	result(arg, body, len);
}

static void on_error(void *arg, char *body, size_t len, const char *error_type)
{
	fuzz_check(error_type && strlen(error_type) < 128);
	result(arg, body, len);
}

static void on_too_large(void *arg) { result(arg, NULL, 0); }

static void on_init_error(void *arg, char *body, size_t len, const char *error_type)
{
	struct world *w = arg;

	fuzz_check(!w->ended && !w->init_failed && w->delivered == 0 && error_type);
	fuzz_check(len == 0 || body);
	w->init_failed = true;
	free(body);
}

static void on_snapshot(void *arg, int fd)
{
	struct world *w = arg;

	fuzz_check(!w->ended && !w->init_failed && w->delivered == 0 && fd >= 0);
	close(fd);
}

static void on_snapshot_refused(void *arg, const char *why)
{
	struct world *w = arg;

	fuzz_check(!w->ended && !w->init_failed && w->delivered == 0 && strlen(why) < 256);
	for (; *why; why++)
		fuzz_check((unsigned char)*why >= ' ' && *why != 0x7f);
	w->init_failed = true;
}

static void on_unruly(void *arg) { (void)arg; }

/* --- extensions --- */
static void describe(void *arg, struct fn_ext_function *ret)
{
	(void)arg;
	*ret = (struct fn_ext_function){"f", "$LATEST", "handler\"", "000000000000"};
}

static void on_registered(void *arg)
{
	struct world *w = arg;

	fuzz_check(!w->ended && !w->registered); /* once */
	w->registered = true;
}

static void on_ready(void *arg)
{
	struct world *w = arg;
	struct fn_ext *x = fn_rt_extensions(w->rt);
	bool any = false;

	for (unsigned i = 0; i < fn_ext_count(x); i++) {
		struct fn_ext_info info;

		fn_ext_info(x, i, &info);
		any |= info.state == FN_EXT_READY;
		fuzz_check(fn_utf8_valid(info.name, strlen(info.name)) && strlen(info.name) <= FN_EXT_NAME_MAX && strlen(info.error_type) < 128);
		fuzz_check(info.process > 0 || !(info.events & FN_EXT_SHUTDOWN));
	}
	fuzz_check(!w->ended && any && fn_ext_count(x) <= FN_EXT_MAX);
}

static void on_extension_error(void *arg, bool init)
{
	struct world *w = arg;

	(void)init;
	fuzz_check(!w->ended && fn_ext_count(fn_rt_extensions(w->rt)) > 0 && !fn_ext_ready(fn_rt_extensions(w->rt), 0));
}

static const struct fn_ext_ops ext_ops = {describe, on_registered, on_ready, on_extension_error};

static void on_subscribe(void *arg, enum fn_telemetry_api api, const char *name, const char *body, size_t len, struct fn_telemetry_answer *ret)
{
	struct world *w = arg;

	fuzz_check(!w->ended && (api == FN_API_TELEMETRY || api == FN_API_LOGS) && name[0] && strlen(name) <= FN_EXT_NAME_MAX);
	fuzz_check(len <= FN_SUBSCRIPTION_BODY_MAX && memchr(body, 0, len + 1));
	*ret = (struct fn_telemetry_answer){.status = len ? 200 : 400, .body = "\"OK\""};
}

static void on_loaded(void *arg, const char *names, size_t len)
{
	struct world *w = arg;

	fuzz_check(!w->ended && len <= FN_LOADED_MAX && (len == 0 || names));
}

static const char *loaded(void *arg, size_t *ret_len)
{
	(void)arg;
	*ret_len = 4;
	return "a/B\n";
}

static bool on_restore_next(void *arg)
{
	struct world *w = arg;

	fuzz_check(!w->ended);
	return true;
}

static const struct fn_rt_ops ops = {on_next, on_response, on_error, on_too_large, on_init_error, on_snapshot, on_snapshot_refused, on_restore_next, on_init_error, on_unruly,
				     on_begin, on_truncated, on_invalid_mode, &ext_ops, on_subscribe, on_loaded, loaded};

static void turn(struct world *w)
{
	char sink[4096];

	for (int i = 0; i < 4; i++)
		fuzz_check(fn_loop_run_once(w->loop, 0) == 0);
	for (int c = 0; c < CONNS; c++)
		while (w->conn[c] >= 0 && recv(w->conn[c], sink, sizeof(sink), MSG_DONTWAIT) > 0)
			;
}

static void set_up(struct world *w, bool eager, bool streams)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*w = (struct world){.eager = eager, .streams = streams, .addr = {.sun_family = AF_UNIX}, .addr_len = sizeof(w->addr)};
	for (int i = 0; i < CONNS; i++)
		w->conn[i] = -1;
	fuzz_check(fn_loop_new(&w->loop) == 0 && fn_h1_server_new(w->loop, &w->server) == 0);
	fuzz_check(fd >= 0 && bind(fd, (struct sockaddr *)&w->addr, sizeof(sa_family_t)) == 0 && listen(fd, 16) == 0); /* an abstract name */
	fuzz_check(getsockname(fd, (struct sockaddr *)&w->addr, &w->addr_len) == 0);
	fuzz_check(fn_rt_new(w->loop, w->server, fd, &ops, w, &w->rt) == 0);
	w->inv = fn_invocation_new();
	fuzz_check(w->inv != NULL);
	w->inv->sink = streams ? &pieces : &whole;
	w->inv->arg = w;
	strcpy(w->inv->id, "11111111-1111-4111-8111-111111111111");
	w->inv->invoked_arn = strdup("arn:aws:lambda:us-east-1:000000000000:function:f");
	w->inv->payload = strdup("{\"event\":1}");
	w->inv->payload_len = strlen(w->inv->payload);
}

static void send_text(struct world *w, int fd, const char *s, size_t len)
{
	const struct fn_ext *x = fn_rt_extensions(w->rt);
	struct fn_ext_info info;

	while (len > 0) {
		const char *mark = memchr(s, '\xfe', len);
		size_t n = mark ? (size_t)(mark - s) : len;

		(void)send(fd, s, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		s += n;
		len -= n;
		if (len < 2)
			return;
		if ((unsigned)(s[1] - '0') < fn_ext_count(x)) {
			fn_ext_info(x, (unsigned)(s[1] - '0'), &info);
			(void)send(fd, info.identifier, strlen(info.identifier), MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		s += 2;
		len -= 2;
	}
}

static void step(struct world *w, const char *s, size_t len)
{
	int c;

	if (len == 0)
		return;
	if (s[0] == '!' && w->rt) {
		deliver(w);
	} else if (s[0] == '~') {
		w->full = false;
		fn_invocation_room(w->inv);
	} else if (s[0] == '+' && w->rt && fn_rt_extensions(w->rt)) {
		fn_ext_invoke(fn_rt_extensions(w->rt), w->inv);
	} else if (s[0] == '-' && w->rt && fn_rt_extensions(w->rt)) {
		fn_ext_shutdown(fn_rt_extensions(w->rt), "spindown", 1);
	} else if (s[0] == '*' && w->rt && fn_rt_extensions(w->rt)) {
		fn_ext_exited(fn_rt_extensions(w->rt), 1, len > 1);
	} else if (s[0] == '#' && w->rt) {
		w->ended = true;
		fn_rt_close(w->rt);
		w->rt = NULL;
	} else if (s[0] >= 'a' && s[0] < 'a' + CONNS) {
		c = s[0] - 'a';
		if (w->conn[c] >= 0)
			close(w->conn[c]);
		w->conn[c] = -1;
	} else if (s[0] >= 'A' && s[0] < 'A' + CONNS) {
		c = s[0] - 'A';
		if (w->conn[c] < 0 && w->rt) {
			w->conn[c] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			fuzz_check(connect(w->conn[c], (struct sockaddr *)&w->addr, w->addr_len) == 0);
		}
		if (w->conn[c] >= 0)
			send_text(w, w->conn[c], s + 1, len - 1);
	}
	turn(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	struct world w;
	uint8_t how;

	how = fuzz_byte(&in);
	set_up(&w, how & 1, how & 2);
	if (how & 4) {
		static const char *const names[] = {"one", "two"};

		fuzz_check(fn_rt_expect_extensions(w.rt, names, 2) == 0);
	}
	while (fuzz_more(&in)) {
		size_t len;
		char *s = fuzz_take(&in, 0xff, &len);

		step(&w, s, len);
		free(s);
	}
	fuzz_check(w.results + w.out == w.delivered);
	if (w.rt) {
		w.ended = true;
		fn_rt_close(w.rt);
	}
	for (int c = 0; c < CONNS; c++)
		if (w.conn[c] >= 0)
			close(w.conn[c]);
	for (int c = 0; c < CONNS; c++)
		w.conn[c] = -1;
	turn(&w);
	turn(&w);
	fn_h1_server_free(w.server);
	fn_loop_free(w.loop);
	fuzz_check(w.inv->refs == 1);
	fn_invocation_unref(w.inv);
	return 0;
}

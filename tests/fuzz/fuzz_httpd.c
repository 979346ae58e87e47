/*
 * fuzz_httpd.c - the public HTTP server under hostile clients: real connections to lib/web/httpd, handlers that reply at once, later, or when
 * the client has gone.
 *
 * The input is a script of steps that 0xff bytes part. Each step's first byte: 'A'..'D' the rest is sent on that connection (made when first
 * used), 'a'..'d' that connection is closed, '1'..'4' its sending half is, 'o' the oldest held request gets a reply whose body is owned, 'f' one
 * from a file, 'r' a copied one, 'w' one in pieces, of which the last waits for the client; 'u' what is paused goes on, 'q' the server stops accepting. A
 * path that begins with "/h" is held; the others are answered at once. The second letter of a path may say how its body comes: 'p' in pieces, 'z' so, and
 * paused after each, 'e' so, and answered after the first, 'k' kept too, 'n' not at all; or 'g', that its connection is handed over, once.
 * Each request is delivered whole and clean, each reply released once, and in the end nothing is counted as running.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "web/httpd.h"

#define CONNS 4
#define HELD 16
#define BODY_MAX 64u
#define LARGE (1u << 20)

static struct {
	struct fn_loop *loop;
	struct fn_httpd *httpd;
	int conn[CONNS];
	struct fn_http_req *held[HELD];
	struct fn_http_req *coming[CONNS]; /* paused, perhaps */
	unsigned n_held, owned, released, writing;
	struct fn_bodies *bodies;
	char *large;
} w;

static void released(void *arg)
{
	(void)arg;
	w.released++;
}

static void check_text(const char *s)
{
	for (; *s; s++)
		fuzz_check(((unsigned char)*s >= ' ' && *s != 0x7f) || *s == '\t');
}

static bool check_header(void *arg, const char *name, const char *value)
{
	(void)arg;
	fuzz_check(*name);
	check_text(name);
	check_text(value);
	return true;
}

static void check_request(const struct fn_http_req *r)
{
	const char *body, *path = fn_http_req_path(r);
	size_t len;

	fuzz_check(*fn_http_req_method(r) && (*path == '/' || *path == '*') && !strchr(path, '?'));
	check_text(path);
	check_text(fn_http_req_raw_query(r));
	fn_http_req_each_header(r, check_header, NULL);
	fn_http_req_body(r, &body, &len);
	fuzz_check(len <= BODY_MAX && !(len && (fn_http_req_too_large(r) || fn_http_req_unread(r))) && body[len] == '\0');
	(void)fn_http_req_query(r, "a");
}

/* What a request has with it while its body comes. */
struct coming {
	struct fn_http_req *r;
	size_t len;
};

static void on_release(void *user)
{
	for (int i = 0; i < CONNS; i++)
		if (w.coming[i] == ((struct coming *)user)->r)
			w.coming[i] = NULL;
	free(user);
}

/* To the same server, as if it were another. */
static int hand_over(void *arg, int fd, const struct fn_http_handed *what)
{
	struct fn_http_handed it = *what;
	char *bytes = malloc(what->bytes[1].iov_len + 1);
	int r;

	(void)arg;
	fuzz_check(bytes != NULL);
	memcpy(bytes, what->bytes[1].iov_base, what->bytes[1].iov_len);
	it.bytes[1].iov_base = bytes;
	it.stays = 1;
	fd = dup(fd);
	fuzz_check(fd >= 0);
	r = fn_httpd_add_handed(w.httpd, fd, &it);
	free(bytes);
	return r;
}

static bool on_elsewhere(void *arg, struct fn_http_req *r)
{
	const char *path = fn_http_req_path(r);

	(void)arg;
	return path[0] == '/' && path[1] == 'g' && !fn_http_req_stays(r) && fn_http_req_hand_over(r, hand_over, NULL) == 0;
}

static size_t on_body_max(void *arg, struct fn_http_req *r)
{
	char how = fn_http_req_path(r)[0] == '/' ? fn_http_req_path(r)[1] : '\0';
	struct coming *c;

	(void)arg;
	check_header(NULL, "x", fn_http_req_path(r));
	if (how && strchr("pzek", how)) {
		c = calloc(1, sizeof(*c));
		fuzz_check(c != NULL && !fn_http_req_user(r));
		c->r = r;
		fn_http_req_set_user(r, c, on_release);
		fn_http_req_take(r, how == 'k' ? FN_H1_BOTH : FN_H1_PIECES);
	} else if (how == 'n') {
		fn_http_req_take(r, FN_H1_NOTHING);
	}
	return how == '0' ? 0 : BODY_MAX;
}

static void reply(struct fn_http_req *r, char how);

static void on_piece(void *arg, struct fn_http_req *r, const char *data, size_t len)
{
	struct coming *c = fn_http_req_user(r);
	char how = fn_http_req_path(r)[1];

	(void)arg;
	(void)data;
	c->len += len;
	fuzz_check(len > 0 && c->len <= BODY_MAX);
	if (how == 'z') {
		fn_http_req_pause(r);
		for (int i = 0; i < CONNS; i++)
			if (!w.coming[i] || w.coming[i] == r) {
				w.coming[i] = r;
				return;
			}
		fn_http_req_resume(r);
	} else if (how == 'e') {
		reply(r, 'r');
	}
}

static void on_cut(void *arg, struct fn_http_req *r)
{
	(void)arg;
	fuzz_check(fn_http_req_user(r) != NULL);
}

static void resume_all(void)
{
	for (int i = 0; i < CONNS; i++)
		if (w.coming[i])
			fn_http_req_resume(w.coming[i]);
}

/* One piece after the other, until one has to wait; the reply ends with that. */
static void on_drained(void *arg, struct fn_http_req *r)
{
	static const struct fn_h1_header trailers[] = {{"X-T", "a\nb"}};

	(void)arg;
	w.writing--;
	if (fn_http_req_raw_query(r)[0] == 'f')
		fn_http_reply_fail(r);
	else
		fn_http_reply_end(r, trailers, 1);
}

static void reply(struct fn_http_req *r, char how)
{
	int fd = -1;

	check_request(r);
	(void)fn_http_req_add_header(r, "X-A", fn_http_req_path(r));
	switch (how) {
	case 'o':
		w.owned++;
		fn_http_reply_owned(r, 200, "text/plain", w.large, LARGE, released, NULL);
		break;
	case 'f':
		fd = memfd_create("reply", MFD_CLOEXEC);
		fuzz_check(fd >= 0 && write(fd, w.large, 3000) == 3000);
		fn_http_reply_fd(r, 200, NULL, fd, fn_http_req_raw_query(r)[0] ? 4000 : 3000);
		break;
	case 'w':
		fn_http_reply_begin(r, 200, "text/plain");
		w.writing++;
		if (!fn_http_reply_write(r, "abc", 3) && !fn_http_reply_write(r, w.large, LARGE) && !fn_http_reply_write(r, w.large, LARGE))
			on_drained(NULL, r);
		break;
	default:
		fn_http_reply(r, 404, "text/plain", fn_http_req_path(r), strlen(fn_http_req_path(r)));
		break;
	}
}

static void on_request(void *arg, struct fn_http_req *r)
{
	const char *path = fn_http_req_path(r);

	(void)arg;
	check_request(r);
	if (path[0] == '/' && path[1] == 'h' && w.n_held < HELD)
		w.held[w.n_held++] = r;
	else
		reply(r, (char)(path[0] == '/' ? path[1] : 'r'));
}

static void reply_oldest(char how)
{
	struct fn_http_req *r = w.held[0];

	if (w.n_held == 0)
		return;
	w.n_held--;
	for (unsigned i = 0; i < w.n_held; i++)
		w.held[i] = w.held[i + 1];
	reply(r, how);
}

static void turn(void)
{
	static char sink[65536];

	for (int i = 0; i < 3; i++)
		fuzz_check(fn_loop_run_once(w.loop, 0) == 0);
	for (int c = 0; c < CONNS; c++)
		while (w.conn[c] >= 0 && recv(w.conn[c], sink, sizeof(sink), MSG_DONTWAIT) > 0)
			fuzz_check(fn_loop_run_once(w.loop, 0) == 0);
}

static void step(const char *s, size_t len)
{
	int c, pair[2];

	if (s[0] >= 'A' && s[0] < 'A' + CONNS) {
		c = s[0] - 'A';
		if (w.conn[c] < 0) {
			fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
			w.conn[c] = fn_httpd_add_conn(w.httpd, pair[0]) == 0 ? pair[1] : -1;
			if (w.conn[c] < 0) /* the limit */
				close(pair[1]);
		}
		if (w.conn[c] >= 0)
			(void)send(w.conn[c], s + 1, len - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	} else if (s[0] >= 'a' && s[0] < 'a' + CONNS) {
		c = s[0] - 'a';
		if (w.conn[c] >= 0)
			close(w.conn[c]);
		w.conn[c] = -1;
	} else if (s[0] > '0' && s[0] <= '0' + CONNS) {
		c = s[0] - '1';
		if (w.conn[c] >= 0)
			(void)shutdown(w.conn[c], SHUT_WR);
	} else if (s[0] == 'u') {
		resume_all();
	} else if (s[0] == 'o' || s[0] == 'f' || s[0] == 'r' || s[0] == 'w') {
		reply_oldest(s[0]);
		return; /* without a turn: what comes next may meet the reply half-way */
	} else if (s[0] == 'q') {
		fn_httpd_quiesce(w.httpd);
	}
	turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fn_httpd_ops ops = {on_elsewhere, on_body_max, on_request, on_piece, on_cut, on_drained};
	struct fn_httpd_config config = {.listen_fd = -EBADF, .body_max = BODY_MAX, .conn_max = 3, .idle_timeout_s = 10, .ops = &ops};
	struct fuzz_in in = {data, data + size};
	struct fn_err err;

	(void)signal(SIGPIPE, SIG_IGN);
	if (!w.large)
		w.large = calloc(1, LARGE);
	w.n_held = w.owned = w.released = w.writing = 0;
	fuzz_check(fn_bodies_new(2 * BODY_MAX, BODY_MAX + 10, &w.bodies) == 0);
	config.kept = config.streamed = w.bodies;
	fuzz_check(w.large && fn_loop_new(&w.loop) == 0 && fn_httpd_new(w.loop, &config, &w.httpd, &err) == 0);
	for (int c = 0; c < CONNS; c++)
		w.conn[c] = -1;
	while (fuzz_more(&in)) {
		size_t len;
		char *s = fuzz_take(&in, 0xff, &len);

		step(s, len);
		free(s);
	}
	if (size % 2) { /* the server ends first, or its clients do */
		for (int c = 0; c < CONNS; c++)
			if (w.conn[c] >= 0)
				close(w.conn[c]);
		for (int c = 0; c < CONNS; c++)
			w.conn[c] = -1;
		turn();
		while (w.n_held > 0)
			reply_oldest('o');
		fuzz_check(fn_httpd_active(w.httpd) == 0);
	}
	fn_httpd_free(w.httpd);
	while (w.n_held > 0)
		reply_oldest('f');
	fuzz_check(w.owned == w.released && w.writing == 0 && fn_bodies_bytes(w.bodies) == 0);
	fn_bodies_free(w.bodies);
	for (int c = 0; c < CONNS; c++)
		if (w.conn[c] >= 0)
			close(w.conn[c]);
	fn_loop_free(w.loop);
	return 0;
}

/* Requests whose bodies come in pieces, replies that go in pieces, and how much of bodies is under way, at the public server. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "unit/main.h"
#include "web/httpd.h"

static struct fn_loop *loop;
static struct fn_httpd *httpd;
static struct fn_bodies *kept, *streamed;
static struct fn_http_req *held;
static int peers[4], mark;
static unsigned n_requests, n_cut, n_drained, n_begun, n_released;
static struct fn_buf pieces, in;
static char seen[200], large[100000];

/* The path says how: /whole, /pieces, /both, /unread, and what then: -hold, -early, -begin. */
static bool asks(struct fn_http_req *r, const char *word) { return strstr(fn_http_req_path(r), word) != NULL; }

static void on_release(void *user)
{
	ck_assert_ptr_eq(user, &mark);
	n_released++;
}

static size_t on_body_max(void *arg, struct fn_http_req *r)
{
	(void)arg;
	ck_assert_ptr_null(fn_http_req_user(r));
	n_begun++;
	fn_http_req_set_user(r, &mark, on_release);
	fn_http_req_take(r, asks(r, "/pieces") ? FN_H1_PIECES : asks(r, "/both") ? FN_H1_BOTH : asks(r, "/unread") ? FN_H1_NOTHING : FN_H1_WHOLE);
	snprintf(seen, sizeof(seen), "%s%lld", fn_http_req_body_here(r) ? "here " : "", (long long)fn_http_req_body_left(r));
	return 100;
}

static void on_piece(void *arg, struct fn_http_req *r, const char *data, size_t len)
{
	(void)arg;
	ck_assert_ptr_eq(fn_http_req_user(r), &mark);
	ck_assert_int_eq(fn_buf_add(&pieces, data, len), 0);
	held = r;
	if (asks(r, "-pause"))
		fn_http_req_pause(r);
	if (asks(r, "-early"))
		fn_http_reply(r, 413, "text/plain", "early", 5);
}

static void on_cut(void *arg, struct fn_http_req *r)
{
	(void)arg;
	ck_assert_ptr_eq(fn_http_req_user(r), &mark);
	n_cut++;
}

static void on_request(void *arg, struct fn_http_req *r)
{
	const char *body, *t = fn_http_req_trailer(r, "T");
	fn_auto_buf struct fn_buf out = {0};
	size_t len;

	(void)arg;
	n_requests++;
	fn_http_req_body(r, &body, &len);
	ck_assert_int_eq(fn_buf_addf(&out, "%s%s%s<%.*s>%s", fn_http_req_unread(r) ? "unread" : "", fn_http_req_crowded(r) ? " crowded" : "",
				     fn_http_req_too_large(r) ? " large" : "", (int)len, body, t ? t : ""), 0);
	held = r;
	if (asks(r, "-begin"))
		fn_http_reply_begin(r, 200, "text/plain");
	else if (!asks(r, "-hold"))
		fn_http_reply(r, 200, "text/plain", out.data, out.len);
}

static void on_drained(void *arg, struct fn_http_req *r)
{
	(void)arg;
	ck_assert_ptr_eq(r, held);
	n_drained++;
	if (asks(r, "-end"))
		fn_http_reply_end(r, NULL, 0);
}

static unsigned n_own_drained;
static void on_own_drained(void *arg)
{
	ck_assert_ptr_eq(arg, &mark);
	n_own_drained++;
}

static const struct fn_httpd_ops ops = {.body_max = on_body_max, .request = on_request, .piece = on_piece, .cut = on_cut, .drained = on_drained};

static int peer(void)
{
	int p[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p), 0);
	ck_assert_int_eq(fn_httpd_add_conn(httpd, p[1]), 0);
	return p[0];
}

static void set_up(void)
{
	struct fn_httpd_config c = {.listen_fd = -EBADF, .conn_max = 10, .ops = &ops};
	struct fn_err err;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	memset(large, 'l', sizeof(large));
	ck_assert_int_eq(fn_bodies_new(100, 100, &kept), 0);
	ck_assert_int_eq(fn_bodies_new(100, 100, &streamed), 0);
	c.kept = kept;
	c.streamed = streamed;
	ck_assert_int_eq(fn_httpd_new(loop, &c, &httpd, &err), 0);
	for (int i = 0; i < 4; i++)
		peers[i] = peer();
}

static void tear_down(void)
{
	for (int i = 0; i < 4; i++)
		close(peers[i]);
	fn_httpd_free(httpd);
	ck_assert_uint_eq(n_released, n_begun);
	ck_assert_uint_eq(fn_bodies_bytes(kept) + fn_bodies_bytes(streamed), 0);
	fn_bodies_free(kept);
	fn_bodies_free(streamed);
	fn_loop_free(loop);
	fn_buf_free(&pieces);
	fn_buf_free(&in);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
}

static void say(int i, const char *text)
{
	ck_assert_int_eq(send(peers[i], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

static const char *hear(int i)
{
	char chunk[65536];
	ssize_t n;

	fn_buf_reset(&in);
	while ((n = recv(peers[i], chunk, sizeof(chunk), 0)) > 0)
		ck_assert_int_eq(fn_buf_add(&in, chunk, (size_t)n), 0);
	ck_assert_int_eq(fn_buf_add_str(&in, n == 0 ? "EOF" : ""), 0);
	return in.data;
}

static void post(int i, const char *path, unsigned length, const char *body)
{
	char text[300];

	snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n\r\n%s", path, length, body);
	say(i, text);
}

static void ck_hears(int i, const char *end)
{
	const char *t = hear(i);

	ck_assert_msg(strlen(t) >= strlen(end) && strcmp(t + strlen(t) - strlen(end), end) == 0, "%s is not the end of: %.3000s", end, t);
}

START_TEST(test_pieces)
{
	set_up();
	post(0, "/pieces", 4, "ab");
	ck_assert_str_eq(seen, "4");
	ck_assert_uint_eq(fn_httpd_active(httpd), 0);
	say(0, "cd");
	ck_assert_str_eq(pieces.data, "abcd");
	ck_hears(0, "<>");
	say(0, "POST /both HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nef\r\n0\r\nT: v\r\n\r\n");
	ck_assert_str_eq(seen, "-1");
	ck_assert_str_eq(pieces.data, "abcdef");
	ck_hears(0, "<ef>v");
	post(0, "/whole", 2, "gh");
	ck_assert_str_eq(seen, "here 2");
	ck_hears(0, "<gh>");
	post(0, "/unread", 4, "");
	ck_hears(0, "unread<>EOF");
	post(1, "/pieces", 101, "");
	ck_hears(1, "unread large<>EOF");
	ck_assert_uint_eq(n_cut, 0);
	say(2, "POST /pieces HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"); /* no Host */
	ck_assert_uint_eq(n_cut, 1);
	ck_hears(2, "\"}EOF");
	ck_assert(strstr(in.data, "HTTP/1.1 400 "));
	ck_assert_uint_eq(fn_httpd_active(httpd), 0);
	tear_down();
}
END_TEST

START_TEST(test_paused)
{
	set_up();
	post(0, "/pieces-pause", 4, "ab");
	say(0, "cd");
	ck_assert_str_eq(pieces.data, "ab");
	fn_http_req_resume(held);
	turn();
	ck_assert_str_eq(pieces.data, "abcd");
	ck_assert_uint_eq(n_requests, 0);
	fn_http_req_resume(held);
	turn();
	ck_hears(0, "<>");
	post(0, "/pieces-pause", 4, "ab"); /* its client goes */
	close(peers[0]);
	turn();
	ck_assert_uint_eq(n_cut, 1);
	peers[0] = peer();
	post(0, "/pieces-pause", 4, "ab"); /* or the server ends */
	tear_down();
	ck_assert_uint_eq(n_cut, 2);
	ck_assert_uint_eq(n_requests, 1);
}
END_TEST

START_TEST(test_early_replies)
{
	set_up();
	post(0, "/pieces-early", 4, "ab");
	ck_hears(0, "\r\n\r\nearlyEOF");
	ck_assert_uint_eq(fn_httpd_active(httpd), 0);
	say(0, "cd");
	ck_assert_uint_eq(n_cut + n_requests, 0);
	ck_assert_str_eq(pieces.data, "ab");
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 0);
	tear_down();
}
END_TEST

/* Those under way count, until they are with the handler; those in pieces until their reply. */
START_TEST(test_too_many)
{
	set_up();
	post(0, "/pieces", 60, "x");
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 60);
	post(1, "/pieces", 41, "");
	ck_hears(1, "unread crowded<>EOF");
	post(2, "/whole-hold", 60, ""); /* they count elsewhere */
	ck_assert_uint_eq(fn_bodies_bytes(kept), 60);
	post(3, "/whole", 41, "");
	ck_hears(3, "unread crowded<>EOF");
	say(2, "0123456789012345678901234567890123456789012345678901234567890");
	ck_assert_uint_eq(fn_bodies_bytes(kept), 0);
	fn_http_reply(held, 200, NULL, "", 0);
	for (int i = 1; i < 4; i++) {
		close(peers[i]);
		peers[i] = peer();
	}
	post(1, "/pieces", 40, "");
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 100);
	post(2, "/pieces", 5, "12345"); /* one that is here is not under way */
	ck_hears(2, "<>");
	close(peers[0]); /* one that is cut is no more */
	turn();
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 40);
	peers[0] = peer();
	say(0, "POST /pieces HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"); /* it may be as long as any */
	ck_hears(0, "unread crowded<>EOF");
	say(1, "0123456789012345678901234567890123456789");
	ck_hears(1, "<>");
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 0);
	close(peers[0]);
	peers[0] = peer();
	say(0, "POST /pieces-hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 100);
	close(peers[0]); /* gone, but its reply is owed */
	turn();
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 100);
	fn_http_reply(held, 200, NULL, "", 0);
	ck_assert_uint_eq(fn_bodies_bytes(streamed), 0);
	peers[0] = peer();
	post(0, "/whole", 50, ""); /* refused in the middle */
	shutdown(peers[0], SHUT_WR);
	turn();
	ck_assert_uint_eq(fn_bodies_bytes(kept), 0);
	tear_down();
}
END_TEST

START_TEST(test_shares)
{
	struct fn_bodies *b;

	ck_assert_int_eq(fn_bodies_new(100, 60, &b), 0);
	ck_assert(fn_bodies_take(b, 1, 60));
	ck_assert(!fn_bodies_take(b, 1, 1));
	ck_assert(!fn_bodies_take(b, 2, 41));
	ck_assert(fn_bodies_take(b, 2, 40));
	ck_assert(!fn_bodies_take(b, 3, 1));
	fn_bodies_give(b, 1, 20);
	ck_assert_uint_eq(fn_bodies_bytes(b), 80);
	ck_assert(fn_bodies_take(b, 2, 20));
	ck_assert(!fn_bodies_take(b, 2, UINT64_MAX));
	fn_bodies_give(b, 1, 40);
	fn_bodies_give(b, 2, 60);
	ck_assert(fn_bodies_take(b, 4, 1000)); /* one that is larger than all may be, alone */
	ck_assert(!fn_bodies_take(b, 4, 1));
	ck_assert(!fn_bodies_take(b, 5, 1));
	fn_bodies_free(b);
}
END_TEST

START_TEST(test_reply_in_pieces)
{
	static const struct fn_h1_header trailers[] = {{"X-T", "1"}};
	const struct iovec parts[] = {{"abc", 3}, {"", 0}, {"def", 3}};

	set_up();
	say(0, "GET /-begin HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_uint_eq(fn_httpd_active(httpd), 1);
	ck_assert(!fn_http_reply_write(held, "abc", 3));
	fn_http_reply_end(held, trailers, 1);
	ck_hears(0, "\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n");
	ck_assert_uint_eq(fn_httpd_active(httpd), 0);
	say(0, "GET /-begin HTTP/1.1\r\nHost: h\r\n\r\n");
	fn_http_reply_write(held, "abc", 3);
	fn_http_reply_fail(held);
	ck_hears(0, "3\r\nabc\r\nEOF");
	ck_assert_uint_eq(fn_httpd_active(httpd), 0);
	say(1, "GET /-begin HTTP/1.1\r\nHost: h\r\n\r\n");
	while (!fn_http_reply_write(held, large, sizeof(large)))
		;
	ck_assert_uint_eq(n_drained, 0);
	while (n_drained == 0) {
		hear(1);
		turn();
	}
	fn_http_reply_end(held, NULL, 0);
	while (!strstr(hear(1), "0\r\n\r\n"))
		turn();
	say(2, "GET /-begin HTTP/1.1\r\nHost: h\r\n\r\n"); /* out of parts, and with a waiter of its own */
	fn_http_reply_on_drained(held, on_own_drained, &mark);
	ck_assert(!fn_http_reply_write_parts(held, parts, 3));
	ck_hears(2, "\r\n\r\n6\r\nabcdef\r\n");
	while (!fn_http_reply_write_parts(held, (struct iovec[]){{large, sizeof(large) / 2}, {large, sizeof(large) / 2}}, 2))
		;
	while (n_own_drained == 0) {
		hear(2);
		turn();
	}
	ck_assert_uint_eq(n_drained, 1);
	fn_http_reply_end(held, NULL, 0);
	tear_down();
}
END_TEST

/* It is owed to the end, and whoever waits goes on. */
START_TEST(test_reply_in_pieces_to_nobody)
{
	set_up();
	say(0, "GET /-begin HTTP/1.1\r\nHost: h\r\n\r\n");
	close(peers[0]);
	turn();
	ck_assert(!fn_http_reply_write(held, "abc", 3));
	ck_assert_str_eq(fn_http_req_path(held), "/-begin");
	fn_http_reply_end(held, NULL, 0);
	ck_assert_uint_eq(n_drained, 0);
	for (int i = 1; i < 3; i++) {
		say(i, i == 1 ? "GET /-begin HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /-begin-end HTTP/1.1\r\nHost: h\r\n\r\n");
		while (!fn_http_reply_write(held, large, sizeof(large)))
			;
		close(peers[i]);
		turn();
		ck_assert_uint_eq(n_drained, i);
		if (i == 1)
			fn_http_reply_fail(held);
		ck_assert_uint_eq(fn_httpd_active(httpd), 0);
	}
	say(3, "GET /-hold HTTP/1.1\r\nHost: h\r\n\r\n"); /* gone before it begins */
	close(peers[3]);
	turn();
	fn_http_reply_begin(held, 200, NULL);
	ck_assert(!fn_http_reply_write(held, "abc", 3));
	fn_http_reply_end(held, NULL, 0);
	for (int i = 0; i < 4; i++)
		peers[i] = -1;
	tear_down();
}
END_TEST

TEST_MAIN("web/http_req", test_pieces, test_paused, test_early_replies, test_too_many, test_shares, test_reply_in_pieces, test_reply_in_pieces_to_nobody)

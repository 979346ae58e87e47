/* Server connections over socket pairs: what a peer, hostile or slow, sees and what the owner is told. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/main.h"
#include "web/h1conn.h"

#define BIG (4u << 20)

static struct fn_loop *loop;
static struct fn_h1_server *server;
static struct fn_h1_conn *conn, *held;
static int peer;
static unsigned n_requests, n_closed, n_released;
static char order[64], last_body[64];
static size_t limit = 1000;
static char *big;
static int upgraded;
static enum fn_h1_take how; /* the next bodies are taken */
static bool pause_each, reply_early;
static unsigned n_pieces, n_cut, n_drained;
static size_t longest, behind;
static struct fn_buf pieces;

static void released(void *arg)
{
	(void)arg;
	n_released++;
}

static void answer(struct fn_h1_conn *c, const char *body, bool later)
{
	const struct fn_h1_header h[] = {{"X-A", "1\r\nX-B: 2"}};
	const struct fn_h1_reply r = {.status = 200, .content_type = "text/plain", .headers = h, .n_headers = 1, .body = body, .len = strlen(body), .later = later,
				      .joins = strcmp(body, "/join") == 0};

	fn_h1_conn_reply(c, &r);
}

static size_t on_body_max(void *arg, struct fn_h1_conn *c, struct fn_h1 *req, size_t ahead)
{
	(void)arg;
	ck_assert_ptr_eq(c, conn);
	req->take = how;
	behind = ahead;
	return limit;
}

static void on_piece(void *arg, struct fn_h1_conn *c, const char *data, size_t len)
{
	(void)arg;
	ck_assert_ptr_eq(c, conn);
	ck_assert_uint_gt(len, 0);
	longest = len > longest ? len : longest;
	ck_assert_int_eq(fn_buf_add(&pieces, data, len), 0);
	n_pieces++;
	if (pause_each)
		fn_h1_conn_pause(c);
	if (reply_early)
		answer(c, "early", false);
}

static void on_cut(void *arg, struct fn_h1_conn *c)
{
	(void)arg;
	(void)c;
	n_cut++;
}

static void on_drained(void *arg, struct fn_h1_conn *c)
{
	(void)arg;
	ck_assert_ptr_eq(c, conn);
	n_drained++;
}

/* The target says what to do. */
static void on_request(void *arg, struct fn_h1_conn *c, struct fn_h1 *req)
{
	const char *t = fn_h1_target(req);

	(void)arg;
	ck_assert_ptr_eq(c, conn);
	n_requests++;
	snprintf(last_body, sizeof(last_body), "%s%.*s", req->too_large ? "large" : "", (int)req->body.len, req->body.data ? req->body.data : "");
	if (strcmp(t, "/hold") == 0) {
		held = c;
	} else if (strcmp(t, "/big") == 0) {
		const struct fn_h1_reply r = {.status = 200, .body = big, .len = BIG, .release = released};

		fn_h1_conn_reply(c, &r);
	} else if (strcmp(t, "/upgrade") == 0) {
		upgraded = fn_h1_conn_upgrade(c, "tar");
		conn = NULL;
	} else if (strcmp(t, "/close") == 0) {
		fn_h1_conn_close(c);
		conn = NULL;
	} else {
		answer(c, t, strcmp(t, "/later") == 0 || strcmp(t, "/join") == 0);
	}
}

static void on_closed(void *arg, struct fn_h1_conn *c)
{
	(void)arg;
	ck_assert_ptr_eq(c, conn);
	conn = NULL;
	n_closed++;
}

static const struct fn_h1_ops ops = {.body_max = on_body_max, .request = on_request, .closed = on_closed, .piece = on_piece, .cut = on_cut,
				    .drained = on_drained};

static void open_conn(void)
{
	int p[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p), 0);
	peer = p[0];
	n_requests = n_closed = n_released = n_pieces = n_cut = n_drained = 0;
	fn_buf_reset(&pieces);
	longest = 0;
	how = FN_H1_WHOLE;
	pause_each = reply_early = false;
	held = NULL;
	ck_assert_int_eq(fn_h1_conn_new(server, p[1], &ops, NULL, &conn), 0);
}

static void set_up(void)
{
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_h1_server_new(loop, &server), 0);
	big = malloc(BIG);
	memset(big, 'b', BIG);
	open_conn();
}

static void tear_down(void)
{
	if (conn)
		fn_h1_conn_close(conn);
	close(peer);
	fn_h1_server_free(server);
	fn_loop_free(loop);
	fn_buf_free(&pieces);
	free(big);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
}

static void say(const char *text)
{
	ck_assert_int_eq(send(peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

/* What has come by now; "" = nothing, "EOF" = the end. */
static const char *heard(void)
{
	static char text[8192];
	ssize_t n = recv(peer, text, sizeof(text) - 1, 0);

	if (n < 0)
		return errno == EAGAIN ? "" : "reset";
	text[n] = '\0';
	return n == 0 ? "EOF" : text;
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static bool ends(const char *text, const char *with) { return strlen(text) >= strlen(with) && strcmp(text + strlen(text) - strlen(with), with) == 0; }

START_TEST(test_answers)
{
	const char *t;

	set_up();
	say("GET /x HTTP/1.1\r\n\r\n");
	t = heard();
	ck_assert_msg(strstr(t, "HTTP/1.1 200 OK\r\nDate: ") == t, "%s", t);
	ck_assert_msg(strstr(t, " GMT\r\nContent-Type: text/plain\r\nX-A: 1  X-B: 2\r\nContent-Length: 2\r\n\r\n/x") != NULL, "%s", t);
	say("HEAD /x HTTP/1.1\r\n\r\n");
	ck_assert(ends(heard(), "Content-Length: 2\r\n\r\n"));
	say("POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	ck_assert_str_eq(heard(), "HTTP/1.1 100 Continue\r\n\r\n");
	say("ab");
	ck_assert_str_eq(heard(), "");
	say("cd");
	ck_assert(ends(heard(), "\r\n\r\n/p"));
	ck_assert_str_eq(last_body, "abcd");
	limit = 3;
	say("POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd");
	ck_assert_str_eq(last_body, "large");
	heard();
	say("GET /x HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n");
	t = heard();
	ck_assert(strstr(t, "Connection: close\r\n") && ends(t, "/x"));
	ck_assert_str_eq(heard(), "EOF");
	ck_assert_uint_eq(n_requests, 5);
	ck_assert_uint_eq(n_closed, 0); /* until the peer closes too, or talks on for too long */
	close(peer);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	open_conn();
	say("GET /x HTTP/1.0\r\n\r\n");
	ck_assert(strstr(heard(), "Connection: close\r\n"));
	ck_assert_str_eq(heard(), "EOF");
	tear_down();
}
END_TEST

START_TEST(test_refusals)
{
	set_up();
	say("GET /x HTTP/1.1\r\nA : b\r\n");
	ck_assert(strstr(heard(), "HTTP/1.1 400 Bad Request\r\n"));
	ck_assert_str_eq(heard(), "EOF");
	for (int i = 0; i < 40 && n_closed == 0; i++) { /* a peer that talks on for ever is cut off */
		send(peer, big, 65536, MSG_NOSIGNAL);
		turn();
	}
	ck_assert_uint_eq(n_closed, 1);
	close(peer);
	open_conn();
	say("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
	shutdown(peer, SHUT_WR);
	turn();
	ck_assert(strstr(heard(), "HTTP/1.1 400 Bad Request\r\n")); /* cut off in the middle */
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_uint_eq(n_requests, 0);
	close(peer);
	open_conn();
	send(peer, "GET /x HTTP/1.1\r\n\r\n", 19, 0); /* whole, and no more will come: it is answered */
	shutdown(peer, SHUT_WR);
	turn();
	ck_assert(ends(heard(), "/x"));
	ck_assert_uint_eq(n_closed, 1);
	tear_down();
}
END_TEST

START_TEST(test_pipelining)
{
	const char *t;

	set_up();
	say("GET /1 HTTP/1.1\r\n\r\nGET /later HTTP/1.1\r\n\r\nGET /hold HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\n\r\nGET /5 HT");
	ck_assert_uint_eq(n_requests, 3);
	t = heard();
	ck_assert_uint_eq(count(t, "HTTP/1.1 200"), 2);
	for (int i = 0; i < 40; i++) { /* it may send on: nothing is read, and we are not kept busy */
		(void)!send(peer, "TP/1.1\r\n\r\nGET /6 HTTP/1.1\r\n\r\nGET /7 HT", i ? 0 : 38, MSG_NOSIGNAL);
		turn();
	}
	ck_assert_uint_eq(n_requests, 3);
	ck_assert(!fn_h1_conn_peer_gone(held));
	answer(held, "held", false);
	ck_assert(ends(heard(), "held"));
	ck_assert_uint_eq(n_requests, 3); /* whoever replies is not called back */
	turn();
	ck_assert_uint_eq(n_requests, 6);
	t = heard();
	ck_assert(strstr(t, "/4HTTP") && strstr(t, "/5HTTP") && ends(t, "/6"));
	say("TP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 7);
	say("GET /hold HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n"); /* and nothing more comes that would wake us */
	answer(held, "held", false);
	heard();
	turn();
	ck_assert_uint_eq(n_requests, 9);
	ck_assert(ends(heard(), "/x"));
	say("GET /1 HTTP/1.1\r\n\r\nGET /close HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 11);
	ck_assert_ptr_null(conn);
	tear_down();
}
END_TEST

START_TEST(test_peers_that_go)
{
	set_up();
	say("GET /hold HTTP/1.1\r\n\r\n");
	ck_assert(!fn_h1_conn_peer_gone(held));
	close(peer);
	ck_assert(fn_h1_conn_peer_gone(held));
	turn();
	ck_assert_uint_eq(n_closed, 1);
	open_conn(); /* pipelined bytes do not hide the end */
	say("GET /hold HTTP/1.1\r\n\r\n");
	say("GET /x HTTP/1.1\r\n\r\n");
	close(peer);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_uint_eq(n_requests, 1);
	open_conn(); /* it goes just before its answer, which fails; whoever replies is not called back */
	say("GET /hold HTTP/1.1\r\n\r\n");
	close(peer);
	answer(held, "x", false);
	ck_assert_uint_eq(n_closed, 0);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	open_conn();
	say("GET /hold HTTP/1.1\r\n\r\n");
	answer(held, "x", true);
	close(peer);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	peer = -1;
	tear_down();
}
END_TEST

START_TEST(test_slow_reader)
{
	size_t got = 0;

	set_up();
	say("GET /big HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 1);
	ck_assert_uint_eq(n_released, 0);
	for (;;) {
		const char *t = heard();

		if (!*t)
			break;
		got += strlen(t);
		turn();
		if (ends(t, "/2"))
			break;
	}
	ck_assert_uint_gt(got, BIG);
	ck_assert_uint_eq(n_released, 1);
	ck_assert_uint_eq(n_requests, 2);
	say("GET /big HTTP/1.1\r\n\r\n");
	close(peer); /* with most of it unread */
	turn();
	ck_assert_uint_eq(n_released, 2);
	ck_assert_uint_eq(n_closed, 1);
	open_conn();
	say("GET /big HTTP/1.1\r\n\r\n");
	fn_h1_conn_close(conn);
	conn = NULL;
	ck_assert_uint_eq(n_released, 1);
	ck_assert_uint_eq(n_closed, 0);
	tear_down();
}
END_TEST

static void note(void *arg) { strcat(order, arg); }

/* A later answer goes out after the round's other work. */
START_TEST(test_later)
{
	struct fn_deferred d = {.fn = note, .arg = (void *)"d"};

	set_up();
	fn_loop_defer(loop, &d);
	fn_loop_defer(loop, &d);
	say("GET /hold HTTP/1.1\r\n\r\n");
	ck_assert_str_eq(order, "d");
	answer(held, "x", true);
	ck_assert_str_eq(heard(), "");
	turn();
	ck_assert(ends(heard(), "x"));
	fn_loop_defer(loop, &d);
	fn_deferred_cancel(&d);
	turn();
	ck_assert_str_eq(order, "d");
	tear_down();
}
END_TEST

/* An answer waits for the one to the next request if that request is there, and no longer than its owner likes. */
START_TEST(test_joined_answers)
{
	const char *t;

	set_up();
	say("GET /join HTTP/1.1\r\n\r\n"); /* nothing behind it */
	ck_assert(ends(heard(), "/join"));
	say("GET /join HTTP/1.1\r\n\r\nGET /hold HTTP/1.1\r\n\r\n");
	ck_assert_str_eq(heard(), "");
	ck_assert_ptr_nonnull(held);
	answer(held, "/held", false);
	t = heard();
	ck_assert_uint_eq(count(t, "HTTP/1.1 200 OK"), 2);
	ck_assert_msg(strstr(t, "/join") && ends(t, "/held"), "%s", t);
	held = NULL;
	say("GET /join HTTP/1.1\r\n\r\nGET /hold HTTP/1.1\r\n\r\n");
	fn_h1_conn_flush(conn);
	ck_assert(ends(heard(), "/join"));
	fn_h1_conn_flush(conn);
	ck_assert_str_eq(heard(), "");
	answer(held, "/held", true);
	turn();
	t = heard();
	ck_assert_uint_eq(count(t, "HTTP/1.1 200 OK"), 1);
	ck_assert(ends(t, "/held"));
	held = NULL;
	say("GET /join HTTP/1.1\r\n\r\nGET /ho"); /* half a request is none */
	ck_assert(ends(heard(), "/join"));
	say("ld HTTP/1.1\r\n\r\n");
	ck_assert_ptr_nonnull(held);
	answer(held, "/held", false);
	ck_assert(ends(heard(), "/held"));
	say("GET /join HTTP/1.1\r\n\r\nGET /join HTTP/1.1\r\n\r\nGET /big HTTP/1.1\r\n\r\n"); /* before one that is lent and long */
	t = heard();
	ck_assert_uint_eq(count(t, "HTTP/1.1 200 OK"), 3);
	tear_down();
}
END_TEST

/* The socket goes on as its new owner's: blocking, nothing of it lost, and the connection is told no more. */
START_TEST(test_upgrade)
{
	char byte;

	set_up();
	say("POST /upgrade HTTP/1.1\r\nContent-Length: 0\r\nUpgrade: tar\r\n\r\n");
	ck_assert_str_eq(heard(), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tar\r\n\r\n");
	ck_assert_int_ge(upgraded, 0);
	ck_assert_int_eq(fcntl(upgraded, F_GETFL) & O_NONBLOCK, 0);
	say("x");
	ck_assert_int_eq(read(upgraded, &byte, 1), 1);
	ck_assert_int_eq(byte, 'x');
	close(peer);
	turn();
	ck_assert_int_eq(read(upgraded, &byte, 1), 0);
	ck_assert_uint_eq(n_closed, 0);
	close(upgraded);
	open_conn();
	ck_assert_int_eq(send(peer, "POST /upgrade HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 45, MSG_NOSIGNAL), 45);
	close(peer); /* before it is answered */
	turn();
	ck_assert(!conn || upgraded < 0);
	peer = -1;
	tear_down();
}
END_TEST

static void ck_pieces(const char *want) { ck_assert_str_eq(pieces.data ? pieces.data : "", want); }

START_TEST(test_body_in_pieces)
{
	set_up();
	how = FN_H1_PIECES;
	say("POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n");
	ck_assert_str_eq(heard(), "HTTP/1.1 100 Continue\r\n\r\n");
	say("ab");
	ck_pieces("ab");
	ck_assert_uint_eq(n_requests, 0);
	say("cdefPOST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ngh\r");
	ck_pieces("abcdefgh");
	ck_assert_uint_eq(behind, 6);
	ck_assert_str_eq(last_body, "");
	ck_assert_uint_eq(n_requests, 1);
	ck_assert(ends(heard(), "/p"));
	say("\n3\r\nijk\r\n0\r\nT: v\r\n\r\n");
	ck_pieces("abcdefghijk");
	ck_assert(ends(heard(), "/2"));
	say("POST /3 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"); /* none is one that ends at once */
	ck_assert(ends(heard(), "/3"));
	fn_buf_reset(&pieces);
	how = FN_H1_BOTH;
	say("POST /4 HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	say("cd");
	ck_pieces("abcd");
	ck_assert_str_eq(last_body, "abcd");
	ck_assert(ends(heard(), "/4"));
	fn_buf_reset(&pieces);
	limit = 3;
	say("POST /5 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n");
	ck_pieces("ab");
	ck_assert_str_eq(last_body, "large");
	ck_assert(ends(heard(), "/5"));
	limit = 1000;
	how = FN_H1_WHOLE;
	say("POST /6 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
	ck_assert_str_eq(last_body, "x");
	ck_assert_uint_eq(n_cut + n_closed, 0);
	tear_down();
}
END_TEST

/* A paused peer costs nothing and is told nothing; what it has sent is not lost. */
START_TEST(test_pause_and_resume)
{
	set_up();
	how = FN_H1_PIECES;
	limit = BIG;
	pause_each = true;
	say("POST /p HTTP/1.1\r\nContent-Length: 200000\r\n\r\n");
	for (size_t sent = 0, n = 1; pieces.len < 200000; n++) {
		ssize_t more = send(peer, big, 200000 - sent, MSG_NOSIGNAL);

		sent += more > 0 ? (size_t)more : 0;
		turn();
		ck_assert_uint_eq(n_pieces, n);
		ck_assert_uint_eq(fn_h1_conn_phase(conn, &(uint64_t){0}), FN_H1_OWNED);
		fn_h1_conn_pause(conn);
		turn();
		ck_assert_uint_eq(n_pieces, n);
		ck_assert_uint_eq(n_requests, 0);
		fn_h1_conn_resume(conn);
		fn_h1_conn_resume(conn);
	}
	turn();
	ck_assert_uint_le(longest, 65536);
	ck_assert_uint_eq(n_requests, 1);
	ck_assert(ends(heard(), "/p"));
	tear_down();
}
END_TEST

/* The end of the body too waits for the owner. */
START_TEST(test_paused_at_the_end)
{
	set_up();
	how = FN_H1_PIECES;
	pause_each = true;
	say("POST /p HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 0);
	fn_h1_conn_resume(conn);
	ck_assert_uint_eq(n_requests, 0); /* not from there */
	turn();
	ck_assert_uint_eq(n_requests, 2);
	ck_assert(ends(heard(), "/2"));
	say("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
	fn_buf_reset(&pieces);
	fn_h1_conn_resume(conn);
	turn();
	ck_pieces("b");
	fn_h1_conn_resume(conn);
	turn();
	ck_assert_uint_eq(n_requests, 3);
	how = FN_H1_WHOLE;
	fn_h1_conn_pause(conn); /* nothing comes in pieces: nothing is paused */
	say("GET /x HTTP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 4);
	tear_down();
}
END_TEST

START_TEST(test_peers_that_go_in_mid_stream)
{
	set_up();
	how = FN_H1_PIECES;
	say("POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	close(peer);
	turn();
	ck_assert_uint_eq(n_cut, 1);
	ck_assert_uint_eq(n_closed, 1);
	open_conn(); /* it ends its half: told so */
	how = FN_H1_PIECES;
	say("POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	shutdown(peer, SHUT_WR);
	turn();
	ck_assert(strstr(heard(), "HTTP/1.1 400 "));
	ck_assert_uint_eq(n_cut, 1);
	close(peer);
	turn();
	open_conn(); /* what it sends is none */
	how = FN_H1_PIECES;
	say("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX\r\n");
	ck_assert(strstr(heard(), "HTTP/1.1 400 "));
	ck_assert_uint_eq(n_cut, 1);
	ck_assert_uint_eq(n_requests, 0);
	close(peer);
	turn();
	ck_assert_uint_eq(n_cut, 1);
	ck_assert_uint_eq(n_closed, 1);
	open_conn(); /* while it is paused, and nobody resumes it */
	how = FN_H1_PIECES;
	pause_each = true;
	say("POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	ck_assert_uint_eq(n_pieces, 1);
	close(peer); /* a socket pair tells of it at once; TCP when it is written to */
	turn();
	ck_assert_uint_eq(n_cut, 1);
	ck_assert_uint_eq(n_closed, 1);
	open_conn(); /* or the owner ends it: it is told nothing */
	how = FN_H1_PIECES;
	pause_each = true;
	say("POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	fn_h1_conn_close(conn);
	conn = NULL;
	turn();
	ck_assert_uint_eq(n_cut + n_closed, 0);
	tear_down();
}
END_TEST

/* Who answers before the end does not hear it. */
START_TEST(test_answers_before_the_end)
{
	const char *t;

	set_up();
	how = FN_H1_PIECES;
	reply_early = true;
	say("POST /p HTTP/1.1\r\nContent-Length: 100\r\n\r\nab");
	t = heard();
	ck_assert(strstr(t, "Connection: close\r\n") && ends(t, "early"));
	say("cd");
	ck_assert_uint_eq(n_pieces, 1);
	ck_assert_uint_eq(n_requests + n_cut, 0);
	close(peer);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	open_conn();
	how = FN_H1_NOTHING;
	say("POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	t = heard();
	ck_assert_msg(strstr(t, "HTTP/1.1 200 ") == t && strstr(t, "Connection: close\r\n") && ends(t, "/p"), "%s", t);
	ck_assert_uint_eq(n_requests, 1);
	say("abcdGET /never HTTP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 1);
	close(peer);
	turn();
	open_conn(); /* and later, with the body there */
	how = FN_H1_NOTHING;
	say("POST /hold HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
	ck_assert_ptr_nonnull(held);
	say("more");
	answer(held, "late", false);
	t = heard();
	ck_assert(strstr(t, "Connection: close\r\n") && ends(t, "late"));
	close(peer);
	turn();
	open_conn(); /* there is no body to leave */
	how = FN_H1_NOTHING;
	say("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 2);
	tear_down();
}
END_TEST

static const struct fn_h1_header trailers[] = {{"X-T", "1\r\n2"}, {"X-U", ""}};

static void begin(void)
{
	const struct fn_h1_reply r = {.status = 200, .content_type = "text/plain", .len = 12345};

	fn_h1_conn_begin(held, &r);
}

START_TEST(test_answer_in_pieces)
{
	const char *t;

	set_up();
	say("GET /hold HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
	begin();
	ck_assert_str_eq(heard(), "");
	ck_assert(!fn_h1_conn_write(held, "abc", 3));
	t = heard();
	ck_assert_msg(strstr(t, "HTTP/1.1 200 OK\r\n") == t && ends(t, "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n") && !strstr(t, "Content-Length"), "%s", t);
	ck_assert(!fn_h1_conn_write(held, "", 0));
	ck_assert(!fn_h1_conn_write(held, "0123456789abcdef", 16));
	ck_assert_str_eq(heard(), "10\r\n0123456789abcdef\r\n");
	turn();
	ck_assert_uint_eq(n_requests, 1);
	fn_h1_conn_end(held, trailers, 2);
	ck_assert_str_eq(heard(), "0\r\nX-T: 1  2\r\nX-U: \r\n\r\n");
	turn();
	ck_assert(ends(heard(), "/next"));
	held = NULL;
	say("GET /hold HTTP/1.1\r\n\r\n"); /* the head waits for what is behind it, if only the end */
	begin();
	turn();
	ck_assert_str_eq(heard(), "");
	fn_h1_conn_end(held, NULL, 0);
	ck_assert(ends(heard(), "chunked\r\n\r\n0\r\n\r\n"));
	say("HEAD /hold HTTP/1.1\r\n\r\n");
	begin();
	ck_assert(!fn_h1_conn_write(held, "abc", 3));
	fn_h1_conn_end(held, trailers, 2);
	ck_assert(ends(heard(), "chunked\r\n\r\n"));
	say("GET /hold HTTP/1.0\r\n\r\n");
	begin();
	fn_h1_conn_write(held, "abc", 3);
	fn_h1_conn_end(held, trailers, 2);
	t = heard();
	ck_assert_msg(strstr(t, "Connection: close\r\n") && ends(t, "\r\n\r\nabc") && !strstr(t, "chunked"), "%s", t);
	ck_assert_str_eq(heard(), "EOF");
	ck_assert_uint_eq(n_drained, 0);
	tear_down();
}
END_TEST

/* Who reads slowly is waited for, and gets all of it. */
START_TEST(test_slow_reader_of_pieces)
{
	size_t got = 0, sent = 0;

	set_up();
	say("GET /hold HTTP/1.1\r\n\r\n");
	begin();
	for (unsigned round = 0; round < 30; round++) {
		while (!fn_h1_conn_write(held, big, 50000))
			sent += 50000;
		sent += 50000;
		ck_assert_uint_eq(fn_h1_conn_phase(conn, &(uint64_t){0}), FN_H1_ANSWER_GOES);
		turn();
		ck_assert_uint_eq(n_drained, round);
		while (n_drained == round) {
			for (const char *t = heard(); *t; t = heard())
				got += count(t, "b");
			turn();
		}
		ck_assert_uint_eq(fn_h1_conn_phase(conn, &(uint64_t){0}), FN_H1_OWNED);
	}
	while (!fn_h1_conn_write(held, big, 50000))
		sent += 50000;
	sent += 50000;
	fn_h1_conn_end(held, NULL, 0); /* it may end while something waits */
	say("GET /next HTTP/1.1\r\n\r\n");
	ck_assert_uint_eq(n_requests, 1);
	for (bool all = false; !all;) {
		for (const char *t = heard(); *t; t = heard()) {
			got += count(t, "b");
			all = ends(t, "/next");
		}
		turn();
	}
	ck_assert_uint_eq(got, sent);
	ck_assert_uint_eq(n_drained, 30);
	ck_assert_uint_eq(n_requests, 2);
	tear_down();
}
END_TEST

START_TEST(test_answers_in_pieces_that_fail)
{
	set_up();
	say("GET /hold HTTP/1.1\r\n\r\n"); /* the owner cannot go on */
	begin();
	fn_h1_conn_write(held, "abc", 3);
	fn_h1_conn_fail(held);
	ck_assert(ends(heard(), "3\r\nabc\r\n"));
	ck_assert_str_eq(heard(), "EOF");
	ck_assert_uint_eq(n_closed, 0); /* not from there */
	turn();
	ck_assert_uint_eq(n_closed, 1);
	close(peer);
	open_conn(); /* the peer goes while the owner is silent */
	say("GET /hold HTTP/1.1\r\n\r\n");
	begin();
	turn();
	close(peer);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	open_conn(); /* between two pieces: who writes is not called back */
	say("GET /hold HTTP/1.1\r\n\r\n");
	begin();
	close(peer);
	fn_h1_conn_write(held, "abc", 3);
	ck_assert(!fn_h1_conn_write(held, "abc", 3));
	ck_assert_uint_eq(n_closed, 0);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	open_conn(); /* and may still end */
	say("GET /hold HTTP/1.1\r\n\r\n");
	begin();
	close(peer);
	fn_h1_conn_write(held, "abc", 3);
	fn_h1_conn_end(held, NULL, 0);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	open_conn(); /* while it is waited for */
	say("GET /hold HTTP/1.1\r\n\r\n");
	begin();
	while (!fn_h1_conn_write(held, big, 50000))
		;
	close(peer);
	turn();
	ck_assert_uint_eq(n_closed, 1);
	ck_assert_uint_eq(n_drained, 0);
	open_conn(); /* or the owner ends the connection */
	say("GET /hold HTTP/1.1\r\n\r\n");
	begin();
	fn_h1_conn_close(held);
	conn = NULL;
	turn();
	ck_assert_uint_eq(n_closed, 0);
	tear_down();
}
END_TEST

TEST_MAIN("web/h1conn", test_answers, test_refusals, test_pipelining, test_peers_that_go, test_slow_reader, test_later, test_joined_answers, test_upgrade,
	  test_body_in_pieces, test_pause_and_resume, test_paused_at_the_end, test_peers_that_go_in_mid_stream, test_answers_before_the_end,
	  test_answer_in_pieces, test_slow_reader_of_pieces, test_answers_in_pieces_that_fail)

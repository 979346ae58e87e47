/* Connections that one server hands over to another, over loopback TCP: nothing of what was sent is lost, whatever has come by then, and each is answered once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit/http_server.h"
#include "unit/main.h"

static struct fn_httpd *other;
static unsigned n_handed, n_released, stays;
static int refusal;
static struct fn_http_req *held;

static void released(void *grant)
{
	ck_assert_ptr_eq(grant, &n_released);
	n_released++;
}

/* As by a message: of what is handed nothing is kept. */
static int send_it(void *arg, int fd, const struct fn_http_handed *what)
{
	struct fn_http_handed copy = *what;
	char from[64], *bytes;
	int r;

	if (refusal)
		return refusal;
	ck_assert_ptr_eq(arg, &n_handed);
	n_handed++;
	snprintf(from, sizeof(from), "%s", what->from);
	copy.from = from;
	copy.stays = stays;
	copy.grant = &n_released;
	copy.release_grant = released;
	bytes = malloc(what->bytes[1].iov_len + 1);
	memcpy(bytes, what->bytes[1].iov_base, what->bytes[1].iov_len);
	copy.bytes[1].iov_base = bytes;
	fd = dup(fd);
	r = fn_httpd_add_handed(other, fd, &copy);
	free(bytes);
	return r;
}

static bool elsewhere(void *arg, struct fn_http_req *r)
{
	const char *path = fn_http_req_path(r);

	(void)arg;
	return path[1] == 'o' && fn_http_req_hand_over(r, send_it, &n_handed) == 0;
}

static void answer(struct fn_http_req *r, const char *who)
{
	const char *body, *x = fn_http_req_header(r, "X"), *expect = fn_http_req_header(r, "Expect");
	char text[300], from[64] = "?";
	size_t len;

	fn_http_req_body(r, &body, &len);
	ck_assert(fn_http_req_address(r, from, sizeof(from)));
	snprintf(text, sizeof(text), "%s: %s %s?%s %s%s %.*s %s;", who, fn_http_req_method(r), fn_http_req_path(r), fn_http_req_raw_query(r), x ? x : "-", expect ? " E" : "", (int)len, body, from);
	fn_http_reply(r, 200, "text/plain", text, strlen(text));
}

static void on_request(void *arg, struct fn_http_req *r)
{
	(void)arg;
	ck_assert_ptr_null(fn_http_req_grant(r));
	answer(r, "this");
}

static void on_other(void *arg, struct fn_http_req *r)
{
	(void)arg;
	ck_assert_ptr_eq(fn_http_req_grant(r), &n_released);
	if (strcmp(fn_http_req_path(r), "/oheld") == 0)
		held = r;
	else
		answer(r, fn_http_req_stays(r) ? "other, stays" : "other");
}

static const struct fn_httpd_ops ops = {.elsewhere = elsewhere, .request = on_request}, other_ops = {.request = on_other};

static void set_up(unsigned most)
{
	struct fn_httpd_config c = {.listen_fd = -EBADF, .conn_max = most, .body_max = 1000, .ops = &other_ops};
	struct fn_err err;

	unit_server_open((struct fn_httpd_config){.conn_max = 10, .body_max = 1000, .ops = &ops});
	ck_assert_int_eq(fn_httpd_new(loop, &c, &other, &err), 0);
}

static void tear_down(void)
{
	fn_httpd_free(other);
	unit_server_close();
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	unit_turns(6, 2000);
}

#define POST_O "POST /o?a=%20&b HTTP/1.1\r\nHost: h\r\nx:  a  b \r\nContent-Length: 3\r\n\r\nabc"
#define IS_O "other: POST /o?a=%20&b a  b abc 127.0.0.1;"

START_TEST(test_once)
{
	int fd;

	set_up(10);
	fd = unit_connect(0);
	say(fd, "GET /t HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "this: GET /t? -  127.0.0.1;");
	ck_assert_uint_eq(n_handed, 0);
	say(fd, POST_O);
	ck_hears(fd, IS_O);
	say(fd, "GET /t HTTP/1.1\r\nHost: h\r\n\r\n"); /* it is the other's now */
	ck_hears(fd, "other: GET /t? -  127.0.0.1;");
	ck_assert_uint_eq(n_handed, 1);
	ck_assert_uint_eq(fn_httpd_active(httpd) + fn_httpd_active(other), 0);
	close(fd);
	unit_turns(6, 2000);
	ck_assert_uint_eq(n_released, 1);
	tear_down();
}
END_TEST

START_TEST(test_cut_up_and_pipelined)
{
	int fd;

	set_up(10);
	for (size_t cut = 1; cut < strlen(POST_O); cut++) {
		fd = unit_connect(0);
		ck_assert_int_eq(send(fd, POST_O, cut, 0), (ssize_t)cut);
		unit_turns(3, 1000);
		say(fd, POST_O + cut);
		ck_hears(fd, IS_O);
		close(fd);
	}
	fd = unit_connect(0);
	say(fd, "GET /t HTTP/1.1\r\nHost: h\r\n\r\n" POST_O POST_O "GET /t HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "other: GET /t? -  127.0.0.1;");
	ck_assert(strstr(in.data, "this: GET /t?") < strstr(in.data, IS_O));
	close(fd);
	fd = unit_connect(0);
	say(fd, "POST /o HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
	ck_hears(fd, "HTTP/1.1 100 Continue\r\n\r\n"); /* once */
	say(fd, "2\r\nab\r\n0\r\n\r\n");
	ck_hears(fd, "other: POST /o? - E ab 127.0.0.1;");
	ck_assert_ptr_null(strstr(in.data, "100 Continue"));
	say(fd, "GET /t HTTP/1.0\r\n\r\n");
	ck_hears(fd, "127.0.0.1;EOF");
	close(fd);
	fd = unit_connect(0); /* of HTTP/1.0, and ended behind it */
	ck_assert_int_eq(send(fd, "GET /o HTTP/1.0\r\n\r\n", 19, 0), 19);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_hears(fd, "other: GET /o? -  127.0.0.1;EOF");
	close(fd);
	tear_down();
}
END_TEST

START_TEST(test_where_it_cannot_be)
{
	int fd, more;

	set_up(1);
	refusal = -EAGAIN; /* then it goes on here, as it was */
	fd = unit_connect(0);
	say(fd, POST_O);
	ck_hears(fd, "this: POST /o?a=%20&b a  b abc 127.0.0.1;");
	refusal = 0;
	stays = 1;
	say(fd, POST_O POST_O);
	ck_hears(fd, IS_O);
	ck_assert_ptr_nonnull(strstr(in.data, "other, stays: POST"));
	more = unit_connect(0); /* there is room for one: who rests gives way */
	say(more, POST_O);
	ck_hears(more, "abc 127.0.0.1;");
	ck_hears(fd, "EOF");
	close(fd);
	ck_assert_uint_eq(n_released, 1);
	say(more, "GET /oheld HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_ptr_nonnull(held);
	ck_assert(!fn_httpd_make_room(other));
	close(more);
	unit_turns(6, 2000);
	ck_assert_uint_eq(n_released, 1); /* who has the request still sees its grant */
	fn_http_reply(held, 200, NULL, "", 0);
	for (int i = 0; i < 1000 && n_released < 2; i++)
		unit_turns(1, 1000);
	ck_assert_uint_eq(n_released, 2);
	tear_down();
}
END_TEST

START_TEST(test_let_go)
{
	int rests, works;

	set_up(10);
	rests = unit_connect(0);
	works = unit_connect(0);
	say(rests, POST_O);
	ck_hears(rests, IS_O);
	say(works, "GET /oheld HTTP/1.1\r\nHost: h\r\n\r\n");
	fn_httpd_let_go(other);
	ck_hears(rests, "EOF");
	answer(held, "other");
	ck_hears(works, "other: GET /oheld? -  127.0.0.1;EOF");
	ck_assert_ptr_nonnull(strstr(in.data, "Connection: close"));
	close(rests);
	close(works);
	rests = unit_connect(0); /* others may come */
	say(rests, POST_O);
	ck_hears(rests, IS_O);
	close(rests);
	tear_down();
}
END_TEST

TEST_MAIN("web/httpd_passed", test_once, test_cut_up_and_pipelined, test_where_it_cannot_be, test_let_go)

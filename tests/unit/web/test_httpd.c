/* The public server over loopback TCP: what clients, hostile, slow or gone, see and what its handlers are told. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/http_server.h"
#include "unit/main.h"

#define BIG ((size_t)8 << 20)

static struct fn_http_req *held[8];
static unsigned n_held, n_requests, n_released;
static size_t limit = 1000;
static char seen[512], *big;
static int file = -EBADF;

static void released(void *arg)
{
	(void)arg;
	n_released++;
}

static bool note_header(void *arg, const char *name, const char *value)
{
	if (name[0] == 'X')
		(void)fn_buf_addf(arg, "%s=%s,", name, value);
	return strcmp(name, "X-Last") != 0;
}

static size_t on_body_max(void *arg, struct fn_http_req *r)
{
	(void)arg;
	ck_assert_int_eq(fn_http_req_path(r)[0], '/');
	return limit;
}

/* The path says what to do; what was asked is the answer. */
static void on_request(void *arg, struct fn_http_req *r)
{
	const char *path = fn_http_req_path(r), *body, *a = fn_http_req_query(r, "a"), *b = fn_http_req_query(r, "b");
	fn_auto_buf struct fn_buf headers = {0};
	size_t len;

	(void)arg;
	n_requests++;
	fn_http_req_body(r, &body, &len);
	fn_http_req_each_header(r, note_header, &headers);
	snprintf(seen, sizeof(seen), "%s %s?%s a=%s b=%s %s%s%.*s", fn_http_req_method(r), path, fn_http_req_raw_query(r), a ? a : "-", b ? b : "-",
		 headers.data ? headers.data : "", fn_http_req_too_large(r) ? "large" : "", (int)len, body);
	if (strcmp(path, "/hold") == 0) {
		held[n_held++] = r;
	} else if (strcmp(path, "/big") == 0) {
		fn_http_reply_owned(r, 200, NULL, big, BIG, released, NULL);
	} else if (strcmp(path, "/file") == 0) {
		fn_http_reply_fd(r, 200, "application/zip", file, BIG);
	} else if (strcmp(path, "/204") == 0) {
		fn_http_reply(r, 204, NULL, NULL, 0);
	} else if (strcmp(path, "/headers") == 0) {
		for (int i = 0; i < 24; i++)
			ck_assert_int_eq(fn_http_req_add_header(r, "X-Many", i ? "v" : "a\r\nb"), 0);
		ck_assert_int_eq(fn_http_req_add_header(r, "X-Many", "v"), -ENOBUFS);
		fn_http_reply(r, 429, "text/plain", "", 0);
	} else {
		char copy[sizeof(seen)]; /* gone before it is sent, perhaps */

		memcpy(copy, seen, sizeof(copy));
		fn_http_reply(r, 200, "text/plain", copy, strlen(copy));
	}
}

static const struct fn_httpd_ops ops = {.body_max = on_body_max, .request = on_request};

static void set_up(struct fn_httpd_config c)
{
	c.conn_max = c.conn_max ? c.conn_max : 100;
	c.ops = &ops;
	unit_server_open(c);
	big = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 2654435761u >> 24);
}

static void tear_down(void)
{
	unit_server_close();
	free(big);
}

static void turn(void) { unit_turns(6, 2000); }

static void wait_ms(unsigned ms)
{
	for (uint64_t end = fn_clock_mono_us() + (uint64_t)ms * 1000u; fn_clock_mono_us() < end;)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
}

static int peer(void)
{
	int fd = unit_connect(0);

	turn();
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

/* Waits until it is so, for a few seconds at most. */
static void ck_becomes(const unsigned *n, unsigned want)
{
	for (int i = 0; i < 1000 && *n != want; i++)
		turn();
	ck_assert_uint_eq(*n, want);
}

static void ck_active(unsigned want)
{
	for (int i = 0; i < 1000 && fn_httpd_active(httpd) != want; i++)
		turn();
	ck_assert_uint_eq(fn_httpd_active(httpd), want);
}

#define ck_has(word) ck_assert_msg(strstr(in.data, word) != NULL, "no %s in: %.3000s", word, in.data)

START_TEST(test_requests)
{
	int fd;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	say(fd, "GET /p%2Fq?b=x%20y+z&a&c=%41 HTTP/1.1\r\nHost: h\r\nX-1: one\r\nx-2: no\r\nX-Last: 3\r\nX-4: 4\r\n\r\n");
	ck_hears(fd, "\r\n\r\nGET /p%2Fq?b=x%20y+z&a&c=%41 a= b=x y z X-1=one,X-Last=3,");
	ck_assert(strstr(in.data, "HTTP/1.1 200 OK\r\nDate: ") == in.data);
	ck_has(" GMT\r\nContent-Type: text/plain\r\nContent-Length: ");
	say(fd, "HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "Content-Length: 17\r\n\r\n");
	say(fd, "DELETE /204? HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "\r\n\r\n");
	ck_assert(strstr(in.data, "HTTP/1.1 204 No Content\r\n") == in.data && !strstr(in.data, "Content-Length"));
	ck_assert_str_eq(seen, "DELETE /204? a=- b=- ");
	say(fd, "GET /headers?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "Content-Length: 0\r\n\r\n");
	ck_has("HTTP/1.1 429 Too Many Requests\r\n");
	ck_has("X-Many: a  b\r\nX-Many: v\r\n");
	say(fd, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	ck_hears(fd, "HTTP/1.1 100 Continue\r\n\r\n");
	ck_assert_uint_eq(in.len, 25);
	say(fd, "ab");
	ck_assert_str_eq(hear(fd), "");
	ck_active(0);
	say(fd, "cd");
	ck_hears(fd, " abcd");
	say(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	ck_hears(fd, " abcde");
	say(fd, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	ck_hears(fd, "EOF");
	ck_has("Connection: close\r\n");
	close(fd);
	fd = peer();
	say(fd, "GET /x HTTP/1.0\r\n\r\n"); /* needs no Host */
	ck_hears(fd, "GET /x? a=- b=- EOF");
	close(fd);
	ck_becomes(&n_requests, 8);
	tear_down();
}
END_TEST

START_TEST(test_bodies_that_are_too_large)
{
	int fd;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	limit = 3;
	say(fd, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
	ck_hears(fd, "POST /1? a=- b=- largeEOF"); /* it is not waited for */
	say(fd, "0123456789POST /never HTTP/1.1\r\nHost: h\r\n\r\n");
	close(fd);
	ck_assert_uint_eq(n_requests, 1);
	fd = peer();
	say(fd, "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n");
	ck_hears(fd, "POST /2? a=- b=- large");
	say(fd, "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
	ck_hears(fd, " abc");
	close(fd);
	tear_down();
}
END_TEST

static void refused(const char *head, size_t more, const char *status)
{
	int fd = peer();

	say(fd, head);
	for (size_t n = 0; n < more; n += 1024) {
		(void)!send(fd, big, 1024, MSG_NOSIGNAL);
		turn();
	}
	ck_hears(fd, "\"}EOF");
	ck_has(status);
	ck_has("Content-Type: application/json\r\nConnection: close\r\n");
	ck_has("\r\n\r\n{\"Type\":\"User\",\"message\":\"");
	close(fd);
	turn();
}

START_TEST(test_refusals)
{
	set_up((struct fn_httpd_config){0});
	memset(big, 'a', 65536);
	refused("GET /x HTTP/1.1\r\n\r\n", 0, "HTTP/1.1 400 Bad Request\r\n");
	refused("GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 0, "HTTP/1.1 400 ");
	refused("GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0, "HTTP/1.1 400 ");
	refused("GET /x HTTP/2.0\r\n", 0, "HTTP/1.1 505 ");
	refused("GET /x HTTP/1.1\r\nHost: a\r\nX: ", 40000, "HTTP/1.1 431 ");
	refused("GET /", 40000, "HTTP/1.1 414 ");
	ck_assert_uint_eq(n_requests, 0);
	ck_active(0);
	tear_down();
}
END_TEST

START_TEST(test_later_replies)
{
	int fd, other;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	other = peer();
	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHo");
	ck_becomes(&n_held, 1);
	say(fd, "st: h\r\n\r\n");
	say(other, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"); /* others do not wait */
	ck_hears(other, "GET /x? a=- b=- ");
	ck_becomes(&n_requests, 2);
	ck_active(1);
	ck_assert_int_eq(fn_http_req_add_header(held[0], "X-A", "1"), 0);
	fn_http_reply(held[0], 200, "a/b", "held", 4);
	ck_active(0);
	turn();
	ck_hears(fd, "GET /3? a=- b=- ");
	ck_has("Content-Type: a/b\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nheldHTTP/1.1 200 ");
	ck_has("GET /2? a=- b=- HTTP");
	close(fd);
	close(other);
	tear_down();
}
END_TEST

static void reset_on_close(int fd)
{
	const struct linger now = {.l_onoff = 1};

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(fd);
	turn();
}

static void check_as_it_was(struct fn_http_req *r)
{
	const char *body;
	size_t len;

	fn_http_req_body(r, &body, &len);
	ck_assert(strcmp(fn_http_req_path(r), "/hold") == 0 && strcmp(fn_http_req_raw_query(r), "q=1") == 0);
	ck_assert(strcmp(fn_http_req_query(r, "q"), "1") == 0 && strcmp(fn_http_req_header(r, "x-1"), "one") == 0);
	ck_assert(len == 2 && memcmp(body, "ab", 2) == 0);
}

START_TEST(test_peers_that_go)
{
	int fd, other;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	say(fd, "POST /hold?q=1 HTTP/1.1\r\nHost: h\r\nX-1: one\r\nContent-Length: 2\r\n\r\nab");
	ck_becomes(&n_held, 1);
	reset_on_close(fd);
	ck_active(0);
	other = peer(); /* the request is as it was, whatever comes after it */
	say(other, "GET /another HTTP/1.1\r\nHost: other\r\n\r\n");
	check_as_it_was(held[0]);
	ck_assert_int_eq(fn_http_req_add_header(held[0], "X-A", "1"), 0);
	fn_http_reply_owned(held[0], 200, NULL, big, 10, released, NULL);
	ck_becomes(&n_released, 1);
	fd = peer();
	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_becomes(&n_held, 2);
	reset_on_close(fd);
	file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fn_http_reply_fd(held[1], 200, NULL, file, 10);
	ck_assert_int_eq(fcntl(file, F_GETFD), -1);
	close(other);
	tear_down();
}
END_TEST

START_TEST(test_peers_that_end)
{
	int fd;

	set_up((struct fn_httpd_config){0});
	fd = peer(); /* unseen until the answer fails */
	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_becomes(&n_held, 1);
	close(fd);
	turn();
	fn_http_reply_owned(held[0], 200, NULL, big, BIG, released, NULL);
	turn();
	ck_becomes(&n_released, 1);
	ck_active(0);
	fd = peer(); /* the sending half alone: it is answered, with all it asked for */
	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_becomes(&n_held, 2);
	shutdown(fd, SHUT_WR);
	turn();
	fn_http_reply(held[1], 200, NULL, "held", 4);
	turn();
	ck_hears(fd, "GET /2? a=- b=- EOF");
	ck_has("\r\n\r\nheldHTTP");
	close(fd);
	tear_down();
}
END_TEST

START_TEST(test_large_replies)
{
	const char *body;
	int fd;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	say(fd, "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_becomes(&n_requests, 1); /* the next waits until it has been taken */
	ck_assert_uint_eq(n_released, 0);
	ck_active(1);
	ck_hears(fd, "GET /2? a=- b=- ");
	body = memmem(in.data, in.len, "\r\n\r\n", 4);
	ck_assert(body && memcmp(body + 4, big, BIG) == 0);
	ck_becomes(&n_released, 1);
	ck_active(0);
	say(fd, "HEAD /big HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "Content-Length: 8388608\r\n\r\n");
	ck_becomes(&n_released, 2);
	say(fd, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	reset_on_close(fd); /* with most of it unread */
	ck_becomes(&n_released, 3);
	ck_active(0);
	tear_down();
}
END_TEST

static int file_of(size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, big, size), (ssize_t)size);
	return fd; /* its position is its end: that does not matter */
}

START_TEST(test_files)
{
	const char *body;
	int fd;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	file = file_of(BIG);
	say(fd, "GET /file HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_int_eq(fcntl(file, F_GETFD), FD_CLOEXEC);
	ck_hears(fd, "GET /2? a=- b=- ");
	body = memmem(in.data, in.len, "\r\n\r\n", 4);
	ck_assert(strstr(in.data, "Content-Type: application/zip\r\nContent-Length: 8388608\r\n\r\n"));
	ck_assert(body && memcmp(body + 4, big, BIG) == 0);
	ck_assert_int_eq(fcntl(file, F_GETFD), -1);
	file = file_of(10);
	say(fd, "HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "Content-Length: 8388608\r\n\r\n");
	ck_assert_int_eq(fcntl(file, F_GETFD), -1);
	file = file_of(10); /* shorter than was said: the client must notice */
	say(fd, "GET /file HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_hears(fd, "EOF");
	body = memmem(in.data, in.len, "\r\n\r\n", 4);
	ck_assert(body && body + 4 + 10 + 3 == in.data + in.len);
	ck_assert_int_eq(fcntl(file, F_GETFD), -1);
	ck_active(0);
	close(fd);
	tear_down();
}
END_TEST

/* Rounds of the loop in a while in which nothing should happen. */
static unsigned rounds_in_ms(unsigned ms)
{
	unsigned n = 0;

	for (uint64_t end = fn_clock_mono_us() + (uint64_t)ms * 1000u; fn_clock_mono_us() < end; n++)
		ck_assert_int_eq(fn_loop_run_once(loop, 50000), 0);
	return n;
}

START_TEST(test_connection_limit)
{
	int fd[3];

	set_up((struct fn_httpd_config){.conn_max = 2});
	for (int i = 0; i < 3; i++) { /* the first two are at work: they give no way */
		fd[i] = peer();
		say(fd[i], i < 2 ? "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	ck_becomes(&n_requests, 2);
	ck_assert_uint_lt(rounds_in_ms(200), 10);
	ck_assert_str_eq(hear(fd[2]), "");
	ck_assert_int_eq(fn_httpd_add_conn(httpd, socket(AF_INET, SOCK_STREAM, 0)), -ENOBUFS);
	fn_http_reply(held[0], 200, NULL, "", 0); /* it rests now */
	wait_ms(150);
	ck_hears(fd[2], "GET /x? a=- b=- ");
	fn_http_reply(held[1], 200, NULL, "", 0);
	close(fd[0]);
	close(fd[1]);
	close(fd[2]);
	tear_down();
}
END_TEST

START_TEST(test_no_descriptors)
{
	struct rlimit all, none = {0};
	int fd;

	set_up((struct fn_httpd_config){0});
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	none.rlim_max = all.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	say(fd, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_uint_lt(rounds_in_ms(400), 30);
	ck_assert_uint_eq(n_requests, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	wait_ms(250);
	ck_hears(fd, "GET /x? a=- b=- ");
	close(fd);
	tear_down();
}
END_TEST

START_TEST(test_timeouts)
{
	int idle, used, head, empty, body, held_one, slow;

	set_up((struct fn_httpd_config){.idle_timeout_s = 2, .stall_timeout_s = 1});
	idle = peer();
	used = peer();
	head = peer();
	empty = peer();
	body = peer();
	held_one = peer();
	slow = peer();
	say(idle, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	hear(idle);
	say(held_one, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_becomes(&n_held, 1);
	say(slow, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	say(body, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
	say(head, "GET /x HTTP/1.1\r\n");
	for (int i = 0; i < 8; i++) { /* a byte now and then is not getting on */
		if (i < 4) {
			say(head, "X");
			say(body, "X");
		}
		(void)!send(empty, "\r\n", 2, MSG_NOSIGNAL);
		say(used, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
		hear(used);
		wait_ms(200);
		if (i == 2)
			ck_assert_str_eq(hear(idle), "");
	}
	ck_hears(head, "EOF");
	ck_has("HTTP/1.1 408 Request Timeout\r\n");
	ck_hears(body, "EOF");
	ck_has("HTTP/1.1 408 Request Timeout\r\n");
	ck_becomes(&n_released, 1); /* cut off: it took nothing */
	ck_active(1);
	say(used, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	wait_ms(1300);
	ck_hears(idle, "EOF");
	ck_assert_uint_eq(in.len, 3);
	ck_hears(empty, "EOF");
	ck_assert_uint_eq(in.len, 3);
	ck_hears(used, "GET /x? a=- b=- ");
	ck_assert_str_eq(hear(held_one), "");
	fn_http_reply(held[0], 200, NULL, "held", 4); /* requests may take their time */
	ck_hears(held_one, "held");
	close(slow);
	tear_down();
}
END_TEST

START_TEST(test_end)
{
	int fd, other, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_up((struct fn_httpd_config){0});
	fd = peer();
	other = peer();
	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_becomes(&n_held, 1);
	fn_httpd_quiesce(httpd);
	ck_active(1);
	ck_assert_int_eq(connect(s, (struct sockaddr *)&address, sizeof(address)), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	fn_http_reply(held[0], 200, NULL, "held", 4);
	ck_active(0);
	ck_hears(fd, "heldEOF");
	ck_has("Connection: close\r\n");
	say(other, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"); /* who is connected is still served, once */
	ck_becomes(&n_held, 2);
	ck_active(1);
	fn_httpd_free(httpd); /* with a request out: its reply is dropped */
	httpd = NULL;
	ck_hears(other, "EOF");
	ck_assert_uint_eq(in.len, 3);
	ck_assert_str_eq(fn_http_req_path(held[1]), "/hold");
	fn_http_reply_owned(held[1], 200, NULL, big, 10, released, NULL);
	ck_becomes(&n_released, 1);
	close(fd);
	close(other);
	close(s);
	tear_down();
}
END_TEST

/* Whose head has come is waited for; when nobody waits any more it is not taken. */
START_TEST(test_end_in_mid_request)
{
	int fd, idle;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	say(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
	turn();
	fn_httpd_quiesce(httpd);
	ck_active(0);
	ck_assert(fn_httpd_expects(httpd, 0, UINT64_MAX));
	ck_assert(!fn_httpd_expects(httpd, UINT64_MAX, 0)); /* it has come to rest */
	say(fd, "b");
	ck_becomes(&n_held, 1);
	ck_active(1);
	ck_assert(!fn_httpd_expects(httpd, 0, UINT64_MAX));
	fn_httpd_hang_up(httpd); /* it is whole */
	fn_http_reply(held[0], 200, NULL, "held", 4);
	ck_hears(fd, "heldEOF");
	close(fd);
	tear_down();
	set_up((struct fn_httpd_config){0});
	fd = peer();
	idle = peer();
	say(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
	turn();
	fn_httpd_let_go(httpd);
	ck_hears(idle, "EOF");
	ck_assert(fn_httpd_expects(httpd, 0, UINT64_MAX));
	fn_httpd_hang_up(httpd);
	ck_hears(fd, "EOF");
	ck_assert(!fn_httpd_expects(httpd, 0, UINT64_MAX));
	ck_assert_uint_eq(n_held, 1);
	close(fd);
	close(idle);
	tear_down();
}
END_TEST

/* Whoever pipelines a lot has his turn, and no more than that. */
START_TEST(test_turns)
{
	static const char one[] = "GET /204 HTTP/1.1\r\nHost: h\r\n\r\n";
	fn_auto_buf struct fn_buf many = {0};
	size_t sent = 0, n = 5000;
	int greedy, other;

	set_up((struct fn_httpd_config){0});
	greedy = peer();
	other = peer();
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(fn_buf_add_str(&many, one), 0);
	while (sent < many.len) {
		ssize_t got = send(greedy, many.data + sent, many.len - sent, MSG_NOSIGNAL);

		if (got > 0)
			sent += (size_t)got;
		if (sent > 0 && n_requests < 100) {
			say(other, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
			ck_hears(other, "GET /x? a=- b=- ");
			ck_assert_uint_lt(n_requests, 500);
		}
		turn();
		hear_on(greedy);
	}
	for (int i = 0; i < 10000 && n_requests < n; i++) {
		turn();
		hear_on(greedy);
	}
	ck_assert_uint_ge(n_requests, n); /* none was lost over that */
	close(greedy);
	close(other);
	tear_down();
}
END_TEST

/* --- answers that another thread sends --- */
static void *send_ahead(void *arg)
{
	fn_h1_ahead_send(arg);
	return NULL;
}

static struct fn_http_req *holds(int fd, struct fn_h1_ahead *a, bool ahead)
{
	const struct fn_h1_header id = {"X-Id", "17"};
	unsigned n = n_held;

	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_becomes(&n_held, n + 1);
	ck_assert(fn_http_reply_ahead(held[n], a, 202, "a/b", &id, 1) == ahead);
	return held[n];
}

START_TEST(test_answers_ahead)
{
	struct fn_h1_ahead a = {0}, b = {0}, c = {0};
	struct fn_http_req *r;
	pthread_t thread;
	int fd;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	r = holds(fd, &a, true); /* sent, and what comes next before the loop hears of it */
	ck_assert_int_eq(pthread_create(&thread, NULL, send_ahead, &a), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_hears(fd, "Content-Type: a/b\r\nX-Id: 17\r\nContent-Length: 0\r\n\r\n");
	ck_has("HTTP/1.1 202 Accepted\r\n");
	say(fd, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_uint_eq(n_requests, 1);
	ck_active(1);
	ck_assert(fn_http_replied(r));
	ck_hears(fd, "GET /next? a=- b=- ");
	ck_active(0);
	r = holds(fd, &a, true); /* meanwhile the last of its connection has come */
	fn_h1_ahead_send(&a);
	fn_httpd_last(httpd);
	ck_assert(fn_http_replied(r));
	ck_hears(fd, "Content-Length: 0\r\n\r\nEOF");
	close(fd);
	fd = peer();
	r = holds(fd, &b, true); /* not sent: another answer; nor after it */
	ck_assert(!fn_http_replied(r));
	fn_http_reply(r, 429, NULL, "late", 4);
	fn_h1_ahead_send(&b);
	ck_hears(fd, "\r\n\r\nlate");
	ck_assert(strstr(in.data, " 202 ") == NULL);
	ck_active(0);
	r = holds(fd, &c, true); /* whose client has gone */
	reset_on_close(fd);
	ck_active(0);
	fn_h1_ahead_send(&c);
	ck_assert(!fn_http_replied(r));
	fn_http_reply(r, 202, NULL, NULL, 0);
	fd = peer(); /* sent, and then he goes */
	r = holds(fd, &a, true);
	fn_h1_ahead_send(&a);
	reset_on_close(fd);
	ck_active(0);
	ck_assert(!fn_http_replied(r));
	fn_http_reply(r, 202, NULL, NULL, 0);
	fd = peer(); /* the last of a connection is the loop's */
	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	ck_becomes(&n_held, 6);
	ck_assert(!fn_http_reply_ahead(held[5], &a, 202, NULL, NULL, 0) && !fn_http_replied(held[5]));
	fn_http_reply(held[5], 202, NULL, NULL, 0);
	ck_hears(fd, "Connection: close\r\nContent-Length: 0\r\n\r\nEOF");
	close(fd);
	tear_down();
}
END_TEST

START_TEST(test_answers_by_another_process)
{
	static const char answer[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
	struct fn_h1_ahead a = {0};
	struct fn_http_req *r;
	int fd, given;

	set_up((struct fn_httpd_config){0});
	fd = peer();
	r = holds(fd, &a, true);
	given = fn_http_req_client(r);
	ck_assert_int_ge(given, 0);
	ck_assert_int_eq(send(given, answer, strlen(answer), 0), (int)strlen(answer));
	ck_hears(fd, answer);
	say(fd, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"); /* waits until we know */
	for (int i = 0; i < 20; i++)
		turn();
	ck_assert_uint_eq(n_requests, 1);
	fn_http_req_answered(r);
	ck_hears(fd, "GET /next? a=- b=- ");
	ck_active(0);
	r = holds(fd, &a, true); /* nobody knows whether */
	ck_assert_int_ge(fn_http_req_client(r), 0);
	fn_http_reply_fail(r);
	ck_hears(fd, "EOF");
	ck_active(0);
	close(fd);
	fd = peer(); /* he has gone meanwhile */
	r = holds(fd, &a, true);
	reset_on_close(fd);
	ck_active(0);
	ck_assert_int_lt(fn_http_req_client(r), 0);
	fn_http_req_answered(r);
	fd = peer();
	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	ck_becomes(&n_held, 4);
	ck_assert_int_eq(fn_http_req_client(held[3]), -EBUSY);
	fn_http_reply(held[3], 202, NULL, NULL, 0);
	ck_hears(fd, "Connection: close\r\nContent-Length: 0\r\n\r\nEOF");
	close(fd);
	tear_down();
}
END_TEST

TEST_MAIN("web/httpd", test_answers_by_another_process, test_requests, test_bodies_that_are_too_large, test_refusals, test_later_replies, test_peers_that_go, test_peers_that_end, test_large_replies, test_files,
	  test_connection_limit, test_no_descriptors, test_timeouts, test_end, test_end_in_mid_request, test_turns, test_answers_ahead)

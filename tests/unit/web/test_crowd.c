/* Who gives way when there are too many connections: the order, and that a server full of idle ones still answers. */
#include "web/crowd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/http_server.h"
#include "unit/main.h"

#define MOST 200

START_TEST(order)
{
	/* peer 1 has five, peer 2 three, peer 3 one, the oldest of all */
	struct fn_crowd_one v[] = {{.peer = 3, .since_us = 1}, {.peer = 1, .since_us = 10}, {.peer = 2, .since_us = 2}, {.peer = 1, .since_us = 14}, {.peer = 1, .since_us = 12},
				   {.peer = 2, .since_us = 4}, {.peer = 1, .since_us = 11}, {.peer = 2, .since_us = 3}, {.peer = 1, .since_us = 13}};
	static const uint64_t want[] = {10, 11, 2, 12, 3, 13, 1, 4, 14};

	fn_crowd_sort(v, sizeof(v) / sizeof(v[0]));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_uint_eq(v[i].since_us, want[i]);
	fn_crowd_sort(v, 0);
}
END_TEST

static uint64_t peer_of(int family, const char *bytes)
{
	struct sockaddr_storage s = {.ss_family = (sa_family_t)family};

	if (family == AF_INET)
		memcpy(&((struct sockaddr_in *)&s)->sin_addr, bytes, 4);
	else if (family == AF_INET6)
		memcpy(&((struct sockaddr_in6 *)&s)->sin6_addr, bytes, 16);
	return fn_crowd_peer(&s);
}

START_TEST(peers)
{
	ck_assert_uint_eq(peer_of(AF_INET, "\x7f\0\0\1"), peer_of(AF_INET, "\x7f\0\0\1"));
	ck_assert_uint_ne(peer_of(AF_INET, "\x7f\0\0\1"), peer_of(AF_INET, "\x7f\0\0\2"));
	ck_assert_uint_eq(peer_of(AF_INET6, " \1\0\0\0\0\0\1abcdefgh"), peer_of(AF_INET6, " \1\0\0\0\0\0\1ABCDEFGH"));
	ck_assert_uint_ne(peer_of(AF_INET6, " \1\0\0\0\0\0\1abcdefgh"), peer_of(AF_INET6, " \1\0\0\0\0\0\2abcdefgh"));
	ck_assert_uint_ne(peer_of(AF_INET6, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1"), peer_of(AF_INET6, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\2"));
	ck_assert_uint_eq(peer_of(AF_UNIX, ""), 0);
}
END_TEST

/* --- a server --- */
static struct fn_http_req *held;

static void on_request(void *arg, struct fn_http_req *r)
{
	(void)arg;
	if (strcmp(fn_http_req_path(r), "/hold") == 0)
		held = r;
	else
		fn_http_reply(r, 200, NULL, "fine", 4);
}

static const struct fn_httpd_ops ops = {.request = on_request};

static void set_up(void)
{
	unit_server_open((struct fn_httpd_config){.conn_max = MOST, .body_max = 1000, .ops = &ops, .idle_timeout_s = 300});
}

static void turns(int n) { unit_turns(n, 1000); }

static int connect_from(uint8_t last)
{
	int fd = unit_connect(last);

	turns(2);
	return fd;
}

static bool answered(int fd)
{
	static const char request[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
	char text[500];
	ssize_t n = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);

	for (uint64_t end = fn_clock_mono_us() + 10000000; n > 0 && fn_clock_mono_us() < end;) {
		turns(2);
		n = recv(fd, text, sizeof(text), 0);
		if (n >= 0 || errno != EAGAIN)
			return n > 4 && memcmp(text + n - 4, "fine", 4) == 0;
		n = 1;
	}
	return false;
}

static bool gone(int fd)
{
	char c;

	turns(2);
	return recv(fd, &c, 1, MSG_PEEK) == 0 || errno == ECONNRESET;
}

static void fill(int *fd, int n, uint8_t last, const char *begin)
{
	for (int i = 0; i < n; i++) {
		fd[i] = connect_from(last);
		if (begin)
			ck_assert_int_gt(send(fd[i], begin, strlen(begin), MSG_NOSIGNAL), 0);
	}
	turns(4);
}

static void finish(int *fd, int n)
{
	for (int i = 0; i < n; i++)
		close(fd[i]);
	fn_httpd_free(httpd);
	fn_loop_free(loop);
}

START_TEST(idle_ones_give_way)
{
	int few[10], many[MOST], late;

	set_up();
	fill(few, 10, 1, NULL); /* the oldest, but of a peer that has few */
	ck_assert(answered(few[3]));
	fill(many, MOST - 10, 2, NULL);
	late = connect_from(3);
	ck_assert(answered(late));
	ck_assert(gone(many[0]));
	ck_assert(!gone(many[MOST - 11]));
	for (int i = 0; i < 10; i++)
		ck_assert(answered(few[i]));
	close(late);
	for (int i = 0; i < 500; i++) { /* again and again */
		late = connect_from(3);
		ck_assert(answered(late));
		close(late);
	}
	for (int i = 0; i < 10; i++)
		close(few[i]);
	finish(many, MOST - 10);
}
END_TEST

START_TEST(half_requests_give_way_after_a_second)
{
	int fd[MOST], late;

	set_up();
	fill(fd, MOST, 2, "GET / HT");
	late = connect_from(3);
	ck_assert(answered(late));
	close(late);
	finish(fd, MOST);
}
END_TEST

START_TEST(who_is_at_work_stays)
{
	int fd[MOST], late[3];
	char text[100];

	set_up();
	fill(fd, 1, 2, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_ptr_nonnull(held);
	fill(fd + 1, MOST - 1, 2, NULL);
	for (int i = 0; i < 3; i++) {
		late[i] = connect_from(3);
		ck_assert(answered(late[i]));
		close(late[i]);
	}
	ck_assert(!gone(fd[0]));
	fn_http_reply(held, 200, NULL, "held", 4);
	turns(2);
	ck_assert_int_gt(recv(fd[0], text, sizeof(text), 0), 4);
	finish(fd, MOST);
}
END_TEST

TEST_MAIN("web/crowd", order, peers, idle_ones_give_way, half_requests_give_way_after_a_second, who_is_at_work_stays)

/* Connections of the public server that belong together: held, let go on, too many, ended. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "unit/main.h"
#include "web/httpd.h"
#include "web/party.h"

#define ASK "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static struct fn_loop *loop;
static struct fn_httpd *httpd;
static struct fn_http_party party;
static struct fn_http_req *late;
static unsigned n_requests, n_left, n_released;
static bool keeps, ends;

static void on_request(void *arg, struct fn_http_req *r)
{
	(void)arg;
	ck_assert_ptr_eq(fn_http_req_party(r), &party);
	ck_assert_int_eq(fn_http_req_role(r), FN_HTTP_SANDBOX);
	n_requests++;
	if (ends)
		fn_http_party_end(&party);
	if (keeps)
		late = r;
	else
		fn_http_reply(r, 200, "text/plain", "", 0);
	ck_assert_uint_eq(n_released, 0);
}

static void on_left(struct fn_http_party *p)
{
	ck_assert_ptr_eq(p, &party);
	n_left++;
}

static void on_release(struct fn_http_party *p)
{
	ck_assert_ptr_eq(p, &party);
	n_released++;
}

static const struct fn_httpd_ops ops = {.request = on_request};

static void turn(void)
{
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
}

static int peer(void)
{
	int p[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p), 0);
	ck_assert_int_eq(fn_httpd_add_party(httpd, p[1], &party), 0);
	return p[0];
}

static void ask(int fd)
{
	ck_assert_int_eq(send(fd, ASK, strlen(ASK), 0), (ssize_t)strlen(ASK));
	turn();
}

/* 1: answered; 0: not; -1: its connection has ended. */
static int answered(int fd)
{
	char buf[1000];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	return n > 0 ? 1 : n < 0 && errno == EAGAIN ? 0 : -1;
}

static void set_up(unsigned conn_max)
{
	struct fn_httpd_config c = {.listen_fd = -EBADF, .body_max = 100, .conn_max = conn_max, .role = FN_HTTP_SANDBOX, .ops = &ops};
	struct fn_err err;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_httpd_new(loop, &c, &httpd, &err), 0);
	fn_http_party_init(&party, 7, on_left, on_release);
}

static void tear_down(void)
{
	fn_httpd_free(httpd);
	fn_loop_free(loop);
	ck_assert_uint_eq(n_released, 1);
}

START_TEST(held_and_let_go_on)
{
	int a, b;

	set_up(10);
	a = peer();
	b = peer();
	ask(a);
	ck_assert_int_eq(answered(a), 1);
	fn_http_party_hold(&party);
	ask(a);
	ask(b);
	ck_assert_uint_eq(n_requests, 1);
	ck_assert_uint_eq(fn_httpd_active(httpd), 0); /* what is held keeps nobody from an end */
	close(b);
	fn_http_party_go_on(&party);
	turn();
	ck_assert_int_eq(answered(a), 1);
	ck_assert_uint_eq(party.n_conns, 1);
	fn_http_party_hold(&party);
	ask(a);
	fn_http_party_end(&party);
	ck_assert_int_eq(answered(a), -1);
	ck_assert_uint_eq(n_requests, 3);
	ck_assert_uint_eq(n_released, 1);
	close(a);
	tear_down();
}
END_TEST

START_TEST(room_is_that_of_the_longest_idle)
{
	int a, b, c;

	set_up(2);
	a = peer();
	b = peer();
	ask(a);
	ck_assert_int_eq(answered(a), 1);
	ck_assert(fn_http_party_make_room(&party)); /* b has never had anything */
	ck_assert_int_eq(answered(b), -1);
	ck_assert_uint_eq(n_left, 1);
	close(b);
	b = peer();
	c = peer(); /* one more than there may be of all */
	ck_assert_uint_eq(party.n_conns, 2);
	keeps = true;
	ask(c);
	ck_assert_ptr_nonnull(late);
	while (fn_http_party_make_room(&party))
		;
	ck_assert_uint_eq(party.n_conns, 1); /* who is at work stays */
	fn_http_reply(late, 200, "text/plain", "", 0);
	turn();
	ck_assert_int_eq(answered(c), 1);
	close(a);
	close(b);
	close(c);
	fn_http_party_end(&party);
	tear_down();
}
END_TEST

/* Its owner goes while a handler has a request: whose it was can still be asked, and the answer goes to nobody. */
START_TEST(a_request_outlives_it)
{
	int a;

	set_up(10);
	a = peer();
	keeps = true;
	ask(a);
	fn_http_party_end(&party);
	ck_assert_int_eq(answered(a), -1);
	ck_assert_uint_eq(n_released, 0);
	ck_assert(fn_http_req_gone(late));
	ck_assert_ptr_eq(fn_http_req_party(late), &party);
	fn_http_reply(late, 200, "text/plain", "", 0);
	ck_assert_uint_eq(n_released, 1);
	ck_assert_uint_eq(fn_httpd_active(httpd), 0);
	close(a);
	tear_down();
}
END_TEST

/* What was held is given to who ends it all: it is released when it has been let go on, not before. */
START_TEST(ended_and_answered_by_what_was_held)
{
	int a;

	set_up(10);
	a = peer();
	fn_http_party_hold(&party);
	ask(a);
	ends = true;
	fn_http_party_go_on(&party);
	ck_assert_uint_eq(n_requests, 1);
	ck_assert_uint_eq(n_released, 1);
	close(a);
	tear_down();
}
END_TEST

TEST_MAIN("web/party", held_and_let_go_on, room_is_that_of_the_longest_idle, a_request_outlives_it, ended_and_answered_by_what_was_held)

/* The Runtime API at the limits of the process; what runtimes make of it is in tests/it. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/rtapi.h"
#include "unit/main.h"

static struct fn_loop *loop;
static struct fn_h1_server *server;
static struct sockaddr_in address;
static unsigned n_next, n_done;

static void on_next(void *arg)
{
	(void)arg;
	n_next++;
}

static void on_response(void *arg, char *body, size_t len, const char *content_type)
{
	(void)arg;
	(void)content_type;
	ck_assert_uint_eq(len, 2);
	ck_assert_int_eq(memcmp(body, "{}", 2), 0);
	free(body);
	n_done++;
}

static void on_done(struct fn_invocation *i) { (void)i; }

static unsigned n_unruly;
static void on_unruly(void *arg)
{
	(void)arg;
	n_unruly++;
}

static const struct fn_rt_ops ops = {.on_next = on_next, .on_response = on_response, .on_unruly = on_unruly};

static unsigned rounds_in_ms(unsigned ms)
{
	unsigned n = 0;

	for (uint64_t end = fn_clock_mono_us() + (uint64_t)ms * 1000u; fn_clock_mono_us() < end; n++)
		ck_assert_int_eq(fn_loop_run_once(loop, 50000), 0);
	return n;
}

static void say(int fd, const char *text) { ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text)); }

/* An answer: these come in one piece. */
static const char *hear(int fd)
{
	static char got[4096];
	ssize_t n = -1;

	for (int i = 0; i < 2000 && n < 0; i++) {
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
		n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	}
	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	return got;
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int peer(void)
{
	int fd = dial();

	say(fd, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n");
	return fd;
}

static struct fn_rt *set_up(void)
{
	struct fn_rt *rt;
	socklen_t len = sizeof(address);
	int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_h1_server_new(loop, &server), 0);
	address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listen_fd, 300), 0);
	ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(fn_rt_new(loop, server, listen_fd, &ops, NULL, &rt), 0);
	return rt;
}

START_TEST(test_no_descriptors)
{
	struct rlimit all, few;
	struct fn_rt *rt = set_up();
	int fd;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = (struct rlimit){0, all.rlim_max};
	fd = peer();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_uint_lt(rounds_in_ms(400), 50); /* it does not run in circles */
	ck_assert_uint_eq(n_next, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	for (int i = 0; i < 200 && n_next == 0; i++)
		rounds_in_ms(50);
	ck_assert_uint_eq(n_next, 1); /* and goes on by itself */
	close(fd);
	/* ended meanwhile */
	fd = peer();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	rounds_in_ms(20);
	fn_rt_close(rt);
	rounds_in_ms(200);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	close(fd);
	fn_h1_server_free(server);
	fn_loop_free(loop);
}
END_TEST

/* A result that comes in pieces that are none is refused; it may be posted anew over another connection, though the first stays open. */
START_TEST(test_refused_result)
{
	struct fn_rt *rt = set_up();
	struct fn_invocation *inv = fn_invocation_new();
	int bad = peer(), good;
	const char *heard;

	strcpy(inv->id, "00000000-0000-4000-8000-000000000001");
	inv->invoked_arn = strdup("arn");
	inv->done = on_done;
	for (int i = 0; i < 200 && n_next == 0; i++)
		rounds_in_ms(10);
	ck_assert_int_eq(fn_rt_deliver(rt, inv), 0);
	ck_assert_ptr_nonnull(strstr(hear(bad), "HTTP/1.1 200 "));
	say(bad, "POST /2018-06-01/runtime/invocation/00000000-0000-4000-8000-000000000001/response HTTP/1.1\r\nHost: h\r\n"
		 "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
	ck_assert_ptr_nonnull(strstr(hear(bad), "HTTP/1.1 400 "));
	good = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(good, (struct sockaddr *)&address, sizeof(address)), 0);
	say(good, "POST /2018-06-01/runtime/invocation/00000000-0000-4000-8000-000000000001/response HTTP/1.1\r\nHost: h\r\n"
		  "Content-Length: 2\r\n\r\n{}");
	heard = hear(good);
	ck_assert_ptr_nonnull(strstr(heard, "HTTP/1.1 202 "));
	ck_assert_ptr_nonnull(strstr(heard, "Content-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(heard, "\r\n\r\n{\"status\":\"OK\"}\n"));
	ck_assert_uint_eq(n_done, 1);
	close(bad);
	close(good);
	fn_rt_close(rt);
	fn_invocation_unref(inv);
	fn_h1_server_free(server);
	fn_loop_free(loop);
}
END_TEST

#define WRONG "POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"

/* Answers to WRONG that have come. */
static unsigned answers(int fd)
{
	static char got[1 << 16];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	unsigned k = 0;

	if (n <= 0)
		return 0;
	got[n] = '\0';
	for (const char *p = got; (p = strstr(p, "HTTP/1.1 400")); p++)
		k++;
	return k;
}

/* One that sends wrong requests without end is answered late after a while, and in the end is reported; what is right is answered at once. */
START_TEST(test_wrong_requests_without_end)
{
	struct fn_rt *rt = set_up();
	unsigned before = 0, after = 0;
	int bad[8], good;

	bad[0] = dial();
	for (int i = 0; i < 300; i++)
		say(bad[0], WRONG);
	for (int i = 0; i < 100 && before < 100; i++) {
		ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
		before += answers(bad[0]);
	}
	ck_assert_uint_ge(before, 100);
	rounds_in_ms(200);
	after = answers(bad[0]);
	ck_assert_uint_ge(after, 1);
	ck_assert_uint_le(after, 12); /* one each 20 ms, a refilled one now and then */
	ck_assert_uint_eq(n_unruly, 0);
	good = peer();
	for (int i = 0; i < 100 && n_next == 0; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
	ck_assert_uint_eq(n_next, 1);
	for (int i = 1; i < 8; i++) {
		bad[i] = dial();
		for (int k = 0; k < 300; k++)
			say(bad[i], WRONG);
	}
	ck_assert_uint_lt(rounds_in_ms(200), 200);
	for (int i = 0; i < 200 && n_unruly == 0; i++)
		rounds_in_ms(50);
	ck_assert_uint_eq(n_unruly, 1);
	fn_rt_close(rt); /* with what is held: no timer is left behind */
	rounds_in_ms(30);
	for (int i = 0; i < 8; i++)
		close(bad[i]);
	close(good);
	fn_h1_server_free(server);
	fn_loop_free(loop);
}
END_TEST

/* There is a bound; the next pending request is not what gives way, and the newest is served. */
START_TEST(test_many_connections)
{
	struct fn_rt *rt = set_up();
	struct fn_invocation *inv;
	int first = peer(), idle[20], last;
	char c;

	for (int i = 0; i < 100 && n_next == 0; i++)
		rounds_in_ms(10);
	for (int i = 0; i < 20; i++) {
		idle[i] = dial();
		rounds_in_ms(5);
	}
	ck_assert_int_eq(recv(idle[0], &c, 1, MSG_DONTWAIT), 0); /* gave way */
	ck_assert_int_eq(recv(idle[19], &c, 1, MSG_DONTWAIT), -1);
	ck_assert(fn_rt_waiting(rt));
	inv = fn_invocation_new();
	inv->invoked_arn = strdup("arn");
	inv->done = on_done;
	ck_assert_int_eq(fn_rt_deliver(rt, inv), 0); /* now it is idle, and nobody else may have its place */
	ck_assert_ptr_nonnull(strstr(hear(first), "HTTP/1.1 200 "));
	fn_invocation_unref(inv);
	for (int i = 0; i < 20; i++) {
		close(idle[i]);
		idle[i] = dial();
		rounds_in_ms(5);
	}
	ck_assert_int_eq(recv(first, &c, 1, MSG_DONTWAIT), -1);
	last = dial();
	say(last, "GET /2018-06-01/ping HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(hear(last), "pong"));
	/* connections without a request, one after the other, are accepted more and more slowly */
	for (int i = 0; i < 200; i++) {
		close(dial());
		if (i % 8 == 0)
			ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
	}
	ck_assert_uint_lt(rounds_in_ms(300), 100);
	fn_rt_close(rt);
	close(first);
	close(last);
	for (int i = 0; i < 20; i++)
		close(idle[i]);
	fn_h1_server_free(server);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("runtime/rtapi", test_no_descriptors, test_refused_result, test_wrong_requests_without_end, test_many_connections)

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

static const struct fn_rt_ops ops = {.on_next = on_next, .on_response = on_response};

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

static int peer(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
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
	ck_assert_int_eq(listen(listen_fd, 10), 0);
	ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(fn_rt_new(loop, server, listen_fd, &ops, NULL, &rt), 0);
	return rt;
}

START_TEST(test_no_descriptors)
{
	struct rlimit all, few;
	struct fn_loop *other;
	struct fn_rt *rt = set_up();
	int fd;

	ck_assert_int_eq(fn_loop_new(&other), 0);
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
	/* to another loop meanwhile, and ended meanwhile */
	fd = peer();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	rounds_in_ms(20);
	fn_rt_detach(rt);
	fn_h1_server_free(server);
	fn_loop_free(loop);
	loop = other;
	ck_assert_int_eq(fn_h1_server_new(loop, &server), 0);
	ck_assert_int_eq(fn_rt_attach(rt, loop, server), 0);
	ck_assert_uint_lt(rounds_in_ms(200), 50);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	for (int i = 0; i < 200 && n_next == 1; i++)
		rounds_in_ms(50);
	ck_assert_uint_eq(n_next, 2);
	close(fd);
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
	ck_assert_ptr_nonnull(strstr(hear(good), "HTTP/1.1 202 "));
	ck_assert_uint_eq(n_done, 1);
	close(bad);
	close(good);
	fn_rt_close(rt);
	fn_invocation_unref(inv);
	fn_h1_server_free(server);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("runtime/rtapi", test_no_descriptors, test_refused_result)

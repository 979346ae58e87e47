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
static unsigned n_next;

static void on_next(void *arg)
{
	(void)arg;
	n_next++;
}

static const struct fn_rt_ops ops = {.on_next = on_next};

static unsigned rounds_in_ms(unsigned ms)
{
	unsigned n = 0;

	for (uint64_t end = fn_clock_mono_us() + (uint64_t)ms * 1000u; fn_clock_mono_us() < end; n++)
		ck_assert_int_eq(fn_loop_run_once(loop, 50000), 0);
	return n;
}

static int peer(void)
{
	static const char next[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(send(fd, next, sizeof(next) - 1, 0), (ssize_t)sizeof(next) - 1);
	return fd;
}

START_TEST(test_no_descriptors)
{
	struct rlimit all, few;
	struct fn_loop *other;
	struct fn_rt *rt;
	socklen_t len = sizeof(address);
	int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), fd;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_loop_new(&other), 0);
	ck_assert_int_eq(fn_h1_server_new(loop, &server), 0);
	address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listen_fd, 10), 0);
	ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(fn_rt_new(loop, server, listen_fd, &ops, NULL, &rt), 0);
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

TEST_MAIN("runtime/rtapi", test_no_descriptors)

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
#include "unit/listener.h"
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
static const struct fn_sink whole = {.end = on_done, .fail = on_done};

static unsigned n_unruly;
static void on_unruly(void *arg)
{
	(void)arg;
	n_unruly++;
}

static unsigned n_truncated;
static void on_truncated(void *arg)
{
	(void)arg;
	n_truncated++;
}

static const struct fn_rt_ops ops = {.on_next = on_next, .on_response = on_response, .on_unruly = on_unruly, .on_truncated = on_truncated};

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

static struct fn_rt *set_up_with(const struct fn_rt_ops *with)
{
	int listen_fd = unit_listen(0, &address);
	struct fn_rt *rt;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_h1_server_new(loop, &server), 0);
	ck_assert_int_eq(fn_rt_new(loop, server, listen_fd, with, NULL, &rt), 0);
	return rt;
}

static struct fn_rt *set_up(void) { return set_up_with(&ops); }

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
	inv->sink = &whole;
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
	ck_assert_ptr_nonnull(strstr(hear(good), "InvalidRequestID"));
	ck_assert_uint_eq(n_truncated, 1);
	ck_assert_uint_eq(n_done, 0);
	say(good, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 200 && n_next == 1; i++)
		rounds_in_ms(10);
	ck_assert_int_eq(fn_rt_deliver(rt, inv), 0);
	ck_assert_ptr_nonnull(strstr(hear(good), "HTTP/1.1 200 "));
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
	inv->sink = &whole;
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

/* --- in pieces --- */
static struct fn_buf taken;
static bool no_room;
static unsigned n_begun, n_ended, n_errors, n_too_large, n_written;
static char ended_with[200];

static void sink_begin(struct fn_invocation *i, const char *content_type, enum fn_response_mode mode)
{
	(void)i;
	ck_assert(fn_buf_addf(&taken, "[%s %s]", content_type ? content_type : "-", mode == FN_RESPONSE_STREAMING ? "streaming" : "buffered") == 0);
	n_begun++;
}

static bool sink_write(struct fn_invocation *i, const void *data, size_t len)
{
	(void)i;
	n_written += len;
	if (len < 100)
		ck_assert_int_eq(fn_buf_add(&taken, data, len), 0);
	return no_room;
}

static const struct fn_sink pieces = {.begin = sink_begin, .write = sink_write, .end = on_done, .fail = on_done};

static bool allowed;
static bool on_begin(void *arg)
{
	(void)arg;
	return allowed;
}

static void on_stream_end(void *arg, char *body, size_t len, const char *content_type)
{
	(void)arg;
	(void)content_type;
	ck_assert_ptr_null(body);
	ck_assert_uint_eq(len, n_written);
	n_ended++;
}

static void on_stream_error(void *arg, char *body, size_t len, const char *type)
{
	(void)arg;
	snprintf(ended_with, sizeof(ended_with), "%s %.*s", type, (int)len, body ? body : "");
	free(body);
	n_errors++;
}

static void on_too_large(void *arg)
{
	(void)arg;
	n_too_large++;
}

static unsigned n_invalid_mode;
static void on_invalid_mode(void *arg)
{
	(void)arg;
	n_invalid_mode++;
}

static const struct fn_rt_ops stream_ops = {.on_next = on_next, .on_response = on_stream_end, .on_error = on_stream_error, .on_too_large = on_too_large,
					    .on_begin = on_begin, .on_truncated = on_truncated, .on_invalid_mode = on_invalid_mode};

#define ID "00000000-0000-4000-8000-000000000001"
#define POST_HEAD "POST /2018-06-01/runtime/invocation/" ID "/response HTTP/1.1\r\nHost: h\r\n"
#define STREAMING "Content-Type: text/plain\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"

/* An invocation that wants pieces is with the runtime at the other end of what is returned. */
static int delivered(struct fn_rt **rt, struct fn_invocation **inv)
{
	unsigned before = n_next;
	int fd;

	if (!*rt)
		*rt = set_up_with(&stream_ops);
	allowed = true;
	no_room = false;
	n_written = 0;
	fn_buf_reset(&taken);
	*inv = fn_invocation_new();
	strcpy((*inv)->id, ID);
	(*inv)->invoked_arn = strdup("arn");
	(*inv)->sink = &pieces;
	fd = peer();
	for (int i = 0; i < 200 && n_next == before; i++)
		rounds_in_ms(10);
	ck_assert_int_eq(fn_rt_deliver(*rt, *inv), 0);
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 200 "));
	return fd;
}

static void over(struct fn_rt *rt)
{
	fn_rt_close(rt);
	fn_h1_server_free(server);
	fn_loop_free(loop);
	fn_buf_free(&taken);
}

START_TEST(test_stream)
{
	struct fn_rt *rt = NULL;
	struct fn_invocation *inv;
	int fd = delivered(&rt, &inv);

	say(fd, POST_HEAD STREAMING "3\r\nabc\r\n");
	rounds_in_ms(20);
	ck_assert_str_eq(taken.data, "[text/plain streaming]abc"); /* at once */
	no_room = true;
	say(fd, "3\r\ndef\r\n");
	rounds_in_ms(20);
	say(fd, "3\r\nghi\r\n3\r\njkl\r\n"); /* waits */
	rounds_in_ms(20);
	ck_assert_str_eq(taken.data, "[text/plain streaming]abcdef");
	fn_invocation_room(inv); /* for one more */
	rounds_in_ms(20);
	ck_assert_str_eq(taken.data, "[text/plain streaming]abcdefghi");
	no_room = false;
	fn_invocation_room(inv);
	rounds_in_ms(20);
	ck_assert_str_eq(taken.data, "[text/plain streaming]abcdefghijkl");
	ck_assert_uint_eq(n_ended, 0);
	say(fd, "0\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 202 "));
	ck_assert_uint_eq(n_ended, 1);
	fn_invocation_room(inv); /* too late, and no harm */
	fn_invocation_unref(inv);
	close(fd);
	/* what is not called streaming comes the same way, with the other bound; errors of it are whole */
	fd = delivered(&rt, &inv);
	say(fd, POST_HEAD "Content-Length: 4\r\n\r\nab");
	rounds_in_ms(20);
	ck_assert_str_eq(taken.data, "[- buffered]ab");
	say(fd, "cd");
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 202 "));
	ck_assert_uint_eq(n_ended, 2);
	fn_invocation_unref(inv);
	close(fd);
	fd = delivered(&rt, &inv);
	say(fd, "POST /2018-06-01/runtime/invocation/" ID "/error HTTP/1.1\r\nHost: h\r\nLambda-Runtime-Function-Error-Type: T\r\nContent-Length: 2\r\n\r\n{}");
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 202 "));
	ck_assert_str_eq(ended_with, "T {}");
	ck_assert_uint_eq(n_begun, 2);
	fn_invocation_unref(inv);
	close(fd);
	over(rt);
}
END_TEST

START_TEST(test_stream_trailers)
{
	static const struct {
		const char *trailers, *want; /* NULL: no error */
	} cases[] = {
		{"Lambda-Runtime-Function-Error-Type: My.Error\r\nLambda-Runtime-Function-Error-Body: eyJlIjoxfQ==\r\n", "My.Error {\"e\":1}"},
		{"Lambda-Runtime-Function-Error-Type: My.Error\r\n", "My.Error "},
		{"Lambda-Runtime-Function-Error-Type: My.Error\r\nLambda-Runtime-Function-Error-Body: no base64!\r\n", "My.Error "},
		{"Lambda-Runtime-Function-Error-Type: \r\nLambda-Runtime-Function-Error-Body: e30=\r\n", NULL},
		{"Lambda-Runtime-Function-Error-Body: e30=\r\n", NULL},
		{"Other: x\r\n", NULL},
	};
	struct fn_rt *rt = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned ended = n_ended, errors = n_errors;
		struct fn_invocation *inv;
		int fd = delivered(&rt, &inv);

		say(fd, POST_HEAD STREAMING "1\r\nx\r\n0\r\n");
		say(fd, cases[i].trailers);
		say(fd, "\r\n");
		ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 202 "));
		ck_assert_uint_eq(n_ended - ended, cases[i].want ? 0 : 1);
		ck_assert_uint_eq(n_errors - errors, cases[i].want ? 1 : 0);
		if (cases[i].want)
			ck_assert_str_eq(ended_with, cases[i].want);
		fn_invocation_unref(inv);
		close(fd);
	}
	over(rt);
}
END_TEST

/* Ends that are none: the connection's, bytes that are no chunk, the environment's while it waits for room. */
START_TEST(test_stream_broken_off)
{
	struct fn_rt *rt = NULL;
	struct fn_invocation *inv;
	int fd = delivered(&rt, &inv);

	say(fd, POST_HEAD STREAMING "3\r\nabc\r\n3\r\nd");
	rounds_in_ms(20);
	close(fd);
	rounds_in_ms(50);
	ck_assert_uint_eq(n_truncated, 1);
	ck_assert_str_eq(taken.data, "[text/plain streaming]abcd");
	fn_invocation_unref(inv);
	fd = delivered(&rt, &inv); /* it may go on */
	say(fd, POST_HEAD STREAMING "3\r\nabc\r\nno chunk\r\n");
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 400 "));
	ck_assert_uint_eq(n_truncated, 2);
	fn_invocation_unref(inv);
	close(fd);
	fd = delivered(&rt, &inv); /* it says no more, and listens */
	say(fd, POST_HEAD STREAMING "3\r\nabc\r\n3\r\nd");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_ptr_nonnull(strstr(hear(fd), "\"errorType\":\"TruncatedHTTPRequest\""));
	ck_assert_uint_eq(n_truncated, 3);
	n_truncated--;
	fn_invocation_unref(inv);
	close(fd);
	fd = delivered(&rt, &inv); /* its process ends while it waits: what it had sent is not lost */
	no_room = true;
	say(fd, POST_HEAD STREAMING "3\r\nabc\r\n");
	rounds_in_ms(20);
	say(fd, "3\r\ndef\r\n");
	close(fd);
	rounds_in_ms(50);
	ck_assert_uint_eq(n_truncated, 2);
	ck_assert(fn_rt_unread(rt));
	no_room = false;
	fn_invocation_room(inv);
	rounds_in_ms(50);
	ck_assert_uint_eq(n_truncated, 3);
	ck_assert(!fn_rt_unread(rt));
	ck_assert_str_eq(taken.data, "[text/plain streaming]abcdef");
	fn_invocation_unref(inv);
	fd = delivered(&rt, &inv);
	no_room = true;
	say(fd, POST_HEAD STREAMING "3\r\nabc\r\n");
	rounds_in_ms(20);
	fn_rt_close(rt);
	fn_invocation_room(inv); /* nobody is there any more */
	ck_assert_uint_eq(inv->refs, 1);
	fn_invocation_unref(inv);
	close(fd);
	ck_assert_uint_eq(n_truncated, 3);
	ck_assert_uint_eq(n_ended + n_errors, 0);
	fn_h1_server_free(server);
	fn_loop_free(loop);
	fn_buf_free(&taken);
}
END_TEST

/* One byte more than may be, of a buffered response and of a stream: what may be has been written, and more is not read. */
START_TEST(test_stream_too_large)
{
	static char block[1u << 20];
	const size_t most[] = {FN_RESPONSE_MAX, FN_STREAM_MAX};
	struct fn_rt *rt = NULL;

	for (int k = 0; k < 2; k++) {
		struct fn_invocation *inv;
		int fd = delivered(&rt, &inv);
		size_t left = most[k] + 1;
		char head[300];

		snprintf(head, sizeof(head), POST_HEAD "%sContent-Length: %zu\r\n\r\n", k ? "Lambda-Runtime-Function-Response-Mode: streaming\r\n" : "", left);
		say(fd, head);
		while (left > 0) {
			ssize_t n = send(fd, block, left < sizeof(block) ? left : sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);

			ck_assert(n > 0 || errno == EAGAIN);
			left -= n > 0 ? (size_t)n : 0;
			ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
		}
		ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 413 "));
		ck_assert_uint_eq(n_too_large, (unsigned)k + 1);
		ck_assert_uint_eq(n_written, most[k]);
		fn_invocation_unref(inv);
		close(fd);
	}
	ck_assert_uint_eq(n_truncated, 0);
	over(rt);
}
END_TEST

/* What is taken whole may break off, too. Its runtime may ask for more; an init's error that somebody else was about to post is another matter. */
START_TEST(test_whole_broken_off)
{
	static const char *const broken[] = {"/response HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{", "/error HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n",
					     "/response HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "/response HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n"};
	struct fn_rt *rt = set_up_with(&stream_ops);
	struct fn_invocation *inv;
	int init = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	ck_assert_int_eq(connect(init, (struct sockaddr *)&address, sizeof(address)), 0);
	say(init, "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{");
	rounds_in_ms(20);
	fd = delivered(&rt, &inv);
	close(init);
	rounds_in_ms(20);
	ck_assert_uint_eq(n_truncated, 0);
	for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		if (i > 0)
			fd = delivered(&rt, &inv);
		allowed = false;
		say(fd, "POST /2018-06-01/runtime/invocation/" ID);
		say(fd, broken[i]);
		rounds_in_ms(20);
		close(fd);
		rounds_in_ms(20);
		ck_assert_uint_eq(n_truncated, i + 1);
		fn_invocation_unref(inv);
	}
	ck_assert_uint_eq(n_ended + n_errors, 0);
	over(rt);
}
END_TEST

/* Where it may not begin (its environment is out of memory), or its mode is none, it is taken whole and judged at its end. An empty mode is like no mode. */
START_TEST(test_stream_may_not_begin)
{
	struct fn_rt *rt = NULL;
	struct fn_invocation *inv;
	int fd = delivered(&rt, &inv);

	say(fd, POST_HEAD "Lambda-Runtime-Function-Response-Mode: fast\r\nContent-Length: 2\r\n\r\n{}");
	ck_assert_ptr_nonnull(strstr(hear(fd), "InvalidFunctionResponseMode"));
	ck_assert_uint_eq(n_begun, 0);
	ck_assert_uint_eq(n_invalid_mode, 1);
	fn_invocation_unref(inv);
	close(fd);
	fd = delivered(&rt, &inv);
	say(fd, POST_HEAD "Lambda-Runtime-Function-Response-Mode:\r\nContent-Length: 2\r\n\r\n{}");
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 202 "));
	ck_assert_str_eq(taken.data, "[- buffered]{}");
	fn_invocation_unref(inv);
	close(fd);
	fd = delivered(&rt, &inv);
	n_begun = n_errors = 0;
	allowed = false;
	say(fd, POST_HEAD STREAMING "2\r\n{}\r\n0\r\nLambda-Runtime-Function-Error-Type: T\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 202 "));
	ck_assert_uint_eq(n_begun, 0);
	ck_assert_str_eq(ended_with, "T {}");
	fn_invocation_unref(inv);
	close(fd);
	over(rt);
}
END_TEST

static unsigned n_told;
static size_t told_len;
static void on_loaded(void *arg, const char *names, size_t len)
{
	(void)arg;
	n_told++;
	told_len = len;
	ck_assert(len < 4 || memcmp(names, "a/B\n", 4) == 0);
}

static const char *known_classes;
static const char *loaded(void *arg, size_t *ret_len)
{
	(void)arg;
	*ret_len = known_classes ? strlen(known_classes) : 0;
	return known_classes;
}

static bool has_snapstart;
static bool on_restore_next(void *arg)
{
	(void)arg;
	return has_snapstart;
}

static const struct fn_rt_ops snapstart_ops = {.on_next = on_next, .on_restore_next = on_restore_next};

START_TEST(test_restore_next)
{
	static const char *const ask = "GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: h\r\n\r\n";
	struct fn_rt *rt = set_up_with(&snapstart_ops);
	int fd = dial();

	n_next = 0;
	has_snapstart = false;
	say(fd, ask);
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 404 "));
	has_snapstart = true;
	say(fd, ask);
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 200 "));
	say(fd, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n");
	while (n_next < 1)
		rounds_in_ms(10);
	close(fd);
	fd = dial();
	say(fd, ask); /* it has been */
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 404 "));
	close(fd);
	over(rt);
}
END_TEST

static const struct fn_rt_ops loaded_ops = {.on_next = on_next, .on_response = on_response, .on_loaded = on_loaded, .loaded = loaded};

#define LOADED " /2018-06-01/runtime/snapshot/loaded HTTP/1.1\r\nHost: h\r\n"

/* One invocation is asked what it has loaded, and may tell once, between its answer and its next `next`. */
START_TEST(test_loaded)
{
	static const char *const told = "POST" LOADED "Content-Length: 8\r\n\r\na/B\n&c\n\n";
	struct fn_rt *rt = set_up_with(&loaded_ops);
	struct fn_invocation *inv = fn_invocation_new();
	char *large = malloc(FN_LOADED_MAX + 1000);
	int fd = dial();

	n_next = 0;
	say(fd, "GET" LOADED "\r\n");
	ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 404 "));
	known_classes = "a/B\n";
	say(fd, "GET" LOADED "\r\n");
	ck_assert_ptr_nonnull(strstr(hear(fd), "\r\n\r\na/B\n"));
	strcpy(inv->id, ID);
	inv->invoked_arn = strdup("arn");
	inv->sink = &whole;
	for (unsigned i = 1; i <= 4; i++) {
		bool asked = i != 1, too_large = i == 4;
		const char *heard;

		say(fd, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n");
		while (n_next < i)
			rounds_in_ms(10);
		if (i == 2 || i == 4)
			fn_rt_ask_loaded(rt);
		if (i == 3)
			asked = false;
		ck_assert_int_eq(fn_rt_deliver(rt, inv), 0);
		heard = hear(fd);
		ck_assert_int_eq(strstr(heard, "Lambda-Runtime-Loaded-Classes: ") != NULL, asked);
		say(fd, told); /* too early */
		ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 403 "));
		say(fd, POST_HEAD "Content-Length: 2\r\n\r\n{}");
		ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 202 "));
		if (too_large) {
			size_t size = (size_t)sprintf(large, "POST" LOADED "Content-Length: %u\r\n\r\n", FN_LOADED_MAX + 1);

			memset(large + size, 'x', FN_LOADED_MAX + 1);
			size += FN_LOADED_MAX + 1;
			for (size_t at = 0; at < size;) {
				ssize_t n = send(fd, large + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);

				ck_assert(n > 0 || errno == EAGAIN);
				at += n > 0 ? (size_t)n : 0;
				ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
			}
			ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 413 "));
		} else {
			say(fd, told);
			ck_assert_ptr_nonnull(strstr(hear(fd), asked ? "HTTP/1.1 202 " : "HTTP/1.1 403 "));
		}
		ck_assert_uint_eq(n_told, i >= 2);
		if (!too_large) {
			say(fd, told); /* once more */
			ck_assert_ptr_nonnull(strstr(hear(fd), "HTTP/1.1 403 "));
		}
	}
	ck_assert_uint_eq(told_len, 8);
	free(large);
	close(fd);
	fn_rt_close(rt);
	fn_invocation_unref(inv);
	fn_h1_server_free(server);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("runtime/rtapi", test_restore_next, test_loaded, test_stream, test_stream_trailers, test_stream_broken_off, test_whole_broken_off, test_stream_too_large, test_stream_may_not_begin, test_no_descriptors, test_refused_result, test_wrong_requests_without_end, test_many_connections)

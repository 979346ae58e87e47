/* Telemetry of one environment, to subscribers played here: what they are told, when, how often, and what is dropped. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "runtime/telemetry.h"
#include "unit/listener.h"
#include "unit/main.h"

static struct fn_loop *loop;
static struct fn_telemetry_host host;
static struct fn_telemetry *t;
static int listener, conn = -1;
static uint16_t port;

/* --- the sandbox's network: ours --- */
static struct fn_delivery *asking;
static unsigned n_sockets, n_cancelled;
static bool no_sockets;

static int give_socket(void *arg, struct fn_delivery *d, uint64_t *ret_request)
{
	(void)arg;
	asking = d;
	*ret_request = ++n_sockets;
	return 0;
}

static void cancel(void *arg, uint64_t request)
{
	(void)arg;
	ck_assert_uint_eq(request, n_sockets);
	asking = NULL;
	n_cancelled++;
}

static const struct fn_telemetry_ops ops = {give_socket, cancel};

static void round_of(uint64_t most_us)
{
	struct fn_delivery *d = asking;

	if (d) {
		asking = NULL;
		if (no_sockets)
			fn_delivery_socket(d, -ESRCH, -1);
		else
			fn_delivery_socket(d, 0, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	}
	ck_assert_int_eq(fn_loop_run_once(loop, most_us), 0);
}

static void listen_on(void)
{
	struct sockaddr_in a;

	listener = unit_listen(port, &a);
	port = ntohs(a.sin_port);
}

static void begin(bool json)
{
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	host = (struct fn_telemetry_host){.loop = loop};
	listen_on();
	ck_assert_int_eq(fn_telemetry_new(&host, &ops, NULL, json, &t), 0);
	fn_telemetry_begin(t);
}

static void end(void)
{
	fn_telemetry_free(t);
	ck_assert_uint_eq(host.bytes, 0);
	if (conn >= 0)
		close(conn);
	close(listener);
	fn_loop_free(loop);
}

/* --- the subscriber --- */
static void subscribe(enum fn_telemetry_api api, const char *name, const char *schema, const char *types, bool tcp, unsigned status)
{
	struct fn_telemetry_answer answer;
	char body[512], destination[128];

	snprintf(destination, sizeof(destination), tcp ? "{\"protocol\":\"TCP\",\"port\":%u}" : "{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox:%u/in\"}", port);
	snprintf(body, sizeof(body), "{\"schemaVersion\":\"%s\",\"types\":%s,\"buffering\":{\"timeoutMs\":25},\"destination\":%s}", schema, types, destination);
	fn_telemetry_subscribe(t, api, name, body, strlen(body), &answer);
	ck_assert_msg(answer.status == status, "%u: %s", answer.status, answer.body);
}

static void accept_it(void)
{
	uint64_t until = fn_clock_mono_us() + 20000000;

	if (conn >= 0)
		close(conn);
	while ((conn = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
		ck_assert_uint_lt(fn_clock_mono_us(), until);
		round_of(1000);
	}
}

/* A request's body, or a line. The caller frees it. */
static char *hear(bool tcp)
{
	static char buf[8u << 20];
	static size_t len;
	uint64_t until = fn_clock_mono_us() + 20000000;

	for (;; round_of(1000)) {
		char *head_end, *nl;
		ssize_t n = recv(conn, buf + len, sizeof(buf) - 1 - len, 0);

		ck_assert_uint_lt(fn_clock_mono_us(), until);
		if (n > 0)
			len += (size_t)n;
		buf[len] = '\0';
		if (tcp && (nl = strchr(buf, '\n'))) {
			char *line = strndup(buf, (size_t)(nl - buf));

			len -= (size_t)(nl + 1 - buf);
			memmove(buf, nl + 1, len);
			return line;
		}
		head_end = tcp ? NULL : strstr(buf, "\r\n\r\n");
		if (head_end) {
			size_t want = (size_t)atoi(strstr(buf, "Content-Length: ") + 16), head = (size_t)(head_end + 4 - buf);

			ck_assert_int_eq(strncmp(buf, "POST /in HTTP/1.1\r\nHost: sandbox:", 33), 0);
			if (len >= head + want) {
				char *body = strndup(buf + head, want);

				ck_assert_uint_eq(len, head + want);
				len = 0;
				return body;
			}
		}
	}
}

static void answer(const char *text) { ck_assert_int_eq(send(conn, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text)); }

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void rest(void)
{
	uint64_t until = fn_clock_mono_us() + 20000000;

	for (; fn_telemetry_busy(t); round_of(1000))
		ck_assert_uint_lt(fn_clock_mono_us(), until);
}

/* The next batch is this, but for times. */
static void expect(const char *events)
{
	char *body = hear(false), *time;

	while ((time = strstr(body, "\"time\":\"2")))
		memmove(time, time + strlen("\"time\":\"2026-01-02T03:04:05.678Z\","), strlen(time + strlen("\"time\":\"2026-01-02T03:04:05.678Z\",")) + 1);
	ck_assert_str_eq(body, events);
	free(body);
	answer(OK);
}

static void say(enum fn_platform_event what, const char *record) { fn_telemetry_event(t, fn_clock_real_us(), what, record); }
static void print(const char *text) { fn_telemetry_lines(t, fn_clock_real_us(), FN_TELEMETRY_FUNCTION, text, strlen(text)); }

#define SUBSCRIBED(name, types) "{\"type\":\"platform.telemetrySubscription\",\"record\":{\"name\":\"" name "\",\"state\":\"Subscribed\",\"types\":" types "}}"

START_TEST(test_what_was_before_is_told)
{
	begin(false);
	say(FN_PLATFORM_INIT_START, "{\"phase\":\"init\"}");
	print("one\n{\"a\":\xff}\nlast");
	subscribe(FN_API_TELEMETRY, "first", "2022-12-13", "[\"platform\",\"function\"]", false, 200);
	accept_it();
	expect("[{\"type\":\"platform.initStart\",\"record\":{\"phase\":\"init\"}},{\"type\":\"function\",\"record\":\"one\"},"
	       "{\"type\":\"function\",\"record\":\"{\\\"a\\\":\xef\xbf\xbd}\"},{\"type\":\"function\",\"record\":\"last\"}," SUBSCRIBED("first", "[\"platform\",\"function\"]") "]");
	fn_telemetry_lines(t, 0, FN_TELEMETRY_EXTENSION, "not asked for\n", 14);
	say(FN_PLATFORM_START, "{\"requestId\":\"r\"}");
	expect("[{\"type\":\"platform.start\",\"record\":{\"requestId\":\"r\"}}]"); /* over the same connection */
	ck_assert_uint_eq(n_sockets, 1);
	fn_telemetry_initialised(t);
	subscribe(FN_API_TELEMETRY, "late", "2022-12-13", "[\"platform\"]", false, 403);
	end();
}
END_TEST

/* Objects, where the log format is JSON and the schema knows of it. */
START_TEST(test_objects)
{
	begin(true);
	subscribe(FN_API_TELEMETRY, "x", "2022-12-13", "[\"function\"]", false, 200);
	print("{\"a\": 1}\n{\"b\": }\n[1]\n");
	accept_it();
	expect("[{\"type\":\"function\",\"record\":{\"a\": 1}},{\"type\":\"function\",\"record\":\"{\\\"b\\\": }\"},{\"type\":\"function\",\"record\":\"[1]\"}]");
	end();
	begin(true);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\"]", false, 200);
	print("{\"a\":1}\n");
	accept_it();
	expect("[{\"type\":\"function\",\"record\":\"{\\\"a\\\":1}\"}]");
	end();
}
END_TEST

START_TEST(test_logs_api)
{
	static const char *const schemas[] = {"2020-08-15", "2021-03-18"};

	for (int i = 0; i < 2; i++) {
		begin(false);
		say(FN_PLATFORM_INIT_START, "{}");
		subscribe(FN_API_LOGS, "l", schemas[i], "[\"platform\"]", false, 200);
		say(FN_PLATFORM_START, "{\"requestId\":\"r\",\"version\":\"1\"}");
		say(FN_PLATFORM_RUNTIME_DONE, "{\"requestId\":\"r\",\"status\":\"success\",\"metrics\":{\"durationMs\":1.5}}");
		say(FN_PLATFORM_REPORT, "{\"requestId\":\"r\",\"metrics\":{\"durationMs\":12.501},\"status\":\"success\"}");
		say(FN_PLATFORM_FAULT, "\"RequestId: r Error: x\"");
		accept_it();
		expect(i == 0 ? "[{\"type\":\"platform.logsSubscription\",\"record\":{\"name\":\"l\",\"state\":\"Subscribed\",\"types\":[\"platform\"]}},"
				"{\"type\":\"platform.start\",\"record\":{\"requestId\":\"r\"}},{\"type\":\"platform.end\",\"record\":{\"requestId\":\"r\"}},"
				"{\"type\":\"platform.report\",\"record\":{\"requestId\":\"r\",\"metrics\":{\"durationMs\":12.501}}},"
				"{\"type\":\"platform.fault\",\"record\":\"RequestId: r Error: x\"}]"
			      : "[{\"type\":\"platform.logsSubscription\",\"record\":{\"name\":\"l\",\"state\":\"Subscribed\",\"types\":[\"platform\"]}},"
				"{\"type\":\"platform.start\",\"record\":{\"requestId\":\"r\"}},{\"type\":\"platform.runtimeDone\",\"record\":{\"requestId\":\"r\",\"status\":\"success\"}},"
				"{\"type\":\"platform.end\",\"record\":{\"requestId\":\"r\"}},"
				"{\"type\":\"platform.report\",\"record\":{\"requestId\":\"r\",\"metrics\":{\"durationMs\":12.501}}},"
				"{\"type\":\"platform.fault\",\"record\":\"RequestId: r Error: x\"}]");
		subscribe(FN_API_TELEMETRY, "l", "2022-07-01", "[\"platform\"]", false, 400); /* it has chosen */
		end();
	}
}
END_TEST

/* A batch that is refused, cut off or answered with nonsense comes again, whole. */
START_TEST(test_failures_are_tried_again)
{
	static const char *const answers[] = {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n"};

	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\"]", false, 200);
	print("once\n");
	for (size_t i = 0; i < 4; i++) {
		char *body;

		accept_it();
		body = hear(false);
		ck_assert_ptr_nonnull(strstr(body, "\"once\""));
		free(body);
		answer(answers[i]);
		close(conn);
		conn = -1;
	}
	accept_it();
	expect("[{\"type\":\"function\",\"record\":\"once\"}]");
	end();
}
END_TEST

/* Nobody listens for too long: what was for it is dropped, and told of when it does. */
START_TEST(test_given_up)
{
	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"platform\"]", false, 200);
	close(listener);
	for (uint64_t until = fn_clock_mono_us() + 30000000; n_sockets < FN_DELIVERY_ATTEMPTS || fn_telemetry_busy(t); round_of(1000))
		if (n_sockets == FN_DELIVERY_ATTEMPTS && !asking) {
			listen_on();
			break;
		} else {
			ck_assert_uint_lt(fn_clock_mono_us(), until);
		}
	accept_it();
	expect("[{\"type\":\"platform.logsDropped\",\"record\":{\"droppedBytes\":139,\"droppedRecords\":1,\"reason\":\"could not send events: ECONNREFUSED\"}}]");
	end();
}
END_TEST

/* One that takes a batch and does not answer: the next gathers up to its bounds, more is dropped; nobody waits. */
START_TEST(test_slow)
{
	const size_t size = strlen("{\"time\":\"2026-01-02T03:04:05.678Z\",\"type\":\"function\",\"record\":\"\"}") + 999;
	char line[1001], dropped[256], *body, *at;
	unsigned n = 0;

	memset(line, 'x', 999);
	line[999] = '\n';
	line[1000] = '\0';
	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"platform\",\"function\"]", false, 200);
	accept_it();
	free(hear(false));
	fn_telemetry_initialised(t);
	for (int i = 0; i < 400; i++)
		print(line);
	ck_assert_uint_lt(host.bytes, 262144 + 2048);
	answer(OK);
	body = hear(false);
	for (at = body; (at = strstr(at, "\"function\"")); at++)
		n++;
	free(body);
	ck_assert_uint_eq(n, (262144 + size - 1) / size);
	answer(OK);
	body = hear(false);
	snprintf(dropped, sizeof(dropped), "\"platform.logsDropped\",\"record\":{\"droppedBytes\":%zu,\"droppedRecords\":%u,\"reason\":\"Some logs were dropped because the downstream consumer is slower than the logs production rate\"}",
		 (400 - n) * size, 400 - n);
	ck_assert_msg(strstr(body, dropped) != NULL, "%s", body);
	free(body);
	answer(OK);
	rest();
	end();
}
END_TEST

/* By TCP, lines; after a break what had not gone wholly goes again. */
START_TEST(test_tcp)
{
	char *line;

	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\"]", true, 200);
	print("a\nb\n");
	accept_it();
	line = hear(true);
	ck_assert_ptr_nonnull(strstr(line, "\"record\":\"a\"}"));
	free(line);
	line = hear(true);
	ck_assert_ptr_nonnull(strstr(line, "\"record\":\"b\"}"));
	free(line);
	rest();
	close(conn);
	conn = -1;
	for (int i = 0; i < 10; i++)
		round_of(1000);
	print("c\n");
	accept_it();
	line = hear(true);
	ck_assert_ptr_nonnull(strstr(line, "\"record\":\"c\"}"));
	free(line);
	end();
}
END_TEST

/* Who has had a long batch listens anew for a short one: what had gone of the first is nothing of the second. */
START_TEST(test_tcp_again)
{
	char *line, more;

	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\"]", true, 200);
	for (int i = 0; i < 20; i++)
		print("a line of a long batch\n");
	accept_it();
	for (int i = 0; i < 20; i++)
		free(hear(true));
	rest();
	close(conn);
	conn = -1;
	close(listener);
	for (int i = 0; i < 10; i++)
		round_of(1000);
	n_sockets = 0;
	print("short\nand last\n");
	for (uint64_t until = fn_clock_mono_us() + 20000000; n_sockets < 2; round_of(1000)) /* the first is refused */
		ck_assert_uint_lt(fn_clock_mono_us(), until);
	listen_on();
	accept_it();
	line = hear(true);
	ck_assert_ptr_nonnull(strstr(line, "\"record\":\"short\"}"));
	free(line);
	line = hear(true);
	ck_assert_ptr_nonnull(strstr(line, "\"record\":\"and last\"}"));
	free(line);
	rest();
	ck_assert_int_eq(recv(conn, &more, 1, MSG_DONTWAIT), -1);
	end();
}
END_TEST

/* While it is frozen nothing is sent and no attempt is over; then all comes at once. */
START_TEST(test_frozen)
{
	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\"]", false, 200);
	fn_telemetry_initialised(t);
	fn_telemetry_pause(t);
	print("frozen\n");
	for (uint64_t until = fn_clock_mono_us() + 200000; fn_clock_mono_us() < until;)
		round_of(10000);
	ck_assert_uint_eq(n_sockets, 0);
	fn_telemetry_resume(t);
	accept_it();
	fn_telemetry_pause(t);
	for (uint64_t until = fn_clock_mono_us() + 200000; fn_clock_mono_us() < until;)
		round_of(10000);
	ck_assert(fn_telemetry_busy(t));
	fn_telemetry_resume(t);
	expect("[{\"type\":\"function\",\"record\":\"frozen\"}]");
	print("flushed\n");
	fn_telemetry_flush(t);
	ck_assert(fn_telemetry_busy(t));
	expect("[{\"type\":\"function\",\"record\":\"flushed\"}]");
	end();
}
END_TEST

/* Its sandbox goes with a batch under way: that goes to the next one, wherever the extension listens there. */
START_TEST(test_another_sandbox)
{
	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\",\"platform\"]", false, 200);
	accept_it();
	free(hear(false));
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\"]", false, 200); /* changes nothing but is told */
	fn_telemetry_initialised(t);
	fn_telemetry_lost(t);
	close(listener);
	port = 0;
	listen_on();
	print("meanwhile\n");
	fn_telemetry_begin(t);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\",\"platform\"]", false, 200);
	accept_it();
	expect("[" SUBSCRIBED("x", "[\"platform\",\"function\"]") "]");
	expect("[{\"type\":\"platform.telemetrySubscription\",\"record\":{\"name\":\"x\",\"state\":\"Already subscribed\",\"types\":[\"platform\",\"function\"]}},"
	       "{\"type\":\"function\",\"record\":\"meanwhile\"},"
	       "{\"type\":\"platform.telemetrySubscription\",\"record\":{\"name\":\"x\",\"state\":\"Already subscribed\",\"types\":[\"platform\",\"function\"]}}]");
	end();
}
END_TEST

/* No socket is to be had; and one that never comes. */
START_TEST(test_no_socket)
{
	begin(false);
	subscribe(FN_API_TELEMETRY, "x", "2022-07-01", "[\"function\"]", false, 200);
	no_sockets = true;
	print("x\n");
	for (uint64_t until = fn_clock_mono_us() + 20000000; n_sockets < 3; round_of(1000))
		ck_assert_uint_lt(fn_clock_mono_us(), until);
	fn_telemetry_free(t);
	ck_assert_uint_eq(n_cancelled, asking ? 0 : n_cancelled);
	t = NULL;
	end();
}
END_TEST

TEST_MAIN("runtime/telemetry", test_what_was_before_is_told, test_objects, test_logs_api, test_failures_are_tried_again, test_given_up, test_slow, test_tcp, test_tcp_again, test_frozen,
	  test_another_sandbox, test_no_socket)

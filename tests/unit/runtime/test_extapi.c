/* The Extensions API: who may say what when, and what it is answered with. */
#include <arpa/inet.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/rtapi.h"
#include "unit/listener.h"
#include "unit/main.h"

#define CONNS 12

static struct fn_loop *loop;
static struct fn_h1_server *server;
static struct fn_rt *rt;
static struct sockaddr_in address;
static int fds[CONNS];
static unsigned n_registered, n_ready, n_init_error, n_exit_error, n_next;

static void on_next(void *arg) { (void)arg; n_next++; }
static void describe(void *arg, struct fn_ext_function *ret) { (void)arg; *ret = (struct fn_ext_function){"f", "7", "a\"b", "123456789012"}; }
static void on_registered(void *arg) { (void)arg; n_registered++; }
static void on_ready(void *arg) { (void)arg; n_ready++; }
static void on_error(void *arg, bool init)
{
	(void)arg;
	n_init_error += init;
	n_exit_error += !init;
}
static const struct fn_ext_ops ext_ops = {describe, on_registered, on_ready, on_error};
static const struct fn_rt_ops ops = {.on_next = on_next, .extensions = &ext_ops};

static struct fn_ext *ext(void) { return fn_rt_extensions(rt); }

static void turn(void)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
}

static void say(int c, const char *text)
{
	if (fds[c] < 0) {
		fds[c] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(connect(fds[c], (struct sockaddr *)&address, sizeof(address)), 0);
	}
	ck_assert_int_eq(send(fds[c], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* The answer that comes on c, all of it. */
static const char *hear(int c)
{
	static char got[8192];
	ssize_t n = -1;

	for (int i = 0; i < 2000 && n < 0; i++) {
		ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
		n = recv(fds[c], got, sizeof(got) - 1, MSG_DONTWAIT);
	}
	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	return got;
}

static bool silent(int c)
{
	char byte;

	turn();
	return recv(fds[c], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static void ask(int c, const char *method, const char *path, const char *headers, const char *body)
{
	char text[70000 + 1024];

	snprintf(text, sizeof(text), "%s /2020-01-01/extension/%s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%s", method, path, headers, strlen(body), body);
	say(c, text);
}

static const char *answer(int c, const char *method, const char *path, const char *headers, const char *body)
{
	ask(c, method, path, headers, body);
	return hear(c);
}

static void identifier(unsigned i, char *header, size_t size)
{
	struct fn_ext_info info;

	fn_ext_info(ext(), i, &info);
	snprintf(header, size, "Lambda-Extension-Identifier: %s\r\n", info.identifier);
}

static enum fn_ext_state state(unsigned i)
{
	struct fn_ext_info info;

	fn_ext_info(ext(), i, &info);
	return info.state;
}

static void ask_next(int c, unsigned i)
{
	char id[128];

	identifier(i, id, sizeof(id));
	ask(c, "GET", "event/next", id, "");
	turn();
}

static void has(const char *text, const char *what) { ck_assert_msg(strstr(text, what) != NULL, "%s\n is not in\n%s", what, text); }
#define REFUSED(text, type, words) (has(text, "HTTP/1.1 403 "), has(text, "\"errorType\":\"" type "\""), has(text, words))

static void set_up(unsigned externals)
{
	static const char *const names[] = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"};
	int fd = unit_listen(0, &address);

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < CONNS; i++)
		fds[i] = -1;
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_h1_server_new(loop, &server), 0);
	ck_assert_int_eq(fn_rt_new(loop, server, fd, &ops, NULL, &rt), 0);
	if (externals)
		ck_assert_int_eq(fn_rt_expect_extensions(rt, names, externals), 0);
}

static void tear_down(void)
{
	fn_rt_close(rt);
	for (int i = 0; i < CONNS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	fn_h1_server_free(server);
	fn_loop_free(loop);
}

#define BOTH "{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}"

START_TEST(registration)
{
	const char *got;

	set_up(2);
	got = answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", BOTH);
	has(got, "HTTP/1.1 200 ");
	has(got, "\r\nLambda-Extension-Identifier: ");
	has(got, "\r\nContent-Type: application/json\r\n");
	has(got, "\r\n\r\n{\"functionName\":\"f\",\"functionVersion\":\"7\",\"handler\":\"a\\\"b\"}");
	ck_assert_uint_eq(n_registered, 0);
	got = answer(0, "POST", "register", "Lambda-Extension-Name: two\r\nLambda-Extension-Accept-Feature: other ,accountId, x\r\n", "{\"Events\":null}");
	has(got, "\"accountId\":\"123456789012\"");
	ck_assert_uint_eq(n_registered, 1); /* all external ones: the runtime may start */
	has(answer(1, "POST", "register", "Lambda-Extension-Name: inner\r\nLambda-Extension-Accept-Feature: accountIds\r\n", "{}"), "\"handler\":\"a\\\"b\"}");
	ck_assert_uint_eq(n_registered, 1);
	ck_assert_uint_eq(fn_ext_count(ext()), 3);
	ck_assert_uint_eq(fn_ext_external(ext()), 2);
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", BOTH), "Extension.InvalidExtensionState",
		"State transition from Registered to Registered failed for extension one. Error: State transition is not allowed");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: inner\r\n", "{}"), "Extension.InvalidExtensionState", "Extension with this name already registered");
	tear_down();
}
END_TEST

START_TEST(refusals)
{
	static char large[70000];
	char headers[512];

	set_up(1);
	REFUSED(answer(0, "POST", "register", "", BOTH), "Extension.InvalidExtensionName", "Empty extension name");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: \xc3\x28\r\n", BOTH), "Extension.InvalidExtensionName", "UTF-8");
	snprintf(headers, sizeof(headers), "Lambda-Extension-Name: %0*d\r\n", 256, 0);
	REFUSED(answer(0, "POST", "register", headers, BOTH), "Extension.InvalidExtensionName", "255 bytes");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", ""), "InvalidRequestFormat", "errorMessage");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", "[]"), "InvalidRequestFormat", "errorMessage");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", "{\"events\":\"INVOKE\"}"), "InvalidRequestFormat", "events");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", "{\"events\":[7]}"), "InvalidRequestFormat", "events");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", "{\"configurationKeys\":[\"a\"]}"), "InvalidRequestFormat", "configurationKeys are deprecated");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", "{\"events\":[\"invoke\"]}"), "Extension.InvalidEventType", "invoke");
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: wrong\r\n", BOTH), "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension");
	memset(large, ' ', sizeof(large) - 1);
	REFUSED(answer(1, "POST", "register", "Lambda-Extension-Name: one\r\n", large), "InvalidRequestFormat", "65536 bytes");
	ck_assert_uint_eq(fn_ext_count(ext()), 1);
	ck_assert_int_eq(state(0), FN_EXT_STARTED);
	REFUSED(answer(0, "GET", "event/next", "", ""), "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header");
	REFUSED(answer(0, "GET", "event/next", "Lambda-Extension-Identifier: me\r\n", ""), "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier");
	REFUSED(answer(0, "GET", "event/next", "Lambda-Extension-Identifier: 00000000-0000-4000-8000-000000000000\r\n", ""), "Extension.UnknownExtensionIdentifier",
		"Unknown extension 00000000-0000-4000-8000-000000000000");
	identifier(0, headers, sizeof(headers)); /* it has not registered: nobody has been told this */
	REFUSED(answer(0, "GET", "event/next", headers, ""), "Extension.UnknownExtensionIdentifier", "Unknown extension");
	has(answer(0, "GET", "register", "", ""), "HTTP/1.1 405 ");
	has(answer(0, "GET", "event", "", ""), "HTTP/1.1 404 ");
	tear_down();
}
END_TEST

START_TEST(limits)
{
	char headers[128];

	set_up(8);
	for (int i = 0; i < 2; i++) {
		snprintf(headers, sizeof(headers), "Lambda-Extension-Name: inner%d\r\n", i);
		has(answer(0, "POST", "register", headers, "{}"), "HTTP/1.1 200 ");
	}
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: eleventh\r\n", "{}"), "Extension.TooManyExtensions", "Extension limit (10) reached");
	tear_down();
}
END_TEST

/* Registration ends with the runtime's first `next`, also where nothing had registered until then. */
START_TEST(closed)
{
	set_up(0);
	say(1, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n");
	turn();
	ck_assert_uint_eq(n_next, 1);
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: late\r\n", "{}"), "Extension.RegistrationClosed", "Extension registration closed already");
	tear_down();
	set_up(1);
	say(1, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n");
	turn();
	REFUSED(answer(0, "POST", "register", "Lambda-Extension-Name: late\r\n", "{}"), "Extension.RegistrationClosed", "Extension registration closed already");
	has(answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", "{}"), "HTTP/1.1 200 "); /* an external one is known already */
	tear_down();
}
END_TEST

static struct fn_invocation *invocation(const char *trace)
{
	struct fn_invocation *inv = fn_invocation_new();

	strcpy(inv->id, "11111111-1111-4111-8111-111111111111");
	inv->invoked_arn = strdup("arn:x");
	inv->trace_id = trace ? strdup(trace) : NULL;
	inv->deadline_real_ms = 1234;
	return inv;
}

START_TEST(events)
{
	struct fn_invocation *inv = invocation("Root=1");
	const char *got;

	set_up(2);
	ck_assert(!fn_ext_ready(ext(), 0));
	answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", BOTH);
	answer(1, "POST", "register", "Lambda-Extension-Name: two\r\n", "{\"events\":[\"SHUTDOWN\"]}");
	answer(2, "POST", "register", "Lambda-Extension-Name: inner\r\n", "{\"events\":[\"INVOKE\"]}");
	ask_next(0, 0);
	ask_next(1, 1);
	ck_assert(!fn_ext_ready(ext(), 0));
	ask_next(2, 2);
	ck_assert_uint_eq(n_ready, 3);
	ck_assert(fn_ext_ready(ext(), 0));
	REFUSED((ask_next(3, 0), hear(3)), "Extension.InvalidExtensionState", "State transition from Ready to Ready failed for extension ");
	fn_ext_invoke(ext(), inv);
	got = hear(0);
	has(got, "HTTP/1.1 200 ");
	has(got, "\r\nLambda-Extension-Event-Identifier: ");
	has(got, "\r\n\r\n{\"eventType\":\"INVOKE\",\"deadlineMs\":1234,\"requestId\":\"11111111-1111-4111-8111-111111111111\",\"invokedFunctionArn\":\"arn:x\","
		 "\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":\"Root=1\"}}");
	has(hear(2), "\"INVOKE\"");
	ck_assert(silent(1)); /* it does not want to know */
	ck_assert(!fn_ext_ready(ext(), FN_EXT_INVOKE));
	ask_next(0, 0);
	ck_assert(!fn_ext_ready(ext(), FN_EXT_INVOKE));
	ask_next(2, 2);
	ck_assert(fn_ext_ready(ext(), FN_EXT_INVOKE));
	/* one that is at something gets SHUTDOWN when it asks; internal ones never; no tracing where there is none */
	fn_invocation_unref(inv);
	inv = invocation(NULL);
	fn_ext_invoke(ext(), inv);
	ck_assert_ptr_null(strstr(hear(0), "tracing"));
	fn_ext_shutdown(ext(), "timeout", 99);
	got = hear(1);
	has(got, "\r\n\r\n{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"timeout\",\"deadlineMs\":99}");
	ck_assert_ptr_null(strstr(got, "Event-Identifier"));
	ask_next(0, 0);
	has(hear(0), "SHUTDOWN");
	hear(2);
	ask_next(2, 2);
	ck_assert(silent(2));
	fn_invocation_unref(inv);
	tear_down();
}
END_TEST

/* A client that gives up waiting and asks again over another connection misses nothing. */
START_TEST(another_connection)
{
	struct fn_invocation *inv = invocation(NULL);

	set_up(1);
	answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", BOTH);
	ask_next(0, 0);
	close(fds[0]);
	fds[0] = -1;
	turn();
	ask_next(1, 0);
	ck_assert(silent(1));
	close(fds[1]);
	fds[1] = -1;
	turn();
	fn_ext_invoke(ext(), inv);
	ck_assert_int_eq(state(0), FN_EXT_RUNNING);
	ck_assert(!fn_ext_ready(ext(), FN_EXT_INVOKE));
	ask_next(2, 0);
	has(hear(2), "\"INVOKE\"");
	ask_next(2, 0);
	ck_assert(silent(2)); /* once */
	ck_assert(fn_ext_ready(ext(), FN_EXT_INVOKE));
	fn_invocation_unref(inv);
	tear_down();
}
END_TEST

START_TEST(errors)
{
	struct fn_ext_info info;
	char id[256];

	set_up(2);
	answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", BOTH);
	answer(1, "POST", "register", "Lambda-Extension-Name: two\r\n", BOTH);
	identifier(0, id, sizeof(id));
	REFUSED(answer(0, "POST", "init/error", id, ""), "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found");
	strcat(id, "Lambda-Extension-Function-Error-Type: Extension.No\xe9""Disk\r\n");
	has(answer(0, "POST", "init/error", id, "{\"errorMessage\":\"m\"}"), "HTTP/1.1 202 ");
	has(answer(0, "POST", "init/error", id, ""), "{\"status\":\"OK\"}");
	ck_assert_uint_eq(n_init_error, 1);
	fn_ext_info(ext(), 0, &info);
	ck_assert_str_eq(info.error_type, "Extension.No?Disk");
	REFUSED((ask_next(0, 0), hear(0)), "Extension.InvalidExtensionState", "State transition from InitError to Ready failed for extension ");
	ask_next(1, 1);
	identifier(1, id, sizeof(id));
	strcat(id, "Lambda-Extension-Function-Error-Type: x\r\n");
	REFUSED(answer(2, "POST", "init/error", id, ""), "Extension.InvalidExtensionState", "State transition from Ready to InitError failed for extension ");
	has(answer(2, "POST", "exit/error", id, ""), "HTTP/1.1 202 ");
	ck_assert_uint_eq(n_exit_error, 1);
	fn_ext_exited(ext(), 2, true);
	ck_assert_int_eq(state(1), FN_EXT_EXIT_ERROR); /* how it ends says less */
	tear_down();
	set_up(2);
	answer(0, "POST", "register", "Lambda-Extension-Name: one\r\n", BOTH);
	fn_ext_exited(ext(), 1, false);
	ck_assert_int_eq(state(0), FN_EXT_REGISTERED); /* that is where it crashed */
	fn_ext_shutdown(ext(), "failure", 1);
	fn_ext_exited(ext(), 1, true);
	fn_ext_exited(ext(), 2, false);
	ck_assert_int_eq(state(0), FN_EXT_EXITED);
	ck_assert_int_eq(state(1), FN_EXT_SHUTDOWN_FAILED);
	tear_down();
}
END_TEST

/* Each extension has a connection of its own, the runtime some besides. */
START_TEST(connections)
{
	char headers[128];

	set_up(10);
	for (int i = 0; i < 10; i++) {
		static const char *const names[] = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"};

		snprintf(headers, sizeof(headers), "Lambda-Extension-Name: %s\r\n", names[i]);
		has(answer(i, "POST", "register", headers, BOTH), "HTTP/1.1 200 ");
		ask_next(i, (unsigned)i);
	}
	ck_assert_uint_eq(n_registered, 1);
	for (int i = 0; i < 30; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		turn();
		close(fd);
	}
	ck_assert(fn_ext_ready(ext(), 0));
	fn_ext_shutdown(ext(), "spindown", 1);
	for (int i = 0; i < 10; i++)
		has(hear(i), "SHUTDOWN");
	tear_down();
}
END_TEST

TEST_MAIN("runtime/extapi", registration, refusals, limits, closed, events, another_connection, errors, connections)

/* The client against fn_httpd, on the same loop, and against nobody. */
#include "web/inner_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/main.h"
#include "web/httpd.h"

static char dir[] = "/tmp/fn-inner-XXXXXX";
static struct fn_loop *loop;
static struct fn_httpd *server;
static struct fn_http_req *kept; /* "/keep": not answered */
static unsigned served, gone;
static int dir_fd;

struct result {
	unsigned calls, status;
	int error;
	bool sent;
	bool answered; /* elsewhere */
	size_t len;
	char body[64];
};

static void on_gone(void *arg)
{
	(void)arg;
	gone++;
	fn_http_reply(kept, 200, NULL, NULL, 0);
	kept = NULL;
}

static void on_request(void *arg, struct fn_http_req *req)
{
	const char *body;
	size_t len;

	(void)arg;
	served++;
	fn_http_req_body(req, &body, &len);
	if (strcmp(fn_http_req_path(req), "/ahead") == 0) { /* to the client, if he was given */
		static struct fn_h1_ahead a;
		const struct fn_h1_header id = {"X-Id", "17"};

		ck_assert(fn_http_reply_ahead(req, &a, 202, "a/b", &id, 1));
		fn_h1_ahead_send(&a);
		if (!fn_http_replied(req))
			fn_http_reply(req, 503, NULL, NULL, 0);
		return;
	}
	if (strcmp(fn_http_req_path(req), "/keep") == 0) {
		kept = req;
		fn_http_req_on_gone(req, on_gone, NULL);
		return;
	}
	fn_http_reply(req, 201, "text/plain", body, len);
}

static int listen_there(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	(void)unlink(a.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	return fd;
}

static void open_server(void)
{
	static const struct fn_httpd_ops ops = {.request = on_request};
	const struct fn_httpd_config c = {.listen_fd = listen_there(), .body_max = 8u << 20, .conn_max = 64, .takes_clients = true, .ops = &ops};

	ck_assert_int_eq(fn_httpd_new(loop, &c, &server, NULL), 0);
}

static struct fn_inner_client *client(unsigned connections, unsigned waiting, uint64_t connect_us)
{
	const struct fn_inner_config c = {.loop = loop, .dir_fd = dir_fd, .name = "s", .connections = connections, .keep = 8, .waiting = waiting, .connect_us = connect_us};
	struct fn_inner_client *ret;

	ck_assert_int_eq(fn_inner_client_new(&c, &ret), 0);
	return ret;
}

static void on_answer(void *arg, struct fn_inner_answer *a)
{
	struct result *r = arg;

	r->calls++;
	r->error = a->error;
	r->sent = a->sent;
	r->status = a->error ? 0 : a->h->status;
	r->answered = !a->error && fn_h1_header(a->h, FN_H1_ANSWERED);
	r->len = a->len;
	if (!a->error)
		snprintf(r->body, sizeof(r->body), "%s", a->body);
}

static struct fn_inner_call *send_one(struct fn_inner_client *c, const char *path, const void *body, size_t len, size_t body_max, uint64_t timeout_us, struct result *r)
{
	struct fn_inner_request q = {.http = {.method = "POST", .target = path, .body = body, .len = len}, .body_max = body_max, .timeout_us = timeout_us, .done = on_answer, .arg = r};
	struct fn_inner_call *call = NULL;

	ck_assert_int_eq(fn_inner_send(c, &q, &call), 0);
	return call;
}

static void run_until(const struct result *r, unsigned calls)
{
	for (int i = 0; i < 2000 && r->calls < calls; i++)
		(void)fn_loop_run_once(loop, 10000);
	ck_assert_uint_eq(r->calls, calls);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(strcpy(dir, "/tmp/fn-inner-XXXXXX")));
	dir_fd = open(dir, O_PATH | O_DIRECTORY);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	served = gone = 0;
	server = NULL;
}

static void teardown(void)
{
	char path[64];

	fn_httpd_free(server);
	fn_loop_free(loop);
	close(dir_fd);
	snprintf(path, sizeof(path), "%s/s", dir);
	(void)unlink(path);
	(void)rmdir(dir);
}

START_TEST(answers_come_by_kept_connections)
{
	setup();
	struct fn_inner_client *c = client(1, 100, 0);
	struct result r = {0};

	open_server();
	for (unsigned i = 0; i < 50; i++) /* one connection: they wait in turn */
		(void)send_one(c, "/x", "hello", 5, 100, 0, &r);
	ck_assert_uint_eq(r.calls, 0);
	run_until(&r, 50);
	ck_assert_uint_eq(r.status, 201);
	ck_assert_str_eq(r.body, "hello");
	ck_assert_uint_eq(served, 50);
	ck_assert_uint_eq(fn_inner_client_calls(c), 0);
	fn_inner_client_free(c);
	teardown();
}
END_TEST

START_TEST(large_bodies_both_ways)
{
	setup();
	struct fn_inner_client *c = client(4, 100, 0);
	size_t len = 5u << 20;
	char *big = malloc(len);
	struct result r = {0};

	memset(big, 'x', len);
	open_server();
	(void)send_one(c, "/x", big, len, len, 0, &r);
	run_until(&r, 1);
	ck_assert_uint_eq(r.len, len);
	(void)send_one(c, "/x", big, len, len - 1, 0, &r);
	run_until(&r, 2);
	ck_assert_int_eq(r.error, -EFBIG);
	free(big);
	fn_inner_client_free(c);
	teardown();
}
END_TEST

START_TEST(time_outs_and_cancelling_close_the_connection)
{
	setup();
	struct fn_inner_client *c = client(4, 100, 0);
	struct result r = {0};
	struct fn_inner_call *call;

	open_server();
	(void)send_one(c, "/keep", NULL, 0, 100, 150000, &r);
	run_until(&r, 1);
	ck_assert_int_eq(r.error, -ETIMEDOUT);
	ck_assert(r.sent);
	for (int i = 0; i < 200 && gone < 1; i++)
		(void)fn_loop_run_once(loop, 10000);
	ck_assert_uint_eq(gone, 1);
	call = send_one(c, "/keep", NULL, 0, 100, 0, &r);
	for (int i = 0; i < 200 && !kept; i++)
		(void)fn_loop_run_once(loop, 10000);
	fn_inner_cancel(call);
	for (int i = 0; i < 200 && gone < 2; i++)
		(void)fn_loop_run_once(loop, 10000);
	ck_assert_uint_eq(gone, 2);
	ck_assert_uint_eq(r.calls, 1);
	fn_inner_client_free(c);
	teardown();
}
END_TEST

START_TEST(nobody_there_is_waited_for_as_long_as_said)
{
	setup();
	struct fn_inner_client *c = client(4, 100, 250000);
	struct result r = {0};

	(void)send_one(c, "/x", NULL, 0, 100, 0, &r);
	run_until(&r, 1);
	ck_assert_int_eq(r.error, -ENOENT);
	ck_assert(!r.sent);
	(void)send_one(c, "/x", "a", 1, 100, 0, &r);
	open_server();
	run_until(&r, 2);
	ck_assert_uint_eq(r.status, 201);
	fn_inner_client_free(c);
	teardown();
}
END_TEST

START_TEST(too_many_are_refused)
{
	setup();
	struct fn_inner_client *c = client(1, 2, 0);
	struct fn_inner_request q = {.http = {.method = "GET", .target = "/keep"}, .body_max = 10, .done = on_answer};
	struct result r = {0};
	struct fn_inner_call *call;

	open_server();
	q.arg = &r;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fn_inner_send(c, &q, &call), 0);
	ck_assert_int_eq(fn_inner_send(c, &q, &call), -EAGAIN);
	fn_inner_client_free(c); /* done() is not called */
	ck_assert_uint_eq(r.calls, 0);
	for (int i = 0; i < 20; i++)
		(void)fn_loop_run_once(loop, 1000);
	teardown();
}
END_TEST

/* What the client of this call hears, who is given to the server; "" = nothing. */
static const char *hears(struct fn_inner_client *c, const char *path, struct result *r, bool fills, bool is_there)
{
	static char heard[8192];
	struct fn_inner_request q = {.http = {.method = "POST", .target = path, .body = "hello", .len = 5}, .body_max = 100, .done = on_answer, .arg = r, .gives_client = true};
	unsigned calls = r->calls;
	size_t n = 0;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	q.client = pair[0];
	while (fills && send(pair[0], heard, sizeof(heard), 0) > 0)
		;
	if (!is_there)
		close(pair[1]);
	ck_assert_int_eq(fn_inner_send(c, &q, NULL), 0);
	run_until(r, calls + 1);
	close(pair[0]);
	if (!is_there)
		return "";
	while (!fills && n < sizeof(heard)) { /* the server has let go of it, too */
		ssize_t got = recv(pair[1], heard + n, sizeof(heard) - 1 - n, 0);

		if (got == 0)
			break;
		if (got < 0)
			(void)fn_loop_run_once(loop, 1000);
		else
			n += (size_t)got;
	}
	heard[n] = 0;
	close(pair[1]);
	return heard;
}

START_TEST(a_client_is_answered_by_the_server)
{
	setup();
	struct fn_inner_client *c = client(1, 100, 0);
	struct result r = {0};
	const char *heard;

	open_server();
	for (int i = 0; i < 3; i++) {
		heard = hears(c, "/ahead", &r, false, true);
		ck_assert(r.answered);
		ck_assert(strncmp(heard, "HTTP/1.1 202 Accepted\r\n", 23) == 0);
		ck_assert_ptr_nonnull(strstr(heard, "\r\nContent-Type: a/b\r\nX-Id: 17\r\nContent-Length: 0\r\n\r\n"));
		ck_assert_str_eq(hears(c, "/x", &r, false, true), ""); /* the answer is for who has given him */
		ck_assert(!r.answered);
		ck_assert_str_eq(r.body, "hello");
	}
	(void)hears(c, "/ahead", &r, true, true); /* he does not read: he has been told nothing */
	ck_assert(!r.answered && r.error == 0);
	ck_assert_uint_eq(r.status, 503);
	(void)hears(c, "/ahead", &r, false, false); /* nor is he there any more */
	ck_assert(!r.answered && r.error == 0);
	(void)send_one(c, "/ahead", "hello", 5, 100, 0, &r); /* of a request without one it is the answer, as ever */
	run_until(&r, r.calls + 1);
	ck_assert_uint_eq(r.status, 202);
	ck_assert(!r.answered);
	fn_inner_client_free(c);
	teardown();
}
END_TEST

TEST_MAIN("web/inner_client", a_client_is_answered_by_the_server, answers_come_by_kept_connections, large_bodies_both_ways, time_outs_and_cancelling_close_the_connection, nobody_there_is_waited_for_as_long_as_said, too_many_are_refused)

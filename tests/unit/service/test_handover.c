/* What goes between fnd and fn-events with a connection, and what is none of it; which requests go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/sock.h"
#include "service/handover.h"
#include "unit/http_server.h"
#include "unit/main.h"

static struct fn_handover *a, *b;
static char said[4096];
static unsigned n_lost;

static void hello(void *arg, bool is_signed, char *const *hosts, size_t n)
{
	snprintf(said, sizeof(said), "%s hello %d", (const char *)arg, is_signed);
	for (size_t i = 0; i < n; i++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), " %s", hosts[i]);
}

static void came(void *arg, int fd, const struct fn_http_handed *what, const struct fn_grant *grant)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	ck_assert(what->stays == 0 && !what->grant && what->bytes[1].iov_len == 0);
	snprintf(said, sizeof(said), "%s came %llu %s%s %.*s %s", (const char *)arg, (unsigned long long)what->peer, what->from, what->secure ? " tls" : "", (int)what->bytes[0].iov_len,
		 (char *)what->bytes[0].iov_base, grant ? grant->key_id : "back");
	if (grant)
		ck_assert(memcmp(grant->key, "01234567890123456789012345678901", 32) == 0 && strcmp(grant->date, "20260101") == 0);
}

static void lost(void *arg)
{
	n_lost++;
	fn_handover_free(strcmp(arg, "a") == 0 ? a : b);
	*(strcmp(arg, "a") == 0 ? &a : &b) = NULL;
}

static void last(void *arg) { snprintf(said, sizeof(said), "%s last", (const char *)arg); }

static const struct fn_handover_ops ops = {.hello = hello, .came = came, .last = last, .lost = lost};

static void turns(void)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
}

START_TEST(test_messages)
{
	struct fn_http_handed what = {.peer = 7, .from = "10.0.0.1", .secure = true, .bytes = {{"GET ", 4}, {"/", 1}}};
	struct fn_grant grant = {.key_id = "AKID", .date = "20260101"};
	char *hosts[] = {"one", "two"}, *big = calloc(1, 1 << 20), text[400];
	int p[2], q[2], e;
	unsigned sent = 0;

	memcpy(grant.key, "01234567890123456789012345678901", 32);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, p), 0);
	ck_assert_int_eq(fn_sock_pair(SOCK_STREAM, q), 0);
	ck_assert_int_eq(fn_handover_new(loop, p[0], &ops, "a", &a), 0);
	ck_assert_int_eq(fn_handover_new(loop, p[1], &ops, "b", &b), 0);
	ck_assert_int_eq(fn_handover_hello(a, true, hosts, 2), 0);
	turns();
	ck_assert_str_eq(said, "b hello 1 one two");
	ck_assert_int_eq(fn_handover_hello(a, false, NULL, 0), 0);
	turns();
	ck_assert_str_eq(said, "b hello 0");
	ck_assert_int_eq(fn_handover_send(a, q[0], &what, &grant), 0);
	turns();
	ck_assert_str_eq(said, "b came 7 10.0.0.1 tls GET / AKID");
	ck_assert_int_eq(read(q[1], text, 1), 1); /* it was this socket */
	what.secure = false;
	ck_assert_int_eq(fn_handover_send(b, q[0], &what, NULL), 0);
	turns();
	ck_assert_str_eq(said, "a came 7 10.0.0.1 GET / back");
	ck_assert_int_eq(fn_handover_last(a), 0);
	turns();
	ck_assert_str_eq(said, "b last");
	what.bytes[1] = (struct iovec){big, 1 << 20};
	ck_assert_int_eq(fn_handover_send(a, q[0], &what, &grant), -EMSGSIZE);
	what.bytes[1] = (struct iovec){big, 96 << 10}; /* as much as can have come with a head */
	while ((e = fn_handover_send(a, q[0], &what, &grant)) == 0)
		sent++;
	ck_assert(e == -EAGAIN && sent > 0);
	turns();
	ck_assert(strncmp(said, "b came 7 10.0.0.1 GET ", 22) == 0);
	memset(text, 0, sizeof(text)); /* what is none of them: too short, of no kind, without its socket */
	memset(said, 0, sizeof(said));
	fn_handover_free(a);
	a = NULL;
	turns();
	ck_assert_uint_eq(n_lost, 1);
	ck_assert_ptr_null(b);
	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, p), 0);
	ck_assert_int_eq(fn_handover_new(loop, p[1], &ops, "b", &b), 0);
	for (size_t n = 1; n < sizeof(text); n += 7)
		for (unsigned kind = 0; kind < 6; kind++) {
			memcpy(text, &(unsigned){kind < 4 ? 0x666e6401 + kind : kind * 1000}, 4);
			if (kind == 0 && n > 200)
				continue;
			ck_assert_int_eq(fn_sock_send(p[0], &(struct iovec){text, n}, 1, kind == 0 || kind > 2 ? &q[0] : NULL, kind == 0 || kind > 2), 0);
			turns();
		}
	ck_assert_str_eq(said, "");
	close(p[0]);
	turns();
	ck_assert_uint_eq(n_lost, 2);
	close(q[0]);
	close(q[1]);
	free(big);
	fn_loop_free(loop);
}
END_TEST

/* --- which --- */
static struct fn_direct_rules rules = {.region = "us-east-1"};
static char fits[16];

static bool elsewhere(void *arg, struct fn_http_req *r)
{
	struct fn_direct d = {0};
	bool yes = fn_direct_fits(r, &rules, &d);

	(void)arg;
	snprintf(fits, sizeof(fits), "%s", !yes ? "no" : d.operation ? d.operation->name : "query");
	return false;
}

static void on_request(void *arg, struct fn_http_req *r)
{
	(void)arg;
	fn_http_reply(r, 200, NULL, "", 0);
}

static const struct fn_httpd_ops httpd_ops = {.elsewhere = elsewhere, .request = on_request};

START_TEST(test_which)
{
	static const struct {
		const char *head, *fits;
	} v[] = {
		{"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n", "ListQueues"},
		{"POST /000000000000/queue HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 0\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n", "ListQueues"},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.None\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: Logs_20140328.DescribeLogGroups\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: evil\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n", "no"},
		{"POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n", "no"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		 "Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=x\r\n", "query"},
		{"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		 "Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x\r\n", "no"},
	};

	unit_server_open((struct fn_httpd_config){.conn_max = 100, .body_max = 10, .ops = &httpd_ops});
	for (int is_signed = 0; is_signed < 2; is_signed++)
		for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
			int fd = unit_connect(0);

			rules.is_signed = is_signed;
			strcpy(fits, "?");
			ck_assert_int_eq(send(fd, v[i].head, strlen(v[i].head), 0), (ssize_t)strlen(v[i].head));
			ck_assert_int_eq(send(fd, "\r\n", 2, 0), 2);
			for (int k = 0; k < 1000 && strcmp(fits, "?") == 0; k++)
				unit_turns(1, 1000);
			ck_assert_msg(strcmp(fits, is_signed ? "no" : v[i].fits) == 0, "%s: %s", v[i].head, fits); /* none of them is signed well */
			close(fd);
		}
	unit_server_close();
}
END_TEST

TEST_MAIN("service/handover", test_messages, test_which)

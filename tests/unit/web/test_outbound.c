/* The client against a server in a thread, that answers what it is told to, with and without TLS. */
#include "web/outbound.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "unit/listener.h"
#include "unit/main.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: a value\r\n\r\nhello"
#define NEVER "never"
#define END ""

/* One answer for each request, in order, whichever connection it comes by: END ends that one instead, NEVER waits for its end. */
static struct server {
	const char *const *say;
	size_t n;
	int fd;
	struct sockaddr_in at;
	pthread_t thread;
	atomic_uint connections, requests;
	char last[70000]; /* the last request */
	gnutls_certificate_credentials_t tls;
} server;

static struct fn_loop *loop;
static struct fn_outbound *o;
static char url[64];

struct peer {
	int fd;
	gnutls_session_t tls;
};

static ssize_t get(struct peer *p, void *to, size_t n) { return p->tls ? gnutls_record_recv(p->tls, to, n) : recv(p->fd, to, n, 0); }
static ssize_t put(struct peer *p, const void *from, size_t n) { return p->tls ? gnutls_record_send(p->tls, from, n) : send(p->fd, from, n, MSG_NOSIGNAL); }

static bool read_request(struct peer *p)
{
	const char *length, *body;
	struct pollfd two[2] = {{p->fd, POLLIN, 0}, {server.fd, POLLIN, 0}};
	size_t n = 0;

	if (poll(two, 2, -1) > 0 && !two[0].revents) /* one is served at a time, the newest */
		return false;
	while (n < sizeof(server.last) - 1) {
		ssize_t got = get(p, server.last + n, sizeof(server.last) - 1 - n);

		if (got <= 0)
			return false;
		n += (size_t)got;
		server.last[n] = '\0';
		body = strstr(server.last, "\r\n\r\n");
		length = strstr(server.last, "Content-Length: ");
		if (body && n >= (size_t)(body + 4 - server.last) + (length && length < body ? strtoul(length + 16, NULL, 10) : 0))
			break;
	}
	server.requests++;
	return true;
}

static void serve_one(struct peer *p, size_t *at)
{
	while (*at < server.n && read_request(p)) {
		const char *text = server.say[(*at)++];

		if (!*text)
			return;
		if (fn_streq(text, NEVER)) {
			while (get(p, &(char){0}, 1) > 0)
				;
			return;
		}
		(void)put(p, text, strlen(text));
	}
}

static void *serve(void *arg)
{
	(void)arg;
	for (size_t at = 0; at < server.n;) {
		struct peer p = {.fd = accept(server.fd, NULL, NULL)};

		if (p.fd < 0)
			break;
		server.connections++;
		if (server.tls) {
			gnutls_init(&p.tls, GNUTLS_SERVER);
			gnutls_set_default_priority(p.tls);
			gnutls_credentials_set(p.tls, GNUTLS_CRD_CERTIFICATE, server.tls);
			gnutls_transport_set_int(p.tls, p.fd);
		}
		if (p.tls && gnutls_handshake(p.tls) < 0)
			at++; /* who does not trust us has had its answer */
		else
			serve_one(&p, &at);
		if (p.tls)
			gnutls_deinit(p.tls);
		close(p.fd);
	}
	return NULL;
}

static void begin(const char *const *say, size_t n, gnutls_certificate_credentials_t tls)
{
	signal(SIGPIPE, SIG_IGN);
	server = (struct server){.say = say, .n = n, .tls = tls};
	server.fd = unit_listen(0, &server.at);
	ck_assert_int_eq(fcntl(server.fd, F_SETFL, 0), 0);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_outbound_new(loop, &(struct fn_outbound_config){.agent = "unit"}, &o), 0);
	snprintf(url, sizeof(url), "%s://127.0.0.1:%u/p%%20q?a=b", tls ? "https" : "http", ntohs(server.at.sin_port));
}

static void end(void)
{
	fn_outbound_free(o);
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	fn_loop_free(loop);
}

struct heard {
	unsigned times, status;
	int error;
	char body[64], name[64], words[256];
};

static void on_done(void *arg, const struct fn_outbound_answer *a)
{
	struct heard *h = arg;

	h->times++;
	h->status = a->status;
	h->error = a->err ? a->err->code : 0;
	snprintf(h->body, sizeof(h->body), "%.*s", (int)a->len, a->body);
	snprintf(h->name, sizeof(h->name), "%s", fn_outbound_header(a->call, "x-nAME") ?: "");
	if (a->err)
		fn_err_format(a->err, h->words, sizeof(h->words));
}

static struct fn_outbound_call *ask(struct heard *h, struct fn_outbound_request r)
{
	struct fn_outbound_call *c = NULL;

	memset(h, 0, sizeof(*h));
	r.method = r.method ?: "GET";
	r.url = url;
	r.body_max = r.body_max ?: 100;
	r.done = on_done;
	r.arg = h;
	ck_assert_int_eq(fn_outbound_send(o, &r, &c), 0);
	ck_assert_uint_eq(h->times, 0); /* never from within */
	return c;
}

static void wait_for(const struct heard *h)
{
	for (int i = 0; i < 3000 && !h->times; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
	ck_assert_uint_eq(h->times, 1);
}

#define ASK(h, ...) (ask(h, (struct fn_outbound_request){__VA_ARGS__}), wait_for(h))

START_TEST(exchanges_on_one_connection)
{
	static const char *const say[] = {OK, "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
					  "HTTP/1.1 204 No Content\r\n\r\n"};
	const struct fn_h1_header headers[] = {{"X-Amz-Target", "A.B"}, {"Content-Type", "application/x-amz-json-1.0"}, {"Empty", ""}}, bad[] = {{"a", "b\r\nc: d"}};
	struct heard h;

	begin(say, 4, NULL);
	ASK(&h, .method = "POST", .headers = headers, .n_headers = 3, .body = "{\"a\":1}", .len = 7);
	ck_assert_uint_eq(h.status, 200);
	ck_assert_str_eq(h.body, "hello");
	ck_assert_str_eq(h.name, "a value");
	ck_assert(fn_str_starts(server.last, "POST /p%20q?a=b HTTP/1.1\r\n") && fn_str_ends(server.last, "\r\n\r\n{\"a\":1}"));
	ck_assert(strstr(server.last, "\r\nX-Amz-Target: A.B\r\n") && strstr(server.last, "\r\nContent-Type: application/x-amz-json-1.0\r\n") && strstr(server.last, "\r\nEmpty:\r\n"));
	ck_assert(strstr(server.last, "\r\nContent-Length: 7\r\n") && strstr(server.last, "\r\nUser-Agent: unit\r\n") && !strstr(server.last, "Expect"));
	ASK(&h, .method = "PUT", .body = "x", .len = 1);
	ck_assert_uint_eq(h.status, 503);
	ck_assert_str_eq(h.body, "abcde");
	ck_assert(fn_str_starts(server.last, "PUT ") && fn_str_ends(server.last, "\r\n\r\nx") && !strstr(server.last, "Content-Type"));
	ASK(&h);
	ck_assert_uint_eq(h.status, 301); /* told, not followed */
	ASK(&h, .method = "DELETE");
	ck_assert_uint_eq(h.status, 204);
	ck_assert(fn_str_starts(server.last, "DELETE "));
	ck_assert_uint_eq(server.connections, 1);
	ck_assert_uint_eq(fn_outbound_under_way(o), 0);
	ck_assert_int_eq(fn_outbound_send(o, &(struct fn_outbound_request){.method = "GET", .url = url, .headers = bad, .n_headers = 1, .done = on_done}, NULL), -EINVAL);
	ck_assert_int_eq(fn_outbound_send(o, &(struct fn_outbound_request){.method = "GET", .url = "file:///etc/passwd", .done = on_done}, NULL), -EINVAL);
	end();
}
END_TEST

/* A server that ends what rested costs nothing; one that ends it without an answer is heard of. */
START_TEST(connections_that_end)
{
	static const char *const say[] = {OK, END, OK, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhal", END, END};
	struct heard h;

	begin(say, 6, NULL);
	ASK(&h);
	ASK(&h); /* END for the one that was kept: sent again by another */
	ck_assert_uint_eq(h.status, 200);
	ck_assert_uint_eq(server.connections, 2);
	ask(&h, (struct fn_outbound_request){.timeout_us = 300000});
	wait_for(&h); /* cut short, but the connection stays open */
	ck_assert_int_eq(h.error, ETIMEDOUT);
	ck_assert_uint_eq(h.status, 0);
	ASK(&h);
	ck_assert_int_eq(h.error, ECONNRESET);
	end();
}
END_TEST

START_TEST(bounds_and_times)
{
	static char many[80000] = "HTTP/1.1 200 OK\r\n", much[400] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	const char *say[] = {"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", much, many, NEVER};
	struct heard h;
	uint64_t began;

	strcat(much, "65\r\n"); /* 101 */
	memset(much + strlen(much), 'x', 101);
	strcat(much, "\r\n0\r\n\r\n");
	for (int i = 0; i < 1000; i++)
		sprintf(many + strlen(many), "X-%d: %060d\r\n", i, i);
	strcat(many, "\r\n");
	begin((const char *const *)say, 4, NULL);
	ASK(&h);
	ck_assert_int_eq(h.error, EFBIG); /* at once: it says so */
	ASK(&h);
	ck_assert_int_eq(h.error, EFBIG);
	ASK(&h);
	ck_assert_int_eq(h.error, EPROTO);
	began = fn_clock_mono_us();
	ASK(&h, .timeout_us = 200000);
	ck_assert_int_eq(h.error, ETIMEDOUT);
	ck_assert_uint_lt(fn_clock_mono_us() - began, 5000000);
	end();
	/* nobody listens there any more */
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_outbound_new(loop, &(struct fn_outbound_config){0}, &o), 0);
	ASK(&h);
	ck_assert_int_eq(h.error, ECONNREFUSED);
	ck_assert(strstr(h.words, "127.0.0.1") && !strstr(h.words, "a=b"));
	fn_outbound_free(o);
	fn_loop_free(loop);
}
END_TEST

START_TEST(cancelled)
{
	static const char *const say[] = {NEVER, OK};
	struct fn_outbound_call *c;
	struct heard h, other;

	begin(say, 2, NULL);
	c = ask(&h, (struct fn_outbound_request){0});
	for (int i = 0; i < 1000 && !server.requests; i++)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
	fn_outbound_cancel(c);
	ASK(&other);
	ck_assert_uint_eq(other.status, 200);
	ck_assert_uint_eq(h.times, 0);
	ask(&h, (struct fn_outbound_request){0}); /* under way when the client ends */
	end();
	ck_assert_uint_eq(h.times, 0);
}
END_TEST

/* --- TLS --- */
static void make_certificate(const char *file, gnutls_certificate_credentials_t *ret)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	const unsigned char ip[] = {127, 0, 0, 1};
	FILE *f = fopen(file, "w");

	gnutls_x509_privkey_init(&key);
	ck_assert_int_eq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_dn(crt, "CN=unit", NULL);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, 4, GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_key(crt, key);
	ck_assert_int_eq(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	ck_assert_int_eq(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	ck_assert_uint_eq(fwrite(pem.data, 1, pem.size, f), pem.size);
	fclose(f);
	gnutls_free(pem.data);
	gnutls_certificate_allocate_credentials(ret);
	ck_assert_int_eq(gnutls_certificate_set_x509_key(*ret, &crt, 1, key), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

START_TEST(only_whom_the_certificates_vouch_for)
{
	static const char *const say[] = {OK, OK, OK, OK};
	gnutls_certificate_credentials_t ours, others;
	struct heard h;

	make_certificate("ours.pem", &ours);
	make_certificate("others.pem", &others);
	begin(say, 4, ours);
	ASK(&h, .ca_file = "ours.pem");
	ck_assert_msg(h.status == 200, "%s", h.words);
	ASK(&h, .ca_file = "ours.pem");
	ck_assert_uint_eq(h.status, 200);
	ck_assert_uint_eq(server.connections, 1);
	ASK(&h, .ca_file = "others.pem"); /* the kept connection is not theirs */
	ck_assert_int_eq(h.error, EPROTO);
	ASK(&h); /* the system's know it neither */
	ck_assert_int_eq(h.error, EPROTO);
	ck_assert(strstr(h.words, "ertificate"));
	end();
	gnutls_certificate_free_credentials(ours);
	gnutls_certificate_free_credentials(others);
}
END_TEST

TEST_MAIN("web/outbound", exchanges_on_one_connection, connections_that_end, bounds_and_times, cancelled, only_whom_the_certificates_vouch_for)

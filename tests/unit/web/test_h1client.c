/* The client against a peer that answers what it is told to, however it is cut up. */
#include "web/h1client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/main.h"

static int listener;
static unsigned connections, requests;

/* Reads one request's head and answers `say`; "" = closes instead. */
struct script {
	const char *const *say;
	size_t n;
	size_t piece; /* so many bytes at once */
};

static bool read_head(int fd)
{
	char head[4096];
	size_t n = 0;

	while (n < sizeof(head) - 1) {
		ssize_t got = recv(fd, head + n, 1, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		head[n] = '\0';
		if (strstr(head, "\r\n\r\n"))
			break;
	}
	requests++;
	return true;
}

static void *serve(void *arg)
{
	const struct script *s = arg;
	size_t at = 0;

	while (at < s->n) {
		int fd = accept(listener, NULL, NULL);

		connections++;
		while (at < s->n && read_head(fd)) {
			const char *text = s->say[at++];

			if (!*text)
				break;
			for (size_t i = 0, len = strlen(text); i < len; i += s->piece)
				(void)send(fd, text + i, len - i < s->piece ? len - i : s->piece, MSG_NOSIGNAL);
		}
		close(fd);
	}
	return NULL;
}

static struct fn_h1_client *start(const struct script *s, pthread_t *thread)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "s"};
	struct fn_h1_client *c;

	unlink("s");
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(listener, 5), 0);
	ck_assert_int_eq(fn_h1_client_new(open(".", O_PATH | O_DIRECTORY), "s", 4, &c), 0);
	ck_assert_int_eq(pthread_create(thread, NULL, serve, (void *)s), 0);
	return c;
}

static int get(struct fn_h1_client *c, struct fn_h1_exchange *x)
{
	const struct fn_h1_request q = {.method = "GET", .target = "/x"};

	return fn_h1_exchange_begin(x, c, &q, 100);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"

static void exchange_all(size_t piece)
{
	static const char *const say[] = {OK, CHUNKED, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "", OK, "HTTP/1.1 200 OK\r\n\r\nendless", OK};
	const struct script s = {say, 8, piece};
	struct fn_h1_exchange x = {0};
	struct fn_h1_client *c;
	struct fn_buf all = {0};
	const char *data;
	pthread_t thread;
	size_t len;
	int r;

	connections = requests = 0;
	c = start(&s, &thread);
	ck_assert_int_eq(get(c, &x), 0);
	ck_assert_uint_eq(x.h.status, 200);
	ck_assert_str_eq(fn_h1_header(&x.h, "a"), "b");
	ck_assert_int_eq(fn_h1_exchange_read_all(&x), 0);
	ck_assert_str_eq(x.h.body.data, "hello");
	fn_h1_exchange_end(&x);
	ck_assert_int_eq(get(c, &x), 0);
	while ((r = fn_h1_exchange_read(&x, &data, &len)) > 0)
		fn_buf_add(&all, data, len);
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(all.data, "abcde");
	ck_assert_str_eq(fn_h1_trailer(&x.h, "t"), "u");
	fn_h1_exchange_end(&x);
	ck_assert_int_eq(get(c, &x), 0);
	ck_assert_int_eq(fn_h1_exchange_read_all(&x), 0);
	fn_h1_exchange_end(&x);
	ck_assert_uint_eq(connections, 1); /* kept */
	ck_assert_int_eq(get(c, &x), 0);
	ck_assert_int_eq(fn_h1_exchange_read_all(&x), -EFBIG);
	fn_h1_exchange_end(&x); /* not whole: closed */
	ck_assert_int_eq(get(c, &x), -ECONNRESET);
	fn_h1_exchange_end(&x);
	ck_assert_uint_eq(requests, 5); /* none was sent twice */
	ck_assert_int_eq(get(c, &x), 0);
	fn_h1_exchange_end(&x);
	ck_assert_int_eq(get(c, &x), -EPROTO);
	fn_h1_exchange_end(&x);
	ck_assert_int_eq(get(c, &x), 0);
	ck_assert_int_eq(fn_h1_exchange_read_all(&x), 0);
	fn_h1_exchange_end(&x);
	fn_h1_client_free(c);
	pthread_join(thread, NULL);
	fn_buf_free(&all);
	close(listener);
	unlink("s");
}

START_TEST(exchanges)
{
	exchange_all(1);
	exchange_all(7);
	exchange_all(10000);
}
END_TEST

/* One that the server has closed while it rested is not used again. */
START_TEST(a_connection_that_has_ended_while_it_rested)
{
	static const char *const say[] = {OK, OK, OK};
	const struct script s = {say, 3, 10000};
	struct fn_h1_exchange x = {0};
	struct fn_h1_client *c;
	pthread_t thread;

	c = start(&s, &thread);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(get(c, &x), 0);
		ck_assert_int_eq(fn_h1_exchange_read_all(&x), 0);
		if (i < 2)
			shutdown(x.fd, SHUT_WR); /* the server ends it, and the next comes by another */
		if (i < 2)
			while (recv(x.fd, &(char){0}, 1, MSG_PEEK) != 0)
				;
		fn_h1_exchange_end(&x);
	}
	ck_assert_uint_eq(connections, 3);
	fn_h1_client_free(c);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(nobody_listens)
{
	struct fn_h1_exchange x = {0};
	struct fn_h1_client *c;

	ck_assert_int_eq(fn_h1_client_new(open(".", O_PATH | O_DIRECTORY), "none", 4, &c), 0);
	ck_assert_int_eq(get(c, &x), -ENOENT);
	fn_h1_exchange_end(&x);
	fn_h1_client_free(c);
}
END_TEST

TEST_MAIN("web/h1client", exchanges, a_connection_that_has_ended_while_it_rested, nobody_listens)

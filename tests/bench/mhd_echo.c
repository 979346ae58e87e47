/*
 * mhd_echo - the floor of a warm request: the smallest server that libmicrohttpd allows when driven as lib/web/httpd drives it
 * (no threads, its epoll descriptor nested in ours, keep-alive), answering each request with its own body.
 *   mhd_echo PORT [POOL]     serves 127.0.0.1:PORT until SIGTERM; POOL: bytes of memory for each connection
 * /stream/BYTES is answered with so many, in pieces of unknown number: the floor of a streamed response.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

#define PIECE 65536u

static volatile sig_atomic_t stop;

static void on_term(int signo)
{
	(void)signo;
	stop = 1;
}

static void release(void *arg) { free(arg); }

/* --- streams --- */
static ssize_t next_piece(void *cls, uint64_t at, char *to, size_t max)
{
	static char data[PIECE];
	uint64_t left = *(uint64_t *)cls - at;

	if (left == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (max > left)
		max = (size_t)left;
	if (max > sizeof(data))
		max = sizeof(data);
	memcpy(to, data, max);
	return (ssize_t)max;
}

static enum MHD_Result stream(struct MHD_Connection *c, const char *bytes)
{
	uint64_t *n = malloc(sizeof(*n));
	struct MHD_Response *resp;
	enum MHD_Result ok;

	if (!n)
		return MHD_NO;
	*n = strtoull(bytes, NULL, 10);
	resp = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, next_piece, n, free);
	if (!resp)
		return MHD_NO;
	ok = MHD_queue_response(c, 200, resp);
	MHD_destroy_response(resp);
	return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
				  const char *data, size_t *size, void **ctx)
{
	struct fn_buf *body = *ctx;
	struct MHD_Response *resp;
	enum MHD_Result ok;
	size_t len;
	char *p;

	(void)cls;
	(void)method;
	(void)version;
	if (!body) {
		*ctx = calloc(1, sizeof(*body));
		return *ctx ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		if (fn_buf_add(body, data, *size) < 0)
			return MHD_NO;
		*size = 0;
		return MHD_YES;
	}
	if (strncmp(url, "/stream/", 8) == 0)
		return stream(c, url + 8);
	p = fn_buf_take(body, &len);
	resp = MHD_create_response_from_buffer_with_free_callback_cls(len, p ? p : "", release, p);
	if (!resp)
		return MHD_NO;
	MHD_add_response_header(resp, "Content-Type", "application/json");
	ok = MHD_queue_response(c, 200, resp);
	MHD_destroy_response(resp);
	return ok;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **ctx, enum MHD_RequestTerminationCode code)
{
	struct fn_buf *body = *ctx;

	(void)cls;
	(void)c;
	(void)code;
	if (body)
		fn_buf_free(body);
	free(body);
	*ctx = NULL;
}

static int listener(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, 1024) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_term};
	struct epoll_event ev = {.events = EPOLLIN};
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *d;
	int ep, fd;

	if (argc < 2)
		return 2;
	sigaction(SIGTERM, &sa, NULL);
	fd = listener(atoi(argv[1]));
	if (fd < 0) {
		perror("mhd_echo: listen");
		return 1;
	}
	d = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, on_request, NULL,
			     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			     argc > 2 ? (size_t)atol(argv[2]) : (size_t)32768, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (!d)
		return 1;
	info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD);
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, info->epoll_fd, &ev) < 0)
		return 1;
	while (!stop) {
		MHD_UNSIGNED_LONG_LONG ms = 0;
		int wait = MHD_get_timeout(d, &ms) == MHD_YES ? (int)(ms > 1000 ? 1000 : ms) : -1;

		(void)epoll_wait(ep, &ev, 1, wait);
		(void)MHD_run(d);
	}
	MHD_stop_daemon(d);
	close(ep);
	return 0;
}

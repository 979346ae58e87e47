/*
 * relay - the floor of a streamed response that comes from another process: the least program between a source and a client, with what fnd lets the kernel keep of
 * a stream and nothing of HTTP but the chunks.
 *   relay PORT     serves one connection to 127.0.0.1:PORT: each request, its head in one packet, is answered with 200 MB of a child's, in chunks with their CRC-32
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32.h"
#include "web/h1conn.h"

#define BYTES (200u << 20)
#define WRITTEN (1u << 20) /* by the source, at once */
#define READ 65536u

static char data[WRITTEN];

static int listener(int port, struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	socklen_t len = sizeof(*a);

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(fd, (struct sockaddr *)a, len) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)a, &len) < 0) {
		perror("relay: listen");
		exit(1);
	}
	return fd;
}

static void source(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		_exit(1);
	for (unsigned i = 0; i < BYTES / WRITTEN; i++) {
		memset(data, 'a' + (int)(i % 26), sizeof(data));
		for (size_t at = 0; at < sizeof(data);) {
			ssize_t n = write(fd, data + at, sizeof(data) - at);

			if (n <= 0)
				_exit(1);
			at += (size_t)n;
		}
	}
	_exit(0);
}

/* Both descriptors do not block: what is not there is waited for. */
static bool send_all(int fd, struct iovec *iov, int n)
{
	while (n > 0) {
		ssize_t sent = writev(fd, iov, n);

		if (sent < 0 && errno == EAGAIN)
			(void)poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
		else if (sent < 0)
			return false;
		for (; n > 0 && sent >= (ssize_t)iov->iov_len; iov++, n--)
			sent -= (ssize_t)iov->iov_len;
		if (n > 0 && sent > 0)
			*iov = (struct iovec){(char *)iov->iov_base + sent, iov->iov_len - (size_t)sent};
	}
	return true;
}

static bool relay(int from, int to)
{
	struct iovec begin = {(void *)"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47}, end = {(void *)"0\r\n\r\n", 5};
	bool ok = send_all(to, &begin, 1);

	while (ok) {
		char head[16], tail[16];
		ssize_t n = recv(from, data, READ, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n < 0) {
			ok = errno == EAGAIN && poll(&(struct pollfd){from, POLLIN, 0}, 1, -1) == 1;
			continue;
		}
		ok = send_all(to, (struct iovec[]){{head, (size_t)snprintf(head, sizeof(head), "%zx\r\n", (size_t)n + 8)}, {data, (size_t)n},
						   {tail, (size_t)snprintf(tail, sizeof(tail), "%08x\r\n", fn_crc32(0, data, (size_t)n))}}, 3);
	}
	return ok && send_all(to, &end, 1);
}

int main(int argc, char **argv)
{
	int send_max = FN_H1_SEND_MAX / 2, receive_max = FN_H1_RECEIVE_MAX / 2, one = 1; /* the kernel takes it twice */
	struct sockaddr_in here, inner;
	int client, inside;
	char request[4096];

	if (argc < 2)
		return 2;
	inside = listener(0, &inner);
	client = accept4(listener(atoi(argv[1]), &here), NULL, NULL, SOCK_CLOEXEC);
	(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(client, SOL_SOCKET, SO_SNDBUF, &send_max, sizeof(send_max));
	while (read(client, request, sizeof(request)) > 0) {
		pid_t child = fork();
		bool ok;
		int from;

		if (child == 0)
			source(&inner);
		from = accept4(inside, NULL, NULL, SOCK_CLOEXEC);
		(void)setsockopt(from, SOL_SOCKET, SO_RCVBUF, &receive_max, sizeof(receive_max));
		ok = child > 0 && from >= 0 && relay(from, client);
		close(from);
		(void)waitpid(child, NULL, 0);
		if (!ok)
			return 1;
	}
	return 0;
}

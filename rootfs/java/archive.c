/*
 * archive.c - /var/runtime/fnd-archive DIRECTORY FILE...: sends those of the files that are there to the platform, as a tar that becomes what later starts find in
 * /var/archive (rootfs/java/files/var/runtime/train). `--refuse WHY` says instead that there will be none. The protocol is fnd's lib/runtime/rtapi.h, for snapshots.
 * Runs as the function's user; what it sends is the function's, and no more than the function could send.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../libc.h"

#define PATH "/2018-06-01/runtime/snapshot"
#define BLOCK 512u

static void put(int fd, const void *data, size_t n)
{
	for (const char *p = data; n > 0;) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			_exit(1);
		p += w;
		n -= (size_t)w;
	}
}

/* "127.0.0.1:9001" */
static int api(void)
{
	const char *text = getenv("AWS_LAMBDA_RUNTIME_API"), *colon = text ? strrchr(text, ':') : NULL;
	struct sockaddr_in to = {.sin_family = AF_INET};
	char host[64];
	unsigned port;
	int fd;

	if (!colon || (size_t)(colon - text) >= sizeof(host) || libc_sscanf(colon + 1, "%u", &port) != 1 || port > 65535)
		return -1;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	to.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? fd : -1;
}

/* Reads the head of the answer, and no byte more: what follows it is another protocol. */
static int status(int fd)
{
	char head[4096];
	size_t n = 0;
	unsigned code;

	while (n < sizeof(head) - 1 && (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)) {
		if (read(fd, head + n, 1) != 1)
			return -1;
		n++;
	}
	head[n] = '\0';
	return libc_sscanf(head, "HTTP/1.1 %u", &code) == 1 ? (int)code : -1;
}

static int refuse(int fd, const char *why)
{
	char head[256];
	int n = snprintf(head, sizeof(head), "POST " PATH "/refused HTTP/1.1\r\nHost: fnd\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", strlen(why));

	put(fd, head, (size_t)n);
	put(fd, why, strlen(why));
	return status(fd) == 202 ? 0 : 1;
}

/* An entry of a tar: POSIX ustar. */
static void put_header(int fd, const char *name, const struct stat *st)
{
	unsigned char h[BLOCK] = {0};
	unsigned sum = 0;

	snprintf((char *)h, 100, "%s", name);
	memcpy(h + 100, "0000644\0" "0000000\0" "0000000", 24);
	snprintf((char *)h + 124, 12, "%011llo", (unsigned long long)st->st_size);
	snprintf((char *)h + 136, 12, "%011llo", (unsigned long long)st->st_mtime);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\0" "00", 8);
	for (unsigned i = 0; i < BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	put(fd, h, sizeof(h));
}

static int put_file(int fd, const char *name)
{
	static const char zeros[2 * BLOCK];
	int file = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (file < 0 || fstat(file, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (file >= 0)
			close(file);
		return 0;
	}
	put_header(fd, name, &st);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(fd, file, NULL, left > 1 << 20 ? 1 << 20 : (size_t)left);

		if (n <= 0)
			return -1;
		left -= n;
	}
	put(fd, zeros, (BLOCK - (size_t)st.st_size % BLOCK) % BLOCK);
	close(file);
	return 0;
}

int main(int argc, char **argv)
{
	static const char zeros[2 * BLOCK], ask[] = "POST " PATH " HTTP/1.1\r\nHost: fnd\r\nConnection: Upgrade\r\nUpgrade: tar\r\nContent-Length: 0\r\n\r\n";
	int fd = api();

	if (argc < 3 || fd < 0)
		return 1;
	if (strcmp(argv[1], "--refuse") == 0)
		return refuse(fd, argv[2]);
	if (chdir(argv[1]) < 0)
		return 1;
	put(fd, ask, sizeof(ask) - 1);
	if (status(fd) != 101)
		return 1;
	for (int i = 2; i < argc; i++)
		if (put_file(fd, argv[i]) < 0)
			return 1;
	put(fd, zeros, sizeof(zeros));
	shutdown(fd, SHUT_WR);
	while (read(fd, (char[1]){0}, 1) > 0) /* until it is wholly taken */
		;
	return 0;
}

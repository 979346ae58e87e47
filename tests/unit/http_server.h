/*
 * http_server.h - a server of web/httpd.h that listens on loopback, in the test's own process, and clients of it. Nothing moves but in
 * unit_turns(): whoever waits for an answer lets the loop have its turns.
 */
#ifndef TESTS_UNIT_HTTP_SERVER_H
#define TESTS_UNIT_HTTP_SERVER_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "unit/listener.h"
#include "web/httpd.h"

static struct fn_loop *loop;
static struct fn_httpd *httpd;
static struct sockaddr_in address;
static struct fn_buf in; /* what hear() has read */

static inline void unit_server_open(struct fn_httpd_config c)
{
	struct fn_err err;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	c.listen_fd = unit_listen(0, &address);
	ck_assert_int_eq(fn_httpd_new(loop, &c, &httpd, &err), 0);
}

static inline void unit_server_close(void)
{
	fn_httpd_free(httpd);
	fn_loop_free(loop);
	fn_buf_free(&in);
}

static inline void unit_turns(int n, uint64_t wait_us)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(loop ? fn_loop_run_once(loop, wait_us) : 0, 0);
}

/* From 127.0.0.1 + n: another address of the loopback is another peer. */
static inline int unit_connect(uint8_t n)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + n)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* What has come by now, behind what is in `in`; "EOF" or "reset" behind it when it has ended. */
static inline const char *hear_on(int fd)
{
	char chunk[65536];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
		ck_assert_int_eq(fn_buf_add(&in, chunk, (size_t)n), 0);
		unit_turns(6, 2000);
	}
	(void)fn_buf_add_str(&in, n == 0 ? "EOF" : errno == EAGAIN ? "" : "reset");
	return in.data;
}

static inline const char *hear(int fd)
{
	fn_buf_reset(&in);
	return hear_on(fd);
}

static inline bool ends_with(const char *end) { return in.len >= strlen(end) && memcmp(in.data + in.len - strlen(end), end, strlen(end)) == 0; }

/* Hears until it has heard that, for a few seconds at most. */
static inline void ck_hears(int fd, const char *end)
{
	hear(fd);
	for (int i = 0; i < 1000 && !ends_with(end); i++) {
		unit_turns(6, 2000);
		hear_on(fd);
	}
	ck_assert_msg(ends_with(end), "%s is not the end of: %.3000s", end, in.data);
}

#endif

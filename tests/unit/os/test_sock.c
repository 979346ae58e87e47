#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/main.h"

START_TEST(descriptors_cross)
{
	struct iovec iov[2] = {{"head", 4}, {"body", 4}};
	int s[2], p[2], got[FN_SOCK_FDS_MAX];
	size_t n = 0;
	char buf[64];

	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET, s), 0);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(fn_sock_send(s[0], iov, 2, p, 2), 0);
	ck_assert_int_eq(fn_sock_recv(s[1], buf, sizeof(buf), got, &n), 8);
	ck_assert_mem_eq(buf, "headbody", 8);
	ck_assert_uint_eq(n, 2);
	ck_assert(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(write(got[1], "x", 1), 1);
	ck_assert_int_eq(read(p[0], buf, 1), 1);
}
END_TEST

START_TEST(too_long_messages_lose_their_descriptors_too)
{
	char big[100] = {0}, small[10];
	struct iovec iov = {big, sizeof(big)};
	int s[2], p[2], got[FN_SOCK_FDS_MAX], before, after;
	size_t n = 7;

	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET, s), 0);
	ck_assert_int_eq(pipe(p), 0);
	before = dup(0);
	close(before);
	ck_assert_int_eq(fn_sock_send(s[0], &iov, 1, p, 1), 0);
	ck_assert_int_eq(fn_sock_recv(s[1], small, sizeof(small), got, &n), -EMSGSIZE);
	ck_assert_uint_eq(n, 0);
	after = dup(0);
	ck_assert_int_eq(before, after);
}
END_TEST

START_TEST(ends_and_full_sockets)
{
	char block[4096] = {0}, buf[16];
	struct iovec iov = {block, sizeof(block)};
	int s[2], got[FN_SOCK_FDS_MAX], r = 0;
	size_t n;

	ck_assert_int_eq(fn_sock_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, s), 0);
	ck_assert_int_eq(fn_sock_recv(s[1], buf, sizeof(buf), got, &n), -EAGAIN);
	for (int i = 0; i < 10000 && r == 0; i++)
		r = fn_sock_send(s[0], &iov, 1, NULL, 0);
	ck_assert_int_eq(r, -EAGAIN);
	close(s[0]);
	while ((r = (int)fn_sock_recv(s[1], block, sizeof(block), got, &n)) > 0)
		;
	ck_assert_int_eq(r, 0);
}
END_TEST

TEST_MAIN("os/sock", descriptors_cross, too_long_messages_lose_their_descriptors_too, ends_and_full_sockets)

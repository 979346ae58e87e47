/* pass.c - see pass.h. */
#include "gateway/pass.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "gateway/proxies.h"
#include "gateway/tls.h"
#include "model/inner.h"
#include "web/address.h"

#define PIECE 16384u
#define HELLO_MAX 16640u
#define HELLO_US 10000000u
#define LOOK_MS 20
#define IDLE_MS 900000 /* an invocation may take so long to answer */

int fn_gw_peek_name(int fd, char *out, size_t size)
{
	unsigned char data[HELLO_MAX];
	uint64_t until = fn_clock_mono_us() + HELLO_US;
	ssize_t last = -1;

	while (fn_clock_mono_us() < until) {
		struct pollfd p = {fd, POLLIN, 0};
		ssize_t n;
		int r;

		if (poll(&p, 1, (int)(HELLO_US / 1000)) <= 0)
			return -ETIMEDOUT;
		n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		r = n > 0 ? fn_gw_hello_name(data, (size_t)n, out, size) : errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (r != 0)
			return r < 0 ? r : 0;
		if (n == last) /* it is readable as long as it is unread */
			(void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
		last = n;
	}
	return -ETIMEDOUT;
}

static int tls_new(int fd, gnutls_certificate_credentials_t *ret_keys, gnutls_session_t *ret)
{
	int r = gnutls_certificate_allocate_credentials(ret_keys);

	if (r < 0)
		return -ENOMEM;
	gnutls_certificate_set_retrieve_function2(*ret_keys, fn_gw_tls_choose);
	r = gnutls_init(ret, GNUTLS_SERVER);
	if (r < 0) {
		gnutls_certificate_free_credentials(*ret_keys);
		return -ENOMEM;
	}
	r = gnutls_priority_set_direct(*ret, FN_GW_TLS_PRIORITIES, NULL);
	if (r == 0)
		r = gnutls_credentials_set(*ret, GNUTLS_CRD_CERTIFICATE, *ret_keys);
	gnutls_transport_set_int(*ret, fd);
	gnutls_handshake_set_timeout(*ret, (unsigned)(HELLO_US / 1000));
	return r;
}

static bool send_tls(struct fn_gw_conn *conn, gnutls_session_t tls, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = gnutls_record_send(tls, data, len);

		if (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN)
			continue;
		if (n <= 0)
			return false;
		fn_gw_conn_moved(conn, (uint64_t)n);
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Both ways, a piece at a time: who does not take it stops the other. */
static void relay(struct fn_gw_conn *conn, gnutls_session_t tls, int client, int fnd)
{
	char piece[PIECE];
	bool client_ended = false;

	for (;;) {
		struct pollfd p[2] = {{client, client_ended ? 0 : POLLIN, 0}, {fnd, POLLIN, 0}};
		ssize_t n;

		fn_gw_conn_phase(conn, FN_GW_WAITS);
		if (gnutls_record_check_pending(tls) == 0 && poll(p, 2, IDLE_MS) <= 0)
			return;
		fn_gw_conn_phase(conn, FN_GW_TAKES);
		if (!client_ended && (gnutls_record_check_pending(tls) > 0 || p[0].revents)) {
			n = gnutls_record_recv(tls, piece, sizeof(piece));
			if (n == 0) {
				client_ended = true;
				(void)shutdown(fnd, SHUT_WR);
			} else if (n > 0 ? fn_fd_write_all(fnd, piece, (size_t)n) < 0 : gnutls_error_is_fatal((int)n)) {
				return;
			}
		}
		if (p[1].revents) {
			n = recv(fnd, piece, sizeof(piece), 0);
			if (n <= 0 || !send_tls(conn, tls, piece, (size_t)n))
				return;
		}
	}
}

/* A connection to fnd that is the client's from now on. */
static int reach(int state_fd, const struct in6_addr *from)
{
	struct sockaddr_un a;
	fn_auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char address[INET6_ADDRSTRLEN], text[512];
	size_t n = 0;
	int len;

	if (fd < 0 || fn_address_at(state_fd, FN_INNER_SOCKET, &a) < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "GET " FN_INNER_PASS " HTTP/1.1\r\nHost: fnd\r\nConnection: Upgrade\r\nUpgrade: " FN_INNER_PASSED "\r\n" FN_INNER_SECURE ": 1\r\n" FN_INNER_ADDRESS ": %s\r\n\r\n",
		       fn_gw_address_text(from, address));
	if (fn_fd_write_all(fd, text, (size_t)len) < 0)
		return -EPIPE;
	while (n < sizeof(text) - 1) { /* the head, and not a byte of what follows */
		if (recv(fd, text + n, 1, 0) != 1)
			return -ECONNRESET;
		text[++n] = '\0';
		if (fn_str_ends(text, "\r\n\r\n"))
			return fn_str_starts(text, "HTTP/1.1 101 ") ? fn_take_fd(&fd) : -EACCES;
	}
	return -EPROTO;
}

void fn_gw_pass(struct fn_gw_conn *conn, int fd, int state_fd, const struct in6_addr *from)
{
	fn_auto_fd int fnd = -EBADF;
	gnutls_certificate_credentials_t keys;
	gnutls_session_t tls;
	int r = -1;

	if (tls_new(fd, &keys, &tls) == 0) {
		do
			r = gnutls_handshake(tls);
		while (r < 0 && !gnutls_error_is_fatal(r));
		if (r == 0 && (fnd = reach(state_fd, from)) >= 0) {
			relay(conn, tls, fd, fnd);
			(void)gnutls_bye(tls, GNUTLS_SHUT_WR);
		}
		gnutls_deinit(tls);
		gnutls_certificate_free_credentials(keys);
	}
	(void)shutdown(fd, SHUT_RDWR);
}

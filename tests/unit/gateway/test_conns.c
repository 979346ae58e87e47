/* Connections at the end of a process: who has begun nothing, who is about to, who is on the way. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/conns.h"
#include "unit/main.h"

static const struct fn_gw_peer peer = {.key = 1};

static struct fn_gw_conn *begun(struct fn_gw_conns *c, int pair[2])
{
	struct fn_gw_conn *conn;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	conn = fn_gw_conn_begin(c, pair[0], &peer);
	ck_assert_ptr_nonnull(conn);
	return conn;
}

static bool has_ended(const int pair[2])
{
	char byte;
	ssize_t n = recv(pair[1], &byte, 1, MSG_DONTWAIT);

	ck_assert(n == 0 || (n < 0 && errno == EAGAIN));
	return n == 0;
}

static void over(struct fn_gw_conn *conn, const int pair[2])
{
	fn_gw_conn_end(conn);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

START_TEST(in_a_handshake_it_may_ask_still)
{
	struct fn_gw_conns *c;
	struct fn_gw_conn *new, *rests, *asks;
	int n[2], r[2], a[2];

	ck_assert_int_eq(fn_gw_conns_new(8, 8, &c), 0);
	new = begun(c, n);
	rests = begun(c, r);
	asks = begun(c, a);
	fn_gw_conn_phase(rests, FN_GW_RESTS);
	fn_gw_conn_phase(asks, FN_GW_WAITS);
	fn_gw_conns_finish(c);
	ck_assert(has_ended(r));
	fn_gw_conns_look(c);
	ck_assert(!has_ended(n) && !has_ended(a));
	fn_gw_conn_phase(asks, FN_GW_RESTS); /* its answer has gone */
	ck_assert(has_ended(a));
	fn_gw_conn_phase(new, FN_GW_WAITS);
	ck_assert(!has_ended(n));
	ck_assert(!fn_gw_conns_gone(c));
	over(rests, r);
	over(asks, a);
	ck_assert(!fn_gw_conns_gone(c));
	over(new, n);
	ck_assert(fn_gw_conns_gone(c));
	fn_gw_conns_free(c);
}
END_TEST

START_TEST(one_on_its_way_is_waited_for)
{
	struct fn_gw_conns *c;
	struct fn_gw_conn *conn;
	int pair[2];

	ck_assert_int_eq(fn_gw_conns_new(8, 8, &c), 0);
	fn_gw_conn_coming(c);
	fn_gw_conn_coming(c);
	fn_gw_conns_finish(c);
	ck_assert(!fn_gw_conns_gone(c));
	fn_gw_conn_arrived(c); /* it has come to nothing */
	ck_assert(!fn_gw_conns_gone(c));
	conn = begun(c, pair);
	fn_gw_conn_arrived(c);
	ck_assert(!fn_gw_conns_gone(c));
	over(conn, pair);
	ck_assert(fn_gw_conns_gone(c));
	fn_gw_conns_free(c);
}
END_TEST

TEST_MAIN("gateway/conns", in_a_handshake_it_may_ask_still, one_on_its_way_is_waited_for)

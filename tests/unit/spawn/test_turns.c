/* The queue of starts: bounded, and whoever is beyond it is told at once. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spawn/internal.h"
#include "unit/main.h"

static void begin(struct fn_spawn_server *s, int sock[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sock), 0);
	ck_assert_int_eq(fn_loop_new(&s->cfg.loop), 0);
	s->cfg.sock = sock[0];
	fn_list_init(&s->out);
	fn_list_init(&s->boxes);
	fn_list_init(&s->turns);
	fn_list_init(&s->stocks);
	ck_assert_int_eq(fn_turns_open(s), 0);
}

static void finish(struct fn_spawn_server *s, int sock[2])
{
	fn_turns_close(s);
	close(sock[0]);
	close(sock[1]);
	fn_loop_free(s->cfg.loop);
}

START_TEST(test_bound)
{
	struct {
		struct fn_proto_header head;
		struct fn_err err;
	} answer;
	struct fn_spawn_server s = {.at_once = 0, .n_starting = 1};
	struct fn_proto_header head = {.request = 7};
	unsigned kept = 0;
	int sock[2];

	begin(&s, sock);
	s.at_once = 0; /* nothing starts */
	while (kept < 100000 && recv(sock[1], &answer, sizeof(answer), 0) < 0) {
		fn_turns_order(&s, &head, "spec", 4);
		kept++;
	}
	ck_assert_uint_eq(kept, 4097);
	ck_assert_uint_eq(answer.head.type, FN_PROTO_FAILED);
	ck_assert_uint_eq(answer.head.request, 7);
	ck_assert_int_eq(answer.err.code, EAGAIN);
	ck_assert_str_eq(answer.err.stage, "queue of starts");
	finish(&s, sock);
}
END_TEST

/* With as many inits as the CPUs can do with, the next waits for one of them while the host has enough that could run, and does not where they wait for something else. */
START_TEST(test_inits)
{
	struct fn_spawn_server s = {0};
	struct fn_proto_header head = {.request = 7};
	uint64_t asked;
	char answer[512];
	int sock[2];

	begin(&s, sock);
	ck_assert_uint_gt(s.inits_at_once, s.at_once);
	s.n_initialising = s.inits_at_once;
	s.runnable_most = 0; /* this test runs */
	s.last_turn_us = asked = fn_loop_now_us(s.cfg.loop);
	fn_turns_order(&s, &head, "spec", 4); /* which is no spec: its turn is known by the answer that says so */
	while (fn_loop_now_us(s.cfg.loop) < asked + 100000)
		ck_assert_int_ge(fn_loop_run_once(s.cfg.loop, 10000), 0);
	ck_assert_uint_eq(s.n_turns, 1);
	s.n_initialising--; /* one is there */
	fn_turns_one_is_through(&s);
	while (s.n_turns > 0)
		ck_assert_int_ge(fn_loop_run_once(s.cfg.loop, 10000), 0);
	ck_assert_int_gt((int)recv(sock[1], answer, sizeof(answer), 0), 0);
	s.n_initialising++;
	s.runnable_most = UINT_MAX;
	fn_turns_order(&s, &head, "spec", 4);
	ck_assert_uint_eq(s.n_turns, 0);
	s.runnable_most = 0; /* however long: not longer than that */
	s.last_turn_us = asked = fn_loop_now_us(s.cfg.loop);
	fn_turns_order(&s, &head, "spec", 4);
	ck_assert_uint_eq(s.n_turns, 1);
	while (s.n_turns > 0)
		ck_assert_int_ge(fn_loop_run_once(s.cfg.loop, 10000), 0);
	ck_assert_uint_ge(fn_loop_now_us(s.cfg.loop), asked + 400000);
	finish(&s, sock);
}
END_TEST

TEST_MAIN("spawn/turns", test_bound, test_inits)

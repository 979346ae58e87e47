/* The queue of starts: bounded, and whoever is beyond it is told at once. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spawn/internal.h"
#include "unit/main.h"

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

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sock), 0);
	ck_assert_int_eq(fn_loop_new(&s.cfg.loop), 0);
	s.cfg.sock = sock[0];
	fn_list_init(&s.out);
	fn_list_init(&s.boxes);
	fn_list_init(&s.turns);
	fn_list_init(&s.stocks);
	ck_assert_int_eq(fn_turns_open(&s), 0);
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
	fn_turns_close(&s);
	close(sock[0]);
	close(sock[1]);
	fn_loop_free(s.cfg.loop);
}
END_TEST

TEST_MAIN("spawn/turns", test_bound)

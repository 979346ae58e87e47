#include "model/invocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/main.h"

static int ends, fails, admitted, begun, rooms;
static char written[64];
static bool full;

static void on_end(struct fn_invocation *inv)
{
	ck_assert_int_eq(inv->outcome, FN_INV_RESPONSE);
	ends++;
}

static void on_fail(struct fn_invocation *inv)
{
	ck_assert_int_ne(inv->outcome, FN_INV_RESPONSE);
	fails++;
}

static void on_begin(struct fn_invocation *inv, const char *content_type, enum fn_response_mode mode)
{
	ck_assert(inv->begun);
	ck_assert_str_eq(content_type, "text/plain");
	ck_assert_int_eq(mode, FN_RESPONSE_STREAMING);
	begun++;
}

static bool on_write(struct fn_invocation *inv, const void *data, size_t len)
{
	(void)inv;
	strncat(written, data, len);
	return full;
}

static void on_complete(struct fn_invocation *inv)
{
	(void)inv;
	ck_assert_int_eq(ends + fails, 0); /* it is the first to know */
	admitted++;
}

static void on_room(void *arg)
{
	ck_assert_ptr_eq(arg, written);
	rooms++;
}

static const struct fn_sink whole = {.end = on_end, .fail = on_fail}, pieces = {on_begin, on_write, on_end, on_fail};

START_TEST(completes_exactly_once)
{
	const struct fn_err err = {.code = EIO, .stage = "x", .msg = "y"};
	struct fn_invocation *inv = fn_invocation_new();

	inv->sink = &whole;
	inv->on_complete = on_complete;
	ck_assert(!fn_invocation_streams(inv));
	ck_assert(fn_invocation_complete(inv, FN_INV_RESPONSE, strdup("a"), 1));
	ck_assert(!fn_invocation_complete(inv, FN_INV_FUNCTION_ERROR, strdup("b"), 1));
	ck_assert(!fn_invocation_fail(inv, &err));
	ck_assert_int_eq(ends, 1);
	ck_assert_int_eq(fails, 0);
	ck_assert_int_eq(admitted, 1);
	ck_assert_int_eq(inv->outcome, FN_INV_RESPONSE);
	ck_assert_str_eq(inv->result, "a");
	ck_assert_int_eq(inv->err.code, 0);
	fn_invocation_unref(inv);
}
END_TEST

START_TEST(in_pieces)
{
	struct fn_invocation *inv = fn_invocation_new();

	inv->sink = &pieces;
	ck_assert(fn_invocation_streams(inv));
	fn_invocation_room(inv); /* nobody waits */
	fn_invocation_begin(inv, "text/plain", FN_RESPONSE_STREAMING, on_room, written);
	ck_assert(!fn_invocation_write(inv, "ab", 2));
	full = true;
	ck_assert(!fn_invocation_write(inv, "", 0));
	ck_assert(fn_invocation_write(inv, "cd", 2));
	fn_invocation_room(inv);
	ck_assert_int_eq(rooms, 1);
	ck_assert(fn_invocation_complete(inv, FN_INV_FUNCTION_ERROR, NULL, 0)); /* it timed out, say, while more came */
	ck_assert(!fn_invocation_streams(inv));
	ck_assert(!fn_invocation_write(inv, "ef", 2));
	fn_invocation_room(inv);
	ck_assert_int_eq(rooms, 1);
	ck_assert_str_eq(written, "abcd");
	ck_assert_int_eq(fails, 1);
	fn_invocation_unref(inv);
}
END_TEST

START_TEST(who_writes_may_leave)
{
	struct fn_invocation *inv = fn_invocation_new();

	inv->sink = &pieces;
	fn_invocation_begin(inv, "text/plain", FN_RESPONSE_STREAMING, on_room, written);
	fn_invocation_leave(inv);
	fn_invocation_room(inv);
	ck_assert_int_eq(rooms, 0);
	ck_assert(fn_invocation_refuse(inv, FN_REFUSAL_FUNCTION_FULL, NULL));
	ck_assert_int_eq(inv->refusal, FN_REFUSAL_FUNCTION_FULL);
	ck_assert_int_eq(begun + fails, 2);
	fn_invocation_unref(inv);
}
END_TEST

START_TEST(tail_keeps_the_end)
{
	struct fn_invocation *inv = fn_invocation_new();
	char big[10000];

	fn_invocation_tail(inv, "unwanted", 8);
	ck_assert_uint_eq(inv->tail_len, 0);
	inv->want_tail = true;
	fn_invocation_tail(inv, "one", 3);
	memset(big, 'b', sizeof(big));
	memcpy(big + sizeof(big) - 3, "end", 3);
	fn_invocation_tail(inv, big, 4094);
	ck_assert_uint_eq(inv->tail_len, FN_LOG_TAIL_MAX);
	ck_assert_mem_eq(inv->tail, "neb", 2);
	fn_invocation_tail(inv, "a\rb\r\nc\r", 7);
	ck_assert_mem_eq(inv->tail + inv->tail_len - 7, "a\nb\r\nc\r", 7); /* a record of several lines */
	fn_invocation_tail(inv, big, sizeof(big));
	ck_assert_mem_eq(inv->tail + FN_LOG_TAIL_MAX - 3, "end", 3);
	fn_invocation_tail(inv, "!", 1);
	ck_assert_mem_eq(inv->tail + FN_LOG_TAIL_MAX - 4, "end!", 4);
	ck_assert_uint_eq(inv->tail_len, FN_LOG_TAIL_MAX);
	fn_invocation_unref(inv);
}
END_TEST

START_TEST(words_for_ends)
{
	char buf[64];

	ck_assert_ptr_null(fn_exit_words(0, buf, sizeof(buf)));
	ck_assert_str_eq(fn_exit_words(3 << 8, buf, sizeof(buf)), "exit status 3");
	ck_assert_str_eq(fn_exit_words(9, buf, sizeof(buf)), "signal: killed");
	ck_assert_str_eq(fn_exit_words(11, buf, sizeof(buf)), "signal: segmentation fault");
	ck_assert_str_eq(fn_exit_words(-1, buf, sizeof(buf)), "signal: killed");
}
END_TEST

TEST_MAIN("model/invocation", completes_exactly_once, in_pieces, who_writes_may_leave, tail_keeps_the_end, words_for_ends)

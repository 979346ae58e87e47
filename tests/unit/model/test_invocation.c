#include "model/invocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/main.h"

static int completions;

static void done(struct fn_invocation *inv)
{
	(void)inv;
	completions++;
}

START_TEST(completes_exactly_once)
{
	const struct fn_err err = {EIO, "x", "y"};
	struct fn_invocation *inv = fn_invocation_new();

	inv->done = done;
	ck_assert(fn_invocation_complete(inv, FN_INV_RESPONSE, strdup("a"), 1));
	ck_assert(!fn_invocation_complete(inv, FN_INV_FUNCTION_ERROR, strdup("b"), 1));
	ck_assert(!fn_invocation_fail(inv, &err));
	ck_assert_int_eq(completions, 1);
	ck_assert_int_eq(inv->outcome, FN_INV_RESPONSE);
	ck_assert_str_eq(inv->result, "a");
	ck_assert_int_eq(inv->err.code, 0);
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

TEST_MAIN("model/invocation", completes_exactly_once, tail_keeps_the_end, words_for_ends)

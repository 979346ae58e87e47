#include "model/lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/main.h"

static struct fn_buf b, next;

START_TEST(what_a_function_calls_has_its_lineage)
{
	ck_assert_int_eq(fn_lineage_of_call(NULL, NULL, "a", &b), 0); /* an invocation from outside, with no header */
	ck_assert_uint_eq(fn_lineage_count(b.data, "a"), 1);
	ck_assert_uint_eq(fn_lineage_count(b.data, "b"), 0);
	ck_assert_ptr_eq(strstr(b.data, "Root=1-"), b.data);
	ck_assert_ptr_nonnull(strstr(b.data, ";Parent="));
	ck_assert_ptr_nonnull(strstr(b.data, ";Sampled=0;Lineage="));
	ck_assert_int_eq(fn_lineage_add(b.data, "b", &next), 0);
	ck_assert_int_eq(fn_lineage_of_call("Root=1-00000001-000000000000000000000002;Lineage=00000000:0", next.data, "b", &b), 0);
	ck_assert_uint_eq(fn_lineage_count(b.data, "a"), 1);
	ck_assert_uint_eq(fn_lineage_count(b.data, "b"), 1);
	ck_assert_ptr_eq(strstr(b.data, "Root=1-00000001-000000000000000000000002;Lineage="), b.data);
}
END_TEST

/* Whatever is sent: less, more, nothing, somebody else's. */
START_TEST(the_sender_has_no_say)
{
	static const char *const sent[] = {"", "Lineage=", "Lineage=00000000:1", "Root=1-0;lineage=ffffffff:9;Lineage=eeeeeeee:3", ";;;", "Self=1", NULL};

	ck_assert_int_eq(fn_lineage_add("Root=1-1", "a", &b), 0);
	for (size_t i = 0; sent[i]; i++) {
		ck_assert_int_eq(fn_lineage_of_call(sent[i], b.data, "a", &next), 0);
		ck_assert_uint_eq(fn_lineage_count(next.data, "a"), 1);
		ck_assert_ptr_null(strstr(next.data, "ffffffff"));
		ck_assert_ptr_null(strstr(next.data, "eeeeeeee"));
		ck_assert_ptr_null(strstr(strstr(next.data, "Lineage=") + 1, "Lineage="));
	}
}
END_TEST

START_TEST(a_chain_counts_each_function)
{
	static const char *const names[] = {"a", "b"};

	ck_assert_int_eq(fn_lineage_of_call(NULL, NULL, "a", &b), 0);
	for (unsigned i = 1; i < 2 * FN_LINEAGE_MOST; i++) {
		ck_assert_int_eq(fn_lineage_add(b.data, names[i % 2], &next), 0);
		ck_assert_int_eq(fn_lineage_of_call("Root=1-2;Parent=3;Sampled=1", next.data, names[i % 2], &b), 0);
	}
	ck_assert_uint_eq(fn_lineage_count(b.data, "a"), FN_LINEAGE_MOST);
	ck_assert_uint_eq(fn_lineage_count(b.data, "b"), FN_LINEAGE_MOST);
}
END_TEST

START_TEST(it_stays_small)
{
	char name[16], *longest = calloc(1, FN_TRACE_MAX + 10);

	ck_assert_int_eq(fn_buf_add_str((fn_buf_reset(&b), &b), "Root=1-1"), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ck_assert_int_eq(fn_lineage_add(b.data, name, &next), 0);
		ck_assert_int_eq(fn_lineage_of_call(NULL, next.data, name, &b), 0);
	}
	ck_assert_uint_lt(b.len, FN_TRACE_MAX);
	ck_assert_uint_eq(fn_lineage_count(b.data, "f999"), 1);
	ck_assert_uint_eq(fn_lineage_count(b.data, "f0"), 0);
	memset(longest, 'x', FN_TRACE_MAX + 1);
	memcpy(longest, "Lineage=00000000:1;", 19);
	ck_assert(!fn_lineage_in(longest));
	longest[FN_TRACE_MAX] = '\0';
	ck_assert(fn_lineage_in(longest));
	memset(longest, 'x', FN_TRACE_MAX);
	ck_assert_int_eq(fn_lineage_of_call(longest, b.data, "f999", &next), 0); /* nor does what is sent push it out */
	ck_assert_uint_lt(next.len, FN_TRACE_MAX);
	ck_assert_uint_eq(fn_lineage_count(next.data, "f999"), 1);
	free(longest);
}
END_TEST

START_TEST(what_is_handed_on_by_name)
{
	ck_assert_int_eq(fn_lineage_carry("Root=1-2;Lineage=ffffffff:1;Sampled=1", "Root=1-1;Lineage=e8b7be43:7", &b), 0);
	ck_assert_str_eq(b.data, "Root=1-2;Sampled=1;Lineage=e8b7be43:7");
	ck_assert_int_eq(fn_lineage_carry("Root=1-2;Lineage=ffffffff:1", "Root=1-1", &b), 0);
	ck_assert_str_eq(b.data, "Root=1-2;Lineage=ffffffff:1");
	ck_assert_int_eq(fn_lineage_carry("Root=1-2", NULL, &b), 0);
	ck_assert_str_eq(b.data, "Root=1-2");
}
END_TEST

START_TEST(what_is_no_lineage_counts_for_nothing)
{
	static const char *const odd[] = {"Lineage=", "Lineage=0", "Lineage=:", "Lineage=zzzzzzzz:1", "Lineage=e8b7be43:", "Lineage=e8b7be43:x", "Lineage=e8b7be43:1x", "Lineage=e8b7be43:99999999999999999999",
					  "Lineage=e8b7be431:1", "Linea=e8b7be43:1", "xLineage=e8b7be43:1", "Lineage=|||", NULL};

	ck_assert_uint_eq(fn_lineage_count("Lineage=e8b7be43:7", "a"), 7); /* the CRC-32 of "a" */
	ck_assert_uint_eq(fn_lineage_count(" Root=1 ; lineage=00000000:1|e8b7be43:7|e8b7be43:3 ", "a"), 7);
	for (size_t i = 0; odd[i]; i++)
		ck_assert_uint_eq(fn_lineage_count(odd[i], "a"), 0);
	ck_assert_uint_eq(fn_lineage_count(NULL, "a"), 0);
}
END_TEST

/* What proxies and clients send lacks some of it (Application Load Balancer Guide, "Request tracing"). */
START_TEST(a_header_is_made_whole)
{
	static const char whole[] = "Sampled=1;Parent=53995c3f42cd8ad8;Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=e8b7be43:7";
	static const char *const none[] = {NULL, "", "garbage", "Root=1-5759e988-bd862e3fe1be46a99427279", "Root=1-5759e988-bd862e3fe1be46a99427279g;Sampled=?", "Root=;Parent=53995c3f42cd8ad8"};
	char *longest = calloc(1, FN_TRACE_MAX + 2);

	ck_assert_int_eq(fn_trace_whole(whole, &b), 0);
	ck_assert_str_eq(b.data, whole);
	ck_assert_int_eq(fn_trace_whole("Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678;x; Lineage=e8b7be43:7", &b), 0);
	ck_assert_int_eq(strncmp(b.data, "Root=1-67891233-abcdef012345678912345678;Parent=", 48), 0);
	ck_assert_str_eq(b.data + 48 + 16, ";Sampled=0;Self=1-67891234-12456789abcdef012345678;Lineage=e8b7be43:7");
	ck_assert_int_eq(fn_trace_whole("Sampled=1", &b), 0);
	ck_assert_str_eq(b.data + 5 + 35 + 8 + 16, ";Sampled=1");
	memset(longest, 'R', FN_TRACE_MAX + 1);
	for (size_t i = 0; i <= sizeof(none) / sizeof(none[0]); i++) {
		ck_assert_int_eq(fn_trace_whole(i < sizeof(none) / sizeof(none[0]) ? none[i] : longest, &b), 0);
		ck_assert_uint_eq(b.len, strlen("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"));
		ck_assert_ptr_null(strstr(b.data, "53995c3f42cd8ad8"));
		ck_assert_int_eq(fn_trace_whole(b.data, &next), 0);
		ck_assert_str_eq(b.data, next.data);
	}
	free(longest);
}
END_TEST

TEST_MAIN("model/lineage", a_header_is_made_whole, what_a_function_calls_has_its_lineage, the_sender_has_no_say, a_chain_counts_each_function, it_stays_small, what_is_handed_on_by_name, what_is_no_lineage_counts_for_nothing)

#include "runtime/logs.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "unit/main.h"

static char dir[] = "fnd-logs-XXXXXX";
static struct fn_loop *loop;

static struct fn_logs *open_logs(uint64_t max_bytes)
{
	struct fn_logs *l;
	struct fn_err err;

	if (!loop) {
		ck_assert_ptr_nonnull(mkdtemp(dir));
		ck_assert_int_eq(fn_loop_new(&loop), 0);
	}
	ck_assert_int_eq(fn_logs_new(loop, dir, max_bytes, 3, &l, &err), 0);
	return l;
}

START_TEST(lines_have_times_and_cursors_go_on)
{
	struct fn_logs *l = open_logs(1 << 20);
	struct fn_buf b = {0};
	uint64_t next = 0, after;

	ck_assert_int_eq(fn_logs_read(l, "f", 0, 1000, &b, &next), -ENOENT);
	fn_logs_append(l, "f", "one\ntwo", 7);
	fn_logs_append(l, "g", "other\n", 6);
	ck_assert_int_eq(fn_logs_read(l, "f", 0, 1000, &b, &next), 0);
	ck_assert_ptr_nonnull(strstr(b.data, "Z one\n"));
	ck_assert_ptr_nonnull(strstr(b.data, "Z two\n"));
	ck_assert_ptr_null(strstr(b.data, "other"));
	fn_buf_reset(&b);
	ck_assert_int_eq(fn_logs_read(l, "f", next, 1000, &b, &after), 0);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(after, next);
	fn_logs_free(l); /* writes what is gathered */
	l = open_logs(1 << 20);
	fn_logs_append(l, "f", "three\n", 6);
	ck_assert_int_eq(fn_logs_read(l, "f", next, 1000, &b, &after), 0);
	ck_assert_ptr_nonnull(strstr(b.data, "Z three\n"));
	ck_assert_ptr_null(strstr(b.data, "two"));
	fn_buf_reset(&b);
	ck_assert_int_eq(fn_logs_read(l, "f", UINT64_MAX, 1000, &b, &after), 0);
	ck_assert_uint_eq(b.len, 0);
	fn_logs_remove(l, "f");
	ck_assert_int_eq(fn_logs_read(l, "f", 0, 1000, &b, &after), -ENOENT);
	fn_buf_free(&b);
	fn_logs_free(l);
	fn_loop_free(loop);
}
END_TEST

START_TEST(old_files_go_and_old_cursors_move_up)
{
	struct fn_logs *l = open_logs(4096);
	struct fn_buf b = {0};
	uint64_t next;
	char line[200];

	for (int i = 0; i < 1000; i++) {
		int n = snprintf(line, sizeof(line), "line %d %0100d\n", i, 0);

		fn_logs_append(l, "f", line, (size_t)n);
		if (i % 50 == 0)
			fn_loop_run_once(loop, 60000);
	}
	fn_logs_free(l);
	l = open_logs(4096);
	ck_assert_int_eq(fn_logs_read(l, "f", 0, 1 << 20, &b, &next), 0);
	ck_assert_uint_gt(b.len, 0);
	ck_assert_uint_le(b.len, 4 * 4096 + 400);
	ck_assert_ptr_nonnull(strstr(b.data, "line 999 "));
	ck_assert_ptr_null(strstr(b.data, "line 0 "));
	fn_buf_free(&b);
	fn_logs_free(l);
	fn_loop_free(loop);
}
END_TEST

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

START_TEST(few_files_are_open_of_many_functions)
{
	struct fn_logs *l = open_logs(1 << 20);
	unsigned before = open_files();
	struct fn_buf b = {0};
	uint64_t next;
	char name[32];

	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < FN_LOGS_OPEN_MAX + 50; i++) {
			snprintf(name, sizeof(name), "many-%u", i);
			fn_logs_append(l, name, round ? "two\n" : "one\n", 4);
			fn_logs_flush(l);
		}
	ck_assert_uint_eq(open_files(), before + FN_LOGS_OPEN_MAX);
	for (unsigned i = 0; i < FN_LOGS_OPEN_MAX + 50; i++) {
		snprintf(name, sizeof(name), "many-%u", i);
		fn_buf_reset(&b);
		ck_assert_int_eq(fn_logs_read(l, name, 0, 1000, &b, &next), 0);
		ck_assert_uint_eq(b.len, 2 * (25 + 4));
		fn_logs_remove(l, name);
	}
	ck_assert_uint_eq(open_files(), before);
	fn_buf_free(&b);
	fn_logs_free(l);
	fn_loop_free(loop);
}
END_TEST

static bool is_kept(void *arg, const char *function)
{
	(void)arg;
	return strcmp(function, "kept") == 0;
}

START_TEST(logs_of_nobody_go)
{
	struct fn_logs *l = open_logs(1 << 20);
	struct fn_buf b = {0};
	uint64_t next;

	fn_logs_append(l, "kept", "one", 3);
	fn_logs_append(l, "gone", "one", 3);
	fn_logs_flush(l);
	fn_logs_sweep(l, is_kept, NULL);
	ck_assert_int_eq(fn_logs_read(l, "kept", 0, 1000, &b, &next), 0);
	ck_assert_uint_gt(b.len, 0);
	ck_assert_int_eq(fn_logs_read(l, "gone", 0, 1000, &b, &next), -ENOENT);
	fn_buf_free(&b);
	fn_logs_free(l);
	fn_loop_free(loop);
}
END_TEST

/* As on a full disk: a part of what is written gets there. */
START_TEST(a_write_that_fails_half_way_shifts_no_cursor)
{
	struct fn_logs *l = open_logs(1 << 20);
	struct rlimit small = {40, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
	struct fn_buf b = {0};
	uint64_t next = 0;

	ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	fn_logs_append(l, "f", "one", 3);
	fn_logs_flush(l);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	fn_logs_append(l, "f", "lost", 4);
	fn_logs_flush(l);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(fn_logs_read(l, "f", 0, 1000, &b, &next), 0);
	ck_assert_uint_eq(b.len, 25 + 4);
	ck_assert_uint_eq(next, 25 + 4);
	fn_buf_reset(&b);
	fn_logs_append(l, "f", "three", 5);
	fn_logs_flush(l);
	ck_assert_int_eq(fn_logs_read(l, "f", next, 1000, &b, &next), 0);
	ck_assert_uint_eq(b.len, 25 + 6);
	ck_assert_ptr_nonnull(strstr(b.data, "Z three\n"));
	fn_buf_free(&b);
	fn_logs_free(l);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("runtime/logs", lines_have_times_and_cursors_go_on, old_files_go_and_old_cursors_move_up, few_files_are_open_of_many_functions, logs_of_nobody_go,
	  a_write_that_fails_half_way_shifts_no_cursor)

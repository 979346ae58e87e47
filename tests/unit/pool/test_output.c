/* What environments print, and how much of it a loop takes at a time. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pool/worker.h"
#include "unit/main.h"

static size_t relayed;
static unsigned n_left;

static void on_relay(void *arg, const char *function, struct fn_buf *text)
{
	(void)arg;
	ck_assert_str_eq(function, "f");
	relayed += text->len;
	fn_buf_free(text);
}

static void on_leave(void *arg)
{
	(void)arg;
	n_left++;
}

static size_t in_pipe(int fd)
{
	int n = 0;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &n), 0);
	return (size_t)n;
}

static size_t fill(int fd)
{
	static char lines[4096];
	size_t total = 0;
	ssize_t n;

	memset(lines, '\n', sizeof(lines));
	while ((n = write(fd, lines, sizeof(lines))) > 0)
		total += (size_t)n;
	return total;
}

/* Lines without anything in them are the most work for each byte. */
START_TEST(test_turns)
{
	static const struct fn_pool_borrower_ops borrower;
	struct fn_function f = {.name = (char *)"f"};
	struct fn_pool pool = {0};
	struct fn_group g = {.pool = &pool, .function = &f};
	struct fn_worker w = {.group = &g, .leave = {.fn = on_leave}};
	size_t full, taken = 0;
	int fds[2];

	ck_assert_int_eq(fn_loop_new(&pool.cfg.loop), 0);
	ck_assert_int_eq(fn_logs_new_relay(pool.cfg.loop, on_relay, NULL, &pool.cfg.logs), 0);
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	(void)fcntl(fds[0], F_SETPIPE_SZ, 1 << 20); /* as a function can */
	w.output_fd = fds[0];
	full = fill(fds[1]);
	fn_worker_on_output(&w, fds[0], EPOLLIN);
	ck_assert_uint_ge(full - in_pipe(fds[0]), 1024);
	ck_assert_uint_le(full - in_pipe(fds[0]), 32768); /* others have their turn */
	fn_worker_read_output(&w);
	ck_assert_uint_eq(in_pipe(fds[0]), 0); /* at the end of an invocation it is all there */
	fn_logs_flush(pool.cfg.logs);
	ck_assert_uint_eq(relayed, full * 26);
	/* one that is lent goes back when it has printed much */
	pool.cfg.borrower = &borrower;
	while (n_left == 0 && taken < (8u << 20)) {
		full = fill(fds[1]);
		fn_worker_read_output(&w);
		taken += full;
		ck_assert_int_eq(fn_loop_run_once(pool.cfg.loop, 0), 0);
		ck_assert(n_left == 0 || taken > (1u << 20));
	}
	ck_assert_uint_eq(n_left, 1);
	close(fds[0]);
	close(fds[1]);
	fn_logs_free(pool.cfg.logs);
	fn_buf_free(&w.line);
	fn_loop_free(pool.cfg.loop);
}
END_TEST

TEST_MAIN("pool/output", test_turns)

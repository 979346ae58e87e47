#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/main.h"

static struct fn_loop *loop;
static int order[16], n_order;
static uint64_t other_id;

static void note(void *arg)
{
	order[n_order++] = (int)(intptr_t)arg;
}

static void stop(void *arg)
{
	(void)arg;
	fn_loop_stop(loop);
}

START_TEST(timers_fire_in_order)
{
	uint64_t now = fn_clock_mono_us(), id[4];

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_loop_add_timer(loop, now + 20000, note, (void *)3, &id[0]), 0);
	ck_assert_int_eq(fn_loop_add_timer(loop, now + 5000, note, (void *)1, &id[1]), 0);
	ck_assert_int_eq(fn_loop_add_timer(loop, now + 10000, note, (void *)2, &id[2]), 0);
	ck_assert_int_eq(fn_loop_add_timer(loop, now + 30000, stop, NULL, &id[3]), 0);
	ck_assert_int_eq(fn_loop_run(loop), 0);
	ck_assert_int_eq(n_order, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(order[i], i + 1);
	ck_assert(fn_clock_mono_us() >= now + 30000);
	/* a fired timer can be armed again, a deleted one not */
	ck_assert_int_eq(fn_loop_rearm_timer(loop, id[1], 0), 0);
	fn_loop_del(loop, id[2]);
	ck_assert_int_eq(fn_loop_rearm_timer(loop, id[2], 0), -ENOENT);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	ck_assert_int_eq(n_order, 4);
	fn_loop_free(loop);
}
END_TEST

static void on_read(void *arg, int fd, uint32_t events)
{
	char c;

	ck_assert(events & EPOLLIN);
	ck_assert_int_eq(read(fd, &c, 1), 1);
	note(arg);
	fn_loop_del(loop, other_id); /* it is ready in the same round */
}

START_TEST(a_removed_registration_is_not_called)
{
	int a[2], b[2];
	uint64_t id_a, id_b;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(pipe(a) + pipe(b), 0);
	ck_assert_int_eq(fn_loop_add_io(loop, a[0], EPOLLIN, on_read, (void *)1, &id_a), 0);
	ck_assert_int_eq(fn_loop_add_io(loop, b[0], EPOLLIN, on_read, (void *)2, &id_b), 0);
	ck_assert_int_eq(fn_loop_add_io(loop, b[0], EPOLLIN, on_read, NULL, &id_b), -EEXIST);
	ck_assert_int_eq(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
	other_id = id_b;
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	/* whichever was first removed b: then b may have been first itself, but never both */
	ck_assert_int_ge(n_order, 1);
	ck_assert_int_eq(fn_loop_mod_io(loop, id_b, EPOLLIN), -ENOENT);
	fn_loop_free(loop);
}
END_TEST

START_TEST(a_stale_id_is_no_newer_registration)
{
	uint64_t old, new;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_loop_add_timer(loop, UINT64_MAX, note, NULL, &old), 0);
	fn_loop_del(loop, old);
	ck_assert_int_eq(fn_loop_add_timer(loop, UINT64_MAX, note, (void *)9, &new), 0);
	ck_assert_uint_ne(old, new);
	ck_assert_int_eq(fn_loop_rearm_timer(loop, old, 0), -ENOENT);
	fn_loop_del(loop, old);
	fn_loop_del(loop, 0);
	ck_assert_int_eq(fn_loop_rearm_timer(loop, new, 0), 0);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	ck_assert_int_eq(order[0], 9);
	fn_loop_free(loop);
}
END_TEST

static void on_signal(void *arg, int signo, int sender)
{
	(void)arg;
	ck_assert_int_eq(signo, SIGUSR1);
	ck_assert_int_eq(sender, getpid());
	fn_loop_stop(loop);
}

START_TEST(signals)
{
	uint64_t id;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_loop_add_signal(loop, SIGUSR1, on_signal, NULL, &id), 0);
	kill(getpid(), SIGUSR1);
	ck_assert_int_eq(fn_loop_run(loop), 0);
	fn_loop_free(loop);
}
END_TEST

static int prepared;

static void first(void *arg, uint64_t *until)
{
	(void)arg;
	(void)until;
	prepared++;
}

static void second(void *arg, uint64_t *until)
{
	(void)until;
	if (!*(int *)arg) {
		*(int *)arg = 1;
		fn_loop_again(loop);
	}
}

START_TEST(prepare_runs_again_when_asked)
{
	uint64_t id;
	int done = 0;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_loop_add_prepare(loop, first, NULL, &id), 0);
	ck_assert_int_eq(fn_loop_add_prepare(loop, second, &done, &id), 0);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	ck_assert_int_eq(prepared, 2);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	ck_assert_int_eq(prepared, 3);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("base/loop", timers_fire_in_order, a_removed_registration_is_not_called, a_stale_id_is_no_newer_registration, signals, prepare_runs_again_when_asked)

#include "os/command.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/main.h"

static struct fn_loop *loop;
static struct fn_err failure;
static char printed[256];
static unsigned calls;

static void done(void *arg, const struct fn_err *err, const char *out, size_t len)
{
	(void)arg;
	calls++;
	failure = err ? *err : (struct fn_err){0};
	snprintf(printed, sizeof(printed), "%.*s", (int)len, out ? out : "");
	fn_loop_stop(loop);
}

static void run(const char *script, size_t max, uint64_t timeout_us)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
	struct fn_command *c = NULL;
	struct fn_err err;

	calls = 0;
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_command_start(loop, argv, max, timeout_us, done, NULL, &c, &err), 0);
	ck_assert_uint_eq(calls, 0);
	ck_assert_int_eq(fn_loop_run(loop), 0);
	ck_assert_uint_eq(calls, 1);
	fn_loop_free(loop);
}

START_TEST(what_it_prints)
{
	run("printf 'one two'; read x; echo \" end of input: $?\"", 1000, 60000000);
	ck_assert_str_eq(printed, "one two end of input: 1\n");
	ck_assert_int_eq(failure.code, 0);
	run("true", 1000, 60000000);
	ck_assert_str_eq(printed, "");
	ck_assert_int_eq(failure.code, 0);
	run("exec >&-; sleep 0.1", 1000, 60000000); /* an end of its output is none of it */
	ck_assert_int_eq(failure.code, 0);
}
END_TEST

START_TEST(how_it_fails)
{
	run("echo secret; exit 3", 1000, 60000000);
	ck_assert_int_eq(failure.code, ECHILD);
	ck_assert_str_eq(failure.msg, "it ended with status 3");
	ck_assert_str_eq(printed, "");
	run("kill -TERM $$", 1000, 60000000);
	ck_assert_str_eq(failure.msg, "it was ended by signal 15");
	run("yes", 100000, 60000000);
	ck_assert_int_eq(failure.code, EFBIG);
	run("sleep 1000", 1000, 50000);
	ck_assert_int_eq(failure.code, ETIME);
	run("trap '' TERM; sleep 1000 & echo $!; kill -STOP $$", 1000, 50000);
	ck_assert_int_eq(failure.code, ETIME);
}
END_TEST

/* Whoever adopts it may not have reaped it yet. */
static bool is_there(int pid)
{
	char state[64] = "Z", path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%*d %*s %60s", state) != 1)
		state[0] = 'Z';
	if (f)
		fclose(f);
	return state[0] != 'Z';
}

/* Not that it lasts longer, not even with the pipe still open. */
START_TEST(what_it_leaves_behind_goes_with_it)
{
	run("sleep 1000 & echo $!", 1000, 60000000);
	ck_assert_int_eq(failure.code, 0);
	for (uint64_t end = fn_clock_mono_us() + 30000000; is_there(atoi(printed)); usleep(1000))
		ck_assert_uint_lt(fn_clock_mono_us(), end);
}
END_TEST

START_TEST(what_cannot_be_run)
{
	char *argv[] = {(char *)"/nonexistent/program", NULL};
	struct fn_command *c = NULL;
	struct fn_err err;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_command_start(loop, argv, 10, 1000000, done, NULL, &c, &err), -ENOENT);
	ck_assert_ptr_null(c);
	fn_loop_free(loop);
}
END_TEST

START_TEST(freed_while_it_runs)
{
	char *argv[] = {(char *)"/bin/sleep", (char *)"1000", NULL};
	struct fn_command *c = NULL;
	struct fn_err err;

	ck_assert_int_eq(fn_loop_new(&loop), 0);
	calls = 0;
	ck_assert_int_eq(fn_command_start(loop, argv, 10, 1000000000, done, NULL, &c, &err), 0);
	fn_command_free(c);
	ck_assert_int_eq(fn_loop_run_once(loop, 0), 0);
	ck_assert_uint_eq(calls, 0);
	fn_loop_free(loop);
}
END_TEST

/* A worker that is killed tells nobody; what it had begun does not go on without it. */
START_TEST(it_ends_with_who_started_it)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo $$ >pid; mv pid it; exec sleep 1000", NULL};
	struct fn_command *c = NULL;
	uint64_t end = fn_clock_mono_us() + 30000000;
	struct fn_err err;
	int pid = 0;
	pid_t who;

	who = fork();
	if (who == 0) {
		if (fn_loop_new(&loop) < 0 || fn_command_start(loop, argv, 10, 1000000000, done, NULL, &c, &err) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	while (pid == 0) {
		FILE *f = fopen("it", "r");

		if (f && fscanf(f, "%d", &pid) != 1)
			pid = 0;
		if (f)
			fclose(f);
		ck_assert_uint_lt(fn_clock_mono_us(), end);
		usleep(1000);
	}
	ck_assert(is_there(pid));
	ck_assert_int_eq(kill(who, SIGKILL), 0);
	ck_assert_int_eq(waitpid(who, NULL, 0), who);
	while (is_there(pid)) {
		ck_assert_uint_lt(fn_clock_mono_us(), end);
		usleep(1000);
	}
}
END_TEST

TEST_MAIN("os/command", what_it_prints, how_it_fails, what_it_leaves_behind_goes_with_it, what_cannot_be_run, freed_while_it_runs, it_ends_with_who_started_it)

/* What environments print, and how much of it a loop takes at a time. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "env/internal.h"
#include "logs/search.h"
#include "unit/main.h"

static char dir[] = "fnd-output-XXXXXX";
static struct fn_buf printed; /* the log, as look() found it */

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

struct env {
	struct fn_function f;
	struct fn_env_host host;
	struct fn_env_version v;
	struct fn_env w;
	int in;
};

static void set_up(struct env *e)
{
	const struct fn_log_bounds bounds = {64 << 20, 1 << 30, 2};
	struct fn_err err;
	int fds[2];

	*e = (struct env){.f = {.name = (char *)"f", .log_group = (char *)"g", .version = (char *)"$LATEST"}};
	e->v = (struct fn_env_version){.host = &e->host, .function = &e->f};
	e->w = (struct fn_env){.host = &e->host, .version = &e->v};
	fn_list_init(&e->host.paused);
	ck_assert_int_eq(fn_loop_new(&e->host.cfg.loop), 0);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_logs_new(e->host.cfg.loop, dir, &bounds, &e->host.cfg.logs, &err), 0);
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	(void)fcntl(fds[0], F_SETPIPE_SZ, 1 << 20); /* as a function can */
	ck_assert_int_eq(fn_output_open(&e->w.output, &e->w, fds[0]), 0);
	e->w.extensions_output.fd = -1;
	e->in = fds[1];
	ck_assert_int_eq(fn_loop_run_once(e->host.cfg.loop, 0), 0); /* it has a time */
}

static void tear_down(struct env *e)
{
	fn_loop_clear(e->host.cfg.loop, &e->host.resume);
	fn_output_close(&e->w.output);
	close(e->in);
	fn_log_stream_close(e->w.log);
	fn_logs_free(e->host.cfg.logs);
	fn_buf_free(&e->w.output.line);
	fn_loop_free(e->host.cfg.loop);
}

/* An event with as much before it as its record has. */
static bool add(void *arg, const struct fn_log_read *r)
{
	(void)arg;
	ck_assert_int_eq(fn_buf_addf(&printed, "%36s", " "), 0);
	ck_assert_int_eq(fn_buf_add(&printed, r->text, r->len), 0);
	return true;
}

static void read_all(struct fn_log_job *j, struct fn_log_store *s)
{
	struct fn_log_group *g = fn_log_store_group(s, "g");
	uint64_t next;

	(void)j;
	ck_assert_ptr_nonnull(g);
	ck_assert_int_eq(fn_log_follow(s, g, NULL, 0, add, NULL, &next), 0);
}

static void is_done(struct fn_log_job *j) { (void)j; }

static void look(struct env *e)
{
	struct fn_log_job j = {.run = read_all, .done = is_done};

	fn_buf_reset(&printed);
	fn_logs_post(e->host.cfg.logs, &j);
	fn_logs_drain(e->host.cfg.logs);
}

static size_t count(const char *what)
{
	size_t n = 0;

	for (const char *p = printed.data; p && (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* Lines without anything in them are the most work for each byte. */
START_TEST(test_turns)
{
	struct env e;
	struct fn_output other;
	size_t full;

	set_up(&e);
	other = e.w.output;
	full = fill(e.in);
	fn_env_on_output(&e.w.output, e.w.output.fd, EPOLLIN);
	ck_assert_uint_eq(full - in_pipe(e.w.output.fd), 8192); /* others have their turn */
	fn_env_on_output(&other, e.w.output.fd, EPOLLIN);
	ck_assert_uint_eq(full - in_pipe(e.w.output.fd), 16384);
	fn_env_on_output(&e.w.output, e.w.output.fd, EPOLLIN);
	ck_assert_uint_eq(full - in_pipe(e.w.output.fd), 16384); /* so much in a round from all of them */
	ck_assert_int_eq(fn_loop_run_once(e.host.cfg.loop, 0), 0);
	ck_assert_uint_eq(full - in_pipe(e.w.output.fd), 16384 + 8192);
	fn_env_read_output(&e.w);
	ck_assert_uint_eq(in_pipe(e.w.output.fd), 0); /* at the end of an invocation nothing is left */
	fn_buf_free(&other.line);
	tear_down(&e);
}
END_TEST

/* What grows faster than it may is thrown away, in whole lines, and the log says how much. */
START_TEST(test_floods)
{
	unsigned long long bytes = 0, records = 0;
	struct env e;
	size_t full;
	const char *said;

	set_up(&e);
	ck_assert_int_eq(write(e.in, "first\nsec", 9), 9);
	fn_env_read_output(&e.w);
	full = fill(e.in); /* 1 MiB of newlines, 26 MiB of log */
	fn_env_read_output(&e.w);
	ck_assert_uint_eq(in_pipe(e.w.output.fd), 0);
	ck_assert(e.v.dropping);
	ck_assert_int_eq(write(e.in, "lost\nlost in the mid", 20), 20);
	fn_env_read_output(&e.w);
	fn_env_flush_output(&e.w); /* an invocation ends */
	look(&e);
	said = strstr(printed.data, "LOGS_DROPPED ");
	ck_assert_ptr_nonnull(said);
	ck_assert_int_eq(sscanf(said, "LOGS_DROPPED Dropped Bytes: %llu\tDropped Records: %llu\tReason: ", &bytes, &records), 2);
	ck_assert_uint_gt(printed.len, 4u << 20);
	ck_assert_uint_lt(printed.len, (4u << 20) + (2u << 20));
	ck_assert_uint_eq(count("\n") - 1 + records, 1 + full + 2); /* every line, but the one that says so, is here or there */
	ck_assert_uint_eq(count(" sec\n"), 1);
	/* while it goes on its pipe is read from time to time only */
	full = fill(e.in);
	fn_env_on_output(&e.w.output, e.w.output.fd, EPOLLIN);
	ck_assert_uint_eq(in_pipe(e.w.output.fd), full - 8192);
	ck_assert_uint_eq(e.w.output.io, 0);
	ck_assert_int_eq(fn_loop_run_once(e.host.cfg.loop, 1000000), 0);
	ck_assert_uint_ne(e.w.output.io, 0);
	e.v.output.at_us = fn_loop_now_us(e.host.cfg.loop); /* however long that has taken on a busy machine */
	fn_env_read_output(&e.w);
	fn_env_flush_output(&e.w);
	look(&e);
	said = strstr(said + 1, "LOGS_DROPPED ");
	ck_assert_ptr_nonnull(said);
	ck_assert_int_eq(sscanf(said, "LOGS_DROPPED Dropped Bytes: %llu\tDropped Records: %llu\tReason: ", &bytes, &records), 2);
	ck_assert_uint_eq(bytes, full);
	ck_assert_uint_eq(records, full - 1); /* the first ends the line that has been counted */
	/* and when it has room again, it begins with a whole line */
	ck_assert_int_eq(write(e.in, "half of a li", 12), 12);
	fn_env_read_output(&e.w);
	e.v.output.at_us -= 1000000;
	ck_assert_int_eq(write(e.in, "ne\nwhole\n", 9), 9);
	fn_env_read_output(&e.w);
	fn_env_flush_output(&e.w);
	look(&e);
	ck_assert_uint_eq(count("LOGS_DROPPED"), 3);
	ck_assert_uint_eq(count("half"), 0);
	ck_assert_uint_eq(count(" ne\n"), 0);
	ck_assert_uint_eq(count(" whole\n"), 1);
	ck_assert(!e.v.dropping);
	tear_down(&e);
}
END_TEST

/* In the JSON format lines below the level go, and the others stay whole and in order; the text format knows no levels. */
#define TIME "\"timestamp\":\"2024-11-02T16:51:31Z\""
START_TEST(test_levels)
{
	static const char lines[] = "{\"level\":\"debug\"," TIME ",\"n\":1}\nplain\n{\"level\":\"WARNING\"," TIME ",\"n\":2}\n{\"n\":3}\n{\"level\":\"error\"," TIME ",\"n\":4}\n{\"level\":\"error\",\"n\":5}\nlast";
	struct env e;

	set_up(&e);
	e.v.json = true;
	e.v.app_level = FN_LEVEL_WARN;
	ck_assert_int_eq(write(e.in, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	fn_env_read_output(&e.w);
	fn_env_flush_output(&e.w);
	look(&e);
	ck_assert_uint_eq(count("\n"), 2);
	ck_assert(strstr(printed.data, "\"n\":2") < strstr(printed.data, "\"n\":4"));
	e.v.json = false;
	ck_assert_int_eq(write(e.in, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	fn_env_read_output(&e.w);
	fn_env_flush_output(&e.w);
	look(&e);
	ck_assert_uint_eq(count("\n"), 9);
	tear_down(&e);
}
END_TEST

TEST_MAIN("env/output", test_turns, test_floods, test_levels)

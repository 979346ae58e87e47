/*
 * output.c - what environments print: read from their pipes, kept as lines. A function that floods its log must not take the loop from the
 * others: of one environment and of all together a bounded number of bytes is read in a round, and a function whose log grows faster than it may
 * (RATE, as it is kept: with a timestamp a line) has what it prints then thrown away, counted, and said. Meanwhile it is read in
 * helpings, so that it waits for its pipe instead of a CPU.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "env/internal.h"

#define LINE_MAX_BYTES (256u << 10) /* of a line that has not ended: longer ones are cut here, so that memory stays bounded */
#define ALL_MAX (1u << 20)          /* a pipe holds no more */
#define TURN_MAX (8u << 10)         /* at one go, of one that prints on and on: others want the loop too, and each byte may be a line */
#define ROUND_MAX (16u << 10)       /* in a round of the loop, of all of them */
#define RATE (2u << 20)              /* what a function may add to its log, in bytes a second */
#define BURST (4u << 20)             /* and at once */
#define AGAIN (RATE / 4)            /* what there must be before more is kept: else it would change every few ms */
#define PAUSE_US 5000u
#define RECORD_EXTRA 36u               /* bytes that a line has with it in its log */
/* Our runtimes put it before what is an event of its own: no text has it, neither byte is of UTF-8. What else has one of them alone keeps it. */
#define RECORD "\xf8\xff"
#define RECORD_LEN 2u

/* --- what is thrown away --- */
/* May more of the function's output be kept? */
bool fn_env_may_print(struct fn_env_version *v)
{
	if (fn_bucket_fill(&v->output, fn_loop_now_us(v->host->cfg.loop), RATE, BURST) >= AGAIN)
		v->dropping = false;
	return !v->dropping;
}

void fn_env_printed(struct fn_env_version *v, size_t n)
{
	if (!fn_bucket_take(&v->output, n))
		v->dropping = true;
}

static size_t count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	size_t n = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text)))) {
		n++;
		text++;
	}
	return n;
}

/* A line counts where it begins to be thrown away: it may be told of before its end has come. */
static void drop(struct fn_output *o, const char *text, size_t len)
{
	bool open;

	if (len == 0)
		return;
	open = text[len - 1] != '\n';
	o->dropped.bytes += len + o->line.len;
	o->dropped.records += count_lines(text, len) + open - o->dropped.mid_line;
	fn_buf_reset(&o->line);
	o->dropped.mid_line = open;
}

static void say_dropped(struct fn_output *o)
{
	if (o->dropped.bytes == 0)
		return;
	fn_report_dropped(o->env, o->dropped.bytes, o->dropped.records);
	o->dropped.bytes = o->dropped.records = 0;
}

/* --- what is kept --- */
/* Whole lines of the function's own. Where the log format is JSON, those below ApplicationLogLevel are not kept. */
static void keep(struct fn_output *o, const char *text, size_t len)
{
	struct fn_env *e = o->env;
	enum fn_log_kind kind = o == &e->output ? FN_LOG_FUNCTION : FN_LOG_EXTENSION;
	const char *end = text + len;

	fn_env_printed(e->version, len + RECORD_EXTRA * count_lines(text, len));
	if (e->telemetry)
		fn_telemetry_lines(e->telemetry, fn_clock_real_us(), o == &e->output ? FN_TELEMETRY_FUNCTION : FN_TELEMETRY_EXTENSION, text, len);
	for (const char *line = text, *next; line < end; line = next) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));

		next = nl ? nl + 1 : end;
		if (!e->version->json || fn_level_of_line(line, (size_t)(next - line)) >= e->version->app_level)
			fn_env_emit(e, kind, line, (size_t)(next - line));
	}
}

static void keep_line(struct fn_output *o)
{
	if (o->line.len == 0)
		return;
	(void)fn_buf_add(&o->line, "\n", 1);
	keep(o, o->line.data, o->line.len);
	fn_buf_reset(&o->line);
}

static void take(struct fn_output *o, const char *text, size_t len)
{
	const char *nl;

	if (!fn_env_may_print(o->env->version)) {
		drop(o, text, len);
		return;
	}
	if (o->dropped.mid_line) { /* the rest of a line whose beginning is gone */
		nl = memchr(text, '\n', len);
		drop(o, text, nl ? (size_t)(nl - text) + 1 : len);
		if (!nl)
			return;
		len -= (size_t)(nl - text) + 1;
		text = nl + 1;
	}
	say_dropped(o);
	nl = memrchr(text, '\n', len);
	if (nl) {
		size_t whole = (size_t)(nl - text) + 1;

		if (o->line.len > 0) {
			(void)fn_buf_add(&o->line, text, whole);
			keep(o, o->line.data, o->line.len);
			fn_buf_reset(&o->line);
		} else {
			keep(o, text, whole);
		}
		(void)fn_buf_add(&o->line, nl + 1, len - whole);
	} else {
		(void)fn_buf_add(&o->line, text, len);
	}
	if (o->line.len > LINE_MAX_BYTES)
		keep_line(o);
}

/* --- reading --- */
/* Not memmem(), which is made for longer ones: text has not even the first byte. */
static const char *find_record(const char *from, const char *end)
{
	while ((from = memchr(from, RECORD[0], (size_t)(end - from))) && (from + 1 == end || from[1] != RECORD[1]))
		from++;
	return from;
}

/* A record begins an event, whatever has been printed before it without a newline, also by children. What the length becomes. */
static size_t part_records(const struct fn_output *o, char *text, size_t len)
{
	bool mid_line = o->line.len > 0 || o->dropped.mid_line;
	const char *from = text, *end = text + len, *at;
	char *to = text;

	while ((at = find_record(from, end))) {
		size_t before = (size_t)(at - from);

		memmove(to, from, before);
		to += before;
		if (before > 0 ? to[-1] != '\n' : mid_line)
			*to++ = '\n';
		mid_line = false;
		from = at + RECORD_LEN;
	}
	memmove(to, from, (size_t)(end - from));
	return (size_t)(to - text) + (size_t)(end - from);
}

static size_t read_output(struct fn_output *o, size_t most)
{
	static char buf[65536 + 1];
	size_t total = 0;

	while (o->fd >= 0 && total < most) {
		size_t room = most - total < sizeof(buf) - 1 ? most - total : sizeof(buf) - 1;
		ssize_t n = read(o->fd, buf, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if ((size_t)n == room && buf[n - 1] == RECORD[0]) /* its other half is not left to the next read */
			n += read(o->fd, buf + n, 1) == 1;
		total += (size_t)n;
		take(o, buf, part_records(o, buf, (size_t)n));
	}
	return total;
}

void fn_env_read_output(struct fn_env *e)
{
	read_output(&e->output, ALL_MAX);
	read_output(&e->extensions_output, ALL_MAX);
}

void fn_env_flush_output(struct fn_env *e)
{
	struct fn_output *const all[] = {&e->output, &e->extensions_output};

	fn_env_read_output(e);
	for (size_t i = 0; i < 2; i++) {
		keep_line(all[i]);
		say_dropped(all[i]);
	}
}

static void on_resume(void *arg)
{
	struct fn_env_host *h = arg;

	while (!fn_list_empty(&h->paused)) {
		struct fn_output *o = fn_list_entry(fn_list_first(&h->paused), struct fn_output, paused);

		fn_list_remove(&o->paused);
		(void)fn_loop_add_io(h->cfg.loop, o->fd, EPOLLIN, fn_env_on_output, o, &o->io);
	}
}

static void pause_reading(struct fn_output *o)
{
	struct fn_env_host *h = o->env->host;
	bool first = fn_list_empty(&h->paused);
	uint64_t at = fn_env_now_us(o->env) + PAUSE_US;

	if (!h->resume && fn_loop_add_timer(h->cfg.loop, at, on_resume, h, &h->resume) < 0)
		return;
	if (first)
		(void)fn_loop_rearm_timer(h->cfg.loop, h->resume, at);
	fn_loop_clear(h->cfg.loop, &o->io); /* without events it would still be told of a hang-up, over and over */
	fn_list_push_back(&h->paused, &o->paused);
}

void fn_env_on_output(void *arg, int fd, uint32_t events)
{
	struct fn_output *o = arg;
	struct fn_env_host *h = o->env->host;
	uint64_t now = fn_env_now_us(o->env);
	size_t most;

	(void)fd;
	if (h->round_us != now) {
		h->round_us = now;
		h->round_left = ROUND_MAX;
	}
	most = h->round_left < TURN_MAX ? h->round_left : TURN_MAX;
	if (most > 0) /* else it is its turn in the next round */
		h->round_left -= read_output(o, most);
	if ((events & EPOLLHUP) && !(events & EPOLLIN))
		fn_loop_clear(h->cfg.loop, &o->io);
	else if (o->env->version->dropping && o->io)
		pause_reading(o);
}

int fn_output_open(struct fn_output *o, struct fn_env *e, int fd)
{
	o->env = e;
	o->fd = fd;
	o->dropped.mid_line = false;
	return fn_loop_add_io(e->host->cfg.loop, fd, EPOLLIN, fn_env_on_output, o, &o->io);
}

void fn_output_close(struct fn_output *o)
{
	if (!o->env)
		return;
	fn_loop_clear(o->env->host->cfg.loop, &o->io);
	fn_list_remove(&o->paused);
	fn_close(fn_take_fd(&o->fd));
}

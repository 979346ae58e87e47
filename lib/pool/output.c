/*
 * output.c - what environments print: read from their pipes, kept as lines. A function that floods its log must not take the loop from the
 * others: of one environment and of all together a bounded number of bytes is read in a round, and a function whose log grows faster than it may
 * (RATE, as it is kept: with a timestamp a line) has what it prints then thrown away, counted, and said. Meanwhile it is read in
 * helpings, so that it waits for its pipe instead of a CPU.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "pool/worker.h"

#define LINE_MAX_BYTES (256u << 10) /* of a line that has not ended: longer ones are cut here, so that memory stays bounded */
#define ALL_MAX (1u << 20)          /* a pipe holds no more */
#define TURN_MAX (32u << 10)        /* at one go, of one that prints on and on: others want the loop too, and each byte may be a line */
#define ROUND_MAX (64u << 10)       /* in a round of the loop, of all of them */
#define RATE (2u << 20)              /* what a function may add to its log, in bytes a second */
#define BURST (4u << 20)             /* and at once */
#define AGAIN (RATE / 4)            /* what there must be before more is kept: else it would change every few ms */
#define PAUSE_US 5000u

/* --- what is thrown away --- */
/* May more of the function's output be kept? */
bool fn_group_may_print(struct fn_group *g)
{
	if (fn_bucket_fill(&g->output, fn_pool_now_us(g->pool), RATE, BURST) >= AGAIN)
		g->dropping = false;
	return !g->dropping;
}

void fn_group_printed(struct fn_group *g, size_t n)
{
	if (!fn_bucket_take(&g->output, n))
		g->dropping = true;
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
static void drop(struct fn_worker *w, const char *text, size_t len)
{
	bool open;

	if (len == 0)
		return;
	open = text[len - 1] != '\n';
	w->dropped.bytes += len + w->line.len;
	w->dropped.records += count_lines(text, len) + open - w->dropped.mid_line;
	fn_buf_reset(&w->line);
	w->dropped.mid_line = open;
}

static void say_dropped(struct fn_worker *w)
{
	if (w->dropped.bytes == 0)
		return;
	fn_report_dropped(w, w->dropped.bytes, w->dropped.records);
	w->dropped.bytes = w->dropped.records = 0;
}

/* --- what is kept --- */
/* Whole lines of the function's own. Where the log format is JSON, those below ApplicationLogLevel are not kept. */
static void keep(struct fn_worker *w, const char *text, size_t len)
{
	const char *end = text + len, *from = text;

	fn_group_printed(w->group, len + FN_LOGS_LINE_EXTRA * count_lines(text, len));
	if (!w->group->json) {
		fn_worker_emit(w, text, len);
		return;
	}
	for (const char *line = text, *next; line < end; line = next) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));

		next = nl ? nl + 1 : end;
		if (fn_level_of_line(line, (size_t)(next - line)) >= w->group->app_level)
			continue;
		if (line > from)
			fn_worker_emit(w, from, (size_t)(line - from));
		from = next;
	}
	if (end > from)
		fn_worker_emit(w, from, (size_t)(end - from));
}

static void keep_line(struct fn_worker *w)
{
	if (w->line.len == 0)
		return;
	(void)fn_buf_add(&w->line, "\n", 1);
	keep(w, w->line.data, w->line.len);
	fn_buf_reset(&w->line);
}

static void take(struct fn_worker *w, const char *text, size_t len)
{
	const char *nl;

	if (!fn_group_may_print(w->group)) {
		drop(w, text, len);
		return;
	}
	if (w->dropped.mid_line) { /* the rest of a line whose beginning is gone */
		nl = memchr(text, '\n', len);
		drop(w, text, nl ? (size_t)(nl - text) + 1 : len);
		if (!nl)
			return;
		len -= (size_t)(nl - text) + 1;
		text = nl + 1;
	}
	say_dropped(w);
	nl = memrchr(text, '\n', len);
	if (nl) {
		size_t whole = (size_t)(nl - text) + 1;

		if (w->line.len > 0) {
			(void)fn_buf_add(&w->line, text, whole);
			keep(w, w->line.data, w->line.len);
			fn_buf_reset(&w->line);
		} else {
			keep(w, text, whole);
		}
		(void)fn_buf_add(&w->line, nl + 1, len - whole);
	} else {
		(void)fn_buf_add(&w->line, text, len);
	}
	if (w->line.len > LINE_MAX_BYTES)
		keep_line(w);
}

void fn_worker_flush_output(struct fn_worker *w)
{
	keep_line(w);
	say_dropped(w);
}

/* --- reading --- */
static size_t read_output(struct fn_worker *w, size_t most)
{
	static char buf[65536];
	size_t total = 0;

	while (w->output_fd >= 0 && total < most) {
		ssize_t n = read(w->output_fd, buf, most - total < sizeof(buf) ? most - total : sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		total += (size_t)n;
		take(w, buf, (size_t)n);
	}
	return total;
}

void fn_worker_read_output(struct fn_worker *w) { read_output(w, ALL_MAX); }

static void on_resume(void *arg)
{
	struct fn_pool *p = arg;

	while (!fn_list_empty(&p->paused)) {
		struct fn_worker *w = fn_list_entry(fn_list_first(&p->paused), struct fn_worker, paused);

		fn_list_remove(&w->paused);
		(void)fn_loop_add_io(p->cfg.loop, w->output_fd, EPOLLIN, fn_worker_on_output, w, &w->output_io);
	}
}

static void pause_reading(struct fn_worker *w)
{
	struct fn_pool *p = w->group->pool;
	bool first = fn_list_empty(&p->paused);
	uint64_t at = fn_pool_now_us(p) + PAUSE_US;

	if (!p->resume && fn_loop_add_timer(p->cfg.loop, at, on_resume, p, &p->resume) < 0)
		return;
	if (first)
		(void)fn_loop_rearm_timer(p->cfg.loop, p->resume, at);
	fn_loop_clear(p->cfg.loop, &w->output_io); /* without events it would still be told of a hang-up, over and over */
	fn_list_push_back(&p->paused, &w->paused);
}

void fn_worker_on_output(void *arg, int fd, uint32_t events)
{
	struct fn_worker *w = arg;
	struct fn_pool *p = w->group->pool;
	uint64_t now = fn_pool_now_us(p);
	size_t most;

	(void)fd;
	if (p->round_us != now) {
		p->round_us = now;
		p->round_left = ROUND_MAX;
	}
	most = p->round_left < TURN_MAX ? p->round_left : TURN_MAX;
	if (most > 0) /* else it is its turn in the next round */
		p->round_left -= read_output(w, most);
	if ((events & EPOLLHUP) && !(events & EPOLLIN))
		fn_loop_clear(p->cfg.loop, &w->output_io);
	else if (w->group->dropping && w->output_io)
		pause_reading(w);
}

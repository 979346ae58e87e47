/* output.c - what an environment prints. */
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
#define LENT_MAX (1u << 20)         /* of one that is lent: what a loop reads without writing it itself must not pile up before the one that does */

void fn_worker_emit(struct fn_worker *w, const char *text, size_t len)
{
	fn_logs_append(w->group->pool->cfg.logs, w->group->function->name, text, len);
	if (w->inv)
		fn_invocation_tail(w->inv, text, len);
}

/* Whole lines of the function's own. Where the log format is JSON, those below ApplicationLogLevel are not kept. */
static void emit(struct fn_worker *w, const char *text, size_t len)
{
	const char *end = text + len, *kept = text;

	if (!w->group->json) {
		fn_worker_emit(w, text, len);
		return;
	}
	for (const char *line = text, *next; line < end; line = next) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));

		next = nl ? nl + 1 : end;
		if (fn_level_of_line(line, (size_t)(next - line)) >= w->group->app_level)
			continue;
		if (line > kept)
			fn_worker_emit(w, kept, (size_t)(line - kept));
		kept = next;
	}
	if (end > kept)
		fn_worker_emit(w, kept, (size_t)(end - kept));
}

void fn_worker_flush_output(struct fn_worker *w)
{
	if (w->line.len == 0)
		return;
	(void)fn_buf_add(&w->line, "\n", 1);
	emit(w, w->line.data, w->line.len);
	fn_buf_reset(&w->line);
}

static void read_output(struct fn_worker *w, size_t most)
{
	static _Thread_local char buf[65536];
	size_t total = 0;

	while (w->output_fd >= 0 && total < most) {
		ssize_t n = read(w->output_fd, buf, most - total < sizeof(buf) ? most - total : sizeof(buf));
		char *nl;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		total += (size_t)n;
		if (fn_pool_borrows(w->group->pool) && (w->printed += (size_t)n) > LENT_MAX)
			fn_loop_defer(w->group->pool->cfg.loop, &w->leave);
		nl = memrchr(buf, '\n', (size_t)n);
		if (nl) {
			size_t whole = (size_t)(nl - buf) + 1;

			if (w->line.len > 0) {
				(void)fn_buf_add(&w->line, buf, whole);
				emit(w, w->line.data, w->line.len);
				fn_buf_reset(&w->line);
			} else {
				emit(w, buf, whole);
			}
			(void)fn_buf_add(&w->line, nl + 1, (size_t)n - whole);
		} else {
			(void)fn_buf_add(&w->line, buf, (size_t)n);
		}
		if (w->line.len > LINE_MAX_BYTES)
			fn_worker_flush_output(w);
	}
}

void fn_worker_read_output(struct fn_worker *w) { read_output(w, ALL_MAX); }

void fn_worker_on_output(void *arg, int fd, uint32_t events)
{
	struct fn_worker *w = arg;

	(void)fd;
	read_output(w, TURN_MAX);
	if ((events & EPOLLHUP) && !(events & EPOLLIN))
		fn_loop_clear(w->group->pool->cfg.loop, &w->output_io);
}

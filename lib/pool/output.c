/* output.c - what an environment prints, and the platform's lines about it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "pool/worker.h"

#define LINE_MAX_BYTES (256u << 10) /* of a line that has not ended: longer ones are cut here, so that memory stays bounded */
#define PEAK_FRESH_US 1000u
#define ALL_MAX (1u << 20)          /* a pipe holds no more */
#define TURN_MAX (32u << 10)        /* at one go, of one that prints on and on: others want the loop too, and each byte may be a line */
#define LENT_MAX (1u << 20)         /* of one that is lent: what a loop reads without writing it itself must not pile up before the one that does */

static void emit(struct fn_worker *w, const char *text, size_t len)
{
	fn_logs_append(w->group->pool->cfg.logs, w->group->function->name, text, len);
	if (w->inv)
		fn_invocation_tail(w->inv, text, len);
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

void fn_worker_log(struct fn_worker *w, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if ((size_t)n >= sizeof(line))
		n = (int)sizeof(line) - 1;
	emit(w, line, (size_t)n);
}

/* Costs more than a microsecond. What was read less than a millisecond ago is still right to a few MB: more cannot be touched so quickly. An
 * invocation that took longer is reported with a figure from after it. */
static uint64_t peak_of(struct fn_worker *w)
{
	uint64_t now = fn_loop_now_us(w->group->pool->cfg.loop);
	char text[32];
	ssize_t n;

	if (w->peak_fd < 0 || now < w->peak_read_us + PEAK_FRESH_US)
		return w->memory_peak;
	n = pread(w->peak_fd, text, sizeof(text) - 1, 0);
	if (n > 0) {
		text[n] = '\0';
		__atomic_store_n(&w->memory_peak, strtoull(text, NULL, 10), __ATOMIC_RELAXED); /* the lender may look: lend.c */
		w->peak_read_us = now;
	}
	return w->memory_peak;
}

void fn_worker_report(struct fn_worker *w, const struct fn_invocation *inv, uint64_t end_us, const char *status)
{
	const struct fn_function *f = w->group->function;
	uint64_t us = end_us - w->delivered_us, billed = (us + 999) / 1000, hundredths = (us + 5) / 10, peak = peak_of(w) + (1u << 20) - 1;
	char cold[512] = "", ahead[160] = "", init[96];

	if (w->first && w->ready_us && w->reason != FN_PROVISIONED) {
		const struct fn_sandbox_timing *t = &w->timing;

		snprintf(ahead, sizeof(ahead), "%s%s%s",
			 t->prepared == FN_PREPARED_RUNTIME ? ", runtime started ahead" : t->prepared ? ", prepared sandbox" : "", w->plain[0] ? ", " : "", w->plain);
		if (w->restored)
			snprintf(init, sizeof(init), "Restore Duration: %.2f ms\tBilled Restore Duration: %llu ms", (double)(w->ready_us - w->asked_us) / 1000.0,
				 (unsigned long long)(w->ready_us - w->spawned_us + 999) / 1000);
		else
			snprintf(init, sizeof(init), "Init Duration: %.2f ms", (double)(w->ready_us - w->spawned_us) / 1000.0);
		snprintf(cold, sizeof(cold),
			 "%s\tCold Start: queue %.2f ms, cgroup %.2f ms, mounts %.2f ms, clone %.2f ms, net %.2f ms, "
			 "exec %.2f ms, %s %.2f ms%s%s\t",
			 init, t->queue_us / 1000.0, t->cgroup_us / 1000.0, t->mounts_us / 1000.0,
			 t->clone_us / 1000.0, t->net_us / 1000.0, t->exec_us / 1000.0, w->restored ? "restore" : "init", (double)(w->ready_us - w->spawned_us) / 1000.0,
			 ahead, w->reason == FN_FOR_LATER ? ", ahead of the invocation" : "");
	}
	w->first = false;
	fn_worker_log(w, "END RequestId: %s\nREPORT RequestId: %s\tDuration: %llu.%02u ms\tBilled Duration: %llu ms\tMemory Size: %d MB\tMax Memory Used: %llu MB\t%s%s\n",
		      inv->id, inv->id, (unsigned long long)(hundredths / 100), (unsigned)(hundredths % 100), (unsigned long long)(billed ? billed : 1),
		      f->memory_mb, (unsigned long long)(peak >> 20), cold, status);
}

/*
 * memory.c - the most memory that an environment has had, as REPORT says it and as it is weighed by.
 *
 * As long as nothing has been in /tmp that is the kernel's own peak of its group. What is written to /tmp, though, lies in the group's page cache until
 * the disk has it and somebody wants the memory: it drives that peak to the limit, and means nothing. The kernel keeps no other peak. So from then on
 * the figure is the larger of the last peak before and what the group holds besides page cache at the ends of invocations.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/cgroup_stat.h"
#include "pool/worker.h"

#define FRESH_US 1000u
#define HELD_FRESH_US 10000u /* the kernel adds up all CPUs' counts for it */
#define STAT_SIZE 8192

static int read_tmp(const struct fn_worker *w, struct timespec *ret)
{
	struct stat st;

	if (fstatat(w->tmp_fd, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	*ret = st.st_mtim;
	return 0;
}

void fn_memory_begin(struct fn_worker *w, int tmp_fd)
{
	w->tmp_fd = tmp_fd;
	w->cached = tmp_fd >= 0 && (w->tmp_kept || read_tmp(w, &w->tmp_changed) < 0); /* kept: another sandbox may have left something */
}

bool fn_memory_is_cached(struct fn_worker *w)
{
	struct timespec now;

	if (!w->cached && w->tmp_fd >= 0)
		w->cached = read_tmp(w, &now) < 0 || now.tv_sec != w->tmp_changed.tv_sec || now.tv_nsec != w->tmp_changed.tv_nsec;
	return w->cached;
}

static void set(struct fn_worker *w, uint64_t bytes)
{
	if (bytes > w->memory_peak)
		w->memory_peak = bytes;
}

static void look_at_held(struct fn_worker *w)
{
	char text[STAT_SIZE];
	ssize_t n = w->stat_fd < 0 ? -1 : pread(w->stat_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return;
	text[n] = '\0';
	set(w, fn_cg_stat_held(text));
}

/* Costs more than a microsecond. What was read less than a millisecond ago is still right to a few MB: more cannot be touched so quickly. An
 * invocation that took longer is reported with a figure from after it. */
uint64_t fn_memory_used(struct fn_worker *w)
{
	uint64_t now = fn_loop_now_us(w->group->pool->cfg.loop), peak;
	char number[32];
	ssize_t n;

	if (w->peak_fd < 0 || now < w->peak_read_us + (w->cached ? HELD_FRESH_US : FRESH_US))
		return w->memory_peak;
	w->peak_read_us = now;
	if (!w->cached) {
		n = pread(w->peak_fd, number, sizeof(number) - 1, 0);
		if (n <= 0)
			return w->memory_peak;
		number[n] = '\0';
		peak = strtoull(number, NULL, 10);
		if (peak <= w->memory_peak || !fn_memory_is_cached(w)) {
			set(w, peak);
			return w->memory_peak;
		}
	}
	look_at_held(w);
	return w->memory_peak;
}

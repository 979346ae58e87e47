/*
 * memory.c - the most memory that an environment has had, as REPORT says it and as it is weighed by.
 *
 * As long as nothing has been in /tmp that is the kernel's own peak of its group. What is written to /tmp, though, lies in the group's page cache until
 * the disk has it and somebody wants the memory: it drives that peak to the limit, and means nothing. The kernel keeps no other peak. So from then on
 * the figure is the larger of the last peak before and what the group holds besides page cache at the ends of invocations. One whose processes have died
 * holds nothing then: of it the figure is the kernel's peak without the page cache that it leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/cgroup_stat.h"
#include "env/internal.h"

#define FRESH_US 1000u
#define HELD_FRESH_US 10000u /* the kernel adds up all CPUs' counts for it */
#define STAT_SIZE 8192

static int read_tmp(const struct fn_env *e, struct timespec *ret)
{
	struct stat st;

	if (fstatat(e->tmp_fd, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	*ret = st.st_mtim;
	return 0;
}

void fn_memory_begin(struct fn_env *e, int tmp_fd)
{
	e->tmp_fd = tmp_fd;
	e->cached = tmp_fd >= 0 && (e->tmp_kept || read_tmp(e, &e->tmp_changed) < 0); /* kept: another sandbox may have left something */
}

bool fn_memory_is_cached(struct fn_env *e)
{
	struct timespec now;

	if (!e->cached && e->tmp_fd >= 0)
		e->cached = read_tmp(e, &now) < 0 || now.tv_sec != e->tmp_changed.tv_sec || now.tv_nsec != e->tmp_changed.tv_nsec;
	return e->cached;
}

static void set(struct fn_env *e, uint64_t bytes)
{
	if (bytes > e->memory_peak)
		e->memory_peak = bytes;
}

static void look_at_held(struct fn_env *e)
{
	char text[STAT_SIZE];
	ssize_t n = e->stat_fd < 0 ? -1 : pread(e->stat_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return;
	text[n] = '\0';
	set(e, fn_cg_stat_held(text));
}

/* Costs more than a microsecond. What was read less than a millisecond ago is still right to a few MB: more cannot be touched so quickly. An
 * invocation that took longer is reported with a figure from after it. */
uint64_t fn_memory_used(struct fn_env *e)
{
	uint64_t now = fn_loop_now_us(e->host->cfg.loop), peak;
	char number[32];
	ssize_t n;

	if (e->peak_fd < 0 || now < e->peak_read_us + (e->cached ? HELD_FRESH_US : FRESH_US))
		return e->memory_peak;
	e->peak_read_us = now;
	if (!e->cached) {
		n = pread(e->peak_fd, number, sizeof(number) - 1, 0);
		if (n <= 0)
			return e->memory_peak;
		number[n] = '\0';
		peak = strtoull(number, NULL, 10);
		if (peak <= e->memory_peak || !fn_memory_is_cached(e)) {
			set(e, peak);
			return e->memory_peak;
		}
	}
	look_at_held(e);
	return e->memory_peak;
}

bool fn_memory_ended(struct fn_env *e, const struct fn_sandbox_exit *how)
{
	uint64_t before = e->memory_peak, files = how->oom || !fn_memory_is_cached(e) ? 0 : how->memory_files;

	set(e, how->memory_peak > files ? how->memory_peak - files : 0);
	return e->memory_peak > before;
}

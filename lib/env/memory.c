/*
 * memory.c - the most memory that an environment has had, as REPORT says it and as it is weighed by.
 *
 * As long as nothing has been in /tmp that is the kernel's own peak of its group. What is written to /tmp, though, lies in the group's page cache until
 * the disk has it and somebody wants the memory: it drives that peak to the limit, and means nothing. The kernel keeps no other peak. So from then on
 * the figure is the larger of the last peak before and what the group holds besides page cache at the ends of invocations. A process that has
 * died holds nothing then: the figure is at least the kernel's peak without the page cache that it leaves.
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
	struct timespec now = {0};

	if (!e->cached && e->tmp_fd >= 0)
		e->cached = read_tmp(e, &now) < 0 || now.tv_sec != e->tmp_changed.tv_sec || now.tv_nsec != e->tmp_changed.tv_nsec;
	return e->cached;
}

static void set(struct fn_env *e, uint64_t bytes)
{
	if (bytes > e->memory_peak)
		e->memory_peak = bytes;
}

/* A file of its group's. */
static bool read_file(int fd, char *text, size_t size)
{
	ssize_t n = fd < 0 ? -1 : pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void look_at_held(struct fn_env *e)
{
	char text[STAT_SIZE];

	if (read_file(e->stat_fd, text, sizeof(text)))
		set(e, fn_cg_stat_held(text));
}

/* What its processes have had, as far as the kernel's peak and the page cache that is there now tell. */
static void set_without(struct fn_env *e, uint64_t peak, uint64_t files) { set(e, peak > files ? peak - files : 0); }

/* Costs more than a microsecond. What was read less than a millisecond ago is still right to a few MB: more cannot be touched so quickly. An
 * invocation that took longer is reported with a figure from after it. */
uint64_t fn_memory_used(struct fn_env *e)
{
	uint64_t now = fn_loop_now_us(e->host->cfg.loop), peak;
	char number[32];

	if (e->peak_fd < 0 || now < e->peak_read_us + (e->cached ? HELD_FRESH_US : FRESH_US))
		return e->memory_peak;
	e->peak_read_us = now;
	if (!e->cached) {
		if (!read_file(e->peak_fd, number, sizeof(number)))
			return e->memory_peak;
		peak = strtoull(number, NULL, 10);
		if (peak <= e->memory_peak || !fn_memory_is_cached(e)) {
			set(e, peak);
			return e->memory_peak;
		}
	}
	look_at_held(e);
	return e->memory_peak;
}

void fn_memory_process_ended(struct fn_env *e)
{
	char number[32], text[STAT_SIZE];

	if (fn_memory_is_cached(e) && read_file(e->peak_fd, number, sizeof(number)) && read_file(e->stat_fd, text, sizeof(text)))
		set_without(e, strtoull(number, NULL, 10), fn_cg_stat_files(text));
}

bool fn_memory_ended(struct fn_env *e, const struct fn_sandbox_exit *how)
{
	uint64_t before = e->memory_peak;

	set_without(e, how->memory_peak, how->oom || !fn_memory_is_cached(e) ? 0 : how->memory_files);
	return e->memory_peak > before;
}

/*
 * files.c - bounds how many files a sandbox has open in all. RLIMIT_NOFILE (1,024) holds for a process, pids.max for the processes; their product is a
 * large part of the host's table (fs.file-max), mappings hold files that no descriptor counts, and no controller counts any of them: what a file
 * takes is charged to the sandbox's memory, 200 bytes.
 *
 * So the host's count is looked at ten times a second while any sandbox runs, a read of a microsecond, and ten times as often while it
 * grows. When it has grown by as much as half a budget, those sandboxes whose kernel memory is large enough to hold one are counted, and one that is
 * beyond it is ended.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "spawn/internal.h"

#define CALM_US 100000u
#define GROWING_US 10000u
#define GROWING 1000u
#define BUDGET 65536u
#define TABLE_PART 32u   /* and no more than that part of the table */
#define SCARCE_BUDGET 8192u /* when half of it is in use */
#define USUAL_MAPPINGS 256u
#define LEAST_BYTES 128u /* of kernel memory that an open file takes at least */

/* Linux >= 6.2 tells by the directory's size. */
static unsigned count_fds(const char *pid)
{
	char path[64];
	struct stat st;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if (stat(path, &st) < 0 || st.st_size > 0)
		return st.st_size > 0 ? (unsigned)st.st_size : 0;
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Mappings of files: each may hold one of its own, closed or not. Up to USUAL_MAPPINGS are a process' libraries, which it has in common with those it was
 * forked from. "from-to rwxp offset major:minor inode   path" */
static unsigned count_mapped(const char *pid, unsigned most)
{
	char path[64], line[512];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	f = fopen(path, "re");
	while (f && n < USUAL_MAPPINGS + most && fgets(line, sizeof(line), f)) {
		unsigned long inode;

		n += sscanf(line, "%*x-%*x %*s %*x %*x:%*x %lu", &inode) == 1 && inode != 0;
		while (!strchr(line, '\n') && fgets(line, sizeof(line), f))
			;
	}
	if (f)
		fclose(f);
	return n > USUAL_MAPPINGS ? n - USUAL_MAPPINGS : 0;
}

/* Up to `most`. A file that processes have by inheritance is counted for each. */
static unsigned count_files(const struct fn_box *b, unsigned most)
{
	fn_auto_fd int fd = fn_cgroup_open(b->cgroup);
	unsigned n = 0;
	char pid[32];
	FILE *f;
	int procs = fd < 0 ? -EBADF : openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	f = procs < 0 ? NULL : fdopen(procs, "r");
	if (!f) {
		fn_close(procs);
		return 0;
	}
	while (n < most && fgets(pid, sizeof(pid), f)) {
		pid[strcspn(pid, "\n")] = '\0';
		n += count_fds(pid);
		if (n < most)
			n += count_mapped(pid, most - n);
	}
	fclose(f);
	return n;
}

static void census(struct fn_spawn_server *s, unsigned budget)
{
	fn_list_for_each_safe(l, &s->boxes)
	{
		struct fn_box *b = fn_list_entry(l, struct fn_box, link);

		if (b->state != FN_BOX_RUNNING || fn_cgroup_kernel_memory(b->cgroup) < (uint64_t)budget * LEAST_BYTES || count_files(b, budget) < budget)
			continue;
		fn_log_warn("sandbox %" PRIu64 " has %u files open, or more; it is ended", b->id, budget);
		b->exit.files_open = budget;
		fn_box_end(b);
	}
}

/* fs.file-nr: in use, 0, at most */
static bool read_table(const struct fn_spawn_server *s, uint64_t *ret_used, uint64_t *ret_most)
{
	char text[80];
	ssize_t n = pread(s->files_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return sscanf(text, "%" SCNu64 " %*u %" SCNu64, ret_used, ret_most) == 2;
}

static void on_timer(void *arg)
{
	struct fn_spawn_server *s = arg;
	uint64_t used, most, budget;
	bool grows;

	if (s->n_running == 0 || !read_table(s, &used, &most))
		return;
	budget = most / TABLE_PART < BUDGET ? most / TABLE_PART : BUDGET;
	if (used > most / 2 && budget > SCARCE_BUDGET)
		budget = SCARCE_BUDGET;
	grows = used > s->files_last + GROWING;
	s->files_last = used;
	if (used < s->files_calm || s->files_calm == 0)
		s->files_calm = used;
	if (used >= s->files_calm + budget / 2) {
		census(s, (unsigned)budget);
		s->files_calm = used;
	}
	(void)fn_loop_rearm_timer(s->cfg.loop, s->files_timer, fn_loop_now_us(s->cfg.loop) + (grows ? GROWING_US : CALM_US));
}

int fn_files_open(struct fn_spawn_server *s)
{
	s->files_fd = open("/proc/sys/fs/file-nr", O_RDONLY | O_CLOEXEC);
	return s->files_fd < 0 ? -errno : fn_loop_add_timer(s->cfg.loop, UINT64_MAX, on_timer, s, &s->files_timer);
}

void fn_files_watch(struct fn_spawn_server *s) { (void)fn_loop_rearm_timer(s->cfg.loop, s->files_timer, fn_loop_now_us(s->cfg.loop) + CALM_US); }

void fn_files_close(struct fn_spawn_server *s)
{
	fn_loop_clear(s->cfg.loop, &s->files_timer);
	fn_close(fn_take_fd(&s->files_fd));
}

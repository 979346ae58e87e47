/*
 * files.c - bounds how many files a sandbox has open in all. RLIMIT_NOFILE (1,024) holds for a process, pids.max for the processes; their product is a
 * large part of the host's table (fs.file-max), mappings hold files that no descriptor counts, and no controller counts any of them: what a file
 * takes is charged to the sandbox's memory, 200 bytes.
 *
 * So the host's count is looked at ten times a second while any sandbox runs, a read of a microsecond, and ten times as often while it
 * grows. When it has grown by as much as half a budget, a child counts those sandboxes whose kernel memory is large enough to hold one, and one that is
 * beyond it is ended.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
static unsigned count_fds(const char *pid, unsigned most)
{
	char path[64];
	struct stat st;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if (stat(path, &st) < 0) /* it has ended */
		return 0;
	if (st.st_size > 0)
		return (unsigned)st.st_size;
	d = opendir(path);
	if (!d)
		return 0;
	while (n < most && readdir(d))
		n++;
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

/* In all processes of a sandbox, on top of n; up to `most`. A file that processes have by inheritance is counted for each. */
static unsigned count_files(const struct fn_box *b, unsigned (*count)(const char *pid, unsigned most), unsigned n, unsigned most)
{
	fn_auto_fd int fd = fn_cgroup_open(b->cgroup);
	int procs = fd < 0 ? -EBADF : openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = procs < 0 ? NULL : fdopen(procs, "r");
	char pid[32];

	if (!f) {
		fn_close(procs);
		return n;
	}
	while (n < most && fgets(pid, sizeof(pid), f)) {
		pid[strcspn(pid, "\n")] = '\0';
		n += count(pid, most - n);
	}
	fclose(f);
	return n;
}

/* --- the census: a child's, for a thousand processes of a thousand mappings each take a second to look at --- */
/* Who may have them at all. 0: such memory is not counted here (cgroup.memory=nokmem). */
static bool is_suspect(const struct fn_box *b, uint64_t budget)
{
	uint64_t kernel = b->state == FN_BOX_RUNNING ? fn_cgroup_kernel_memory(b->cgroup) : 1;

	return kernel == 0 || kernel >= budget * LEAST_BYTES;
}

/* By descriptors first, which is quick; the boxes are this process' own copies. */
static _Noreturn void take_census(struct fn_spawn_server *s, unsigned budget, int out)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(1);
	for (int pass = 0; pass < 2; pass++) {
		fn_list_for_each_safe(l, &s->boxes)
		{
			struct fn_box *b = fn_list_entry(l, struct fn_box, link);

			if (pass == 0 && !is_suspect(b, budget)) {
				fn_list_remove(l);
				continue;
			}
			b->exit.files_open = count_files(b, pass == 0 ? count_fds : count_mapped, b->exit.files_open, budget);
			if (b->exit.files_open < budget)
				continue;
			fn_list_remove(l);
			if (fn_fd_write_all(out, &b->id, sizeof(b->id)) < 0)
				_exit(1);
		}
	}
	_exit(0);
}

static void end_census(struct fn_spawn_server *s)
{
	fn_loop_clear(s->cfg.loop, &s->census_io);
	fn_close(fn_take_fd(&s->census_fd));
	if (s->census_pid > 0) {
		(void)kill(s->census_pid, SIGKILL);
		(void)waitpid(s->census_pid, NULL, 0);
	}
	s->census_pid = 0;
}

static void on_census(void *arg, int fd, uint32_t events)
{
	struct fn_spawn_server *s = arg;
	struct fn_box *b;
	uint64_t id;
	ssize_t n;

	(void)events;
	while ((n = read(fd, &id, sizeof(id))) == (ssize_t)sizeof(id)) {
		b = fn_map_get_u64(s->by_id, id);
		if (!b || b->state != FN_BOX_RUNNING)
			continue;
		fn_log_warn("sandbox %" PRIu64 " has %u files open, or more; it is ended", b->id, s->census_budget);
		b->exit.files_open = s->census_budget;
		s->hooks->end(b);
	}
	if (n >= 0 || errno != EAGAIN)
		end_census(s);
}

static int begin_census(struct fn_spawn_server *s, unsigned budget)
{
	int p[2], r = 0;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	s->census_fd = p[0];
	s->census_budget = budget;
	s->census_pid = fork();
	if (s->census_pid == 0)
		take_census(s, budget, p[1]);
	if (s->census_pid < 0)
		r = -errno;
	fn_close(p[1]);
	if (r == 0)
		r = fn_fd_set_nonblock(s->census_fd, true);
	if (r == 0)
		r = fn_loop_add_io(s->cfg.loop, s->census_fd, EPOLLIN, on_census, s, &s->census_io);
	if (r < 0)
		end_census(s);
	return r;
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

	if (s->n_running == 0)
		return;
	if (!read_table(s, &used, &most)) {
		fn_files_watch(s);
		return;
	}
	budget = most / TABLE_PART < BUDGET ? most / TABLE_PART : BUDGET;
	if (used > most / 2 && budget > SCARCE_BUDGET)
		budget = SCARCE_BUDGET;
	grows = used > s->files_last + GROWING;
	s->files_last = used;
	if (used < s->files_calm || s->files_calm == 0)
		s->files_calm = used;
	if (used >= s->files_calm + budget / 2 && s->census_pid == 0 && begin_census(s, (unsigned)budget) == 0)
		s->files_calm = used;
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
	end_census(s);
	fn_loop_clear(s->cfg.loop, &s->files_timer);
	fn_close(fn_take_fd(&s->files_fd));
}

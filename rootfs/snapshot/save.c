/*
 * save.c - see save.h. From the first look at /proc/self/smaps to the last page written nothing is allocated: what is written is what was
 * looked at. Tables are static; their own pages are in the image too and mean nothing there.
 */
#include "save.h"

#include <asm/prctl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"

#define SIGNALS 64
#define LAZY_LEAST (256u << 10) /* below, reading is cheaper than faults */
#define GAP_MAX 16            /* pages of zeros that join two runs into one mapping */
#define GAPS_MAX 8192         /* of them in all: what is sparse would become many times as large */
#define LAZY_RUNS_MAX 16384   /* mappings of the image, each with a gap behind it: a process may have 65,530 (vm.max_map_count); the rest is read */
#define REHEARSAL_MS 2000     /* it takes a few; one that hangs is of no use */
#define RSEQ_SIGNATURE 0x53053053 /* glibc's, sysdeps/unix/sysv/linux/x86/bits/rseq.h */

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/* What the kernel keeps of a process besides its memory. */
static struct {
	struct kernel_sigaction actions[SIGNALS + 1];
	stack_t stack;
	uint64_t mask;
	uint64_t robust, robust_len;
	uint64_t tid_address;
	char comm[16];
	struct rlimit limits[RLIM_NLIMITS];
	volatile uint64_t env[2]; /* image_head.env_slot */
} kept;

static struct image_head head;
static struct image_map maps[IMAGE_MAPS_MAX];
static struct image_run runs[IMAGE_RUNS_MAX];
static struct image_warm warm[IMAGE_WARM_MAX];
static uint32_t n_warm;
static uint64_t gaps, lazy_runs; /* see GAPS_MAX, LAZY_RUNS_MAX */
static char strings[262144];
static char text[65536];
static uint64_t pagemap[4096];

int save_fail(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SAVE_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -1;
}

/* Like setjmp(): 0, and 1 when restore.c comes back here. Only what a function must preserve counts at a call. */
extern int mark(struct image_regs *regs) __attribute__((returns_twice));
__asm__(".text\n.globl mark\n.hidden mark\n.type mark,@function\nmark:\n"
	"mov %rbx,0(%rdi)\nmov %rbp,8(%rdi)\nmov %r12,16(%rdi)\nmov %r13,24(%rdi)\nmov %r14,32(%rdi)\nmov %r15,40(%rdi)\n"
	"lea 8(%rsp),%rax\nmov %rax,48(%rdi)\nmov (%rsp),%rax\nmov %rax,56(%rdi)\n"
	"stmxcsr 64(%rdi)\nmovl $0,68(%rdi)\nfnstcw 68(%rdi)\nxor %eax,%eax\nret\n.size mark,.-mark\n");

/* --- what stands against it --- */
static int count_threads(void)
{
	int n = 0, fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long got;

	while (fd >= 0 && (got = syscall(SYS_getdents64, fd, text, sizeof(text))) > 0)
		for (long at = 0; at < got;) {
			struct dirent64 *d = (struct dirent64 *)(text + at);

			n += d->d_name[0] != '.';
			at += d->d_reclen;
		}
	if (fd >= 0)
		close(fd);
	return n;
}

ssize_t save_read(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;

	if (fd < 0)
		return -1;
	while (n < size && (r = read(fd, to + n, size - n)) > 0)
		n += (size_t)r;
	close(fd);
	return (ssize_t)n;
}

static int obstacles(char *why)
{
	struct itimerval it;
	siginfo_t si;
	int n = count_threads();

	if (n != 1)
		return save_fail(why, "%d threads are left by init", n);
	if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD)
		return save_fail(why, "child processes are left by init");
	for (int i = 0; i < 3; i++)
		if (getitimer(i, &it) == 0 && (it.it_value.tv_sec || it.it_value.tv_usec))
			return save_fail(why, "a timer (setitimer, alarm) is left by init");
	if (save_read("/proc/self/timers", text, 1) > 0)
		return save_fail(why, "a timer (timer_create) is left by init");
	if (prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &n, 0, 0) < 0)
		return save_fail(why, "the kernel lacks CONFIG_CHECKPOINT_RESTORE");
	return 0;
}

/* --- the process, besides its memory --- */
static void note_process(void)
{
	uint64_t *robust = NULL;
	size_t len = 0;

	for (int i = 1; i <= SIGNALS; i++)
		syscall(SYS_rt_sigaction, i, NULL, &kept.actions[i], 8);
	sigaltstack(NULL, &kept.stack);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &kept.mask, 8);
	syscall(SYS_get_robust_list, 0, &robust, &len);
	kept.robust = (uint64_t)robust;
	kept.robust_len = len;
	prctl(PR_GET_TID_ADDRESS, &kept.tid_address, 0, 0, 0);
	prctl(PR_GET_NAME, kept.comm, 0, 0, 0);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		getrlimit((__rlimit_resource_t)i, &kept.limits[i]);
}

static void renew_process(void)
{
	if (__rseq_size > 0)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 0, RSEQ_SIGNATURE);
	syscall(SYS_set_robust_list, kept.robust, kept.robust_len);
	if (kept.tid_address)
		syscall(SYS_set_tid_address, kept.tid_address);
	for (int i = 1; i <= SIGNALS; i++)
		if (kept.actions[i].handler || kept.actions[i].flags) /* the others are so in a new process */
			syscall(SYS_rt_sigaction, i, &kept.actions[i], NULL, 8);
	sigaltstack(&kept.stack, NULL);
	prctl(PR_SET_NAME, kept.comm, 0, 0, 0);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &kept.mask, NULL, 8);
}

/* Last: init may have made them smaller than what it takes to come so far. */
static void renew_limits(void)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		(void)setrlimit((__rlimit_resource_t)i, &kept.limits[i]);
}

/* Fields 26 to 51 of /proc/self/stat, proc(5). */
static int note_mm(char *why)
{
	ssize_t n = save_read("/proc/self/stat", text, sizeof(text) - 1);
	uint64_t v[64] = {0};
	char *p;

	text[n < 0 ? 0 : n] = '\0';
	p = strrchr(text, ')');
	if (!p)
		return save_fail(why, "/proc/self/stat cannot be read");
	p += 4;
	for (int field = 4; field < 52 && *p; field++)
		v[field] = libc_strtoull(p, &p, 10);
	head.mm = (struct image_mm){.start_code = v[26], .end_code = v[27], .start_stack = v[28], .start_data = v[45], .end_data = v[46],
				    .start_brk = v[47], .arg_start = v[48], .arg_end = v[49], .env_start = v[50], .env_end = v[51]};
	head.mm.brk = (uint64_t)syscall(SYS_brk, 0);
	n = save_read("/proc/self/auxv", (char *)head.auxv, sizeof(head.auxv));
	if (n <= 0 || head.mm.start_brk == 0)
		return save_fail(why, "/proc/self/stat or auxv does not tell what it should");
	head.auxv_len = (uint32_t)n;
	return 0;
}

/* --- the memory --- */
static int add_special(const char *name, uint64_t start, uint64_t end, char *why)
{
	struct image_special *s = &head.specials[head.n_specials];

	if (head.n_specials == IMAGE_SPECIALS)
		return save_fail(why, "more mappings of the kernel's own than are known");
	head.n_specials++;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->start = start;
	s->end = end;
	if (strcmp(name, "[vdso]") == 0)
		head.vdso_sum = image_sum((const unsigned char *)start, end - start);
	return 0;
}

static int add_map(const struct image_map *m, const char *path, char *why)
{
	struct image_map *to = &maps[head.n_maps], *last = to - 1;
	size_t len = strlen(path) + 1;

	if (head.n_maps == IMAGE_MAPS_MAX)
		return save_fail(why, "more than %u mappings", IMAGE_MAPS_MAX);
	*to = *m;
	if (path[0] != '/')
		path = "";
	if (path[0] && head.n_maps > 0 && last->path && strcmp(strings + last->path, path) == 0) {
		to->path = last->path;
	} else if (path[0]) {
		if (head.strings_len + len > sizeof(strings))
			return save_fail(why, "too many mapped files");
		memcpy(strings + head.strings_len, path, len);
		to->path = head.strings_len;
		head.strings_len += (uint32_t)len;
	}
	head.n_maps++;
	return 0;
}

/* A line of /proc/self/smaps: 55d0-55d4 r--p 00002000 fe:01 1234    /usr/bin/x */
static int take_map(char *line, char *why)
{
	struct image_map m = {0};
	char perms[5] = "", *path;
	int at = 0;

	if (libc_sscanf(line, "%lx-%lx %4s %lx %*s %*s %n", &m.start, &m.end, perms, &m.offset, &at) != 4)
		return save_fail(why, "a line of /proc/self/smaps is not understood: %.80s", line);
	path = line + at;
	if (strcmp(path, "[vsyscall]") == 0)
		return 0;
	if (path[0] == '[' && (strncmp(path, "[vvar", 5) == 0 || strcmp(path, "[vdso]") == 0))
		return add_special(path, m.start, m.end, why);
	if (path[0] == '[' && strcmp(path, "[heap]") != 0 && strcmp(path, "[stack]") != 0 && strncmp(path, "[anon", 5) != 0)
		return save_fail(why, "a mapping of a kind that cannot be kept: %.80s", path);
	if (m.start < IMAGE_LOW)
		return save_fail(why, "memory below 4 MiB is in use");
	m.prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) | (perms[2] == 'x' ? PROT_EXEC : 0);
	m.flags = perms[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
	if (strcmp(path, "[stack]") == 0)
		m.flags |= MAP_GROWSDOWN;
	if (path[0] == '/' && strstr(path, " (deleted)"))
		return save_fail(why, "shared memory, or a mapped file that is deleted: %.80s", path);
	if (path[0] == '/' && strncmp(path, "/tmp/", 5) == 0)
		return save_fail(why, "a file of /tmp is mapped: %.80s", path);
	if (path[0] && path[0] != '/' && path[0] != '[')
		return save_fail(why, "a mapping of a kind that cannot be kept: %.80s", path);
	if (m.flags & MAP_SHARED && (path[0] != '/' || m.prot & PROT_WRITE))
		return save_fail(why, "shared writable memory: %.80s", path);
	return add_map(&m, path, why);
}

/* VmFlags: rd wr mr mw me wf nr dp: of the map that was taken last. What a child of fork() would find wiped is not for many children to have. */
static void take_flags(const char *line, uint32_t n_before)
{
	if (head.n_maps == n_before)
		return;
	maps[n_before].wipe = strstr(line, " wf") != NULL || strstr(line, " dp") != NULL;
	if (strstr(line, " dp"))
		maps[n_before].flags = IMAGE_DROPPABLE;
}

static int scan_maps(char *why)
{
	int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC), r = 0;
	uint32_t n_before = 0;
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return save_fail(why, "/proc/self/smaps: %s", strerror(errno));
	head.strings_len = 1;
	while (r == 0 && (n = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		char *line = text, *nl;

		have += (size_t)n;
		text[have] = '\0';
		for (; r == 0 && (nl = strchr(line, '\n')); line = nl + 1) {
			*nl = '\0';
			if (strncmp(line, "VmFlags:", 8) == 0) {
				take_flags(line, n_before);
			} else if (line[0] < 'A' || line[0] > 'Z') { /* the others: Size, Rss and so on */
				n_before = head.n_maps;
				r = take_map(line, why);
			}
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
	}
	close(fd);
	return r;
}

/* A page that is a guard within a mapping (MADV_GUARD_INSTALL; glibc 2.42 and later, below each thread's stack): who touches it gets a SIGSEGV. Bit 58 tells it
 * from a page that is swapped out; Linux before 6.15 has the guards, but not the bit. */
static int is_guard(uint64_t entry, uint64_t addr)
{
	return (entry >> 62 & 1) && !(entry >> 63) && ((entry >> 58 & 1) || (access((const char *)addr, F_OK) < 0 && errno == EFAULT));
}

/* The part of a mapping from `from` on is one of its own. */
static int split_map(uint32_t i, uint64_t from, char *why)
{
	if (from == maps[i].start || from == maps[i].end)
		return 0;
	if (head.n_maps == IMAGE_MAPS_MAX)
		return save_fail(why, "more than %u mappings", IMAGE_MAPS_MAX);
	memmove(&maps[i + 1], &maps[i], (head.n_maps++ - i) * sizeof(maps[0]));
	maps[i].end = maps[i + 1].start = from;
	return 1;
}

/* Guards become what they were with older C libraries, mappings that may not be touched. To a thread that gets an old stack they are the same. */
static int split_guards(int fd, char *why)
{
	for (uint32_t i = 0; i < head.n_maps; i++) {
		uint64_t page = maps[i].start / IMAGE_PAGE, end = maps[i].end / IMAGE_PAGE;
		int guard = -1, r = 0;

		if (maps[i].path || !(maps[i].prot & PROT_READ) || maps[i].flags & (MAP_GROWSDOWN | MAP_SHARED))
			continue;
		while (r == 0 && page < end) {
			ssize_t n = pread(fd, pagemap, (end - page < 4096 ? end - page : 4096) * 8, (off_t)(page * 8));

			if (n <= 0)
				return save_fail(why, "/proc/self/pagemap: %s", n < 0 ? strerror(errno) : "short");
			for (size_t k = 0; r == 0 && k < (size_t)n / 8; k++, page++) {
				int is = is_guard(pagemap[k], page * IMAGE_PAGE);

				if (guard >= 0 && is != guard) /* what follows is looked at as a mapping of its own */
					r = split_map(i, page * IMAGE_PAGE, why);
				guard = r ? guard : is;
			}
		}
		if (r < 0)
			return -1;
		if (guard == 1) {
			maps[i].prot = PROT_NONE;
			maps[i].guard = 1;
		}
	}
	return 0;
}

static int is_zero(uint64_t addr)
{
	const uint64_t *p = (const uint64_t *)addr;

	for (unsigned i = 0; i < IMAGE_PAGE / 8; i++)
		if (p[i])
			return 0;
	return 1;
}

static int add_page(const struct image_map *m, uint64_t addr, char *why)
{
	struct image_run *r = head.n_runs ? &runs[head.n_runs - 1] : NULL;
	uint64_t gap = r && m->has_runs ? (addr - (r->addr + r->len)) / IMAGE_PAGE : UINT64_MAX;

	if (gap == 0 || (gap <= GAP_MAX && gaps + gap <= GAPS_MAX && m->lazy && !m->path)) {
		gaps += gap;
		r->len = addr + IMAGE_PAGE - r->addr;
		return 0;
	}
	if (head.n_runs == IMAGE_RUNS_MAX)
		return save_fail(why, "memory in more than %u pieces", IMAGE_RUNS_MAX);
	runs[head.n_runs++] = (struct image_run){addr, IMAGE_PAGE, m->lazy && lazy_runs++ < LAZY_RUNS_MAX};
	return 0;
}

/* May this map be part of what is mapped from the image? */
static int may_be_lazy(const struct image_map *m)
{
	return !m->path && !m->wipe && !(m->flags & (MAP_GROWSDOWN | MAP_SHARED)) && !(m->prot & PROT_EXEC);
}

static uint64_t count_pages(const struct image_map *m, int fd)
{
	uint64_t page = m->start / IMAGE_PAGE, end = m->end / IMAGE_PAGE, found = 0;
	ssize_t n;

	for (; page < end; page += (uint64_t)n / 8) {
		n = pread(fd, pagemap, (end - page < 4096 ? end - page : 4096) * 8, (off_t)(page * 8));
		if (n <= 0)
			break;
		for (size_t i = 0; i < (size_t)n / 8; i++)
			found += pagemap[i] >> 62 && !(pagemap[i] >> 61 & 1);
	}
	return found;
}

/* The largest stretches of anonymous memory, unless the filter (restore.c) would have too much to say of their addresses. Each is taken whole:
 * what it touches are files and the stack, and no call for anonymous memory begins there and ends inside. */
static void choose_lazy(int fd)
{
	for (uint32_t i = 0, k; i < head.n_maps; i = k + 1) {
		struct image_lazy l = {maps[i].start, maps[i].end, 0};
		unsigned at;

		if (!may_be_lazy(&maps[i])) {
			k = i;
			continue;
		}
		for (k = i; k + 1 < head.n_maps && maps[k + 1].start == l.end && may_be_lazy(&maps[k + 1]); k++)
			l.end = maps[k + 1].end;
		if (l.end - l.start > IMAGE_LAZY_SPAN) /* somebody reserves addresses in advance */
			continue;
		for (uint32_t of = i; of <= k; of++)
			l.pages += count_pages(&maps[of], fd);
		if (l.pages * IMAGE_PAGE < LAZY_LEAST)
			continue;
		at = head.n_lazy;
		if (head.n_lazy < IMAGE_LAZY_MAX)
			head.n_lazy++;
		else if (head.lazy[--at].pages >= l.pages)
			continue;
		while (at > 0 && head.lazy[at - 1].pages < l.pages) {
			head.lazy[at] = head.lazy[at - 1];
			at--;
		}
		head.lazy[at] = l;
	}
	for (uint32_t i = 0; i < head.n_maps; i++)
		for (unsigned k = 0; k < head.n_lazy; k++)
			maps[i].lazy |= maps[i].start >= head.lazy[k].start && maps[i].end <= head.lazy[k].end;
	/* of a file's private mapping it makes no difference to the process which file its written pages come from */
	for (uint32_t i = 0; i < head.n_maps; i++)
		if (maps[i].path && maps[i].prot & PROT_WRITE && count_pages(&maps[i], fd) * IMAGE_PAGE >= LAZY_LEAST)
			maps[i].lazy = 1;
}

/* The pages that are this process's own: of a file's mapping those that were written to. pagemap: present or swapped, and no file's. */
static int scan_pages(struct image_map *m, int fd, char *why)
{
	uint64_t page = m->start / IMAGE_PAGE, end = m->end / IMAGE_PAGE;

	if (m->flags & MAP_SHARED || m->wipe || m->guard)
		return 0;
	while (page < end) {
		size_t want = end - page < 4096 ? end - page : 4096;
		ssize_t n = pread(fd, pagemap, want * 8, (off_t)(page * 8));

		if (n <= 0)
			return save_fail(why, "/proc/self/pagemap: %s", n < 0 ? strerror(errno) : "short");
		for (size_t i = 0; i < (size_t)n / 8; i++) {
			uint64_t addr = (page + i) * IMAGE_PAGE;

			if (!(pagemap[i] >> 62) || (pagemap[i] >> 61 & 1))
				continue;
			if (!(m->prot & PROT_READ))
				return save_fail(why, "memory that may not be read holds something");
			if (!m->path && is_zero(addr))
				continue;
			if (add_page(m, addr, why) < 0)
				return -1;
			m->has_runs = 1;
		}
		page += (size_t)n / 8;
	}
	return 0;
}

static int scan(char *why)
{
	int fd, r;

	if (note_mm(why) < 0 || scan_maps(why) < 0)
		return -1;
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return save_fail(why, "/proc/self/pagemap: %s", strerror(errno));
	r = split_guards(fd, why);
	choose_lazy(fd);
	for (uint32_t i = 0; r == 0 && i < head.n_maps; i++)
		r = scan_pages(&maps[i], fd, why);
	close(fd);
	return r;
}

/* --- what a new process touches first --- */
/* Ours, which only serves to write the image. */
static int is_table(uint64_t addr)
{
	static const struct {
		const void *at;
		size_t len;
	} tables[] = {{maps, sizeof(maps)}, {runs, sizeof(runs)}, {warm, sizeof(warm)}, {strings, sizeof(strings)}, {text, sizeof(text)}, {pagemap, sizeof(pagemap)}};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (addr + IMAGE_PAGE > (uint64_t)tables[i].at && addr < (uint64_t)tables[i].at + tables[i].len)
			return 1;
	return 0;
}

static void add_warm(uint64_t addr)
{
	struct image_warm *last = n_warm ? &warm[n_warm - 1] : NULL;

	if (last && last->addr + last->len == addr)
		last->len += IMAGE_PAGE;
	else if (n_warm < IMAGE_WARM_MAX)
		warm[n_warm++] = (struct image_warm){addr, IMAGE_PAGE};
}

/* Of a child that shares with its parent what neither has written to since. */
static void note_touched(const struct image_map *m, int fd)
{
	uint64_t page = m->start / IMAGE_PAGE, end = m->end / IMAGE_PAGE;
	ssize_t n;

	for (; page < end; page += (uint64_t)n / 8) {
		n = pread(fd, pagemap, (end - page < 4096 ? end - page : 4096) * 8, (off_t)(page * 8));
		if (n <= 0)
			return;
		for (size_t i = 0; i < (size_t)n / 8; i++) {
			uint64_t e = pagemap[i], addr = (page + i) * IMAGE_PAGE;

			if (e >> 63 && !(e >> 61 & 1) && e >> 56 & 1 && !is_table(addr)) /* there, no file's, and no other process's */
				add_warm(addr);
		}
	}
}

static void rehearse(void (*fn)(void *), void *arg, int out)
{
	char why[SAVE_WHY_SIZE];
	int fd;

	fn(arg);
	memset(&head, 0, sizeof(head));
	n_warm = 0;
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || scan_maps(why) < 0)
		return;
	for (uint32_t i = 0; i < head.n_maps; i++)
		if (!(maps[i].flags & (MAP_SHARED | MAP_GROWSDOWN)) && !maps[i].wipe && maps[i].prot & PROT_WRITE)
			note_touched(&maps[i], fd);
	(void)!write(out, warm, n_warm * sizeof(warm[0]));
}

void save_rehearse(void (*fn)(void *), void *arg)
{
	struct pollfd p = {.events = POLLIN};
	ssize_t n = 0;
	int out[2];
	pid_t pid;

	n_warm = 0;
	if (count_threads() != 1 || pipe2(out, O_CLOEXEC) < 0)
		return;
	if (fcntl(out[1], F_SETPIPE_SZ, (int)sizeof(warm)) >= (int)sizeof(warm)) {
		pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL); /* a fork() that calls nobody, and whose end is told to nobody */
		if (pid == 0) {
			rehearse(fn, arg, out[1]);
			_exit(0);
		}
		close(out[1]);
		out[1] = -1;
		p.fd = out[0];
		if (pid > 0 && poll(&p, 1, REHEARSAL_MS) == 1)
			n = read(out[0], warm, sizeof(warm));
		if (pid > 0) {
			kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, __WALL);
		}
		n_warm = n > 0 ? (uint32_t)((size_t)n / sizeof(warm[0])) : 0;
	}
	if (out[1] >= 0)
		close(out[1]);
	close(out[0]);
}

/* --- writing --- */
static int write_image(int fd, char *why)
{
	static const char zero[IMAGE_PAGE];
	size_t tables = sizeof(head) + head.n_maps * sizeof(maps[0]) + head.n_runs * sizeof(runs[0]) + head.n_warm * sizeof(warm[0]) + head.strings_len;
	struct tar t = {.fd = fd};
	uint64_t size;

	head.pages_at = (tables + IMAGE_PAGE - 1) / IMAGE_PAGE * IMAGE_PAGE;
	if (head.pages_at > IMAGE_TABLES_MAX)
		return save_fail(why, "memory in too many pieces");
	size = head.pages_at;
	for (uint32_t i = 0; i < head.n_runs; i++)
		size += runs[i].len;
	if (size >> 33)
		return save_fail(why, "more than 8 GiB of memory");
	tar_entry(&t, "image", '0', &(struct stat){.st_mode = 0444}, size);
	tar_write(&t, &head, sizeof(head));
	tar_write(&t, maps, head.n_maps * sizeof(maps[0]));
	tar_write(&t, runs, head.n_runs * sizeof(runs[0]));
	tar_write(&t, warm, head.n_warm * sizeof(warm[0]));
	tar_write(&t, strings, head.strings_len);
	tar_write(&t, zero, head.pages_at - tables);
	for (uint32_t i = 0; i < head.n_runs; i++)
		tar_write(&t, (const void *)runs[i].addr, runs[i].len);
	tar_pad(&t, size);
	if (tar_tmp(&t, why) < 0)
		return -1;
	tar_write(&t, zero, 1024);
	return t.failed ? save_fail(why, "the image cannot be written: %s", strerror(t.failed)) : 0;
}

enum save_result save(int fd, char *why, const char **ret_env, size_t *ret_env_len)
{
	memset(&head, 0, sizeof(head));
	head.n_warm = n_warm;
	gaps = lazy_runs = 0;
	memcpy(head.magic, IMAGE_MAGIC, sizeof(head.magic));
	head.pid = (uint32_t)getpid();
	head.env_slot = (uint64_t)&kept.env;
	if (obstacles(why) < 0 || descriptors_note(fd, why) < 0)
		return SAVE_FAILED;
	note_process();
	syscall(SYS_arch_prctl, ARCH_GET_FS, &head.regs.fs_base);
	if (mark(&head.regs) == 0)
		return scan(why) < 0 || write_image(fd, why) < 0 ? SAVE_FAILED : SAVE_DONE;
	renew_process();
	*ret_env = (const char *)kept.env[0];
	*ret_env_len = kept.env[1];
	if (tmp_restore(why) < 0 || descriptors_again(why) < 0)
		return SAVE_FAILED;
	renew_limits();
	return SAVE_RESTORED;
}

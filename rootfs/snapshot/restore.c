/*
 * restore.c - /var/runtime/fnd-restore IMAGE: becomes the process that image.h's file was made of, with this one's environment.
 *
 * Started ahead (FN_PRESTART_ENV in fnd's sandbox/spec.h has the protocol) it waits for that environment before it looks for the image; what
 * can be done without it has been: the kernel's own mappings are out of the way, everything else is unmapped, and of the base image's files
 * those are open that most images map (FILES names them, one in a line; one that there is not, or that no image wants, does no harm).
 *
 * A program without a C library, linked to lie below IMAGE_LOW: it can give up everything above, and nothing of the image can lie where it
 * is. Runs as the function's user, under its filter; whatever the image holds, it can do no more than the function can.
 */
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "image.h"

#define SCRATCH 0x200000ull /* where the kernel's own mappings wait */
#define TABLES 0x280000ull  /* and the image's tables are looked at */
#define TASK_END 0x7ffffffff000ull
#define IOV_MAX_ 1024
#define LAZY_PARTS (IMAGE_LAZY_SPAN / (1ull << 32) + 1) /* of 4 GiB, that one may lie in */
#define AHEAD "_FND_PRESTART=" /* a number follows */
#define FILES "/var/runtime/fnd-restore.files"
#define FILES_MAX 24
#define PATH_SIZE 256
#define ENV_USUAL 8192 /* bytes; most have fewer */

static struct {
	char name[16];
	uint64_t start, end;
} specials[IMAGE_SPECIALS];
static unsigned n_specials;
static uint64_t vdso_sum;
static struct {
	char path[PATH_SIZE]; /* the real one: what the kernel, and so the image, calls it */
	long fd;
} files[FILES_MAX];
static unsigned n_files;
static char image_path[PATH_SIZE];
static char env[IMAGE_ENV_MAX];
static uint64_t env_len;
static char text[65536];
static struct iovec iov[IOV_MAX_];
static char stack[65536] __attribute__((aligned(16), used));

/* --- no C library --- */
static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}
#define call(nr, a, b, c, d, e) call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* Compilers call these by themselves. */
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *t = to;

	__asm__ volatile("rep movsb" : "+D"(t), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *t = to;

	__asm__ volatile("rep stosb" : "+D"(t), "+c"(n) : "a"(c) : "memory");
	return to;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static int starts(const char *s, const char *with)
{
	while (*with && *s == *with)
		s++, with++;
	return !*with;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static _Noreturn void die(const char *what, long r)
{
	static const char head[] = "fnd-restore: ";
	char number[24], *p = number + sizeof(number);
	unsigned long n = (unsigned long)(r < 0 ? -r : r);

	*--p = '\n';
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	*--p = ' ';
	call(__NR_write, 2, head, sizeof(head) - 1, 0, 0);
	call(__NR_write, 2, what, length(what), 0, 0);
	call(__NR_write, 2, p, number + sizeof(number) - p, 0, 0);
	call(__NR_exit_group, 70, 0, 0, 0, 0);
	__builtin_unreachable();
}

static long must(const char *what, long r)
{
	if (r < 0 && r > -4096)
		die(what, r);
	return r;
}

/* --- the kernel's own mappings --- */
static uint64_t hex(const char **p)
{
	uint64_t v = 0;

	for (;; (*p)++) {
		char c = **p;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return v;
	}
}

static void find_specials(void)
{
	long fd = must("open /proc/self/maps", call(__NR_open, "/proc/self/maps", O_RDONLY, 0, 0, 0)), n = 0, got;

	while (n < (long)sizeof(text) - 1 && (got = call(__NR_read, fd, text + n, sizeof(text) - 1 - (size_t)n, 0, 0)) > 0)
		n += got;
	call(__NR_close, fd, 0, 0, 0, 0);
	for (char *line = text, *end; line < text + n; line = end + 1) {
		const char *p = line;
		char *name = line;

		for (end = line; *end && *end != '\n'; end++)
			if (*end == '[')
				name = end;
		*end = '\0';
		if (!(name[0] == '[' && name[1] == 'v' && (name[2] == 'v' || name[2] == 'd'))) /* [vvar...], [vdso] */
			continue;
		if (n_specials == IMAGE_SPECIALS)
			die("unknown mappings of the kernel's", 0);
		specials[n_specials].start = hex(&p);
		p++;
		specials[n_specials].end = hex(&p);
		for (unsigned i = 0; i < sizeof(specials[0].name) - 1 && name[i]; i++)
			specials[n_specials].name[i] = name[i];
		n_specials++;
	}
}

static void move(uint64_t from, uint64_t len, uint64_t to)
{
	must("move the vDSO", call(__NR_mremap, from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to));
}

/* To where nothing is in the way. */
static void set_aside(void)
{
	uint64_t at = SCRATCH;

	for (unsigned i = 0; i < n_specials; i++) {
		uint64_t len = specials[i].end - specials[i].start;

		if (at + len > TABLES)
			die("unknown mappings of the kernel's", 1);
		move(specials[i].start, len, at);
		specials[i].start = at;
		specials[i].end = at + len;
		at += len;
		if (same(specials[i].name, "[vdso]"))
			vdso_sum = image_sum((const unsigned char *)specials[i].start, len);
	}
}

static void check_specials(const struct image_head *h)
{
	if (n_specials != h->n_specials)
		die("the image is of another kernel", 1);
	for (unsigned i = 0; i < n_specials; i++)
		if (!same(specials[i].name, h->specials[i].name) || specials[i].end - specials[i].start != h->specials[i].end - h->specials[i].start)
			die("the image is of another kernel", 2);
	if (vdso_sum != h->vdso_sum)
		die("the image is of another kernel", 3);
}

static void put_back(const struct image_head *h)
{
	for (unsigned i = 0; i < n_specials; i++)
		move(specials[i].start, h->specials[i].end - h->specials[i].start, h->specials[i].start);
}

/* --- the base image's files --- */
static void open_ahead(const char *name)
{
	char link[] = "/proc/self/fd/00";
	long fd = call(__NR_open, name, O_RDONLY, 0, 0, 0), n;

	if (fd < 0)
		return;
	link[sizeof(link) - 3] = (char)(fd < 10 ? '0' + fd : '0' + fd / 10);
	link[sizeof(link) - 2] = (char)(fd < 10 ? '\0' : '0' + fd % 10);
	n = call(__NR_readlink, link, files[n_files].path, PATH_SIZE - 1, 0, 0);
	if (n > 0 && n < PATH_SIZE - 1)
		files[n_files++].fd = fd;
	else
		call(__NR_close, fd, 0, 0, 0, 0);
}

static void open_files(void)
{
	long fd = call(__NR_open, FILES, O_RDONLY, 0, 0, 0), n;

	if (fd < 0)
		return;
	n = call(__NR_read, fd, text, sizeof(text) - 1, 0, 0);
	call(__NR_close, fd, 0, 0, 0, 0);
	for (long at = 0, line = 0; at < n && n_files < FILES_MAX; at++)
		if (text[at] == '\n') {
			text[at] = '\0';
			open_ahead(text + line);
			line = at + 1;
		}
}

static long opened_ahead(const char *path)
{
	for (unsigned i = 0; i < n_files; i++)
		if (same(files[i].path, path))
			return files[i].fd;
	return -1;
}

static void close_files(void)
{
	for (unsigned i = 0; i < n_files; i++)
		call(__NR_close, files[i].fd, 0, 0, 0, 0);
}

/* --- the image --- */
static void map_all(const struct image_head *h, const struct image_map *m, const char *strings)
{
	uint32_t open_path = 0;
	long fd = -1, own = -1; /* own: to be closed */

	for (uint32_t i = 0; i < h->n_maps; i++, m++) {
		uint32_t prot = m->has_runs ? m->prot | PROT_WRITE : m->prot, flags = m->flags | MAP_FIXED;

		if (m->path && m->path != open_path) {
			if (own >= 0)
				call(__NR_close, own, 0, 0, 0, 0);
			own = -1;
			open_path = m->path;
			fd = opened_ahead(strings + m->path);
			if (fd < 0)
				fd = own = must(strings + m->path, call(__NR_open, strings + m->path, O_RDONLY, 0, 0, 0));
		}
		if (!m->path)
			flags |= MAP_ANONYMOUS | (m->prot == PROT_NONE ? MAP_NORESERVE : 0);
		must("map", call6(__NR_mmap, (long)m->start, (long)(m->end - m->start), prot, flags, m->path ? fd : -1, m->path ? (long)m->offset : 0));
		if (m->wipe && m->flags != IMAGE_DROPPABLE)
			must("wipe on fork", call(__NR_madvise, m->start, m->end - m->start, 18 /* MADV_WIPEONFORK */, 0, 0));
	}
	if (own >= 0)
		call(__NR_close, own, 0, 0, 0, 0);
}

/* The pages lie in the file in the order of the runs: few calls for many runs. */
static void fill(const struct image_head *h, const struct image_run *r, long fd)
{
	uint64_t at = h->pages_at;
	uint32_t i = 0;

	while (i < h->n_runs) {
		uint64_t want = 0;
		unsigned n = 0;
		long got;

		if (r[i].lazy) {
			must("map the image", call6(__NR_mmap, (long)r[i].addr, (long)r[i].len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, (long)at));
			at += r[i++].len;
			continue;
		}
		for (; n < IOV_MAX_ && i + n < h->n_runs && !r[i + n].lazy && want < (1u << 30); n++) {
			iov[n].iov_base = (void *)r[i + n].addr;
			iov[n].iov_len = r[i + n].len;
			want += r[i + n].len;
		}
		got = must("read the image", call(__NR_preadv, fd, iov, n, at, 0));
		if ((uint64_t)got != want)
			die("the image is cut short", 0);
		at += want;
		i += n;
	}
}

/* Copies of the pages that are written to soon, before each of them becomes a fault, or two. Kernels before 5.14 cannot; it is only sooner. */
static void warm(const struct image_head *h, const struct image_warm *w)
{
	for (uint32_t i = 0; i < h->n_warm; i++, w++)
		if (call(__NR_madvise, w->addr, w->len, 23 /* MADV_POPULATE_WRITE */, 0, 0) == -EINVAL)
			return;
}

static void protect(const struct image_head *h, const struct image_map *m)
{
	for (uint32_t i = 0; i < h->n_maps; i++, m++)
		if (m->has_runs && !(m->prot & PROT_WRITE))
			must("protect", call(__NR_mprotect, m->start, m->end - m->start, m->prot, 0, 0));
}

/* What /proc/self says of the process is what it said of the one in the image; but for the environment, which is this one's. */
static void set_mm(const struct image_head *h)
{
	/* we are unmapped soon; the kernel finds room beside the image, all of which is in its place */
	uint64_t shown = (uint64_t)must("map", call6(__NR_mmap, 0, (long)env_len + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct prctl_mm_map map = {.start_code = h->mm.start_code, .end_code = h->mm.end_code, .start_data = h->mm.start_data, .end_data = h->mm.end_data,
				   .start_brk = h->mm.start_brk, .brk = h->mm.brk, .start_stack = h->mm.start_stack, .arg_start = h->mm.arg_start,
				   .arg_end = h->mm.arg_end, .env_start = shown, .env_end = shown + env_len,
				   .auxv = (void *)h->auxv, .auxv_size = h->auxv_len, .exe_fd = (uint32_t)-1};

	memcpy((void *)shown, env, env_len);
	must("prctl(PR_SET_MM_MAP)", call(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0));
}

/* See struct image_lazy. */
static void refuse_what_tells(const struct image_head *h)
{
	static struct sock_filter f[20 + 6 * LAZY_PARTS * IMAGE_LAZY_MAX];
	struct sock_fprog prog = {.filter = f};
	unsigned n = 0;
#define ADD(code, k, jt, jf) f[n++] = (struct sock_filter){(code), (jt), (jf), (uint32_t)(k)}
#define LOAD(what) ADD(BPF_LD | BPF_W | BPF_ABS, (what), 0, 0)
#define ARG(i) (offsetof(struct seccomp_data, args) + 8ul * (i))

	if (h->n_lazy == 0)
		return;
	LOAD(offsetof(struct seccomp_data, nr));
	ADD(BPF_JMP | BPF_JEQ | BPF_K, __NR_mremap, 7, 0);
	ADD(BPF_JMP | BPF_JEQ | BPF_K, __NR_madvise, 1, 0);
	ADD(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	LOAD(ARG(2));
	ADD(BPF_JMP | BPF_JEQ | BPF_K, MADV_DONTNEED, 3, 0);
	ADD(BPF_JMP | BPF_JEQ | BPF_K, MADV_FREE, 2, 0);
	ADD(BPF_JMP | BPF_JEQ | BPF_K, 24 /* MADV_DONTNEED_LOCKED */, 1, 0);
	ADD(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	for (unsigned i = 0; i < h->n_lazy; i++) { /* start <= address < end, 32 bits at a time; all in the same 4 GiB */
		uint64_t start = h->lazy[i].start, end = h->lazy[i].end;

		if (end - start > IMAGE_LAZY_SPAN)
			die("the image is of another version", 0);
		for (uint64_t to; start < end; start = to) {
			to = (start | 0xffffffffu) + 1 < end ? (start | 0xffffffffu) + 1 : end;
			LOAD(ARG(0) + 4);
			ADD(BPF_JMP | BPF_JEQ | BPF_K, start >> 32, 0, 4);
			LOAD(ARG(0));
			ADD(BPF_JMP | BPF_JGE | BPF_K, start, 0, 2);
			ADD(BPF_JMP | BPF_JGT | BPF_K, to - 1, 1, 0);
			ADD(BPF_JMP | BPF_JA, 0, 0, 0); /* patched: inside */
		}
	}
	ADD(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	LOAD(offsetof(struct seccomp_data, nr));
	ADD(BPF_JMP | BPF_JEQ | BPF_K, __NR_mremap, 0, 1);
	ADD(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM, 0, 0);
	ADD(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL, 0, 0);
	for (unsigned i = 0; i < n; i++)
		if (f[i].code == (BPF_JMP | BPF_JA))
			f[i].k = n - 4 - i - 1;
	prog.len = (unsigned short)n;
	must("seccomp", call(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0));
}

static _Noreturn void jump(const struct image_regs *r)
{
	must("arch_prctl", call(__NR_arch_prctl, ARCH_SET_FS, r->fs_base, 0, 0, 0));
	__asm__ volatile("ldmxcsr 64(%0)\nfldcw 68(%0)\n"
			 "mov 0(%0),%%rbx\nmov 8(%0),%%rbp\nmov 16(%0),%%r12\nmov 24(%0),%%r13\nmov 32(%0),%%r14\nmov 40(%0),%%r15\n"
			 "mov 48(%0),%%rsp\nmov $1,%%eax\njmp *56(%0)\n"
			 :
			 : "D"(r)
			 : "memory");
	__builtin_unreachable();
}

static void read_all(long fd, void *to, uint64_t len)
{
	char *p = to;
	long n;

	for (; len > 0; p += n, len -= (uint64_t)n)
		if ((n = call(__NR_read, fd, p, len, 0, 0)) <= 0)
			call(__NR_exit_group, 0, 0, 0, 0, 0); /* never needed */
}

/* Not yet ours: what comes over the descriptor is. */
static void wait_for_environment(long fd)
{
	uint32_t len = 0;

	call(__NR_prctl, PR_SET_NAME, "fn-ready", 0, 0, 0);
	call(__NR_write, fd, "!", 1, 0, 0);
	read_all(fd, &len, sizeof(len));
	if (len > sizeof(env))
		die("the environment is too large", 0);
	read_all(fd, env, len);
	env_len = len;
	call(__NR_close, fd, 0, 0, 0, 0);
}

/* The descriptor that the environment comes over; -1: it is here. */
static long take_environment(const char *const *envp)
{
	for (; *envp; envp++) {
		size_t len = length(*envp) + 1;

		if (starts(*envp, AHEAD)) {
			long fd = 0;

			for (const char *p = *envp + sizeof(AHEAD) - 1; *p; p++)
				fd = fd * 10 + (*p - '0');
			return fd;
		}
		if (env_len + len > sizeof(env))
			die("the environment is too large", 0);
		memcpy(env + env_len, *envp, len);
		env_len += len;
	}
	return -1;
}

/* All that does not depend on the image. What the kernel has put on the stack is gone then. */
static void make_room(const char *const *argv, long argc, long ahead)
{
	size_t len = argc < 2 ? 0 : length(argv[1]) + 1;

	if (len == 0 || len > sizeof(image_path))
		die("usage: fnd-restore IMAGE", 0);
	memcpy(image_path, argv[1], len);
	find_specials();
	set_aside();
	if (ahead < 0)
		return;
	open_files();
	for (size_t i = 0; i < ENV_USUAL; i += IMAGE_PAGE)
		*(volatile char *)(env + i) = 0;
}

__attribute__((used)) static _Noreturn void begin(const uint64_t *sp)
{
	const char *const *argv = (const char *const *)(sp + 1);
	const struct image_head *h = (const struct image_head *)TABLES;
	long fd, n, ahead = take_environment(argv + sp[0] + 1);
	static struct image_regs regs;
	uint64_t *slot;

	make_room(argv, (long)sp[0], ahead);
	must("unmap", call(__NR_munmap, IMAGE_LOW, TASK_END - IMAGE_LOW, 0, 0, 0));
	if (ahead >= 0)
		wait_for_environment(ahead);
	fd = must(image_path, call(__NR_open, image_path, O_RDONLY, 0, 0, 0));
	n = call(__NR_pread64, fd, text, sizeof(*h), 0, 0);
	h = (const struct image_head *)text;
	if (n != sizeof(*h) || !(h->magic[0] == IMAGE_MAGIC[0] && h->magic[7] == IMAGE_MAGIC[7]) || h->pages_at > IMAGE_TABLES_MAX)
		die("no image of this version", 0);
	if (call(__NR_getpid, 0, 0, 0, 0, 0) != h->pid)
		die("the image is of a process with another number", h->pid);
	must("map the image", call6(__NR_mmap, TABLES, (long)h->pages_at, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0));
	h = (const struct image_head *)TABLES;
	check_specials(h);
	{
		const struct image_map *maps = (const struct image_map *)(h + 1);
		const struct image_run *runs = (const struct image_run *)(maps + h->n_maps);
		const struct image_warm *warms = (const struct image_warm *)(runs + h->n_runs);
		const char *strings = (const char *)(warms + h->n_warm);

		map_all(h, maps, strings);
		fill(h, runs, fd);
		warm(h, warms);
		protect(h, maps);
	}
	put_back(h);
	set_mm(h);
	refuse_what_tells(h);
	slot = (uint64_t *)h->env_slot;
	slot[0] = (uint64_t)env;
	slot[1] = env_len;
	memcpy(&regs, &h->regs, sizeof(regs));
	call(__NR_close, fd, 0, 0, 0, 0);
	close_files();
	call(__NR_munmap, TABLES, h->pages_at, 0, 0, 0);
	jump(&regs);
}

__asm__(".globl _start\n_start:\nmov %rsp,%rdi\nlea stack+65536(%rip),%rsp\nxor %ebp,%ebp\ncall begin\n");

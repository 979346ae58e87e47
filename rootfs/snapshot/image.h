/*
 * image.h - a process as a file: what SnapStart keeps of an initialised runtime, and what each new environment begins from.
 *
 * save.c writes it from within the process, restore.c maps it into a fresh one. Both run inside the sandbox as the function's own user and
 * under its filter: the image is the function's own memory, and nobody else ever reads it.
 *
 *   image_head | n_maps image_map | n_runs image_run | n_warm image_warm | strings | to the next page | pages of the runs, in their order
 *
 * Holds for one process with one thread, on the kernel and processor that it was made on: the vDSO is kept by address, libraries have
 * chosen code for this processor.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC "FNDSNAP2"
#define IMAGE_PAGE 4096u
#define IMAGE_LOW 0x400000ull       /* below lies what restores, and nothing of what is restored */
#define IMAGE_DROPPABLE 0x08u       /* MAP_DROPPABLE, which the headers of Debian 12 do not have: the state of the vDSO's getrandom() */
#define IMAGE_SPECIALS 4            /* [vvar], [vvar_vclock], [vdso] */
#define IMAGE_TABLES_MAX 0x180000u  /* bytes before the pages */
#define IMAGE_MAPS_MAX 4096u
#define IMAGE_RUNS_MAX 49152u
#define IMAGE_WARM_MAX 2048u
#define IMAGE_AUXV_MAX 512u
#define IMAGE_ENV_MAX 131072u
#define IMAGE_LAZY_MAX 32
#define IMAGE_LAZY_SPAN (8ull << 30) /* bytes of addresses of one */

struct image_regs { /* restore.c and save.c know the offsets */
	uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
	uint32_t mxcsr, fcw;
	uint64_t fs_base;
};

struct image_special {
	char name[16];
	uint64_t start, end;
};

struct image_map {
	uint64_t start, end;
	uint64_t offset;    /* in the file */
	uint32_t prot;      /* PROT_* */
	uint32_t flags;     /* MAP_SHARED, MAP_PRIVATE or IMAGE_DROPPABLE, MAP_GROWSDOWN */
	uint32_t path;      /* in the strings; 0 = anonymous */
	uint8_t has_runs, lazy;
	uint8_t wipe;       /* wiped in a child of fork(): what a generator of random numbers keeps. Zero again here, too */
	uint8_t guard;      /* a part of one that the process may not touch: nothing of it is in the image */
};

struct image_run {
	uint64_t addr, len; /* whole pages */
	uint64_t lazy;      /* mapped from the image, not read: a page is copied when it is written to, and until then shared */
};

/* Pages that the start and an invocation write to, as a rehearsal has shown. (Those that are only read are mapped sixteen at a time, as it is.) */
struct image_warm {
	uint64_t addr, len; /* whole pages */
};

/*
 * Anonymous memory without a gap that is mapped from the image. To the process it is anonymous still, but for two calls that would tell:
 * madvise(MADV_DONTNEED), after which anonymous memory is zero and a file's is the file's again, and mremap(), which would let what lies
 * behind in the file appear. restore.c has both refused here (EINVAL, ENOMEM): allocators then do without.
 */
struct image_lazy {
	uint64_t start, end;
	uint64_t pages; /* in the image */
};

/* As struct prctl_mm_map, but for what points into this process. */
struct image_mm {
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start, env_end;
};

struct image_head {
	char magic[8];
	uint32_t n_maps, n_runs, n_warm, n_specials, strings_len, unused;
	uint64_t pages_at;  /* in the file */
	struct image_regs regs;
	struct image_special specials[IMAGE_SPECIALS];
	struct image_lazy lazy[IMAGE_LAZY_MAX];
	uint32_t n_lazy;
	uint32_t pid;
	uint64_t vdso_sum;  /* image_sum() of the vDSO's code */
	struct image_mm mm;
	uint64_t auxv[IMAGE_AUXV_MAX / 8];
	uint64_t auxv_len;
	uint64_t env_slot;  /* where to write the address of the new environment, "NAME=value" with a NUL each, and its length behind it */
};

static inline uint64_t image_sum(const unsigned char *p, uint64_t len)
{
	uint64_t h = 14695981039346656037ull; /* FNV-1a */

	for (uint64_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 1099511628211ull;
	return h;
}

#endif

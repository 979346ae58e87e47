/* dontfork.c - see dontfork.h. */
#include "os/dontfork.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct search {
	const char *const *names;
	unsigned found;
};

static bool is_named(const char *path, const char *const *names)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	for (; *names; names++)
		if (strncmp(base, *names, strlen(*names)) == 0)
			return true;
	return false;
}

static int on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = UINTPTR_MAX, to = 0;
	struct search *s = arg;

	(void)size;
	if (!info->dlpi_name || !is_named(info->dlpi_name, s->names))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) { /* between the segments there is nothing of anybody else's */
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		from = info->dlpi_addr + p->p_vaddr < from ? info->dlpi_addr + p->p_vaddr : from;
		to = info->dlpi_addr + p->p_vaddr + p->p_memsz > to ? info->dlpi_addr + p->p_vaddr + p->p_memsz : to;
	}
	from -= from % page;
	if (to > from && madvise((void *)from, (to - from + page - 1) / page * page, MADV_DONTFORK) == 0)
		s->found++;
	return 0;
}

unsigned fn_dontfork(const char *const *names)
{
	struct search s = {.names = names};

	(void)dl_iterate_phdr(on_object, &s);
	return s.found;
}

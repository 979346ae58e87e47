/* cgroup_stat.h - memory.stat of a group: Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/memory.rst. Pure. */
#ifndef FN_OS_CGROUP_STAT_H
#define FN_OS_CGROUP_STAT_H

#include <stdint.h>

/* Bytes of it that are no file's on a disk, and so are not given back: what processes have allocated, shared memory, tmpfs, and (v2) the kernel's
 * for them. 0: the text tells none of it. */
uint64_t fn_cg_stat_held(const char *text);

/* Bytes of page cache of files on a disk: what both call page cache has tmpfs and shared memory in it. */
uint64_t fn_cg_stat_files(const char *text);

#endif

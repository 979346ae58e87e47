/* memory.stat as the kernel writes it, in both hierarchies. */
#include "os/cgroup_stat.h"

#include "unit/main.h"

START_TEST(v2)
{
	ck_assert_uint_eq(fn_cg_stat_held("anon 1000\nfile 900000\nkernel 300\nkernel_stack 64\nshmem 50\nfile_mapped 7\nslab_reclaimable 100\nslab_unreclaimable 20\n"), 1250);
	ck_assert_uint_eq(fn_cg_stat_files("anon 1000\nfile 900000\nkernel 300\nshmem 50\nfile_mapped 7\nfile_dirty 9\n"), 899950);
}
END_TEST

START_TEST(v1)
{
	ck_assert_uint_eq(fn_cg_stat_held("cache 900000\nrss 1000\nrss_huge 0\nshmem 50\nmapped_file 7\ntotal_cache 900000\ntotal_rss 1000\ntotal_shmem 50\n"), 1050);
	ck_assert_uint_eq(fn_cg_stat_files("cache 900000\nrss 1000\nshmem 50\nmapped_file 7\ntotal_cache 900000\ntotal_shmem 50\n"), 899950);
}
END_TEST

START_TEST(nothing)
{
	ck_assert_uint_eq(fn_cg_stat_held(""), 0);
	ck_assert_uint_eq(fn_cg_stat_files(""), 0);
	ck_assert_uint_eq(fn_cg_stat_held("anon"), 0);
	ck_assert_uint_eq(fn_cg_stat_held("slab_reclaimable 5\n"), 0);
	ck_assert_uint_eq(fn_cg_stat_held("anon 7"), 7); /* cut off there */
}
END_TEST

TEST_MAIN("os/cgroup_stat", v2, v1, nothing)

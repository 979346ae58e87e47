/* Of fn-spawnd's unpacker what removes trees: what becomes of one is no other's fault. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "os/cgroup.h"
#include "spawn/server.h"

#include "unit/main.h"

#define TREES 5u
#define STUCK 3u /* the one that cannot be removed */

static struct fn_loop *loop;
static int outcome[TREES + 1]; /* by request; -1 = none yet */
static unsigned told;

static void on_removed(void *arg, uint64_t request, const struct fn_err *err)
{
	(void)arg;
	ck_assert_uint_le(request, TREES);
	ck_assert_int_eq(outcome[request], -1);
	outcome[request] = err ? err->code : 0;
	if (++told == TREES)
		fn_loop_stop(loop);
}

static struct fn_unpacker *begin(void)
{
	const struct fn_spawn_server_config cfg = {.loop = loop, .trees_dir = "trees"};
	struct fn_unpacker *u;

	ck_assert_int_eq(fn_unpacker_new(&cfg, NULL, on_removed, NULL, &u), 0);
	return u;
}

static void tree_name(unsigned i, char name[64]) { snprintf(name, 64, "code-%u", i); }

/* With directories and files in it, and in one of them a mount: nobody can remove what that is on. */
static void make_tree(unsigned i)
{
	char name[64], path[200];

	tree_name(i, name);
	snprintf(path, sizeof(path), "trees/%s", name);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "trees/%s/d", name);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	if (i == STUCK)
		ck_assert_int_eq(mount("test", path, "tmpfs", 0, NULL), 0);
	snprintf(path, sizeof(path), "trees/%s/d/f", name);
	ck_assert_int_eq(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
}

static bool prepare(void)
{
	if (geteuid() != 0) {
		printf("SKIP: mounts need root\n");
		return false;
	}
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert(mkdir("trees", 0755) == 0 || errno == EEXIST);
	ck_assert_int_eq(mount("test", "trees", "tmpfs", 0, NULL), 0); /* each test's own, gone with its process */
	for (unsigned i = 1; i <= TREES; i++) {
		outcome[i] = -1;
		make_tree(i);
	}
	return true;
}

static void check_outcomes(void)
{
	ck_assert_uint_eq(told, TREES);
	for (unsigned i = 1; i <= TREES; i++)
		ck_assert_int_eq(outcome[i], i == STUCK ? EIO : 0);
}

START_TEST(one_that_stays_is_no_fault_of_the_others)
{
	struct fn_unpacker *u;
	char name[64];

	if (!prepare())
		return;
	u = begin();
	for (unsigned i = 1; i <= TREES; i++) { /* the first goes alone, the rest in one batch */
		tree_name(i, name);
		fn_unpacker_remove_tree(u, name, i);
	}
	ck_assert_int_eq(fn_loop_run(loop), 0);
	check_outcomes();
	fn_unpacker_free(u);
	fn_loop_free(loop);
}
END_TEST

START_TEST(nor_at_the_end)
{
	struct fn_unpacker *u;
	char name[64];

	if (!prepare())
		return;
	u = begin();
	for (unsigned i = 1; i <= TREES; i++) {
		tree_name(i, name);
		fn_unpacker_remove_tree(u, name, i);
	}
	fn_unpacker_free(u);
	check_outcomes();
	fn_loop_free(loop);
}
END_TEST

START_TEST(what_an_earlier_run_could_not_remove_stands_in_nobodys_way)
{
	struct fn_unpacker *u;
	char name[64];

	if (!prepare())
		return;
	tree_name(STUCK, name);
	ck_assert_int_eq(rename("trees/code-3", "trees/.tmp-1"), 0);
	make_tree(1 + TREES);
	tree_name(1 + TREES, name);
	ck_assert_int_eq(rename("trees/code-6", "trees/code-3"), 0);
	u = begin();
	for (unsigned i = 1; i <= TREES; i++) {
		tree_name(i, name);
		fn_unpacker_remove_tree(u, name, i);
	}
	ck_assert_int_eq(fn_loop_run(loop), 0);
	for (unsigned i = 1; i <= TREES; i++)
		ck_assert_int_eq(outcome[i], 0);
	fn_unpacker_free(u);
	ck_assert_int_eq(access("trees/.tmp-1/d", F_OK), 0);
	fn_loop_free(loop);
}
END_TEST

TEST_MAIN("spawn/unpacker", one_that_stays_is_no_fault_of_the_others, nor_at_the_end, what_an_earlier_run_could_not_remove_stands_in_nobodys_way)

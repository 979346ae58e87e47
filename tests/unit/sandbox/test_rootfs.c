#include "sandbox/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/main.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CODE "code-" HEX64
#define IMAGE "img-" HEX64

static char state[] = "/tmp/fnd-rootfs-XXXXXX";

static void put(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", state, path);
	ck_assert_int_eq(mkdir(full, 0755), 0);
}

/* False: without privileges there are none. The test's process alone is in the new namespace, and nothing outside of it is left behind: the state is
 * a tmpfs that ends with it. */
static bool enter(struct fn_rootfs **ret)
{
	struct fn_err err;
	int host, r;

	if (geteuid() != 0) {
		printf("SKIP: mounts need root\n");
		return false;
	}
	ck_assert_ptr_nonnull(mkdtemp(state));
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	r = open("/tmp", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(mount("test", state, "tmpfs", 0, NULL), 0);
	put("roots");
	put("roots/" CODE);
	put("roots/" CODE "/task");
	put("roots/" IMAGE);
	ck_assert_msg(fn_rootfs_enter(state, 0, NULL, &host, ret, &err) == 0, "%s: %s", err.stage, err.msg);
	ck_assert_int_eq(setns(host, CLONE_NEWNS), 0); /* only to remove what the tmpfs was mounted on */
	ck_assert_int_eq(umount2(state, MNT_DETACH), 0);
	ck_assert_int_eq(unlinkat(r, state + strlen("/tmp/"), AT_REMOVEDIR), 0);
	fn_rootfs_clone_end(*ret);
	close(host);
	close(r);
	return true;
}

static int get(struct fn_rootfs *r, const char *owner)
{
	struct fn_spec s = {.n_lowers = 2, .lowers = {CODE, IMAGE}};
	struct fn_err err;
	int fd;

	snprintf(s.owner, sizeof(s.owner), "%s", owner);
	fd = fn_rootfs_get(r, &s, &err);
	ck_assert_msg(fd >= 0, "%s: %s", err.stage, err.msg);
	return fd;
}

static dev_t device(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_dev;
}

static int lock(int root)
{
	int fd = openat(root, "task", O_RDONLY | O_DIRECTORY);

	ck_assert_int_ge(fd, 0);
	return flock(fd, LOCK_EX | LOCK_NB);
}

START_TEST(an_owner_shares_its_root_with_nobody)
{
	struct fn_rootfs *r;
	int a, again, b;

	if (!enter(&r))
		return;
	a = get(r, "a");
	again = get(r, "a");
	b = get(r, "b");
	ck_assert_uint_eq(fn_rootfs_count(r), 2);
	ck_assert(device(a) == device(again));
	ck_assert(device(a) != device(b));
	ck_assert_int_eq(lock(a), 0);
	ck_assert_int_eq(lock(again), -1);
	ck_assert_int_eq(lock(b), 0);
	fn_rootfs_forget_tree(r, CODE);
	ck_assert_uint_eq(fn_rootfs_count(r), 0);
	fn_rootfs_free(r);
}
END_TEST

START_TEST(one_that_is_expected_is_there)
{
	struct fn_spec s = {.n_lowers = 2, .owner = "a", .lowers = {CODE, IMAGE}}, none = {.n_lowers = 2, .owner = "a", .lowers = {IMAGE, CODE "0"}};
	struct fn_spec ahead = {.n_lowers = 1, .lowers = {IMAGE}, .prestart = true};
	struct fn_rootfs *r;
	struct fn_err err;

	if (!enter(&r))
		return;
	ck_assert_int_eq(fn_rootfs_expect(r, &s, &err), 0);
	ck_assert_int_eq(fn_rootfs_expect(r, &s, &err), 0);
	ck_assert_uint_eq(fn_rootfs_count(r), 1);
	close(get(r, "a"));
	ck_assert_uint_eq(fn_rootfs_count(r), 1);
	ck_assert_int_eq(fn_rootfs_expect(r, &none, &err), -ENOENT);
	ck_assert_int_eq(fn_rootfs_expect(r, &ahead, &err), -EINVAL);
	ck_assert_uint_eq(fn_rootfs_count(r), 1);
	fn_rootfs_free(r);
}
END_TEST

START_TEST(one_whose_tree_has_been_lost_goes)
{
	struct fn_spec s = {.n_lowers = 2, .owner = "a", .lowers = {CODE, IMAGE}};
	struct fn_rootfs *r;
	struct fn_err err;

	if (!enter(&r))
		return;
	close(get(r, "a"));
	ck_assert_int_eq(rename(FN_ROOTFS_TREES "/" CODE, FN_ROOTFS_TREES "/lost"), 0);
	ck_assert_int_lt(fn_rootfs_get(r, &s, &err), 0);
	ck_assert_int_eq(err.kind, FN_ERR_TREES); /* it is unpacked again */
	ck_assert_uint_eq(fn_rootfs_count(r), 0);
	ck_assert_int_eq(rename(FN_ROOTFS_TREES "/lost", FN_ROOTFS_TREES "/" CODE), 0);
	close(get(r, "a"));
	fn_rootfs_free(r);
}
END_TEST

START_TEST(the_one_not_asked_for_the_longest_goes)
{
	struct fn_rootfs *r;
	int first, second;
	char owner[16];

	if (!enter(&r))
		return;
	first = get(r, "f0");
	second = get(r, "f1");
	for (int i = 2; i < FN_ROOTFS_KEPT; i++) {
		snprintf(owner, sizeof(owner), "f%d", i);
		close(get(r, owner));
	}
	ck_assert(device(get(r, "f0")) == device(first));
	ck_assert_uint_eq(fn_rootfs_count(r), FN_ROOTFS_KEPT);
	close(get(r, "one more"));
	ck_assert_uint_eq(fn_rootfs_count(r), FN_ROOTFS_KEPT);
	ck_assert(device(get(r, "f0")) == device(first));
	ck_assert_int_eq(lock(second), 0); /* whoever has it keeps it */
	ck_assert(device(get(r, "f1")) != device(second));
	ck_assert_uint_eq(fn_rootfs_count(r), FN_ROOTFS_KEPT);
	fn_rootfs_free(r);
}
END_TEST

TEST_MAIN("sandbox/rootfs", one_that_is_expected_is_there, one_whose_tree_has_been_lost_goes, an_owner_shares_its_root_with_nobody, the_one_not_asked_for_the_longest_goes)

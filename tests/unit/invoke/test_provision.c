#include "invoke/provision.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "invoke/invoker.h"
#include "pool/pool.h"
#include "unit/function.h"
#include "unit/main.h"
#include "unit/stored.h"

START_TEST(shares)
{
	struct fn_alias *a = fn_alias_new("live");

	a->version = strdup("1");
	ck_assert_int_eq(fn_provision_share("3", NULL, 5, "3"), 5);
	ck_assert_int_eq(fn_provision_share("3", NULL, 5, "4"), 0);
	ck_assert_int_eq(fn_provision_share("live", a, 5, "1"), 5);
	ck_assert_int_eq(fn_provision_share("live", a, 5, "live"), 0);
	a->other_version = strdup("2");
	for (int percent = 0; percent <= 100; percent++) {
		a->other_weight = percent / 100.0;
		for (int64_t n = 1; n < 20; n++) {
			int64_t one = fn_provision_share("live", a, n, "1"), two = fn_provision_share("live", a, n, "2");

			ck_assert_int_eq(one + two, n); /* none is lost */
			ck_assert(one >= 0 && two >= 0);
		}
	}
	a->other_weight = 0.1;
	ck_assert_int_eq(fn_provision_share("live", a, 10, "2"), 1);
	ck_assert_int_eq(fn_provision_share("live", a, 10, "3"), 0);
	fn_alias_free(a);
}
END_TEST

#define MANY 120

/* A function may have any number of versions with provisioned concurrency. */
START_TEST(many)
{
	struct fn_function *latest = unit_function("$LATEST");
	struct fn_pool_config c = {.env.runtimes = NULL};
	struct fn_backend_provisioned state;
	char dir[] = "provision-XXXXXX", version[16];
	struct fn_invoker *inv;
	struct fn_store *s;
	struct fn_pool *pool;
	struct fn_err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	ck_assert_int_eq(unit_store(fn_store_insert, s, latest, NULL), 0);
	fn_keep_defaults(&c.keep, FN_KEEP_FIXED);
	ck_assert_int_eq(fn_loop_new(&c.env.loop), 0);
	ck_assert_int_eq(fn_pool_new(&c, &pool, &err), 0);
	ck_assert_int_eq(fn_invoker_new(fn_pool_backend(pool), 1000, &inv), 0);
	for (int i = 1; i <= MANY; i++) {
		struct fn_function *f;

		snprintf(version, sizeof(version), "%d", i);
		f = unit_function(version);
		ck_assert_int_eq(unit_store(fn_store_publish, s, latest, f), 0);
		ck_assert_int_eq(unit_store(fn_store_set_provisioned, s, "f", version, 2), 0);
		fn_function_unref(f);
	}
	ck_assert_int_eq(fn_store_provisioned_sum(s, "f", NULL), 2 * MANY);
	ck_assert_int_eq(fn_store_provisioned_sum(s, "f", "1"), 2 * MANY - 2);
	ck_assert_int_eq(fn_provision_room(s, "f", "1", 1000), 1000 - 100 - (2 * MANY - 2));
	fn_provision_apply(inv, s, "f");
	for (int i = 1; i <= MANY; i++) {
		snprintf(version, sizeof(version), "%d", i);
		fn_invoker_provisioned(inv, fn_store_get(s, "f", version), &state);
		ck_assert_uint_eq(state.wanted, 2);
	}
	fn_invoker_free(inv);
	fn_pool_free(pool);
	fn_loop_free(c.env.loop);
	fn_function_unref(latest);
	fn_store_close(s);
}
END_TEST

TEST_MAIN("invoke/provision", shares, many)

#include "store/aliases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/main.h"
#include "unit/stored.h"

static char dir[] = "fnd-store-XXXXXX";

static struct fn_function *make(const char *version)
{
	struct fn_function *f = fn_function_new();

	f->name = strdup("f");
	f->version = strdup(version);
	return f;
}

static struct fn_store *store_with_3_versions(void)
{
	struct fn_function *latest = make("$LATEST");
	struct fn_store *s;
	struct fn_err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	ck_assert_int_eq(unit_store(fn_store_insert, s, latest, NULL), 0);
	for (char n[] = "1"; n[0] < '4'; n[0]++) {
		struct fn_function *v = make(n);

		ck_assert_int_eq(unit_store(fn_store_publish, s, latest, v), 0);
		fn_function_unref(v);
	}
	fn_function_unref(latest);
	return s;
}

static int set(struct fn_store *s, const char *name, const char *version, const char *other, double weight)
{
	struct fn_alias *a = fn_alias_new(name);
	int r;

	a->version = strdup(version);
	a->other_version = other ? strdup(other) : NULL;
	a->other_weight = weight;
	strcpy(a->revision_id, "r");
	r = unit_store(fn_store_set_alias, s, "f", a);
	if (r < 0)
		fn_alias_free(a);
	return r;
}

START_TEST(aliases_survive_reopening)
{
	struct fn_store *s = store_with_3_versions();
	struct fn_alias *page[10], *a;
	struct fn_err err;

	ck_assert_int_eq(set(s, "prod", "1", "2", 0.25), 0);
	ck_assert_int_eq(set(s, "beta", "$LATEST", NULL, 0), 0);
	ck_assert_int_eq(set(s, "dev", "2", NULL, 0), 0);
	ck_assert_int_eq(set(s, "dev", "3", NULL, 0), 0);
	ck_assert_int_eq(set(s, "bad", "4", NULL, 0), -ENOENT);
	ck_assert_int_eq(set(s, "bad", "1", "4", 0.5), -ENOENT);
	a = fn_alias_new("x");
	a->version = strdup("1");
	ck_assert_int_eq(unit_store(fn_store_set_alias, s, "absent", a), -ENOENT);
	fn_alias_free(a);
	for (int again = 0; again < 2; again++) {
		a = fn_store_alias(s, "f", "prod");
		ck_assert_str_eq(a->version, "1");
		ck_assert_str_eq(a->other_version, "2");
		ck_assert(a->other_weight == 0.25);
		ck_assert_str_eq(a->revision_id, "r");
		ck_assert_ptr_null(fn_store_alias(s, "f", "bad"));
		ck_assert_ptr_null(fn_store_alias(s, "absent", "prod"));
		ck_assert_uint_eq(fn_store_list_aliases(s, "f", NULL, NULL, page, 2), 2);
		ck_assert_str_eq(page[0]->name, "beta");
		ck_assert_str_eq(page[1]->name, "dev");
		ck_assert_ptr_null(page[1]->other_version);
		ck_assert_uint_eq(fn_store_list_aliases(s, "f", NULL, "dev", page, 10), 1);
		ck_assert_uint_eq(fn_store_list_aliases(s, "f", NULL, "dew", page, 10), 1);
		ck_assert_uint_eq(fn_store_list_aliases(s, "f", "2", NULL, page, 10), 1);
		ck_assert_str_eq(page[0]->name, "prod");
		ck_assert_str_eq(fn_store_resolve(s, "f", "dev")->version, "3");
		ck_assert_str_eq(fn_store_resolve(s, "f", "prod")->version, "1");
		ck_assert_str_eq(fn_store_resolve(s, "f", "2")->version, "2");
		ck_assert_str_eq(fn_store_resolve(s, "f", "$LATEST")->version, "$LATEST");
		ck_assert_str_eq(fn_store_resolve(s, "f", "")->version, "$LATEST");
		ck_assert_ptr_null(fn_store_resolve(s, "f", "none"));
		ck_assert_ptr_null(fn_store_resolve(s, "f", "9"));
		fn_store_close(s);
		ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	}
	/* a version stays as long as an alias names it, first or second */
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "2"), -EBUSY);
	ck_assert_ptr_nonnull(strstr(unit_err.msg, "prod"));
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "1"), -EBUSY);
	ck_assert_int_eq(unit_store(fn_store_delete_alias, s, "f", "prod"), 0);
	ck_assert_int_eq(unit_store(fn_store_delete_alias, s, "f", "prod"), -ENOENT);
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "1"), 0);
	/* aliases end with their function */
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f"), 0);
	fn_store_close(s);
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	ck_assert_ptr_null(fn_store_alias(s, "f", "dev"));
	fn_store_close(s);
}
END_TEST

TEST_MAIN("store/aliases", aliases_survive_reopening)

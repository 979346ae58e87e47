#include "store/concurrency.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/aliases.h"
#include "db/db.h"
#include "unit/function.h"
#include "unit/main.h"
#include "unit/stored.h"

static struct fn_err err;

static struct fn_store *with_a_version(void)
{
	struct fn_function *latest = unit_function("$LATEST"), *one = unit_function("1");
	struct fn_alias *a = fn_alias_new("live");
	struct fn_store *s = unit_open_store();

	ck_assert_int_eq(unit_store(fn_store_insert, s, latest, one), 0);
	a->version = strdup("1");
	ck_assert_int_eq(unit_store(fn_store_set_alias, s, "f", a), 0);
	fn_function_unref(latest);
	fn_function_unref(one);
	return s;
}

START_TEST(reserved)
{
	struct fn_store *s = with_a_version();

	ck_assert_int_eq(fn_store_reserved(s, "f"), -1);
	ck_assert_int_eq(unit_store(fn_store_set_reserved, s, "g", 1), -ENOENT);
	ck_assert_int_eq(unit_store(fn_store_set_reserved, s, "f", 0), 0);
	s = unit_reopen(s);
	ck_assert_int_eq(fn_store_reserved(s, "f"), 0);
	ck_assert_int_eq(unit_store(fn_store_set_reserved, s, "f", 7), 0);
	s = unit_reopen(s);
	ck_assert_int_eq(fn_store_reserved(s, "f"), 7);
	ck_assert_int_eq(fn_store_claims(s), 7);
	ck_assert_int_eq(unit_store(fn_store_set_reserved, s, "f", -1), 0);
	s = unit_reopen(s);
	ck_assert_int_eq(fn_store_reserved(s, "f"), -1);
	fn_store_close(s);
}
END_TEST

START_TEST(provisioned)
{
	struct fn_store *s = with_a_version();
	const struct fn_provisioned *page[4];

	ck_assert_int_eq(unit_store(fn_store_set_provisioned, s, "f", "2", 1), -ENOENT);
	ck_assert_int_eq(unit_store(fn_store_set_provisioned, s, "f", "1", 0), -ENOENT);
	ck_assert_int_eq(unit_store(fn_store_set_provisioned, s, "f", "live", 3), 0);
	ck_assert_int_eq(unit_store(fn_store_set_provisioned, s, "f", "1", 2), 0);
	s = unit_reopen(s);
	ck_assert_uint_eq(fn_store_list_provisioned(s, "f", NULL, page, 4), 2);
	ck_assert_str_eq(page[0]->qualifier, "1");
	ck_assert_int_eq(page[1]->requested, 3);
	ck_assert_uint_gt(page[1]->modified_us, 0);
	ck_assert_uint_eq(fn_store_list_provisioned(s, "f", "1", page, 4), 1);
	ck_assert_int_eq(fn_store_claim(s, "f"), 5);
	ck_assert_int_eq(unit_store(fn_store_set_reserved, s, "f", 9), 0);
	ck_assert_int_eq(fn_store_claim(s, "f"), 9);
	/* they go with what they are about */
	ck_assert_int_eq(unit_store(fn_store_delete_alias, s, "f", "live"), 0);
	ck_assert_ptr_null(fn_store_provisioned(s, "f", "live"));
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "1"), 0);
	ck_assert_ptr_null(fn_store_provisioned(s, "f", "1"));
	s = unit_reopen(s);
	ck_assert_uint_eq(fn_store_list_provisioned(s, "f", NULL, page, 4), 0);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f"), 0);
	s = unit_reopen(s);
	ck_assert_int_eq(fn_store_claims(s), 0);
	fn_store_close(s);
}
END_TEST

/* Deleted together or not at all: a row that cannot be deleted keeps the version or alias it is for. */
START_TEST(one_transaction)
{
	struct fn_store *s = with_a_version();
	sqlite3 *db;

	ck_assert_int_eq(unit_store(fn_store_set_provisioned, s, "f", "live", 3), 0);
	ck_assert_int_eq(sqlite3_open("fnd.db", &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_exec(db, "CREATE TRIGGER no BEFORE DELETE ON provisioned BEGIN SELECT RAISE(ABORT, 'no'); END", &err), 0);
	ck_assert_int_lt(unit_store(fn_store_delete_alias, s, "f", "live"), 0);
	for (int again = 0; again < 2; again++, s = unit_reopen(s)) {
		ck_assert_ptr_nonnull(fn_store_alias(s, "f", "live"));
		ck_assert_int_eq(fn_store_provisioned(s, "f", "live")->requested, 3);
	}
	ck_assert_int_eq(fn_db_exec(db, "DROP TRIGGER no", &err), 0);
	ck_assert_int_eq(unit_store(fn_store_delete_alias, s, "f", "live"), 0);
	ck_assert_int_eq(unit_store(fn_store_set_provisioned, s, "f", "1", 2), 0);
	ck_assert_int_eq(fn_db_exec(db, "CREATE TRIGGER no BEFORE DELETE ON provisioned BEGIN SELECT RAISE(ABORT, 'no'); END", &err), 0);
	ck_assert_int_lt(unit_store(fn_store_delete_version, s, "f", "1"), 0);
	s = unit_reopen(s);
	ck_assert_ptr_nonnull(fn_store_get(s, "f", "1"));
	ck_assert_int_eq(fn_store_provisioned(s, "f", "1")->requested, 2);
	sqlite3_close(db);
	fn_store_close(s);
}
END_TEST

TEST_MAIN("store/concurrency", reserved, provisioned, one_transaction)

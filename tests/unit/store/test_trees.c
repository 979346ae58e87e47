#include "store/trees.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "store/functions.h"
#include "unit/function.h"
#include "unit/main.h"
#include "unit/stored.h"

static struct fn_err err;

static void ck_tree(const struct fn_store *s, const char *name, enum fn_tree_state state, int64_t bytes)
{
	const struct fn_tree *t = fn_store_tree(s, name);

	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(t->state, state);
	ck_assert_int_eq(t->bytes, bytes);
}

START_TEST(the_life_of_a_tree)
{
	struct fn_store *s = unit_open_store();

	ck_assert_ptr_null(fn_store_tree(s, "img-a"));
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "img-a", 0), 0);
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "img-b", 5), 0);
	ck_tree(s, "img-a", FN_TREE_MAKING, 0);
	ck_assert_int_eq(fn_store_tree_bytes(s), 5);
	s = unit_reopen(s); /* killed before it was whole: it is to go */
	ck_tree(s, "img-a", FN_TREE_REMOVING, 0);
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "img-a", 0), 0);
	ck_tree(s, "img-a", FN_TREE_MAKING, 0);
	ck_assert_int_eq(unit_store(fn_store_forget_tree, s, "img-a"), -ENOENT); /* it is being made again */
	ck_assert_int_eq(fn_store_measured_tree(s, "img-a", 70), 0);
	ck_assert_int_eq(unit_store(fn_store_ready_tree, s, "img-a"), 0);
	ck_tree(s, "img-a", FN_TREE_READY, 70);
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "img-a", 0), 0); /* it is there */
	ck_tree(s, "img-a", FN_TREE_READY, 70);
	ck_assert_int_eq(fn_store_tree_bytes(s), 75);
	s = unit_reopen(s);
	ck_tree(s, "img-a", FN_TREE_READY, 70);
	ck_assert_int_eq(unit_store(fn_store_remove_tree, s, "img-a"), 0);
	s = unit_reopen(s);
	ck_tree(s, "img-a", FN_TREE_REMOVING, 70);
	ck_assert_int_eq(unit_store(fn_store_forget_tree, s, "img-a"), 0);
	ck_assert_int_eq(unit_store(fn_store_remove_tree, s, "img-a"), -ENOENT);
	ck_assert_int_eq(fn_store_measured_tree(s, "img-a", 1), -ENOENT);
	ck_assert_int_eq(fn_store_tree_bytes(s), 5);
	s = unit_reopen(s);
	ck_assert_ptr_null(fn_store_tree(s, "img-a"));
	fn_store_close(s);
}
END_TEST

START_TEST(what_a_layer_unpacks_to)
{
	static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct fn_store *s = unit_open_store();

	ck_assert_int_eq(fn_store_identified_tree(s, "oci-a", id), -ENOENT);
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "oci-a", 0), 0);
	ck_assert_int_eq(fn_store_identified_tree(s, "oci-a", ""), -EINVAL);
	ck_assert_int_eq(fn_store_identified_tree(s, "oci-a", id), 0);
	ck_assert_int_eq(unit_store(fn_store_ready_tree, s, "oci-a"), 0);
	s = unit_reopen(s);
	ck_tree(s, "oci-a", FN_TREE_READY, 0);
	ck_assert_str_eq(fn_store_tree(s, "oci-a")->diff_id, id);
	fn_store_close(s);
}
END_TEST

/* They become READY with the function or version that names them, in the same transaction. */
START_TEST(what_functions_name)
{
	struct fn_function *f = unit_function("$LATEST"), *v = unit_function("1");
	struct fn_store *s = unit_open_store();

	f->code_size = 9;
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "blob-ab", 9), 0);
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "code-ab", 0), 0);
	ck_assert_int_eq(fn_store_measured_tree(s, "code-ab", 33), 0);
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, NULL), 0);
	ck_tree(s, "code-ab", FN_TREE_READY, 33);
	ck_tree(s, "blob-ab", FN_TREE_READY, 9);
	v->snapshot_tree = strdup("snap-1");
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "snap-1", 0), 0);
	ck_assert_int_eq(fn_store_measured_tree(s, "snap-1", 5), 0);
	ck_assert_int_eq(unit_store(fn_store_publish, s, f, v), 0);
	ck_tree(s, "snap-1", FN_TREE_READY, 5);
	s = unit_reopen(s);
	ck_tree(s, "code-ab", FN_TREE_READY, 33);
	ck_tree(s, "blob-ab", FN_TREE_READY, 9);
	ck_tree(s, "snap-1", FN_TREE_READY, 5);
	/* two uploads of one package: the second's row comes after the first's function; a kill does not take it from that one */
	ck_assert_int_eq(unit_store(fn_store_remove_tree, s, "code-ab"), 0);
	ck_assert_int_eq(unit_store(fn_store_make_tree, s, "code-ab", 0), 0);
	s = unit_reopen(s);
	ck_tree(s, "code-ab", FN_TREE_READY, 0);
	fn_function_unref(f);
	fn_function_unref(v);
	fn_store_close(s);
}
END_TEST

/* As 2852b5b wrote it: what its functions name has rows, with the largest size that is known. */
START_TEST(a_database_of_schema_4)
{
	struct fn_store *s;
	sqlite3 *db;
	size_t it = 0;
	int n = 0;

	fn_store_close(unit_open_store());
	ck_assert_int_eq(sqlite3_open("fnd.db", &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_exec(db, "DROP TABLE trees; DROP TABLE layers; DROP TABLE layer_versions; DROP TABLE urls; DROP TABLE policies; DROP TABLE identities; DROP TABLE secrets; DROP TABLE recursion; DROP TABLE images; DROP TABLE image_names; DROP TABLE outbox; CREATE TABLE snapshots(tree TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO snapshots VALUES('snap-9');"
					"INSERT INTO functions VALUES('f', '$LATEST', 'aa', 7, '{\"unpacked_size\":0}');"
					"INSERT INTO functions VALUES('g', '$LATEST', 'aa', 7, '{\"unpacked_size\":50}');"
					"INSERT INTO functions VALUES('g', '1', 'bb', 8, '{}'); PRAGMA user_version=4",
				    &err), 0);
	sqlite3_close(db);
	s = unit_open_here();
	ck_tree(s, "code-aa", FN_TREE_READY, 50);
	ck_tree(s, "blob-aa", FN_TREE_READY, 7);
	ck_tree(s, "code-bb", FN_TREE_READY, 0);
	ck_tree(s, "blob-bb", FN_TREE_READY, 8);
	ck_tree(s, "snap-9", FN_TREE_READY, 0);
	while (fn_store_next_tree(s, &it))
		n++;
	ck_assert_int_eq(n, 5);
	fn_store_close(s);
}
END_TEST

TEST_MAIN("store/trees", the_life_of_a_tree, what_a_layer_unpacks_to, what_functions_name, a_database_of_schema_4)

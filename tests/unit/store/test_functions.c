#include "store/functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "store/trees.h"
#include "unit/main.h"
#include "unit/stored.h"

static char dir[] = "fnd-store-XXXXXX";

static struct fn_function *make(const char *name, const char *sha)
{
	struct fn_function *f = fn_function_new();

	f->name = strdup(name);
	f->version = strdup("$LATEST");
	f->runtime = strdup("python3.11");
	f->description = strdup("with \"quotes\" and \xc3\xa4");
	snprintf(f->code_sha256, sizeof(f->code_sha256), "%s", sha);
	f->code_size = 100;
	f->memory_mb = 256;
	f->state = FN_STATE_ACTIVE;
	f->env = calloc(2, sizeof(*f->env));
	f->env[0].name = strdup("K");
	f->env[0].value = strdup("v=1");
	f->n_env = 1;
	f->has_env = true;
	strcpy(f->revision_id, "11111111-1111-4111-8111-111111111111");
	return f;
}

START_TEST(functions_survive_reopening)
{
	struct fn_function *f, *g, *page[10];
	struct fn_store *s;
	struct fn_err err;
	uint64_t gen;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	for (int i = 9; i >= 0; i--) {
		char name[8];

		snprintf(name, sizeof(name), "f%d", i);
		f = make(name, i < 5 ? "aa" : "bb");
		ck_assert_int_eq(unit_store(fn_store_insert, s, f, NULL), 0);
		ck_assert_int_eq(unit_store(fn_store_insert, s, f, NULL), -EEXIST);
		fn_function_unref(f);
	}
	gen = fn_store_next_generation(s);
	ck_assert_uint_gt(fn_store_next_generation(s), gen);
	f = make("gone", "aa"); /* what was stored once is not given again, whatever became of it */
	f->generation = gen = fn_store_next_generation(s);
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, NULL), 0);
	fn_function_unref(f);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "gone"), 0);
	fn_store_close(s);

	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	ck_assert_uint_gt(fn_store_next_generation(s), gen);
	ck_assert_uint_eq(fn_store_count(s), 10);
	ck_assert_int_eq(fn_store_code_bytes(s), 1000);
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa"), 5);
	ck_assert_uint_eq(fn_store_list(s, NULL, page, 3), 3);
	ck_assert_str_eq(page[2]->name, "f2");
	ck_assert_uint_eq(fn_store_list(s, "f2", page, 10), 7);
	ck_assert_str_eq(page[0]->name, "f3");
	ck_assert_uint_eq(fn_store_list(s, "f2x", page, 10), 7);
	f = fn_store_get(s, "f4", NULL);
	ck_assert_str_eq(f->description, "with \"quotes\" and \xc3\xa4");
	ck_assert_str_eq(f->env[0].value, "v=1");
	ck_assert(f->has_env && f->memory_mb == 256 && f->state == FN_STATE_ACTIVE);
	ck_assert_ptr_null(f->handler);
	ck_assert_ptr_eq(fn_store_get(s, "f4", "$LATEST"), f);
	ck_assert_ptr_null(fn_store_get(s, "f4", "1"));
	g = fn_function_clone(f);
	g->memory_mb = 512;
	fn_function_ref(f); /* an invocation keeps the old one */
	ck_assert_int_eq(unit_store(fn_store_update, s, g), 0);
	ck_assert_int_eq(fn_store_get(s, "f4", NULL)->memory_mb, 512);
	ck_assert_int_eq(f->memory_mb, 256);
	fn_function_unref(f);
	fn_function_unref(g);
	g = make("absent", "cc");
	ck_assert_int_eq(unit_store(fn_store_update, s, g), -ENOENT);
	fn_function_unref(g);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f4"), 0);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f4"), -ENOENT);
	fn_store_close(s);
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	ck_assert_uint_eq(fn_store_count(s), 9);
	ck_assert_int_eq(fn_store_get(s, "f5", NULL)->memory_mb, 256);
	fn_store_close(s);
}
END_TEST

static struct fn_function *version_of(const struct fn_function *latest, const char *number)
{
	struct fn_function *v = fn_function_clone(latest);

	free(v->version);
	v->version = strdup(number);
	v->latest_description = strdup(latest->description);
	return v;
}

static void publish(struct fn_store *s, const char *name, const char *number)
{
	struct fn_function *latest = fn_function_clone(fn_store_get(s, name, NULL)), *v = version_of(latest, number);

	ck_assert_uint_eq(fn_store_next_version(s, name), strtoull(number, NULL, 10));
	ck_assert_int_eq(unit_store(fn_store_publish, s, latest, v), 0);
	fn_function_unref(latest);
	fn_function_unref(v);
}

static struct fn_store *reopen(struct fn_store *s)
{
	struct fn_err err;

	fn_store_close(s);
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	return s;
}

/* An update that is InProgress: what it replaces serves, and its package is needed, until the update settles or the store is opened anew. */
START_TEST(what_serves_during_an_update)
{
	struct fn_function *f, *g, *old;
	struct fn_store *s;
	struct fn_err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	f = make("f", "aa");
	f->update_status = FN_UPDATE_SUCCESSFUL;
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, NULL), 0);
	fn_function_unref(f);
	for (int ends = 0; ends < 4; ends++) {
		old = fn_store_get(s, "f", NULL);
		ck_assert_ptr_eq(fn_store_serving(s, old), old);
		f = fn_function_clone(old);
		strcpy(f->code_sha256, ends % 2 ? "aa" : "bb");
		fn_function_unsettle(f, false);
		ck_assert(fn_function_settling(f));
		ck_assert_int_eq(unit_store(fn_store_update, s, f), 0);
		ck_assert_ptr_eq(fn_store_get(s, "f", NULL), f);
		ck_assert_ptr_eq(fn_store_serving(s, f), old);
		ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa"), 1);
		ck_assert_uint_eq(fn_store_tree_refs(s, "code-bb"), 1);
		ck_assert_int_eq(fn_store_code_bytes(s), 100); /* it counts once */
		g = fn_function_clone(f); /* a tag, say */
		ck_assert_int_eq(unit_store(fn_store_update, s, g), 0);
		ck_assert_ptr_eq(fn_store_serving(s, g), old);
		fn_function_unref(f);
		if (ends < 2) {
			f = fn_function_clone(g);
			fn_function_settle(f);
			ck_assert_int_eq(unit_store(fn_store_update, s, f), 0);
			fn_function_unref(f);
		} else {
			s = reopen(s);
		}
		fn_function_unref(g);
		f = fn_store_get(s, "f", NULL);
		ck_assert_ptr_eq(fn_store_serving(s, f), f);
		ck_assert(f->state == FN_STATE_ACTIVE && f->update_status == FN_UPDATE_SUCCESSFUL && !f->update_reason && !fn_function_settling(f));
		ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa") + fn_store_tree_refs(s, "code-bb"), 1);
	}
	/* deleted in the midst of it */
	f = fn_function_clone(fn_store_get(s, "f", NULL));
	fn_function_unsettle(f, false);
	ck_assert_int_eq(unit_store(fn_store_update, s, f), 0);
	fn_function_unref(f);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f"), 0);
	ck_assert_int_eq(fn_store_code_bytes(s), 0);
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa") + fn_store_tree_refs(s, "code-bb"), 0);
	ck_assert_ptr_null(fn_store_serving(s, NULL));
	fn_store_close(s);
}
END_TEST

START_TEST(versions)
{
	struct fn_function *f, *v, *page[40];
	struct fn_store *s;
	struct fn_err err;
	char number[8];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	f = make("f", "aa");
	v = version_of(f, "1");
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, v), 0); /* published at once */
	fn_function_unref(v);
	fn_function_unref(f);
	f = make("g", "aa");
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, NULL), 0);
	fn_function_unref(f);
	ck_assert_uint_eq(fn_store_next_version(s, "g"), 1);
	for (int i = 2; i <= 12; i++) { /* 10 comes after 9 */
		snprintf(number, sizeof(number), "%d", i);
		publish(s, "f", number);
	}
	v = version_of(fn_store_get(s, "f", NULL), "12");
	ck_assert_int_eq(unit_store(fn_store_publish, s, fn_store_get(s, "f", NULL), v), -EINVAL);
	fn_function_unref(v);
	v = make("absent", "aa");
	ck_assert_int_eq(unit_store(fn_store_publish, s, v, v), -ENOENT);
	fn_function_unref(v);
	for (int again = 0; again < 2; again++, s = reopen(s)) {
		ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa"), 14);
		ck_assert_int_eq(fn_store_code_bytes(s), 1400);
		ck_assert_uint_eq(fn_store_count(s), 2);
		ck_assert_uint_eq(fn_store_list(s, NULL, page, 40), 2);
		ck_assert_str_eq(fn_store_get(s, "f", "10")->version, "10");
		ck_assert_str_eq(fn_store_get(s, "f", "10")->latest_description, "with \"quotes\" and \xc3\xa4");
		ck_assert_ptr_null(fn_store_get(s, "f", "13"));
		ck_assert_ptr_null(fn_store_get(s, "f", "01"));
		ck_assert_ptr_null(fn_store_get(s, "f", "0"));
		ck_assert_ptr_null(fn_store_get(s, "f", "x"));
		ck_assert_ptr_null(fn_store_get(s, "g", "1"));
		ck_assert_str_eq(fn_store_last_version(s, "f")->version, "12");
		ck_assert_ptr_null(fn_store_last_version(s, "g"));
		ck_assert_uint_eq(fn_store_list_versions(s, "f", NULL, NULL, page, 5), 5);
		ck_assert_str_eq(page[0]->version, "$LATEST");
		ck_assert_str_eq(page[4]->version, "4");
		ck_assert_uint_eq(fn_store_list_versions(s, "f", "f", "9", page, 40), 3);
		ck_assert_str_eq(page[0]->version, "10");
		ck_assert_uint_eq(fn_store_list_versions(s, "f", "f", "$LATEST", page, 40), 12);
		ck_assert_uint_eq(fn_store_list_versions(s, NULL, NULL, NULL, page, 40), 14);
		ck_assert_uint_eq(fn_store_list_versions(s, NULL, "f", "11", page, 40), 2);
		ck_assert_str_eq(page[1]->name, "g");
		ck_assert_uint_eq(fn_store_list_versions(s, "absent", NULL, NULL, page, 40), 0);
	}
	/* a version changes neither with $LATEST nor with the other versions */
	f = fn_function_clone(fn_store_get(s, "f", NULL));
	f->memory_mb = 999;
	strcpy(f->code_sha256, "bb");
	ck_assert(!fn_function_unchanged(f, fn_store_last_version(s, "f")));
	ck_assert_int_eq(unit_store(fn_store_update, s, f), 0);
	fn_function_unref(f);
	ck_assert_int_eq(fn_store_get(s, "f", "12")->memory_mb, 256);
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa"), 13);
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-bb"), 1);
	/* numbers are never reused, not even after a restart; the whole function's end ends that too */
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "12"), 0);
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "12"), -ENOENT);
	ck_assert_int_eq(unit_store(fn_store_delete_version, s, "f", "$LATEST"), -ENOENT);
	ck_assert_ptr_null(fn_store_last_version(s, "f"));
	ck_assert_uint_eq(fn_store_next_version(s, "f"), 13);
	s = reopen(s);
	ck_assert_ptr_null(fn_store_get(s, "f", "12"));
	publish(s, "f", "13");
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-bb"), 2);
	ck_assert_int_eq(unit_store(fn_store_delete, s, "f"), 0);
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-bb"), 0);
	ck_assert_uint_eq(fn_store_tree_refs(s, "code-aa"), 1);
	s = reopen(s);
	ck_assert_ptr_null(fn_store_get(s, "f", "3"));
	ck_assert_uint_eq(fn_store_next_version(s, "f"), 1);
	fn_store_close(s);
}
END_TEST

/* As the first release wrote it. */
START_TEST(a_database_of_schema_1_is_upgraded)
{
	struct fn_store *s;
	struct fn_err err;
	char path[64];
	sqlite3 *db;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fnd.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
		fn_db_exec(db,
			   "CREATE TABLE functions(name TEXT NOT NULL, version TEXT NOT NULL, code_sha256 TEXT NOT NULL, code_size INTEGER NOT NULL,"
			   " config TEXT NOT NULL, PRIMARY KEY(name, version)) WITHOUT ROWID;"
			   "CREATE INDEX functions_by_code ON functions(code_sha256);"
			   "CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
			   "INSERT INTO counters VALUES('generation', 1000);"
			   "INSERT INTO functions VALUES('old', '$LATEST', 'aa', 7, '{\"runtime\":\"python3.11\",\"memory_mb\":128,\"description\":\"\"}');"
			   "PRAGMA user_version=1",
			   &err),
		0);
	sqlite3_close(db);
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	ck_assert_int_eq(fn_store_get(s, "old", NULL)->memory_mb, 128);
	ck_assert_uint_gt(fn_store_next_generation(s), 1000);
	publish(s, "old", "1");
	s = reopen(s);
	ck_assert_str_eq(fn_store_get(s, "old", "1")->runtime, "python3.11");
	fn_store_close(s);
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
	struct fn_store *s;
	struct fn_err err;
	char path[64];
	sqlite3 *db;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fnd.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_exec(db, "CREATE TABLE t(x); PRAGMA user_version=1000", &err), 0);
	sqlite3_close(db);
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer"));
}
END_TEST

START_TEST(a_directory_that_is_not_there)
{
	struct fn_store *s;
	struct fn_err err;

	ck_assert_int_lt(fn_store_open("/nonexistent/dir", unit_loop(), &s, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/dir"));
}
END_TEST

START_TEST(snapshots)
{
	struct fn_function *f, *v;
	struct fn_store *s;
	struct fn_err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fn_store_open(dir, unit_loop(), &s, &err), 0);
	f = make("f", "aa");
	f->snap_start = true;
	v = version_of(f, "1");
	v->snapshot_tree = strdup("snap-1");
	v->snapshot_host = strdup("host");
	ck_assert(fn_function_unchanged(f, v));
	f->snap_start = false;
	ck_assert(!fn_function_unchanged(f, v));
	f->snap_start = true;
	ck_assert_int_eq(unit_store(fn_store_insert, s, f, v), 0);
	fn_function_unref(f);
	fn_function_unref(v);
	s = reopen(s);
	v = fn_store_get(s, "f", "1");
	ck_assert(v->snap_start && strcmp(v->snapshot_tree, "snap-1") == 0 && strcmp(v->snapshot_host, "host") == 0 && !v->snapshot_off);
	fn_store_close(s);
}
END_TEST

TEST_MAIN("store/functions", functions_survive_reopening, what_serves_during_an_update, versions, snapshots, a_database_of_schema_1_is_upgraded, a_newer_schema_is_refused, a_directory_that_is_not_there)

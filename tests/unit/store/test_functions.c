#include "store/functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"
#include "unit/main.h"

static char dir[] = "/tmp/fnd-store-XXXXXX";

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
	ck_assert_int_eq(fn_store_open(dir, &s, &err), 0);
	for (int i = 9; i >= 0; i--) {
		char name[8];

		snprintf(name, sizeof(name), "f%d", i);
		f = make(name, i < 5 ? "aa" : "bb");
		ck_assert_int_eq(fn_store_insert(s, f, &err), 0);
		ck_assert_int_eq(fn_store_insert(s, f, &err), -EEXIST);
		fn_function_unref(f);
	}
	gen = fn_store_next_generation(s);
	ck_assert_uint_gt(fn_store_next_generation(s), gen);
	gen = fn_store_next_generation(s);
	fn_store_close(s);

	ck_assert_int_eq(fn_store_open(dir, &s, &err), 0);
	ck_assert_uint_gt(fn_store_next_generation(s), gen);
	ck_assert_uint_eq(fn_store_count(s), 10);
	ck_assert_int_eq(fn_store_code_bytes(s), 1000);
	ck_assert_uint_eq(fn_store_code_refs(s, "aa"), 5);
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
	ck_assert_int_eq(fn_store_update(s, g, &err), 0);
	ck_assert_int_eq(fn_store_get(s, "f4", NULL)->memory_mb, 512);
	ck_assert_int_eq(f->memory_mb, 256);
	fn_function_unref(f);
	fn_function_unref(g);
	g = make("absent", "cc");
	ck_assert_int_eq(fn_store_update(s, g, &err), -ENOENT);
	fn_function_unref(g);
	ck_assert_int_eq(fn_store_delete(s, "f4", &err), 0);
	ck_assert_int_eq(fn_store_delete(s, "f4", &err), -ENOENT);
	fn_store_close(s);
	ck_assert_int_eq(fn_store_open(dir, &s, &err), 0);
	ck_assert_uint_eq(fn_store_count(s), 9);
	ck_assert_int_eq(fn_store_get(s, "f5", NULL)->memory_mb, 256);
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
	ck_assert_int_eq(fn_db_open(path, &db, &err), 0);
	ck_assert_int_eq(fn_db_exec(db, "PRAGMA user_version=1000", &err), 0);
	sqlite3_close(db);
	ck_assert_int_eq(fn_store_open(dir, &s, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer"));
}
END_TEST

START_TEST(a_directory_that_is_not_there)
{
	struct fn_store *s;
	struct fn_err err;

	ck_assert_int_lt(fn_store_open("/nonexistent/dir", &s, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/dir"));
}
END_TEST

TEST_MAIN("store/functions", functions_survive_reopening, a_newer_schema_is_refused, a_directory_that_is_not_there)

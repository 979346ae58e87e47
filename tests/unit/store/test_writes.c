/* Writes under way: what readers see, who waits, and what a commit that fails leaves. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "store/aliases.h"
#include "store/concurrency.h"
#include "unit/function.h"
#include "unit/main.h"
#include "unit/stored.h"

static struct fn_store *store;
static struct fn_err err;

/* Everything that is written to this table fails; NULL: no more. */
static void refuse(const char *table)
{
	char sql[200] = "DROP TRIGGER no";
	sqlite3 *db;

	if (table)
		snprintf(sql, sizeof(sql), "CREATE TRIGGER no BEFORE INSERT ON %s BEGIN SELECT RAISE(ABORT, 'no'); END", table);
	ck_assert_int_eq(sqlite3_open("fnd.db", &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	ck_assert_int_eq(fn_db_exec(db, sql, &err), 0);
	sqlite3_close(db);
}

static struct fn_function *changed(int memory)
{
	struct fn_function *f = fn_function_clone(fn_store_get(store, "f", NULL));

	f->memory_mb = memory;
	return f;
}

static int begin_update(int memory)
{
	struct fn_function *f = changed(memory);
	int r = fn_store_update(store, f, unit_stored, NULL, &err);

	fn_function_unref(f);
	return r;
}

START_TEST(readers_see_what_is_on_disk)
{
	struct fn_function *f = unit_function("$LATEST");

	store = unit_open_store();
	f->code_size = 10;
	unit_result = 1;
	ck_assert_int_eq(fn_store_insert(store, f, NULL, unit_stored, NULL, &err), 0);
	ck_assert(fn_store_taken(store, "f"));
	ck_assert_ptr_null(fn_store_get(store, "f", NULL));
	ck_assert_int_eq(fn_store_insert(store, f, NULL, unit_stored, NULL, &err), -EAGAIN);
	ck_assert_int_eq(fn_store_set_reserved(store, "f", 1, unit_stored, NULL, &err), -EAGAIN);
	ck_assert_int_eq(fn_store_code_bytes(store), 10); /* it counts already */
	ck_assert_uint_eq(fn_store_count(store), 0);
	fn_store_drain(store);
	ck_assert_int_eq(unit_result, 0);
	ck_assert_ptr_eq(fn_store_get(store, "f", NULL), f);
	ck_assert_int_eq(fn_store_code_bytes(store), 10);
	ck_assert(!fn_store_taken(store, "f"));
	ck_assert_int_eq(begin_update(200), 0);
	ck_assert_int_ne(fn_store_get(store, "f", NULL)->memory_mb, 200);
	fn_store_drain(store);
	ck_assert_int_eq(fn_store_get(store, "f", NULL)->memory_mb, 200);
	fn_function_unref(f);
	fn_store_close(store);
}
END_TEST

START_TEST(a_write_that_fails_leaves_nothing)
{
	struct fn_function *f = unit_function("$LATEST"), *v = unit_function("1");

	store = unit_open_store();
	f->code_size = v->code_size = 10;
	refuse("published"); /* the second of two rows */
	ck_assert_int_eq(unit_store(fn_store_insert, store, f, v), -EIO);
	ck_assert_ptr_null(fn_store_get(store, "f", NULL));
	ck_assert(!fn_store_taken(store, "f"));
	ck_assert_int_eq(fn_store_code_bytes(store), 0);
	refuse(NULL);
	ck_assert_int_eq(unit_store(fn_store_insert, store, f, NULL), 0);
	refuse("reserved");
	ck_assert_int_eq(fn_store_set_reserved(store, "f", 70, unit_stored, NULL, &err), 0);
	ck_assert_int_eq(fn_store_claims(store), 70); /* nobody else is to have that part of the account meanwhile */
	ck_assert_int_eq(fn_store_claim(store, "f"), 0);
	fn_store_drain(store);
	ck_assert_int_eq(unit_result, -EIO);
	ck_assert_int_eq(fn_store_claims(store), 0);
	refuse(NULL);
	ck_assert_int_eq(unit_store(fn_store_set_reserved, store, "f", 70), 0);
	ck_assert_int_eq(fn_store_claims(store), 70);
	ck_assert_int_eq(fn_store_set_reserved(store, "f", 60, unit_stored, NULL, &err), 0);
	ck_assert_int_eq(fn_store_claims(store), 70); /* nor before it is given back */
	fn_store_drain(store);
	ck_assert_int_eq(fn_store_claims(store), 60);
	fn_function_unref(f);
	fn_function_unref(v);
	fn_store_close(store);
}
END_TEST

/* --- turns --- */
static char said[64];
struct waiter {
	struct fn_store_turn turn;
	char letter;
	int writes; /* this as memory size; 0 = nothing */
};

static void on_turn(void *arg)
{
	struct waiter *w = arg;

	ck_assert(!fn_store_taken(store, "f"));
	strncat(said, &w->letter, 1);
	if (w->writes)
		ck_assert_int_eq(begin_update(w->writes), 0);
}

static void wait_as(struct waiter *w, char letter, int writes)
{
	*w = (struct waiter){.turn = {.function = "f", .fn = on_turn, .arg = w}, .letter = letter, .writes = writes};
	fn_store_wait(store, &w->turn);
}

START_TEST(turns)
{
	struct fn_function *f = unit_function("$LATEST");
	struct waiter w[6];

	store = unit_open_store();
	ck_assert_int_eq(unit_store(fn_store_insert, store, f, NULL), 0);
	wait_as(&w[0], 'a', 1); /* nobody is there: at once */
	ck_assert_str_eq(said, "a");
	wait_as(&w[1], 'b', 0);
	wait_as(&w[2], 'c', 3);
	wait_as(&w[3], 'd', 0);
	wait_as(&w[4], 'e', 5);
	wait_as(&w[5], 'f', 0);
	fn_list_remove(&w[3].turn.link); /* it does not want to any more */
	ck_assert_str_eq(said, "a");
	fn_store_drain(store);
	ck_assert_str_eq(said, "abcef");
	ck_assert_int_eq(fn_store_get(store, "f", NULL)->memory_mb, 5);
	/* also after one that fails, and after the function's end */
	refuse("functions");
	wait_as(&w[0], 'g', 7);
	wait_as(&w[1], 'h', 0);
	fn_store_drain(store);
	ck_assert_str_eq(said, "abcefgh");
	ck_assert_int_eq(fn_store_get(store, "f", NULL)->memory_mb, 5);
	ck_assert_int_eq(fn_store_delete(store, "f", unit_stored, NULL, &err), 0);
	wait_as(&w[2], 'i', 0);
	fn_store_drain(store);
	ck_assert_str_eq(said, "abcefghi");
	ck_assert_ptr_null(fn_store_get(store, "f", NULL));
	fn_function_unref(f);
	fn_store_close(store);
}
END_TEST

/* Many functions at once, in whatever order their names are: each has its place. */
START_TEST(many_inserts_under_way)
{
	struct fn_function *page[300];

	store = unit_open_store();
	for (int i = 0; i < 300; i++) {
		struct fn_function *f = unit_function("$LATEST");
		char name[16];

		snprintf(name, sizeof(name), "f%03d", (i * 7) % 300);
		free(f->name);
		f->name = strdup(name);
		ck_assert_int_eq(fn_store_insert(store, f, NULL, unit_stored, NULL, &err), 0);
		fn_function_unref(f);
	}
	store = unit_reopen(store); /* the end waits for them */
	ck_assert_uint_eq(fn_store_list(store, NULL, page, 300), 300);
	ck_assert_str_eq(page[299]->name, "f299");
	fn_store_close(store);
}
END_TEST

TEST_MAIN("store/writes", readers_see_what_is_on_disk, a_write_that_fails_leaves_nothing, turns, many_inserts_under_way)

/* run.c - see run.h. */
#include "db/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Pages of the write-ahead log. The checkpointer copies what there is beside a writer that goes on, so that the log begins anew only when that rests
 * for a moment; where it never does, the writer copies the remainder itself. */
#define CHECKPOINT_PAGES 1000
#define CHECKPOINT_PAGES_MOST 8000
#define CHECKPOINT_PAGES_FULL 200 /* where there is hardly any room: it copies at once */
/* Free pages that may stay in the file, and how many are given back at a time, while nothing is to be written. */
#define FREE_PAGES 256
#define FREE_PAGES_AT_ONCE 64
#define RECORD_WAITS 2 /* a record is for so many that wait: where more do, one sync of the log is enough for all of them, and costs less than both */
/* Room on the disk for what is written while what is there already is brought to an end, beside the copy of the log. */
#define ROOM_BYTES (4u << 20)

enum { BEGIN, COMMIT, SAVE, RELEASE, STATEMENTS };

static int statement(struct fn_db_run *run, int which, struct fn_err *err)
{
	static const char *const text[] = {[BEGIN] = "BEGIN IMMEDIATE", [COMMIT] = "COMMIT", [SAVE] = "SAVEPOINT one", [RELEASE] = "RELEASE one"};
	sqlite3_stmt **st = &run->statements[which];
	int r = *st ? SQLITE_OK : sqlite3_prepare_v3(run->db, text[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(*st);
	if (r == SQLITE_DONE) {
		(void)sqlite3_reset(*st);
		return 0;
	}
	r = fn_db_failed(run->db, "database", err);
	if (which == COMMIT)
		fn_db_check_sync(run->db);
	(void)sqlite3_reset(*st);
	return r;
}

/* False: with it all of the transaction is undone, as SQLite does when the disk is full in the midst of a statement. */
static bool run_one(struct fn_db_run *run, struct fn_db_write *one)
{
	one->result = statement(run, SAVE, &one->err);
	if (one->result == 0)
		one->result = one->run(one, run->db, &one->err);
	if (one->result == 0)
		one->result = statement(run, RELEASE, &one->err);
	if (one->result < 0 && !sqlite3_get_autocommit(run->db))
		(void)fn_db_exec(run->db, "ROLLBACK TO one; RELEASE one", NULL);
	return !sqlite3_get_autocommit(run->db);
}

static void fail(struct fn_list *batch, const struct fn_err *why)
{
	fn_list_for_each(l, batch)
	{
		struct fn_db_write *one = fn_list_entry(l, struct fn_db_write, link);

		if (one->result < 0)
			continue;
		one->result = -why->code;
		one->err = *why;
	}
}

void fn_db_run_transaction(struct fn_db_run *run, struct fn_list *queue, uint64_t record, struct fn_list *batch)
{
	struct fn_err err;
	int r = statement(run, BEGIN, &err);
	bool whole = true;

	fn_list_init(batch);
	while (!fn_list_empty(queue) && whole) {
		struct fn_db_write *one = fn_list_entry(fn_list_first(queue), struct fn_db_write, link);

		fn_list_remove(&one->link);
		fn_list_push_back(batch, &one->link);
		one->result = 0;
		one->record = record;
		if (r == 0)
			whole = run_one(run, one);
		if (!whole) {
			err = one->err;
			r = one->result;
		}
	}
	if (r == 0)
		r = statement(run, COMMIT, &err);
	if (r < 0 && !sqlite3_get_autocommit(run->db)) /* a full disk may have undone it already */
		(void)fn_db_exec(run->db, "ROLLBACK", NULL);
	if (r < 0) {
		fail(batch, &err);
		run->room = FN_DB_ROOM_UNKNOWN;
	}
	run->full = run->full || r == -ENOSPC;
	}

/* Not where the disk was full: what is refused then is not to be done later. */
bool fn_db_run_record(struct fn_db_run *run, struct fn_list *queue)
{
	unsigned n_waiting = 0;

	if (!run->redo || run->no_records || run->full || fn_db_run_short_of_room(run))
		return false;
	fn_db_redo_begin(run->redo);
	fn_list_for_each(l, queue)
	{
		struct fn_db_write *one = fn_list_entry(l, struct fn_db_write, link);
		struct iovec v[FN_DB_REDO_PIECES];
		int n;

		if (one->early || one->lazy)
			continue;
		n = one->redo && ++n_waiting <= RECORD_WAITS ? one->redo(one, v) : 0;
		if (n == 0 || !fn_db_redo_add(run->redo, v, n))
			return false;
	}
	return n_waiting > 0;
}

static int on_log(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct fn_db_run *run = arg;

	(void)db;
	(void)name;
	run->log_pages = pages;
	return SQLITE_OK;
}

bool fn_db_run_short_of_room(struct fn_db_run *run)
{
	struct statvfs v;

	if (run->room == FN_DB_ROOM_UNKNOWN)
		run->room = statvfs(run->path, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < (uint64_t)run->log_pages * (uint64_t)run->page_bytes + ROOM_BYTES ? FN_DB_ROOM_SHORT : FN_DB_ROOM_ENOUGH;
	return run->room == FN_DB_ROOM_SHORT;
}

bool fn_db_run_look_after_log(struct fn_db_run *run)
{
	bool full;

	if (run->log_pages < run->asked_at) /* it has begun anew */
		run->asked_at = 0;
	/* of a log that has been copied the place is used again */
	full = run->full || (run->log_pages - run->asked_at >= CHECKPOINT_PAGES_FULL && fn_db_run_short_of_room(run));
	run->full = false;
	run->room = FN_DB_ROOM_UNKNOWN;
	if (run->log_pages - run->asked_at < CHECKPOINT_PAGES && !full)
		return false;
	run->asked_at = run->log_pages;
	if (run->log_pages >= CHECKPOINT_PAGES_MOST || full) {
		if (sqlite3_wal_checkpoint_v2(run->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
			fn_db_check_sync(run->db);
		return false;
	}
	return true;
}

bool fn_db_run_give_pages_back(struct fn_db_run *run)
{
	int64_t n = 0;
	char sql[64];

	if (fn_db_number(run->db, "PRAGMA freelist_count", &n, NULL) < 0 || n <= FREE_PAGES)
		return false;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", FREE_PAGES_AT_ONCE);
	if (fn_db_exec(run->db, sql, NULL) == 0)
		return true;
	fn_db_check_sync(run->db);
	return false;
}

/* With the log open: it is from the first read on. */
int fn_db_run_open(struct fn_db_run *run, const char *path, sqlite3 *db, struct fn_err *err)
{
	int64_t n;
	int r;

	run->db = db;
	run->path = strdup(path);
	(void)sqlite3_wal_hook(db, on_log, run); /* instead of SQLite's own, which has the writer do the checkpoints */
	r = run->path ? fn_db_exec(db, "PRAGMA synchronous=NORMAL", err) : fn_err_set(err, ENOMEM, "database", NULL);
	if (r == 0)
		r = fn_db_number(db, "SELECT count(*) FROM sqlite_master", &n, err);
	return r < 0 ? r : fn_db_number(db, "PRAGMA page_size", &run->page_bytes, err);
}

void fn_db_run_close(struct fn_db_run *run)
{
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(run->statements[i]);
	fn_db_redo_free(run->redo);
	sqlite3_close(run->db);
	free(run->path);
}

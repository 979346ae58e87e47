/*
 * writer.h - a database's writer: threads that wait for the disk, so that the loop does not.
 *
 * What is to be written is a closure. Those that have gathered run in one transaction, one after the other, each in a savepoint of its own: one that fails is
 * undone alone; a commit that fails undoes them all. The outcome comes back to the loop, in the order of the closures, when it is on disk. While that is waited for the
 * next ones run already: they see what is not on disk yet. A sync that fails ends the process (FN_DB_EXIT_IO). Checkpoints are another thread's, with a connection of its own.
 * With a redo log (redo.h) a batch in which all that somebody waits for can be done again from there is on disk when its record is, which is written while the batch still runs.
 */
#ifndef FN_DB_WRITER_H
#define FN_DB_WRITER_H

#include <stdbool.h>

#include "base/list.h"
#include "base/loop.h"
#include "db/db.h"
#include "db/redo.h"

struct fn_db_writer;

#define FN_DB_LAZY_US 10000u
#define FN_DB_REDO_PIECES 4 /* of an entry, at most */

/* Part of what the caller has; the writer's from fn_db_write() until `done` is called. */
struct fn_db_write {
	/* In a writer's thread, within the transaction: may read and write the database and what belongs to this closure, nothing else. 0, or -errno
	 * with err set. */
	int (*run)(struct fn_db_write *w, sqlite3 *db, struct fn_err *err);
	/* In the loop's: err NULL = it is on disk. May free it, and write more. */
	void (*done)(struct fn_db_write *w, const struct fn_err *err);
	/* Nobody waits for it: it goes with the next that somebody waits for, or by itself after FN_DB_LAZY_US, and no thread is woken for it before. What is done with it in the order
	 * of the closures holds all the same. Where what it goes with is on disk in the redo log only, a power cut may undo it after it was told, as `early`. */
	bool lazy;
	/* It is told when it is committed into the log, before that is synced, and before what comes earlier in the order and waits for that. It outlives the process then; a power cut
	 * within the next FN_DB_LAZY_US may undo it, with all that was committed after it and nothing before. */
	bool early;
	/* In a writer's thread, when it is on disk and was done: for what need not wait until the loop has its turn. At once where few have waited, else not at all: `done` comes all the
	 * same, after it. NULL: nothing. */
	void (*synced)(struct fn_db_write *w);
	/* In a writer's thread, before run(): the pieces of an entry of the redo log, from which the same can be done again; they stay as they are until run() has returned. Returns
	 * how many; 0, or NULL here: it cannot, and the database's own log is waited for. One whose run() failed may be done all the same after a power cut. */
	int (*redo)(struct fn_db_write *w, struct iovec v[FN_DB_REDO_PIECES]);
	uint64_t record; /* for run(): the number of the redo log's record that it is in, or goes with; 0 = none */
	/* the writer's */
	struct fn_list link;
	int result;
	struct fn_err err;
};

/* db: of fn_db_open(path, ...), the writer's alone from here on; it is closed with the writer, also when this fails. */
int fn_db_writer_new(struct fn_loop *loop, const char *path, sqlite3 *db, struct fn_db_writer **ret, struct fn_err *err);
/* Before anything is written: with the redo log beside the database, of which what that does not have is done now: fn_db_redo_open(). */
int fn_db_writer_use_redo(struct fn_db_writer *w, sqlite3 *db, uint64_t last, fn_db_replay_fn *replay, void *arg, struct fn_err *err);
/* fn_loop_run() of its loop, for a process in which no thread but the writer's and this one is the loop's: where one client waits, the thread that has read what is to be written
 * writes it itself, and one that rests is the loop's meanwhile: one wake less. Callbacks of the loop come from any of these threads, one at a time. */
int fn_db_writer_run_loop(struct fn_db_writer *w);
/* For run(): has the disk less room than the log may need to be copied, and what brings to an end what is there already? What only adds is to be refused then
 * (-ENOSPC), so that the rest goes on. Looked at once in a batch. */
bool fn_db_writer_short_of_room(struct fn_db_writer *w);
/* At the end of this round of the loop it is handed to them, with all else of the round. */
void fn_db_write(struct fn_db_writer *w, struct fn_db_write *what);
/* Are there closures whose outcome has not been told? */
bool fn_db_writer_busy(const struct fn_db_writer *w);
/* At the end: waits for the disk, and tells the outcomes, until nothing is left to be written. */
void fn_db_writer_drain(struct fn_db_writer *w);
/* Drains; NULL is fine. */
void fn_db_writer_free(struct fn_db_writer *w);

#endif

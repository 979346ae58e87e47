/*
 * redo.h - a redo log: a file <path>-redo beside a database, for what is on disk sooner there than in SQLite's own log, which takes the whole of each page that is touched. The
 * writer (writer.h) appends a record for each batch, synced while the batch is still being run, and says so then to those who wait; SQLite's log is synced a few ms later. A power
 * cut in between takes the batch from the database, and the next start does it again from here.
 *
 * A record has a number that rises by one. Whoever writes what is in an entry writes that beside it, in the same transaction, so that the replay knows what the database has
 * already. Once SQLite's log is synced, records begin at the file's beginning again: it is small, and written to before, so that a sync of it is one of data alone.
 * That a write leaves the bytes beside it alone is relied upon, as SQLite does by default (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
 */
#ifndef FN_DB_REDO_H
#define FN_DB_REDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "db/db.h"

struct fn_db_redo;

#define FN_DB_REDO_BATCH_MAX (128u << 10) /* bytes of one record */

/* Does again what is in an entry of this number, if the database does not have it. 1: done; 0: there is nothing to be done; else -errno. */
typedef int fn_db_replay_fn(void *arg, sqlite3 *db, uint64_t number, const void *entry, size_t len, struct fn_err *err);

/* path: the database's; db: a connection to it, used here only. last: the highest number that is in it (0: none). Calls replay, in one transaction, for each entry, in their
 * order; an error ends that, and nothing is done. Without room on the disk for the file *ret is NULL, and all is as without one. */
int fn_db_redo_open(const char *path, sqlite3 *db, uint64_t last, fn_db_replay_fn *replay, void *arg, struct fn_db_redo **ret, struct fn_err *err);
/* Where all is covered there is nothing to be done again at the next start. NULL is fine. */
void fn_db_redo_free(struct fn_db_redo *r);

/* --- who runs a batch --- */
void fn_db_redo_begin(struct fn_db_redo *r);
/* One entry, of n pieces. False: it is too large for this record, or there is no memory. */
bool fn_db_redo_add(struct fn_db_redo *r, const struct iovec *v, int n);

/* --- under the writer's lock --- */
/* The record is to be written. Returns its number; 0: the file has no room until SQLite's log is synced. */
uint64_t fn_db_redo_give(struct fn_db_redo *r);
bool fn_db_redo_due(const struct fn_db_redo *r); /* is there one to be written? */
void fn_db_redo_take(struct fn_db_redo *r);	 /* all of these are written by the next fn_db_redo_write() */
/* Of the last that is on disk, as taken; valid after fn_db_redo_write(). */
uint64_t fn_db_redo_written(const struct fn_db_redo *r);
/* All up to this number is in SQLite's log, which was synced: where that is all, what is given and not taken is not written any more, and the file begins anew. */
void fn_db_redo_covered(struct fn_db_redo *r, uint64_t number);

/* --- by one thread at a time, without the lock --- */
/* Writes and syncs what was taken. 0, or -errno: nobody knows what of it is on disk (ENOSPC, which is also said of a quota: on a file system that does not write in place). */
int fn_db_redo_write(struct fn_db_redo *r);

#endif

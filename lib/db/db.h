/*
 * db.h - a SQLite database: opening, durability, numbered migrations, statements.
 *
 * WAL with synchronous=FULL: what was committed survives a power cut (the writer syncs itself, with less waiting). A migration is one transaction that also sets user_version;
 * a database of a newer program is refused. Pages that become free go back to the file system (auto_vacuum incremental; the writer does it).
 */
#ifndef FN_DB_DB_H
#define FN_DB_DB_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>

#include "base/err.h"

/* The process's exit status after a sync that failed: what the kernel has written it does not know any more, nor do we. A new process reads what is
 * on disk. EX_IOERR of sysexits.h. */
#define FN_DB_EXIT_IO 74

/* migrations: SQL, never edited once released; a change is a new one at the end. Waits for the disk; on one that is
 * full it opens with the room that was kept back for that (reserve.h). */
int fn_db_open(const char *path, const char *const *migrations, int n_migrations, sqlite3 **ret, struct fn_err *err);
/* Another connection to one that is open already. */
int fn_db_open_again(const char *path, const char *stage, sqlite3 **ret, struct fn_err *err);
/* Runs statements without results. */
int fn_db_exec(sqlite3 *db, const char *sql, struct fn_err *err);
/* Binds values to ?1, ?2 ...; types: a letter for each, s (const char *, NULL = NULL), i (int64_t), d (double), b (const void *, size_t; NULL = NULL),
 * n (int64_t: NULL all the same). Returns what SQLite does. */
int fn_db_bind(sqlite3_stmt *st, const char *types, va_list ap);
/* Of what SQLite has said last. */
int fn_db_failed(sqlite3 *db, const char *stage, struct fn_err *err);
/* Runs one statement with values as fn_db_bind() has them. */
int fn_db_run(sqlite3 *db, struct fn_err *err, const char *sql, const char *types, ...);
/* The end of what "BEGIN IMMEDIATE" began: commits if r is 0, else undoes. Returns r, or why it could not commit. Ends the process when a sync
 * failed (FN_DB_EXIT_IO). */
int fn_db_end(sqlite3 *db, int r, struct fn_err *err);
/* Calls row for each row of the answer, until it returns an error, which is returned; stage names what is done, for err. */
int fn_db_each(sqlite3 *db, const char *sql, const char *stage, int (*row)(void *arg, sqlite3_stmt *st, struct fn_err *err), void *arg,
	       struct fn_err *err);
/* The first column of the first row, a number. */
int fn_db_number(sqlite3 *db, const char *sql, int64_t *ret, struct fn_err *err);
/* Looks at what a call has returned: ends the process if a sync failed. */
void fn_db_check_sync(sqlite3 *db);
/* Says so and ends the process. */
void fn_db_sync_failed(const char *why, int error) __attribute__((noreturn));

#endif

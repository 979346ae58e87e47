/*
 * db.h - the SQLite database: opening, durability, numbered migrations.
 *
 * WAL with synchronous=FULL: what was committed survives a power cut. A migration is one transaction that also sets user_version;
 * a database of a newer program is refused.
 */
#ifndef FN_STORE_DB_H
#define FN_STORE_DB_H

#include <sqlite3.h>

#include "base/err.h"

int fn_db_open(const char *path, sqlite3 **ret, struct fn_err *err);
/* Runs statements without results. */
int fn_db_exec(sqlite3 *db, const char *sql, struct fn_err *err);
/* Runs one statement with values for ?1, ?2 ...; types: a letter for each, s (const char *, NULL = NULL), i (int64_t), d (double). */
int fn_db_run(sqlite3 *db, struct fn_err *err, const char *sql, const char *types, ...);
/* The end of what "BEGIN IMMEDIATE" began: commits if r is 0, else undoes. Returns r, or why it could not commit. */
int fn_db_end(sqlite3 *db, int r, struct fn_err *err);
int fn_db_schema_version(void); /* the newest this program knows */

#endif

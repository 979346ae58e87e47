/* db.c - see db.h. */
#include "db/db.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "db/reserve.h"

void fn_db_sync_failed(const char *why, int error)
{
	fn_log_error("database: a sync has failed (%s, errno %d): ending, since what is on disk is not known any more", why, error);
	_exit(FN_DB_EXIT_IO);
}

void fn_db_check_sync(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
		fn_db_sync_failed(sqlite3_errmsg(db), sqlite3_system_errno(db));
}

int fn_db_failed(sqlite3 *db, const char *stage, struct fn_err *err)
{
	int code = sqlite3_errcode(db);
	const char *file = sqlite3_db_filename(db, "main");

	if (file && *file && (code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)) /* what is to be mended is the file */
		return fn_err_set(err, EIO, stage, "%.90s: %.90s", file, sqlite3_errmsg(db));
	return fn_err_set(err, code == SQLITE_FULL ? ENOSPC : code == SQLITE_NOMEM ? ENOMEM : EIO, stage, "%.150s", sqlite3_errmsg(db));
}

int fn_db_exec(sqlite3 *db, const char *sql, struct fn_err *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fn_db_failed(db, "database", err);
}

int fn_db_bind(sqlite3_stmt *st, const char *types, va_list ap)
{
	int r = SQLITE_OK;

	for (int i = 1; types[i - 1] && r == SQLITE_OK; i++) {
		const void *data;

		switch (types[i - 1]) {
		case 'i':
			r = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
			break;
		case 'd':
			r = sqlite3_bind_double(st, i, va_arg(ap, double));
			break;
		case 's':
			r = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
			break;
		case 'b':
			data = va_arg(ap, const void *);
			r = sqlite3_bind_blob64(st, i, data, va_arg(ap, size_t), SQLITE_STATIC);
			break;
		default:
			(void)va_arg(ap, int64_t);
			r = sqlite3_bind_null(st, i);
		}
	}
	return r;
}

int fn_db_run(sqlite3 *db, struct fn_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	va_list ap;

	va_start(ap, types);
	if (r == SQLITE_OK)
		r = fn_db_bind(st, types, ap);
	va_end(ap);
	if (r == SQLITE_OK)
		r = sqlite3_step(st);
	r = r == SQLITE_DONE ? 0 : fn_db_failed(db, "database", err);
	sqlite3_finalize(st);
	return r;
}

int fn_db_end(sqlite3 *db, int r, struct fn_err *err)
{
	if (r == 0) {
		r = fn_db_exec(db, "COMMIT", err);
		if (r < 0)
			fn_db_check_sync(db);
	}
	if (r < 0 && !sqlite3_get_autocommit(db)) /* a full disk may have undone it already */
		(void)fn_db_exec(db, "ROLLBACK", NULL);
	return r;
}

int fn_db_each(sqlite3 *db, const char *sql, const char *stage, int (*row)(void *arg, sqlite3_stmt *st, struct fn_err *err), void *arg,
	       struct fn_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = 0, step = SQLITE_DONE;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return fn_err_set(err, EIO, stage, "%.150s", sqlite3_errmsg(db));
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
		r = row(arg, st, err);
	if (r == 0 && step != SQLITE_DONE)
		r = fn_err_set(err, EIO, stage, "%.150s", sqlite3_errmsg(db));
	sqlite3_finalize(st);
	return r;
}

static int first_number(void *arg, sqlite3_stmt *st, struct fn_err *err)
{
	(void)err;
	*(int64_t *)arg = sqlite3_column_int64(st, 0);
	return 0;
}

int fn_db_number(sqlite3 *db, const char *sql, int64_t *ret, struct fn_err *err) { return fn_db_each(db, sql, "database", first_number, ret, err); }

static int migrate(sqlite3 *db, const char *const *migrations, int n, struct fn_err *err)
{
	int64_t have = 0;
	int r = fn_db_number(db, "PRAGMA user_version", &have, err);

	if (r < 0)
		return r;
	if (have > n)
		return fn_err_set(err, EINVAL, "open database", "its schema %d is newer than this program's %d; use a newer fnd", (int)have, n);
	for (; r == 0 && have < n; have++) {
		char pragma[64];

		snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", (int)have + 1);
		r = fn_db_exec(db, "BEGIN IMMEDIATE", err);
		if (r == 0)
			r = fn_db_exec(db, migrations[have], err);
		if (r == 0)
			r = fn_db_exec(db, pragma, err);
		r = fn_db_end(db, r, err);
	}
	return r;
}

/* What an older program made without it is written anew, once; where that does not work the file goes on as it is. */
static int give_pages_back(sqlite3 *db, struct fn_err *err)
{
	int64_t mode = 0;
	int r = fn_db_number(db, "PRAGMA auto_vacuum", &mode, err);

	if (r == 0 && mode != 2)
		(void)fn_db_exec(db, "PRAGMA auto_vacuum=INCREMENTAL; VACUUM;", NULL);
	return r;
}

static int try_open(const char *path, const char *const *migrations, int n_migrations, sqlite3 **ret, struct fn_err *err)
{
	sqlite3 *db = NULL;
	int r = 0;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
		r = fn_err_set(err, EIO, "open database", "%s: %.120s", path, db ? sqlite3_errmsg(db) : "out of memory");
	if (r == 0) {
		sqlite3_busy_timeout(db, 5000);
		r = fn_db_exec(db, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
			       "PRAGMA journal_size_limit=50331648;", err);
	}
	if (r == 0)
		r = give_pages_back(db, err);
	if (r == 0)
		r = migrate(db, migrations, n_migrations, err);
	if (r < 0) {
		sqlite3_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

int fn_db_open(const char *path, const char *const *migrations, int n_migrations, sqlite3 **ret, struct fn_err *err)
{
	int r = try_open(path, migrations, n_migrations, ret, err);

	if (r < 0 && fn_db_reserve_give(path))
		r = try_open(path, migrations, n_migrations, ret, err);
	else if (r == 0)
		fn_db_reserve_keep(path);
	return r;
}

int fn_db_open_again(const char *path, const char *stage, sqlite3 **ret, struct fn_err *err)
{
	if (sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(*ret, 5000);
		return 0;
	}
	sqlite3_close(*ret);
	*ret = NULL;
	return fn_err_set(err, EIO, stage, "%.150s", path);
}

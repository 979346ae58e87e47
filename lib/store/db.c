/* db.c - see db.h. */
#include "store/db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* Never edited once released; a change is a new one at the end. The configuration is one JSON column: fields come and go with
 * the API, and only what is searched for has a column of its own. */
static const char *const migrations[] = {
	"CREATE TABLE functions(name TEXT NOT NULL, version TEXT NOT NULL, code_sha256 TEXT NOT NULL, code_size INTEGER NOT NULL,"
	" config TEXT NOT NULL, PRIMARY KEY(name, version)) WITHOUT ROWID;"
	"CREATE INDEX functions_by_code ON functions(code_sha256);"
	"CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO counters VALUES('generation', 0);",
	/* Versions are rows of functions. published.last outlives the versions: numbers are not given twice. */
	"CREATE TABLE published(function TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE aliases(function TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, description TEXT NOT NULL,"
	" other_version TEXT, other_weight REAL NOT NULL, revision_id TEXT NOT NULL, PRIMARY KEY(function, name)) WITHOUT ROWID;",
	"CREATE TABLE reserved(function TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE provisioned(function TEXT NOT NULL, qualifier TEXT NOT NULL, requested INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
	" PRIMARY KEY(function, qualifier)) WITHOUT ROWID;",
	"CREATE TABLE snapshots(tree TEXT PRIMARY KEY) WITHOUT ROWID;",
};
#define N_MIGRATIONS ((int)(sizeof(migrations) / sizeof(migrations[0])))

int fn_db_schema_version(void) { return N_MIGRATIONS; }

int fn_db_exec(sqlite3 *db, const char *sql, struct fn_err *err)
{
	char *msg = NULL;
	int r = 0;

	if (sqlite3_exec(db, sql, NULL, NULL, &msg) != SQLITE_OK)
		r = fn_err_set(err, EIO, "database", "%.150s", msg ? msg : sqlite3_errmsg(db));
	sqlite3_free(msg);
	return r;
}

int fn_db_run(sqlite3 *db, struct fn_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	va_list ap;

	va_start(ap, types);
	for (int i = 1; types[i - 1] && r == SQLITE_OK; i++) {
		if (types[i - 1] == 's')
			r = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		else if (types[i - 1] == 'i')
			r = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
		else
			r = sqlite3_bind_double(st, i, va_arg(ap, double));
	}
	va_end(ap);
	r = r == SQLITE_OK && sqlite3_step(st) == SQLITE_DONE ? 0 : fn_err_set(err, EIO, "database", "%.150s", sqlite3_errmsg(db));
	sqlite3_finalize(st);
	return r;
}

int fn_db_end(sqlite3 *db, int r, struct fn_err *err)
{
	if (r == 0)
		r = fn_db_exec(db, "COMMIT", err);
	if (r < 0)
		(void)fn_db_exec(db, "ROLLBACK", NULL);
	return r;
}

static int version_of(sqlite3 *db, int *ret, struct fn_err *err)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW)
		return fn_err_set(err, EIO, "open database", "%.150s", sqlite3_errmsg(db));
	*ret = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return 0;
}

static int migrate(sqlite3 *db, struct fn_err *err)
{
	int have = 0, r = version_of(db, &have, err);

	if (r < 0)
		return r;
	if (have > N_MIGRATIONS)
		return fn_err_set(err, EINVAL, "open database", "its schema %d is newer than this program's %d; use a newer fnd", have,
				  N_MIGRATIONS);
	for (; r == 0 && have < N_MIGRATIONS; have++) {
		char pragma[64];

		snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", have + 1);
		r = fn_db_exec(db, "BEGIN IMMEDIATE", err);
		if (r == 0)
			r = fn_db_exec(db, migrations[have], err);
		if (r == 0)
			r = fn_db_exec(db, pragma, err);
		r = fn_db_end(db, r, err);
	}
	return r;
}

int fn_db_open(const char *path, sqlite3 **ret, struct fn_err *err)
{
	sqlite3 *db = NULL;
	int r = 0;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
		r = fn_err_set(err, EIO, "open database", "%s: %.120s", path, db ? sqlite3_errmsg(db) : "out of memory");
	if (r == 0) {
		sqlite3_busy_timeout(db, 5000);
		r = fn_db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;", err);
	}
	if (r == 0)
		r = migrate(db, err);
	if (r < 0) {
		sqlite3_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

/* sql.h - the statements of the queues' tables, prepared once for the writer's connection. The writer's thread alone uses them. */
#ifndef FN_QUEUE_SQL_H
#define FN_QUEUE_SQL_H

#include <sqlite3.h>

#include "base/err.h"

enum fn_queue_statement {
	QS_QUEUE,
	QS_QUEUE_ADD,
	QS_QUEUE_COUNTS,
	QS_QUEUE_INNER,
	QS_QUEUE_DROP,
	QS_GARBAGE_ADD,
	QS_GARBAGE,
	QS_GARBAGE_DROP,
	QS_GARBAGE_MESSAGES,
	QS_GARBAGE_GROUPS,
	QS_GARBAGE_DEDUP,
	QS_MESSAGE_ADD,
	QS_MESSAGE_GET,
	QS_MESSAGE_STATE,
	QS_MESSAGE_LEASE,
	QS_MESSAGE_NOTE,
	QS_MESSAGE_MOVE,
	QS_MESSAGE_DROP,
	QS_BODY_ADD,
	QS_BODY_GET,
	QS_BODY_DROP,
	QS_DUE,
	QS_NEXT_DUE,
	QS_READY,
	QS_IN_GROUP,
	QS_GROUP_FIND,
	QS_GROUP_ADD,
	QS_GROUP_GET,
	QS_GROUP_SET,
	QS_GROUP_TURN,
	QS_GROUP_DROP,
	QS_GROUP_HEAD,
	QS_GROUP_READY,
	QS_ATTEMPT_GET,
	QS_ATTEMPT_SET,
	QS_ATTEMPT_TRIM,
	QS_GARBAGE_ATTEMPTS,
	QS_DEDUP_GET,
	QS_DEDUP_SET,
	QS_DEDUP_TRIM,
	QS_OLD,
	QS_LIST,
	QS_N
};

struct fn_queue_sql {
	sqlite3_stmt *st[QS_N];
};

/* The statement, with values bound: types: as fn_db_bind() has them. Returns NULL with err set. */
sqlite3_stmt *fn_queue_bind(struct fn_queue_sql *q, sqlite3 *db, struct fn_err *err, enum fn_queue_statement which, const char *types, ...);
/* Runs one without results. */
int fn_queue_exec(struct fn_queue_sql *q, sqlite3 *db, struct fn_err *err, enum fn_queue_statement which, const char *types, ...);
/* 1: a row; 0: no more, and it is reset; else -errno, reset, err set. st NULL: what fn_queue_bind() has set. */
int fn_queue_row(sqlite3_stmt *st, struct fn_err *err);
void fn_queue_sql_free(struct fn_queue_sql *q);

#endif

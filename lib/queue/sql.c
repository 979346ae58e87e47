/* sql.c - see sql.h. */
#include "queue/sql.h"

#include <stdarg.h>

#include "db/db.h"
#include "queue/queue.h"

/*
 * queues.inner names its messages: a purge gives it another, and what has the old one is garbage. messages.ord is what a state is ordered by: the position
 * of a ready one, of one that a lease has given back as if it came then; the time at which a delayed (1) or leased (2) one is due. What is never rewritten is
 * in a table of its own, so that a lease of a megabyte writes some hundred bytes. queue_groups.ready: its first message is ready (before fn_queue_turn_migration:
 * and none is leased). turn: the position of its first message when it was made, a new one each time it has been served.
 */
const char fn_queue_migration[] =
	"CREATE TABLE queue_opens(n INTEGER NOT NULL);"
	"INSERT INTO queue_opens VALUES(0);"
	"CREATE TABLE queues(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, flags INTEGER NOT NULL, inner INTEGER NOT NULL,"
	" ready INTEGER NOT NULL, leased INTEGER NOT NULL, delayed INTEGER NOT NULL);"
	"CREATE TABLE messages(id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, state INTEGER NOT NULL, ord INTEGER NOT NULL, pos INTEGER NOT NULL,"
	" grp INTEGER, receives INTEGER NOT NULL, sent INTEGER NOT NULL, first INTEGER NOT NULL, leased INTEGER NOT NULL, uid BLOB NOT NULL,"
	" source TEXT, note BLOB);"
	"CREATE INDEX messages_order ON messages(queue, state, ord);"
	"CREATE INDEX messages_group ON messages(grp, pos) WHERE grp IS NOT NULL;"
	"CREATE TABLE bodies(id INTEGER PRIMARY KEY, meta BLOB, body BLOB);"
	"CREATE TABLE queue_groups(id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, name TEXT NOT NULL, leased INTEGER NOT NULL, ready INTEGER NOT NULL,"
	" head INTEGER NOT NULL, UNIQUE(queue, name));"
	"CREATE INDEX queue_groups_ready ON queue_groups(queue, head) WHERE ready=1;"
	"CREATE TABLE queue_dedup(queue INTEGER NOT NULL, key TEXT NOT NULL, until INTEGER NOT NULL, uid BLOB NOT NULL, pos INTEGER NOT NULL,"
	" PRIMARY KEY(queue, key)) WITHOUT ROWID;"
	"CREATE INDEX queue_dedup_until ON queue_dedup(until);"
	"CREATE TABLE queue_garbage(inner INTEGER PRIMARY KEY);";

/* What was leased under the name of an attempt: messages is pairs of id and receives, in the order of the machine. */
const char fn_queue_attempts_migration[] =
	"CREATE TABLE queue_attempts(queue INTEGER NOT NULL, name TEXT NOT NULL, until INTEGER NOT NULL, messages BLOB NOT NULL, PRIMARY KEY(queue, name)) WITHOUT ROWID;"
	"CREATE INDEX queue_attempts_until ON queue_attempts(until);";

/* The last record of the redo log in which a message of the queue was put. */
const char fn_queue_record_migration[] = "ALTER TABLE queues ADD COLUMN record INTEGER NOT NULL DEFAULT 0;";

/* What was the position of a group's first message is its turn; what is leased behind that does not hold it up any more. */
const char fn_queue_turn_migration[] =
	"ALTER TABLE queue_groups RENAME COLUMN head TO turn;"
	"UPDATE queue_groups SET ready=1 WHERE leased>0 AND (SELECT state FROM messages WHERE grp=queue_groups.id ORDER BY pos LIMIT 1)=0;";

#define MESSAGE "id, queue, state, ord, pos, grp, receives, sent, first, leased, uid, source, note"

static const char *const text[QS_N] = {
	[QS_QUEUE] = "SELECT inner, flags, ready, leased, delayed FROM queues WHERE id=?1",
	[QS_QUEUE_ADD] = "INSERT INTO queues VALUES(?1, ?2, ?3, ?4, 0, 0, 0, 0)",
	[QS_QUEUE_COUNTS] = "UPDATE queues SET ready=ready+?2, leased=leased+?3, delayed=delayed+?4, record=max(record, ?5) WHERE id=?1",
	[QS_QUEUE_INNER] = "UPDATE queues SET inner=?2 WHERE id=?1",
	[QS_QUEUE_DROP] = "DELETE FROM queues WHERE id=?1",
	[QS_GARBAGE_ADD] = "INSERT INTO queue_garbage VALUES(?1)",
	[QS_GARBAGE] = "SELECT inner FROM queue_garbage LIMIT 1",
	[QS_GARBAGE_DROP] = "DELETE FROM queue_garbage WHERE inner=?1",
	[QS_GARBAGE_MESSAGES] = "SELECT id FROM messages WHERE queue=?1 LIMIT ?2",
	[QS_GARBAGE_GROUPS] = "DELETE FROM queue_groups WHERE id IN (SELECT id FROM queue_groups WHERE queue=?1 LIMIT ?2)",
	[QS_GARBAGE_DEDUP] = "DELETE FROM queue_dedup WHERE (queue, key) IN (SELECT queue, key FROM queue_dedup WHERE queue=?1 LIMIT ?2)",
	[QS_MESSAGE_ADD] = "INSERT INTO messages(" MESSAGE ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?10, ?7, ?11, ?11, ?8, NULL, ?9)",
	[QS_MESSAGE_GET] = "SELECT " MESSAGE " FROM messages WHERE id=?1",
	[QS_MESSAGE_STATE] = "UPDATE messages SET state=?2, ord=?3 WHERE id=?1",
	[QS_MESSAGE_LEASE] = "UPDATE messages SET state=2, ord=?2, receives=?3, first=?4, leased=?5 WHERE id=?1",
	[QS_MESSAGE_NOTE] = "UPDATE messages SET note=?2 WHERE id=?1",
	[QS_MESSAGE_MOVE] = "UPDATE messages SET queue=?2, state=0, ord=?3, pos=?3, grp=?4, receives=?5, sent=?6, first=?7, uid=?8, source=?9 WHERE id=?1",
	[QS_MESSAGE_DROP] = "DELETE FROM messages WHERE id=?1",
	[QS_BODY_ADD] = "INSERT INTO bodies VALUES(?1, ?2, ?3)",
	[QS_BODY_GET] = "SELECT meta, body FROM bodies WHERE id=?1",
	[QS_BODY_DROP] = "DELETE FROM bodies WHERE id=?1",
	[QS_DUE] = "SELECT id, pos, grp FROM messages WHERE queue=?1 AND state=?2 AND ord<=?3 ORDER BY ord LIMIT 1",
	[QS_NEXT_DUE] = "SELECT ord FROM messages WHERE queue=?1 AND state=?2 ORDER BY ord LIMIT 1",
	[QS_READY] = "SELECT " MESSAGE " FROM messages WHERE queue=?1 AND state=0 ORDER BY ord LIMIT 1",
	[QS_IN_GROUP] = "SELECT " MESSAGE " FROM messages WHERE grp=?1 AND pos>?2 ORDER BY pos LIMIT 1",
	[QS_GROUP_FIND] = "SELECT id, leased, ready FROM queue_groups WHERE queue=?1 AND name=?2",
	[QS_GROUP_ADD] = "INSERT INTO queue_groups(queue, name, leased, ready, turn) VALUES(?1, ?2, 0, 0, ?3)",
	[QS_GROUP_GET] = "SELECT leased, ready, name FROM queue_groups WHERE id=?1",
	[QS_GROUP_SET] = "UPDATE queue_groups SET leased=?2, ready=?3 WHERE id=?1",
	[QS_GROUP_TURN] = "UPDATE queue_groups SET turn=?2 WHERE id=?1",
	[QS_GROUP_DROP] = "DELETE FROM queue_groups WHERE id=?1",
	[QS_GROUP_HEAD] = "SELECT state FROM messages WHERE grp=?1 ORDER BY pos LIMIT 1",
	[QS_GROUP_READY] = "SELECT id FROM queue_groups WHERE queue=?1 AND ready=1 ORDER BY turn LIMIT 1",
	[QS_DEDUP_GET] = "SELECT uid, pos FROM queue_dedup WHERE queue=?1 AND key=?2 AND until>?3",
	[QS_DEDUP_SET] = "INSERT OR REPLACE INTO queue_dedup VALUES(?1, ?2, ?3, ?4, ?5)",
	/* two for each that comes, so that they do not gather */
	[QS_DEDUP_TRIM] = "DELETE FROM queue_dedup WHERE (queue, key) IN (SELECT queue, key FROM queue_dedup WHERE until<=?1 ORDER BY until LIMIT 2)",
	[QS_ATTEMPT_GET] = "SELECT messages FROM queue_attempts WHERE queue=?1 AND name=?2 AND until>?3",
	[QS_ATTEMPT_SET] = "INSERT OR REPLACE INTO queue_attempts VALUES(?1, ?2, ?3, ?4)",
	[QS_ATTEMPT_TRIM] = "DELETE FROM queue_attempts WHERE (queue, name) IN (SELECT queue, name FROM queue_attempts WHERE until<=?1 ORDER BY until LIMIT 2)",
	[QS_GARBAGE_ATTEMPTS] = "DELETE FROM queue_attempts WHERE (queue, name) IN (SELECT queue, name FROM queue_attempts WHERE queue=?1 LIMIT ?2)",
	[QS_OLD] = "SELECT " MESSAGE " FROM messages WHERE queue=?1 AND state=?2 ORDER BY ord LIMIT 1",
	[QS_LIST] = "SELECT " MESSAGE " FROM messages WHERE queue=?1 AND (state, ord, id)>(?2, ?3, ?4) ORDER BY state, ord, id LIMIT 1",
};

static sqlite3_stmt *prepare(struct fn_queue_sql *q, sqlite3 *db, struct fn_err *err, enum fn_queue_statement which, const char *types, va_list ap)
{
	if ((!q->st[which] && sqlite3_prepare_v3(db, text[which], -1, SQLITE_PREPARE_PERSISTENT, &q->st[which], NULL) != SQLITE_OK) ||
	    fn_db_bind(q->st[which], types, ap) != SQLITE_OK) {
		(void)fn_db_failed(db, "queue", err);
		return NULL;
	}
	return q->st[which];
}

sqlite3_stmt *fn_queue_bind(struct fn_queue_sql *q, sqlite3 *db, struct fn_err *err, enum fn_queue_statement which, const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;

	va_start(ap, types);
	st = prepare(q, db, err, which, types, ap);
	va_end(ap);
	return st;
}

int fn_queue_row(sqlite3_stmt *st, struct fn_err *err)
{
	int r;

	if (!st)
		return -err->code;
	r = sqlite3_step(st);
	if (r == SQLITE_ROW)
		return 1;
	r = r == SQLITE_DONE ? 0 : fn_db_failed(sqlite3_db_handle(st), "queue", err);
	sqlite3_reset(st);
	return r;
}

int fn_queue_exec(struct fn_queue_sql *q, sqlite3 *db, struct fn_err *err, enum fn_queue_statement which, const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;

	va_start(ap, types);
	st = prepare(q, db, err, which, types, ap);
	va_end(ap);
	return fn_queue_row(st, err);
}

void fn_queue_sql_free(struct fn_queue_sql *q)
{
	for (int i = 0; i < QS_N; i++)
		sqlite3_finalize(q->st[i]);
	*q = (struct fn_queue_sql){0};
}

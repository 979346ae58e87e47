/* schema.c - see schema.h. A migration is never changed once it has been released: a change is a new one at the end. */
#include "service/schema.h"

#include "queue/queue.h"

static const char *const migrations[] = {
	fn_queue_migration, /* 1 */
	/* 2: event-invoke configurations, by function and qualifier */
	"CREATE TABLE event_invoke_configs (function TEXT NOT NULL, qualifier TEXT NOT NULL, attempts INTEGER, age_s INTEGER, on_success TEXT, on_failure TEXT,"
	" modified_us INTEGER NOT NULL, PRIMARY KEY (function, qualifier)) WITHOUT ROWID;",
	/* SQS's queues, and message move tasks: config is JSON */
	"CREATE TABLE sqs_queues(name TEXT PRIMARY KEY, config TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE sqs_moves(id TEXT PRIMARY KEY, started INTEGER NOT NULL, config TEXT NOT NULL) WITHOUT ROWID;",
	/* event source mappings */
	"CREATE TABLE event_source_mappings (number INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, function TEXT NOT NULL, source TEXT NOT NULL,"
	" settings TEXT NOT NULL, tags TEXT NOT NULL, enabled INTEGER NOT NULL, modified_us INTEGER NOT NULL);",
	/* payloads that came under an Idempotency-Key: the keys themselves are the queues' (queue_dedup) */
	"CREATE TABLE idempotency(lane TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, until_us INTEGER NOT NULL, PRIMARY KEY(lane, key)) WITHOUT ROWID;"
	"CREATE INDEX idempotency_until ON idempotency(until_us);",
	fn_queue_attempts_migration,
	fn_queue_record_migration,
	fn_queue_turn_migration,
};

int fn_events_db_open(const char *path, sqlite3 **ret, struct fn_err *err)
{
	return fn_db_open(path, migrations, sizeof(migrations) / sizeof(migrations[0]), ret, err);
}

/*
 * run.h - the writer's (writer.h) side towards SQLite: transactions of closures, records of them for the redo log, and what the write-ahead log needs. By one thread at a time.
 */
#ifndef FN_DB_RUN_H
#define FN_DB_RUN_H

#include <stdatomic.h>

#include "db/writer.h"

struct fn_db_run {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[4]; /* BEGIN and the like */
	struct fn_db_redo *redo; /* NULL: none */
	_Atomic bool no_records; /* it had no room */
	int log_pages, asked_at; /* pages of the log, now and when a checkpoint was last asked for */
	int64_t page_bytes;
	bool full; /* there was no room for what was to be written */
	enum { FN_DB_ROOM_UNKNOWN, FN_DB_ROOM_ENOUGH, FN_DB_ROOM_SHORT } room; /* on the disk, as looked at for this batch */
};

/* db: closed by fn_db_run_close(), also after an error. */
int fn_db_run_open(struct fn_db_run *run, const char *path, sqlite3 *db, struct fn_err *err);
void fn_db_run_close(struct fn_db_run *run);

/* A record of all that somebody waits for in `queue`, if all of it can be in one (redo.h has it then, to be given): false where it cannot. */
bool fn_db_run_record(struct fn_db_run *run, struct fn_list *queue);
/* One transaction of what is in `queue`, or of as much of it as there can be: the rest stays there, the others are in `batch` (made here), each with its result. record: the number of
 * the record that they are in, or go with; 0 = none. Ends the process when a sync has failed. */
void fn_db_run_transaction(struct fn_db_run *run, struct fn_list *queue, uint64_t record, struct fn_list *batch);
/* After transactions. True: a checkpoint is due, by another connection. */
bool fn_db_run_look_after_log(struct fn_db_run *run);
/* Free pages, to the file system; a few at a time. True: there are more. */
bool fn_db_run_give_pages_back(struct fn_db_run *run);
/* As fn_db_writer_short_of_room() has it. */
bool fn_db_run_short_of_room(struct fn_db_run *run);

#endif

/* Queues in a database of their own, in a fresh directory. */
#ifndef TESTS_UNIT_QUEUES_H
#define TESTS_UNIT_QUEUES_H

#include <stdlib.h>
#include <unistd.h>

#include "queue/queue.h"
#include "unit/main.h"

static struct fn_loop *loop; /* stays over what is closed and opened anew */
static struct fn_db_writer *writer;
static struct fn_queues *queues;

static inline void unit_queues_open(const char *path)
{
	const char *const migrations[] = {fn_queue_migration, fn_queue_attempts_migration, fn_queue_record_migration, fn_queue_turn_migration};
	struct fn_err err;
	sqlite3 *db;

	if (!loop)
		ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_db_open(path, migrations, 4, &db, &err), 0);
	ck_assert_int_eq(fn_db_writer_new(loop, path, db, &writer, &err), 0);
	ck_assert_msg(fn_queues_new(loop, writer, path, &queues, &err) == 0, "%s: %s", err.stage, err.msg);
}

static inline void unit_queues_close(void)
{
	fn_queues_stop(queues);
	fn_db_writer_drain(writer);
	fn_queues_free(queues);
	fn_db_writer_free(writer);
}

/* As "q.db" there. */
static inline void unit_queues_fresh(void)
{
	char name[] = "queues-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chdir(name), 0);
	unit_queues_open("q.db");
}

#endif

/*
 * fuzz_redo.c - a redo log (db/redo.h) with anything in it, of a database that has a queue: steps by their first byte. 'P' length meta body: an entry of a message for the queue, more
 * of which make a record; 'E' length bytes: an entry of anything; 'R' d: ends the record, its number d more than the last one's; 'X' length bytes: bytes that are in no record.
 * It opens or is refused, whole messages are there and counted, and what was done is not done again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32.h"
#include "fuzz/fuzz.h"
#include "queue/queue.h"

static struct fn_loop *loop;
static char path[512], file[520];
static uint64_t queue_id, number;

static const char *const migrations[] = {fn_queue_migration, fn_queue_attempts_migration, fn_queue_record_migration, fn_queue_turn_migration};

/* False: refused. */
static bool open_queues(struct fn_db_writer **writer, struct fn_queues **queues)
{
	struct fn_err err;
	sqlite3 *db;

	fuzz_check(fn_db_open(path, migrations, 4, &db, &err) == 0 && fn_db_writer_new(loop, path, db, writer, &err) == 0);
	if (fn_queues_new(loop, *writer, path, queues, &err) == 0)
		return true;
	fuzz_check(err.code == EBADMSG);
	fn_db_writer_free(*writer);
	return false;
}

static void close_queues(struct fn_db_writer *writer, struct fn_queues *queues)
{
	fn_queues_stop(queues);
	fn_db_writer_drain(writer);
	fn_queues_free(queues);
	fn_db_writer_free(writer);
}

static int64_t count(const char *sql)
{
	int64_t n = -1;
	sqlite3 *db;

	fuzz_check(sqlite3_open(path, &db) == SQLITE_OK && fn_db_number(db, sql, &n, NULL) == 0);
	sqlite3_close(db);
	return n;
}

static void prepare(void)
{
	struct fn_db_writer *writer;
	struct fn_queues *queues;

	snprintf(path, sizeof(path), "%s/e.db", fuzz_dir());
	snprintf(file, sizeof(file), "%s-redo", path);
	fuzz_check(fn_loop_new(&loop) == 0 && open_queues(&writer, &queues) && fn_queue_get(queues, "q", 0));
	close_queues(writer, queues);
	queue_id = (uint64_t)count("SELECT id FROM queues");
}

static size_t take(struct fuzz_in *in, const uint8_t **ret)
{
	size_t n = fuzz_byte(in), left = (size_t)(in->end - in->p);

	n = n < left ? n : left;
	*ret = in->p;
	in->p += n;
	return n;
}

static void add_entry(struct fn_buf *record, const void *head, size_t head_len, const void *data, size_t len)
{
	uint32_t size = (uint32_t)(head_len + len);

	(void)fn_buf_add(record, &size, sizeof(size));
	(void)fn_buf_add(record, head, head_len);
	(void)fn_buf_add(record, data, len);
}

static void end_record(struct fn_buf *to, struct fn_buf *record)
{
	struct {
		uint64_t magic, number;
		uint32_t len, crc;
	} h = {UINT64_C(0x316f646572006e66), number, (uint32_t)record->len, 0};

	h.crc = fn_crc32(fn_crc32(fn_crc32(0, &h.number, sizeof(h.number)), &h.len, sizeof(h.len)), record->data, record->len);
	(void)fn_buf_add(to, &h, sizeof(h));
	(void)fn_buf_add(to, record->data, record->len);
	record->len = 0;
}

static void build(struct fuzz_in *in, struct fn_buf *to)
{
	struct fn_buf record = {0};

	number = (uint64_t)count("SELECT max(record) FROM queues");
	while (fuzz_more(in) && to->len < (1u << 20)) {
		uint8_t what = fuzz_byte(in);
		const uint8_t *data;
		size_t n;

		if (what == 'R') {
			number += fuzz_byte(in);
			end_record(to, &record);
			continue;
		}
		n = take(in, &data);
		if (what == 'P') {
			struct fn_queue_put_entry e = {.queue = queue_id, .sent_us = n, .at_us = n % 3 ? 0 : UINT64_MAX / 4, .meta_len = (uint32_t)(n / 2), .body_len = (uint32_t)(n - n / 2)};

			add_entry(&record, &e, sizeof(e), data, n);
		} else if (what == 'E') {
			add_entry(&record, data, n, NULL, 0);
		} else {
			(void)fn_buf_add(to, data, n);
		}
	}
	(void)fn_buf_add(to, record.data, record.len);
	fn_buf_free(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {.p = data, .end = data + size};
	struct fn_db_writer *writer;
	struct fn_buf content = {0};
	struct fn_queues *queues;
	int64_t messages;
	FILE *f;

	if (!loop)
		prepare();
	build(&in, &content);
	fuzz_check((f = fopen(file, "w")) != NULL && fwrite(content.data ? content.data : "", 1, content.len, f) == content.len);
	fclose(f);
	fn_buf_free(&content);
	messages = count("SELECT count(*) FROM messages");
	if (!open_queues(&writer, &queues)) {
		fuzz_check(count("SELECT count(*) FROM messages") == messages);
		fuzz_check(unlink(file) == 0);
		return 0;
	}
	close_queues(writer, queues);
	messages = count("SELECT count(*) FROM messages");
	fuzz_check(count("SELECT count(*) FROM bodies") == messages && count("SELECT ready+delayed+leased FROM queues") == messages);
	fuzz_check(open_queues(&writer, &queues));
	close_queues(writer, queues);
	fuzz_check(count("SELECT count(*) FROM messages") == messages);
	fuzz_check(unlink(file) == 0);
	if (messages > 2000) {
		(void)unlink(path);
		fn_loop_free(loop);
		loop = NULL;
	}
	return 0;
}

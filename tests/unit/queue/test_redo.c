/* Messages that were put, told, and taken from SQLite's log by a power cut: they are put again from the redo log, each once, as what they were. */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "unit/failing_disk.h"
#include "unit/main.h"
#include "unit/queues.h"

enum { MESSAGES = 40 };

static unsigned n_told;

struct putting {
	struct fn_queue_change c;
	struct fn_queue_step step;
	char body[32];
};

static void on_put(struct fn_queue_change *c, const struct fn_err *err)
{
	(void)c;
	ck_assert_ptr_null(err);
	n_told++;
}

static void wait_for(unsigned n)
{
	while (n_told < n)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000000), 0);
}

static void put(struct putting *p, struct fn_queue *q, unsigned number, uint64_t at_us)
{
	snprintf(p->body, sizeof(p->body), "%u", number);
	p->step = (struct fn_queue_step){.what = FN_QUEUE_PUT, .queue = q, .at_us = at_us, .uid = {(uint8_t)number}, .meta = "m", .meta_len = number % 2, .body = p->body,
					 .body_len = strlen(p->body), .sent_us = 1000 + number};
	p->c = (struct fn_queue_change){.steps = &p->step, .n = 1, .done = on_put};
	fn_queue_change(queues, &p->c);
}

static void on_dropped(void *arg, const struct fn_err *err)
{
	(void)arg;
	ck_assert_ptr_null(err);
	n_told++;
}

/* Says how long its log was when it was last synced, that is when the queue `gone` was, and then a byte for each message that is told. It ends by being killed: after some ms
 * SQLite's log is to be synced, which takes for ever. */
static void write_until_killed(int to)
{
	static struct putting p[MESSAGES + 2];
	struct fn_queue *ready, *gone;
	struct stat st;

	make_disk();
	unit_queues_open("q.db");
	ready = fn_queue_get(queues, "ready", 0);
	gone = fn_queue_get(queues, "gone", 0);
	put(&p[MESSAGES], gone, 200, 0);
	wait_for(1);
	put(&p[MESSAGES + 1], gone, 201, 0); /* in a record of the redo log, before its queue goes */
	wait_for(2);
	fn_queue_drop(gone, NULL, on_dropped, NULL);
	wait_for(3);
	fn_db_writer_drain(writer);
	if (stat("q.db-wal", &st) < 0 || write(to, &st.st_size, sizeof(st.st_size)) < 0)
		_exit(1);
	disk.slow_us = 600000000;
	n_told = 0;
	for (unsigned i = 0; i < MESSAGES; i++) {
		put(&p[i], ready, i, i == 1 ? fn_clock_real_us() + UINT64_C(3600000000) : 0);
		wait_for(i + 1);
		if (write(to, "", 1) < 0)
			_exit(1);
	}
	pause();
}

static bool over;
static unsigned n_had;

/* All that was told, in its order; the next one may be there, too. */
static void on_lease(struct fn_queue_lease *l, const struct fn_err *err)
{
	ck_assert_ptr_null(err);
	for (unsigned i = 0; i < l->n_messages; i++) {
		const struct fn_queue_message *m = &l->messages[i];
		unsigned number = i ? i + 1 : 0;
		char body[32];

		snprintf(body, sizeof(body), "%.*s", (int)m->body_len, (const char *)m->body);
		ck_assert_int_eq(atoi(body), (int)number);
		ck_assert_uint_eq(m->uid[0], number);
		ck_assert_uint_eq(m->sent_us, 1000 + number);
		ck_assert_uint_eq(m->meta_len, number % 2);
		ck_assert_uint_eq(m->receives, 1);
	}
	n_had = l->n_messages;
	over = true;
}

static void count(struct fn_queue_counts *n)
{
	ck_assert_ptr_null(fn_queue_find(queues, "gone"));
	ck_assert_ptr_nonnull(fn_queue_find(queues, "ready"));
	fn_queue_count(fn_queue_find(queues, "ready"), n);
}

/* Returns how many were told. */
static unsigned die_after(bool cut)
{
	struct fn_queue_lease l = {.n = 100, .for_us = 1000000, .done = on_lease};
	struct fn_queue_counts n, again;
	struct pollfd wait = {.events = POLLIN};
	int p[2], status;
	char name[] = "redo-XXXXXX", byte;
	unsigned n_seen = 0;
	off_t synced;
	pid_t pid;

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chdir(name), 0);
	ck_assert_int_eq(pipe(p), 0);
	pid = fork();
	if (pid == 0)
		write_until_killed(p[1]);
	close(p[1]);
	ck_assert_int_eq(read(p[0], &synced, sizeof(synced)), sizeof(synced));
	wait.fd = p[0];
	while (n_seen < MESSAGES && poll(&wait, 1, 200) == 1 && read(p[0], &byte, 1) == 1)
		n_seen++;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	while (read(p[0], &byte, 1) == 1)
		n_seen++;
	close(p[0]);
	if (cut)
		ck_assert_int_eq(truncate("q.db-wal", synced), 0);
	unit_queues_open("q.db");
	count(&n);
	ck_assert_uint_eq(n.leased, 0);
	ck_assert_uint_eq(n.delayed, n.ready + n.delayed > 1);
	ck_assert_uint_ge(n.ready + n.delayed, n_seen);
	ck_assert_uint_le(n.ready + n.delayed, n_seen + 1);
	unit_queues_close();
	unit_queues_open("q.db"); /* what is written down says the same */
	count(&again);
	ck_assert_int_eq(memcmp(&n, &again, sizeof(n)), 0);
	over = false;
	fn_queue_lease(fn_queue_find(queues, "ready"), &l);
	while (!over)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000000), 0);
	ck_assert_uint_eq(n_had, n.ready);
	unit_queues_close();
	ck_assert_int_eq(chdir(".."), 0);
	return n_seen;
}

/* Until many were told ahead of SQLite's log, which is synced some ms after the first. */
static void die(bool cut)
{
	for (int i = 0; i < 100 && die_after(cut) < 3; i++)
		ck_assert_int_lt(i, 99);
	fn_loop_free(loop);
}

static void on_refused(struct fn_queue_change *c, const struct fn_err *err)
{
	(void)c;
	ck_assert_ptr_nonnull(err);
	n_told++;
}

/* Of a batch, one is undone and the other done: at the next start that is not done twice. */
START_TEST(a_batch_in_parts)
{
	struct fn_queue_counts n;
	char name[] = "redo-XXXXXX";
	pid_t pid;
	int status;

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chdir(name), 0);
	pid = fork();
	if (pid == 0) {
		struct putting p[2];
		struct fn_queue *q[2];
		sqlite3 *db;
		char sql[200];

		unit_queues_open("q.db");
		for (int i = 0; i < 2; i++)
			q[i] = fn_queue_get(queues, i ? "ready" : "refused", 0);
		fn_db_writer_drain(writer);
		snprintf(sql, sizeof(sql), "CREATE TRIGGER no BEFORE INSERT ON messages WHEN NEW.queue=(SELECT inner FROM queues WHERE name='refused') BEGIN SELECT RAISE(ROLLBACK, 'no'); END");
		ck_assert_int_eq(sqlite3_open("q.db", &db), SQLITE_OK);
		ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		put(&p[0], q[0], 0, 0);
		p[0].c.done = on_refused;
		put(&p[1], q[1], 0, 0);
		wait_for(2);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	{
		sqlite3 *db;

		ck_assert_int_eq(sqlite3_open("q.db", &db), SQLITE_OK);
		ck_assert_int_eq(sqlite3_exec(db, "DROP TRIGGER no", NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
	}
	for (int i = 0; i < 2; i++) {
		unit_queues_open("q.db");
		count(&n);
		ck_assert_uint_eq(n.ready, 1);
		unit_queues_close();
	}
	fn_loop_free(loop);
}
END_TEST

START_TEST(a_power_cut) { die(true); }
END_TEST

START_TEST(a_kill) { die(false); }
END_TEST

TEST_MAIN("queue/redo", a_batch_in_parts, a_power_cut, a_kill)

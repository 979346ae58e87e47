/* The writer at its edges. The disk is SQLite's own file system behind one of ours that fails when it is told to. */
#include "db/writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/failing_disk.h"
#include "unit/main.h"

/* --- writes --- */
static const char *const migrations[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT) WITHOUT ROWID;"};
static struct fn_loop *loop;
static struct fn_db_writer *writer;
static int order, told, undone;

struct one {
	struct fn_db_write w;
	int64_t key, size;
	int as_told, result;
	bool fails, waits, early, lazy;
	struct fn_err err;
};
static _Atomic bool gate; /* those that wait do so until it is open */

static int run(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	struct one *o = fn_list_entry(w, struct one, w);
	char *text = calloc(1, (size_t)o->size + 1);
	int r;

	while (o->waits && !gate)
		usleep(1000);
	memset(text, 'x', (size_t)o->size);
	r = fn_db_run(db, err, "INSERT INTO t VALUES(?1,?2)", "is", o->key, text);
	free(text);
	if (r == 0 && o->fails)
		r = fn_db_run(db, err, "INSERT INTO t VALUES(?1,?2)", "is", o->key, "again");
	return r;
}

static void done(struct fn_db_write *w, const struct fn_err *err)
{
	struct one *o = fn_list_entry(w, struct one, w);

	o->as_told = ++order;
	o->result = err ? -err->code : 0;
	if (err)
		o->err = *err;
	told++;
	undone += err != NULL;
}

/* Each test in a directory of its own. */
static void fresh(void)
{
	char name[] = "db-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chdir(name), 0);
}

static void open_at(const char *path)
{
	struct fn_err err;
	sqlite3 *db;

	if (!loop)
		ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_db_open(path, migrations, 1, &db, &err), 0);
	ck_assert_int_eq(fn_db_writer_new(loop, path, db, &writer, &err), 0);
}

static void give(struct one *o, int64_t key)
{
	*o = (struct one){.w = {.run = run, .done = done, .early = o->early, .lazy = o->lazy}, .key = key, .size = o->size, .fails = o->fails, .waits = o->waits, .early = o->early, .lazy = o->lazy, .result = 1};
	fn_db_write(writer, &o->w);
}

static int64_t count(const char *path)
{
	struct fn_err err;
	int64_t n = -1;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_number(db, "SELECT count(*) FROM t", &n, &err), 0);
	sqlite3_close(db);
	return n;
}

/* The thread is at work on one that waits, so that what is given next is one batch. */
static void gather(struct one *first)
{
	gate = false;
	first->waits = true;
	give(first, 1);
}

START_TEST(a_batch_is_one_commit)
{
	struct one o[200] = {0};
	int before;

	fresh();
	make_disk();
	open_at("t.db");
	before = disk.commits;
	gather(&o[0]);
	for (int i = 1; i < 200; i++) {
		o[i].fails = i == 77;
		give(&o[i], i + 1);
	}
	ck_assert(fn_db_writer_busy(writer));
	ck_assert_int_eq(told, 0); /* nothing is told before it is on disk, nor from another thread */
	gate = true;
	while (fn_db_writer_busy(writer))
		ck_assert_int_eq(fn_loop_run_once(loop, 10000000), 0);
	ck_assert_int_le(disk.commits - before, 2);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(o[i].as_told, i + 1);
		ck_assert_int_eq(o[i].result == 0, i != 77); /* undone alone, the first half of it too */
	}
	ck_assert_ptr_nonnull(strstr(o[77].err.msg, "UNIQUE"));
	fn_db_writer_free(writer);
	ck_assert_int_eq(count("t.db"), 199);
}
END_TEST

START_TEST(a_commit_that_fails)
{
	struct one o[10] = {0};

	fresh();
	make_disk();
	open_at("t.db");
	gather(&o[0]);
	for (int i = 1; i < 10; i++)
		give(&o[i], i + 1);
	disk.write = SQLITE_FULL;
	gate = true;
	fn_db_writer_drain(writer);
	ck_assert_int_eq(undone, 10);
	ck_assert_int_eq(o[9].result, -ENOSPC);
	disk.write = SQLITE_IOERR_WRITE; /* no sync: the process goes on */
	give(&o[1], 2);
	fn_db_writer_drain(writer);
	ck_assert_int_eq(o[1].result, -EIO);
	disk.write = 0;
	for (int i = 1; i < 10; i++)
		give(&o[i], i + 1);
	fn_db_writer_drain(writer);
	ck_assert_int_eq(undone, 11);
	fn_db_writer_free(writer);
	ck_assert_int_eq(count("t.db"), 9);
}
END_TEST

/* A disk of 1 MB: what does not fit is refused, what was there is there, and what fits after that goes in. */
START_TEST(a_full_disk)
{
	struct one o[8] = {0};
	int fit = 0;

	fresh();
	if (mkdir("small", 0755) < 0 || mount("none", "small", "tmpfs", 0, "size=1m") < 0) {
		puts("SKIP: a full disk: tmpfs cannot be mounted here");
		return;
	}
	open_at("small/t.db");
	gather(&o[0]);
	for (int i = 1; i < 8; i++) {
		o[i].size = 300000;
		give(&o[i], i + 1);
	}
	gate = true;
	fn_db_writer_drain(writer);
	for (int i = 0; i < 8; i++) {
		ck_assert(o[i].result == 0 || o[i].result == -ENOSPC || o[i].result == -EIO);
		fit += o[i].result == 0;
	}
	ck_assert_int_lt(fit, 8);
	o[0].size = 10;
	give(&o[0], 100);
	fn_db_writer_drain(writer);
	ck_assert_int_eq(o[0].result, 0);
	fn_db_writer_free(writer);
	ck_assert_int_eq(count("small/t.db"), fit + 1);
	ck_assert_int_eq(umount("small"), 0);
}
END_TEST

/* A sync that fails: nothing is told, the process ends, the next one finds the disk as it is. */
START_TEST(a_sync_that_fails_ends_the_process)
{
	pid_t pid;
	int status;

	fresh();
	pid = fork();
	if (pid == 0) {
		struct one o[3] = {0};

		make_disk();
		open_at("t.db");
		give(&o[0], 1);
		fn_db_writer_drain(writer);
		if (o[0].result != 0)
			_exit(1);
		disk.sync = SQLITE_IOERR_FSYNC;
		give(&o[1], 2);
		fn_db_writer_drain(writer);
		_exit(o[1].result == 1 ? 2 : 3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), FN_DB_EXIT_IO);
	ck_assert_int_ge(count("t.db"), 1);
}
END_TEST

/* Nothing is on its way, and what is from now on takes a while. */
static void on_a_slow_disk(void)
{
	fresh();
	make_disk();
	open_at("t.db");
	fn_db_writer_drain(writer);
	disk.slow_us = 300000;
}

/* What need not be on disk is told while the disk is waited for, also for what came before it; and it is synced soon all the same. */
START_TEST(early_ones_wait_for_no_sync)
{
	struct one o[3] = {{.early = false}, {.early = true}, {.early = true}};
	int before;

	on_a_slow_disk();
	give(&o[0], 1);
	give(&o[1], 2);
	while (told == 0)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000000), 0);
	ck_assert_int_eq(o[1].as_told, 1);
	ck_assert_int_eq(o[0].as_told, 0);
	while (told < 2)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000000), 0);
	ck_assert_int_eq(o[0].result, 0);
	disk.slow_us = 0;
	fn_db_writer_drain(writer);
	before = disk.commits;
	give(&o[2], 3);
	while (disk.commits == before) /* nobody waits for it */
		ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
	fn_db_writer_free(writer);
	ck_assert_int_eq(told, 3);
	ck_assert_int_eq(count("t.db"), 3);
}
END_TEST

/* Those that come while the disk is waited for share the next sync. */
START_TEST(what_comes_during_a_sync_shares_the_next)
{
	struct one o[50] = {0};
	int before;

	on_a_slow_disk();
	before = disk.commits;
	for (int i = 0; i < 50; i++) {
		give(&o[i], i + 1);
		ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
	}
	fn_db_writer_drain(writer);
	ck_assert_int_le(disk.commits - before, 3);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(o[i].as_told, i + 1);
	disk.slow_us = 0;
	fn_db_writer_free(writer);
	ck_assert_int_eq(count("t.db"), 50);
}
END_TEST

static struct one later[2];

static void done_and_more(struct fn_db_write *w, const struct fn_err *err)
{
	done(w, err);
	give(&later[1], 2);
}

static void run_until_told(int n)
{
	while (told < n)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000000), 0);
	ck_assert_int_eq(told, n);
}

START_TEST(what_nobody_waits_for)
{
	struct one o[8] = {0};

	fresh();
	make_disk();
	open_at("t.db");
	for (int i = 0; i < 8; i++)
		o[i].lazy = i != 1;
	give(&o[0], 1); /* with the next, in its order */
	give(&o[1], 2);
	give(&o[2], 3);
	run_until_told(3);
	ck_assert(o[0].as_told == 1 && o[1].as_told == 2 && o[2].as_told == 3);
	give(&o[3], 4); /* by itself; with one that fails */
	o[4].fails = true;
	give(&o[4], 5);
	run_until_told(5);
	ck_assert(o[3].result == 0 && o[4].result < 0 && o[3].as_told == 4);
	disk.write = SQLITE_FULL;
	give(&o[5], 6);
	run_until_told(6);
	ck_assert_int_eq(o[5].result, -ENOSPC);
	disk.write = 0;
	give(&o[6], 7);
	fn_db_writer_drain(writer);
	ck_assert(told == 7 && o[6].result == 0);
	give(&o[7], 8);
	fn_db_writer_free(writer);
	ck_assert(told == 8 && o[7].result == 0);
	ck_assert_int_eq(count("t.db"), 6);
	ck_assert_int_eq(fn_loop_run_once(loop, 20000), 0); /* no timer is left */
	fn_loop_free(loop);
}
END_TEST

START_TEST(the_end_with_a_queue)
{
	struct one o[500] = {0};

	fresh();
	make_disk();
	open_at("t.db");
	disk.slow_us = 20000;
	for (int i = 0; i < 500; i++)
		give(&o[i], i + 10);
	later[0] = (struct one){.w = {.run = run, .done = done_and_more}, .key = 1};
	fn_db_write(writer, &later[0].w);
	fn_db_writer_free(writer); /* without a round of the loop; and what is written in an outcome is written, too */
	ck_assert_int_eq(told, 502);
	ck_assert_int_eq(undone, 0);
	ck_assert_int_eq(count("t.db"), 502);
}
END_TEST

/* Checkpoints are another thread's: however slow the disk is with them, the log begins anew now and then, and the file gives pages back. */
START_TEST(many_at_once_and_the_log)
{
	enum { N = 12000 };
	struct one *o = calloc(N, sizeof(*o));
	int64_t pages;
	struct stat st;
	uint64_t until;
	sqlite3 *db;

	fresh();
	open_at("t.db");
	for (int i = 0; i < N; i++) {
		o[i].size = 8000;
		give(&o[i], i);
		if (i % 300 == 299)
			fn_db_writer_drain(writer);
	}
	fn_db_writer_drain(writer);
	ck_assert_int_eq(undone, 0);
	ck_assert_int_eq(stat("t.db-wal", &st), 0);
	ck_assert_int_lt(st.st_size, 24000 * 4096); /* of more than 24,000: a busy machine may be late with the first time, or the second */
	ck_assert_int_eq(sqlite3_open("t.db", &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	ck_assert_int_eq(fn_db_exec(db, "DELETE FROM t", NULL), 0);
	o[0].size = 10;
	give(&o[0], 1);
	fn_db_writer_drain(writer);
	for (until = fn_clock_mono_us() + 30000000, pages = 10000; pages > 1000 && fn_clock_mono_us() < until; usleep(10000))
		ck_assert_int_eq(fn_db_number(db, "PRAGMA page_count", &pages, NULL), 0);
	ck_assert_int_le(pages, 1000);
	sqlite3_close(db);
	fn_db_writer_free(writer);
	ck_assert_int_eq(count("t.db"), 1);
	free(o);
}
END_TEST

/* Killed at any moment: what was told is there. */
START_TEST(what_was_told_is_there_after_a_kill)
{
	fresh();
	for (int round = 0; round < 5; round++) {
		char path[16];
		int p[2], status;
		int64_t last = 0, key, n = -1;
		struct fn_err err;
		sqlite3 *db;
		pid_t pid;

		snprintf(path, sizeof(path), "k%d.db", round);
		ck_assert_int_eq(pipe(p), 0);
		pid = fork();
		if (pid == 0) {
			static struct one o[100000];

			open_at(path);
			for (int i = 0, shown = 0; i < 100000; i++) {
				give(&o[i], i + 1);
				(void)fn_loop_run_once(loop, i - told > 20 ? UINT64_MAX : 0);
				for (; shown < told; shown++)
					if (write(p[1], &o[shown].key, sizeof(key)) < 0)
						_exit(1);
			}
			_exit(1);
		}
		close(p[1]);
		for (int i = 0; i < 30 + round * 20 && read(p[0], &key, sizeof(key)) == sizeof(key); i++)
			last = key;
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		while (read(p[0], &key, sizeof(key)) == sizeof(key))
			last = key;
		close(p[0]);
		ck_assert_int_gt(last, 0);
		ck_assert_int_eq(fn_db_open(path, migrations, 1, &db, &err), 0);
		ck_assert_int_eq(fn_db_number(db, "SELECT count(*) FROM t", &n, &err), 0);
		ck_assert_int_ge(n, last);
		ck_assert_int_eq(fn_db_number(db, "SELECT max(k) FROM t", &key, &err), 0);
		ck_assert_int_eq(n, key); /* none left out */
		sqlite3_close(db);
	}
}
END_TEST

/* One that an older program made is made such that it gives pages back, and keeps what it has. */
START_TEST(a_database_without_auto_vacuum)
{
	int64_t mode = 0;
	struct fn_err err;
	sqlite3 *db;

	fresh();
	ck_assert_int_eq(sqlite3_open("old.db", &db), SQLITE_OK);
	ck_assert_int_eq(fn_db_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT) WITHOUT ROWID; INSERT INTO t VALUES(1,'a');"
					"PRAGMA user_version=1",
				    &err),
			 0);
	sqlite3_close(db);
	ck_assert_int_eq(fn_db_open("old.db", migrations, 1, &db, &err), 0);
	ck_assert_int_eq(fn_db_number(db, "PRAGMA auto_vacuum", &mode, &err), 0);
	ck_assert_int_eq(mode, 2);
	sqlite3_close(db);
	ck_assert_int_eq(count("old.db"), 1);
}
END_TEST

/* --- the loop as a role --- */
static struct one lent[2000];
static int given_n, lent_n, synced_n, ticks;
static _Atomic int in_loop, at_once;
static pthread_t giver, ticker, runner;
static uint64_t timer;

/* Whatever is the loop's. */
static void enter(void) { ck_assert_int_eq(atomic_fetch_add(&in_loop, 1), 0); }
static void leave(void) { ck_assert_int_eq(atomic_fetch_sub(&in_loop, 1), 1); }

static int run_lent(struct fn_db_write *w, sqlite3 *db, struct fn_err *err)
{
	int r;

	runner = pthread_self();
	ck_assert_int_eq(atomic_fetch_add(&at_once, 1), 0);
	r = run(w, db, err);
	ck_assert_int_eq(atomic_fetch_sub(&at_once, 1), 1);
	return r;
}

static void lent_synced(struct fn_db_write *w)
{
	ck_assert_int_eq(fn_list_entry(w, struct one, w)->as_told, 0);
	ck_assert_int_eq(w->result, 0);
	synced_n++;
}

static void give_lent(void)
{
	struct one *o = &lent[given_n++];

	give(o, given_n);
	o->w.run = run_lent;
	o->w.synced = lent_synced;
}

static void lent_done(struct fn_db_write *w, const struct fn_err *err)
{
	enter();
	done(w, err);
	if (told == lent_n)
		fn_loop_stop(loop);
	leave();
}

static void on_give(void *arg)
{
	(void)arg;
	enter();
	giver = pthread_self();
	give_lent();
	lent[given_n - 1].w.done = lent_done;
	leave();
}

/* Once one has been written by who gave it; before, none that rests may have been there yet. */
static void waited_done(struct fn_db_write *w, const struct fn_err *err)
{
	enter();
	done(w, err);
	ck_assert_int_eq(synced_n, told);
	if (pthread_equal(giver, runner) && !pthread_equal(giver, ticker))
		fn_loop_stop(loop);
	else
		ck_assert_int_eq(fn_loop_rearm_timer(loop, timer, 0), 0);
	leave();
}

static void again(void *arg)
{
	(void)arg;
	enter();
	if (gate) {
		gate = false;
		ticks = 0;
		giver = pthread_self();
		lent[given_n].waits = true;
		give_lent();
		lent[given_n - 1].w.done = waited_done;
	}
	ticker = pthread_self();
	if (++ticks == 4)
		gate = true;
	else
		ck_assert_int_eq(fn_loop_rearm_timer(loop, timer, fn_loop_now_us(loop) + 1000), 0);
	leave();
}

/* Who has something to be written writes it, however long that takes, and another thread is the loop's meanwhile. */
START_TEST(the_loop_goes_on_without_who_writes)
{
	fresh();
	open_at("t.db");
	gate = true;
	ck_assert_int_eq(fn_loop_add_timer(loop, 0, again, NULL, &timer), 0);
	ck_assert_int_eq(fn_db_writer_run_loop(writer), 0);
	ck_assert_int_eq(ticks, 4);
	fn_db_writer_free(writer);
	ck_assert_int_eq(count("t.db"), given_n);
}
END_TEST

static void on_give_more(void *arg)
{
	on_give(arg);
	for (int n = given_n % 7; n > 0 && given_n < lent_n; n--)
		on_give(arg);
	if (given_n < lent_n)
		(void)fn_loop_rearm_timer(loop, timer, fn_loop_now_us(loop) + (given_n % 3 ? 0 : 300));
}

/* One thread at a time has the loop, one the database, and all is told, in its order; where many have waited only so. */
START_TEST(the_loop_changes_hands)
{
	fresh();
	open_at("t.db");
	lent_n = sizeof(lent) / sizeof(lent[0]);
	for (int i = 0; i < lent_n; i++)
		lent[i].fails = i % 50 == 49;
	ck_assert_int_eq(fn_loop_add_timer(loop, 0, on_give_more, NULL, &timer), 0);
	ck_assert_int_eq(fn_db_writer_run_loop(writer), 0);
	ck_assert_int_eq(told, lent_n);
	ck_assert_int_eq(undone, lent_n / 50);
	ck_assert_int_le(synced_n, lent_n - undone);
	for (int i = 0; i < lent_n; i++)
		ck_assert_int_eq(lent[i].as_told, i + 1);
	fn_db_writer_free(writer);
	ck_assert_int_eq(count("t.db"), (int)(sizeof(lent) / sizeof(lent[0])) * 49 / 50);
}
END_TEST

TEST_MAIN("db/writer", a_batch_is_one_commit, a_commit_that_fails, a_full_disk, a_sync_that_fails_ends_the_process, early_ones_wait_for_no_sync, what_comes_during_a_sync_shares_the_next, what_nobody_waits_for,
	  the_end_with_a_queue, many_at_once_and_the_log, what_was_told_is_there_after_a_kill, a_database_without_auto_vacuum, the_loop_goes_on_without_who_writes, the_loop_changes_hands)

/* The redo log: what is done again after a power cut, and what is not; and the writer with one, beside a disk that is slow to sync SQLite's own log. */
#include "db/redo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "db/writer.h"
#include "unit/failing_disk.h"
#include "unit/main.h"

#define PATH "t.db"

static const char *const migrations[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT) WITHOUT ROWID; CREATE TABLE has(number INTEGER NOT NULL); INSERT INTO has VALUES(0);"};
static sqlite3 *db;
static struct fn_db_redo *redo;
static char seen[4096]; /* what was replayed, each behind a blank */
static int refuse;

static uint64_t has, in_file; /* what the database has, as these tests write it down; what is in the file */

static int replay(void *arg, sqlite3 *c, uint64_t number, const void *entry, size_t len, struct fn_err *err)
{
	ck_assert_ptr_eq(arg, seen);
	ck_assert_ptr_eq(c, db);
	if (number <= has)
		return 0;
	if (refuse)
		return fn_err_set(err, refuse, "replay", NULL);
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), " %.*s", (int)len, (const char *)entry);
	in_file = number;
	return 1;
}

static int try_open(void)
{
	struct fn_err err;
	int r;

	seen[0] = '\0';
	ck_assert_int_eq(fn_db_open(PATH, migrations, 1, &db, &err), 0);
	in_file = has;
	r = fn_db_redo_open(PATH, db, has, replay, seen, &redo, &err);
	has = r == 0 ? in_file : has;
	return r;
}

static void open_it(void)
{
	ck_assert_int_eq(try_open(), 0);
	ck_assert_ptr_nonnull(redo);
}

static void close_it(void)
{
	fn_db_redo_free(redo);
	redo = NULL;
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void reopen(void)
{
	close_it();
	open_it();
}

static void fresh(void)
{
	char name[] = "redo-XXXXXX";

	fn_log_init("test_redo", FN_LOG_ERROR);
	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chdir(name), 0);
}

/* Entries between blanks. */
static uint64_t give(const char *entries)
{
	char text[256], *save = NULL;

	snprintf(text, sizeof(text), "%s", entries);
	fn_db_redo_begin(redo);
	for (char *e = strtok_r(text, " ", &save); e; e = strtok_r(NULL, " ", &save)) {
		struct iovec v[] = {{e, 1}, {NULL, 0}, {e + 1, strlen(e) - 1}};

		ck_assert(fn_db_redo_add(redo, v, 3));
	}
	return fn_db_redo_give(redo);
}

static void write_given(void)
{
	ck_assert(fn_db_redo_due(redo));
	fn_db_redo_take(redo);
	ck_assert(!fn_db_redo_due(redo));
	ck_assert_int_eq(fn_db_redo_write(redo), 0);
}

START_TEST(what_the_database_does_not_have)
{
	uint64_t first;

	fresh();
	open_it();
	ck_assert_str_eq(seen, "");
	first = give("a bb");
	ck_assert_uint_ne(first, 0);
	write_given();
	ck_assert_uint_eq(fn_db_redo_written(redo), first);
	ck_assert_uint_eq(give("ccc"), first + 1);
	ck_assert_uint_eq(give("d e f"), first + 2); /* with the one before */
	write_given();
	ck_assert_uint_eq(fn_db_redo_written(redo), first + 2);
	has = first;
	give("not-written");
	reopen();
	ck_assert_str_eq(seen, " ccc d e f");
	reopen(); /* once */
	ck_assert_str_eq(seen, "");
	close_it();
}
END_TEST

/* Once all is in the database's log and synced, records are at the file's beginning again, in front of what is left of older ones. */
START_TEST(it_begins_anew)
{
	struct stat before, after;
	uint64_t last;

	fresh();
	open_it();
	ck_assert_int_eq(stat(PATH "-redo", &before), 0);
	give("a");
	write_given();
	last = give("b");
	write_given();
	has = last;
	fn_db_redo_covered(redo, last - 1); /* not all */
	last = give("c");
	write_given();
	has = last;
	fn_db_redo_covered(redo, last);
	give("d");
	fn_db_redo_covered(redo, last); /* one has come since */
	write_given();
	reopen();
	ck_assert_str_eq(seen, " d");
	last = give("e"); /* before what the last life has left */
	write_given();
	has = last;
	reopen();
	ck_assert_str_eq(seen, "");
	ck_assert_int_eq(stat(PATH "-redo", &after), 0);
	ck_assert_int_eq(before.st_size, after.st_size);
	close_it();
}
END_TEST

START_TEST(what_is_covered_before_it_is_written)
{
	uint64_t last;

	fresh();
	open_it();
	last = give("a");
	has = last;
	fn_db_redo_covered(redo, last);
	ck_assert(!fn_db_redo_due(redo));
	give("b");
	write_given();
	reopen();
	ck_assert_str_eq(seen, " b");
	close_it();
}
END_TEST

/* A power cut has left parts of what was written last: any byte of it may be another. */
START_TEST(a_torn_record)
{
	fresh();
	for (off_t at = 0; at < 60; at++) {
		char byte;
		int fd;

		(void)unlink(PATH), (void)unlink(PATH "-wal"), (void)unlink(PATH "-shm"), (void)unlink(PATH "-redo");
		open_it();
		give("aa");
		write_given();
		give("bbbb cc"); /* at 24 + 4 + 2 = 30, 24 + 4 + 4 + 4 + 2 = 38 long */
		write_given();
		give("after"); /* whole, and behind one that is not */
		write_given();
		fd = open(PATH "-redo", O_RDWR);
		ck_assert_int_eq(pread(fd, &byte, 1, 30 + at), 1);
		byte = (char)~byte;
		ck_assert_int_eq(pwrite(fd, &byte, 1, 30 + at), 1);
		close(fd);
		reopen();
		ck_assert_str_eq(seen, at < 38 ? " aa" : " aa bbbb cc");
		give("new"); /* what is whole there does not follow it */
		write_given();
		reopen();
		ck_assert_str_eq(seen, " new");
		close_it();
	}
}
END_TEST

/* Nothing of it is done, and nothing lost, where one entry cannot be. */
START_TEST(a_replay_that_fails)
{
	fresh();
	open_it();
	give("a b");
	write_given();
	close_it();
	refuse = EIO;
	ck_assert_int_eq(try_open(), -EIO);
	ck_assert_ptr_null(redo);
	sqlite3_close(db);
	refuse = ENOSPC;
	ck_assert_int_lt(try_open(), 0);
	sqlite3_close(db);
	refuse = 0;
	open_it();
	ck_assert_str_eq(seen, " a b");
	close_it();
}
END_TEST

START_TEST(no_room_in_it)
{
	static char large[FN_DB_REDO_BATCH_MAX];
	struct iovec v = {large, sizeof(large)}, half = {large, sizeof(large) / 2};
	unsigned n = 0;
	uint64_t last = 0, number;

	fresh();
	open_it();
	fn_db_redo_begin(redo);
	ck_assert(!fn_db_redo_add(redo, &v, 1));
	for (;; n++) {
		fn_db_redo_begin(redo);
		ck_assert(fn_db_redo_add(redo, &half, 1));
		if ((number = fn_db_redo_give(redo)) == 0)
			break;
		last = number;
		write_given();
	}
	ck_assert_uint_ge(n, 8);
	ck_assert_uint_ne(give("small"), 0); /* there is for that */
	last++;
	write_given();
	has = last;
	fn_db_redo_covered(redo, last);
	ck_assert_uint_eq(give("z"), last + 1); /* the one that had no room has no number */
	write_given();
	reopen();
	ck_assert_str_eq(seen, " z");
	close_it();
}
END_TEST

/* --- the writer with one --- */
static _Atomic int slow_record_us;

/* Ours, and SQLite's. */
int fdatasync(int fd)
{
	char link[64], path[512] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (slow_record_us && readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "-redo"))
		usleep((useconds_t)slow_record_us);
	return (int)syscall(SYS_fdatasync, fd);
}

struct one {
	struct fn_db_write w;
	int key, as_told, result;
	bool redone, breaks; /* breaks: undoes the whole transaction */
	int slow_us;
};
static struct fn_loop *loop;
static struct fn_db_writer *writer;
static int told;

static int put(sqlite3 *c, int key, const char *text, uint64_t number, struct fn_err *err)
{
	int r = fn_db_run(c, err, "INSERT INTO t VALUES(?1,?2)", "is", (int64_t)key, text);

	return r == 0 && number ? fn_db_run(c, err, "UPDATE has SET number=?1", "i", (int64_t)number) : r;
}

static int run(struct fn_db_write *w, sqlite3 *c, struct fn_err *err)
{
	struct one *o = fn_list_entry(w, struct one, w);

	if (o->breaks) {
		(void)fn_db_exec(c, "ROLLBACK", NULL);
		return fn_err_set(err, EIO, "test", NULL);
	}
	if (o->slow_us) {
		usleep((useconds_t)o->slow_us);
		disk.slow_us = 600000000; /* the next sync of SQLite's log does not end */
	}
	return put(c, o->key, "", w->record, err);
}

static int pieces(struct fn_db_write *w, struct iovec v[FN_DB_REDO_PIECES])
{
	struct one *o = fn_list_entry(w, struct one, w);

	v[0] = (struct iovec){&o->key, sizeof(o->key)};
	return o->redone;
}

static void done(struct fn_db_write *w, const struct fn_err *err)
{
	struct one *o = fn_list_entry(w, struct one, w);

	ck_assert(!err || o->breaks);
	o->as_told = ++told;
	o->result = err ? -err->code : 0;
}

static int again(void *arg, sqlite3 *c, uint64_t number, const void *entry, size_t len, struct fn_err *err)
{
	int key, r;

	if (number <= (uint64_t)*(int64_t *)arg)
		return 0;
	ck_assert_uint_eq(len, sizeof(key));
	memcpy(&key, entry, sizeof(key));
	r = put(c, key, "again", number, err);
	return r < 0 ? r : 1;
}

static void open_writer(void)
{
	struct fn_err err;
	sqlite3 *mine, *other;
	int64_t number;

	if (!loop)
		ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_db_open(PATH, migrations, 1, &mine, &err), 0);
	ck_assert_int_eq(fn_db_writer_new(loop, PATH, mine, &writer, &err), 0);
	ck_assert_int_eq(fn_db_open_again(PATH, "test", &other, &err), 0);
	ck_assert_int_eq(fn_db_number(other, "SELECT number FROM has", &number, &err), 0);
	ck_assert_int_eq(fn_db_writer_use_redo(writer, other, (uint64_t)number, again, &number, &err), 0);
	sqlite3_close(other);
}

static void give_one(struct one *o, int key, bool redone, bool lazy)
{
	*o = (struct one){.w = {.run = run, .done = done, .redo = pieces, .lazy = lazy}, .key = key, .redone = redone, .breaks = o->breaks, .slow_us = o->slow_us};
	fn_db_write(writer, &o->w);
}

static void wait_for(int n)
{
	while (told < n)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000000), 0);
}

static int64_t number_of(const char *sql)
{
	struct fn_err err;
	int64_t n = -1;
	sqlite3 *c;

	ck_assert_int_eq(sqlite3_open(PATH, &c), SQLITE_OK);
	ck_assert_int_eq(fn_db_number(c, sql, &n, &err), 0);
	sqlite3_close(c);
	return n;
}

/* What is in a record is told without a sync of SQLite's log; what is not waits for that, and what comes after it waits with it. */
START_TEST(a_record_is_enough)
{
	struct one o[8] = {0};
	int syncs;

	fresh();
	make_disk();
	open_writer();
	give_one(&o[0], 1, false, false);
	wait_for(1);
	fn_db_writer_drain(writer);
	syncs = disk.commits;
	disk.slow_us = 300000;
	give_one(&o[1], 2, true, false);
	give_one(&o[2], 3, true, true); /* nobody waits for it: in no record, told all the same */
	wait_for(3);
	ck_assert_int_eq(disk.commits, syncs);
	give_one(&o[3], 4, true, false);
	give_one(&o[4], 5, false, false);
	give_one(&o[5], 6, true, false);
	wait_for(6);
	ck_assert_int_gt(disk.commits, syncs);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(o[i].as_told, i + 1);
	disk.slow_us = 0;
	fn_db_writer_free(writer);
	ck_assert_int_eq(number_of("SELECT count(*) FROM t"), 6);
}
END_TEST

/* A record that waits for the one before it when SQLite's log has been synced for both is not written any more; who waits for it is told all the same. */
START_TEST(the_log_is_sooner)
{
	struct one o[3] = {0};

	fresh();
	open_writer();
	give_one(&o[0], 1, false, false);
	wait_for(1);
	fn_db_writer_drain(writer);
	slow_record_us = 100000;
	give_one(&o[1], 2, true, false);
	ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
	usleep(3000);
	give_one(&o[2], 3, true, false);
	wait_for(3);
	fn_db_writer_free(writer);
	ck_assert_int_eq(number_of("SELECT count(*) FROM t"), 3);
}
END_TEST

/* A batch of which one has undone the transaction goes on in another: its record is needed until all of it is in SQLite's log, and that synced. */
START_TEST(a_batch_in_two_parts)
{
	struct one o[4] = {[1].breaks = true, [2].slow_us = 60000};
	struct reading {
		uint64_t magic, number;
		uint32_t len, crc;
	} first, second;
	int fd;

	fresh();
	make_disk();
	open_writer();
	give_one(&o[0], 1, false, false);
	wait_for(1);
	fn_db_writer_drain(writer);
	give_one(&o[1], 2, true, false);
	give_one(&o[2], 3, true, false);
	wait_for(3);
	ck_assert_int_eq(o[1].result, -EIO);
	ck_assert_int_eq(o[2].result, 0);
	give_one(&o[3], 4, true, false);
	wait_for(4);
	fd = open(PATH "-redo", O_RDONLY);
	ck_assert_int_eq(pread(fd, &first, sizeof(first), 0), sizeof(first));
	ck_assert_int_eq(pread(fd, &second, sizeof(second), (off_t)(sizeof(first) + first.len)), sizeof(second));
	close(fd);
	ck_assert_uint_eq(first.len, 2 * (sizeof(uint32_t) + sizeof(int)));
	ck_assert_uint_eq(second.number, first.number + 1);
	/* its threads end with the process */
}
END_TEST

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

/* Says how long SQLite's log was when it was last synced, and a byte for each that is told; then it is to be killed: some ms later that log is to be synced, which takes for ever. */
static void write_until_killed(int to)
{
	static struct one o[100];
	off_t at;

	make_disk();
	open_writer();
	give_one(&o[0], 1, false, false);
	wait_for(1);
	fn_db_writer_drain(writer);
	at = size_of(PATH "-wal");
	if (write(to, &at, sizeof(at)) < 0)
		_exit(1);
	disk.slow_us = 600000000;
	for (int i = 1; i < 100; i++) {
		give_one(&o[i], i + 1, true, false);
		wait_for(i + 1);
		if (write(to, "", 1) < 0)
			_exit(1);
	}
	pause();
}

/* Returns how many were told. What came into SQLite's log after its last sync is taken away, as by a power cut: it is done again, once; and without the cut nothing is done twice. */
static int die_after(bool cut)
{
	struct pollfd wait = {.events = POLLIN};
	int p[2], status, n = 1;
	off_t synced;
	char byte;
	pid_t pid;

	told = 0;
	loop = NULL;
	fresh();
	ck_assert_int_eq(pipe(p), 0);
	pid = fork();
	if (pid == 0)
		write_until_killed(p[1]);
	close(p[1]);
	ck_assert_int_eq(read(p[0], &synced, sizeof(synced)), sizeof(synced));
	wait.fd = p[0];
	while (n < 100 && poll(&wait, 1, 200) == 1 && read(p[0], &byte, 1) == 1)
		n++;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	while (read(p[0], &byte, 1) == 1)
		n++;
	close(p[0]);
	if (cut) {
		ck_assert_int_eq(truncate(PATH "-wal", synced), 0);
		ck_assert_int_eq(number_of("SELECT count(*) FROM t"), 1);
	}
	for (int i = 0; i < 2; i++) {
		int64_t there;

		open_writer();
		fn_db_writer_free(writer);
		there = number_of("SELECT count(*) FROM t");
		ck_assert_int_ge(there, n);
		ck_assert_int_le(there, n + 1);
		ck_assert_int_eq(number_of("SELECT max(k) FROM t"), there);
		if (cut)
			ck_assert_int_eq(number_of("SELECT count(*) FROM t WHERE v='again'"), there - 1);
	}
	ck_assert_int_eq(chdir(".."), 0);
	return n;
}

START_TEST(after_a_power_cut)
{
	for (int cut = 0; cut < 2; cut++)
		for (int i = 0; i < 100 && die_after(cut) < 4; i++)
			ck_assert_int_lt(i, 99);
}
END_TEST

/* --- with the loop as a role --- */
enum { TURNS = 2000 };
static struct one turns[TURNS];
static int given, answered;
static uint64_t timer;

static void on_synced(struct fn_db_write *w)
{
	(void)w;
	__atomic_fetch_add(&answered, 1, __ATOMIC_RELAXED);
}

/* What is given next depends on what was told: one at a time mostly, as one client does it; two; some that nobody waits for, or that are in no record. */
static void on_turn(void *arg)
{
	(void)arg;
	if (told == TURNS) {
		fn_loop_stop(loop);
		return;
	}
	for (int n = given == told ? 1 + given % 5 % 2 : 0; n > 0 && given < TURNS; n--, given++) {
		give_one(&turns[given], given + 1, given % 11 != 3, given % 7 == 5);
		turns[given].w.synced = on_synced;
	}
	(void)fn_loop_rearm_timer(loop, timer, fn_loop_now_us(loop) + (given % 97 ? 0 : 12000));
}

START_TEST(the_loop_changes_hands)
{
	fresh();
	open_writer();
	ck_assert_int_eq(fn_loop_add_timer(loop, 0, on_turn, NULL, &timer), 0);
	ck_assert_int_eq(fn_db_writer_run_loop(writer), 0);
	fn_db_writer_free(writer);
	for (int i = 0; i < TURNS; i++)
		ck_assert_int_eq(turns[i].as_told, i + 1);
	ck_assert_int_gt(answered, TURNS / 2);
	ck_assert_int_eq(number_of("SELECT count(*) FROM t"), TURNS);
}
END_TEST

/* More than the file has room for: the database's own log is synced, and the file begins anew. */
START_TEST(more_than_it_has_room_for)
{
	static struct one o[60000];

	fresh();
	open_writer();
	for (int i = 0; i < 60000; i++) {
		give_one(&o[i], i + 1, true, i % 7 == 0);
		if (i % 500 == 0)
			wait_for(i > 2000 ? i - 2000 : 0);
	}
	fn_db_writer_free(writer);
	for (int i = 0; i < 60000; i++)
		ck_assert_int_eq(o[i].as_told, i + 1);
	ck_assert_int_eq(number_of("SELECT count(*) FROM t"), 60000);
	open_writer();
	fn_db_writer_free(writer);
	ck_assert_int_eq(number_of("SELECT count(*) FROM t WHERE v='again'"), 0);
}
END_TEST

TEST_MAIN("db/redo", what_the_database_does_not_have, it_begins_anew, what_is_covered_before_it_is_written, a_torn_record, a_replay_that_fails, no_room_in_it, a_record_is_enough, the_log_is_sooner, a_batch_in_two_parts,
	  after_a_power_cut, the_loop_changes_hands, more_than_it_has_room_for)
